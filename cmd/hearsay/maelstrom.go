package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"hearsay/maelstrom"
)

func newMaelstrom() *cobra.Command {
	return &cobra.Command{
		Use:   "maelstrom",
		Short: "Run one node of a Maelstrom test on standard input and output",
		Long: `Run one node of a test of Maelstrom (github.com/jepsen-io/maelstrom), which
starts it and talks to it by lines of JSON on standard input and output, until
input ends. It knows the workloads broadcast, g-set, g-counter, pn-counter,
txn-rw-register and echo.

Maelstrom's --bin takes a program without arguments, so give it a script:

  #!/bin/sh
  exec hearsay maelstrom`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := maelstrom.Run(maelstrom.DefaultConfig(), cmd.InOrStdin(), cmd.OutOrStdout()); err != nil {
				return fmt.Errorf("talk to Maelstrom: %w", err)
			}
			return nil
		},
	}
}
