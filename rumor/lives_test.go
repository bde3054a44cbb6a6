package rumor

import (
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
)

// However often a peer starts again in the years that the others run, they hear what it says, and
// what they keep of it is bounded. What it has left out they do not count as missed.
func TestManyLives(t *testing.T) {
	w := newNetwork(t, 3, DefaultConfig())
	w.link(0, 1)
	w.link(1, 2)
	own := hearsay.OriginOf(nodeID(0))
	for _, n := range w.nodes[1:] { // as from that many lives
		for i := range uint64(maxRanges - 10) {
			n.seen.add(n.seen.of(own), clock.Range{Low: 3*i + 100, High: 3*i + 100})
		}
	}
	for range 30 {
		w.restart(0)
		id := w.say(0, "again")
		w.run(50 * time.Millisecond)
		if w.all(id); t.Failed() {
			t.Fatalf("drops %v", w.nodes[2].stats.Drops)
		}
	}
	for i, n := range w.nodes[1:] {
		if held := len(n.seen.context.Of(own)); held > maxRanges {
			t.Errorf("other %d keeps %d ranges of numbers", i, held)
		}
		if missed := n.stats.RumorsMissed; missed > 2*2*maxRanges*blockSize {
			t.Errorf("other %d counts %d rumors as missed", i, missed)
		}
	}
}
