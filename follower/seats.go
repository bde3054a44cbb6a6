package follower

import (
	"cmp"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quota"
)

// This file is how a peer knows the seeds: it asks each at its configured address, and keeps the key and the life that
// sit in each seat.

// seats is what a peer knows of the seeds, slot by slot.
type seats struct {
	peer *Follower

	pins    [hearsay.MaxSeeds]core.SeedPin
	lasting [hearsay.MaxSeeds]bool // configured, or of who had a ledger when it was met
	// by slot: whose the seat is by the rulings that are proven here, where a later one is believed already
	until  [hearsay.MaxSeeds]outgoing
	nonces [hearsay.MaxSeeds]uint64
	drawn  [hearsay.MaxSeeds]time.Time // when the nonce was drawn
	config hearsay.Hash                // stands for this peer's list of seeds

	met [hearsay.MaxSeeds]meeting // in this life

	clocks    [hearsay.MaxSeeds]shownClock
	clockTold bool // that this peer's is wrong, since it was not

	// by slot: until when such questions are used up, at one in startsEvery: see noteStarts
	startsUsed [hearsay.MaxSeeds]time.Time
	otherSince [hearsay.MaxSeeds]time.Time // since when another key answers than is pinned
	naming     [hearsay.MaxSeeds]naming    // by slot: the lives that the seed there names in the seats
	// by slot: the founding that the seed there takes part in, as it said last
	told       [hearsay.MaxSeeds]hearsay.Hash
	mismatches ledger.Mismatches

	helloAt, pinnedAt time.Time // the next hello, and the next to a seed that is known
	mismatchedAt      time.Time // the next to those with which something is wrong
	doubtedAt         time.Time // when all were asked last because one seemed not to answer
	proofAt           time.Time // no seed is asked before for the proof that another has a new life
	turn              int       // of the seeds that are known, the one that was asked last who it is
}

// replaced reports whether the list has another key for a slot than was met there. A seat that
// a ruling has given counts more.
func (ss *seats) replaced(slot int, p *core.SeedPin) bool {
	listed := ss.peer.cfg.Seeds[slot].Key
	return !listed.IsZero() && listed != p.Seat.Key && p.Since == 0
}

// tickHellos asks the seeds who they are: those who are known seldom, unless they
// may name others who are not and have not been heard to yet.
func (ss *seats) tickHellos(now time.Time) {
	if now.Before(ss.helloAt) {
		return
	}
	asked := -1
	if !now.Before(ss.pinnedAt) {
		ss.pinnedAt = now.Add(helloPinnedEvery)
		ss.turn = (ss.turn + 1) % len(ss.peer.cfg.Seeds)
		asked = ss.turn
	}
	ss.helloAt = ss.pinnedAt
	soon, missing := now.Add(ss.peer.about(helloUnknownEvery)), false
	askMismatched := ss.mismatches.Any() && !now.Before(ss.mismatchedAt)
	if askMismatched {
		ss.mismatchedAt = now.Add(ss.peer.about(ledger.MismatchAskEvery))
	}
	if ss.mismatches.Any() && ss.mismatchedAt.Before(ss.helloAt) {
		ss.helloAt = ss.mismatchedAt
	}
	for slot := range ss.peer.cfg.Seeds {
		missing = missing || !ss.known(slot)
		if ss.unmet(slot) || ss.met[slot].again {
			ss.helloAt = soon
		}
	}
	for slot := range ss.peer.cfg.Seeds {
		unknown := !ss.known(slot) || !ss.peer.based || !ss.otherSince[slot].IsZero() && ss.mismatches[slot].Note == "" ||
			(ss.unmet(slot) || ss.met[slot].again) && ss.answersPings(slot)
		if unknown || missing && ss.naming[slot].by != ss.pins[slot].Seat.Key {
			ss.helloAt = soon
			ss.hello(now, slot)
		} else if slot == asked || askMismatched && ss.mismatches[slot].Note != "" {
			ss.hello(now, slot)
		}
	}
}

// answersPings reports whether a seed is alive, as the roster has it.
func (ss *seats) answersPings(slot int) bool {
	alive := ss.peer.directory.Alive
	return alive != nil && alive(ss.pins[slot].Seat.Key.NodeID())
}

// known reports whether the key and the life in a seat are known for good. A list
// of seeds pins keys alone.
func (ss *seats) known(slot int) bool { return ss.lasting[slot] && !ss.pins[slot].Seat.Life.IsZero() }

// listed reports whether a seat is of a key that the list of seeds pins, and its
// life is not known yet.
func (ss *seats) listed(seat hearsay.Seat) bool {
	return ss.lasting[seat.Slot] && !ss.known(int(seat.Slot)) && ss.pins[seat.Slot].Seat.Key == seat.Key && !seat.Life.IsZero()
}

