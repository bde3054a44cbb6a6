package quorum

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"hearsay/testkit"

	"hearsay"
)

// logOf gives the log that one world came to, and the seats that it began
// with.
func logOf(t *testing.T, seed uint64) (w *world, seats []hearsay.Seat, log [][]byte) {
	t.Helper()
	w = newWorld(t, 3, seed)
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	seats = w.machines[0].q.Seats(nil)
	for range 12 {
		w.newPerson()
	}
	w.must(5*time.Second, "all are in", func() bool { return w.machines[0].q.Epoch() == 12 })
	m := w.machines[0]
	bad := w.people[1].claim()
	bad.Card.Name = "forged"
	w.step(m, func() {
		m.q.Bar(w.now, hearsay.NodeID{9}, "a guest who misbehaved")
		m.q.propose(w.now, command{op: opLeave, leave: hearsay.Leave{Stay: m.q.Roster(nil)[0].Stay}})
		m.q.propose(w.now, command{op: opMove, claim: *bad})
		m.q.propose(w.now, command{op: opSeat, seat: hearsay.Seat{Slot: 1, Key: newKeyed(77).Public(), Life: hearsay.Life{1}}})
		m.q.Report(w.now, &Report{Stay: m.q.Roster(nil)[3].Stay})
	})
	w.people[2].up, w.people[5].up = false, false
	w.must(15*time.Second, "two are out", func() bool { return w.machines[0].q.Epoch() >= 14 })
	return w, seats, entriesOf(m)
}

func entriesOf(m *machine) (log [][]byte) {
	for _, e := range m.q.replica.log.entries[:m.q.replica.log.applied-m.q.replica.log.base] {
		log = append(log, e.GetData())
	}
	return log
}

// applyEntry carries out an entry.
func applyEntry(s *state, index uint64, data []byte) (changes []change) {
	commands, _ := readEntry(data)
	for i := range commands {
		changes = append(changes, s.carry(caseID(index, i), &commands[i])...)
	}
	return changes
}

// The same entries give the same bytes; and a snapshot at any point with the
// rest of the log gives the same, too.
func TestApplyIsPure(t *testing.T) {
	w, seats, log := logOf(t, 7)
	signer := w.machines[1].signer
	apply := func(s *state, from int) [][]byte {
		var changes [][]byte
		for i, data := range log[from:] {
			for _, c := range applyEntry(s, uint64(from+i+2), data) {
				if c.ruling != nil {
					changes = append(changes, c.ruling.AppendBinary(nil))
				}
			}
		}
		return changes
	}
	whole := newState(testNetwork, signer, seats)
	rulings := apply(whole, 0)
	want := whole.appendSnapshot(nil)
	if whole.epoch != w.machines[0].q.Epoch() || whole.head != w.machines[0].q.Head() {
		t.Fatalf("epoch %d, the seeds have %d", whole.epoch, w.machines[0].q.Epoch())
	}
	for at := range log {
		half := newState(testNetwork, signer, seats)
		for i, data := range log[:at] {
			applyEntry(half, uint64(i+2), data)
		}
		first := int(half.epoch)
		taken := half.appendSnapshot(nil)
		back := readSnapshot(testNetwork, signer, taken)
		if back == nil || !bytes.Equal(back.appendSnapshot(nil), taken) {
			t.Fatalf("the snapshot at entry %d is not read back", at)
		}
		rest := apply(back, at)
		if !reflect.DeepEqual(rest, rulings[first:]) && len(rest)+len(rulings[first:]) > 0 {
			t.Fatalf("after a snapshot at entry %d there are other rulings", at)
		}
		if got := back.appendSnapshot(nil); !bytes.Equal(got, want) {
			t.Fatalf("a snapshot at entry %d and the rest come to another state", at)
		}
	}
}

