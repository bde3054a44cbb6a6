// Command hearsay starts the nodes of a gossip network, asks them, and
// simulates them.
//
// Data goes to standard output, logs and progress to standard error. Errors
// are one line: what was tried, why it failed, and a hint where there is one.
// Exit codes: 0 done; 1 it failed; 2 wrong usage; `sim` adds 3, a safety rule
// was broken, and 4, it did not converge.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hearsay/client"
	"hearsay/nodelog"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run carries out one command line and gives its exit code.
func run(args []string, stdout, stderr io.Writer) int {
	stdout, stderr = nodelog.NewPlainWriter(stdout), nodelog.NewPlainWriter(stderr)
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	understood := false // flags and arguments were taken; from here on an error is a failure
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		understood = true
		return refuseEmpty(cmd)
	}
	cmd, err := root.ExecuteC()
	if err == nil {
		return exitDone
	}
	if !understood {
		err = wrongUsage(cmd, plainly(cmd, err))
	}
	said := make(chan struct{})
	go func() {
		defer close(said)
		fmt.Fprintln(stderr, "hearsay:", errorLine(err))
	}()
	select {
	case <-said:
	case <-time.After(lastWord):
	}
	return exitCode(err)
}

// lastWord is how long the end of a command waits for whatever reads standard error, which may
// stand still. Guess.
const lastWord = time.Second

// plainly says in words of the user what cobra and package strconv found wrong.
func plainly(cmd *cobra.Command, err error) error {
	if wrong, is := errors.AsType[*pflag.InvalidValueError](err); is {
		flag := wrong.GetFlag()
		return fmt.Errorf("--%s %q: want %s", flag.Name, wrong.GetValue(), wanted(flag, errors.Unwrap(wrong)))
	}
	if bare, is := errors.AsType[*pflag.ValueRequiredError](err); is {
		return fmt.Errorf("--%s: want a value behind it", bare.GetFlag().Name)
	}
	if strings.HasPrefix(err.Error(), "accepts ") { // so many arguments
		return errors.New("want " + usageOf(cmd))
	}
	return err
}

// wanted says what a flag takes, given what was wrong with a value.
func wanted(flag *pflag.Flag, cause error) string {
	large := errors.Is(cause, strconv.ErrRange)
	switch flag.Value.Type() {
	case "duration":
		return "a duration, as in 1.5s or 200ms, of at most " + strconv.Itoa(int(durationMax.Hours())) + "h"
	case "int":
		if large {
			return fmt.Sprintf("a whole number from %d to %d", math.MinInt, math.MaxInt)
		}
		return "a whole number"
	case "uint64":
		if large {
			return fmt.Sprintf("a whole number up to %d", uint64(math.MaxUint64))
		}
		return "a whole number, 0 or more"
	case "float64":
		return "a number, as in 0.25"
	case "bool":
		return "true or false, or the flag alone"
	case "stringSlice":
		return "A,B,..., without quotes"
	}
	_, want, _ := strings.Cut(cause.Error(), "want ") // a text that says so itself
	return want
}

// durationMax is the longest duration that there is.
const durationMax = time.Duration(math.MaxInt64)

// noArguments wants none.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%q: it takes flags only; want %s", args[0], usageOf(cmd))
	}
	return nil
}

// oneFile wants one argument, which names a file.
func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) == 1 && args[0] == "" {
		return errors.New("\"\" names no file; want " + usageOf(cmd))
	}
	return cobra.ExactArgs(1)(cmd, args)
}

// usageOf gives the command line that a command wants.
func usageOf(cmd *cobra.Command) string {
	return strconv.Quote(strings.TrimSuffix(cmd.UseLine(), " [flags]"))
}

