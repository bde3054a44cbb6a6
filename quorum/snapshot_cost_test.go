package quorum

import (
	"slices"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
	"hearsay/ledger"
	"hearsay/quorum/quorumtest"
)

// largeSnapshot is a message with a whole snapshot of so many guests, whose identities begin alike:
// it agrees with itself, and no heads prove it.
func largeSnapshot(m *machine, members int) *raftpb.Message {
	s := ledger.ReadSnapshot(testNetwork, m.Signer, m.Q.state.AppendSnapshot(nil))
	for _, one := range quorumtest.GuestsAlike(members) {
		if s.Members.Get(one.Stay.ID) == nil {
			s.Members.Add(one)
		}
	}
	s.Rule(&hearsay.Ruling{Kind: hearsay.RulingLeave})
	term, index := m.Q.replica.node.BasicStatus().GetTerm()+1, m.Q.replica.log.last()+1
	return &raftpb.Message{Type: raftpb.MsgSnap.Enum(), Term: &term, Snapshot: &raftpb.Snapshot{
		Data:     s.AppendSnapshot(nil),
		Metadata: &raftpb.SnapshotMetadata{Index: &index, Term: &term, ConfState: m.Q.replica.log.config},
	}}
}

// A step of a seed reads little of a snapshot that a seat sends, whatever is in it, and looks
// at few of its members.
func TestSnapshotCostsLittleAStep(t *testing.T) {
	w := followed(t, 120, 1)
	m := w.Machines[0]
	members := m.Q.offers.membersMost()
	message := largeSnapshot(m, members-1) // there is one
	var took []time.Duration
	timed := func(do func()) {
		began := time.Now()
		do()
		took = append(took, time.Since(began))
	}
	timed(func() { m.Q.offers.offered(w.Now, 1, message) })
	for left, placed := len(message.Snapshot.Data), 0; m.Q.replica.reading[1] != nil; {
		r := m.Q.replica.reading[1].reader
		if n := left - r.From.Left(); n > readsAStep+ledger.MemberBytes+ledger.OtherBytes {
			t.Fatalf("a step reads %d bytes, may read %d", n, readsAStep)
		}
		if n := r.State.Members.Count - placed; n > ledger.JoinsAStep {
			t.Fatalf("a step has %d members take their places, want at most %d", n, ledger.JoinsAStep)
		}
		left, placed = r.From.Left(), r.State.Members.Count
		w.Now = w.Now.Add(ledger.RestEach)
		timed(func() { m.Q.driver.tickRest(w.Now) })
	}
	o := m.Q.replica.offers[1]
	if o == nil || o.snapshot.Members.Count != members {
		t.Fatalf("it does not wait for heads: %+v", m.Drops)
	}
	slices.Sort(took)
	t.Logf("the middle one of %d steps takes %v, the slowest %v", len(took), took[len(took)/2], took[len(took)-1])
}

// One of more members than there may be is refused before they are read.
func TestSnapshotOfTooManyMembers(t *testing.T) {
	w := followed(t, 121, 1)
	m := w.Machines[0]
	message := largeSnapshot(m, m.Q.offers.membersMost())
	m.Q.offers.offered(w.Now, 1, message)
	if m.Q.replica.reading[1] != nil || m.Q.replica.offers[1] != nil || m.Drops[hearsay.DropMalformed] != 1 {
		t.Errorf("it is read on, or waits: %+v", m.Drops)
	}
}
