package agent

import (
	"net/netip"
	"time"

	"hearsay"
)

// Proof gives what proves the ledger as this node has it, the rulings apart:
// copies.
func (a *Agent) Proof() (proof hearsay.LedgerProof) {
	a.ask(func(time.Time) { proof = a.loop.node.Proof(a.disk != nil) })
	return proof
}

// newPhrases gives the phrases of this node's log.
func (a *Agent) newPhrases(own hearsay.NodeID, addr netip.AddrPort) *phrases {
	p := newPhrases(&a.cfg, own, addr)
	if p == nil {
		return nil
	}
	p.where = func(id hearsay.NodeID) (at netip.AddrPort) {
		a.ask(func(time.Time) { at = a.loop.node.Where(id) })
		return at
	}
	p.links = func() (n int) {
		a.ask(func(time.Time) { n = len(a.loop.node.Links()) })
		return n
	}
	return p
}
