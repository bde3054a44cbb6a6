package quorum

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// logOf gives the log that one world came to, and the seats that it began
// with.
func logOf(t *testing.T, seed uint64) (w *world, seats []hearsay.Seat, log [][]byte) {
	t.Helper()
	w = newWorld(t, 3, seed)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	seats = w.Machines[0].Q.Seats(nil)
	for range 12 {
		w.NewPerson()
	}
	w.Must(5*time.Second, "all are in", func() bool { return w.Machines[0].Q.Epoch() == 12 })
	m := w.Machines[0]
	bad := w.People[1].Claim()
	bad.Card.Name = "forged"
	w.Step(m, func() {
		m.Q.Bar(w.Now, hearsay.NodeID{9}, "a guest who misbehaved")
		m.Q.commits.propose(w.Now, ledger.Command{Op: ledger.OpLeave, Leave: core.Leave{Stay: m.Q.Roster(nil)[0].Stay}})
		m.Q.commits.propose(w.Now, ledger.Command{Op: ledger.OpMove, Claim: *bad})
		m.Q.commits.propose(w.Now, ledger.Command{Op: ledger.OpSeat, Seat: hearsay.Seat{Slot: 1, Key: newKeyed(77).Public(), Life: hearsay.Life{1}}})
		m.Q.Report(w.Now, &Report{Stay: m.Q.Roster(nil)[3].Stay})
	})
	w.People[2].Up, w.People[5].Up = false, false
	w.Must(15*time.Second, "two are out", func() bool { return w.Machines[0].Q.Epoch() >= 14 })
	return w, seats, entriesOf(m)
}

func entriesOf(m *machine) (log [][]byte) {
	for _, e := range m.Q.replica.log.entries[:m.Q.replica.log.applied-m.Q.replica.log.base] {
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
	signer := w.Machines[1].Signer
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
	if whole.Epoch != w.Machines[0].Q.Epoch() || whole.Head != w.Machines[0].Q.Head() {
		t.Fatalf("epoch %d, the seeds have %d", whole.Epoch, w.Machines[0].Q.Epoch())
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
	a, b := ledger.NewState(testNetwork, w.Machines[0].Signer, seats), ledger.NewState(testNetwork, w.Machines[1].Signer, seats)
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

// A seed that lies may write any text into the log as the reason of a bar. One that would steer a terminal
// counts for nothing, on every seed alike; nor does a seed write one for an operator.
func TestReasonsArePlain(t *testing.T) {
	w := followed(t, 61, 1)
	q := w.Machines[0].Q
	p := &person{N: 9, Key: newKeyed(99)}
	for why, want := range map[string]bool{"it is too loud": true, "it answers\x1b[2J": false, "\u202eno": false, "\xff": false} {
		s := ledger.ReadSnapshot(testNetwork, q.signer, q.state.AppendSnapshot(nil))
		barred := applyEntry(s, 1002, ledger.AppendEntry(nil, []ledger.Command{{Op: ledger.OpBar, ID: p.ID(), Why: why}}))
		lifted := applyEntry(s, 1003, ledger.AppendEntry(nil, []ledger.Command{{Op: ledger.OpLift, ID: p.ID(), Seen: 1002, Why: why}}))
		if (len(barred) > 0) != want || (len(lifted) > 0) != want {
			t.Errorf("a bar with the reason %q comes to %+v, and its end to %+v", why, barred, lifted)
		}
		if answer := q.Bar(w.Now, p.ID(), why); (answer.Code == hearsay.OutcomeRefused) == want {
			t.Errorf("who asks for a bar with the reason %q is answered %+v", why, answer)
		}
		q.requests.forget(p.ID())
	}
}
