package quorum

import (
	"slices"

	"hearsay"
)

// Oldest is the first epoch whose ruling is in memory, if there is one.
func (q *Quorum) Oldest() hearsay.Epoch { return q.chain.Base + 1 }

// OldestOnDisk is the first epoch from which all rulings are on disk.
func (q *Quorum) OldestOnDisk() hearsay.Epoch { return q.chain.Lowest }

// Founding gives who sat where before the first ruling, whose Previous is the
// hash of that.
func (q *Quorum) Founding() []hearsay.Seat {
	if q.state == nil {
		return nil
	}
	return slices.Clone(q.state.Founding)
}

// Heads gives the newest head of each seat that is known, in the order of
// slots.
func (q *Quorum) Heads() []hearsay.Head { return q.chain.Newest() }

// Open counts the open cases.
func (q *Quorum) Open() int {
	if q.state == nil {
		return 0
	}
	return len(q.state.Cases)
}
