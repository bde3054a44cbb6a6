package sim

import (
	"slices"
	"time"
)

// This file holds two processes with one identity, on a disk and its copy, to
// their rule: one of them stops by itself in time, and never both.

// twinsWithin is how long two processes may run together, in a network without
// cuts, until one of them has stopped. Two that are old count to twelve rounds, which
// come every two seconds or so (roster/twin.go), and one may have to be found first.
const twinsWithin = time.Minute

// twins are two machines with one identity.
type twins struct {
	identity int
	machines [2]int32
	together time.Duration // for how long both have run, and been in; 0: they do not run
	stopped  int32         // the machine that has stopped because of the other; -1: none
}

// clone has a machine's process start with a copy of another's disk.
func (w *World) clone(a *Action) {
	from, to := &w.machines[a.Who[0]-1], &w.machines[a.Who[1]-1]
	if from.disk == nil || to.node != nil || from == to {
		return
	}
	w.counts.Clones++
	to.disk, to.copied = from.disk.Clone(), true
	to.disks++
	to.owner, to.ownerDisk = from.owner, from.ownerDisk
	w.check.cloned(from, to)
	w.start(to, false)
}

// twinOf gives a running machine that has the identity of another one; nil: none has.
func (w *World) twinOf(m *machine) *machine {
	for i := range w.machines {
		if one := &w.machines[i]; one != m && one.condition == conditionRunning && one.id == m.id {
			return one
		}
	}
	return nil
}

// twinCarriesOn tells the checker that a machine does not run, or not visibly, and
// that another has its identity.
func (w *World) twinCarriesOn(m *machine) {
	if !w.check.identities[m.identity].twinned {
		return
	}
	if other := w.twinOf(m); other != nil {
		w.check.carriesOn(other)
	}
}

// cloned is told that two machines have one identity from now on.
func (c *checker) cloned(from, to *machine) {
	c.written.copied(to)
	c.identities[from.identity].twinned = true // until when, see started: the copy starts now
	c.twins = append(c.twins, twins{identity: from.identity, machines: [2]int32{from.index, to.index}, stopped: -1})
}

// shares reports whether an identity is, or was, a machine's and another one's.
func (c *checker) shares(identity int, m *machine) bool {
	return slices.ContainsFunc(c.twins, func(t twins) bool { return t.identity == identity && slices.Contains(t.machines[:], m.index) })
}

// carriesOn is told that one of two with an identity runs, and the other does not.
func (c *checker) carriesOn(m *machine) {
	one := &c.identities[m.identity]
	one.running, one.machine = true, m.index
}

// checkTwins looks whether two run together for too long. Where seeds decide, only
// claims of members are passed on: two that are not in yet do not hear of each other.
func (in *inspection) checkTwins() {
	w := in.world
	for i := range w.check.twins {
		t := &w.check.twins[i]
		a, b := &w.machines[t.machines[0]], &w.machines[t.machines[1]]
		both := a.condition == conditionRunning && b.condition == conditionRunning && a.identity == t.identity && b.identity == t.identity
		if a.node != nil && b.node != nil && a.identity == b.identity {
			w.check.identities[t.identity].twinTill = w.now + troubleGrace
		}
		switch {
		case !both || !w.check.whole:
			t.together = 0
		case w.config.Seeds > 0 && !w.core.ruledIn(a.id): // they may have each other removed again and again
		case t.together == 0:
			t.together, t.stopped = checkEvery, -1
		case t.together > twinsWithin:
			w.check.violate(w.now, b, RuleTwins, "runs with the identity of %s for %s, and neither stops", a.name, short(t.together))
			t.together = checkEvery
		default:
			t.together += checkEvery
		}
	}
}

// ofIdentity reports whether a rule is about what one process has said and remembers.
func (r Rule) ofIdentity() bool {
	return r == RuleIncarnation || r == RuleRumor || r == RuleEvidence || r == RuleRoster || r == RuleAway
}

// isTwin reports whether another process has the identity, or had it not long ago.
func (one *identity) isTwin(now time.Duration) bool { return one.twinned && now < one.twinTill }

// twinStarts is told that a machine runs with an identity. If it had stopped because of
// another process, that one may stop because of this one now.
func (c *checker) twinStarts(m *machine, identity int) {
	for i := range c.twins {
		if t := &c.twins[i]; t.identity == identity && t.stopped == m.index {
			t.stopped = -1
		}
	}
}

// stopsAsTwin is told that a peer stops because another process has its identity.
func (c *checker) stopsAsTwin(m *machine, now time.Duration) {
	at := slices.IndexFunc(c.twins, func(t twins) bool { return t.identity == m.identity && slices.Contains(t.machines[:], m.index) })
	if at < 0 {
		c.violate(now, m, RuleTwins, "stops because of another process with its identity, and there is none")
		return
	}
	t := &c.twins[at]
	if t.stopped >= 0 && t.stopped != m.index {
		c.violate(now, m, RuleTwins, "stops because of another process with its identity, which has stopped, too")
	}
	t.stopped = m.index
}
