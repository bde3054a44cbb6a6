package ledger

import (
	"slices"

	"hearsay"
)

const (
	// FoundingIndex is where the log of every founding begins, and foundingTerm its term there.
	FoundingIndex, FoundingTerm = 1, 1
)

// AgreedFounding gives the founding that a quorum of so many seeds names, or zero.
func AgreedFounding(named []hearsay.Hash, seeds int) hearsay.Hash {
	for _, one := range named {
		same := 0
		for _, other := range named {
			if one == other {
				same++
			}
		}
		if same >= hearsay.QuorumOf(seeds) {
			return one
		}
	}
	return hearsay.Hash{}
}

// KeptFounding gives the founding that the heads on disk name.
func (c *Chain) KeptFounding() hearsay.Hash {
	named := make([]hearsay.Hash, c.seeds)
	for slot := range named {
		named[slot] = c.Ahead[slot].Founding
	}
	return AgreedFounding(named, c.seeds)
}

// BeganAt gives the epoch of the recovery that the founding here is; 0: it is none, or is not
// in memory. Who sat where before says nothing of who signs heads now.
func (c *Chain) BeganAt() hearsay.Epoch {
	for i := range slices.Backward(c.Links) {
		if l := &c.Links[i]; l.Ruling.Kind == hearsay.RulingRecover && l.Hash == c.Founding {
			return l.Ruling.Epoch
		}
	}
	return 0
}

// Recovers reports whether a ledger has begun anew by the ruling with this hash.
func (c *Chain) Recovers(hash hearsay.Hash) bool {
	for i := range c.Links {
		if l := &c.Links[i]; l.Ruling.Kind == hearsay.RulingRecover && l.Hash == hash {
			return true
		}
	}
	return false
}
