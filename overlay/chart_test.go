package overlay

import (
	"math/rand/v2"
	"testing"
	"time"

	"hearsay"
)

// all stand on the rings.
func all(hearsay.NodeID) bool { return true }

// TestChart: what one node charts of another is what that one has for itself.
func TestChart(t *testing.T) {
	now := time.Unix(1, 0)
	for _, kind := range []Kind{KindRing, KindRandom} {
		for _, n := range []int{1, 2, 3, 4, 9, 40} {
			ids := make([]hearsay.NodeID, n)
			random := rand.New(rand.NewPCG(7, uint64(n)))
			for i := range ids {
				for j := range ids[i] {
					ids[i][j] = byte(random.Uint32())
				}
			}
			nodes := make([]one, n)
			for i, self := range ids {
				o := start(Config{Kind: kind, Links: 4}, self, anywhere, uint64(i))
				for _, id := range ids {
					o.Add(now, id)
				}
				if n > 4 {
					o.Suspect(now, ids[1])
				}
				o.tell(now) // without drawing any
				nodes[i] = o
			}
			chart := nodes[0].Chart(all)
			want := make(map[hearsay.Link]bool)
			for i, o := range nodes {
				if n > 4 && i == 1 {
					continue // nobody suspects itself
				}
				for _, id := range o.Links() {
					want[hearsay.LinkOf(ids[i], id, hearsay.LinkRing)] = true
				}
			}
			links := chart.Links()
			for _, l := range links {
				if !want[l] {
					t.Errorf("%s of %d: nobody has %v", kind, n, l)
				}
			}
			if len(links) != len(want) {
				t.Errorf("%s of %d: %d links, want %d", kind, n, len(links), len(want))
			}
		}
	}
}

// A drawn link is one of the ring, if it is that, too; one to a suspect is
// none.
func TestChartOfDrawn(t *testing.T) {
	now := time.Unix(1, 0)
	self, other, suspect := hearsay.NodeID{1}, hearsay.NodeID{2}, hearsay.NodeID{3}
	o := start(Config{Kind: KindRandom, Links: 4}, self, anywhere, 1)
	o.Add(now, other)
	o.Add(now, suspect)
	o.drawn.links = []hearsay.NodeID{other, suspect}
	o.Suspect(now, suspect)
	chart := o.Chart(all)
	if got := chart.Links(); len(got) != 1 || got[0] != hearsay.LinkOf(other, self, hearsay.LinkRing) {
		t.Errorf("got %v", got)
	}
	chart.rings = 0
	if got := chart.Links(); len(got) != 1 || got[0] != (hearsay.Link{A: self, B: other, Kind: hearsay.LinkRandom}) {
		t.Errorf("without rings: %v", got)
	}
}