// Whatever stands in an entry, apply takes it or leaves it, on all seeds
// alike.
func TestApplyTakesAnything(t *testing.T) {
	w, seats, log := logOf(t, 8)
	random := rand.New(rand.NewPCG(3, 4))
	a, b := newState(testNetwork, w.machines[0].signer, seats), newState(testNetwork, w.machines[1].signer, seats)
	for i := range 3000 {
		data := slices.Clone(log[random.IntN(len(log))])
		for range random.IntN(4) {
			if len(data) > 0 {
				data[random.IntN(len(data))] ^= byte(1 << random.IntN(8))
			}
		}
		if random.IntN(8) == 0 && len(data) > 0 {
			data = data[:random.IntN(len(data))]
		}
		applyEntry(a, uint64(i+2), data)
		applyEntry(b, uint64(i+2), data)
	}
	if !bytes.Equal(a.appendSnapshot(nil), b.appendSnapshot(nil)) {
		t.Error("the same entries came to two states")
	}
	if a.epoch == 0 && len(a.cases) == 0 {
		t.Error("nothing was taken: the test shows nothing")
	}
}

// bench is a state with one open case, to be voted on.
type bench struct {
	*state
	t     *testing.T
	seeds []*testkit.Signer
	index uint64
}

func newBench(t *testing.T, n int) *bench {
	b := &bench{t: t, index: 1}
	var seats []hearsay.Seat
	for slot := range n {
		b.seeds = append(b.seeds, newKeyed(uint64(slot)))
		seats = append(seats, hearsay.Seat{Slot: uint8(slot), Key: b.seeds[slot].Public(), Life: hearsay.Life{byte(slot + 1)}})
	}
	b.state = newState(testNetwork, b.seeds[0], seats)
	return b
}

func (b *bench) do(c command) []change {
	c.seen = b.index
	b.index++
	return b.carry(caseID(b.index, 0), &c)
}

func (b *bench) open(c command) *openCase {
	b.t.Helper()
	changes := b.do(c)
	if len(changes) != 1 || changes[0].outcome != outOpened {
		b.t.Fatalf("not opened: %+v", changes)
	}
	return changes[0].c
}

func (b *bench) ballot(c *openCase, slot int, verdict hearsay.BallotVerdict) hearsay.Ballot {
	ballot := hearsay.Ballot{
		Case: c.id, About: c.about, Stay: c.stay(), Slot: uint8(slot), Life: b.seats[slot].Life, Verdict: verdict, Why: "seen",
	}
	ballot.Sign(b.ledger(), b.seeds[slot])
	return ballot
}

// last gives what a command ended in.
func last(changes []change) outcome {
	if len(changes) == 0 {
		return outRefused
	}
	return changes[len(changes)-1].outcome
}

func (b *bench) admit(n int) command {
	c := hearsay.Claim{State: hearsay.StateAlive, Incarnation: hearsay.Incarnation(1000 + n)}
	c.Card = hearsay.Card{Name: fmt.Sprintf("p%d", n), Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n + 101)}), 5000), Role: hearsay.RolePeer}
	c.Sign(testNetwork, newKeyed(uint64(500+n)))
	return command{op: opAdmit, claim: c}
}

// member admits one, and gives its stay.
func (b *bench) member(n int) hearsay.Stay {
	b.t.Helper()
	c := b.open(b.admit(n))
	for slot := range b.quorum() {
		b.do(command{op: opBallot, ballot: b.ballot(c, slot, hearsay.BallotYes)})
	}
	m := b.members.get(c.opening.claim.Subject)
	if m == nil {
		b.t.Fatal("not admitted")
	}
	return m.Stay
}

// For every number of seeds: floor(n/2)+1 equal ballots decide, and as soon as
// that cannot be any more the case ends.
func TestQuorumOfEqualBallots(t *testing.T) {
	for n := 1; n <= 7; n++ {
		quorum := n/2 + 1
		b := newBench(t, n)
		c := b.open(b.admit(n))
		for slot := range quorum {
			got := last(b.do(command{op: opBallot, ballot: b.ballot(c, slot, hearsay.BallotYes)}))
			if want := slot+1 == quorum; (got == outRuled) != want {
				t.Errorf("%d seeds: %d yes: %v", n, slot+1, got)
			}
		}
		b = newBench(t, n)
		c = b.open(b.admit(n))
		for slot := range n {
			got := last(b.do(command{op: opBallot, ballot: b.ballot(c, slot, hearsay.BallotNo)}))
			if want := n-slot-1 < quorum; (got == outAborted) != want {
				t.Errorf("%d seeds: %d no: %v", n, slot+1, got)
			}
			if got == outAborted {
				break
			}
		}
		if b.epoch != 0 {
			t.Errorf("%d seeds: an abort took an epoch", n)
		}
	}
}

