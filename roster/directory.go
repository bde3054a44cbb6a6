package roster

import "hearsay"

// Known reports whether somebody is listed, in whatever state. This node is.
func (r *Roster) Known(id hearsay.NodeID) bool { return r.members.get(id) != nil }

// Trusted reports whether id is a living member, or this node, and no suspect
// here.
func (r *Roster) Trusted(id hearsay.NodeID) bool {
	m := r.members.get(id)
	return m != nil && m.state == hearsay.StateAlive
}

// Draw gives a random living member other than this node, if there is one.
func (r *Roster) Draw() (hearsay.NodeID, bool) {
	if len(r.living) == 0 {
		return hearsay.NodeID{}, false
	}
	return r.living[r.random.IntN(len(r.living))].id, true
}
