package node

import (
	"fmt"
	"time"

	"hearsay"
)

// This file has a node whose process ends, and is started again at once, say so, and tells of those that have.

// Away tells the others that this node's process ends, and is to be started again within hearsay.AwayFor with its data: its stay
// goes on. The node is Gone when those have heard it that it tells, or a moment later; then a driver stops it.
func (n *Node) Away(now time.Time) *hearsay.Effects {
	n.begin(now)
	n.roster.GoAway(now, n.stayOf(n.id))
	n.awayTold = n.roster.Unanswered()
	return n.settle(now)
}

// AwayAnswers gives how many a node that is away has told so, and how many of them have answered. One that is not in, or
// lists nobody else, has told nobody.
func (n *Node) AwayAnswers() (told, answered int) {
	return n.awayTold, n.awayTold - n.roster.Unanswered()
}

// AwayUnheard reports whether a node that is away is in, and nobody has answered that it knows so, though there are others or
// have been.
func (n *Node) AwayUnheard() bool {
	_, answered := n.AwayAnswers()
	others := n.roster.CountOthers() > 0 || n.roster.Count(hearsay.StateDead) > 0
	return answered == 0 && others && !n.stayOf(n.id).ID.IsZero()
}

// stayOf gives the present stay of a member; of nobody: none.
func (n *Node) stayOf(id hearsay.NodeID) hearsay.Stay {
	if n.seeded.authority == nil {
		return hearsay.Stay{ID: id}
	}
	m, _ := n.seeded.authority.Member(id)
	return m.Stay
}

// takeAway takes the word of a member that it is away: if it is of its present stay. Seeds have none.
func (n *Node) takeAway(now time.Time, p *hearsay.Packet, m *hearsay.Away) {
	if m.Stay.ID.IsZero() || m.Stay != n.stayOf(m.Stay.ID) {
		n.drops[hearsay.DropStranger]++
		return
	}
	n.roster.Away(now, p, m)
}

// isAway reports whether a member has said that it is away.
func (n *Node) isAway(id hearsay.NodeID) bool {
	_, is := n.roster.IsAway(id)
	return is
}

// away has a member probed and linked no more for a while, and nothing asked for against it.
func (n *Node) away(now time.Time, id hearsay.NodeID) {
	n.seeded.cleared(now, id)
	if n.seeded.seat != nil {
		n.seeded.seat.Away(now, id)
	}
	n.detect.Pass(id)
	n.overlay.Suspect(now, id)
	n.rumors.Trusted(now, id)
}

// awayWords says of a member that it is away; "" if it is not.
func (n *Node) awayWords(now time.Time, id hearsay.NodeID) string {
	until, is := n.roster.IsAway(id)
	if !is {
		return ""
	}
	return fmt.Sprintf(" It has said that its process is started again, and is not probed until %s (in %s): if it is not back by then, it is looked for as any member.",
		exactly(until.UnixMilli()), until.Sub(now).Round(time.Second))
}

// awayStep puts into words what was heard of a member that is away; "" of other events.
func awayStep(e *hearsay.Event, me string) string {
	switch e.Kind {
	case hearsay.EventMemberAway:
		return fmt.Sprintf("%s has said that its process ends and is started again: %s holds its silence against it after %s only", e.Name, me, e.Took)
	case hearsay.EventMemberBack:
		return fmt.Sprintf("%s is back, with a new incarnation", e.Name)
	case hearsay.EventAwayOver:
		return fmt.Sprintf("%s is not back in time: %s probes it again", e.Name, me)
	}
	return ""
}