func TestBallotsThatDoNotCount(t *testing.T) {
	for name, spoil := range map[string]func(b *bench, c *openCase, ballot *hearsay.Ballot){
		"not signed": func(_ *bench, _ *openCase, v *hearsay.Ballot) { v.Signature[5]++ },
		"by another": func(b *bench, _ *openCase, v *hearsay.Ballot) { v.Sign(b.ledger(), b.seeds[2]) },
		"of another network": func(b *bench, _ *openCase, v *hearsay.Ballot) {
			v.Sign(hearsay.LedgerID{Network: hearsay.NetworkID{1}, Founding: b.began}, b.seeds[1])
		},
		"of another founding": func(b *bench, _ *openCase, v *hearsay.Ballot) {
			v.Sign(hearsay.LedgerID{Network: testNetwork, Founding: hearsay.Hash{1}}, b.seeds[1])
		},
		"about another thing": func(b *bench, _ *openCase, v *hearsay.Ballot) { v.About[0]++; v.Sign(b.ledger(), b.seeds[1]) },
		"on another stay":     func(b *bench, _ *openCase, v *hearsay.Ballot) { v.Stay.Epoch++; v.Sign(b.ledger(), b.seeds[1]) },
		"on another case":     func(b *bench, _ *openCase, v *hearsay.Ballot) { v.Case++; v.Sign(b.ledger(), b.seeds[1]) },
		"of another life":     func(b *bench, _ *openCase, v *hearsay.Ballot) { v.Life[0]++; v.Sign(b.ledger(), b.seeds[1]) },
		"with another reason": func(_ *bench, _ *openCase, v *hearsay.Ballot) { v.Why = "because" },
		"turned around":       func(_ *bench, _ *openCase, v *hearsay.Ballot) { v.Verdict = hearsay.BallotNo },
		"cast already":        func(b *bench, c *openCase, v *hearsay.Ballot) { *v = b.ballot(c, 0, hearsay.BallotYes) },
		"of no seat":          func(_ *bench, _ *openCase, v *hearsay.Ballot) { v.Slot = 9 },
	} {
		b := newBench(t, 3)
		c := b.open(b.admit(1))
		b.do(command{op: opBallot, ballot: b.ballot(c, 0, hearsay.BallotYes)})
		bad := b.ballot(c, 1, hearsay.BallotYes)
		spoil(b, c, &bad)
		if b.do(command{op: opBallot, ballot: bad}); b.epoch != 0 || len(c.ballots) != 1 {
			t.Errorf("%s: it counted", name)
		}
		if b.do(command{op: opBallot, ballot: b.ballot(c, 1, hearsay.BallotYes)}); b.epoch != 1 {
			t.Errorf("%s: the true one does not count any more", name)
		}
	}
}

// A seat that says no and then yes has said no: the first counts.
func TestFirstBallotCounts(t *testing.T) {
	b := newBench(t, 3)
	c := b.open(b.admit(1))
	b.do(command{op: opBallot, ballot: b.ballot(c, 0, hearsay.BallotNo)})
	b.do(command{op: opBallot, ballot: b.ballot(c, 0, hearsay.BallotYes)})
	if b.do(command{op: opBallot, ballot: b.ballot(c, 1, hearsay.BallotYes)}); b.epoch != 0 {
		t.Error("ruled by one seed and another that changed its mind")
	}
}

