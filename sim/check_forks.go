package sim

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file holds seeds that have decided two ledgers of one founding to their rule:
// that is found out, and said. It can only come of a seed that goes on with an
// older copy of its disk while those that know better are down.

// forksWithin is how long two ledgers may be unknown in a network without cuts, while
// a seed of each runs. Guess: some questions of a follower, and a founding's hellos.
const forksWithin = 30 * time.Second

// fork is that there are two ledgers.
type fork struct {
	epoch hearsay.Epoch         // of the first ruling that differs; 0: there is one ledger
	began hearsay.Hash          // the founding of the second ledger: another one only if the first ruling differs
	other map[hearsay.Hash]bool // the rulings of the second ledger
	said  bool                  // by a node that has heard of both
	met   time.Duration         // since when a seed of each runs; 0: they do not
}

// parts reports whether a ruling is of the second ledger, and notes that its node follows
// that. Seeds are the first to tell a ruling, and each one follows from the one before. The
// first that differs has a ballot of a seed that runs on an older disk, or is a leave, which has
// no ballots, while there is such a seed. Nothing else explains two ledgers.
func (c *checker) parts(m *machine, r *hearsay.Ruling, hash hearsay.Hash, now time.Duration) bool {
	f, l := &c.fork, &c.ledger
	if f.other[hash] {
		c.views[m.index].parted = true
		return true
	}
	known := r.Epoch >= 1 && r.Epoch <= l.epoch()
	switch {
	case !c.isSeed(m), l.has(r.Epoch, hash):
		return false
	case f.other[r.Previous]:
	case f.epoch > 0 && r.Epoch != f.epoch, !known, r.Epoch > 1 && !l.has(r.Epoch-1, r.Previous), !c.castByOld(r):
		return false
	case f.epoch == 0:
		f.epoch, f.began, f.other = r.Epoch, l.began, make(map[hearsay.Hash]bool)
		if r.Epoch == 1 {
			f.began = r.Previous
		}
	}
	c.views[m.index].parted, f.other[hash] = true, true
	c.ballots.balloted(m, r, now)
	return true
}

// castByOld reports whether a seed that runs on an older disk has taken part in a ruling,
// or may have.
func (c *checker) castByOld(r *hearsay.Ruling) bool {
	old := func(one identity) bool { return one.old && int(one.machine) >= c.peers }
	if r.Kind == hearsay.RulingLeave {
		leave := core.Leave{Stay: r.Stay, Signature: r.Leave}
		return slices.ContainsFunc(c.identities, old) && leave.Verify(c.ledger.id(), &c.verifier, r.Key)
	}
	in := c.ledger.id()
	if r.Epoch == 1 {
		in.Founding = r.Previous
	}
	return slices.ContainsFunc(r.Ballots, func(b hearsay.Ballot) bool {
		by, cast := c.ballots.castBy(&b, in)
		return cast && old(c.identities[c.numbers[by.key.NodeID()]])
	})
}

// signedIn says in which ledger a node signs.
func (c *checker) signedIn(m *machine) hearsay.LedgerID {
	id := c.followed(m).id()
	if c.views[m.index].parted {
		id.Founding = c.fork.began
	}
	return id
}

// checkForks looks whether two ledgers are unknown for too long.
func (in *inspection) checkForks() {
	w := in.world
	f := &w.check.fork
	if f.epoch == 0 || f.said {
		return
	}
	var sides [2]bool
	for i := w.config.Nodes; i < len(w.machines); i++ {
		if m := &w.machines[i]; m.condition == conditionRunning && m.node.Seeded().Epoch() >= f.epoch {
			if w.check.views[i].parted {
				sides[1] = true
			} else {
				sides[0] = true
			}
		}
	}
	switch {
	case !sides[0] || !sides[1] || !w.check.whole:
		f.met = 0
	case f.met == 0:
		f.met = w.now
	case w.now-f.met > forksWithin:
		w.check.violate(w.now, &w.machines[w.config.Nodes], RuleForks, "there are two ledgers from epoch %d on, and for %s nobody says so", f.epoch, short(w.now-f.met))
		f.met = w.now
	}
}
