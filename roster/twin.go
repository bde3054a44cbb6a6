package roster

import (
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
// this node's key, and is newer than all that this process has signed, its
// refutation of the last one that counted included. An earlier life of this node hears
// no refutation, and so has few such claims, if any: incarnations follow the clock.
//
// Never do both stop. The one that stops has heard a claim of the other that is newer
// than all its own, and signs nothing more. For the other to stop as well, one of
// those would have to be newer than all that the other has signed.

// The first such claim may be of an earlier life, if a clock was set back. The second is
// told, by both: the one that goes on has the original, or the copy.

// Limits of rounds, each a claim of the other that counted: at this many a
// process stops. A process is new if it hears the first of them soon after its start, or soon after
// it came to list others: two that have waited long for their admission hear of each other only then.
// So it yields to one that has been among others for long. Both are guesses: one process may hear the
// last words of another that ends, or some of an earlier life, if a clock was set back.
const (
	twinRoundsNew    = 4
	twinRoundsOld    = 12 // a partition has healed, or the other one came
	twinRoundsTold   = 2
	twinNew          = time.Minute
	twinForgottenFor = 3 * time.Minute // after the last round; they come every few seconds
	twinAhead        = 24 * time.Hour  // further apart no clocks are that anybody looks after
)

// twin is what was heard of another process with this node's identity.
type twin struct {
	rounds int
	heard  hearsay.Incarnation // of the last that counted
	at     time.Time           // when
	addr   netip.AddrPort      // where it is by that
	isNew  bool                // this process had just come among others when it heard the first
	why    string              // this process must stop; "": it need not
}

// noteTwin takes a claim that this node's key has signed, and that is newer than
// all that this process has signed. It reports whether this process must stop.
func (r *Roster) noteTwin(now time.Time, c *hearsay.Claim) (stops bool) {
	t := &r.twin
	if c.State == hearsay.StateLeft || r.incarnation(r.self) <= t.heard || r.isOfAnEarlierClock(now, c) {
		return t.why != "" // gone; or not refuted yet; or refuted and no more
	}
	if t.rounds == 0 || now.Sub(t.at) > twinForgottenFor {
		*t = twin{isNew: now.Sub(r.among) < twinNew}
	}
	t.rounds++
	t.heard, t.at, t.addr = c.Incarnation, now, c.Card.Addr
	if t.rounds == r.twinTold() {
		r.event(hearsay.Event{At: now, Kind: hearsay.EventTwin, Subject: r.id(r.self), Addr: t.addr, Count: t.rounds, Text: hearsay.TwinWords(t.addr)})
	}
	if t.rounds >= t.limit() {
		t.why = hearsay.TwinWords(t.addr)
		if c.Card.Addr == r.addr(r.self) {
			t.why += ", and an address of its own"
		}
	}
	return t.why != ""
}

// isOfAnEarlierClock reports whether a claim may be of an earlier life whose clock was ahead, and was kept: it is
// further ahead of this node's clock than twinAhead, and this life has begun with no such incarnation. Anybody may
// send many of these, one after the other. Another process with such a clock takes this one's refutations for rounds, and stops.
func (r *Roster) isOfAnEarlierClock(now time.Time, c *hearsay.Claim) bool {
	most := hearsay.NextIncarnation(0, now.Add(twinAhead))
	return c.Incarnation > most && r.first <= most
}

// twinTold is from which round on a twin is told. At this node's own address the first may be words of
// earlier lives, if disk and clock were set back.
func (r *Roster) twinTold() int {
	if r.twin.addr == r.addr(r.self) {
		return twinRoundsNew
	}
	return twinRoundsTold
}

// Twin gives where another process has shown that it runs with this node's identity, until
// it has not for a while; the zero value: none has.
func (r *Roster) Twin(now time.Time) (at netip.AddrPort) {
	if t := &r.twin; t.rounds >= r.twinTold() && now.Sub(t.at) <= twinForgottenFor {
		at = t.addr
	}
	return at
}

// limit is how many rounds stop this process.
func (t *twin) limit() int {
	if t.isNew {
		return twinRoundsNew
	}
	return twinRoundsOld
}

// Doomed says why this node must stop: another process runs with its identity.
// Else it is "".
func (r *Roster) Doomed() string { return r.twin.why }
