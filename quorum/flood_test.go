package quorum

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
)

// stranger is nobody's address, and where forged messages come from.
var stranger = netip.MustParseAddrPort("10.9.9.9:999")

func from(addr netip.AddrPort, body hearsay.Message) *hearsay.Packet {
	return &hearsay.Packet{From: hearsay.NodeID{3}, Addr: addr, Stream: true, Body: body}
}

// forgedHeads is as many heads as fit a message, of epochs to come, signed by
// somebody else.
func (w *world) forgedHeads(seeds int) (heads []hearsay.Head) {
	for i := range hearsay.MaxHeads {
		h := hearsay.Head{Founding: w.ledger().Founding, Epoch: hearsay.Epoch(1<<40 + i), Slot: uint8(i % seeds)}
		h.Sign(testNetwork, newKeyed(7777))
		heads = append(heads, h)
	}
	return heads
}

// flood has a stranger send something every so often, until the test ends.
func (w *world) flood(every time.Duration, send func()) {
	send()
	w.after(every, func() { w.flood(every, send) })
}

// Forged heads do not keep seeds from proving what they rule.
func TestForgedHeadsDoNotStopSeeds(t *testing.T) {
	w := followed(t, 31, 3)
	w.flood(time.Millisecond, func() {
		for _, m := range w.machines {
			w.step(m, func() { m.q.Receive(w.now, from(stranger, &hearsay.Rulings{Heads: w.forgedHeads(3)})) })
		}
	})
	w.run(time.Second)
	w.newPerson()
	w.must(3*time.Second, "a ruling is proven", func() bool {
		for _, m := range w.machines {
			if m.q.Proven() != 4 {
				return false
			}
		}
		return true
	})
}

// A message of forged heads costs a seed one check, also if they are said to be its
// own.
func TestForgedHeadsCostOneCheck(t *testing.T) {
	w := followed(t, 31, 1)
	for _, m := range w.machines[:2] {
		before := m.drops[hearsay.DropBadSignature]
		w.step(m, func() { m.q.Receive(w.now, from(stranger, &hearsay.Rulings{Heads: w.forgedHeads(1)})) })
		if n := m.drops[hearsay.DropBadSignature] - before; n != 1 {
			t.Errorf("seed %d: %d checks", m.slot, n)
		}
	}
}

// Nor do they, or forged rulings about seats, keep peers from following.
func TestForgedProofsDoNotStopFollowers(t *testing.T) {
	w := followed(t, 32, 3)
	f := w.newFollower()
	w.must(5*time.Second, "it follows", w.follows)
	forged := &hearsay.Ruling{Epoch: 1 << 40, Kind: hearsay.RulingSeat, Case: 1 << 40, Seats: []hearsay.Seat{{Slot: 1, Key: newKeyed(1).Public(), Life: hearsay.Life{1}}}}
	for slot := range uint8(hearsay.MaxSeeds) {
		b := hearsay.Ballot{Case: forged.Case, About: forged.About(testNetwork), Slot: slot % 3, Verdict: hearsay.BallotYes}
		b.Sign(w.ledger(), newKeyed(7777))
		forged.Ballots = append(forged.Ballots, b)
	}
	items := make([]*hearsay.Ruling, hearsay.MaxRulings)
	for i := range items {
		items[i] = forged
	}
	w.flood(time.Millisecond, func() {
		f.step(func() {
			f.Receive(w.now, from(stranger, &hearsay.Rulings{Heads: w.forgedHeads(3)}))
			f.Receive(w.now, from(stranger, &hearsay.Rulings{Items: items}))
		})
	})
	w.run(time.Second)
	w.newPerson()
	w.must(4*time.Second, "it follows still", func() bool { return f.Epoch() == 4 })
}

// A stranger who talks does not become the only one who is asked, and does not
// keep a peer from asking.
func TestStrangersAreNotAsked(t *testing.T) {
	for _, every := range []time.Duration{7 * time.Millisecond, 900 * time.Millisecond} {
		w := followed(t, 33, 3)
		late := w.newFollower()
		w.flood(every, func() { late.step(func() { late.Receive(w.now, from(stranger, &hearsay.Rulings{})) }) })
		w.must(5*time.Second, "a newcomer follows", w.follows)
		w.newPerson()
		w.must(8*time.Second, "it follows a change that nobody tells it", func() bool { return late.Epoch() == 4 })
	}
}

