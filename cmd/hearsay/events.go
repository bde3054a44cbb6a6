package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"hearsay/client"

	"github.com/spf13/cobra"

	"hearsay"
)

func newEvents() *cobra.Command {
	var from asking
	var follow bool
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Tell what happened on a node",
		Long: `Tell the last events that a node keeps, oldest first, one a line. With --follow
go on with each as it happens, also over breaks of the connection, until
interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := from.client(cmd)
			if err != nil {
				return err
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			p := &eventPrinter{out: cmd.OutOrStdout(), json: from.json}
			if follow {
				err = p.follow(ctx, c, cmd.ErrOrStderr())
			} else {
				err = p.recent(ctx, c)
			}
			if err != nil {
				return fmt.Errorf("read events: %w", err)
			}
			return nil
		},
	}
	from.addFlags(cmd)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with each event as it happens")
	return cmd
}

// eventPrinter prints events, one a line.
type eventPrinter struct {
	out  io.Writer
	json bool
}

// follow prints events until the context ends.
func (p *eventPrinter) follow(ctx context.Context, c *client.Client, progress io.Writer) error {
	lost := func(err error) { fmt.Fprintf(progress, "lost %s (%v), trying again\n", c.Base(), err) }
	for s, err := range c.Follow(ctx, lost) {
		if err != nil {
			return err
		}
		if err := p.print(c, s); err != nil {
			return err
		}
	}
	return nil
}

// recent prints the events that the node keeps.
func (p *eventPrinter) recent(ctx context.Context, c *client.Client) error {
	for s, err := range c.Events(ctx, "") {
		if s.Name == client.Told || err != nil && ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := p.print(c, s); err != nil {
			return err
		}
	}
	return nil
}

// print prints one event; snapshots are what `members` is for.
func (p *eventPrinter) print(c *client.Client, s client.Message) error {
	if s.Name != "" {
		return nil
	}
	if p.json {
		_, err := fmt.Fprintf(p.out, "%s\n", s.Data)
		return err
	}
	event, err := client.Decode[hearsay.Event](c, s.Data)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.out, clockTime(event.At, time.Now()), eventLine(&event))
	return err
}
