package casefile

import (
	"fmt"
	"slices"
	"time"

	"hearsay"
	"hearsay/casebook"
)

// This file says of the times of rulings and ballots by which clock they are, where that clock is wrong now. Nobody
// knows what it showed then.

// byClock says of the time of a ballot that the clock of its seed is wrong; "" if it is not, as far as is known.
func (s *seeded) byClock(b *hearsay.Ballot) string {
	slot := int(b.Slot)
	if slot >= len(s.Seeded.Clocks) || slot >= len(s.Seeded.Seats) || s.Seeded.Seats[slot].Life != b.Life {
		return "" // of another seed than the one that has the seat now
	}
	c := &s.Seeded.Clocks[slot]
	if c.Ahead == 0 {
		return ""
	}
	return fmt.Sprintf("by the clock of %s, which is %s now", s.seed(b), clockWords(c, s.Teller.Name))
}

// dated says likewise of the time of a ruling. That is by the clock of the seed whose ballot was the last that it
// needed (hearsay.Ruling.At). Which one has taken a leave the ledger does not say.
func (s *seeded) dated(r *hearsay.Ruling) string {
	if n := len(r.Ballots); n > 0 {
		return s.byClock(&r.Ballots[n-1])
	}
	wrong := slices.IndexFunc(s.Seeded.Clocks, func(c casebook.Clock) bool { return c.Ahead != 0 })
	if wrong < 0 || r.Kind != hearsay.RulingLeave {
		return ""
	}
	return fmt.Sprintf("by the clock of one of the seeds, of which that at %v is %s now", s.Seeded.Seeds[wrong], clockWords(&s.Seeded.Clocks[wrong], s.Teller.Name))
}

// clockWords says how a clock differs.
func clockWords(c *casebook.Clock, teller string) string {
	if c.OfQuorum {
		return hearsay.ClockWords(c.Ahead) + " those of a quorum of seeds"
	}
	return hearsay.ClockWords(c.Ahead) + " that of " + teller
}

// ruledAt gives the time of a ruling, and how long ago that was, unless its clock or that of this node is wrong.
func (s *seeded) ruledAt(r *hearsay.Ruling) string {
	at, wrong := casebook.Moment(r.At), s.dated(r)
	if off := s.Seeded.ClockOff; off != 0 && wrong == "" {
		wrong = fmt.Sprintf("the clock of %s, which tells this, is %s those of a quorum of seeds now", s.Teller.Name, hearsay.ClockWords(off))
	}
	if wrong != "" {
		return fmt.Sprintf("%s (%s)", at.Format(time.RFC3339), wrong)
	}
	return s.sinceWords(at)
}
