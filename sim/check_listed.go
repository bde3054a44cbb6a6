package sim

import "time"

// This file holds an open network to what a newcomer counts on: one that is well and lists others is listed by
// one of them before long, whatever was lost while it joined.

// inspection looks at nodes from outside, once a second and at the end, for what must be so at any time.
type inspection struct{ world *World }

// listedWithin is how long a node that is well may be listed by nobody, while it lists one that is well, in a
// network without cuts: it learns of it in ten seconds, or ten periods of the detector if that is longer
// (roster/listed.go), and asks two members, and as much later two others.
func (in *inspection) listedWithin() time.Duration {
	return 3 * max(10*time.Second, 10*in.world.config.Detect.Longest())
}

// checkListed looks whether a node is listed by nobody for too long.
func (in *inspection) checkListed() {
	w := in.world
	if w.config.Seeds > 0 {
		return // the ledger says which nodes are in; see the rule roster
	}
	for i := range w.machines {
		m, view := &w.machines[i], &w.check.views[i]
		if !in.unharmed(m) || !w.check.whole || w.now-w.check.mended < checkEvery || in.isListed(m) || !in.listsOneWell(m) {
			view.unlisted = 0
			continue
		}
		if view.unlisted += checkEvery; view.unlisted > in.listedWithin() {
			w.check.violate(w.now, m, RuleListed, "lists others that are well, and is listed by none for %s", short(view.unlisted))
			view.unlisted = 0
		}
	}
}

// unharmed reports whether a machine's node runs and means to stay, alone with its identity, and nothing is
// done to what it sends and receives that is not done to all.
func (in *inspection) unharmed(m *machine) bool {
	return m.condition == conditionRunning && in.world.convergence.steady(m) && !in.world.check.identities[m.identity].isTwin(in.world.now) &&
		m.slow == 0 && m.sync == 0 && m.lossIn == 0 && m.lossOut == 0 && m.lossDatagrams == 0 && m.lossStreams == 0 && m.narrow == 0
}

// isListed reports whether another node lists a machine's. Mostly the first that is asked does.
func (in *inspection) isListed(m *machine) bool {
	for i := range in.world.machines {
		if other := &in.world.machines[i]; other.node != nil && other != m {
			if _, listed := other.node.Addresses().Of(m.id); listed {
				return true
			}
		}
	}
	return false
}

// listsOneWell reports whether a machine's node lists another one that is well.
func (in *inspection) listsOneWell(m *machine) bool {
	for i := range in.world.machines {
		if other := &in.world.machines[i]; other != m && in.unharmed(other) {
			if _, listed := m.node.Addresses().Of(other.id); listed {
				return true
			}
		}
	}
	return false
}
