package ledger

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/cryptotest"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/testkit"
)

// bench is a state with one open case, to be voted on.
type bench struct {
	*State
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
	b.State = NewState(testNetwork, b.seeds[0], seats)
	return b
}

func (b *bench) do(c Command) []Change {
	c.Seen = b.index
	b.index++
	return b.Apply(CaseIDAt(b.index, 0), &c)
}

func (b *bench) open(c Command) *Case {
	b.t.Helper()
	changes := b.do(c)
	if len(changes) != 1 || changes[0].Outcome != OutOpened {
		b.t.Fatalf("not opened: %+v", changes)
	}
	return changes[0].Case
}

func (b *bench) ballot(c *Case, slot int, verdict hearsay.BallotVerdict) hearsay.Ballot {
	ballot := hearsay.Ballot{
		Case: c.ID, About: c.About, Stay: c.Stay(), Slot: uint8(slot), Life: b.Seats[slot].Life, Verdict: verdict, Why: hearsay.Why{Reason: hearsay.ReasonMet},
	}
	ballot.Sign(b.Ledger(), b.seeds[slot])
	return ballot
}

// last gives what a command ended in.
func last(changes []Change) Outcome {
	if len(changes) == 0 {
		return OutRefused
	}
	return changes[len(changes)-1].Outcome
}

func (b *bench) admit(n int) Command {
	c := hearsay.Claim{State: hearsay.StateAlive, Incarnation: hearsay.Incarnation(1000 + n)}
	c.Card = hearsay.Card{Name: fmt.Sprintf("p%d", n), Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n + 101)}), 5000), Role: hearsay.RolePeer}
	c.Sign(testNetwork, newKeyed(uint64(500+n)))
	return Command{Op: OpAdmit, Claim: c}
}

// member admits one, and gives its stay.
func (b *bench) member(n int) hearsay.Stay {
	b.t.Helper()
	c := b.open(b.admit(n))
	for slot := range b.Quorum() {
		b.do(Command{Op: OpBallot, Ballot: b.ballot(c, slot, hearsay.BallotYes)})
	}
	m := b.Members.Get(c.Opening.Claim.Subject)
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
			got := last(b.do(Command{Op: OpBallot, Ballot: b.ballot(c, slot, hearsay.BallotYes)}))
			if want := slot+1 == quorum; (got == OutRuled) != want {
				t.Errorf("%d seeds: %d yes: %v", n, slot+1, got)
			}
		}
		b = newBench(t, n)
		c = b.open(b.admit(n))
		for slot := range n {
			got := last(b.do(Command{Op: OpBallot, Ballot: b.ballot(c, slot, hearsay.BallotNo)}))
			if want := n-slot-1 < quorum; (got == OutAborted) != want {
				t.Errorf("%d seeds: %d no: %v", n, slot+1, got)
			}
			if got == OutAborted {
				break
			}
		}
		if b.Epoch != 0 {
			t.Errorf("%d seeds: an abort took an epoch", n)
		}
	}
}

