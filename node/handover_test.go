package node_test

import (
	"strings"
	"testing"
	"time"
)

// Behind loss a stream gets nothing through for seconds. A leader there hands over by a
// datagram, sooner than the others miss it.
func TestLeadIsHandedOverByDatagram(t *testing.T) {
	const election = time.Second // the shortest: for so long the others wait for a word of the leader
	w := newSeededNetwork(t, 0)
	w.run(5 * time.Second)
	leads := func(seed string) (n int) {
		for _, e := range w.events {
			if strings.HasSuffix(e, " quorum-heard  by "+seed) {
				n++
			}
		}
		return n
	}
	if leads("n0") == 0 || leads("n1")+leads("n2") > 0 {
		t.Fatalf("another leads than n0: %q", w.events)
	}
	w.stuck = map[int]bool{0: true}
	w.run(election)
	if leads("n1")+leads("n2") != 2 { // of each other
		t.Errorf("n1 and n2 follow no other leader within %v: %q", election, w.events)
	}
}