// hello asks a seed at its configured address who it is.
func (ss *seats) hello(now time.Time, slot int) {
	if ss.met[slot].asked.IsZero() {
		ss.met[slot].asked = now
	}
	unanswered := ss.nonces[slot] != 0 && now.Sub(ss.drawn[slot]) >= helloFor
	if unanswered {
		ss.nonces[slot] = 0
	}
	if ss.nonces[slot] == 0 {
		ss.drawn[slot] = now
	}
	for ss.nonces[slot] == 0 {
		ss.nonces[slot] = ss.peer.random.Uint64()
	}
	m := &core.SeatHello{Versions: ss.peer.cfg.Versions, Slot: core.NoSlot, Nonce: ss.nonces[slot]}
	m.Sign(ss.peer.cfg.Network, ss.peer.signer)
	afresh := unanswered || ss.met[slot].renewed || ss.mismatches[slot].Note != ""
	ss.met[slot].renewed = false
	ss.peer.out.Send = append(ss.peer.out.Send, core.Packet{Addr: ss.peer.cfg.Seeds[slot].Addr, Stream: true, Fresh: afresh, Body: m})
}

// helloFor is how long an answer to a hello counts. If none has come the next goes by a new stream: another process
// may have listened at that address before, and still hold the streams that were dialled to it. A guess: longer than
// it takes to connect behind loss.
const helloFor = 5 * time.Second

// seatHello pins the key of a seed that was met at its configured address for
// the first time. One that is pinned changes only by the ballots of a quorum. But
// a seed without a ledger may have no seat yet, and if it loses its disk before it
// gets one, or before anything was ruled, no ballots will tell of that: its pin
// lasts until its successor has a ledger, and is not kept.
func (ss *seats) seatHello(now time.Time, from quota.Sender, m *core.SeatHello) {
	slot := ledger.AskedWith(ss.nonces[:len(ss.peer.cfg.Seeds)], m.Nonce)
	if !m.Answer || slot < 0 || !ss.peer.checks.Take(now, from, 1) {
		ss.peer.stats.Drops[hearsay.DropUnexpected]++
		return
	}
	if m.Unread != nil && !ss.otherVersion(m) {
		ss.peer.stats.Drops[hearsay.DropMalformed]++
		return
	}
	if !m.Verify(ss.peer.cfg.Network, ss.peer.signer) {
		ss.peer.stats.Drops[hearsay.DropBadSignature]++
		return
	}
	ss.nonces[slot] = 0
	if slot == int(m.Slot) {
		ss.meet(now, from, m)
	} else {
		ss.peer.stats.Drops[hearsay.DropStranger]++ // by its list it sits elsewhere
	}
	ss.compare(now, slot, m)
}

// meet takes what a seed has answered at its configured address.
func (ss *seats) meet(now time.Time, from quota.Sender, m *core.SeatHello) {
	seat := hearsay.Seat{Slot: m.Slot, Key: m.Key, Life: m.Life}
	pin := core.SeedPin{Seat: seat}
	if m.Given != nil {
		pin.Since = m.Given.Case // by then it had the seat: an older proof is out of date
	}
	switch lasting := ss.lasting[m.Slot]; {
	case !lasting && m.Founded:
		ss.pin(pin)
	case m.Founded && ss.listed(seat):
		ss.pin(core.SeedPin{Seat: seat})
	case !lasting && ss.pins[m.Slot].Seat.Key.IsZero():
		ss.pins[m.Slot] = pin
	}
	ss.believeSeat(now, from, m.Given, cmp.Or(ss.peer.chain.Founding, m.Founding))
	if ss.pins[m.Slot].Seat.Key == m.Key {
		ss.takeNames(m, pin.Since)
		ss.peer.takeFounding(now, m)
		ss.showsClock(now, m)
		return
	}
	ss.peer.past.reseated[m.Slot] = m.Founded
	if now.Before(ss.proofAt) {
		return // another has a new life, too: each would have the other asked again
	}
	ss.proofAt = now.Add(helloUnknownEvery)
	for slot := range ss.peer.cfg.Seeds { // it has a new life, of which the others have the proof
		if slot != int(m.Slot) {
			ss.hello(now, slot)
		}
	}
}

