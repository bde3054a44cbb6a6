package quorum

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// seats is who sits where, as this node believes: before it has a state, those that
// it met at the configured addresses; then what the state says, and what a
// quorum has decided that this node has not applied yet.
type seats struct {
	why     string                 // this seed takes no part, as it was said last; "": nothing was said
	greeted [hearsay.MaxSeeds]bool // those who have been asked to vote for who has founded
	known   [hearsay.MaxSeeds]occupant
	nonces  [hearsay.MaxSeeds]uint64    // of the hello under way; 0: none
	early   [hearsay.MaxSeeds]uint64    // of those that were under way when this life came to take part
	asked   [hearsay.MaxSeeds]time.Time // when the last one went out
	heard   [hearsay.MaxSeeds]heard
}

type occupant struct {
	seat  hearsay.Seat
	id    uint64         // in the log
	since hearsay.CaseID // the case that decided it
}

// heard is what a seed said of itself, proven to come from its address.
type heard struct {
	seat     hearsay.Seat
	founded  bool
	founding hearsay.Hash
	at       time.Time
	since    time.Time // it has said just that
}

// justNow reports whether it said so lately.
func (h *heard) justNow(now time.Time) bool { return !h.at.IsZero() && now.Sub(h.at) <= heardFor }

func (s *seats) sit(network hearsay.NetworkID, seat hearsay.Seat, since hearsay.CaseID) {
	s.known[seat.Slot] = occupant{seat, seat.RaftID(network), since}
}

// slotOf gives the slot of who has this id in the log.
func (q *Quorum) slotOf(id uint64) (slot int, ok bool) {
	for i := range q.cfg.Seeds {
		if q.seats.known[i].id == id {
			return i, true
		}
	}
	return 0, false
}

// heardFor is how long what a seed said of itself counts.
const heardFor = 10 * time.Second

// tickSeats asks those who are not known yet who they are. Once there is a
// state, only those are asked who seem to have another life; and everybody, as
// long as no quorum is heard: it may be that of another founding.
func (q *Quorum) tickSeats(now time.Time) {
	q.askDoubted(now)
	if q.state != nil && !q.cfg.Recover && !q.lost && !q.unborn() {
		return
	}
	for slot := range q.others() {
		q.askSeat(now, slot)
	}
	q.tryFound(now)
	q.tryGiveUp(now)
}

// askDoubted asks the seeds again with which something is wrong: it stays known for as long as it is so.
func (q *Quorum) askDoubted(now time.Time) {
	for slot := range q.others() {
		if q.doubts[slot].note != "" && now.Sub(q.seats.asked[slot]) >= doubtedEvery {
			q.askSeat(now, slot)
		}
	}
}

// askSeat asks who sits in a slot, unless it was asked just now.
func (q *Quorum) askSeat(now time.Time, slot int) {
	if now.Sub(q.seats.asked[slot]) >= q.cfg.HelloEvery {
		q.hello(now, slot)
	}
}

func (q *Quorum) hello(now time.Time, slot int) {
	if q.quiet {
		return
	}
	q.seats.asked[slot] = now
	if q.seats.nonces[slot] == 0 {
		q.clocks[slot].asked = now
	}
	for q.seats.nonces[slot] == 0 {
		q.seats.nonces[slot] = q.random.Uint64()
	}
	m := q.ownHello()
	m.Nonce = q.seats.nonces[slot]
	q.sendHello(q.cfg.Seeds[slot].Addr, m)
}

// ownHello says of this seed what it is.
func (q *Quorum) ownHello() *hearsay.SeatHello {
	m := &hearsay.SeatHello{Slot: uint8(q.cfg.Slot), Life: q.life, Config: q.cfg.hash(), Founded: q.state != nil, Founding: q.founding}
	if q.state != nil && !q.cfg.Recover { // nobody shall take part in what is given up
		m.Seats = q.state.Seats
	}
	m.Given = q.given
	return m
}

// sendHello sends one after the records of this step: the life that it tells
// of is durable.
func (q *Quorum) sendHello(addr netip.AddrPort, m *hearsay.SeatHello) {
	m.Seats = slices.Clone(m.Seats)
	m.Sign(q.cfg.Network, q.plain)
	q.send(addr, m)
}

