package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"hearsay/ledger"

	"github.com/spf13/cobra"
)

// version gives the module's version as the toolchain recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

func newVersion() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: `Print the version, and in which formats it writes the log and the snapshots of seeds.
Seeds of one network must have these in common: others take no part with them.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			format := "hearsay %s %s %s/%s (log %d, snapshots %d)\n"
			if asJSON {
				format = `{"version":%q,"go":%q,"os":%q,"arch":%q,"log":%d,"snapshots":%d}` + "\n"
			}
			reads := ledger.Versions()
			_, err := fmt.Fprintf(cmd.OutOrStdout(), format, version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, reads.Log, reads.Snapshot)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
