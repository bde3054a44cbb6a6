package rumor

import (
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
)

// What others make up in a node's name takes bounded memory, and cannot carry its
// numbers so far away that nobody takes them any more.
func TestImpostors(t *testing.T) {
	w := newNetwork(t, 3, DefaultConfig())
	w.link(0, 1)
	w.link(1, 2)
	w.say(0, "own")
	w.run(time.Second)
	n := w.nodes[0]
	for i := range 2 * maxRanges {
		w.give(0, 2, rumorOf(0, uint64(10+2*i), "forged"))
	}
	own := hearsay.OriginOf(n.id)
	if got := len(n.seen.context.Of(own)); got > maxRanges || n.drops[hearsay.DropTableFull] == 0 {
		t.Errorf("%d ranges of its own; drops %v", got, n.drops)
	}
	for range 5 {
		highest := n.numbers.last
		w.give(0, 2, rumorOf(0, highest+maxSkipped-1, "forged"), rumorOf(0, highest+maxAhead, "forged"))
		w.receive(n, &hearsay.Packet{From: nodeID(1), Addr: nodeAddr(1), Body: &hearsay.Rumors{
			Missed: []hearsay.SeenRange{{Origin: own, Range: clock.Range{Low: highest + 1, High: highest + maxAhead}}},
		}})
	}
	id := w.say(0, "still here")
	w.run(time.Second)
	w.all(id)
}

// Two liars can have a node look for what both have missed. It must not take
// the product of all that they say.
func TestMissedAThousandTimes(t *testing.T) {
	w := newNetwork(t, 4, DefaultConfig())
	w.link(0, 1)
	w.link(0, 2)
	n := w.nodes[0]
	var comb, wide []hearsay.SeenRange
	for i := range hearsay.MaxSeenRanges {
		odd := uint64(2*(hearsay.MaxSeenRanges-i) - 1)
		comb = append(comb, hearsay.SeenRange{Origin: hearsay.OriginOf(nodeID(3)), Range: clock.Range{Low: odd, High: odd}})
		wide = append(wide, hearsay.SeenRange{Origin: hearsay.OriginOf(nodeID(3)), Range: clock.Range{Low: 1, High: maxAhead}})
	}
	began := time.Now()
	w.receive(n, &hearsay.Packet{From: nodeID(1), Addr: nodeAddr(1), Body: &hearsay.Rumors{Missed: comb}})
	w.receive(n, &hearsay.Packet{From: nodeID(2), Addr: nodeAddr(2), Body: &hearsay.Rumors{Missed: wide}})
	if took := time.Since(began); took > time.Second { // 10 ms; 4 s if each is held against each
		t.Errorf("it took %s", took)
	}
	if got := len(n.seen.context.Of(comb[0].Origin)); got != 2*maxRanges || n.stats.Missed != 2*maxRanges {
		t.Errorf("%d ranges, %d missed: want %d", got, n.stats.Missed, 2*maxRanges)
	}
}

// Who says every other rumor, and of those between that they are gone, leaves no
// gap in what was seen. What never came is bounded all the same.
func TestMissedBetweenWhatCame(t *testing.T) {
	w := newNetwork(t, 4, DefaultConfig())
	w.link(0, 1)
	n, origin := w.nodes[0], hearsay.OriginOf(nodeID(3))
	const said = 4 * maxRanges
	for i := range uint64(said) {
		gone := clock.Range{Low: 2*i + 2, High: 2*i + 2}
		w.give(0, 1, rumorOf(3, 2*i+1, "x"))
		w.receive(n, &hearsay.Packet{From: nodeID(3), Addr: nodeAddr(3), Body: &hearsay.Rumors{
			Missed: []hearsay.SeenRange{{Origin: origin, Range: gone}},
		}})
	}
	if len(n.got) != said || n.stats.Missed != said || len(n.seen.context.Of(origin)) != 1 {
		t.Fatalf("%d delivered, %d missed, %d ranges seen", len(n.got), n.stats.Missed, len(n.seen.context.Of(origin)))
	}
	if got := len(n.seen.missed.Of(origin)); got > missedMost {
		t.Errorf("%d ranges never came, want at most %d", got, missedMost)
	}
	// The newest are kept: they are taken all the same, and of the oldest it is believed.
	w.give(0, 1, rumorOf(3, 2, "oldest"), rumorOf(3, 2*said, "newest"))
	if _, came := n.got[clock.Dot{Origin: origin, Counter: 2 * said}]; !came || len(n.got) != said+1 {
		t.Errorf("%d delivered, and the newest: %v", len(n.got), came)
	}
}
