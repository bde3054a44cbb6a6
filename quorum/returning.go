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
// admitted. A guest's program does not: it asked once, at its start. So each seed probes those that were removed lately
// in turn, and asks for the admission of one that answers, as if that had asked. What was removed before a snapshot
// that this seed starts with, or gets, only the other seeds probe.

const (
	guestEach = 2 * time.Second // between two probes of guests that were removed
	guestKept = 24 * time.Hour  // since its removal a guest is probed: as long as the dead are listed
	guestMost = 256             // at a time, of which the oldest make room. A guess
)

// returning are guests that were removed and may live.
type returning struct {
	seed *Quorum

	gone []goneGuest // by removal
	turn int         // of these
	at   time.Time   // when the next is probed
}

// goneGuest is a guest that was removed.
type goneGuest struct {
	id    hearsay.NodeID
	addr  netip.AddrPort
	until time.Time // it is probed
}

// removed takes a removal, by the clock of the seed that wrote the ruling.
func (r *returning) removed(now time.Time, c *hearsay.Claim, ruled time.Time) {
	until := when.Earlier(now, ruled).Add(guestKept)
	if !c.Card.Key.IsZero() || !until.After(now) {
		return
	}
	r.forget(c.Subject)
	if len(r.gone) >= guestMost {
		r.gone = slices.Delete(r.gone, 0, 1)
	}
	r.gone = append(r.gone, goneGuest{id: c.Subject, addr: c.Card.Addr, until: until})
}

// forget drops a guest that is in, or was removed again.
func (r *returning) forget(id hearsay.NodeID) {
	r.gone = slices.DeleteFunc(r.gone, func(g goneGuest) bool { return g.id == id })
}

// tick wants the next one probed.
func (r *returning) tick(now time.Time) {
	if len(r.gone) == 0 || now.Before(r.at) || !r.seed.Ready() {
		return
	}
	r.at = now.Add(guestEach)
	r.gone = slices.DeleteFunc(r.gone, func(g goneGuest) bool { return !g.until.After(now) })
	for range r.gone {
		r.turn = (r.turn + 1) % len(r.gone)
		g := &r.gone[r.turn]
		if _, barred := r.seed.state.FindBar(g.id); barred || r.seed.joiners.pending[g.id] != nil || r.seed.watches.open(g.id) {
			continue
		}
		r.seed.event(hearsay.Event{
			At: now, Kind: hearsay.EventProbeWanted, Subject: g.id, Addr: g.addr, Round: hearsay.Round(r.seed.random.Uint64()),
		})
		return
	}
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
