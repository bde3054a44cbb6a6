// Command bench measures Hearsay beside hashicorp/memberlist, in the same run
// and on the same machine.
//
//	go run . [cpu] [bytes] [heap] [death] [join] [storm] [broadcast] [sustained] [flags]
//
// Without a name it measures everything, which takes about half an hour.
// Each system runs in a process of its own, all of its nodes in that one
// process, each with sockets of its own on an address of its own in
// 127.0.0.0/8; nothing is shared between nodes but code. Both run with their
// defaults (memberlist: DefaultLANConfig) and without logging.
//
// cpu, bytes and heap look at one idle network, and at a bare UDP echo program
// of the same shape; these run at the same time, so that whatever else the
// machine does disturbs all of them alike. The others run one after the other.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// options are the flags.
type options struct {
	names      []string
	nodes      int           // of the idle network, of death's larger one, and of join
	stormNodes int           // of storm
	repeat     int           // deaths, joins
	settle     time.Duration // of the idle network before its window
	window     time.Duration // of cpu and bytes
	limit      time.Duration // of one death, one join, one storm, one broadcast
	rate       int           // of sustained, in rumors a second of all nodes together
	system     string        // measure this one, in this process
	cpuProfile string
	memProfile string
	json       bool
}

// args gives the flags again, for a process that measures one system.
func (o *options) args(name, system string) []string {
	return []string{
		name, "--system", system, "--json",
		"--nodes", strconv.Itoa(o.nodes), "--storm-nodes", strconv.Itoa(o.stormNodes), "--repeat", strconv.Itoa(o.repeat),
		"--settle", o.settle.String(), "--window", o.window.String(), "--limit", o.limit.String(), "--rate", strconv.Itoa(o.rate),
		"--cpuprofile", o.cpuProfile, "--memprofile", o.memProfile,
	}
}

func parse(args []string) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.nodes, "nodes", 128, "nodes of one network")
	flags.IntVar(&o.stormNodes, "storm-nodes", 512, "nodes of storm")
	flags.IntVar(&o.repeat, "repeat", 20, "deaths and joins of which the median is told")
	flags.DurationVar(&o.settle, "settle", 15*time.Second, "how long the idle network stands before it is looked at")
	flags.DurationVar(&o.window, "window", 5*time.Minute, "how long it is looked at")
	flags.DurationVar(&o.limit, "limit", 150*time.Second, "how long one death, join, storm or broadcast may take")
	flags.IntVar(&o.rate, "rate", 5000, "rumors a second of sustained, of all nodes together")
	flags.StringVar(&o.system, "system", "", "measure this system only, in this process: hearsay, memberlist or echo")
	flags.StringVar(&o.cpuProfile, "cpuprofile", "", "write CPU profiles to files that begin so")
	flags.StringVar(&o.memProfile, "memprofile", "", "write heap profiles of the idle network to files that begin so")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if args = flags.Args(); len(args) > 0 {
			o.names, args = append(o.names, args[0]), args[1:]
		}
	}
	for _, name := range o.names {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("there is no measurement %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	if len(o.names) == 0 {
		o.names = names
	}
	if o.nodes < 3 || o.stormNodes < 3 || o.repeat < 1 || o.rate < 1 || o.window <= 0 {
		return nil, fmt.Errorf("want at least three nodes, one repeat, one rumor a second and a window")
	}
	return o, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	measured := report{Go: runtime.Version(), CPUs: runtime.NumCPU(), Window: o.window.Seconds()}
	for _, s := range scenes(o) {
		figures, err := s.play(ctx, o)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		measured.Figures = append(measured.Figures, figures...)
	}
	if o.json {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(measured)
	}
	return measured.print(os.Stdout, o)
}

// play measures each system of the scene: in this process the one that was
// asked for, else each in a process of its own.
func (s *scene) play(ctx context.Context, o *options) (figures []figure, err error) {
	if o.system != "" {
		if !slices.Contains(s.systems, o.system) {
			return nil, nil
		}
		return s.profiled(ctx, o, o.system)
	}
	all := make([][]figure, len(s.systems))
	errs := make([]error, len(s.systems))
	var wait sync.WaitGroup
	for i, system := range s.systems {
		fmt.Fprintf(os.Stderr, "bench: %s of %s\n", s.name, system)
		wait.Go(func() { all[i], errs[i] = elsewhere(ctx, o.args(s.name, system)) })
		if !s.together {
			wait.Wait()
		}
	}
	wait.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.systems[i], err)
		}
	}
	return slices.Concat(all...), nil
}

// elsewhere measures in another process of this program.
func elsewhere(ctx context.Context, args []string) ([]figure, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, self, args...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return nil, err
	}
	var measured report
	if err := json.Unmarshal(out, &measured); err != nil {
		return nil, err
	}
	return measured.Figures, nil
}
