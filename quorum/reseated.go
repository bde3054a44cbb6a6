package quorum

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quota"
)

// This file is how a seed that was away finds out who sits where when several
// seats have changed meanwhile. A hello carries the newest ruling about a seat
// only, and by its ballots that rests on who sat in the other seats then. If
// that does not hold by the seats known here, the rulings between are looked
// through for those about seats, in their order.
//
//	hello{given: 4 is another}      does not hold: 2 has signed it with a key that is not known here
//	LedgerReq{before: …} ──▶
//	                     ◀── Rulings{…, 2 is another, …, 4 is another}: each holds by those before it

// seek looks through the rulings before one about a seat that somebody has shown, and that
// does not hold here.
func (ss *seats) seek(m *core.SeatHello) {
	if m.Given == nil || ss.seed.cfg.Recover || ss.seed.replica == nil || m.Given.Case.Index() <= ss.seed.replica.log.applied || !ss.newSeat(m.Given) || ss.seed.walk.Under() {
		return
	}
	ss.seed.walk.Begin(ss.seed.state.Epoch, m.Given.Epoch, int(m.Slot))
}

// newSeat reports whether a ruling is about a seat, and newer than what is known
// of that.
func (ss *seats) newSeat(r *hearsay.Ruling) bool {
	return r.Kind == hearsay.RulingSeat && len(r.Seats) == 1 && int(r.Seats[0].Slot) < len(ss.seed.cfg.Seeds) &&
		r.Case > ss.known[r.Seats[0].Slot].since
}

// takeSeats takes the rulings about seats from a part of the ledger that is
// still to come here, and reports whether they hold.
func (ss *seats) takeSeats(now time.Time, from quota.Sender, items []*hearsay.Ruling) (hold bool) {
	for _, r := range items {
		if r.Epoch <= ss.seed.state.Epoch || !ss.newSeat(r) {
			continue
		}
		if !ss.seed.heads.budgets.checks.Take(now, from, ss.seed.Needed()) {
			ss.seed.stats.Drops[hearsay.DropRate]++
			return false
		}
		seat, ok := ss.proves(r)
		if !ok {
			ss.seed.stats.Drops[hearsay.DropBadSignature]++
			return false
		}
		ss.give(r, seat, hearsay.Event{At: now})
	}
	return true
}

// give lets somebody sit where a ruling says that holds. If that is in this
// seed's seat, the event says who has told so.
func (ss *seats) give(r *hearsay.Ruling, seat hearsay.Seat, told hearsay.Event) {
	ss.sitBy(r, seat)
	if int(seat.Slot) == ss.seed.cfg.Slot && seat != ss.seed.seat() {
		told.Text = "a quorum has given this seat to another life: this data directory is of no use any more"
		ss.say(told)
	}
}

// sitBy has somebody sit where a ruling says. What others there have signed counts no more.
func (ss *seats) sitBy(r *hearsay.Ruling, seat hearsay.Seat) {
	ss.sit(seat, r.Case)
	ss.seed.driver.persist(&core.SeedPin{Seat: seat, Since: r.Case})
	ss.seed.out.Persist = append(ss.seed.out.Persist, ss.seed.chain.ForgetHeads(seat.Slot)...)
	ss.seed.given = r
}

// sit has somebody sit in a seat, by a case or since the founding.
func (ss *seats) sit(seat hearsay.Seat, since hearsay.CaseID) {
	if ss.seed.replica != nil && ss.known[seat.Slot].seat != seat {
		for _, o := range ss.seed.replica.offers {
			if o != nil {
				o.chain.ForgetHeads(seat.Slot)
			}
		}
	}
	ss.place(ss.seed.cfg.Network, seat, since)
}

// tickWalk asks for the next part. A walk begins for a snapshot whose seats are not known.
func (ss *seats) tickWalk(now time.Time) {
	w := &ss.seed.walk
	for i := 1; i <= len(ss.seed.cfg.Seeds) && !w.Under(); i++ {
		slot := (w.First + i) % len(ss.seed.cfg.Seeds)
		if o := ss.seed.replica.offers[slot]; o != nil && !ss.seed.offers.knowsSeats(o) {
			w.Begin(ss.seed.state.Epoch, o.snapshot.Epoch, slot)
		}
	}
	if w.Due(now, ss.seed.state.Epoch, len(ss.seed.cfg.Seeds), ss.seed.cfg.Slot) {
		w.AskAt = now.Add(ledger.RecallEvery)
		ss.seed.send(ss.seed.cfg.Seeds[w.Slot].Addr, &core.LedgerReq{Before: w.Before()})
	}
}