func TestOneSeedThatReachesItEndsAShortCase(t *testing.T) {
	for rule, want := range map[hearsay.Rule]outcome{hearsay.RuleTrial: outAborted, hearsay.RuleWatch: outAborted, hearsay.RuleTimeout: outAborted, hearsay.RuleMajority: outBalloted} {
		b := newBench(t, 5)
		stay := b.member(1)
		e := &hearsay.Evidence{Subject: stay.ID, Rule: min(rule, hearsay.RuleTimeout)}
		c := b.open(command{op: opRemove, stay: stay, rule: rule, evidence: e})
		b.do(command{op: opBallot, ballot: b.ballot(c, 1, hearsay.BallotYes)})
		if got := last(b.do(command{op: opBallot, ballot: b.ballot(c, 0, hearsay.BallotNo)})); got != want {
			t.Errorf("%v: %v", rule, got)
		}
	}
}

func TestOneCaseAtATime(t *testing.T) {
	b := newBench(t, 3)
	stay := b.member(0)
	first := b.admit(1)
	b.open(first)
	again := first
	sameAddr := b.admit(2)
	sameAddr.claim.Card.Addr = first.claim.Card.Addr
	removal := command{op: opRemove, stay: stay, rule: hearsay.RuleTrial}
	b.open(removal)
	seat := command{op: opSeat, seat: hearsay.Seat{Slot: 2, Key: newKeyed(9).Public(), Life: hearsay.Life{9}}}
	b.open(seat)
	other := seat
	other.seat.Life[1]++
	old := removal
	old.stay.Epoch--
	for name, c := range map[string]command{
		"of one identity": again, "at one address": sameAddr, "of one stay": removal, "of a stay that was not": old, "of one seat": other,
		"of a member": b.admit(0),
	} {
		if got := last(b.do(c)); got != outRefused {
			t.Errorf("a second case %s: %v", name, got)
		}
	}
}

func TestStaysDoNotComeBack(t *testing.T) {
	b := newBench(t, 3)
	opening := b.admit(1)
	stay := b.member(1)
	l := hearsay.Leave{Stay: stay}
	l.Sign(b.ledger(), newKeyed(501))
	forged := l
	forged.Signature[0]++
	if last(b.do(command{op: opLeave, leave: forged})) != outRefused || !b.members.has(stay) {
		t.Fatal("a forged leave counts")
	}
	if last(b.do(command{op: opLeave, leave: l})) != outRuled || b.members.has(stay) {
		t.Fatal("a leave does not count")
	}
	if last(b.do(opening)) != outRefused {
		t.Error("its old claim brings it back")
	}
	again := opening.claim
	again.Incarnation++
	again.Sign(testNetwork, newKeyed(501))
	c := b.open(command{op: opAdmit, claim: again})
	for slot := range 2 {
		b.do(command{op: opBallot, ballot: b.ballot(c, slot, hearsay.BallotYes)})
	}
	next := b.members.get(stay.ID)
	if next == nil || next.Stay == stay || next.Stay.Epoch != 3 {
		t.Fatalf("it is not a new stay: %+v", next)
	}
	if told := b.do(command{op: opLeave, leave: l}); len(told) > 0 || !b.members.has(next.Stay) {
		t.Errorf("the leave of the old stay, which several seeds may have taken, ends the new one, or is told of: %v", told)
	}
	if last(b.do(command{op: opRemove, stay: stay, rule: hearsay.RuleTrial})) != outRefused {
		t.Error("a report of the old stay opens a case about the new one")
	}
}

func TestBarredAreRefused(t *testing.T) {
	b := newBench(t, 3)
	one := b.admit(1)
	c := b.open(one)
	if changes := b.do(command{op: opBar, id: one.claim.Subject, why: "no"}); last(changes) != outAborted || b.find(c.id) != nil {
		t.Error("a bar leaves an open case")
	}
	if last(b.do(one)) != outRefused {
		t.Error("one who is barred gets a case")
	}
	b.do(command{op: opLift, id: one.claim.Subject})
	b.open(one)
}

