package rumor

import (
	"math"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/quota"
)

// from hands a node a packet.
func (w *network) from(i, to int, body core.Message) {
	w.receive(w.nodes[to], &core.Packet{From: nodeID(i), Addr: nodeAddr(i), Body: body})
}

// byStream is from, by stream.
func (w *network) byStream(i, to int, body core.Message) {
	w.receive(w.nodes[to], &core.Packet{From: nodeID(i), Addr: nodeAddr(i), Stream: true, Body: body})
}

// A word of a place that a later one has overtaken is none; but a node that starts again
// counts from anywhere.
func TestOvertakenPlaces(t *testing.T) {
	for _, c := range []struct {
		first, second uint32
		taken         bool
	}{
		{100, 101, true},
		{100, 99, false},
		{100, 100 - overtakes, false},
		{100, 100 - overtakes - 1, true},
		{3, math.MaxUint32, false}, // around the end
		{math.MaxUint32, 3, true},
		{100, 5_000_000, true},
	} {
		w := newNetwork(t, 2, DefaultConfig())
		w.link(0, 1)
		for hops, number := range []uint32{c.first, c.second} {
			w.from(1, 0, &core.Place{Root: nodeID(3), Hops: uint8(1 + hops), Number: number})
		}
		if l := w.nodes[0].links.list[0]; (l.theirs.hops == 2) != c.taken {
			t.Errorf("%d and then %d: stands %+v", c.first, c.second, l.standing)
		}
	}
}

// A neighbor that has not heard what it had confirmed has begun anew, and is
// told again.
func TestPlaceIsSaidToANewLife(t *testing.T) {
	w := newNetwork(t, 2, DefaultConfig())
	w.link(0, 1)
	w.run(time.Second)
	n := w.nodes[0]
	if n.links.list[0].sayAt != never {
		t.Fatalf("not settled: %+v", n.links.list[0].standing)
	}
	w.from(1, 0, &core.Place{Root: nodeID(1), Number: 7, Heard: n.links.list[0].said + 1, Answer: true})
	if n.links.list[0].sayAt == never {
		t.Error("it is not told again")
	}
}

// A node that asks for much is given within bounds, and later more.
func TestGivingIsBounded(t *testing.T) {
	w := newNetwork(t, 2, DefaultConfig())
	n := w.nodes[0]
	w.say(0, "asked for")
	w.run(time.Second)
	most, more := 2*giveShares[quota.Member].Each.Burst, 5
	for range most + more {
		w.byStream(1, 0, &core.Seen{})
	}
	if n.stats.RumorPayloads != uint64(most) || n.stats.Drops[hearsay.DropRate] != uint64(more) {
		t.Errorf("given %d times, refused %d times: want %d, %d", n.stats.RumorPayloads, n.stats.Drops[hearsay.DropRate], most, more)
	}
	w.now = w.now.Add(giveShares[quota.Member].Each.Every)
	if w.byStream(1, 0, &core.Seen{}); n.stats.RumorPayloads != uint64(most)+1 {
		t.Error("it is not given later")
	}
}

// Ranges that bring nothing are sent within bounds.
func TestRangesAreBounded(t *testing.T) {
	w := newNetwork(t, 3, DefaultConfig())
	n := w.nodes[0]
	for i := range maxRanges {
		w.give(0, 1, rumorOf(2, uint64(1+2*i), "x"))
	}
	n.exchange.gained = false
	const each = time.Second * rangeSize * maxRanges / seenRate
	for range 100 {
		w.from(1, 0, &core.Heard{Hash: 1}) // in another's name, perhaps
	}
	if n.stats.RumorExchanges != 1 {
		t.Errorf("%d lists of ranges sent for datagrams, want 1", n.stats.RumorExchanges)
	}
	for range 100 {
		w.byStream(1, 0, &core.Heard{Hash: 1})
	}
	if most := uint64(seenBurst/each) + 1; n.stats.RumorExchanges != most {
		t.Errorf("%d lists of ranges sent, want %d", n.stats.RumorExchanges, most)
	}
}

// However many neighbors name what nobody has, a node waits for so much.
func TestWaitsAreBounded(t *testing.T) {
	const liars = 2 * maxMissing / maxWaits
	w := newNetwork(t, 1+liars, DefaultConfig())
	n := w.nodes[0]
	for i := 1; i <= liars; i++ {
		w.link(0, i)
		for from := 0; from < maxWaits; from += core.MaxRumors {
			m := &core.IHave{}
			for number := range min(core.MaxRumors, maxWaits-from) {
				m.IDs = append(m.IDs, clock.Dot{Origin: hearsay.OriginOf(nodeID(i)), Counter: uint64(1 + from + number)})
			}
			w.from(i, 0, m)
		}
	}
	if got := len(n.wanted.missing); got != maxMissing || n.stats.Drops[hearsay.DropTableFull] != maxMissing {
		t.Errorf("%d are waited for, want %d; drops %v", got, maxMissing, n.stats.Drops)
	}
}

