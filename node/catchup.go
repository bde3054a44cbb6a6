package node

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/spread"
)

// Limits of how long a node that has come in looks how far its store is.
const (
	// Where nobody compares with it for so long, nobody holds more. A guess: new neighbors compare at once, and again
	// after what was lost
	catchUpQuiet = 3 * time.Second
	// So long after a message that left nothing to ask for, nothing follows it. As spread waits for an answer
	catchUpEnds = time.Second
	// So long after the last comparison nobody says any more that something lacks: who held it is gone, or has lied.
	// Longer than spread waits between two questions
	catchUpLost = spread.AskMost + 8*time.Second
)

// catchUp is how far the store of a node is that was started, or let in, until it first holds what another holds.
type catchUp struct {
	began time.Time // zero: it is over
	heard time.Time // of the last comparison
	with  hearsay.NodeID
	lacks uint64 // writes that the other has seen, and this node has not
}

// begin is called when this node is started.
func (c *catchUp) begin(now time.Time) { *c = catchUp{began: now} }

// noteIn begins anew when it is let in.
func (c *catchUp) noteIn(now time.Time, e *hearsay.Event) {
	if e.Kind == hearsay.EventJoined {
		c.begin(now)
	}
}

// compared takes what another has said that it has seen.
func (g *Gossip) compared(now time.Time, p *core.Packet, m *core.Sync) {
	c := &g.catchUp
	if c.began.IsZero() || !m.Asks {
		return
	}
	c.heard, c.with, c.lacks = now, p.From, 0
	for _, r := range g.store.Replica().Lacks(m.Clock) {
		c.lacks += r.High - r.Low + 1
	}
}

// lookCaughtUp tells once that this node has caught up.
func (g *Gossip) lookCaughtUp(now time.Time) {
	c := &g.catchUp
	switch {
	case c.began.IsZero():
	case c.heard.IsZero():
		if now.Sub(c.began) >= catchUpQuiet {
			c.began = time.Time{}
		}
	case c.lacks == 0 && now.Sub(c.heard) >= catchUpEnds:
		g.caughtUp(now, c.with)
	case now.Sub(c.heard) >= catchUpLost:
		c.began = time.Time{}
	}
}

// caughtUp tells that this node holds what another holds.
func (g *Gossip) caughtUp(now time.Time, with hearsay.NodeID) {
	if g.catchUp.began.IsZero() {
		return
	}
	values, _ := g.store.Replica().Len()
	g.out.Events = append(g.out.Events, hearsay.Event{
		At: now, Kind: hearsay.EventStoreCaughtUp, By: with, Count: values, Took: now.Sub(g.catchUp.began),
	})
	g.catchUp.began = time.Time{}
}