// seatHello takes what somebody says of its seat. It counts if it repeats a
// nonce that only the configured address was told, or is signed by who is
// known to sit there.
func (q *Quorum) seatHello(now time.Time, p *hearsay.Packet, m *hearsay.SeatHello) {
	other := m.Slot != hearsay.NoSlot && m.Config != q.cfg.hash() // it has another list of seeds
	switch {
	case m.Slot != hearsay.NoSlot && !other && (int(m.Slot) >= len(q.cfg.Seeds) || int(m.Slot) == q.cfg.Slot):
		q.drops[hearsay.DropMalformed]++
		return
	case !q.budgets.hellos.Take(now, q.directory.sender(p), 1):
		q.drops[hearsay.DropRate]++
		return
	}
	if !m.Verify(q.cfg.Network, q.plain) {
		q.drops[hearsay.DropBadSignature]++
		return
	}
	if !m.Answer {
		answer := q.ownHello()
		answer.Answer, answer.Nonce = true, m.Nonce
		if m.Slot == hearsay.NoSlot { // peers keep the keys of those who have a ledger: for good, so it must have come to something
			answer.Founded = q.Epoch() > 0 && !q.unsure() // nor do they count on one that takes no part
		} else if q.replica != nil {
			answer.Term, answer.Last, answer.Clock = q.replica.log.hard.GetTerm(), q.replica.log.end(), uint64(max(0, now.UnixMilli()))
		}
		q.sendHello(p.Addr, answer)
	}
	switch {
	case other:
		q.elsewhereListed(now, p, m)
		return
	case m.Slot == hearsay.NoSlot:
		return
	}
	nonce := &q.seats.nonces[m.Slot]
	switch {
	case m.Answer && m.Nonce == *nonce && *nonce != 0:
		early := *nonce == q.seats.early[m.Slot]
		*nonce = 0
		if early && m.Founding != q.founding { // it came by another stream than the founding, and late
			q.askSeat(now, int(m.Slot))
			return
		}
		q.met(now, m)
	case m.Key == q.seats.known[m.Slot].seat.Key:
		q.told(now, m) // by who is known, now or once: it may be an old one, sent again
	case m.Answer:
		q.drops[hearsay.DropUnexpected]++
	default:
		q.askSeat(now, int(m.Slot)) // is it really there?
	}
}

// told takes what does not depend on when it was said: who has which seat, if
// that is proven, and that this life has one.
func (q *Quorum) told(now time.Time, m *hearsay.SeatHello) {
	seat := hearsay.Seat{Slot: m.Slot, Key: m.Key, Life: m.Life}
	switch known := q.seats.known[m.Slot].seat; {
	case q.state == nil:
		q.named(now, m)
	case known != seat:
		q.takeGiven(now, m)
		q.askSeat(now, int(m.Slot))
	default:
		q.takeGiven(now, m)
	}
}

// met takes what a seed said of itself just now, at its address.
func (q *Quorum) met(now time.Time, m *hearsay.SeatHello) {
	seat := hearsay.Seat{Slot: m.Slot, Key: m.Key, Life: m.Life}
	if pinned := q.cfg.Seeds[m.Slot].Key; !pinned.IsZero() && pinned != m.Key {
		q.drops[hearsay.DropStranger]++
		q.differs(now, int(m.Slot), m.Key, otherKey(q.cfg.Seeds[m.Slot].Addr, m.Key, pinned))
		return
	}
	if q.unsure() {
		q.goesTo(m)
	}
	q.noteHeard(now, &heard{seat: seat, founded: m.Founded, founding: m.Founding, at: now, since: now})
	if q.state == nil {
		if q.founding.IsZero() || q.founding == m.Founding {
			q.seatAt(seat)
		}
		if m.Founded && m.Founding == q.founding && q.asListed(m.Seats) {
			q.seatAll(m.Seats)
		}
		q.named(now, m)
		return
	}
	q.otherFounding(now, m)
	q.takeGiven(now, m)
	switch {
	case q.cfg.Recover:
		return
	case q.seats.known[m.Slot].seat == seat:
		q.showsClock(now, m)
		q.hearsAnswer(now, m.Slot)
		if q.replica.log.last() == q.replica.log.base && q.replica.leader() == 0 && !q.seats.greeted[m.Slot] {
			q.seats.greeted[m.Slot] = true
			_ = q.replica.node.Campaign() // just founded: now there is one more to vote
			q.work(now)
		}
		return
	case !m.Founded && m.Founding.IsZero() && q.Seated() && q.state.RefusesSeat(seat) == "":
		q.ask(now, seat.Key.NodeID(), ledger.Command{Op: ledger.OpSeat, Seat: seat})
	}
	if c := q.state.SeatCase(m.Slot); c != nil {
		q.consider(now, c)
	}
}

