package quorumtest

import (
	"fmt"
	"slices"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// The rules that must always hold (DESIGN, section 3), as code that looks at
// the seeds after each of their steps.

// noteEntry sees ballots before they are counted: those that a seed has put
// into its own log. What a seed keeps of its state it must be able to start on.
func (w *World[Q]) noteEntry(by *Machine[Q], r core.Record) {
	if kept, is := r.(*core.KeptSnapshot); is && !kept.Dropped && ledger.ReadSnapshot(Network, NewKeyed(0), kept.Snapshot.Data) == nil {
		w.T.Errorf("a seed keeps a state, as of entry %d, that it could not read at its next start", kept.Snapshot.Index)
	}
	kept, ok := r.(*core.KeptEntry)
	if !ok || kept.Dropped {
		return
	}
	commands, _ := ledger.ReadEntry(kept.Entry.Data)
	for i := range commands {
		if c := &commands[i]; c.Op == ledger.OpBallot {
			m := w.Machines[c.Ballot.Slot]
			for _, signer := range append(m.Past, m.Signer) {
				if by.Up() && c.Ballot.Verify(by.Q.Ledger(), signer, signer.Public()) {
					w.Cast[BallotName(&c.Ballot)] = true
				}
			}
		}
	}
}

// BallotName tells ballots apart.
func BallotName(b *hearsay.Ballot) string {
	return fmt.Sprint(b.Case, b.Slot, b.Verdict, b.Life)
}

// same: two seeds at one epoch have one ledger, and so one roster.
func (w *World[Q]) same(m *Machine[Q], epoch hearsay.Epoch, hash hearsay.Hash) {
	if epoch == 0 {
		return
	}
	if known, ok := w.Hashes[epoch]; ok && known != hash {
		w.T.Errorf("seed %d has another ledger at epoch %d", m.Slot, epoch)
	}
	w.Hashes[epoch] = hash
}

// ruled is told what a seed tells its application: durable on a quorum.
func (w *World[Q]) ruled(m *Machine[Q], r *hearsay.Ruling) {
	if r.Epoch != w.Epochs[m.Slot]+1 {
		w.T.Errorf("seed %d tells epoch %d after %d", m.Slot, r.Epoch, w.Epochs[m.Slot])
	}
	w.grow(m, r.Epoch)
	w.same(m, r.Epoch, r.Hash(Network))
	if w.Rulings[r.Epoch] != nil {
		return
	}
	w.Rulings[r.Epoch] = r
	switch r.Kind {
	case hearsay.RulingAdmit, hearsay.RulingRemove, hearsay.RulingSeat:
		w.backed(r)
	}
	switch r.Kind {
	case hearsay.RulingAdmit:
		if w.Over[r.Stay] || r.Stay.Epoch != r.Epoch {
			w.T.Errorf("epoch %d: stay %v comes back", r.Epoch, r.Stay)
		}
	case hearsay.RulingRemove, hearsay.RulingLeave:
		if w.Over[r.Stay] {
			w.T.Errorf("epoch %d: stay %v ends twice", r.Epoch, r.Stay)
		}
		w.Over[r.Stay] = true
	}
}

func (w *World[Q]) grow(m *Machine[Q], epoch hearsay.Epoch) {
	if epoch < w.Epochs[m.Slot] {
		w.T.Errorf("seed %d tells epoch %d after %d", m.Slot, epoch, w.Epochs[m.Slot])
	}
	w.Epochs[m.Slot] = epoch
}

// backed: a quorum of equal ballots, each of another seat, each really cast.
func (w *World[Q]) backed(r *hearsay.Ruling) {
	var slots []uint8
	for i := range r.Ballots {
		b := &r.Ballots[i]
		if b.Verdict != hearsay.BallotYes || b.Case != r.Case || slices.Contains(slots, b.Slot) {
			w.T.Errorf("epoch %d: a ballot that must not count: %+v", r.Epoch, b)
		}
		if !w.Cast[BallotName(b)] {
			w.T.Errorf("epoch %d: a ballot that seed %d did not cast", r.Epoch, b.Slot)
		}
		slots = append(slots, b.Slot)
	}
	if len(slots) < hearsay.QuorumOf(len(w.Machines)) {
		w.T.Errorf("epoch %d: %v with %d ballots", r.Epoch, r.Kind, len(slots))
	}
}

// Agree reports whether all seeds are up, have their seats and votes, and have one
// proven ledger, whole.
func (w *World[Q]) Agree() bool {
	first := w.Machines[0]
	for _, m := range w.Machines {
		if !first.Up() || !m.Up() || !m.Q.Seated() || m.Q.Epoch() != first.Q.Epoch() || m.Q.Head() != first.Q.Head() || m.Q.Proven() != m.Q.Epoch() || m.Q.OldestOnDisk() != 1 {
			return false
		}
		if leader, ok := m.Q.Leader(); !ok || !w.Machines[leader].Up() {
			return false
		}
		for slot := range w.Machines {
			if !m.Q.Votes(slot) {
				return false
			}
		}
	}
	return true
}
