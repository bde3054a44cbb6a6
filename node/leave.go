package node

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/roster"
)

// leaving is a peer's leave, which the seeds rule.
type leaving struct {
	id     hearsay.NodeID
	signer hearsay.Signer
	seeded *Seeded
	roster *roster.Roster
	out    *core.Effects
	by     time.Time // once it has left: then it waits no longer for the seeds
	told   bool      // what came of that
}

// ask tells the seeds that this node's stay is over.
func (l *leaving) ask(now time.Time) {
	s := l.seeded
	if s.petitions == nil {
		return
	}
	l.by = now.Add(leavePatience)
	if s.stay.Epoch == 0 {
		s.petitions.Withdraw() // it may be let in all the same, and leaves then: see admitted
		return
	}
	leave := &core.Leave{Stay: s.stay}
	leave.Sign(s.ledgerID(), l.signer)
	s.petitions.Leave(now, leave)
}

// leavePatience is how long a peer that has left waits for the seeds to say
// so. Without a quorum they cannot; then the others find out. A guess: some
// times the patience of a petition.
const leavePatience = 5 * time.Second

// mayBeIn reports whether this peer is in, or may be by what it has asked, though it has left:
// the seeds have not ruled that it is out.
func (s *Seeded) mayBeIn() bool {
	switch {
	case s.petitions == nil:
		return false
	case s.stay.Epoch == 0:
		return s.petitions.Pending(*s.stepped)
	}
	return s.petitions.Leaving()
}

// awaited reports whether this peer has left, and the seeds may still rule it.
func (l *leaving) awaited() bool { return l.seeded.mayBeIn() && l.seeded.stepped.Before(l.by) }

// Left reports of a node that has Gone whether it is out, as far as the seeds decide that.
func (n *Node) Left() bool { return !n.seeded.mayBeIn() }

// tell tells once, of a peer that has left, what has come of that. It reports whether it does.
func (l *leaving) tell(now time.Time) bool {
	s := l.seeded
	if s.petitions == nil || l.told || !l.roster.HasLeft() || l.awaited() {
		return false
	}
	l.told = true
	e := hearsay.Event{At: now, Kind: hearsay.EventMemberLeft, Subject: l.id, Incarnation: l.roster.Self().Incarnation}
	if s.mayBeIn() {
		e.Kind, e.Text = hearsay.EventLeaveFailed, hearsay.ErrLeaveUnruled.Error()
	}
	l.out.Events = append(l.out.Events, e)
	return true
}