// noteHeard keeps what a seed said of itself just now. One with the ledger of another founding
// takes no part, and knows it; the others tell it, too, as an operator of theirs may have
// vouched that it has none. A founding that comes to nothing is given up at once.
func (q *Quorum) noteHeard(now time.Time, h *heard) {
	slot := int(h.seat.Slot)
	if old := &q.seats.heard[slot]; old.justNow(now) && old.seat == h.seat && old.founded == h.founded && old.founding == h.founding {
		h.since = old.since
	}
	q.seats.heard[slot] = *h
	switch foreign := q.state != nil && !q.unborn() && h.founded && !h.founding.IsZero() && h.founding != q.founding; {
	case !foreign:
		q.doubts.settle(slot)
	case q.Ready() && now.Sub(h.since) >= doubtAfter:
		q.differs(now, slot, h.seat.Key, otherLedger(q.cfg.Seeds[slot].Addr))
	}
}

// takeGiven takes a ruling about a seat that a hello carries, if its ballots
// prove it. One of another founding is of another network.
func (q *Quorum) takeGiven(now time.Time, m *hearsay.SeatHello) {
	if m.Founding != q.founding {
		return
	}
	given, ok := q.proves(m.Given)
	if !ok {
		q.seek(m)
		return
	}
	q.give(m.Given, given, hearsay.Event{At: now, By: m.Key.NodeID(), Addr: q.cfg.Seeds[m.Slot].Addr})
}

// proves reports the life to which a ruling gives a seat, newer than what is known. So a
// seed that was away while a seat changed believes who leads it now. What the
// state has decided it knows better: an old proof may be sent again.
func (q *Quorum) proves(r *hearsay.Ruling) (seat hearsay.Seat, ok bool) {
	if r != nil && q.state != nil && r.Case.Index() <= q.replica.log.applied && q.state.CaseOf(r.Case) == nil {
		return seat, false
	}
	seat, ok = ledger.ProvenSeat(q.Ledger(), q.signer, r, q.keys())
	return seat, ok && r.Case > q.seats.known[seat.Slot].since
}

// recall finds in the ledger the newest ruling about a seat.
func (q *Quorum) recall(rulings []*hearsay.Ruling) {
	for _, r := range rulings {
		if r.Kind == hearsay.RulingSeat && (q.given == nil || r.Case > q.given.Case) {
			q.given = r
		}
	}
}

// named takes a seat that others say this life has: it takes part in the log
// from now, with nothing in it, and in no other founding's. What it needs comes
// from who leads.
func (q *Quorum) named(now time.Time, m *hearsay.SeatHello) {
	if q.replica != nil {
		return
	}
	at := slices.IndexFunc(m.Seats, func(s hearsay.Seat) bool { return s == q.seat() })
	if at >= 0 && len(m.Seats) == len(q.cfg.Seeds) && !m.Founding.IsZero() {
		if !q.asListed(m.Seats) {
			q.drops[hearsay.DropStranger]++
			q.wait(now, m, "the seed at "+q.cfg.Seeds[m.Slot].Addr.String()+" names another key in a seat than the list of seeds pins: want the same file everywhere")
			return
		}
		q.seatAll(m.Seats)
		q.takePart(m.Founding)
		q.persist(&hearsay.KeptSnapshot{Snapshot: &hearsay.LogSnapshot{Index: ledger.FoundingIndex}, Dropped: true}) // of a life that was given up
		q.replica = newReplica(&q.cfg, q.seat().RaftID(q.cfg.Network), q.emptyLog())
		q.chain.Begin(q.founding)
		q.doubt(now)
		q.seats.why = ""
		q.event(hearsay.Event{At: now, Kind: hearsay.EventSeatTaken, Subject: q.signer.Public().NodeID()})
		return
	}
	if m.Founded {
		q.wait(now, m, q.notNamed(now))
	}
}