// Parts of a roster that was not asked for do not stand in the way of one that
// was.
func TestStrangersRostersAreNotTaken(t *testing.T) {
	w := followed(t, 34, 3)
	w.truncate(2)
	f := w.newFollower()
	part := func(parts uint16) *hearsay.RosterPart {
		return &hearsay.RosterPart{Ruling: &hearsay.Ruling{Epoch: 9, Kind: hearsay.RulingAdmit}, Parts: parts}
	}
	w.flood(10*time.Millisecond, func() {
		f.step(func() { f.Receive(w.now, from(stranger, part(2))) })
	})
	w.must(4*time.Second, "it follows", w.follows)
}

// truncate has the seeds keep only rulings after an epoch.
func (w *world) truncate(epoch hearsay.Epoch) {
	for _, m := range w.machines {
		c := &m.q.chain
		n := epoch - c.Base
		c.BaseHash, c.Links, c.Base = c.Links[n-1].Hash, c.Links[n:], epoch
	}
}

// A neighbor that goes on answering with what nobody has signed is not asked on
// for ever.
func TestSlowLiarIsLeft(t *testing.T) {
	w := followed(t, 35, 3)
	f := w.newFollower()
	w.must(5*time.Second, "it follows", w.follows)
	f.links, f.deaf = []netip.AddrPort{stranger}, true
	for range 200 {
		w.newPerson()
	}
	w.must(20*time.Second, "more are in", func() bool { return w.machines[0].q.Epoch() == 203 && w.agree() })
	f.deaf, f.asked = false, stranger
	f.step(func() { f.Receive(w.now, from(stranger, &hearsay.Rulings{Heads: w.machines[0].q.Heads()})) })
	w.flood(400*time.Millisecond, func() {
		if f.asked == stranger {
			r := &hearsay.Ruling{Epoch: f.chain.Epoch() + 1, Kind: hearsay.RulingLeave, Previous: f.chain.HeadHash()}
			f.step(func() { f.Receive(w.now, from(stranger, &hearsay.Rulings{Items: []*hearsay.Ruling{r}})) })
		}
	})
	w.must(45*time.Second, "it follows again", w.follows)
}

// A roster of which only a part gets through at a time comes whole in the end.
func TestLargeRosterComesInPieces(t *testing.T) {
	w := followed(t, 36, 1)
	for range 3 * hearsay.MaxRosterMembers {
		w.newPerson()
	}
	n := hearsay.Epoch(3*hearsay.MaxRosterMembers + 1)
	w.must(time.Minute, "all are in", func() bool { return w.machines[0].q.Epoch() == n && w.agree() })
	f := w.newFollower()
	w.must(5*time.Second, "it has met them", func() bool { return !f.pins[0].Seat.Key.IsZero() && !f.pins[1].Seat.Key.IsZero() })
	f.deaf = true
	f.start()
	f.chain.Begin(w.ledger().Founding) // as their hellos say
	q, out := w.machines[0].q, w.machines[0].out
	for range 10 {
		q.budgets = newBudgets(1)
		q.ledgerReq(w.now, from(f.addr, nil), &hearsay.LedgerReq{})
		sent := out.Send
		out.Send, f.asked = nil, seedAddr(0)
		for _, p := range sent[:2] {
			f.step(func() { f.Receive(w.now, from(seedAddr(0), p.Body)) })
		}
	}
	if g := &f.gathering; g.count > joinsAStep {
		t.Errorf("a step looks at %d members, want at most %d", g.count, joinsAStep)
	}
	if !f.gathering.full() {
		t.Errorf("after ten times it has %d of %d parts", f.gathering.got, len(f.gathering.parts))
	}
	w.must(2*time.Second, "all claims are verified", func() bool { return f.Epoch() == n })
}

// knocker makes somebody up who asks to be in, from an address of a source.
func knocker(n int, source byte) *hearsay.Claim {
	p := &person{n: n, key: newKeyed(uint64(500_000 + n)), at: 1}
	p.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 66, 0, source}), uint16(1024+n%60_000))
	return p.claim()
}

