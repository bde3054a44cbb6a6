package quorum

import (
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// refounded is a network that was founded, had one member, and was founded anew
// with empty disks: the seeds have the same keys, and the member is in again with
// the same stay. It gives what was signed in the first founding.
func refounded(t *testing.T, seed uint64) (w *world, p *person, leave core.Leave, heads []hearsay.Head) {
	w = newWorld(t, 3, seed)
	w.StartAll()
	w.Must(10*time.Second, "founded", w.agree)
	p = w.NewPerson()
	w.Must(10*time.Second, "in", func() bool { return w.In(p) && w.agree() })
	first, _ := w.Machines[0].Q.Member(p.ID())
	leave = signedLeave(w, first.Stay, p)
	heads = w.Machines[0].Q.Heads()
	w.Refound()
	w.Must(10*time.Second, "founded anew", func() bool { return w.In(p) && w.agree() })
	if again, _ := w.Machines[0].Q.Member(p.ID()); again.Stay != first.Stay {
		t.Fatalf("the stay is %v, and was %v: the test shows nothing", again.Stay, first.Stay)
	}
	return w, p, leave, heads
}

// What a member has signed in one founding does not end its stay in another.
func TestLeaveOfAnotherFounding(t *testing.T) {
	w, p, leave, _ := refounded(t, 71)
	if leave.Stay.Epoch == 0 {
		t.Fatal("no stay")
	}
	for _, m := range w.Machines {
		w.Step(m, func() {
			if a := m.Q.Leave(w.Now, &leave); a.Code != hearsay.OutcomeRefused {
				t.Errorf("seed %d takes a leave of an earlier founding: %+v", m.Slot, a)
			}
			// A seed that lies has it put into the log.
			m.Q.commits.propose(w.Now, ledger.Command{Op: ledger.OpLeave, Leave: leave})
		})
	}
	w.Run(2 * time.Second)
	if !w.In(p) {
		t.Error("the stay is over")
	}
	if drops := w.Machines[0].Drops[hearsay.DropBadSignature]; drops == 0 {
		t.Error("nothing is counted")
	}
	member, _ := w.Machines[0].Q.Member(p.ID())
	now := signedLeave(w, member.Stay, p)
	w.Step(w.Machines[0], func() { w.Machines[0].Q.Leave(w.Now, &now) })
	p.Up = false
	w.Must(5*time.Second, "its own leave ends it", func() bool { return !w.In(p) })
}

// Heads of another founding, signed by the same keys, are taken by no seed.
func TestHeadsOfAnotherFoundingAreNotTaken(t *testing.T) {
	w, _, _, heads := refounded(t, 72)
	old := slices.Clone(heads)
	for i := range old {
		old[i].Epoch += 100 // as of a founding that had come further
		old[i].Sign(testNetwork, w.Machines[old[i].Slot].Signer)
	}
	before := w.Machines[1].Q.Heads()
	w.Step(w.Machines[1], func() { w.Machines[1].Q.Receive(w.Now, from(stranger, &core.Rulings{Heads: old})) })
	if after := w.Machines[1].Q.Heads(); !slices.Equal(before, after) {
		t.Errorf("a seed has taken heads of another founding: %v", after)
	}
}

func signedLeave(w *world, stay hearsay.Stay, p *person) core.Leave {
	l := core.Leave{Stay: stay}
	l.Sign(w.Ledger(), p.Key)
	return l
}
