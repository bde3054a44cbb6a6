package quorum

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// seats is who sits where, as this node believes: before it has a state, those that
// it met at the configured addresses; then what the state says, and what a
// quorum has decided that this node has not applied yet.
type seats struct {
	seed *Quorum

	why     string                 // this seed takes no part, as it was said last; "": nothing was said
	greeted [hearsay.MaxSeeds]bool // those who have been asked to vote for who has founded
	known   [hearsay.MaxSeeds]occupant
	nonces  [hearsay.MaxSeeds]uint64    // of the hello under way; 0: none
	drawn   [hearsay.MaxSeeds]time.Time // when that was drawn
	// the newest incarnation that was known of the seed there when it was last asked by a new stream
	renewed [hearsay.MaxSeeds]hearsay.Incarnation
	early   [hearsay.MaxSeeds]uint64    // of those that were under way when this life came to take part
	asked   [hearsay.MaxSeeds]time.Time // when the last one went out
	heard   [hearsay.MaxSeeds]heard
	unlike  [hearsay.MaxSeeds]unlike // by slot: the seed of another version that answered last
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
	without  bool // in its ledger nobody has had the seat of this seed yet
	at       time.Time
	since    time.Time // it has said just that
}

// justNow reports whether it said so lately.
func (h *heard) justNow(now time.Time) bool { return !h.at.IsZero() && now.Sub(h.at) <= heardFor }

func (s *seats) place(network hearsay.NetworkID, seat hearsay.Seat, since hearsay.CaseID) {
	s.known[seat.Slot] = occupant{seat, seat.RaftID(network), since}
}

