package quorum

import (
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
	"hearsay/ledger"
)

// What only the leader does: end cases whose time is over, and see that the
// seats take part in the log.

// timeout is how long a case may be open.
func (q *Quorum) timeout(c *ledger.Case) time.Duration {
	switch {
	case c.Opening.Op != ledger.OpRemove:
		return q.cfg.AdmitTimeout
	case c.Short():
		return q.cfg.RemoveTimeout + q.cfg.ShortTrial
	}
	return q.cfg.RemoveTimeout
}

func (q *Quorum) tickLeader(now time.Time) {
	if !q.replica.leads() {
		return
	}
	for _, c := range q.state.Cases {
		t := q.trials[c.ID]
		if t == nil || now.Sub(t.began) < q.timeout(c) {
			continue
		}
		t.began = t.began.Add(q.cfg.RetryEvery) // and again then, should it get lost
		q.propose(now, ledger.Command{Op: ledger.OpExpire, CaseID: c.ID})
	}
	for _, id := range slices.Sorted(keysOf(q.replica.sent)) {
		if now.Sub(q.replica.sent[id]) >= snapshotPatience {
			delete(q.replica.sent, id)
			q.replica.node.ReportSnapshot(id, raft.SnapshotFinish)
		}
	}
	if !now.Before(q.tendAt) {
		q.tendAt = now.Add(q.cfg.RetryEvery)
		if q.tendSeats() {
			q.tendAt = now // the next tick
		}
	}
	q.work(now)
}

// expires reports whether an entry ends a case for lack of time.
func expires(e hearsay.LogEntry) bool {
	commands, _ := ledger.ReadEntry(e.Data)
	return slices.ContainsFunc(commands, func(c ledger.Command) bool { return c.Op == ledger.OpExpire })
}

func keysOf(m map[uint64]time.Time) func(yield func(uint64) bool) {
	return func(yield func(uint64) bool) {
		for id := range m { // order does not matter: the caller sorts
			if !yield(id) {
				return
			}
		}
	}
}

// tendSeats takes one step towards a log of which every seat is a voter and
// nobody else takes part: a new life becomes a learner, and when it has caught
// up, one joint change swaps it for the old one. Until then the log cannot spare
// another seed, so no step waits longer than it must. It reports whether a learner
// still catches up.
func (q *Quorum) tendSeats() (catchesUp bool) {
	config := q.replica.log.config
	if len(config.GetVotersOutgoing()) > 0 {
		return false // a change is under way
	}
	wanted := q.wanted()
	for _, id := range config.GetLearners() {
		if !slices.Contains(wanted, id) {
			q.change(single(raftpb.ConfChangeRemoveNode, id))
			return false
		}
	}
	for _, id := range wanted {
		switch {
		case slices.Contains(config.GetVoters(), id):
		case !slices.Contains(config.GetLearners(), id):
			q.change(single(raftpb.ConfChangeAddLearnerNode, id))
			return false
		case q.caughtUp(id):
			q.swap(config.GetVoters(), wanted, id)
			return false
		default:
			catchesUp = true
		}
	}
	return catchesUp
}

// wanted gives the Raft ids of those who have a seat, by slot.
func (q *Quorum) wanted() []uint64 {
	ids := make([]uint64, len(q.state.Seats))
	for i, seat := range q.state.Seats {
		ids[i] = seat.RaftID(q.cfg.Network)
	}
	return ids
}

// swap makes a learner a voter in the place of one that has no seat any more.
func (q *Quorum) swap(voters, wanted []uint64, id uint64) {
	changes := single(raftpb.ConfChangeAddNode, id)
	for _, old := range voters {
		if !slices.Contains(wanted, old) {
			changes = append(changes, single(raftpb.ConfChangeRemoveNode, old)...)
			break // one for one
		}
	}
	q.change(changes)
}

func single(t raftpb.ConfChangeType, id uint64) []*raftpb.ConfChangeSingle {
	return []*raftpb.ConfChangeSingle{{Type: t.Enum(), NodeId: new(id)}}
}

func (q *Quorum) change(changes []*raftpb.ConfChangeSingle) {
	if q.replica.log.unsettled() {
		return
	}
	err := q.replica.node.ProposeConfChange(&raftpb.ConfChangeV2{
		Transition: raftpb.ConfChangeTransitionAuto.Enum(), Changes: changes,
	})
	if err != nil {
		return // too much is unsettled: the next time
	}
}

// caughtUpWithin is how many entries a learner may be behind: what is
// appended in a few round trips. Guess.
const caughtUpWithin = 64

func (q *Quorum) caughtUp(id uint64) bool {
	progress, ok := q.replica.node.Status().Progress[id]
	return ok && progress.RecentActive && progress.Match+caughtUpWithin >= q.replica.log.applied && progress.Match > 0
}

// reseat lets a ruling about a seat be known where it is needed.
func (q *Quorum) reseat(now time.Time, r *hearsay.Ruling) {
	seat := r.Seats[0]
	q.sitBy(r, seat)
	if int(seat.Slot) != q.cfg.Slot {
		q.hello(now, int(seat.Slot)) // it waits for this
	}
	q.tendAt = now
}
