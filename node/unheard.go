package node

import (
	"fmt"
	"time"

	"hearsay"
)

// This file has a node say that it hears nobody: nothing comes to it, or nothing goes out, and others may
// hold it dead by now. While it lists living members it pings one each period, and is pinged as often in the
// mean. So silence means that it is cut off, or that all others have died at once. Once it holds them dead it is
// alone, which is another event.

// unheardPeriods is after how many periods without a packet of any member a node takes itself for cut off. A
// guess: where all answer, it gets some 16 meanwhile, and a ping that is not answered goes to several relays, too.
const unheardPeriods = 8

// heardFrom takes note of a packet of a member.
func (n *Node) heardFrom(now time.Time, id hearsay.NodeID) {
	if _, listed := n.roster.Addr(id); listed {
		n.heard = now
	}
}

// unheardAt is when this node takes itself for cut off if it hears nobody until then; ok is false if it does not
// expect to hear anybody.
func (n *Node) unheardAt() (at time.Time, ok bool) {
	expects := n.roster.CountOthers() > n.roster.AwayCount() && !n.gone() && (n.seeded.seat != nil || n.Joined())
	return n.heard.Add(unheardPeriods * n.cfg.Detect.Period), expects
}

// noteUnheard looks whether this node hears others.
func (n *Node) noteUnheard(now time.Time) {
	at, expects := n.unheardAt()
	if !expects && !n.unheard {
		n.heard = now // from when on it does
	}
	unheard := expects && !now.Before(at)
	if unheard == n.unheard {
		return
	}
	n.unheard = unheard
	e := hearsay.Event{At: now, Kind: hearsay.EventUnheard, Subject: n.id, Took: now.Sub(n.heard)}
	if !unheard {
		if e.Kind = hearsay.EventHeard; !expects {
			return // it is alone now
		}
		e.Took = 0
	}
	n.out.Events = append(n.out.Events, e)
}

// unheardFor is for how many seconds this node has heard nobody; 0: it has.
func (n *Node) unheardFor() float64 {
	if !n.unheard {
		return 0
	}
	return n.stepped.Sub(n.heard).Seconds()
}

// unheardWords says of this node that it hears nobody; "" if it does.
func (n *Node) unheardWords(now time.Time, id hearsay.NodeID) string {
	if id != n.id || !n.unheard {
		return ""
	}
	return fmt.Sprintf(" But it has heard nobody since %s: it may be cut off, and may be held dead by the others, or be removed, without hearing of it.", sinceWords(now, n.heard))
}

// unheardStep puts into words that a node hears nobody, or others again.
func unheardStep(e *hearsay.Event, me string) string {
	if e.Kind == hearsay.EventHeard {
		return me + " hears others again"
	}
	return fmt.Sprintf("%s has heard no member for %s, and may be cut off", me, e.Took.Round(time.Millisecond))
}
