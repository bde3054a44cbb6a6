package node_test

import (
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/quorum"
)

// A member that is away is no neighbor meanwhile, and a peer of another protocol that asks is told that it is alive.
func TestOneThatIsAwayIsNoNeighborAndAlive(t *testing.T) {
	w := newNetwork(t, 5)
	w.run(2 * time.Second)
	gone, other := w.nodes[0].Self().ID, w.nodes[1]
	linked := func() bool { return slices.Contains(other.Gossip().Links(), gone) }
	if !linked() {
		t.Fatalf("links %v", other.Gossip().Links())
	}
	w.carry(0, w.nodes[0].Away(w.now))
	w.down[0] = true
	w.run(time.Second)
	if linked() {
		t.Error("it is linked")
	}
	if s, _ := other.Addresses().StateAt(addr(0)); s != hearsay.StateAlive {
		t.Errorf("told as %s", s)
	}
	w.run(core.AwayFor - 2*time.Second)
	if s, _ := other.Addresses().StateAt(addr(0)); linked() || s != hearsay.StateAlive {
		t.Error("it is linked, or not alive, before its time is over")
	}
}

// A member that was silent, and says that it is away, is reported to the seeds no more.
func TestOneThatIsAwayIsNotReported(t *testing.T) {
	w := newSeededNetwork(t, 4)
	w.run(10 * time.Second)
	gone := len(w.nodes) - 1
	for slot := range testSeeds { // nobody takes the reports, so that they are repeated
		w.down[slot] = true
	}
	w.down[gone] = true
	reported := func(d time.Duration) int {
		w.reports = 0
		w.run(d)
		return w.reports
	}
	w.run(15 * time.Second)
	if reported(6*time.Second) == 0 {
		t.Fatal("nobody reports it: the test shows nothing")
	}
	w.down[gone] = false
	w.carry(gone, w.nodes[gone].Away(w.now))
	w.down[gone] = true
	if n := reported(6 * time.Second); n > 0 {
		t.Errorf("it is away, and is reported %d times", n)
	}
	if reported(core.AwayFor+20*time.Second) == 0 {
		t.Error("it is not back, and nobody reports it")
	}
}

// One that was silent before it said that it is away, and is not back in time, is removed as soon as one that falls
// silent then: not before seeds have probed it anew, nor only when they find it silent to all for long.
func TestSeedsProbeOneThatIsNotBackAnew(t *testing.T) {
	w := newSeededNetwork(t, 1)
	w.run(10 * time.Second)
	gone, trial := len(w.nodes)-1, quorum.DefaultConfig().ShortTrial
	w.down[gone] = true
	w.run(3 * time.Second) // seeds probe it, and have accused it
	w.down[gone] = false
	w.carry(gone, w.nodes[gone].Away(w.now))
	w.down[gone] = true
	if s := w.state(gone, 0); s != hearsay.StateAlive {
		t.Fatalf("it is %s, and says that it is away", s)
	}
	w.run(core.AwayFor + trial)
	if s := w.state(gone, 0); !s.Living() {
		t.Errorf("it is %s %v after its time was over", s, trial)
	}
	w.run(trial)
	if s := w.state(gone, 0); s.Living() {
		t.Errorf("it is %s %v after its time was over", s, 2*trial)
	}
}
