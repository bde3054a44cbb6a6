package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// comparison is one of the simulated networks by which two versions are
// compared.
type comparison struct {
	name     string
	args     string // of sim run
	scenario string // the text of one; empty: what the seed draws
}

// comparisons are what rumors, failures and reunions cost, with loss and
// without: about half a minute in all, for each version.
var comparisons = []comparison{
	{name: "256 join at once", args: "--nodes 256 --for 1s"},
	{name: "128, 2 killed, a rumor a second", args: "--nodes 128 --for 60s --chatter 1s"},
	{name: "the same, 5 % lost", args: "--nodes 128 --for 60s --chatter 1s --loss 0.05"},
	{name: "the same, 25 % lost", args: "--nodes 128 --for 60s --chatter 1s --loss 0.25"},
	{name: "512, 6 killed, 10 rumors a second", args: "--nodes 512 --for 60s --chatter 100ms"},
	{name: "two halves of 64 meet after 30 s", args: "--nodes 128 --for 40s", scenario: "at 10s partition n1..n64 | n65..n128\nat 40s heal\n"},
	{name: "1 of 64 hears every fifth packet", args: "--nodes 64 --for 80s", scenario: "at 10s loss-in 0.8 n9\nat 70s loss-in 0 n9\n"},
}

// outcome is a run's JSON.
type outcome map[string]any

// at gives the number at a path of keys; of a list the largest. What a version does not tell is nil.
func (o outcome) at(path string) *float64 {
	key, rest, more := strings.Cut(path, ".")
	var most *float64
	switch value := o[key].(type) {
	case float64:
		return &value
	case map[string]any:
		return outcome(value).at(rest)
	case []any:
		for i := range value {
			item, is := value[i].(map[string]any)
			if x := outcome(item).at(rest); is && more && x != nil && (most == nil || *x > *most) {
				most = x
			}
		}
	}
	return most
}

// figures are the lines of the table, and where a run's JSON has them.
var figures = []struct{ name, path string }{
	{"hops", "rumors.hops"},
	{"payloads a delivery", "rumors.ratio"},
	{"latest delivery, s", "rumors.latest_s"},
	{"packets", "counts.packets"},
	{"bytes", "counts.bytes"},
	{"bytes by stream", "counts.stream_bytes"},
	{"first suspected, s", "fates.suspected_after_s"},
	{"known to all, s", "fates.known_after_s"},
	{"suspicions", "counts.suspicions"},
	{"deaths", "counts.deaths"},
	{"false deaths", "false_deaths"},
	{"agreed after, s", agreedAfter},
}

const agreedAfter = "time_s" // of it the time after the run's length

func newSimDiff() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diff BINARY",
		Short: "Run some simulations by another version of hearsay too, and show both",
		Long: `Run a fixed set of simulations by this program and by another version of it, and
show what differs: how far and how often rumors travel, what is sent, how soon
failures are known, how soon all agree after the last fault (to the second).
What a version does not do, or does not tell, is shown as -. In the checkout,
make sim-diff BASE=revision builds the other one and removes it again.`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			if err := checkVersion(cmd, args[0]); err != nil {
				return err
			}
			return compareVersions(cmd, args[0], self, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, a line for each simulation")
	return cmd
}

// checkVersion sees whether a program is a version of this one that simulates
// at all.
func checkVersion(cmd *cobra.Command, binary string) error {
	out, err := exec.CommandContext(cmd.Context(), binary, "sim", "run", "--json", "--nodes", "2", "--for", "1s").Output()
	var o outcome
	if err == nil && (json.Unmarshal(out, &o) != nil || o.at(agreedAfter) == nil) {
		err = errors.New("it prints something else")
	}
	if failed, is := errors.AsType[*fs.PathError](err); is {
		err = failed.Err // without what was tried
	}
	if err != nil {
		return fmt.Errorf("the other version, %s: %w: want a hearsay binary that knows `sim run --json`", binary, err)
	}
	return nil
}

