// Command bench measures Hearsay beside hashicorp/memberlist, in the same run
// and on the same machine.
//
//	go run . [cpu] [bytes] [heap] [death] [join] [storm] [broadcast] [sustained] [keys] [flags]
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
//
// A measurement that fails is told on stderr, and the others are made and printed
// all the same: the exit code is 1. SIGINT and SIGTERM end the measurement under way; what
// was measured before is printed. The processes that measure end with this one, however it ends.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// endsIn is how long a process that measures may take to say what it has
// measured, once it is told to end.
const endsIn = 5 * time.Second

// options are the flags.
type options struct {
	names      []string
	nodes      int           // of the idle network, of death's larger one, and of join
	stormNodes int           // of storm
	keyNodes   int           // of keys
	keys       int           // that each of them holds
	repeat     int           // deaths, joins
	settle     time.Duration // of the idle network, and of keys, before the window
	window     time.Duration // of cpu, bytes and keys
	limit      time.Duration // of one death, one join, one storm, one broadcast
	rate       int           // of sustained, in rumors a second of all nodes together
	system     string        // measure this one, in this process
	leash      bool          // end when standard input does
	cpuProfile string
	memProfile string
	json       bool
}

// args gives the flags again, for a process that measures one system.
func (o *options) args(name, system string) []string {
	return []string{
		name, "--system", system, "--json", "--leash",
		"--nodes", strconv.Itoa(o.nodes), "--storm-nodes", strconv.Itoa(o.stormNodes), "--repeat", strconv.Itoa(o.repeat),
		"--key-nodes", strconv.Itoa(o.keyNodes), "--keys", strconv.Itoa(o.keys),
		"--settle", o.settle.String(), "--window", o.window.String(), "--limit", o.limit.String(), "--rate", strconv.Itoa(o.rate),
		"--cpuprofile", o.cpuProfile, "--memprofile", o.memProfile,
	}
}

func parse(args []string) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.nodes, "nodes", 128, "nodes of one network")
	flags.IntVar(&o.stormNodes, "storm-nodes", 512, "nodes of storm")
	flags.IntVar(&o.keyNodes, "key-nodes", 64, "nodes of keys")
	flags.IntVar(&o.keys, "keys", 10_000, "keys that each node of keys holds")
	flags.IntVar(&o.repeat, "repeat", 20, "deaths and joins of which the median is told")
	flags.DurationVar(&o.settle, "settle", 15*time.Second, "how long the idle network stands before it is looked at")
	flags.DurationVar(&o.window, "window", 5*time.Minute, "how long it is looked at")
	flags.DurationVar(&o.limit, "limit", 150*time.Second, "how long one death, join, storm or broadcast may take")
	flags.IntVar(&o.rate, "rate", 5000, "rumors a second of sustained, of all nodes together")
	flags.StringVar(&o.system, "system", "", "measure this system only, in this process: hearsay, memberlist or echo")
	flags.BoolVar(&o.leash, "leash", false, "end when standard input does, as a process does that another bench has started")
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
	if min(o.nodes, o.stormNodes, o.keyNodes) < 3 || min(o.repeat, o.rate, o.keys) < 1 || o.window <= 0 {
		return nil, fmt.Errorf("want at least three nodes, one repeat, one rumor a second, one key and a window")
	}
	return o, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends it at once
	o, err := parse(os.Args[1:])
	if err == nil {
		err = run(ctx, o, scenes(o), os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run plays the scenes, and prints what they came to, also if some have failed.
func run(ctx context.Context, o *options, scenes []*scene, out io.Writer) error {
	if o.leash {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			os.Exit(1) // nobody is there any more to be told
		}()
	}
	measured := report{Go: runtime.Version(), CPUs: runtime.NumCPU(), Window: o.window.Seconds()}
	var failed []error
	for _, s := range scenes {
		figures, err := s.play(ctx, o)
		measured.Figures = append(measured.Figures, figures...)
		if ctx.Err() != nil {
			failed = append(failed, fmt.Errorf("%s: interrupted", s.name))
			break
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	if o.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return errors.Join(append(failed, encoder.Encode(measured))...)
	}
	return errors.Join(append(failed, measured.print(out, o))...)
}

// play measures each system of the scene: in this process the one that was
// asked for, else each in a process of its own. With an error come the figures
// that were whole by then.
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
		if ctx.Err() != nil {
			break
		}
		fmt.Fprintf(os.Stderr, "bench: %s of %s\n", s.name, system)
		wait.Go(func() { all[i], errs[i] = elsewhere(ctx, o.args(s.name, system)) })
		if !s.together {
			wait.Wait()
		}
	}
	wait.Wait()
	for i, err := range errs {
		if err != nil {
			errs[i] = fmt.Errorf("%s: %w", s.systems[i], err)
		}
	}
	return slices.Concat(all...), errors.Join(errs...)
}

// elsewhere measures in another process of this program, which ends with this one.
func elsewhere(ctx context.Context, args []string) ([]figure, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, self, args...)
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what a terminal sends comes from this process, once
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = endsIn
	leash, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	defer leash.Close()
	out, failed := command.Output()
	var measured report
	if err := json.Unmarshal(out, &measured); err != nil && failed == nil {
		failed = err
	}
	return measured.Figures, failed
}
