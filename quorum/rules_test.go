package quorum

import (
	"fmt"
	"slices"

	"hearsay"
	"hearsay/ledger"
)

// The rules that must always hold (DESIGN, section 3), as code that looks at
// the seeds after each of their steps.

// noteEntry sees ballots before they are counted: those that a seed has put
// into its own log. What a seed keeps of its state it must be able to start on.
func (w *world) noteEntry(by *machine, r hearsay.Record) {
	if kept, is := r.(*hearsay.KeptSnapshot); is && !kept.Dropped && ledger.ReadSnapshot(testNetwork, newKeyed(0), kept.Snapshot.Data) == nil {
		w.t.Errorf("a seed keeps a state, as of entry %d, that it could not read at its next start", kept.Snapshot.Index)
	}
	kept, ok := r.(*hearsay.KeptEntry)
	if !ok || kept.Dropped {
		return
	}
	commands, _ := ledger.ReadEntry(kept.Entry.Data)
	for i := range commands {
		if c := &commands[i]; c.Op == ledger.OpBallot {
			m := w.machines[c.Ballot.Slot]
			for _, signer := range append(m.past, m.signer) {
				if by.q != nil && c.Ballot.Verify(by.q.Ledger(), signer, signer.Public()) {
					w.cast[ballotName(&c.Ballot)] = true
				}
			}
		}
	}
}

func ballotName(b *hearsay.Ballot) string {
	return fmt.Sprint(b.Case, b.Slot, b.Verdict, b.Life)
}

// inspect looks at a seed after a step.
func (w *world) inspect(m *machine) {
	q := m.q
	if q.state == nil {
		if q.Seated() {
			w.t.Errorf("seed %d votes without a snapshot", m.slot)
		}
		return
	}
	if log := q.replica.log; log.unappliedBefore(log.applied+1) != 0 {
		w.t.Errorf("seed %d counts %d bytes that are not applied, and there are %d", m.slot, log.unapplied, log.unapplied-log.unappliedBefore(log.applied+1))
	}
	// A seed never goes back behind what it has told.
	if q.state.Epoch < w.epochs[m.slot] {
		w.t.Errorf("seed %d went back from epoch %d to %d", m.slot, w.epochs[m.slot], q.state.Epoch)
	}
	if q.chain.Epoch() != q.state.Epoch || q.chain.HeadHash() != q.state.Head {
		w.t.Errorf("seed %d: the ledger ends at %d, the state is of %d", m.slot, q.chain.Epoch(), q.state.Epoch)
	}
	// What is applied and not yet told may be lost with a crash of this seed:
	// only what is told must be the same everywhere.
	if hash := q.state.Members.Hash(testNetwork); q.chain.Entry(q.state.Epoch) != nil && q.chain.Entry(q.state.Epoch).Ruling.Roster != hash {
		w.t.Errorf("seed %d: the roster at epoch %d is not the ruling's", m.slot, q.state.Epoch)
	}
}

// same: two seeds at one epoch have one ledger, and so one roster.
func (w *world) same(m *machine, epoch hearsay.Epoch, hash hearsay.Hash) {
	if epoch == 0 {
		return
	}
	if known, ok := w.hashes[epoch]; ok && known != hash {
		w.t.Errorf("seed %d has another ledger at epoch %d", m.slot, epoch)
	}
	w.hashes[epoch] = hash
}

// ruled is told what a seed tells its application: durable on a quorum.
func (w *world) ruled(m *machine, r *hearsay.Ruling) {
	if r.Epoch != w.epochs[m.slot]+1 {
		w.t.Errorf("seed %d tells epoch %d after %d", m.slot, r.Epoch, w.epochs[m.slot])
	}
	w.grow(m, r.Epoch)
	w.same(m, r.Epoch, r.Hash(testNetwork))
	if w.rulings[r.Epoch] != nil {
		return
	}
	w.rulings[r.Epoch] = r
	switch r.Kind {
	case hearsay.RulingAdmit, hearsay.RulingRemove, hearsay.RulingSeat:
		w.backed(r)
	}
	switch r.Kind {
	case hearsay.RulingAdmit:
		if w.over[r.Stay] || r.Stay.Epoch != r.Epoch {
			w.t.Errorf("epoch %d: stay %v comes back", r.Epoch, r.Stay)
		}
	case hearsay.RulingRemove, hearsay.RulingLeave:
		if w.over[r.Stay] {
			w.t.Errorf("epoch %d: stay %v ends twice", r.Epoch, r.Stay)
		}
		w.over[r.Stay] = true
	}
}

func (w *world) grow(m *machine, epoch hearsay.Epoch) {
	if epoch < w.epochs[m.slot] {
		w.t.Errorf("seed %d tells epoch %d after %d", m.slot, epoch, w.epochs[m.slot])
	}
	w.epochs[m.slot] = epoch
}

// backed: a quorum of equal ballots, each of another seat, each really cast.
func (w *world) backed(r *hearsay.Ruling) {
	var slots []uint8
	for i := range r.Ballots {
		b := &r.Ballots[i]
		if b.Verdict != hearsay.BallotYes || b.Case != r.Case || slices.Contains(slots, b.Slot) {
			w.t.Errorf("epoch %d: a ballot that must not count: %+v", r.Epoch, b)
		}
		if !w.cast[ballotName(b)] {
			w.t.Errorf("epoch %d: a ballot that seed %d did not cast", r.Epoch, b.Slot)
		}
		slots = append(slots, b.Slot)
	}
	if len(slots) < hearsay.QuorumOf(len(w.machines)) {
		w.t.Errorf("epoch %d: %v with %d ballots", r.Epoch, r.Kind, len(slots))
	}
}

// agree reports whether all seeds are up, have their seats, and have one
// proven ledger, whole.
func (w *world) agree() bool {
	first := w.machines[0].q
	for _, m := range w.machines {
		if m.q == nil || !m.q.Seated() || m.q.Epoch() != first.Epoch() || m.q.Head() != first.Head() || m.q.Proven() != m.q.Epoch() || m.q.chain.Lowest != 1 {
			return false
		}
		if leader, ok := m.q.Leader(); !ok || w.machines[leader].q == nil {
			return false
		}
		config := m.q.replica.log.config
		if voters := config.GetVoters(); len(voters) != len(w.machines) || !slices.Contains(voters, m.q.replica.id) || len(config.GetVotersOutgoing()) > 0 {
			return false
		}
	}
	return true
}
