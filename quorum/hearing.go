package quorum

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"

	"go.etcd.io/raft/v3/raftpb"
)

// hearing is when this seed has heard others, as it can say that somebody is silent
// only while it hears a quorum.
type hearing struct {
	seed *Quorum

	// by slot, when a message of the log last came, or an answer to a hello; of this seed's own, its last tick
	heardAt []time.Time
	// by slot, when the seed there has last answered a message of the log that this seed sent as the one that leads
	followedAt []time.Time
	heardFrom  time.Time // since when a quorum has been heard without a break; zero: none is
}

// hears notes a message of the log that a seed has signed. One of a term that is over
// says nothing: anybody may have sent it again.
func (h *hearing) hears(now time.Time, f *core.Raft) {
	if f.Term < h.seed.replica.node.BasicStatus().GetTerm() {
		return
	}
	h.noteHearing(now) // one that comes late does not fill the time before it
	h.heardAt[f.Slot] = now
	if kind := raftpb.MessageType(f.Type); kind == raftpb.MsgAppResp || kind == raftpb.MsgHeartbeatResp {
		h.followedAt[f.Slot] = now
	}
	if h.seed.lateness.handsOver(f) {
		h.seed.lateness.gave[f.Slot], h.seed.lateness.quiet = now, time.Time{}
	}
}

// hearsAnswer notes that a seat has answered a hello of this seed, at its address and just now.
func (h *hearing) hearsAnswer(now time.Time, slot uint8) {
	h.noteHearing(now)
	h.heardAt[slot] = now
}

// askOthers has this seed ask the others for a word when it has not heard a quorum for an
// election. Followers tell each other nothing, and the leader may be behind loss, or hand over. The
// leader itself asks nobody: each of its heartbeats is a question.
func (h *hearing) askOthers(now time.Time) {
	if !h.seed.Seated() || h.seed.replica.leads() || now.Sub(h.lastHeard()) < h.patience()/2 {
		return
	}
	for slot := range h.seed.others() {
		h.seed.seats.askSeat(now, slot)
	}
}

// noteHearing ends the time in which a quorum was heard as soon as the last message of
// one is older than two elections take, and begins it with the next. That there is a
// leader says too little: of a seed that is cut off the library says so for two elections
// more, and of one that stood still until time passes.
func (h *hearing) noteHearing(now time.Time) {
	switch heard := now.Sub(h.lastHeard()) < h.patience(); {
	case !heard:
		h.heardFrom = time.Time{}
	case h.heardFrom.IsZero() && h.seed.replica != nil && h.seed.replica.follows() != 0:
		h.heardFrom = now
	}
}

// FollowedAt is when a seed has last answered this one as the one that leads, or when this one began to lead; zero: it
// does not. Only the one that leads knows which seeds the log has: others that do not hear a seed say nothing of that.
func (q *Quorum) FollowedAt(slot int) time.Time {
	if q.replica == nil || q.lateness.ledAt.IsZero() {
		return time.Time{}
	}
	return when.Later(q.hearing.followedAt[slot], q.lateness.ledAt)
}

// LeadsSince is when this seed began to lead; zero: it does not.
func (q *Quorum) LeadsSince() time.Time { return q.lateness.ledAt }

// hasHeardSince reports whether a quorum was heard since the suspicion that this seed's own evidence is of. Else it may
// have been this seed that was cut off: if the member is silent still, its next probe accuses it anew.
func (h *hearing) hasHeardSince(now time.Time, own *hearsay.Evidence) bool {
	h.noteHearing(now)
	return own == nil || !h.heardFrom.IsZero() && own.Suspected >= h.heardFrom.UnixMilli()
}

// lastHeard is when this seed last heard a quorum, itself among it, or the leader,
// which steps down unless it hears a quorum.
func (h *hearing) lastHeard() time.Time {
	newest := slices.SortedFunc(slices.Values(h.heardAt), func(a, b time.Time) int { return b.Compare(a) })
	last := newest[h.seed.Needed()-1]
	if slot, ok := h.seed.Leader(); ok && slot != h.seed.cfg.Slot && h.heardAt[slot].After(last) {
		last = h.heardAt[slot]
	}
	return last
}

// patience is how long a quorum may be silent: two elections.
func (h *hearing) patience() time.Duration {
	return 2 * time.Duration(h.seed.cfg.ElectionTicks) * h.seed.cfg.TickEvery
}
