package quorum

import (
	"fmt"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// This file compares the clocks of seeds. They decide by how much time passes, and never by what time it is; but
// rulings, ballots, evidence and logs bear times that are compared. So a seed whose clock is wrong says so, and the
// others say which one it is.
//
//	A                        B
//	|--- SeatHello ----------->|   every clockEvery
//	|<--- SeatHello{Clock} ----|   A's clock, when it comes, shows as much, but for ledger.ClockApart at most

const (
	clockEvery = 30 * time.Second // guess: soon enough for who reads a log, and a signature each
	clockFirst = 20 * time.Second // after this seed has its seat: others are started, and have theirs. A guess
	clockFor   = 3 * clockEvery   // how long an answer counts
)

// clocks finds out whose clock is wrong.
type clocks struct {
	seed *Quorum

	shown [hearsay.MaxSeeds]shownClock
}

// shownClock is how far the clock of another is ahead of this seed's. Of this seed itself there is only
// what was told.
type shownClock struct {
	next  time.Time // to ask
	asked time.Time // when the question went out that is under way, or the last one
	at    time.Time // of the answer; zero: there is none that counts
	ahead time.Duration
	told  bool // that it is wrong, since it was not
}

// tickClocks asks the others for the time, and tells once of each clock that is wrong.
func (k *clocks) tickClocks(now time.Time) {
	if !k.seed.Seated() {
		return
	}
	for slot := range k.seed.others() {
		c := &k.shown[slot]
		if now.Sub(c.at) > clockFor {
			c.at = time.Time{}
		}
		if c.next.IsZero() {
			c.next = now.Add(clockFirst)
		}
		if now.Before(c.next) {
			continue
		}
		if c.next = now.Add(clockEvery); c.at.IsZero() {
			c.next = now.Add(ledger.ClockAnswer)
		}
		k.seed.seats.hello(now, slot)
	}
	for slot := range k.seed.cfg.Seeds {
		c, of := &k.shown[slot], k.wrongClock(slot)
		if of.Text != "" && !c.told {
			k.seed.event(hearsay.Event{At: now, Kind: hearsay.EventClockOff, Subject: k.seed.seats.known[slot].seat.Key.NodeID(), Addr: k.seed.cfg.Seeds[slot].Addr, Text: of.Text})
		}
		c.told = of.Text != ""
	}
}

// showsClock takes what the clock of a seed has shown just now.
func (k *clocks) showsClock(now time.Time, m *core.SeatHello) {
	c := &k.shown[m.Slot]
	if m.Term != 0 && now.Sub(c.asked) <= ledger.ClockAnswer {
		c.at, c.ahead = now, time.UnixMilli(int64(m.Clock)).Sub(now.Round(0))
	}
}

// rightClock gives how far the clocks on which a quorum of seeds agree are ahead of this seed's. Not known: none do.
func (k *clocks) rightClock() (ahead time.Duration, known bool) {
	all := []time.Duration{0} // this seed's own first
	for slot := range k.seed.others() {
		if c := &k.shown[slot]; !c.at.IsZero() {
			all = append(all, c.ahead)
		}
	}
	return ledger.RightClock(all, k.seed.Needed())
}

// ClockOff is how far this seed's clock is ahead of those of a quorum, or behind where it is negative; 0: it is not,
// or no quorum is known to agree.
func (q *Quorum) ClockOff() time.Duration {
	off, _ := q.ClockOf(q.cfg.Slot)
	return off
}

// ClockOf is how far the clock of the seed in a slot is ahead of those of a quorum or, where none are known to agree,
// of this seed's, or behind where it is negative; 0: it is not, as far as is known.
func (q *Quorum) ClockOf(slot int) (ahead time.Duration, ofQuorum bool) {
	right, known := q.clocks.rightClock()
	switch c := &q.clocks.shown[slot]; {
	case slot == q.cfg.Slot:
		ahead = -right
	case !c.at.IsZero():
		ahead = c.ahead - right
	}
	if ledger.ClocksAgree(ahead, 0) {
		return 0, known
	}
	return ahead, known
}

// wrongClock says how the clock of a seed is wrong; nothing if it is not, as far as is known. Where no quorum agree it
// says of each that differs that one of the two is wrong.
func (k *clocks) wrongClock(slot int) (of ledger.Mismatch) {
	if slot == k.seed.cfg.Slot {
		if off := k.seed.ClockOff(); off != 0 {
			of = ledger.Mismatch{Note: "its clock is " + hearsay.ClockWords(off) + " those of a quorum", Text: hearsay.OwnClockWords(off)}
		}
		return of
	}
	addr := k.seed.cfg.Seeds[slot].Addr
	switch ahead, ofQuorum := k.seed.ClockOf(slot); {
	case ahead == 0:
	case ofQuorum:
		of.Note = "its clock is " + hearsay.ClockWords(ahead) + " those of a quorum"
		of.Text = fmt.Sprintf("the clock of the seed at %v is %s those of a quorum of seeds: set it right", addr, hearsay.ClockWords(ahead))
	default:
		of.Note = "its clock is " + hearsay.ClockWords(ahead) + " this seed's"
		of.Text = fmt.Sprintf("the clock of the seed at %v is %s this seed's, and no quorum of seeds agree on the time: set right the one that is wrong", addr, hearsay.ClockWords(ahead))
	}
	return of
}

// wrongClocks says which clocks of other seeds are wrong.
func (k *clocks) wrongClocks() (texts []string) {
	for slot := range k.seed.others() {
		if of := k.wrongClock(slot); of.Text != "" {
			texts = append(texts, of.Text)
		}
	}
	return texts
}
