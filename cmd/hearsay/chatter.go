package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hearsay/agent"
)

const (
	chatterMin     = 10 * time.Millisecond // between two messages
	chatterCount   = 10                    // messages, unless said otherwise
	earlierEvery   = 5 * time.Second       // between two messages of an earlier program's peers
	chatterTimeout = 10 * time.Second      // for one to be accepted
)

// chatter is what a node says by itself.
type chatter struct {
	every time.Duration // 0 for nothing
	count int
}

func (c *chatter) addFlags(cmd *cobra.Command, who string) {
	cmd.Flags().DurationVar(&c.every, "chatter", 0, "have "+who+" say <unix seconds>:<IP>:<number of the message> so often, first at once; 0s: never")
	cmd.Flags().IntVar(&c.count, "chatter-count", chatterCount, "and so many times in all")
}

func (c *chatter) check(cmd *cobra.Command) error {
	switch {
	case c.every == 0 && cmd.Flags().Changed("chatter-count"):
		return errors.New("--chatter-count: how often? want --chatter, too")
	case c.every != 0 && c.every < chatterMin:
		return fmt.Errorf("--chatter %v: want %v or more", c.every, chatterMin)
	case c.count < 1:
		return fmt.Errorf("--chatter-count %d: want 1 or more", c.count)
	}
	return nil
}

// likeEarlier has a peer chatter that was started with the flags of an earlier program, and with no other: that has its
// peers say ten messages, one each five seconds, and its users look for them in the logs.
func (c *chatter) likeEarlier(cmd *cobra.Command) {
	theirs, others := 0, 0
	cmd.Flags().Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "config", "output":
			theirs++
		case "ip", "port":
		default:
			others++
		}
	})
	if theirs == 2 && others == 0 {
		c.every = earlierEvery
	}
}

// args gives the flags that have a node chatter so.
func (c *chatter) args() []string {
	if c.every == 0 {
		return nil
	}
	return []string{"--chatter", c.every.String(), "--chatter-count", fmt.Sprint(c.count)}
}

// run says all messages, until the context ends.
func (c *chatter) run(ctx context.Context, node *agent.Agent, log *slog.Logger) {
	if c.every == 0 {
		return
	}
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	ip := node.Self().Addr.Addr()
	for n := 1; ; n++ {
		if err := say(ctx, node, fmt.Sprintf("%d:%s:%d", time.Now().Unix(), ip, n)); err != nil && ctx.Err() == nil {
			log.Warn("Could not say a message", "number", n, "why", err)
		}
		if n == c.count {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func say(ctx context.Context, node *agent.Agent, text string) error {
	ctx, cancel := context.WithTimeout(ctx, chatterTimeout)
	defer cancel()
	_, err := node.Broadcast(ctx, []byte(text))
	return err
}