func TestBallotsThatDoNotCount(t *testing.T) {
	for name, spoil := range map[string]func(b *bench, c *Case, ballot *hearsay.Ballot){
		"not signed": func(_ *bench, _ *Case, v *hearsay.Ballot) { v.Signature[5]++ },
		"by another": func(b *bench, _ *Case, v *hearsay.Ballot) { v.Sign(b.Ledger(), b.seeds[2]) },
		"of another network": func(b *bench, _ *Case, v *hearsay.Ballot) {
			v.Sign(hearsay.LedgerID{Network: hearsay.NetworkID{1}, Founding: b.Began}, b.seeds[1])
		},
		"of another founding": func(b *bench, _ *Case, v *hearsay.Ballot) {
			v.Sign(hearsay.LedgerID{Network: testNetwork, Founding: hearsay.Hash{1}}, b.seeds[1])
		},
		"about another thing": func(b *bench, _ *Case, v *hearsay.Ballot) { v.About[0]++; v.Sign(b.Ledger(), b.seeds[1]) },
		"on another stay":     func(b *bench, _ *Case, v *hearsay.Ballot) { v.Stay.Epoch++; v.Sign(b.Ledger(), b.seeds[1]) },
		"on another case":     func(b *bench, _ *Case, v *hearsay.Ballot) { v.Case++; v.Sign(b.Ledger(), b.seeds[1]) },
		"of another life":     func(b *bench, _ *Case, v *hearsay.Ballot) { v.Life[0]++; v.Sign(b.Ledger(), b.seeds[1]) },
		"with another reason": func(_ *bench, _ *Case, v *hearsay.Ballot) { v.Why.Reason = hearsay.ReasonRefuted },
		"turned around":       func(_ *bench, _ *Case, v *hearsay.Ballot) { v.Verdict = hearsay.BallotNo },
		"cast already":        func(b *bench, c *Case, v *hearsay.Ballot) { *v = b.ballot(c, 0, hearsay.BallotYes) },
		"of no seat":          func(_ *bench, _ *Case, v *hearsay.Ballot) { v.Slot = 9 },
	} {
		b := newBench(t, 3)
		c := b.open(b.admit(1))
		b.do(Command{Op: OpBallot, Ballot: b.ballot(c, 0, hearsay.BallotYes)})
		bad := b.ballot(c, 1, hearsay.BallotYes)
		spoil(b, c, &bad)
		if b.do(Command{Op: OpBallot, Ballot: bad}); b.Epoch != 0 || len(c.Ballots) != 1 {
			t.Errorf("%s: it counted", name)
		}
		if b.do(Command{Op: OpBallot, Ballot: b.ballot(c, 1, hearsay.BallotYes)}); b.Epoch != 1 {
			t.Errorf("%s: the true one does not count any more", name)
		}
	}
}

// A seat that says no and then yes has said no: the first counts.
func TestFirstBallotCounts(t *testing.T) {
	b := newBench(t, 3)
	c := b.open(b.admit(1))
	b.do(Command{Op: OpBallot, Ballot: b.ballot(c, 0, hearsay.BallotNo)})
	b.do(Command{Op: OpBallot, Ballot: b.ballot(c, 0, hearsay.BallotYes)})
	if b.do(Command{Op: OpBallot, Ballot: b.ballot(c, 1, hearsay.BallotYes)}); b.Epoch != 0 {
		t.Error("ruled by one seed and another that changed its mind")
	}
}

