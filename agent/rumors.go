package agent

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/overlay"
)

// Broadcast tells everybody a message: 1 to hearsay.MaxRumorData bytes, which
// are copied. It returns once the message is accepted and, with a data
// directory, durable; it is on its way then, and reaches also those who come
// late, within retention. Its name is origin and number. Seeds carry no rumors:
// at one it is refused with hearsay.ErrSeedMute; with hearsay.ErrDiskBehind while the
// disk does not keep up. A message for which the caller does not wait until then may still be told.
func (a *Agent) Broadcast(ctx context.Context, data []byte) (clock.Dot, error) {
	if err := hearsay.CheckRumorData(data); err != nil {
		return clock.Dot{}, fmt.Errorf("broadcast: %w", err)
	}
	if a.cfg.Role == hearsay.RoleSeed {
		return clock.Dot{}, fmt.Errorf("broadcast: %w", hearsay.ErrSeedMute)
	}
	var id clock.Dot
	err := a.durably(ctx, func(now time.Time) (fx *core.Effects, err error) {
		id, fx, err = a.loop.node.Say(now, hearsay.NodeID{}, data)
		return fx, err
	})
	if err != nil {
		return clock.Dot{}, fmt.Errorf("broadcast: %w", err)
	}
	return id, nil
}

// durably has the node do something, and returns once what it wants kept is durable.
func (a *Agent) durably(ctx context.Context, do func(now time.Time) (*core.Effects, error)) error {
	var (
		err  error
		done = make(chan struct{})
	)
	since, full := a.commits.fullSince()
	if !since.IsZero() {
		return hearsay.ErrDiskFull
	}
	open := a.inbox.put(func(now time.Time) {
		var fx *core.Effects
		fx, err = do(now)
		a.loop.carryOut(fx)
		if err != nil { // nothing is to be made durable
			close(done)
			return
		}
		a.commits.afterwards(func() { close(done) })
	})
	if !open {
		return a.ended()
	}
	select {
	case <-done:
	case <-full:
		return fmt.Errorf("not durable, and may still be told once it is: %w", hearsay.ErrDiskFull)
	case <-ctx.Done():
		return fmt.Errorf("not durable in time, and may still be told once it is: %w", ctx.Err())
	case <-a.done:
		select {
		case <-done:
		default:
			return a.ended()
		}
	}
	return err
}

// ended says why an agent that has stopped does nothing any more.
func (a *Agent) ended() error {
	if err := a.Err(); err != nil {
		return err
	}
	return errStopped
}

// Limits of what EachRumor takes from the node at a time.
const (
	rumorPageCount = 256       // rumors; guess: some 100 microseconds of the loop
	rumorPageBytes = 256 << 10 // of payload, which stays in memory until the page has been read
)

// Rumors gives the rumors held that came last, at most limit of them, the
// newest last, each as the EventRumor with which it was delivered. Their data
// are read only.
func (a *Agent) Rumors(limit int) []hearsay.Event { return slices.Collect(a.EachRumor(limit)) }

// EachRumor gives one by one what Rumors gives together: with a reader that is
// slow, a few rumors are kept in memory rather than all. One that the node lets go
// of meanwhile is left out.
func (a *Agent) EachRumor(limit int) iter.Seq[hearsay.Event] {
	return func(yield func(hearsay.Event) bool) {
		var names []clock.Dot
		a.ask(func(time.Time) { names = a.loop.node.Gossip().Names(limit) })
		for len(names) > 0 {
			var page []hearsay.Event
			a.ask(func(time.Time) { page, names = a.loop.node.Gossip().Take(names, rumorPageCount, rumorPageBytes) })
			for i := range page {
				a.abroad.name(&page[i])
				if !yield(page[i]) {
					return
				}
			}
		}
	}
}

// Links gives the members with which this one passes on rumors and news.
func (a *Agent) Links() (links []hearsay.NodeID) {
	a.ask(func(time.Time) { links = append(links, a.loop.node.Gossip().Links()...) })
	return links
}

// Topology gives the links of all members as far as this one can tell, each
// once: those on the rings of everybody, computed from its own roster, and the
// drawn ones of its own.
func (a *Agent) Topology() []hearsay.Link {
	var chart overlay.Chart
	a.ask(func(time.Time) { chart = a.loop.node.Gossip().Chart() })
	return chart.Links()
}
