package main

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hearsay/agent"
)

func newSettings() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "settings",
		Short: "Print every knob of a node, with default, unit, meaning and source",
		Long: `Print every knob of a node as a TOML file of its defaults, each with unit,
bounds, meaning and the source of its default. What is changed of it, "peer
--settings FILE" takes. A flag goes before the environment, that before the
file.`,
		Args: cobra.ArbitraryArgs, // so that an unknown command reaches RunE
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return group(cmd, args)
			}
			config := agent.DefaultConfig()
			knobs := agent.Knobs(&config)
			if asJSON {
				_, err := io.WriteString(cmd.OutOrStdout(), jsonLine(knobs))
				return err
			}
			return printKnobs(cmd.OutOrStdout(), knobs)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(newSettingsCheck())
	return cmd
}

func newSettingsCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Say whether a settings file is right",
		Args:  oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			config := agent.DefaultConfig()
			if err := loadSettings(args[0], &config); err != nil {
				return fmt.Errorf("check %w", err)
			}
			_, err := fmt.Fprintf(cmd.ErrOrStderr(), "%s is right\n", args[0])
			return err
		},
	}
}

// loadSettings sets what the file at path sets, and checks that it all fits
// together.
func loadSettings(path string, config *agent.Config) error {
	if err := agent.LoadSettings(path, config); err != nil {
		return hintedError{err, `"hearsay settings" prints all knobs`}
	}
	if err := config.Validate(); err != nil {
		return hintedError{fmt.Errorf("settings: %s: %w", path, err), `"hearsay settings" prints all knobs`}
	}
	return nil
}

// testVariables are of the tests of this project, which start nodes.
var testVariables = []string{
	"HEARSAY_ABUSE", "HEARSAY_CUT", "HEARSAY_HISTORIES", "HEARSAY_KILLS", "HEARSAY_LARGE", "HEARSAY_LATE", "HEARSAY_LATE_NAMESPACE", "HEARSAY_STORMS",
}

// flagsOnly are what people take for variables, and what there is instead.
var flagsOnly = map[string]string{
	"HEARSAY_IP": "$HEARSAY_BIND is host:port", "HEARSAY_PORT": "$HEARSAY_BIND is host:port",
	"HEARSAY_HTTP": "--http is a flag only", "HEARSAY_CONFIG": "--config is a flag only", "HEARSAY_SETTINGS": "--settings is a flag only",
}

// warnOfVariables tells of variables that look like settings and are none, and of settings that are empty:
// where a flag is given with nothing it is refused. They are no error: others use the environment, too, and
// etcd starts with them as well.
func warnOfVariables(log *slog.Logger, environment []string) {
	for _, k := range agent.Knobs(&agent.Config{}) {
		if slices.Contains(environment, k.Variable+"=") {
			log.Warn("This variable of the environment is empty, so it sets nothing", "variable", k.Variable, "setting", k.Name)
		}
	}
	for _, unknown := range agent.UnknownVariables(environment, nodeEnv) {
		if slices.Contains(testVariables, unknown.Name) {
			continue
		}
		log.Warn("There is no such setting, so this variable of the environment does nothing",
			"variable", unknown.Name, "hint", cmp.Or(flagsOnly[unknown.Name], "the nearest is "+unknown.Nearest+`; "hearsay settings" prints all`))
	}
}

// printKnobs prints the knobs as the TOML file of their defaults, each line
// behind a comment sign.
func printKnobs(out io.Writer, knobs []agent.Knob) error {
	var text strings.Builder
	text.WriteString("# The knobs of a node and their defaults. Each can be set in the environment\n# too, as in HEARSAY_DETECT_PERIOD=500ms.\n")
	for _, k := range knobs {
		fmt.Fprintf(&text, "\n# %s\n# %s\n# %s = %s\n", k.Meaning, knobFacts(&k), k.Name, knobTOML(&k))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// knobFacts lists what there is to know about a knob's value.
func knobFacts(k *agent.Knob) string {
	facts := []string{k.Unit}
	if k.Empty != "" {
		facts = append(facts, "empty: "+k.Empty)
	}
	if k.Min != "" {
		facts = append(facts, k.Min+" to "+k.Max)
	}
	if k.Rule != "" {
		facts = append(facts, "must be "+k.Rule)
	}
	if k.Flag != "" {
		facts = append(facts, "flag: --"+k.Flag)
	}
	if k.Source != "" {
		facts = append(facts, "source of the default: "+k.Source)
	}
	return strings.Join(facts, "; ")
}

// knobTOML gives a knob's default as TOML.
func knobTOML(k *agent.Knob) string {
	switch k.Unit {
	case "count", "bool":
		return k.Default
	case "list":
		if k.Default == "" {
			return "[]"
		}
		return `["` + strings.ReplaceAll(k.Default, ",", `", "`) + `"]`
	}
	return strconv.Quote(k.Default)
}
