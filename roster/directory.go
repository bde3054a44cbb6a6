package roster

import (
	"net/netip"

	"hearsay"
)

// Seat gives the number of somebody who is listed: it is this one's alone until
// the step ends in which it is forgotten.
func (r *Roster) Seat(id hearsay.NodeID) int32 { return r.members.cards.find(id) }

// At gives the living member other than this node that has a seat, if any, and
// where it is reached.
func (r *Roster) At(seat int32) (id hearsay.NodeID, addr netip.AddrPort, ok bool) {
	m := r.members.at(seat)
	if m == nil || m == r.self || !m.state.Living() {
		return id, addr, false
	}
	return r.id(m), r.addr(m), true
}

// CountOthers counts the living other than this node.
func (r *Roster) CountOthers() int { return len(r.living) }

// Other gives one of the living other than this node, from 0, in an order that
// only chance decides.
func (r *Roster) Other(i int) hearsay.NodeID { return r.members.cards.subjects[r.living[i]].id }

// Known reports whether somebody is listed, in whatever state. This node is.
func (r *Roster) Known(id hearsay.NodeID) bool { return r.members.get(id) != nil }

// Trusted reports whether id is a living member, or this node, and neither a suspect
// here nor away.
func (r *Roster) Trusted(id hearsay.NodeID) bool {
	m := r.members.get(id)
	return m != nil && m.state == hearsay.StateAlive && !r.isAway(m)
}

// Suspect reports whether id is a suspect here.
func (r *Roster) Suspect(id hearsay.NodeID) bool {
	m := r.members.get(id)
	return m != nil && m.state == hearsay.StateSuspect
}

// Draw gives a random living member other than this node, if there is one.
func (r *Roster) Draw() (hearsay.NodeID, bool) {
	if len(r.living) == 0 {
		return hearsay.NodeID{}, false
	}
	return r.id(r.anyone()), true
}