func TestHashOfTheRoster(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	random := rand.New(rand.NewPCG(1, 2))
	var all members
	in := make(map[hearsay.NodeID]hearsay.Epoch)
	for i := range 2000 {
		id := hearsay.NodeID{byte(random.IntN(256)), byte(random.IntN(4))}
		if in[id] > 0 {
			all.remove(id)
			delete(in, id)
		} else {
			in[id] = hearsay.Epoch(i + 1)
			all.add(Member{Stay: hearsay.Stay{ID: id, Epoch: in[id]}})
		}
		if i%50 > 0 {
			continue
		}
		var fresh members
		for _, m := range all.all(nil) {
			if in[m.Stay.ID] != m.Stay.Epoch {
				t.Fatalf("%v is in at %d, not %d", m.Stay.ID, m.Stay.Epoch, in[m.Stay.ID])
			}
			fresh.add(m)
		}
		if all.hash(testNetwork) != fresh.hash(testNetwork) || all.count != len(in) {
			t.Fatal("the hash depends on what was before")
		}
	}
	before := all.hash(testNetwork)
	one := all.all(nil)[0]
	all.remove(one.Stay.ID)
	one.Stay.Epoch++
	all.add(one)
	if all.hash(testNetwork) == before {
		t.Error("another stay of one node has the same hash")
	}
}

// A seed that lies may write any text into the log. A reason that would steer a terminal
// counts for nothing, on every seed alike; nor does a seed write one for an operator.
func TestReasonsArePlain(t *testing.T) {
	w := followed(t, 61, 1)
	q := w.machines[0].q
	p := &person{n: 9, key: newKeyed(99), addr: netip.MustParseAddrPort("10.1.7.7:6000"), at: hearsay.Incarnation(w.now.UnixMilli())}
	for why, want := range map[string]outcome{"it answers at 10.1.7.7:6000": outBalloted, "it answers\x1b[2J": outRefused, "\u202eno": outRefused, "\xff": outRefused} {
		s := readSnapshot(testNetwork, q.signer, q.state.appendSnapshot(nil))
		opened := applyEntry(s, 1000, appendEntry(nil, []command{{op: opAdmit, claim: *p.claim()}}))
		if len(opened) != 1 || opened[0].outcome != outOpened {
			t.Fatalf("no case is opened: %+v", opened)
		}
		c := opened[0].c
		b := hearsay.Ballot{Case: c.id, About: c.about, Stay: c.stay(), Life: s.seats[0].Life, Verdict: hearsay.BallotYes, Why: why}
		b.Sign(q.Ledger(), w.machines[0].signer)
		cast := applyEntry(s, 1001, appendEntry(nil, []command{{op: opBallot, ballot: b}}))
		if len(cast) != 1 || cast[0].outcome != want {
			t.Errorf("a ballot with the reason %q comes to %+v", why, cast)
		}
		barred := applyEntry(s, 1002, appendEntry(nil, []command{{op: opBar, id: p.id(), why: why}}))
		lifted := applyEntry(s, 1003, appendEntry(nil, []command{{op: opLift, id: p.id(), seen: 1002, why: why}}))
		if taken := want == outBalloted; (len(barred) > 0) != taken || (len(lifted) > 0) != taken {
			t.Errorf("a bar with the reason %q comes to %+v, and its end to %+v", why, barred, lifted)
		}
		if answer := q.Bar(w.now, p.id(), why); (answer.Code == AnswerRefused) != (want == outRefused) {
			t.Errorf("who asks for a bar with the reason %q is answered %+v", why, answer)
		}
		q.forget(p.id())
	}
}

// One that comes and goes takes one place among those that are remembered, and has nobody
// forgotten that was removed.
func TestDepartedTakesOnePlace(t *testing.T) {
	s := newState(testNetwork, newKeyed(1), nil)
	s.depart(hearsay.NodeID{1}, 7, true)
	for i := range hearsay.Incarnation(maxDeparted) {
		s.depart(hearsay.NodeID{2}, i, true)
	}
	if len(s.departed) != 2 || s.departedAt(hearsay.NodeID{1}) != 7 || s.departedAt(hearsay.NodeID{2}) != maxDeparted-1 {
		t.Errorf("%d are remembered, of incarnations %d and %d", len(s.departed), s.departedAt(hearsay.NodeID{1}), s.departedAt(hearsay.NodeID{2}))
	}
}
