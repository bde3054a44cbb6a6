package quorum

import (
	"slices"

	"hearsay"
	"hearsay/internal/core"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// This file is about which snapshot of the log a leader gives a seed that is behind. That one
// takes it only with heads of a quorum, and the newest state has none yet: they come a
// moment later, from the seeds that are well. If one of these is lost in that moment they never come, and
// the seed that is behind is needed to decide. So a leader gives an older state, which heads
// prove, and the entries after it, which the log keeps that long.
//
//	A leads, at epoch 152         B, lost            C, behind
//	  |<-- Heads of B: 128 ------- x
//	  |--- MsgSnap at epoch 120, MsgApp … 152 -------->|   A's and B's heads prove 120

// stored is the state as of a place in the log.
type stored struct {
	epoch    hearsay.Epoch
	seats    []hearsay.Seat
	config   *raftpb.ConfState
	snapshot *raftpb.Snapshot
}

// store keeps a snapshot until heads prove it. There is one of these, so that each is
// proven at some time, however often there is another.
func (os *offers) store(index, term uint64, config *raftpb.ConfState, data []byte) {
	if os.promote(); os.seed.replica.next == nil {
		os.seed.replica.next = &stored{
			epoch: os.seed.state.Epoch, seats: slices.Clone(os.seed.state.Seats), config: config,
			snapshot: &raftpb.Snapshot{Data: data, Metadata: &raftpb.SnapshotMetadata{ConfState: raftpb.EnsureConfState(config), Index: new(index), Term: new(term)}},
		}
		os.promote()
	}
}

// promote has the stored snapshot be the newest that is proven once it is.
func (os *offers) promote() {
	if r := os.seed.replica; r.next != nil && r.next.epoch <= os.seed.heads.proven {
		r.proven, r.next = r.next, nil
	}
}

// snapshot gives what a seed gets that is behind: the state as it is, or an older one if only that
// is proven, and of the same seats and members of the log.
func (os *offers) snapshot() (*raftpb.Snapshot, error) {
	os.promote()
	log, p := os.seed.replica.log, os.seed.replica.proven
	if os.seed.heads.proven < os.seed.state.Epoch && p != nil && p.config == log.config && slices.Equal(p.seats, os.seed.state.Seats) {
		return p.snapshot, nil
	}
	term, err := log.Term(log.applied)
	if err != nil || log.partly {
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	return &raftpb.Snapshot{
		Data:     os.seed.state.AppendSnapshot(nil),
		Metadata: &raftpb.SnapshotMetadata{ConfState: raftpb.EnsureConfState(log.config), Index: new(log.applied), Term: new(term)},
	}, nil
}

// dropSnapshots drops from disk all but the two newest, that which is given, and that which waits for heads:
// this seed may start again before there are newer ones that are proven.
func (os *offers) dropSnapshots() {
	r, kept := os.seed.replica, os.seed.replica.snapshots[:0]
	for i, index := range r.snapshots {
		if i < len(r.snapshots)-2 && !r.proven.of(index) && !r.next.of(index) {
			os.seed.driver.persist(&core.KeptSnapshot{Snapshot: &core.LogSnapshot{Index: index}, Dropped: true})
		} else {
			kept = append(kept, index)
		}
	}
	r.snapshots = kept
}

// of reports whether it is the state as of an index.
func (s *stored) of(index uint64) bool {
	return s != nil && s.snapshot.GetMetadata().GetIndex() == index
}

// needless gives up to which index entries are needed no more: those before the newest two snapshots
// on disk, but not those after the one that is given, unless there are as many as make another
// snapshot due: while a quorum is well heads come within a second, and in that time there are fewer.
func (os *offers) needless() uint64 {
	r := os.seed.replica
	oldest := r.snapshots[len(r.snapshots)-2]
	if p := r.proven; p != nil && p.snapshot.GetMetadata().GetIndex() < oldest {
		if r.log.bytes < 2*os.seed.cfg.SnapshotBytes {
			return p.snapshot.GetMetadata().GetIndex()
		}
		r.proven = nil
	}
	return oldest
}