// asListed reports whether the list of seeds pins no other keys than these. Who
// names others lies, or has another list.
func (q *Quorum) asListed(seats []hearsay.Seat) bool {
	return !slices.ContainsFunc(seats, func(s hearsay.Seat) bool {
		if int(s.Slot) >= len(q.cfg.Seeds) {
			return true
		}
		pinned := q.cfg.Seeds[s.Slot].Key
		return !pinned.IsZero() && !s.Life.IsZero() && s.Key != pinned
	})
}

// notNamed is why a seed waits that has come after the founding.
func (q *Quorum) notNamed(now time.Time) string {
	empty := 1 // this one, and others that have nothing of any founding
	for slot := range q.others() {
		if h := &q.seats.heard[slot]; h.justNow(now) && !h.founded && h.founding.IsZero() {
			empty++
		}
	}
	right := ": its quorum must give it to this one, and seeds whose list pins the old key do not"
	if seeds := len(q.cfg.Seeds); seeds <= 2 {
		right = ", and there is no quorum without it: " + lastUsed("this seed", "the data directory that it")
	} else if seeds-empty < q.Needed() {
		right = fmt.Sprintf(": of %d seeds %d have lost their part of its ledger, and there is no quorum without them: %s", seeds, empty, lastUsed("these", "the data directories that they"))
	}
	return "the network was founded with another life in this seat" + right
}

// seatAt keeps who sits in a seat, before there is a state that says so.
func (q *Quorum) seatAt(seat hearsay.Seat) {
	if q.seats.known[seat.Slot].seat != seat {
		q.sit(seat, 0)
		q.persist(&hearsay.SeedPin{Seat: seat})
	}
}

// seatAll keeps who has come to each seat.
func (q *Quorum) seatAll(seats []hearsay.Seat) {
	for _, seat := range seats {
		if !seat.Life.IsZero() {
			q.seatAt(seat)
		}
	}
}

// wait says why this seed takes no part, as it has heard from another.
func (q *Quorum) wait(now time.Time, m *hearsay.SeatHello, why string) {
	q.say(hearsay.Event{At: now, By: m.Key.NodeID(), Addr: q.cfg.Seeds[m.Slot].Addr, Text: why})
}

// say says why this seed takes no part, unless it has said just that.
func (q *Quorum) say(e hearsay.Event) {
	if q.seats.why == e.Text {
		return
	}
	q.seats.why = e.Text
	e.Kind, e.Subject = hearsay.EventSeatWaiting, q.signer.Public().NodeID()
	q.event(e)
}

// judgeSeat gives this seed's own verdict on a seat: it has met the new life
// at the configured address, and that one has no ledger.
func (q *Quorum) judgeSeat(now time.Time, c *ledger.Case) (hearsay.BallotVerdict, string) {
	slot := c.Opening.Seat.Slot
	if int(slot) == q.cfg.Slot {
		return hearsay.BallotNo, "this seat is taken"
	}
	q.askSeat(now, int(slot))
	h := q.seats.heard[slot]
	switch pinned := q.cfg.Seeds[slot].Key; {
	case !pinned.IsZero() && pinned != c.Opening.Seat.Key:
		return hearsay.BallotNo, "the list of seeds pins another key"
	case h.at.IsZero() || now.Sub(h.at) > heardFor:
		return 0, ""
	case h.seat != c.Opening.Seat && h.founded:
		return hearsay.BallotNo, "its old life is well"
	case h.seat == c.Opening.Seat:
		return hearsay.BallotYes, "met at its address, without a ledger"
	}
	return 0, ""
}