// refuseEmpty refuses flags that are given with nothing, as with a variable that was not set: the command would
// do as if they were not there. For the reason of a bar nothing is as good as anything.
func refuseEmpty(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		values := []string{""}
		if list, is := f.Value.(pflag.SliceValue); !is {
			values[0] = f.Value.String()
		} else if len(list.GetSlice()) > 0 {
			values = list.GetSlice()
		}
		blank := func(value string) bool { return strings.TrimSpace(value) == "" && f.Name != "why" }
		if i := slices.IndexFunc(values, blank); i >= 0 && err == nil {
			err = wrongUsage(cmd, fmt.Errorf("--%s %q: want something, or no such flag", f.Name, values[i]))
		}
	})
	return err
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "hearsay",
		Short: "A gossip network that can say why",
		Long: `Hearsay tells a group of machines which of them are in the group, finds out quickly which
has failed, and can explain each of its decisions afterwards.

Start with "hearsay up": it runs a whole network on this machine.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs, // so that an unknown command reaches RunE
		RunE:          group,

		SuggestionsMinimumDistance: 2, // characters that are others
	}
	root.AddCommand(
		newUp(), newSeed(), newPeer(), newReap(),
		newMembers(), newStatus(), newTopology(), newSay(), newRumors(), newPut(), newGet(), newDel(), newKeys(), newWatchKeys(), newKV(), newEvents(), newWhy(), newLeave(),
		newLedger(), newRemove(), newBar(),
		newSettings(), newSim(), newMaelstrom(), newVersion(),
	)
	root.SetHelpCommand(newHelp())
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.Args, cmd.RunE = cobra.ArbitraryArgs, group
		}
	}
	return root
}

// group is what a command does that only holds others: without arguments it
// shows its help, and whatever else is said names a command that does not
// exist.
func group(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	return unknownCommand(cmd, args[0])
}

// unknownCommand says which commands there are instead, at the root those that are called alike.
func unknownCommand(cmd *cobra.Command, name string) error {
	names := cmd.SuggestionsFor(name)
	if cmd.HasParent() {
		names = nil
		for _, sub := range cmd.Commands() {
			names = append(names, sub.Name())
		}
	}
	err := fmt.Errorf("unknown command %q", name)
	if len(names) > 0 {
		err = fmt.Errorf("%w; want %s", err, strings.Join(names, " or "))
	}
	return wrongUsage(cmd, err)
}

func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show what a command does and takes",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return wrongUsage(cmd, fmt.Errorf("unknown command %q", strings.Join(args, " ")))
			}
			return about.Help()
		},
	}
}

// untilInterrupted gives a context that ends with the command's own, or at
// SIGINT, SIGTERM or, unless under nohup, SIGHUP. After that, the next signal
// ends the process.
func untilInterrupted(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	return untilSignal(cmd, !signal.Ignored(syscall.SIGHUP))
}

// untilSignal is untilInterrupted, which SIGHUP ends or does not.
func untilSignal(cmd *cobra.Command, hangUp bool) (context.Context, context.CancelFunc) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if hangUp {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), signals...)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// The exit codes.
const (
	exitDone         = 0
	exitFailed       = 1
	exitUsage        = 2
	exitRuleBroken   = 3 // sim: a safety rule was broken
	exitNotConverged = 4 // sim: it did not converge
)

// codedError is an error that decides the exit code.
type codedError struct {
	error
	code int
}

func (e codedError) Unwrap() error { return e.error }

// hintedError is an error with what the user can do about it.
type hintedError struct {
	error
	hint string
}

func (e hintedError) Unwrap() error { return e.error }

// wrongUsage says that the command line is at fault.
func wrongUsage(cmd *cobra.Command, err error) error {
	if cmd.HasParent() {
		err = fmt.Errorf("%s: %w", cmd.CommandPath()[len("hearsay "):], err)
	}
	return codedError{hintedError{err, fmt.Sprintf("%q says what it takes", cmd.CommandPath()+" --help")}, exitUsage}
}

func exitCode(err error) int {
	if coded, ok := errors.AsType[codedError](err); ok {
		return coded.code
	}
	return exitFailed
}

// errorLine gives err and its hint as one line.
func errorLine(err error) string {
	line := err.Error()
	if hinted, ok := errors.AsType[hintedError](err); ok {
		line += "; hint: " + hinted.hint
	} else if failed, ok := errors.AsType[*client.Error](err); ok && hints[failed.Reason] != "" {
		line += "; hint: " + hints[failed.Reason]
	}
	return oneLine(line)
}

// oneLine makes one line of text that may have several.
func oneLine(text string) string {
	out := make([]rune, 0, len(text))
	for _, r := range text {
		switch {
		case r == '\n' && len(out) > 0 && out[len(out)-1] == ':', r == '\t':
			r = ' '
		case r == '\n':
			out = append(out, ';')
			r = ' '
		}
		out = append(out, r)
	}
	return string(out)
}
