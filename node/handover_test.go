package node_test

import (
	"testing"
	"time"
)

// Behind loss a stream gets nothing through for seconds. A leader there hands over by a
// datagram, sooner than the others miss it.
func TestLeadIsHandedOverByDatagram(t *testing.T) {
	const election = time.Second // the shortest: for so long the others wait for a word of the leader
	w := newSeededNetwork(t, 0)
	w.run(5 * time.Second)
	leads := func(seed int) int { return w.nodes[seed].Seeded().Authority().Leader }
	if leads(0) != 0 || leads(1) != 0 || leads(2) != 0 {
		t.Fatalf("%d, %d and %d lead: want n0, by all", leads(0), leads(1), leads(2))
	}
	w.stuck = map[int]bool{0: true}
	w.run(election)
	if leads(1) <= 0 || leads(1) != leads(2) { // of each other
		t.Errorf("n1 and n2 follow %d and %d: want one other leader within %v", leads(1), leads(2), election)
	}
}
