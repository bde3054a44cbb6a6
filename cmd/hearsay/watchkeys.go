package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hearsay"
	"hearsay/client"
	"hearsay/web"
)

// caughtUpWithin is how long a node that was started again is waited for until it holds what others hold: what it
// lacks would be told to be deleted. A guess.
const caughtUpWithin = 20 * time.Second

// watchedMax is how many keys one command watches: of each it remembers what it was last, in some 100 bytes.
const watchedMax = 1 << 20

func newWatchKeys() *cobra.Command {
	return askingCommand(&cobra.Command{
		Use:   "watch PREFIX",
		Short: "Follow the changes of keys of the store",
		Long: `Tell each change of a key that begins with PREFIX, '' for all, as the asked node comes to hold it, one a line: when,
the key, and the beginning of its value, until interrupted. With --json one event a line, with the whole value
in base64, and the context that names it; "siblings" is 0 where the key was deleted.

It goes on over breaks of the connection. Where the node no longer knows what has changed meanwhile, as after its
restart, what is different from what was told last is told: changes that others have replaced since are not.`,
		Args: cobra.ExactArgs(1),
	}, func(a *asking, args []string) error {
		if err := hearsay.CheckKey(args[0]); args[0] != "" && err != nil {
			return wrongUsage(a.Command, err)
		}
		ctx, stop := untilInterrupted(a.Command)
		defer stop()
		f := keyFollower{asking: a, prefix: args[0]}
		if err := f.run(ctx); err != nil && ctx.Err() == nil {
			return saidOnce("watch "+plainText(args[0]), err)
		}
		return nil
	})
}

// keyFollower tells changes of keys, each once, whatever becomes of the node meanwhile.
type keyFollower struct {
	*asking
	prefix string
	known  map[string]string // by key, the context of what was told last
	from   hearsay.Revision  // changes up to here are known
}

func (f *keyFollower) run(ctx context.Context) (err error) {
	if f.known, err = f.list(ctx); err != nil {
		return err
	}
	for m, err := range f.Watch(ctx, f.prefix, f.from.String(), f.lost) {
		if err == nil && m.Name == "" {
			err = f.take(ctx, &m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *keyFollower) lost(err error) {
	fmt.Fprintf(f.ErrOrStderr(), "lost %s (%v), trying again\n", f.Base(), err)
}

// list gives what all keys are.
func (f *keyFollower) list(ctx context.Context) (keys map[string]string, err error) {
	keys = make(map[string]string)
	from, err := f.EachKey(ctx, f.prefix, func(k *hearsay.KeyInfo) error {
		if keys[k.Key] = k.Context.String(); len(keys) > watchedMax {
			return fmt.Errorf("more than %d keys begin so; give a longer prefix", watchedMax)
		}
		return nil
	})
	if err == nil {
		f.from = from
	}
	return keys, err
}

// take takes a change that the node tells, or that some were lost.
func (f *keyFollower) take(ctx context.Context, m *client.Message) error {
	e, err := client.Decode[hearsay.Event](f.Client, m.Data)
	if err != nil {
		return err
	}
	var at hearsay.Revision
	switch err := at.UnmarshalText([]byte(m.ID)); {
	case e.Kind == hearsay.EventLagged:
		return f.again(ctx)
	case e.Change == nil || err == nil && at.Life == f.from.Life && at.Number <= f.from.Number: // the list had it
		return nil
	}
	return f.tell(&e, m.Data)
}

// again tells what is different from what was told last, as soon as the node answers.
func (f *keyFollower) again(ctx context.Context) error {
	_ = f.awaitReady(ctx, caughtUpWithin) // else it is told as it is
	fmt.Fprintf(f.ErrOrStderr(), "%s does not know what has changed meanwhile: what is different now follows\n", f.Base())
	for {
		err := f.tellDifferent(ctx)
		if _, lost := errors.AsType[*client.Error](err); !lost || ctx.Err() != nil {
			return err
		}
		f.lost(err)
		pause(ctx, followEvery)
	}
}

func (f *keyFollower) tellDifferent(ctx context.Context) error {
	now, err := f.list(ctx)
	if err != nil {
		return err
	}
	var different []string
	for key, context := range now {
		if f.known[key] != context {
			different = append(different, key)
		}
	}
	for key := range f.known {
		if _, is := now[key]; !is {
			different = append(different, key)
		}
	}
	slices.Sort(different)
	for _, key := range different {
		values, err := f.Values(ctx, key)
		if problem, is := errors.AsType[*client.Problem](err); is && problem.Status == http.StatusNotFound {
			values.Value.Key, err = key, nil
		}
		if err != nil {
			return err
		}
		e := hearsay.Event{At: time.Now(), Kind: hearsay.EventKeyChanged, Change: changeTo(&values.Value)}
		if err := f.tell(&e, []byte(strings.TrimSuffix(jsonLine(e), "\n"))); err != nil {
			return err
		}
	}
	return nil
}

// changeTo is the change by which a key came to be what it is.
func changeTo(v *web.Values) *hearsay.KeyChange {
	c := &hearsay.KeyChange{Key: v.Key, Siblings: len(v.Siblings), Context: v.Context}
	if c.Siblings > 0 {
		c.Value = v.Siblings[0].Value
	}
	return c
}

// tell prints a change, and remembers it.
func (f *keyFollower) tell(e *hearsay.Event, text []byte) error {
	c := e.Change
	if f.known[c.Key] = c.Context.String(); c.Siblings == 0 {
		delete(f.known, c.Key)
	}
	if f.json {
		_, err := fmt.Fprintf(f.OutOrStdout(), "%s\n", text)
		return err
	}
	what := saidWords(c.Value)
	switch {
	case c.Siblings == 0:
		what = "deleted"
	case c.Siblings > 1:
		what += fmt.Sprintf(", of %d values", c.Siblings)
	}
	_, err := fmt.Fprintf(f.OutOrStdout(), "%s  %s  %s\n", clockTime(e.At, time.Now()), plainText(c.Key), what)
	return err
}