func TestOneSeedThatReachesItEndsAShortCase(t *testing.T) {
	for rule, want := range map[hearsay.Rule]Outcome{hearsay.RuleTrial: OutAborted, hearsay.RuleWatch: OutAborted, hearsay.RuleTimeout: OutAborted, hearsay.RuleMajority: OutBalloted} {
		b := newBench(t, 5)
		stay := b.member(1)
		e := &hearsay.Evidence{Subject: stay.ID, Rule: min(rule, hearsay.RuleTimeout)}
		c := b.open(Command{Op: OpRemove, Stay: stay, Rule: rule, Evidence: e})
		b.do(Command{Op: OpBallot, Ballot: b.ballot(c, 1, hearsay.BallotYes)})
		if got := last(b.do(Command{Op: OpBallot, Ballot: b.ballot(c, 0, hearsay.BallotNo)})); got != want {
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
	sameAddr.Claim.Card.Addr = first.Claim.Card.Addr
	removal := Command{Op: OpRemove, Stay: stay, Rule: hearsay.RuleTrial}
	b.open(removal)
	seat := Command{Op: OpSeat, Seat: hearsay.Seat{Slot: 2, Key: newKeyed(9).Public(), Life: hearsay.Life{9}}}
	b.open(seat)
	other := seat
	other.Seat.Life[1]++
	old := removal
	old.Stay.Epoch--
	for name, c := range map[string]Command{
		"of one identity": again, "at one address": sameAddr, "of one stay": removal, "of a stay that was not": old, "of one seat": other,
		"of a member": b.admit(0),
	} {
		if got := last(b.do(c)); got != OutRefused {
			t.Errorf("a second case %s: %v", name, got)
		}
	}
}

func TestStaysDoNotComeBack(t *testing.T) {
	b := newBench(t, 3)
	opening := b.admit(1)
	stay := b.member(1)
	l := core.Leave{Stay: stay}
	l.Sign(b.Ledger(), newKeyed(501))
	forged := l
	forged.Signature[0]++
	if last(b.do(Command{Op: OpLeave, Leave: forged})) != OutRefused || !b.Members.Has(stay) {
		t.Fatal("a forged leave counts")
	}
	if last(b.do(Command{Op: OpLeave, Leave: l})) != OutRuled || b.Members.Has(stay) {
		t.Fatal("a leave does not count")
	}
	if last(b.do(opening)) != OutRefused {
		t.Error("its old claim brings it back")
	}
	again := opening.Claim
	again.Incarnation++
	again.Sign(testNetwork, newKeyed(501))
	c := b.open(Command{Op: OpAdmit, Claim: again})
	for slot := range 2 {
		b.do(Command{Op: OpBallot, Ballot: b.ballot(c, slot, hearsay.BallotYes)})
	}
	next := b.Members.Get(stay.ID)
	if next == nil || next.Stay == stay || next.Stay.Epoch != 3 {
		t.Fatalf("it is not a new stay: %+v", next)
	}
	if told := b.do(Command{Op: OpLeave, Leave: l}); len(told) > 0 || !b.Members.Has(next.Stay) {
		t.Errorf("the leave of the old stay, which several seeds may have taken, ends the new one, or is told of: %v", told)
	}
	if last(b.do(Command{Op: OpRemove, Stay: stay, Rule: hearsay.RuleTrial})) != OutRefused {
		t.Error("a report of the old stay opens a case about the new one")
	}
}

func TestBarredAreRefused(t *testing.T) {
	b := newBench(t, 3)
	one := b.admit(1)
	c := b.open(one)
	if changes := b.do(Command{Op: OpBar, ID: one.Claim.Subject, Why: "no"}); last(changes) != OutAborted || b.CaseOf(c.ID) != nil {
		t.Error("a bar leaves an open case")
	}
	if last(b.do(one)) != OutRefused {
		t.Error("one who is barred gets a case")
	}
	b.do(Command{Op: OpLift, ID: one.Claim.Subject})
	b.open(one)
}

func TestHashOfTheRoster(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	random := rand.New(rand.NewPCG(1, 2))
	var all Members
	in := make(map[hearsay.NodeID]hearsay.Epoch)
	for i := range 2000 {
		id := hearsay.NodeID{byte(random.IntN(256)), byte(random.IntN(4))}
		if in[id] > 0 {
			all.Remove(id)
			delete(in, id)
		} else {
			in[id] = hearsay.Epoch(i + 1)
			all.Add(Member{Stay: hearsay.Stay{ID: id, Epoch: in[id]}})
		}
		if i%50 > 0 {
			continue
		}
		var fresh Members
		for _, m := range all.All(nil) {
			if in[m.Stay.ID] != m.Stay.Epoch {
				t.Fatalf("%v is in at %d, not %d", m.Stay.ID, m.Stay.Epoch, in[m.Stay.ID])
			}
			fresh.Add(m)
		}
		if all.Hash(testNetwork) != fresh.Hash(testNetwork) || all.Count != len(in) {
			t.Fatal("the hash depends on what was before")
		}
	}
	before := all.Hash(testNetwork)
	one := all.All(nil)[0]
	all.Remove(one.Stay.ID)
	one.Stay.Epoch++
	all.Add(one)
	if all.Hash(testNetwork) == before {
		t.Error("another stay of one node has the same hash")
	}
}

// One that comes and goes takes one place among those that are remembered, and has nobody
// forgotten that was removed.
func TestDepartedTakesOnePlace(t *testing.T) {
	s := NewState(testNetwork, newKeyed(1), nil)
	s.depart(hearsay.NodeID{1}, 7, true)
	for i := range hearsay.Incarnation(MaxDeparted) {
		s.depart(hearsay.NodeID{2}, i, true)
	}
	if len(s.Departed) != 2 || s.departedAt(hearsay.NodeID{1}) != 7 || s.departedAt(hearsay.NodeID{2}) != MaxDeparted-1 {
		t.Errorf("%d are remembered, of incarnations %d and %d", len(s.Departed), s.departedAt(hearsay.NodeID{1}), s.departedAt(hearsay.NodeID{2}))
	}
}
