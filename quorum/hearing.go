package quorum

import (
	"slices"
	"time"

	"hearsay"
)

// hearing is when this seed has heard others, as it can say that somebody is silent
// only while it hears a quorum.
type hearing struct {
	heardAt   []time.Time // by slot, when a message of the log last came, or an answer to a hello; of this seed's own, its last tick
	heardFrom time.Time   // since when a quorum has been heard without a break; zero: none is
}

// hears notes a message of the log that a seed has signed. One of a term that is over
// says nothing: anybody may have sent it again.
func (q *Quorum) hears(now time.Time, f *hearsay.Raft) {
	if f.Term < q.replica.node.BasicStatus().GetTerm() {
		return
	}
	q.noteHearing(now) // one that comes late does not fill the time before it
	q.heardAt[f.Slot] = now
	if q.handsOver(f) {
		q.lateness.gave[f.Slot], q.lateness.quiet = now, time.Time{}
	}
}

// hearsAnswer notes that a seat has answered a hello of this seed, at its address and just now.
func (q *Quorum) hearsAnswer(now time.Time, slot uint8) {
	q.noteHearing(now)
	q.heardAt[slot] = now
}

// askOthers has this seed ask the others for a word when it has not heard a quorum for an
// election. Followers tell each other nothing, and the leader may be behind loss, or hand over. The
// leader itself asks nobody: each of its heartbeats is a question.
func (q *Quorum) askOthers(now time.Time) {
	if !q.Seated() || q.replica.leads() || now.Sub(q.lastHeard()) < q.patience()/2 {
		return
	}
	for slot := range q.others() {
		q.askSeat(now, slot)
	}
}

// noteHearing ends the time in which a quorum was heard as soon as the last message of
// one is older than two elections take, and begins it with the next. That there is a
// leader says too little: of a seed that is cut off the library says so for two elections
// more, and of one that stood still until time passes.
func (q *Quorum) noteHearing(now time.Time) {
	switch heard := now.Sub(q.lastHeard()) < q.patience(); {
	case !heard:
		q.heardFrom = time.Time{}
	case q.heardFrom.IsZero() && q.replica != nil && q.replica.follows() != 0:
		q.heardFrom = now
	}
}

// lastHeard is when this seed last heard a quorum, itself among it, or the leader,
// which steps down unless it hears a quorum.
func (q *Quorum) lastHeard() time.Time {
	newest := slices.SortedFunc(slices.Values(q.heardAt), func(a, b time.Time) int { return b.Compare(a) })
	last := newest[q.Needed()-1]
	if slot, ok := q.Leader(); ok && slot != q.cfg.Slot && q.heardAt[slot].After(last) {
		last = q.heardAt[slot]
	}
	return last
}

// patience is how long a quorum may be silent: two elections.
func (q *Quorum) patience() time.Duration {
	return 2 * time.Duration(q.cfg.ElectionTicks) * q.cfg.TickEvery
}