// takeNames takes the lives that a known seed names in the seats. A seed that does
// not answer here is pinned by the word of a quorum of the others: it may have
// been down since before this peer came, and is still one.
func (ss *seats) takeNames(m *core.SeatHello, since hearsay.CaseID) {
	if !m.Founded || len(m.Seats) != len(ss.peer.cfg.Seeds) {
		return
	}
	ss.naming[m.Slot] = naming{by: m.Key, seats: m.Seats, since: since}
	for slot, seat := range m.Seats {
		switch known := &ss.pins[slot]; {
		case seat.Key.IsZero() || int(seat.Slot) != slot:
			continue
		case ss.lasting[slot] && !ss.listed(seat):
			if seat.Key != known.Seat.Key && since > known.Since {
				ss.peer.past.reseated[slot] = true // it may be gone itself: the ledger tells
			}
			continue
		}
		said, oldest := 0, since
		for by := range ss.peer.cfg.Seeds {
			n := &ss.naming[by]
			if n.by == ss.pins[by].Seat.Key && ss.lasting[by] && len(n.seats) > slot && n.seats[slot] == seat {
				said, oldest = said+1, min(oldest, n.since)
			}
		}
		if said < hearsay.QuorumOf(len(ss.peer.cfg.Seeds)) {
			continue
		}
		if ss.listed(seat) {
			oldest = 0 // the list counts as long as nothing else was ruled
		}
		ss.pin(core.SeedPin{Seat: seat, Since: oldest})
	}
}

// outgoing is who has a seat until a ruling is proven here.
type outgoing struct {
	seat  hearsay.Seat
	epoch hearsay.Epoch // of that ruling
}

// believeSeat pins who was given a seat by the ballots of a quorum of those
// who are pinned. It reports whether there is something that does not hold.
func (ss *seats) believeSeat(now time.Time, from quota.Sender, r *hearsay.Ruling, founding hearsay.Hash) (forged bool) {
	needed := hearsay.QuorumOf(len(ss.peer.cfg.Seeds))
	if r == nil || r.Kind != hearsay.RulingSeat || founding.IsZero() {
		return false
	}
	if len(r.Seats) == 1 && r.Case <= ss.pins[r.Seats[0].Slot].Since {
		return false // it is known, or was once
	}
	if !ss.peer.checks.Take(now, from, needed) {
		ss.peer.stats.Drops[hearsay.DropRate]++
		return false
	}
	seat, ok := ledger.ProvenSeat(hearsay.LedgerID{Network: ss.peer.cfg.Network, Founding: founding}, ss.peer.signer, r, ss.keys())
	if ok {
		if last := &ss.until[seat.Slot]; last.epoch <= ss.peer.epoch {
			last.seat = ss.pins[seat.Slot].Seat
		}
		ss.until[seat.Slot].epoch = r.Epoch
		ss.pin(core.SeedPin{Seat: seat, Since: r.Case})
	}
	return !ok
}

// keys gives the keys of the seats, as they are pinned here.
func (ss *seats) keys() []hearsay.PublicKey {
	keys := make([]hearsay.PublicKey, len(ss.peer.cfg.Seeds))
	for slot := range keys {
		keys[slot] = ss.pins[slot].Seat.Key
	}
	return keys
}

// pinAll pins who was given a seat by a proven ruling, if nothing newer is known.
func (ss *seats) pinAll(r *hearsay.Ruling) {
	for _, seat := range r.Seats {
		if int(seat.Slot) < len(ss.peer.cfg.Seeds) && ss.pins[seat.Slot].Since < r.Case {
			ss.pin(core.SeedPin{Seat: seat, Since: r.Case})
		}
	}
}

// keepPins keeps the keys of those who have signed heads of what is proven: they
// have their seats. If one is gone before it is asked again, it is known still. Of an earlier life there may be
// a head and no key: that life ended before it kept the key.
func (ss *seats) keepPins() {
	for slot := range ss.peer.cfg.Seeds {
		head, met := ss.peer.chain.Heads[slot].Epoch, !ss.pins[slot].Seat.Key.IsZero()
		if met && !ss.lasting[slot] && head > 0 && head <= ss.peer.epoch {
			ss.pin(ss.pins[slot])
		}
	}
}

func (ss *seats) pin(p core.SeedPin) {
	if ss.pins[p.Seat.Slot].Seat.Key != p.Seat.Key {
		ss.met[p.Seat.Slot] = meeting{}
		ss.peer.out.Persist = append(ss.peer.out.Persist, ss.peer.chain.ForgetHeads(p.Seat.Slot)...)
		ss.peer.gathering.chain.ForgetHeads(p.Seat.Slot)
		ss.told[p.Seat.Slot] = hearsay.Hash{}
	}
	p.Addr = ss.peer.cfg.Seeds[p.Seat.Slot].Addr
	ss.pins[p.Seat.Slot], ss.lasting[p.Seat.Slot], ss.peer.past.reseated[p.Seat.Slot] = p, true, false
	ss.peer.out.Persist = append(ss.peer.out.Persist, &p)
}

// naming is the lives that a seed names in the seats, as of a case.
type naming struct {
	by    hearsay.PublicKey
	seats []hearsay.Seat
	since hearsay.CaseID
}
