package quorum

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/ledger"
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
		m.q.propose(w.now, ledger.Command{Op: ledger.OpLeave, Leave: hearsay.Leave{Stay: m.q.Roster(nil)[0].Stay}})
		m.q.propose(w.now, ledger.Command{Op: ledger.OpMove, Claim: *bad})
		m.q.propose(w.now, ledger.Command{Op: ledger.OpSeat, Seat: hearsay.Seat{Slot: 1, Key: newKeyed(77).Public(), Life: hearsay.Life{1}}})
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
func applyEntry(s *ledger.State, index uint64, data []byte) (changes []ledger.Change) {
	commands, _ := ledger.ReadEntry(data)
	for i := range commands {
		changes = append(changes, s.Apply(ledger.CaseIDAt(index, i), &commands[i])...)
	}
	return changes
}

// The same entries give the same bytes; and a snapshot at any point with the
// rest of the log gives the same, too.
func TestApplyIsPure(t *testing.T) {
	w, seats, log := logOf(t, 7)
	signer := w.machines[1].signer
	apply := func(s *ledger.State, from int) [][]byte {
		var changes [][]byte
		for i, data := range log[from:] {
			for _, c := range applyEntry(s, uint64(from+i+2), data) {
				if c.Ruling != nil {
					changes = append(changes, c.Ruling.AppendBinary(nil))
				}
			}
		}
		return changes
	}
	whole := ledger.NewState(testNetwork, signer, seats)
	rulings := apply(whole, 0)
	want := whole.AppendSnapshot(nil)
	if whole.Epoch != w.machines[0].q.Epoch() || whole.Head != w.machines[0].q.Head() {
		t.Fatalf("epoch %d, the seeds have %d", whole.Epoch, w.machines[0].q.Epoch())
	}
	for at := range log {
		half := ledger.NewState(testNetwork, signer, seats)
		for i, data := range log[:at] {
			applyEntry(half, uint64(i+2), data)
		}
		first := int(half.Epoch)
		taken := half.AppendSnapshot(nil)
		back := ledger.ReadSnapshot(testNetwork, signer, taken)
		if back == nil || !bytes.Equal(back.AppendSnapshot(nil), taken) {
			t.Fatalf("the snapshot at entry %d is not read back", at)
		}
		rest := apply(back, at)
		if !reflect.DeepEqual(rest, rulings[first:]) && len(rest)+len(rulings[first:]) > 0 {
			t.Fatalf("after a snapshot at entry %d there are other rulings", at)
		}
		if got := back.AppendSnapshot(nil); !bytes.Equal(got, want) {
			t.Fatalf("a snapshot at entry %d and the rest come to another state", at)
		}
	}
}

// Whatever stands in an entry, apply takes it or leaves it, on all seeds
// alike.
func TestApplyTakesAnything(t *testing.T) {
	w, seats, log := logOf(t, 8)
	random := rand.New(rand.NewPCG(3, 4))
	a, b := ledger.NewState(testNetwork, w.machines[0].signer, seats), ledger.NewState(testNetwork, w.machines[1].signer, seats)
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
	if !bytes.Equal(a.AppendSnapshot(nil), b.AppendSnapshot(nil)) {
		t.Error("the same entries came to two states")
	}
	if a.Epoch == 0 && len(a.Cases) == 0 {
		t.Error("nothing was taken: the test shows nothing")
	}
}

// A seed that lies may write any text into the log. A reason that would steer a terminal
// counts for nothing, on every seed alike; nor does a seed write one for an operator.
func TestReasonsArePlain(t *testing.T) {
	w := followed(t, 61, 1)
	q := w.machines[0].q
	p := &person{n: 9, key: newKeyed(99), addr: netip.MustParseAddrPort("10.1.7.7:6000"), at: hearsay.Incarnation(w.now.UnixMilli())}
	for why, want := range map[string]ledger.Outcome{"it answers at 10.1.7.7:6000": ledger.OutBalloted, "it answers\x1b[2J": ledger.OutRefused, "\u202eno": ledger.OutRefused, "\xff": ledger.OutRefused} {
		s := ledger.ReadSnapshot(testNetwork, q.signer, q.state.AppendSnapshot(nil))
		opened := applyEntry(s, 1000, ledger.AppendEntry(nil, []ledger.Command{{Op: ledger.OpAdmit, Claim: *p.claim()}}))
		if len(opened) != 1 || opened[0].Outcome != ledger.OutOpened {
			t.Fatalf("no case is opened: %+v", opened)
		}
		c := opened[0].Case
		b := hearsay.Ballot{Case: c.ID, About: c.About, Stay: c.Stay(), Life: s.Seats[0].Life, Verdict: hearsay.BallotYes, Why: why}
		b.Sign(q.Ledger(), w.machines[0].signer)
		cast := applyEntry(s, 1001, ledger.AppendEntry(nil, []ledger.Command{{Op: ledger.OpBallot, Ballot: b}}))
		if len(cast) != 1 || cast[0].Outcome != want {
			t.Errorf("a ballot with the reason %q comes to %+v", why, cast)
		}
		barred := applyEntry(s, 1002, ledger.AppendEntry(nil, []ledger.Command{{Op: ledger.OpBar, ID: p.id(), Why: why}}))
		lifted := applyEntry(s, 1003, ledger.AppendEntry(nil, []ledger.Command{{Op: ledger.OpLift, ID: p.id(), Seen: 1002, Why: why}}))
		if taken := want == ledger.OutBalloted; (len(barred) > 0) != taken || (len(lifted) > 0) != taken {
			t.Errorf("a bar with the reason %q comes to %+v, and its end to %+v", why, barred, lifted)
		}
		if answer := q.Bar(w.now, p.id(), why); (answer.Code == AnswerRefused) != (want == ledger.OutRefused) {
			t.Errorf("who asks for a bar with the reason %q is answered %+v", why, answer)
		}
		q.forget(p.id())
	}
}
