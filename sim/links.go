package sim

import (
	"slices"

	"hearsay"
)

// piece walks the links from the first running node, and marks the machines
// that it comes to.
func (c *convergence) piece(steady []bool) (reached []bool) {
	reached = make([]bool, len(c.world.machines))
	first := slices.Index(steady, true)
	if first < 0 {
		return reached
	}
	reached[first] = true
	for walk := []int32{int32(first)}; len(walk) > 0; walk = walk[1:] {
		for _, id := range c.world.machines[walk[0]].node.Gossip().Links() {
			if to := c.world.check.machineOf(id); to >= 0 && steady[to] && !reached[to] {
				reached[to] = true
				walk = append(walk, to)
			}
		}
	}
	return reached
}

// unlinked says what is wrong with a node's links, if anything: each is known
// at both ends, and together they reach everybody.
func (c *convergence) unlinked(m *machine, reached []bool) string {
	w := c.world
	if !reached[m.index] {
		return "is not linked with the rest"
	}
	for _, id := range m.node.Gossip().Links() {
		to := w.check.machineOf(id)
		if to < 0 || w.machines[to].node == nil || w.machines[to].id != id {
			return "is linked with " + w.check.name(id) + ", which does not run"
		}
		if other := &w.machines[to]; c.steady(other) && !c.isLinked(other, m) {
			return "is linked with " + other.name + ", which is not linked with it"
		}
	}
	return ""
}

// isLinked reports whether a machine's node holds another for its neighbor.
func (c *convergence) isLinked(m, other *machine) bool {
	return m.node != nil && slices.Contains(m.node.Gossip().Links(), other.id)
}

// machineOf is the machine of an identity, by index; -1 if it never was.
func (c *checker) machineOf(id hearsay.NodeID) int32 {
	if number, known := c.numbers[id]; known {
		return c.identities[number].machine
	}
	return -1
}
