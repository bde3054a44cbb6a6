package node

import (
	"net/netip"

	"hearsay"
)

// StateAt gives the state in which this node has the living member at an
// address, for a peer of another protocol that asks for its own opinion: of a
// suspect that has answered this node since, that it is alive. 0: it knows
// nobody alive there. Of two identities at one address the one that is alive
// counts.
func (n *Node) StateAt(addr netip.AddrPort) (state hearsay.State) {
	if self := n.Self(); self.Addr == addr && self.State.Living() {
		return hearsay.StateAlive
	}
	for i := range n.roster.CountOthers() {
		id := n.roster.Other(i)
		switch at, _ := n.roster.Addr(id); {
		case at != addr:
		case n.roster.Trusted(id), n.isAway(id):
			return hearsay.StateAlive
		default:
			state = hearsay.StateSuspect
		}
	}
	return state
}

// EverAt reports whether somebody was ever in at an address, as far as this
// node knows: by the rulings in its memory, and by the members that it still lists.
func (n *Node) EverAt(addr netip.AddrPort) bool {
	for _, m := range n.roster.All(nil) {
		if m.Addr == addr {
			return true
		}
	}
	if n.seeded.authority == nil {
		return false
	}
	for r := range n.ledger() {
		if r.Kind == hearsay.RulingAdmit && r.Claim.Card.Addr == addr {
			return true
		}
	}
	return false
}
