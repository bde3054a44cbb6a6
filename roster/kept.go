package roster

import (
	"slices"

	"hearsay"
)

// KeepEvidence keeps evidence that the caller has checked: the newest of all
// that is kept, and of its subject.
func (r *Roster) KeepEvidence(e *hearsay.Evidence) {
	own := *e // what came with a packet belongs to the packet
	own.Statements = slices.Clone(e.Statements)
	r.keepEvidence(own.Hash(r.network), &own)
}
