package quorum

import (
	"time"

	"hearsay"
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
func (q *Quorum) seek(m *hearsay.SeatHello) {
	if m.Given == nil || q.cfg.Recover || q.replica == nil || m.Given.Case.Index() <= q.replica.log.applied || !q.newSeat(m.Given) || q.walk.under() {
		return
	}
	q.walk.begin(q.state.Epoch, m.Given.Epoch, int(m.Slot))
}

// newSeat reports whether a ruling is about a seat, and newer than what is known
// of that.
func (q *Quorum) newSeat(r *hearsay.Ruling) bool {
	return r.Kind == hearsay.RulingSeat && len(r.Seats) == 1 && int(r.Seats[0].Slot) < len(q.cfg.Seeds) &&
		r.Case > q.seats.known[r.Seats[0].Slot].since
}

// takeSeats takes the rulings about seats from a part of the ledger that is
// still to come here, and reports whether they hold.
func (q *Quorum) takeSeats(now time.Time, from quota.Sender, items []*hearsay.Ruling) (hold bool) {
	for _, r := range items {
		if r.Epoch <= q.state.Epoch || !q.newSeat(r) {
			continue
		}
		if !q.budgets.checks.Take(now, from, q.Needed()) {
			q.drops[hearsay.DropRate]++
			return false
		}
		seat, ok := q.proves(r)
		if !ok {
			q.drops[hearsay.DropBadSignature]++
			return false
		}
		q.give(r, seat, hearsay.Event{At: now})
	}
	return true
}

// give lets somebody sit where a ruling says that holds. If that is in this
// seed's seat, the event says who has told so.
func (q *Quorum) give(r *hearsay.Ruling, seat hearsay.Seat, told hearsay.Event) {
	q.sitBy(r, seat)
	if int(seat.Slot) == q.cfg.Slot && seat != q.seat() {
		told.Text = "a quorum has given this seat to another life: this data directory is of no use any more"
		q.say(told)
	}
}

// sitBy has somebody sit where a ruling says. What others there have signed counts no more.
func (q *Quorum) sitBy(r *hearsay.Ruling, seat hearsay.Seat) {
	q.sit(seat, r.Case)
	q.persist(&hearsay.SeedPin{Seat: seat, Since: r.Case})
	q.out.Persist = append(q.out.Persist, q.chain.ForgetHeads(seat.Slot)...)
	q.given = r
}

// sit has somebody sit in a seat, by a case or since the founding.
func (q *Quorum) sit(seat hearsay.Seat, since hearsay.CaseID) {
	if q.replica != nil && q.seats.known[seat.Slot].seat != seat {
		for _, o := range q.replica.offers {
			if o != nil {
				o.chain.ForgetHeads(seat.Slot)
			}
		}
	}
	q.seats.sit(q.cfg.Network, seat, since)
}