func TestHotIsBounded(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Strategy = Monger
	w := newNetwork(t, 3, cfg)
	n := w.nodes[0]
	for i := range maxHot + 10 {
		w.give(0, 1, rumorOf(2, uint64(1+i), "x"))
	}
	if got := len(n.monger.hot); got != maxHot || n.monger.hot[0].ID.Counter != 11 {
		t.Errorf("%d are hot, the first number %d: want %d, 11", got, n.monger.hot[0].ID.Counter, maxHot)
	}
}

// Numbers of its own that others call gone are not used.
func TestOwnNumbersThatAreGone(t *testing.T) {
	w := newNetwork(t, 2, DefaultConfig())
	w.link(0, 1)
	w.from(1, 0, &core.Rumors{Missed: []core.SeenRange{
		{Origin: hearsay.OriginOf(nodeID(0)), Range: clock.Range{Low: 1, High: 40}},
	}})
	if id := w.say(0, "next"); id.Counter != 41 {
		t.Errorf("number %d, want 41", id.Counter)
	}
}

// So much came that what was missed may soon be gone: neighbors compare at once.
func TestFullComparesAtOnce(t *testing.T) {
	for fresh, want := range map[int]int{4: 0, 5: 1} {
		cfg := DefaultConfig()
		cfg.KeepCount = 4 * fullAt
		w := newNetwork(t, 3, cfg)
		w.link(0, 1)
		w.run(10*time.Second + 500*time.Millisecond) // between two pings
		w.tally()
		for i := range fresh {
			w.give(0, 1, rumorOf(2, uint64(1+i), "x"))
		}
		w.run(time.Millisecond)
		if _, bodies, _, _ := w.tally(); bodies["Heard"] != want {
			t.Errorf("%d rumors: compared %d times, want %d", fresh, bodies["Heard"], want)
		}
	}
}

// What comes late is passed on from one to the next without waiting for quiet.
func TestLateRumorsHurry(t *testing.T) {
	const n = 8
	w := newNetwork(t, n, DefaultConfig())
	for i := 1; i < n-1; i++ {
		w.link(i, i+1)
	}
	id := w.say(0, "early")
	w.run(time.Minute)
	w.link(0, 1)
	w.run(3 * hurryEvery * n)
	w.all(id)
}

// Where there are more ranges than one list holds, it says all of the origins of
// which it speaks, and each origin is in one list or another.
func TestPartsAreWhole(t *testing.T) {
	var s seen
	const origins, ranges = 20, 1000
	for i := range origins {
		for j := range uint64(ranges) {
			s.add(s.of(hearsay.OriginOf(nodeID(i))), clock.Range{Low: 1 + 2*j, High: 1 + 2*j})
		}
	}
	spoken := make(map[clock.Origin]bool)
	for at := range 2 * origins {
		list, of := s.ranges(at/2, at%2 == 0)
		count := make(map[clock.Origin]int)
		for _, one := range list {
			count[one.Origin]++
		}
		if len(list) > core.MaxSeenRanges || len(list) == 0 || of == (core.Span{}) || !core.RangesAscend(list) {
			t.Fatalf("%d ranges, of %v", len(list), of)
		}
		for i := range origins {
			id := hearsay.OriginOf(nodeID(i))
			if want := ranges; of.Has(id) && count[id] != want || !of.Has(id) && count[id] != 0 {
				t.Errorf("from %d on it speaks of %s: %t, and says %d ranges", at, id, of.Has(id), count[id])
			}
			spoken[id] = spoken[id] || of.Has(id)
		}
	}
	for i := range origins {
		if id := hearsay.OriginOf(nodeID(i)); !spoken[id] {
			t.Errorf("%s is never spoken of", id)
		}
	}
	for i := 1; i < origins; i++ {
		s.Forget(nodeID(i))
	}
	if list, of := s.ranges(7, true); len(list) != ranges || of != (core.Span{}) {
		t.Errorf("%d ranges of %v: want all", len(list), of)
	}
}

// Strangers that ask in members' names leave members what those may have.
func TestStrangersLeaveMembersTheirShare(t *testing.T) {
	for what, body := range map[string]core.Message{"rumors": &core.Seen{}, "ranges": &core.Heard{Hash: 1}} {
		w := newNetwork(t, 3, DefaultConfig())
		n := w.nodes[0]
		w.say(0, "asked for")
		for i := range maxRanges {
			w.give(0, 1, rumorOf(2, uint64(1+2*i), "x"))
		}
		w.run(10 * time.Second)
		n.exchange.gained = false
		gets := func(i, at int) bool {
			before := n.stats.RumorPayloads + n.stats.RumorExchanges
			w.receive(n, &core.Packet{From: nodeID(i), Addr: nodeAddr(at), Stream: true, Body: body})
			return n.stats.RumorPayloads+n.stats.RumorExchanges > before
		}
		served := 0
		for served < 1000 && gets(2, 3000+served) {
			served++
		}
		if served == 0 || served == 1000 {
			t.Errorf("%s: %d of strangers are served: the test shows nothing", what, served)
		}
		if !gets(1, 1) {
			t.Errorf("%s: a member is refused after %d of strangers", what, served)
		}
	}
}
