package node_test

import (
	"slices"
	"testing"
	"time"

	"hearsay"
)

// A member that is away is no neighbor meanwhile, and a peer of another protocol that asks is told that it is alive.
func TestOneThatIsAwayIsNoNeighborAndAlive(t *testing.T) {
	w := newNetwork(t, 5)
	w.run(2 * time.Second)
	gone, other := w.nodes[0].Self().ID, w.nodes[1]
	linked := func() bool { return slices.Contains(other.Links(), gone) }
	if !linked() {
		t.Fatalf("links %v", other.Links())
	}
	w.carry(0, w.nodes[0].Away(w.now))
	w.down[0] = true
	w.run(time.Second)
	if linked() {
		t.Error("it is linked")
	}
	if s := other.StateAt(addr(0)); s != hearsay.StateAlive {
		t.Errorf("told as %s", s)
	}
	w.run(hearsay.AwayFor - 2*time.Second)
	if linked() || other.StateAt(addr(0)) != hearsay.StateAlive {
		t.Error("it is linked, or not alive, before its time is over")
	}
}