// Two or three who make up newcomers do not keep others from being asked.
func TestFewSourcesDoNotShutTheDoor(t *testing.T) {
	w := followed(t, 36, 3)
	n := 0
	w.flood(500*time.Microsecond, func() {
		n += 2
		for _, m := range w.machines {
			w.step(m, func() { m.q.Admit(w.now, knocker(n-1, byte(n%3))); m.q.Admit(w.now, knocker(n, byte(n/2%3))) })
		}
	})
	w.run(time.Second)
	for _, m := range w.machines {
		if len(m.q.knocks) < maxKnocks-1 {
			t.Fatalf("%d are being asked: the test shows nothing", len(m.q.knocks))
		}
	}
	const newcomers = 20
	turned := 0
	for i := range newcomers {
		p := &person{n: 100 + i, key: newKeyed(uint64(400_000 + i)), up: true, at: hearsay.Incarnation(w.now.UnixMilli())}
		p.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(i)}), 6000)
		w.people = append(w.people, p)
		m := w.machines[i%3]
		w.step(m, func() {
			if a := m.q.Admit(w.now, p.claim()); a.Code != AnswerPending {
				turned++
			}
		})
		w.run(10 * time.Millisecond)
	}
	w.runUntil(2*time.Second, func() bool { return w.machines[0].q.Epoch() == 3+newcomers })
	if got := w.machines[0].q.Epoch() - 3; turned > 0 || got != newcomers {
		t.Errorf("%d of %d are turned away, %d are in after %v", turned, newcomers, got, 2*time.Second)
	}
}

// Nor do many who have made up one each: a home has hundreds of IPv6 networks.
func TestManySourcesDoNotShutTheDoor(t *testing.T) {
	w := followed(t, 39, 3)
	m := w.machines[0]
	lone := func(n int) *hearsay.Claim { // of a source of its own
		p := &person{n: n, key: newKeyed(uint64(700_000 + n)), at: 1}
		p.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 67, byte(n >> 8), byte(n)}), 6000)
		return p.claim()
	}
	admit := func(n int) (a Answer) {
		w.step(m, func() { a = m.q.Admit(w.now, lone(n)) })
		return a
	}
	for n := range maxKnocks {
		if a := admit(n); a.Code != AnswerPending {
			t.Fatalf("number %d: %+v", n, a)
		}
	}
	if a := admit(maxKnocks); a.Code != AnswerWait {
		t.Errorf("in the place of one that has just come: %+v", a)
	}
	w.run(yieldAfter)
	for n := range 10 {
		if a := admit(maxKnocks + n); a.Code != AnswerPending {
			t.Errorf("another source's: %+v", a)
		}
	}
}

// A source that is alone has all the room, and one of many is no worse off than
// before: who answers is not sent away for others who do.
func TestManyFromOneSource(t *testing.T) {
	w := followed(t, 37, 3)
	m := w.machines[0]
	w.step(m, func() {
		for n := range maxKnocks {
			if a := m.q.Admit(w.now, knocker(n, 1)); a.Code != AnswerPending {
				t.Fatalf("number %d: %+v", n, a)
			}
		}
		if a := m.q.Admit(w.now, knocker(maxKnocks, 1)); a.Code != AnswerWait {
			t.Errorf("beyond the table: %+v", a)
		}
		if a := m.q.Admit(w.now, knocker(maxKnocks, 2)); a.Code != AnswerWait {
			t.Errorf("in the place of who has just come: %+v", a)
		}
	})
	w.run(yieldAfter)
	w.step(m, func() {
		if a := m.q.Admit(w.now, knocker(maxKnocks, 1)); a.Code != AnswerWait {
			t.Errorf("in the place of its own: %+v", a)
		}
		for n := range 10 {
			if a := m.q.Admit(w.now, knocker(maxKnocks+n, 2)); a.Code != AnswerPending {
				t.Errorf("another source's number %d: %+v", n, a)
			}
		}
	})
}

// Messages of the log that strangers make up cost a seed no more than it says,
// and those of seeds are not among them.
func TestForgedLogDoesNotStopSeeds(t *testing.T) {
	w := followed(t, 38, 3)
	data := make([]byte, 60<<10)
	w.flood(time.Millisecond, func() {
		for i, m := range w.machines {
			other := w.machines[(i+1)%3]
			f := &hearsay.Raft{Slot: uint8(other.slot), Type: 3, To: m.q.replica.id, From: other.q.replica.id, Term: 9, Entries: []hearsay.LogEntry{{Data: data}}}
			w.step(m, func() { m.q.Receive(w.now, from(stranger, f)) })
		}
	})
	before := w.machines[0].drops
	const ticks = 20
	w.run(ticks * w.cfg.TickEvery)
	verified := w.machines[0].drops[hearsay.DropBadSignature] - before[hearsay.DropBadSignature]
	dropped := w.machines[0].drops[hearsay.DropRate] - before[hearsay.DropRate]
	if most := uint64((ticks+1)*unlistedASecond/10/len(data)) + 1; verified == 0 || verified > most || dropped == 0 {
		t.Errorf("%d were verified, want at most %d; %d were not", verified, most, dropped)
	}
	w.newPerson()
	w.must(3*time.Second, "they rule", func() bool { return w.machines[0].q.Epoch() == 4 && w.machines[2].q.Epoch() == 4 })
}
