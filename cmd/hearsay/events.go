package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"hearsay"
	"hearsay/client"
)

func newEvents() *cobra.Command {
	var follow bool
	cmd := askingCommand(&cobra.Command{
		Use:   "events",
		Short: "Tell what happened on a node",
		Long: `Tell the last events that a node keeps, oldest first, one a line. With --follow
go on with each as it happens, also over breaks of the connection, until
interrupted.`,
		Args: noArguments,
	}, func(a *asking, _ []string) error {
		if err := a.events(follow, a.printEvent); err != nil {
			return fmt.Errorf("read events: %w", err)
		}
		return nil
	})
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with each event as it happens")
	return cmd
}

// events has the events taken that a node keeps; or all from then on, also over breaks of the connection, until
// interrupted.
func (a *asking) events(follow bool, take func(context.Context, client.Message) error) error {
	ctx, stop := untilInterrupted(a.Command)
	defer stop()
	stream := a.Recent(ctx)
	if follow {
		stream = a.Follow(ctx, func(err error) { fmt.Fprintf(a.ErrOrStderr(), "lost %s (%v), trying again\n", a.Base(), err) })
	}
	for m, err := range stream {
		if err == nil {
			err = take(ctx, m)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// printEvent prints one event; snapshots are what `members` is for.
func (a *asking) printEvent(_ context.Context, m client.Message) error {
	if m.Name != "" {
		return nil
	}
	out := a.OutOrStdout()
	if a.json {
		_, err := fmt.Fprintf(out, "%s\n", m.Data)
		return err
	}
	event, err := client.Decode[hearsay.Event](a.Client, m.Data)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, clockTime(event.At, time.Now()), eventLine(&event))
	return err
}
