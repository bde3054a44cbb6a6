package node

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file has a node whose process ends, and is started again at once, say so.

// Away tells the others that this node's process ends, and is to be started again within core.AwayFor with
// its data: its stay goes on. The node is Gone when those have heard it that it tells, or a moment later; then
// a driver stops it.
func (n *Node) Away(now time.Time) *core.Effects {
	n.begin(now)
	n.roster.GoAway(now, n.seeded.stayOf(n.id))
	n.awayTold = n.roster.Unanswered()
	return n.settle(now)
}

// AwayAnswers gives how many a node that is away has told so, and how many of them have answered. One that is
// not in, or lists nobody else, has told nobody.
func (n *Node) AwayAnswers() (told, answered int) {
	return n.awayTold, n.awayTold - n.roster.Unanswered()
}

// AwayUnheard reports whether a node that is away is in, and nobody has answered that it knows so, though
// there are others or have been.
func (n *Node) AwayUnheard() bool {
	_, answered := n.AwayAnswers()
	others := n.roster.CountOthers() > 0 || n.roster.Count(hearsay.StateDead) > 0
	return answered == 0 && others && !n.seeded.stayOf(n.id).ID.IsZero()
}

// takeAway takes the word of a member that it is away: if it is of its present stay. Seeds have none.
func (n *Node) takeAway(now time.Time, p *core.Packet, m *core.Away) {
	if m.Stay.ID.IsZero() || m.Stay != n.seeded.stayOf(m.Stay.ID) {
		n.stats.Drops[hearsay.DropStranger]++
		return
	}
	n.roster.Away(now, p, m)
}

// away has a member probed and linked no more for a while, and nothing asked for against it.
func (n *Node) away(now time.Time, id hearsay.NodeID) {
	switch s := &n.seeded; {
	case s.seat != nil:
		s.seat.Away(now, id)
	case s.petitions != nil:
		s.petitions.Settled(id)
	}
	n.detect.Pass(id)
	n.overlay.Suspect(now, id)
}
