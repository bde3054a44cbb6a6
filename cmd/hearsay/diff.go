package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	length   float64
}

// comparisons are what rumors, failures and reunions cost, with loss and
// without: about half a minute in all, for each version.
var comparisons = []comparison{
	{name: "256 join at once", args: "--nodes 256 --for 1s", length: 1},
	{name: "128, 2 killed, a rumor a second", args: "--nodes 128 --for 60s --chatter 1s", length: 60},
	{name: "the same, 5 % lost", args: "--nodes 128 --for 60s --chatter 1s --loss 0.05", length: 60},
	{name: "the same, 25 % lost", args: "--nodes 128 --for 60s --chatter 1s --loss 0.25", length: 60},
	{name: "512, 6 killed, 10 rumors a second", args: "--nodes 512 --for 60s --chatter 100ms", length: 60},
	{name: "two halves of 64 meet after 30 s", args: "--nodes 128 --for 40s", scenario: "at 10s partition n1..n64 | n65..n128\nat 40s heal\n", length: 40},
	{name: "1 of 64 hears every fifth packet", args: "--nodes 64 --for 80s", scenario: "at 10s loss-in 0.8 n9\nat 70s loss-in 0 n9\n", length: 80},
}

// outcome is what a comparison looks at of a run's JSON. What a version does
// not tell is nil.
type outcome struct {
	Time  *float64 `json:"time_s"`
	Fates []struct {
		Suspected *float64 `json:"suspected_after_s"`
		Known     *float64 `json:"known_after_s"`
	} `json:"fates"`
	Counts struct {
		Packets     *float64 `json:"packets"`
		Bytes       *float64 `json:"bytes"`
		StreamBytes *float64 `json:"stream_bytes"`
		Suspicions  *float64 `json:"suspicions"`
		Deaths      *float64 `json:"deaths"`
	} `json:"counts"`
	Rumors struct {
		Ratio  *float64 `json:"ratio"`
		Hops   *float64 `json:"hops"`
		Latest *float64 `json:"latest_s"`
	} `json:"rumors"`
	FalseDeaths *float64 `json:"false_deaths"`
}

// figure is one line of the table.
type figure struct {
	name string
	of   func(c *comparison, o *outcome) *float64
}

var figures = []figure{
	{"hops", func(_ *comparison, o *outcome) *float64 { return o.Rumors.Hops }},
	{"payloads a delivery", func(_ *comparison, o *outcome) *float64 { return o.Rumors.Ratio }},
	{"latest delivery, s", func(_ *comparison, o *outcome) *float64 { return o.Rumors.Latest }},
	{"packets", func(_ *comparison, o *outcome) *float64 { return o.Counts.Packets }},
	{"bytes", func(_ *comparison, o *outcome) *float64 { return o.Counts.Bytes }},
	{"bytes by stream", func(_ *comparison, o *outcome) *float64 { return o.Counts.StreamBytes }},
	{"first suspected, s", func(_ *comparison, o *outcome) *float64 {
		var worst *float64
		for i := range o.Fates {
			worst = larger(worst, o.Fates[i].Suspected)
		}
		return worst
	}},
	{"known to all, s", func(_ *comparison, o *outcome) *float64 {
		var worst *float64
		for i := range o.Fates {
			worst = larger(worst, o.Fates[i].Known)
		}
		return worst
	}},
	{"suspicions", func(_ *comparison, o *outcome) *float64 { return o.Counts.Suspicions }},
	{"deaths", func(_ *comparison, o *outcome) *float64 { return o.Counts.Deaths }},
	{"false deaths", func(_ *comparison, o *outcome) *float64 { return o.FalseDeaths }},
	{"agreed after, s", func(c *comparison, o *outcome) *float64 {
		if o.Time == nil {
			return nil
		}
		after := *o.Time - c.length
		return &after
	}},
}

func larger(a, b *float64) *float64 {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}

func newSimDiff() *cobra.Command {
	return &cobra.Command{
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
			return compareVersions(cmd, args[0], self)
		},
	}
}

// checkVersion sees whether a program is a version of this one that simulates
// at all.
func checkVersion(cmd *cobra.Command, binary string) error {
	out, err := exec.CommandContext(cmd.Context(), binary, "sim", "run", "--json", "--nodes", "2", "--for", "1s").Output()
	var o outcome
	if err == nil && (json.Unmarshal(out, &o) != nil || o.Time == nil) {
		err = errors.New("it prints something else")
	}
	if err != nil {
		return fmt.Errorf("the other version, %s: %w: want a hearsay binary that knows `sim run --json`", binary, err)
	}
	return nil
}

// compareVersions leaves nothing behind, also if it is interrupted or nobody
// reads any more what it writes, as with "| head".
func compareVersions(cmd *cobra.Command, base, self string) error {
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
		c.print(table, was, is)
	}
	return table.Flush()
}

// runVersion runs one simulation by one version. What it cannot run, for
// whatever reason, has no figures; the reason goes to standard error.
func runVersion(cmd *cobra.Command, binary string, args []string) *outcome {
	run := exec.CommandContext(cmd.Context(), binary, args...)
	run.Stderr = cmd.ErrOrStderr()
	out, failed := run.Output()
	o := &outcome{}
	if err := json.Unmarshal(out, o); err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: no figures: %v\n", binary, failed)
		return &outcome{}
	}
	return o
}

// print prints the figures that either version has, and that are not 0 in both.
func (c *comparison) print(table io.Writer, was, is *outcome) {
	fmt.Fprintf(table, "%s\tbase\tthis\tchange\t\n", c.name)
	for i := range figures {
		before, after := figures[i].of(c, was), figures[i].of(c, is)
		if (before == nil || *before == 0) && (after == nil || *after == 0) {
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t\n", figures[i].name, number(before), number(after), change(before, after))
	}
	fmt.Fprintln(table, "\t\t\t\t")
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
