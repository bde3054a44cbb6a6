package node

import (
	"net/netip"

	"hearsay"
)

// StateAt gives the state in which this node has the member at an address, for
// a peer of another protocol that asks for its own opinion: of a suspect that
// has answered this node since, that it is alive. 0: it knows nobody there. own is of a suspect: it
// has not answered this node's own probe; else only others say that it is silent.
func (a *Addresses) StateAt(addr netip.AddrPort) (state hearsay.State, own bool) {
	return a.roster.StateAt(addr)
}

// EverAt reports whether somebody was ever in at an address, as far as this
// node knows: by the rulings in its memory, and by the members that it still lists.
func (a *Addresses) EverAt(addr netip.AddrPort) bool {
	for _, m := range a.roster.All(nil) {
		if m.Addr == addr {
			return true
		}
	}
	if a.seeded.authority == nil {
		return false
	}
	for r := range a.seeded.ledger() {
		if r.Kind == hearsay.RulingAdmit && r.Claim.Card.Addr == addr {
			return true
		}
	}
	return false
}

// Welcome reports whether a seed, asked for its own opinion, has nothing
// against an admission: the claim is well-formed, not barred, and nobody else
// is in at its address.
func (a *Addresses) Welcome(c *hearsay.Claim) bool {
	if a.seeded.seat == nil {
		return false
	}
	at, in := a.MemberAt(c.Card.Addr)
	return !a.seeded.seat.Objects(c) && (!in || at.Stay.ID == c.Subject)
}

// Unheard reports whether a seed, asked for its own opinion, holds that nobody
// is at an address: nobody is in there, or the seed's own probes fail now.
func (a *Addresses) Unheard(addr netip.AddrPort) bool {
	m, in := a.MemberAt(addr)
	return !in || a.seeded.seat != nil && a.seeded.seat.Failing(m.Stay.ID)
}