// compareVersions leaves nothing behind, also if it is interrupted or nobody
// reads any more what it writes, as with "| head".
func compareVersions(cmd *cobra.Command, base, self string, asJSON bool) error {
	signal.Ignore(syscall.SIGPIPE) // a write fails then, and does not end the process
	ctx, stop := untilInterrupted(cmd)
	defer stop()
	cmd.SetContext(ctx)
	directory, err := os.MkdirTemp("", "hearsay-diff-")
	if err != nil {
		return fmt.Errorf("make room for scenarios: %w", err)
	}
	defer os.RemoveAll(directory)
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', tabwriter.AlignRight)
	for i := range comparisons {
		c := &comparisons[i]
		args := append([]string{"sim", "run", "--json"}, strings.Fields(c.args)...)
		if c.scenario != "" {
			file := filepath.Join(directory, strconv.Itoa(i))
			if err := os.WriteFile(file, []byte(c.scenario), 0o600); err != nil {
				return fmt.Errorf("write a scenario: %w", err)
			}
			args = append(args, "--scenario", file)
		}
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "%s: sim run %s\n", c.name, c.args); err != nil {
			return err
		}
		was, is := runVersion(cmd, base, args), runVersion(cmd, self, args)
		if ctx.Err() != nil {
			return errors.New("compare versions: interrupted")
		}
		if err := tellCompared(cmd.OutOrStdout(), table, c.compare(was, is), asJSON); err != nil {
			return err
		}
	}
	return table.Flush()
}

// runVersion runs one simulation by one version. What it cannot run, for
// whatever reason, has no figures; the reason goes to standard error.
func runVersion(cmd *cobra.Command, binary string, args []string) (o outcome) {
	run := exec.CommandContext(cmd.Context(), binary, args...)
	run.Stderr = cmd.ErrOrStderr()
	out, failed := run.Output()
	if err := json.Unmarshal(out, &o); err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: no figures: %v\n", binary, failed)
		return nil
	}
	return o
}

// compared is what two versions come to in one simulation.
type compared struct {
	Name    string           `json:"name"`
	Args    string           `json:"args"`
	Figures []comparedFigure `json:"figures"`
}

// comparedFigure is one figure of two versions; nil: a version does not tell it.
type comparedFigure struct {
	Name string   `json:"name"`
	Base *float64 `json:"base"`
	This *float64 `json:"this"`
}

// compare gives the figures that either version has, and that are not 0 in both.
func (c *comparison) compare(was, is outcome) compared {
	run := newSimRun()
	run.ParseFlags(strings.Fields(c.args)) // a test sees that they can be
	length, _ := run.Flags().GetDuration("for")
	found := compared{Name: c.name, Args: c.args, Figures: []comparedFigure{}}
	for _, f := range figures {
		before, after := was.at(f.path), is.at(f.path)
		for _, x := range []*float64{before, after} {
			if f.path == agreedAfter && x != nil {
				*x -= length.Seconds()
			}
		}
		if (before == nil || *before == 0) && (after == nil || *after == 0) {
			continue
		}
		found.Figures = append(found.Figures, comparedFigure{f.name, before, after})
	}
	return found
}

// tellCompared prints what was found as a line of JSON, or adds it to a table.
func tellCompared(out, table io.Writer, found compared, asJSON bool) error {
	if asJSON {
		_, err := io.WriteString(out, jsonLine(found))
		return err
	}
	fmt.Fprintf(table, "%s\tbase\tthis\tchange\t\n", found.Name)
	for _, f := range found.Figures {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t\n", f.Name, number(f.Base), number(f.This), change(f.Base, f.This))
	}
	_, err := fmt.Fprintln(table, "\t\t\t\t")
	return err
}

func number(x *float64) string {
	if x == nil {
		return "-"
	}
	if *x >= 1000 {
		return strconv.FormatFloat(*x, 'f', 0, 64)
	}
	return strconv.FormatFloat(*x, 'g', 4, 64)
}

// change is in percent; nothing if there is none.
func change(before, after *float64) string {
	switch {
	case before == nil || after == nil || *before == *after:
		return ""
	case *before == 0:
		return "new"
	}
	return fmt.Sprintf("%+.1f %%", 100*(*after-*before) / *before)
}
