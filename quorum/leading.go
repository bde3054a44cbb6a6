package quorum

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// What only the leader does: end cases whose time is over, and see that the
// seats take part in the log.

// leadership is what only the seed that leads does.
type leadership struct {
	seed *Quorum

	tendAt time.Time
}

// timeout is how long a case may be open.
func (l *leadership) timeout(c *ledger.Case) time.Duration {
	switch {
	case c.Opening.Op != ledger.OpRemove:
		return l.seed.cfg.AdmitTimeout
	case c.Short():
		return l.seed.cfg.RemoveTimeout + l.seed.cfg.ShortTrial
	}
	return l.seed.cfg.RemoveTimeout
}

func (l *leadership) tickLeader(now time.Time) {
	if !l.seed.replica.leads() {
		return
	}
	for _, c := range l.seed.state.Cases {
		t := l.seed.ballots.checks[c.ID]
		if t == nil || now.Sub(t.began) < l.timeout(c) {
			continue
		}
		t.began = t.began.Add(l.seed.cfg.RetryEvery) // and again then, should it get lost
		l.seed.commits.propose(now, ledger.Command{Op: ledger.OpExpire, CaseID: c.ID})
	}
	for _, id := range slices.Sorted(keysOf(l.seed.replica.sent)) {
		if now.Sub(l.seed.replica.sent[id]) >= snapshotPatience {
			delete(l.seed.replica.sent, id)
			l.seed.replica.node.ReportSnapshot(id, raft.SnapshotFinish)
		}
	}
	if !now.Before(l.tendAt) {
		l.tendAt = now.Add(l.seed.cfg.RetryEvery)
		if l.tendSeats() {
			l.tendAt = now // the next tick
		}
	}
	l.seed.driver.work(now)
}

// expires reports whether an entry ends a case for lack of time.
func expires(e core.LogEntry) bool {
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
func (l *leadership) tendSeats() (catchesUp bool) {
	config := l.seed.replica.log.config
	if len(config.GetVotersOutgoing()) > 0 {
		return false // a change is under way
	}
	wanted := l.wanted()
	for _, id := range config.GetLearners() {
		if !slices.Contains(wanted, id) {
			l.change(single(raftpb.ConfChangeRemoveNode, id))
			return false
		}
	}
	for _, id := range wanted {
		switch {
		case slices.Contains(config.GetVoters(), id):
		case !slices.Contains(config.GetLearners(), id):
			l.change(single(raftpb.ConfChangeAddLearnerNode, id))
			return false
		case l.caughtUp(id):
			l.swap(config.GetVoters(), wanted, id)
			return false
		default:
			catchesUp = true
		}
	}
	return catchesUp
}

// wanted gives the Raft ids of those who have a seat, by slot.
func (l *leadership) wanted() []uint64 {
	ids := make([]uint64, len(l.seed.state.Seats))
	for i, seat := range l.seed.state.Seats {
		ids[i] = seat.RaftID(l.seed.cfg.Network)
	}
	return ids
}

// swap makes a learner a voter in the place of one that has no seat any more.
func (l *leadership) swap(voters, wanted []uint64, id uint64) {
	changes := single(raftpb.ConfChangeAddNode, id)
	for _, old := range voters {
		if !slices.Contains(wanted, old) {
			changes = append(changes, single(raftpb.ConfChangeRemoveNode, old)...)
			break // one for one
		}
	}
	l.change(changes)
}

func single(t raftpb.ConfChangeType, id uint64) []*raftpb.ConfChangeSingle {
	return []*raftpb.ConfChangeSingle{{Type: t.Enum(), NodeId: new(id)}}
}

func (l *leadership) change(changes []*raftpb.ConfChangeSingle) {
	if l.seed.replica.log.unsettled() {
		return
	}
	err := l.seed.replica.node.ProposeConfChange(&raftpb.ConfChangeV2{
		Transition: raftpb.ConfChangeTransitionAuto.Enum(), Changes: changes,
	})
	if err != nil {
		return // too much is unsettled: the next time
	}
}

// caughtUpWithin is how many entries a learner may be behind: what is
// appended in a few round trips. Guess.
const caughtUpWithin = 64

func (l *leadership) caughtUp(id uint64) bool {
	progress, ok := l.seed.replica.node.Status().Progress[id]
	return ok && progress.RecentActive && progress.Match+caughtUpWithin >= l.seed.replica.log.applied && progress.Match > 0
}

// reseat lets a ruling about a seat be known where it is needed.
func (l *leadership) reseat(now time.Time, r *hearsay.Ruling) {
	seat := r.Seats[0]
	l.seed.seats.sitBy(r, seat)
	if int(seat.Slot) != l.seed.cfg.Slot {
		l.seed.seats.hello(now, int(seat.Slot)) // it waits for this
	}
	l.tendAt = now
}
