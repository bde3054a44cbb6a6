package sim

import (
	"slices"
	"time"

	"hearsay"
)

// This file holds nodes to the rules of a seeded network.

// ledger is what has been ruled, as the first node has told it, and what seeds
// have cast.
type ledger struct {
	network hearsay.NetworkID
	seeds   int
	rulings []ruling              // by epoch, from 1
	stays   map[hearsay.Stay]bool // begun; false: over

}

// ruling is one that some node has applied.
type ruling struct {
	hash  hearsay.Hash
	first string // who told it first
	stay  hearsay.Stay
}

// ruled checks a ruling that a node has applied.
func (c *checker) ruled(m *machine, e *hearsay.Event, now time.Duration) {
	l, r := &c.ledger, e.Ruling
	v := &c.views[m.index]
	if r.Epoch <= v.epoch {
		c.violate(now, m, RuleLedger, "applies epoch %d after %d", r.Epoch, v.epoch)
	}
	v.epoch = r.Epoch
	hash := r.Hash(l.network)
	if n := int(r.Epoch); n <= len(l.rulings) {
		if known := &l.rulings[n-1]; known.hash != hash {
			c.violate(now, m, RuleLedger, "has another ruling of epoch %d than %s: %s of %s", r.Epoch, known.first, r.Kind, c.name(r.Stay.ID))
		}
		return // it has been judged
	} else if n > len(l.rulings)+1 {
		c.violate(now, m, RuleLedger, "applies epoch %d, and nobody has told %d", r.Epoch, len(l.rulings)+1)
		return
	}
	if n := len(l.rulings); n > 0 && r.Previous != l.rulings[n-1].hash {
		c.violate(now, m, RuleLedger, "epoch %d does not follow from %d", r.Epoch, n)
	}
	l.rulings = append(l.rulings, ruling{hash, m.name, r.Stay})
	c.balloted(m, r, now)
	c.stayed(m, r, now)
}

// balloted checks that a ruling has equal ballots of a quorum, each signed by
// the seed of its slot.
func (c *checker) balloted(m *machine, r *hearsay.Ruling, now time.Duration) {
	var slots []uint8
	for i := range r.Ballots {
		b := &r.Ballots[i]
		switch {
		case b.Verdict != hearsay.BallotYes || b.Case != r.Case || slices.Contains(slots, b.Slot):
			continue
		case !c.castBy(b):
			c.violate(now, m, RuleBallots, "epoch %d has a ballot that no seed of slot %d has signed", r.Epoch, b.Slot)
		}
		slots = append(slots, b.Slot)
	}
	needed := hearsay.QuorumOf(c.ledger.seeds)
	switch r.Kind {
	case hearsay.RulingAdmit, hearsay.RulingRemove, hearsay.RulingSeat:
		if len(slots) < needed {
			c.violate(now, m, RuleBallots, "%s of %s in epoch %d with %d ballots, %d needed", r.Kind, c.name(r.Stay.ID), r.Epoch, len(slots), needed)
		}
	}
}

// castBy reports whether a machine of the slot has signed a ballot: one of its
// identities, as a wiped seed has another.
func (c *checker) castBy(b *hearsay.Ballot) bool {
	for i := range c.identities {
		one := &c.identities[i]
		if int(one.machine) == c.peers+int(b.Slot) && b.Verify(c.network, &c.verifier, one.key) {
			return true
		}
	}
	return false
}

// stayed checks what a ruling does to a stay.
func (c *checker) stayed(m *machine, r *hearsay.Ruling, now time.Duration) {
	l := &c.ledger
	lives, known := l.stays[r.Stay]
	switch r.Kind {
	case hearsay.RulingAdmit:
		if known || r.Stay.Epoch != r.Epoch {
			c.violate(now, m, RuleReturn, "epoch %d admits the stay %d of %s again", r.Epoch, r.Stay.Epoch, c.name(r.Stay.ID))
		}
		l.stays[r.Stay] = true
	case hearsay.RulingRemove, hearsay.RulingLeave:
		if !lives {
			c.violate(now, m, RuleReturn, "epoch %d ends the stay %d of %s, which is over", r.Epoch, r.Stay.Epoch, c.name(r.Stay.ID))
		}
		l.stays[r.Stay] = false // whether it should be, each death is judged for
	}
}
