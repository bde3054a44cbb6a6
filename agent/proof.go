package agent

import (
	"time"

	"hearsay"
)

// Proof gives what proves the ledger as this node has it, the rulings apart:
// copies.
func (a *Agent) Proof() (proof hearsay.LedgerProof) {
	a.ask(func(time.Time) { proof = a.loop.node.Seeded().Proof(a.disk != nil) })
	return proof
}