// slotOf gives the slot of who has this id in the log.
func (ss *seats) slotOf(id uint64) (slot int, ok bool) {
	for i := range ss.seed.cfg.Seeds {
		if ss.known[i].id == id {
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
func (ss *seats) tickSeats(now time.Time) {
	ss.askMismatched(now)
	ss.askRenewed(now)
	if ss.seed.state != nil && !ss.seed.cfg.Recover && !ss.seed.lost && !ss.seed.founder.unborn() {
		return
	}
	for slot := range ss.seed.others() {
		ss.askSeat(now, slot)
	}
	ss.seed.founder.tryFound(now)
	ss.seed.founder.tryGiveUp(now)
}

// askMismatched asks the seeds again with which something is wrong: it stays known for as long as it is so.
func (ss *seats) askMismatched(now time.Time) {
	for slot := range ss.seed.others() {
		if ss.seed.mismatches[slot].Note != "" && now.Sub(ss.asked[slot]) >= ledger.MismatchAskEvery {
			ss.askSeat(now, slot)
		}
	}
}

// askSeat asks who sits in a slot, unless it was asked just now.
func (ss *seats) askSeat(now time.Time, slot int) {
	if now.Sub(ss.asked[slot]) >= ss.seed.cfg.HelloEvery {
		ss.hello(now, slot)
	}
}

func (ss *seats) hello(now time.Time, slot int) {
	if ss.seed.quiet {
		return
	}
	ss.asked[slot] = now
	unanswered := ss.nonces[slot] != 0 && now.Sub(ss.drawn[slot]) >= helloFor
	if unanswered {
		ss.nonces[slot] = 0
	}
	if ss.nonces[slot] == 0 {
		ss.seed.clocks.shown[slot].asked, ss.drawn[slot] = now, now
	}
	for ss.nonces[slot] == 0 {
		ss.nonces[slot] = ss.seed.random.Uint64()
	}
	m := ss.ownHello()
	m.Nonce = ss.nonces[slot]
	ss.sendHello(ss.seed.cfg.Seeds[slot].Addr, m, ss.isRenewed(slot) || unanswered || ss.seed.mismatches[slot].Note != "")
}

// helloFor is how long an answer to a hello counts. If none has come the next goes by a new stream: another process
// may have listened at that address before, and still hold the streams that were dialled to it. A guess: longer than
// it takes to connect behind loss.
const helloFor = 5 * time.Second

// askRenewed asks a seed that was started again who it is, by a new stream. The roster knows by its incarnation, which
// nobody else can raise.
func (ss *seats) askRenewed(now time.Time) {
	for slot := range ss.seed.others() {
		if ss.seed.state != nil && ss.incarnation(slot) > ss.renewed[slot] {
			ss.askSeat(now, slot)
		}
	}
}

// isRenewed reports whether a seed has been started again, or has refuted something, since it was asked by a new
// stream, and notes that it is.
func (ss *seats) isRenewed(slot int) (is bool) {
	newest := ss.incarnation(slot)
	is, ss.renewed[slot] = newest > ss.renewed[slot], max(newest, ss.renewed[slot])
	return is
}

// incarnation is the newest that the seed in a slot has signed, as far as this seed knows.
func (ss *seats) incarnation(slot int) hearsay.Incarnation {
	if ss.seed.directory.Incarnation == nil {
		return 0
	}
	return ss.seed.directory.Incarnation(ss.known[slot].seat.Key.NodeID())
}

// ownHello says of this seed what it is.
func (ss *seats) ownHello() *core.SeatHello {
	m := &core.SeatHello{Versions: ss.seed.cfg.Versions, Slot: uint8(ss.seed.cfg.Slot), Life: ss.seed.life, Config: ss.seed.cfg.hash(), Founded: ss.seed.state != nil, Founding: ss.seed.founding}
	if ss.seed.state != nil && !ss.seed.cfg.Recover { // nobody shall take part in what is given up
		m.Seats = ss.seed.state.Seats
	}
	m.Given = ss.seed.given
	return m
}

// sendHello sends one after the records of this step: the life that it tells
// of is durable.
func (ss *seats) sendHello(addr netip.AddrPort, m *core.SeatHello, afresh bool) {
	m.Seats = slices.Clone(m.Seats)
	m.Sign(ss.seed.cfg.Network, ss.seed.plain)
	ss.seed.out.Send = append(ss.seed.out.Send, core.Packet{Addr: addr, Stream: true, Fresh: afresh, Body: m})
}

// seatHello takes what somebody says of its seat. It counts if it repeats a
// nonce that only the configured address was told, or is signed by who is
// known to sit there.
func (ss *seats) seatHello(now time.Time, p *core.Packet, m *core.SeatHello) {
	other := m.Slot != core.NoSlot && m.Config != ss.seed.cfg.hash() // it has another list of seeds
	sameVersions := m.Versions == ss.seed.cfg.Versions
	switch {
	case m.Unread != nil && sameVersions:
		ss.seed.stats.Drops[hearsay.DropMalformed]++
		return
	case m.Slot != core.NoSlot && !other && (int(m.Slot) >= len(ss.seed.cfg.Seeds) || int(m.Slot) == ss.seed.cfg.Slot):
		ss.seed.stats.Drops[hearsay.DropMalformed]++
		return
	case !ss.seed.heads.budgets.hellos.Take(now, ss.seed.directory.sender(p), 1):
		ss.seed.stats.Drops[hearsay.DropRate]++
		return
	}
	if !m.Verify(ss.seed.cfg.Network, ss.seed.plain) {
		ss.seed.stats.Drops[hearsay.DropBadSignature]++
		return
	}
	if !m.Answer {
		ss.answer(now, p, m)
	}
	switch {
	case m.Slot == core.NoSlot:
		return
	case other || !sameVersions:
		ss.meetUnlike(now, p, m)
		return
	}
	nonce := &ss.nonces[m.Slot]
	switch {
	case m.Answer && m.Nonce == *nonce && *nonce != 0:
		early := *nonce == ss.early[m.Slot]
		*nonce = 0
		if early && m.Founding != ss.seed.founding { // it came by another stream than the founding, and late
			ss.askSeat(now, int(m.Slot))
			return
		}
		ss.met(now, m)
	case m.Key == ss.known[m.Slot].seat.Key:
		ss.told(now, m) // by who is known, now or once: it may be an old one, sent again
	case m.Answer:
		ss.seed.stats.Drops[hearsay.DropUnexpected]++
	default:
		ss.askSeat(now, int(m.Slot)) // is it really there?
	}
}

// answer says of this seed what it is.
func (ss *seats) answer(now time.Time, p *core.Packet, m *core.SeatHello) {
	answer := ss.ownHello()
	answer.Answer, answer.Nonce = true, m.Nonce
	// peers keep the keys of those who have a ledger: for good, so it must have come to something
	if m.Slot == core.NoSlot {
		// nor do they count on one that takes no part
		answer.Founded = ss.seed.Epoch() > 0 && !ss.seed.diskCheck.unsure()
	}
	if ss.seed.replica != nil {
		answer.Term, answer.Last, answer.Clock = ss.seed.replica.log.hard.GetTerm(), ss.seed.replica.log.end(), uint64(max(0, now.UnixMilli()))
	}
	ss.sendHello(p.Addr, answer, false)
}

// told takes what does not depend on when it was said: who has which seat, if
// that is proven, and that this life has one.
func (ss *seats) told(now time.Time, m *core.SeatHello) {
	seat := hearsay.Seat{Slot: m.Slot, Key: m.Key, Life: m.Life}
	switch known := ss.known[m.Slot].seat; {
	case ss.seed.state == nil:
		ss.named(now, m)
	case known != seat:
		ss.takeGiven(now, m)
		ss.askSeat(now, int(m.Slot))
	default:
		ss.takeGiven(now, m)
	}
}

// met takes what a seed said of itself just now, at its address.
func (ss *seats) met(now time.Time, m *core.SeatHello) {
	seat := hearsay.Seat{Slot: m.Slot, Key: m.Key, Life: m.Life}
	if pinned := ss.seed.cfg.Seeds[m.Slot].Key; !pinned.IsZero() && pinned != m.Key {
		ss.seed.stats.Drops[hearsay.DropStranger]++
		ss.differs(now, int(m.Slot), m.Key, ledger.OtherKey(ss.seed.cfg.Seeds[m.Slot].Addr, m.Key, pinned))
		return
	}
	if ss.seed.diskCheck.unsure() {
		ss.seed.diskCheck.goesTo(m)
	}
	ss.unlike[m.Slot] = unlike{}
	ss.noteHeard(now, &heard{seat: seat, founded: m.Founded, founding: m.Founding, without: ss.foundedWithout(m), at: now, since: now})
	if ss.seed.state == nil {
		if ss.seed.founding.IsZero() || ss.seed.founding == m.Founding {
			ss.seatAt(seat)
		}
		if m.Founded && m.Founding == ss.seed.founding && ss.asListed(m.Seats) {
			ss.seatAll(m.Seats)
		}
		ss.named(now, m)
		return
	}
	ss.seed.founder.otherFounding(now, m)
	ss.takeGiven(now, m)
	switch {
	case ss.seed.cfg.Recover:
		return
	case ss.known[m.Slot].seat == seat:
		ss.seed.clocks.showsClock(now, m)
		ss.seed.hearing.hearsAnswer(now, m.Slot)
		if ss.seed.replica.log.last() == ss.seed.replica.log.base && ss.seed.replica.leader() == 0 && !ss.greeted[m.Slot] {
			ss.greeted[m.Slot] = true
			_ = ss.seed.replica.node.Campaign() // just founded: now there is one more to vote
			ss.seed.driver.work(now)
		}
		return
	case !m.Founded && m.Founding.IsZero() && ss.seed.Seated() && ss.seed.state.RefusesSeat(seat) == "":
		ss.seed.requests.ask(now, seat.Key.NodeID(), ledger.Command{Op: ledger.OpSeat, Seat: seat})
	}
	if c := ss.seed.state.SeatCase(m.Slot); c != nil {
		ss.seed.ballots.consider(now, c)
	}
}

// noteHeard keeps what a seed said of itself just now. One with the ledger of another founding
// takes no part, and knows it; the others tell it, too, as an operator of theirs may have
// vouched that it has none. A founding that comes to nothing is given up at once.
func (ss *seats) noteHeard(now time.Time, h *heard) {
	slot := int(h.seat.Slot)
	if old := &ss.heard[slot]; old.justNow(now) && old.seat == h.seat && old.founded == h.founded && old.founding == h.founding {
		h.since = old.since
	}
	ss.heard[slot] = *h
	switch foreign := ss.seed.state != nil && !ss.seed.founder.unborn() && h.founded && !h.founding.IsZero() && h.founding != ss.seed.founding; {
	case !foreign:
		ss.seed.mismatches.Settle(slot)
	case ss.seed.Ready() && now.Sub(h.since) >= ledger.MismatchAfter:
		ss.differs(now, slot, h.seat.Key, otherLedger(ss.seed.cfg.Seeds[slot].Addr))
	}
}

// takeGiven takes a ruling about a seat that a hello carries, if its ballots
// prove it. One of another founding is of another network.
func (ss *seats) takeGiven(now time.Time, m *core.SeatHello) {
	if m.Founding != ss.seed.founding {
		return
	}
	given, ok := ss.proves(m.Given)
	if !ok {
		ss.seek(m)
		return
	}
	ss.give(m.Given, given, hearsay.Event{At: now, By: m.Key.NodeID(), Addr: ss.seed.cfg.Seeds[m.Slot].Addr})
}

// proves reports the life to which a ruling gives a seat, newer than what is known. So a
// seed that was away while a seat changed believes who leads it now. What the
// state has decided it knows better: an old proof may be sent again.
func (ss *seats) proves(r *hearsay.Ruling) (seat hearsay.Seat, ok bool) {
	if r != nil && ss.seed.state != nil && r.Case.Index() <= ss.seed.replica.log.applied && ss.seed.state.CaseOf(r.Case) == nil {
		return seat, false
	}
	seat, ok = ledger.ProvenSeat(ss.seed.Ledger(), ss.seed.signer, r, ss.seed.heads.keys())
	return seat, ok && r.Case > ss.known[seat.Slot].since
}

// recall finds in the ledger the newest ruling about a seat.
func (ss *seats) recall(rulings []*hearsay.Ruling) {
	for _, r := range rulings {
		if r.Kind == hearsay.RulingSeat && (ss.seed.given == nil || r.Case > ss.seed.given.Case) {
			ss.seed.given = r
		}
	}
}

// named takes a seat that others say this life has: it takes part in the log
// from now, with nothing in it, and in no other founding's. What it needs comes
// from who leads.
func (ss *seats) named(now time.Time, m *core.SeatHello) {
	if ss.seed.replica != nil {
		return
	}
	at := slices.IndexFunc(m.Seats, func(s hearsay.Seat) bool { return s == ss.seed.seat() })
	if at >= 0 && len(m.Seats) == len(ss.seed.cfg.Seeds) && !m.Founding.IsZero() {
		if !ss.asListed(m.Seats) {
			ss.seed.stats.Drops[hearsay.DropStranger]++
			ss.wait(now, m, "the seed at "+ss.seed.cfg.Seeds[m.Slot].Addr.String()+" names another key in a seat than the list of seeds pins: want the same file everywhere")
			return
		}
		ss.seatAll(m.Seats)
		ss.seed.records.takePart(m.Founding)
		// of a life that was given up
		ss.seed.driver.persist(&core.KeptSnapshot{Snapshot: &core.LogSnapshot{Index: ledger.FoundingIndex}, Dropped: true})
		ss.seed.replica = newReplica(&ss.seed.cfg, ss.seed.seat().RaftID(ss.seed.cfg.Network), ss.seed.records.emptyLog())
		ss.seed.chain.Begin(ss.seed.founding)
		ss.seed.diskCheck.begin(now)
		ss.why = ""
		ss.seed.event(hearsay.Event{At: now, Kind: hearsay.EventSeatTaken, Subject: ss.seed.signer.Public().NodeID()})
		return
	}
	if m.Founded {
		ss.wait(now, m, ss.notNamed(now))
	}
}

// asListed reports whether the list of seeds pins no other keys than these. Who
// names others lies, or has another list.
func (ss *seats) asListed(seats []hearsay.Seat) bool {
	return !slices.ContainsFunc(seats, func(s hearsay.Seat) bool {
		if int(s.Slot) >= len(ss.seed.cfg.Seeds) {
			return true
		}
		pinned := ss.seed.cfg.Seeds[s.Slot].Key
		return !pinned.IsZero() && !s.Life.IsZero() && s.Key != pinned
	})
}

// foundedWithout reports whether a seed has a ledger in which nobody has had the seat of this seed yet.
func (ss *seats) foundedWithout(m *core.SeatHello) bool {
	return m.Founded && slices.ContainsFunc(m.Seats, func(s hearsay.Seat) bool { return int(s.Slot) == ss.seed.cfg.Slot && s.Life.IsZero() })
}

// notNamed is why a seed waits that has come after the founding.
func (ss *seats) notNamed(now time.Time) string {
	empty := 1 // this one, and others that have nothing of any founding
	for slot := range ss.seed.others() {
		switch h := &ss.heard[slot]; {
		case !h.justNow(now):
		case h.without:
			return "the network was founded without this seed: the others are asked to give it its seat, which a quorum of them must"
		case !h.founded && h.founding.IsZero():
			empty++
		}
	}
	right := ": the others are asked to give it the seat, which a quorum of them must; seeds whose list pins the old key do not"
	if seeds := len(ss.seed.cfg.Seeds); seeds <= 2 {
		right = ", and there is no quorum without it: " + lastUsed("this seed", "the data directory that it")
	} else if seeds-empty < ss.seed.Needed() {
		right = fmt.Sprintf(": of %d seeds %d have lost their part of its ledger, and there is no quorum without them: %s", seeds, empty, lastUsed("these", "the data directories that they"))
	}
	return "the network knows another key in the seat of this seed, as of another data directory" + right
}

// seatAt keeps who sits in a seat, before there is a state that says so.
func (ss *seats) seatAt(seat hearsay.Seat) {
	if ss.known[seat.Slot].seat != seat {
		ss.sit(seat, 0)
		ss.seed.driver.persist(&core.SeedPin{Seat: seat})
	}
}

// seatAll keeps who has come to each seat.
func (ss *seats) seatAll(seats []hearsay.Seat) {
	for _, seat := range seats {
		if !seat.Life.IsZero() {
			ss.seatAt(seat)
		}
	}
}

// wait says why this seed takes no part, as it has heard from another.
func (ss *seats) wait(now time.Time, m *core.SeatHello, why string) {
	ss.say(hearsay.Event{At: now, By: m.Key.NodeID(), Addr: ss.seed.cfg.Seeds[m.Slot].Addr, Text: why})
}

// say says why this seed takes no part, unless it has said just that.
func (ss *seats) say(e hearsay.Event) {
	if ss.why == e.Text {
		return
	}
	ss.why = e.Text
	e.Kind, e.Subject = hearsay.EventSeatWaiting, ss.seed.signer.Public().NodeID()
	ss.seed.event(e)
}

// judgeSeat gives this seed's own verdict on a seat: it has met the new life
// at the configured address, and that one has no ledger.
func (ss *seats) judgeSeat(now time.Time, c *ledger.Case) (hearsay.BallotVerdict, hearsay.Why) {
	slot := c.Opening.Seat.Slot
	if int(slot) == ss.seed.cfg.Slot {
		return hearsay.BallotNo, hearsay.Why{Reason: hearsay.ReasonSeatTaken}
	}
	ss.askSeat(now, int(slot))
	h := ss.heard[slot]
	switch pinned := ss.seed.cfg.Seeds[slot].Key; {
	case !pinned.IsZero() && pinned != c.Opening.Seat.Key:
		return hearsay.BallotNo, hearsay.Why{Reason: hearsay.ReasonPinned}
	case h.at.IsZero() || now.Sub(h.at) > heardFor:
		return 0, hearsay.Why{}
	case h.seat != c.Opening.Seat && h.founded:
		return hearsay.BallotNo, hearsay.Why{Reason: hearsay.ReasonOldLife}
	case h.seat == c.Opening.Seat:
		return hearsay.BallotYes, hearsay.Why{Reason: hearsay.ReasonMet}
	}
	return 0, hearsay.Why{}
}
