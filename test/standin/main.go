package standin

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are what the command line says.
type options struct {
	ip, config, output, dir, state string
	port                           int
	speed                          float64
	faults, json                   bool
	rest                           []string // p4: node id, port, addresses to join
}

// programs are the stand-ins. Each returns when it is ready, and goes on beside.
var programs = map[string]func(options) error{
	"p1-seed": runP1Seed,
	"p1-peer": runP1Peer,
	"p0-seed": func(o options) error { return runTextSeed(o, p0) },
	"p0-peer": func(o options) error { return runTextPeer(o, p0) },
	"p2-seed": func(o options) error { return runTextSeed(o, p2) },
	"p2-peer": func(o options) error { return runTextPeer(o, p2) },
	"p4":      runP4,
}

const usage = "want one of p0-seed, p0-peer, p1-seed, p1-peer, p2-seed, p2-peer, p4, and its flags"

// Main runs a stand-in until it is told to end (SIGTERM), and gives its exit code: 2 for a command line that makes no
// sense, 1 if it does not get ready.
func Main(args []string) (code int) {
	if len(args) == 0 || programs[args[0]] == nil {
		fmt.Fprintln(os.Stderr, usage)
		return 2
	}
	var o options
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.StringVar(&o.ip, "ip", "", "the address to listen at and to ask from, IPv4 or localhost; p1 needs it, else 127.0.0.1")
	flags.IntVar(&o.port, "port", -1, "the port, 0 for any that is free; p1 needs it, p0 and p2 ask for it on standard input")
	flags.StringVar(&o.config, "config", "config.txt", "the file that lists the seeds")
	flags.StringVar(&o.output, "output", "outputfile.txt", "p1: the file to append the log to")
	flags.StringVar(&o.dir, "dir", "", "the directory to work in")
	flags.StringVar(&o.state, "state", "", "a file to write what is known to, as JSON, at each change")
	flags.Float64Var(&o.speed, "speed", 1, "how many times shorter all periods are")
	flags.BoolVar(&o.faults, "faults", false, "have the faults of the earlier program, too")
	flags.BoolVar(&o.json, "json", false, "print the ready line as JSON, and no log")
	if err := flags.Parse(args[1:]); err != nil {
		return 2
	}
	o.rest = flags.Args()
	if err := o.check(args[0]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", args[0], err)
		return 2
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	failed := make(chan error, 1)
	go func() {
		if err := programs[args[0]](o); err != nil {
			failed <- err
		}
	}()
	select {
	case <-stop:
		return 0
	case err := <-failed:
		fmt.Fprintf(os.Stderr, "%s: %v\n", args[0], err)
		return 1
	}
}

// check finds what is wrong with a command line, and goes to the directory to work in.
func (o *options) check(kind string) error {
	switch {
	case o.speed <= 0:
		return fmt.Errorf("--speed %v: want a number above 0", o.speed)
	case kind[:2] == "p1" && (o.ip == "" || o.port < 0):
		return errors.New("want --ip IP and --port N")
	case kind != "p4" && len(o.rest) > 0:
		return fmt.Errorf("%q is no flag", o.rest)
	}
	if o.ip == "" {
		o.ip = "127.0.0.1"
	}
	if o.dir != "" {
		return os.Chdir(o.dir)
	}
	return nil
}

// period is a time of the earlier program at this speed.
func (o *options) period(of time.Duration) time.Duration {
	return time.Duration(float64(of) / o.speed)
}
