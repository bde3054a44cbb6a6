package sim

import (
	"slices"

	"hearsay"
)

// piece walks the links from the first running node, and marks the machines
// that it comes to.
func (w *World) piece(steady []bool) (reached []bool) {
	reached = make([]bool, len(w.machines))
	first := slices.Index(steady, true)
	if first < 0 {
		return reached
	}
	reached[first] = true
	for walk := []int32{int32(first)}; len(walk) > 0; walk = walk[1:] {
		for _, id := range w.machines[walk[0]].node.Links() {
			if to := w.check.machineOf(id); to >= 0 && steady[to] && !reached[to] {
				reached[to] = true
				walk = append(walk, to)
			}
		}
	}
	return reached
}

// unlinked says what is wrong with a node's links, if anything: each is known
// at both ends, and together they reach everybody.
func (w *World) unlinked(m *machine, reached []bool) string {
	if !reached[m.index] {
		return "is not linked with the rest"
	}
	for _, id := range m.node.Links() {
		to := w.check.machineOf(id)
		if to < 0 || w.machines[to].node == nil || w.machines[to].id != id {
			return "is linked with " + w.check.name(id) + ", who does not run"
		}
		if other := &w.machines[to]; w.steady(other) && !w.isLinked(other, m) {
			return "is linked with " + other.name + ", which is not linked with it"
		}
	}
	return ""
}

// isLinked reports whether a machine's node holds another for its neighbor.
func (w *World) isLinked(m, other *machine) bool {
	return m.node != nil && slices.Contains(m.node.Links(), other.id)
}

// machineOf is the machine of an identity, by index; -1 if it never was.
func (c *checker) machineOf(id hearsay.NodeID) int32 {
	if number, known := c.numbers[id]; known {
		return c.identities[number].machine
	}
	return -1
}
