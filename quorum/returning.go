package quorum

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
)

// This file finds out whether a guest that was removed lives. A node of ours hears that it is out, and asks to be
// admitted. A guest's program does not: it asked once, at its start. So each seed probes those that were removed
// lately, and asks for the admission of one that answers, as if that had asked. What was removed before a snapshot that
// this seed starts with, or gets, only the other seeds probe.

const (
	guestEach     = 2 * time.Second // after its removal a guest is probed, and then after twice as long each time
	guestEachMost = 8 * time.Second // at most, about: the seeds must not do so in step
	guestTurn     = guestEach / 8   // between two probes of any
	guestKept     = 24 * time.Hour  // since its removal a guest is probed: as long as the dead are listed
	guestMost     = 256             // at a time, of which the oldest make room. A guess
	guestOfIP     = guestMost / 4   // of these, at one IP address: many guests of one must not push out others
)

// returning are guests that were removed and may live.
type returning struct {
	seed *Quorum

	gone []goneGuest // by removal
	at   time.Time   // no probe before
}

// goneGuest is a guest that was removed.
type goneGuest struct {
	id    hearsay.NodeID
	addr  netip.AddrPort
	until time.Time     // it is probed
	due   time.Time     // the next probe
	wait  time.Duration // after that until the next
}

// removed takes a removal, by the clock of the seed that wrote the ruling.
func (r *returning) removed(now time.Time, c *hearsay.Claim, ruled time.Time) {
	until := when.Earlier(now, ruled).Add(guestKept)
	if !c.Card.Key.IsZero() || !until.After(now) {
		return
	}
	r.forget(c.Subject)
	source, ofIP, oldest := core.Source(c.Card.Addr.Addr()), 0, 0
	for i := len(r.gone) - 1; i >= 0; i-- {
		if core.Source(r.gone[i].addr.Addr()) == source {
			ofIP, oldest = ofIP+1, i
		}
	}
	switch {
	case ofIP >= guestOfIP:
		r.gone = slices.Delete(r.gone, oldest, oldest+1)
	case len(r.gone) >= guestMost:
		r.gone = slices.Delete(r.gone, 0, 1)
	}
	r.gone = append(r.gone, goneGuest{id: c.Subject, addr: c.Card.Addr, until: until, due: now.Add(guestEach), wait: guestEach})
}

// forget drops a guest that is in, or was removed again.
func (r *returning) forget(id hearsay.NodeID) {
	r.gone = slices.DeleteFunc(r.gone, func(g goneGuest) bool { return g.id == id })
}

// tick wants the one probed that is due for the longest time. One removed lately is due often: most that return do so
// soon.
func (r *returning) tick(now time.Time) {
	if len(r.gone) == 0 || now.Before(r.at) || !r.seed.Ready() {
		return
	}
	r.gone = slices.DeleteFunc(r.gone, func(g goneGuest) bool { return !g.until.After(now) })
	var next *goneGuest
	for i := range r.gone {
		if g := &r.gone[i]; !now.Before(g.due) && (next == nil || g.due.Before(next.due)) {
			next = g
		}
	}
	if next == nil {
		return
	}
	r.at = now.Add(guestTurn)
	next.wait = min(2*next.wait, guestEachMost)
	next.due = now.Add(next.wait/2 + time.Duration(r.seed.random.Int64N(int64(next.wait))))
	if _, barred := r.seed.state.FindBar(next.id); barred || r.seed.joiners.pending[next.id] != nil || r.seed.watches.open(next.id) {
		return
	}
	r.seed.event(hearsay.Event{
		At: now, Kind: hearsay.EventProbeWanted, Subject: next.id, Addr: next.addr, Round: hearsay.Round(r.seed.random.Uint64()),
	})
}

// probed takes what a probe has found of a node that is not watched.
func (r *returning) probed(now time.Time, p *Probe) {
	isGone := slices.ContainsFunc(r.gone, func(g goneGuest) bool { return g.id == p.Subject && g.addr == p.Addr })
	if isGone && p.Verdict == hearsay.VerdictReachable {
		r.seed.Admit(now, &hearsay.Claim{
			Subject: p.Subject, State: hearsay.StateAlive, Incarnation: core.NextIncarnation(0, now),
			Card: hearsay.Card{Name: p.Addr.String(), Addr: p.Addr, Role: hearsay.RolePeer},
		})
	}
}
