package sim

import (
	"slices"
	"time"

	"hearsay"
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
	other map[hearsay.Hash]bool // the rulings of the second ledger
	said  bool                  // by a node that has heard of both
	met   time.Duration         // since when a seed of each runs; 0: they do not
}

// parts takes note of a node whose ledger is another, and reports whether that can
// be: a seed runs on an older disk. The node is held to no rule of the first ledger.
func (c *checker) parts(m *machine, at hearsay.Epoch, hash hearsay.Hash) bool {
	if !slices.ContainsFunc(c.identities, func(one identity) bool { return one.old && int(one.machine) >= c.peers }) {
		return false
	}
	if c.views[m.index].parted = true; c.fork.epoch == 0 {
		c.fork.epoch, c.fork.other = at, make(map[hearsay.Hash]bool)
	}
	c.fork.other[hash] = true
	return true
}

// excused reports whether a node that follows another ledger is held to a rule.
func (c *checker) excused(m *machine, rule Rule) bool {
	switch rule {
	case RuleRoster, RuleLedger, RuleBallots, RuleEvidence, RuleReturn, RuleFalseDeath, RuleRumor:
		return c.fork.epoch > 0 && (c.views[m.index].parted || c.fork.said)
	}
	return false
}

// checkForks looks whether two ledgers are unknown for too long.
func (w *World) checkForks() {
	f := &w.check.fork
	if f.epoch == 0 || f.said {
		return
	}
	var sides [2]bool
	for i := w.config.Nodes; i < len(w.machines); i++ {
		if m := &w.machines[i]; m.condition == conditionRunning && m.node.Epoch() >= f.epoch {
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
