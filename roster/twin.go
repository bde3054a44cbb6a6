package roster

import (
	"net/netip"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file finds out that another process runs with this node's identity, on a copy of its data directory. The others
// follow the newer claim, and tell the process that the newest claim is not of (see Compare). It refutes that, as it
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
// Nobody else can stop a node by it: a claim counts only if it is signed with this node's key, and is newer than all
// that this process has signed, its refutation of the last one that counted included. An earlier life of this node
// hears no refutation, and so has few such claims, if any: incarnations follow the clock.
//
// Never do both stop. The one that stops has heard a claim of the other that is newer than all its own, and signs
// nothing more. For the other to stop as well, one of those would have to be newer than all that the other has signed.

// The first such claim may be of an earlier life, if a clock was set back. The second is
// told, by both: the one that goes on has the original, or the copy.

// Limits of rounds, each a claim of the other that counted: at its limit a process stops. The two count in turn. So
// the one with the lower limit stops, and of two with one limit the one that counted first, which is mostly the older.
// No claim says how long the other has run. But both hear of each other at about the same time, and the one that
// started later has been among others for less long by then. So a process gets one round more for each twinOlder that
// it was among others before the first round. Two whose starts are further apart than that, and than the way of a
// refutation, have different limits: the later stops. Time counts from when a process came to list others, as two may
// have waited long for their admission. The numbers are guesses: a process may hear the last words of another that
// ends, or some of an earlier life, if a clock was set back.
const (
	twinRoundsNew    = 4  // of a process that has just come among others
	twinRoundsOld    = 12 // at most: a partition has healed, or the other one came
	twinOlder        = 5 * time.Second
	twinRoundsTold   = 2
	twinForgottenFor = 3 * time.Minute // after the last round; they come every few seconds
	// after the last round another process is told to run. In simulated worlds nine rounds in ten come within 5 s
	twinToldFor     = 10 * time.Second
	twinToldPeriods = 10             // of the detector, if that is longer
	twinAhead       = 24 * time.Hour // further apart no clocks are that anybody looks after
)

// twins is whether another process runs with this node's identity, and whether this one stops for it.
type twins struct {
	*part
	twin
	first hearsay.Incarnation // of this life
}

// twin is what was heard of another process with this node's identity.
type twin struct {
	rounds int
	heard  hearsay.Incarnation // of the last that counted
	at     time.Time           // when
	addr   netip.AddrPort      // where it is by that
	limit  int                 // of rounds: at so many this process stops
	why    string              // this process must stop; "": it need not
}

// note takes a claim that this node's key has signed, and that is newer than
// all that this process has signed. It reports whether this process must stop.
func (t *twins) note(now time.Time, c *hearsay.Claim) (stops bool) {
	if c.State == hearsay.StateLeft || t.members.incarnation(t.members.self) <= t.heard || t.isOfAnEarlierClock(now, c) {
		return t.why != "" // gone; or not refuted yet; or refuted and no more
	}
	if t.rounds == 0 || now.Sub(t.at) > twinForgottenFor {
		t.twin = twin{limit: int(min(twinRoundsNew+now.Sub(t.members.listingSince)/twinOlder, twinRoundsOld))}
	}
	t.rounds++
	t.heard, t.at, t.addr = c.Incarnation, now, c.Card.Addr
	if t.rounds == t.told() {
		t.out.event(hearsay.Event{At: now, Kind: hearsay.EventTwin, Subject: t.members.me(), Addr: t.addr, Count: t.rounds, Text: hearsay.TwinWords(t.addr)})
	}
	if t.rounds >= t.limit {
		t.why = hearsay.TwinWords(t.addr)
		if c.Card.Addr == t.members.addr(t.members.self) {
			t.why += ", and an address of its own"
		}
	}
	return t.why != ""
}

// isOfAnEarlierClock reports whether a claim may be of an earlier life whose clock was ahead, and was kept: it
// is further ahead of this node's clock than twinAhead, and this life has begun with no such incarnation.
// Anybody may send many of these, one after the other. Another process with such a clock takes this one's
// refutations for rounds, and stops.
func (t *twins) isOfAnEarlierClock(now time.Time, c *hearsay.Claim) bool {
	most := core.NextIncarnation(0, now.Add(twinAhead))
	return c.Incarnation > most && t.first <= most
}

// told is from which round on a twin is told. At this node's own address the first may be words of
// earlier lives, if disk and clock were set back.
func (t *twins) told() int {
	if t.addr == t.members.addr(t.members.self) {
		return twinRoundsNew
	}
	return twinRoundsTold
}

// Twin gives where another process has shown that it runs with this node's identity, until
// it has not for some seconds; the zero value: none has.
func (t *twins) Twin(now time.Time) (at netip.AddrPort) {
	if t.rounds >= t.told() && now.Sub(t.at) <= max(twinToldFor, twinToldPeriods*t.roster.listed.period) {
		at = t.addr
	}
	return at
}

// MustStop says why this node must stop: another process runs with its identity. Else it is "".
func (t *twins) MustStop() string { return t.why }
