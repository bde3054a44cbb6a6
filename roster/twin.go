package roster

import (
	"fmt"
	"net/netip"
	"time"

	"hearsay"
)

// This file finds out that another process runs with this node's identity, on a
// copy of its data directory. The others follow the newer claim, and tell the
// process that the newest claim is not of (see Compare). It refutes that, as it
// refutes all that is false of it, and so both hear of each other in turn:
//
//	A at X                others               A at Y
//	  |-- alive 5 at X ---->|                     |
//	  |                     |<-- alive 6 at Y ----|   it starts
//	  |<-- alive 6 at Y ----|                     |   X counts 1
//	  |-- alive 7 at X ---->|                     |
//	  |                     |--- alive 7 at X --->|   Y counts 1
//	  |                     |<-- alive 8 at Y ----|   and so on
//
// Nobody else can stop a node by it: a claim counts only if it is signed with
// this node's key, names an address that is not this process's, and is newer than
// all that this process has signed, its refutation of the last one that counted
// included. An earlier life of this node, or one before its directory was moved,
// hears no refutation, and so makes no second such claim. The two count in turn,
// and so never differ by more than one; as their limits do by more, one stops, and
// the other hears nothing more that counts.

// Limits of rounds, each a claim of the other that counted: at this many a
// process stops. A process is new if it hears the first of them soon after its start.
// All are guesses: one process may hear the last words of another that ends.
const (
	twinRoundsNew    = 3
	twinRoundsFirst  = 6  // it is new, and so may the other be: of these the one with the lower address goes on
	twinRoundsOld    = 12 // likewise of two that are not: a partition has healed
	twinRoundsNever  = 1 << 30
	twinNew          = time.Minute
	twinForgottenFor = 3 * time.Minute // after the last round; they come every few seconds
)

// twin is what was heard of another process with this node's identity.
type twin struct {
	rounds int
	heard  hearsay.Incarnation // of the last that counted
	at     time.Time           // when
	addr   netip.AddrPort      // where the other is
	isNew  bool                // this process had just started when it heard the first
	why    string              // this process must stop; "": it need not
}

// noteTwin takes a claim that this node's key has signed, and that is newer than
// all that this process has signed.
func (r *Roster) noteTwin(now time.Time, c *hearsay.Claim) {
	t, own := &r.twin, r.addr(r.self)
	if c.Card.Addr == own || c.State == hearsay.StateLeft || r.incarnation(r.self) <= t.heard {
		return // of an earlier life; or gone; or not refuted yet
	}
	if t.rounds == 0 || now.Sub(t.at) > twinForgottenFor {
		*t = twin{isNew: now.Sub(r.started) < twinNew}
	}
	t.rounds++
	t.heard, t.at, t.addr = c.Incarnation, now, c.Card.Addr
	if t.rounds >= t.limit(own) {
		t.why = fmt.Sprintf("another process runs with this identity at %v: this data directory is a copy, or that one's is; "+
			"start one of the two with an empty directory", t.addr)
	}
}

// limit is how many rounds stop a process at an address of its own.
func (t *twin) limit(own netip.AddrPort) int {
	switch lower := own.Compare(t.addr) < 0; {
	case t.isNew && lower:
		return twinRoundsFirst
	case t.isNew:
		return twinRoundsNew
	case lower:
		return twinRoundsNever
	}
	return twinRoundsOld
}

// Doomed says why this node must stop: another process runs with its identity.
// Else it is "".
func (r *Roster) Doomed() string { return r.twin.why }
