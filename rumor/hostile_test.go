package rumor

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
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
	if got := len(n.seen.context.Of(own)); got > maxRanges {
		t.Errorf("%d ranges of its own; drops %v", got, n.stats.Drops)
	}
	for range 5 {
		highest := n.numbers.last
		w.give(0, 2, rumorOf(0, highest+1, "forged"), rumorOf(0, highest+maxForgot-1, "forged"), rumorOf(0, highest+maxAhead, "forged"))
		w.receive(n, &core.Packet{From: nodeID(1), Addr: nodeAddr(1), Body: &core.Rumors{
			Missed: []core.SeenRange{{Origin: own, Range: clock.Range{Low: highest + 1, High: highest + maxAhead}}},
		}})
	}
	id := w.say(0, "still here")
	w.run(time.Second)
	w.all(id)
}

// What others make up in a member's name, with gaps that fill all room, or so old that nobody passes it on,
// does not keep what the member says from being heard.
func TestForgedNumbersMakeNobodyUnheard(t *testing.T) {
	for name, forge := range map[string]func(w *network){
		"gaps": func(w *network) {
			for i := range maxRanges + 20 {
				w.give(1, 2, rumorOf(0, uint64(1001+2*i), "forged"))
				w.run(5 * time.Millisecond)
			}
		},
		"old": func(w *network) {
			for i := range 2000 {
				old := rumorOf(0, uint64(2+i), "forged")
				old.Age = DefaultConfig().KeepFor + time.Second
				w.give(1, 2, old)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newNetwork(t, 3, DefaultConfig())
			w.link(0, 1)
			w.link(1, 2)
			w.link(0, 2)
			forge(w)
			ids := []clock.Dot{w.say(0, "heard"), w.say(0, "again")}
			w.run(20 * time.Second)
			w.all(ids...)
			if t.Failed() {
				t.Logf("drops of n1 %v, of n2 %v; n0 has taken numbers up to %d", w.nodes[1].stats.Drops, w.nodes[2].stats.Drops, w.nodes[0].numbers.last)
			}
		})
	}
}

// However many members there are in whose names numbers with gaps are made up, what a node keeps of them is bounded.
func TestImpostorsOfMany(t *testing.T) {
	const origins, most, mostBytes = 500, 3 * allRanges, 20 << 20
	w := newNetwork(t, 2, DefaultConfig())
	n, before := w.nodes[0], onHeap()
	for i := range origins {
		for number := range uint64(maxRanges) {
			forged := rumorOf(2+i, 1+2*number, "forged")
			n.Begin()
			n.intake.take(w.now, nodeID(1), nil, &forged)
			n.out.Reset()
		}
	}
	seen, missed, late, kept := n.seen.context.NumRanges(), n.seen.missed.NumRanges(), n.seen.late.NumRanges(), onHeap()-before
	t.Logf("%d ranges seen, %d that never came, %d late: %d KiB", seen, missed, late, kept>>10)
	if seen < allRanges/2 || seen > most || missed > 2*most || late > most || kept > mostBytes {
		t.Errorf("want at most %d, %d, %d and %d KiB", most, 2*most, most, mostBytes>>10)
	}
	honest := rumorOf(2+origins, 7, "heard")
	if n.intake.take(w.now, nodeID(1), nil, &honest); !n.seen.came(honest.ID) {
		t.Error("nothing is heard of another")
	}
}

func onHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Two liars can have a node look for what both have missed. It must not take
// the product of all that they say.
func TestMissedAThousandTimes(t *testing.T) {
	w := newNetwork(t, 4, DefaultConfig())
	w.link(0, 1)
	w.link(0, 2)
	n, origin := w.nodes[0], hearsay.OriginOf(nodeID(3))
	var odd, even, wide []core.SeenRange
	for i := range uint64(core.MaxSeenRanges) {
		odd = append(odd, core.SeenRange{Origin: origin, Range: clock.Range{Low: 4*i + 1, High: 4*i + 1}})
		even = append(even, core.SeenRange{Origin: origin, Range: clock.Range{Low: 4*i + 2, High: 4*i + 3}})
	}
	wide = append(wide, core.SeenRange{Origin: origin, Range: clock.Range{Low: 1, High: maxAhead}})
	tell := func(by int, missed []core.SeenRange) {
		w.receive(n, &core.Packet{From: nodeID(by), Addr: nodeAddr(by), Body: &core.Rumors{Missed: missed}})
	}
	tell(1, odd)
	tell(2, even) // nothing in common
	if got := len(n.seen.context.Of(origin)); got != 0 || n.stats.RumorsMissed != 0 {
		t.Errorf("%d ranges, %d missed: want none", got, n.stats.RumorsMissed)
	}
	tell(2, wide)
	if got := len(n.seen.context.Of(origin)); got != 2*maxRanges || n.stats.RumorsMissed != 2*maxRanges {
		t.Errorf("%d ranges, %d missed: want %d", got, n.stats.RumorsMissed, 2*maxRanges)
	}
	drops := n.stats.Drops[hearsay.DropMalformed]
	slices.Reverse(odd)
	if tell(1, odd); n.stats.Drops[hearsay.DropMalformed] != drops+1 {
		t.Error("ranges in disorder were taken")
	}
}

// An origin that says every other rumor, and of those between that they are gone, leaves no
// gap in what was seen. What never came is bounded all the same.
func TestMissedBetweenWhatCame(t *testing.T) {
	w := newNetwork(t, 4, DefaultConfig())
	w.link(0, 1)
	n, origin := w.nodes[0], hearsay.OriginOf(nodeID(3))
	const said = 4 * maxRanges
	for i := range uint64(said) {
		gone := clock.Range{Low: 2*i + 2, High: 2*i + 2}
		w.give(0, 1, rumorOf(3, 2*i+1, "x"))
		w.receive(n, &core.Packet{From: nodeID(3), Addr: nodeAddr(3), Body: &core.Rumors{
			Missed: []core.SeenRange{{Origin: origin, Range: gone}},
		}})
	}
	if len(n.got) != said || n.stats.RumorsMissed != said || len(n.seen.context.Of(origin)) != 1 {
		t.Fatalf("%d delivered, %d missed, %d ranges seen", len(n.got), n.stats.RumorsMissed, len(n.seen.context.Of(origin)))
	}
	if got := len(n.seen.missed.Of(origin)); got > 2*maxRanges {
		t.Errorf("%d ranges never came, want at most %d", got, 2*maxRanges)
	}
	// The newest are kept: they are taken all the same, and of the oldest it is believed.
	w.give(0, 1, rumorOf(3, 2, "oldest"), rumorOf(3, 2*said, "newest"))
	if _, came := n.got[clock.Dot{Origin: origin, Counter: 2 * said}]; !came || len(n.got) != said+1 {
		t.Errorf("%d delivered, and the newest: %v", len(n.got), came)
	}
}

// A few bytes in a neighbor's name ask for nothing that it was not named lately,
// and for nothing twice: stores are full, and a forged Graft of a packet's length
// named a megabyte of it.
func TestGraftsAreForWhatWasNamed(t *testing.T) {
	w := newNetwork(t, 2, DefaultConfig())
	w.link(0, 1)
	n := w.nodes[0]
	var ids []clock.Dot
	for range namesMost {
		ids = append(ids, w.say(0, "held"))
	}
	w.run(time.Minute)
	graft := func() uint64 {
		before := n.stats.RumorPayloads
		w.receive(n, &core.Packet{From: nodeID(1), Addr: nodeAddr(1), Body: &core.Graft{IDs: ids}})
		w.run(time.Second)
		return n.stats.RumorPayloads - before
	}
	if got := graft(); got != 0 || n.stats.Drops[hearsay.DropUnexpected] != namesMost {
		t.Errorf("what was never named was sent %d times; drops %v", got, n.stats.Drops)
	}
	var entries []*entry
	for _, id := range ids {
		e := n.store.byID[id]
		e.known = 0
		entries = append(entries, e)
	}
	name := func() { w.step(n, func() { n.tree.name(w.now, n.links.list[0], entries, always) }) }
	name()
	if got := graft(); got != namesMost {
		t.Errorf("of %d named %d were sent", namesMost, got)
	}
	if got := graft(); got != 0 {
		t.Errorf("the same were sent %d times more", got)
	}
	for _, e := range entries {
		e.known = 0
	}
	name()
	w.run(n.tree.offerLasts() + time.Second)
	if got := graft(); got != 0 {
		t.Errorf("%d were sent that were named long before", got)
	}
}
