package follower

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// This file has a peer compare its clock with those of the seeds, which show the time in each answer to its hellos: by
// it the values of its store end, and what others read of it has its times.

// clockFor is how long what a clock has shown counts. Each seed is asked once in helloPinnedEvery, in turn.
const clockFor = 2 * hearsay.MaxSeeds * helloPinnedEvery

// shownClock is how far the clock of a seed is ahead of this peer's.
type shownClock struct {
	at    time.Time // of the answer; zero: there was none
	ahead time.Duration
}

// showsClock takes what the clock of a seed has shown just now, and tells once that this peer's is wrong.
func (ss *seats) showsClock(now time.Time, m *core.SeatHello) {
	if m.Term == 0 || now.Sub(ss.drawn[m.Slot]) > ledger.ClockAnswer {
		return
	}
	ss.clocks[m.Slot] = shownClock{now, time.UnixMilli(int64(m.Clock)).Sub(now.Round(0))}
	off := ss.clockOff(now)
	if off != 0 && !ss.clockTold {
		ss.peer.out.Events = append(ss.peer.out.Events, hearsay.Event{
			At: now, Kind: hearsay.EventClockOff, Subject: ss.peer.signer.Public().NodeID(), Text: hearsay.OwnClockWords(off),
		})
	}
	ss.clockTold = off != 0
}

// clockOff is how far this peer's clock is ahead of those of a quorum of seeds, or behind where it is negative; 0: it
// is not, or no quorum is known to agree.
func (ss *seats) clockOff(now time.Time) time.Duration {
	if right, known := ss.rightClock(now); known && !ledger.ClocksAgree(right, 0) {
		return -right
	}
	return 0
}

// rightClock gives how far the clocks on which a quorum of seeds agree are ahead of this peer's. Not known: none do.
func (ss *seats) rightClock(now time.Time) (ahead time.Duration, known bool) {
	var all []time.Duration
	for slot := range ss.peer.cfg.Seeds {
		if c := &ss.clocks[slot]; c.counts(now) {
			all = append(all, c.ahead)
		}
	}
	return ledger.RightClock(all, hearsay.QuorumOf(len(ss.peer.cfg.Seeds)))
}

// counts reports whether a clock was shown lately.
func (c *shownClock) counts(now time.Time) bool { return !c.at.IsZero() && now.Sub(c.at) <= clockFor }

// ClockOff is how far this peer's clock is ahead of those of a quorum of seeds, or behind where it is negative; 0: it
// is not, or no quorum is known to agree.
func (f *Follower) ClockOff(now time.Time) time.Duration { return f.seats.clockOff(now) }

// ClockOf is how far the clock of the seed in a slot is ahead of those of a quorum or, where none are known to agree,
// of this peer's, or behind where it is negative; 0: it is not, as far as is known.
func (f *Follower) ClockOf(now time.Time, slot int) (ahead time.Duration, ofQuorum bool) {
	c := &f.seats.clocks[slot]
	right, known := f.seats.rightClock(now)
	if !c.counts(now) || ledger.ClocksAgree(c.ahead, right) {
		return 0, known
	}
	return c.ahead - right, known
}
