package detect_test

import (
	"cmp"
	"net/netip"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/internal/core"
)

type waysMaker func(*detect.Config, hearsay.NodeID, detect.Directory, func(int) (hearsay.NodeID, bool), *core.Effects, time.Time) *detect.Ways

// tested are members, of which tests go out in turn.
type tested struct {
	*detect.Ways
	out     core.Effects
	now     time.Time
	most    map[int]int  // bytes of the longest packet that gets to one; others: any does
	mute    map[int]bool // no stream gets to these
	streams map[int]bool // no datagram gets to these, and all goes by stream
	away    map[int]bool // these are passed over
	pings   map[int]int  // long ones and by stream, that were sent to each
	fresh   map[int]int  // of these, by a stream that is new
	told    []int        // to which it does not get; 0: to none from this node
	ended   []string     // why that is told no more
}

// newTested makes one whose ways are all well, of NewNarrow or NewStreamless.
func newTested(members int, newWays waysMaker) *tested {
	w := &tested{now: start, most: make(map[int]int), mute: make(map[int]bool), streams: make(map[int]bool), away: make(map[int]bool), pings: make(map[int]int), fresh: make(map[int]int)}
	cfg := detect.DefaultConfig()
	seat := func(who hearsay.NodeID) int32 { return int32(who[0]) }
	directory := detect.Directory{
		Addr: func(who hearsay.NodeID) (netip.AddrPort, bool) { return addr(int(who[0])), true },
		Seat: seat,
		At:   func(seat int32) (hearsay.NodeID, netip.AddrPort, bool) { return id(int(seat)), addr(int(seat)), true },
		Away: func(who hearsay.NodeID) bool { return w.away[int(who[0])] },
	}
	next := func(turn int) (hearsay.NodeID, bool) {
		n := 1 + turn%members
		return id(n), !w.streams[n]
	}
	w.Ways = newWays(&cfg, id(0), directory, next, &w.out, w.now)
	return w
}

// run lets time pass. What gets through is answered at once.
func (w *tested) run(periods int) {
	for until := w.now.Add(time.Duration(periods) * detect.DefaultConfig().Period); !w.Deadline().After(until); {
		w.now = w.Deadline()
		w.Tick(w.now)
		for len(w.out.Now) > 0 {
			p := w.out.Now[0]
			w.out.Now = w.out.Now[1:]
			ping, to := p.Body.(*core.Ping), 0
			for id(to) != ping.Target {
				to++
			}
			long := ping.Extra > 100
			if long || p.Stream {
				w.pings[to]++
			}
			if p.Fresh {
				w.fresh[to]++
			}
			if most := w.most[to]; w.away[to] || long && most > 0 && ping.Extra+61 > most || p.Stream && w.mute[to] {
				continue
			}
			w.Ack(w.now, &core.Packet{From: ping.Target, Addr: p.Addr, Stream: w.streams[to] || p.Stream, Body: &core.Ack{Seq: ping.Seq}}, ping.Seq)
		}
		for _, e := range w.out.Events {
			switch e.Kind {
			case hearsay.EventNarrow, hearsay.EventStreamsLost:
				w.told = append(w.told, int(e.Subject[0]))
			case hearsay.EventWide, hearsay.EventStreamsBack:
				w.ended = append(w.ended, e.Text)
			}
		}
		w.out.Events = w.out.Events[:0]
	}
}

// One of which it is not clear yet whether what is large gets there keeps no other from being tested, where no datagram
// gets there at all any more, or while it is away.
func TestNarrowGoesOnPastOneThatCannotBeTested(t *testing.T) {
	for name, befalls := range map[string]func(*tested){
		"by stream": func(w *tested) { w.streams[1] = true },
		"away":      func(w *tested) { w.away[1] = true },
	} {
		w := newTested(3, detect.NewNarrow)
		w.most[1] = 500
		w.run(8)
		if w.pings[1] < 2 || len(w.told) > 0 {
			t.Fatalf("%s: %v before, told of %v", name, w.pings, w.told)
		}
		befalls(w)
		w.most[2] = 500
		w.run(60)
		if len(w.told) != 1 || w.told[0] != 2 || w.pings[3] == 0 {
			t.Errorf("%s: told of %v, tested %v", name, w.told, w.pings)
		}
	}
}

// A member that is told as narrow, and is then reached by stream only, is told so no more, as no datagram can show the
// end of that; and again once datagrams get there.
func TestNarrowEndsWhereAllGoesByStream(t *testing.T) {
	w := newTested(3, detect.NewNarrow)
	count := func() (listed int) {
		w.Each(func(hearsay.NodeID, detect.Way) { listed++ })
		return listed
	}
	w.most[1] = 500
	w.run(40)
	if len(w.told) != 1 || count() != 1 {
		t.Fatalf("told of %v, lists %d", w.told, count())
	}
	w.streams[1] = true
	w.run(40)
	if count() != 0 || len(w.ended) != 1 || w.ended[0] == "" {
		t.Errorf("by stream: lists %d, ended %q", count(), w.ended)
	}
	w.streams[1] = false
	w.run(3 * 60) // each member's turn has come
	if len(w.told) != 2 || count() != 1 || len(w.ended) != 1 {
		t.Errorf("by datagram again: told of %v, lists %d, ended %q", w.told, count(), w.ended)
	}
	w.most[1] = 0
	w.run(40)
	if count() != 0 || len(w.ended) != 2 || w.ended[0] == w.ended[1] {
		t.Errorf("mended: lists %d, ended %q", count(), w.ended)
	}
}

// A node from which no stream gets to anybody says so of itself, and of no member before or after; where some members
// are so it is told of these, one after the other, and never of this node, also where they follow each other in turn. A
// dead one, and one that is away, is none.
func TestStreamsThatGetLost(t *testing.T) {
	all := map[int]bool{1: true, 2: true, 3: true, 4: true, 5: true, 6: true}
	for name, c := range map[string]struct {
		members int // 0: six
		mute    map[int]bool
		gone    int
		told    []int
	}{
		"all":             {mute: all, told: []int{0}},
		"one":             {mute: map[int]bool{4: true}, told: []int{4}},
		"two":             {mute: map[int]bool{4: true, 5: true}, told: []int{4, 5}},
		"half":            {mute: map[int]bool{3: true, 4: true, 5: true}, told: []int{3, 4, 5}},
		"one that is out": {mute: map[int]bool{4: true}, gone: 4},
		"all of two":      {members: 2, mute: all, told: []int{0}},
		"the only one":    {members: 1, mute: all, told: []int{1}},
	} {
		w := newTested(cmp.Or(c.members, 6), detect.NewStreamless)
		w.run(5)
		w.mute = c.mute
		w.away[c.gone] = true
		w.run(80)
		slices.Sort(w.told)
		if !slices.Equal(w.told, c.told) {
			t.Errorf("%s: told of %v, want %v", name, w.told, c.told)
		}
		if _, own := w.Own(); own != slices.Contains(c.told, 0) {
			t.Errorf("%s: of itself: %t", name, own)
		}
		for i := 1; i <= 6; i++ {
			if w.fresh[i] > 0 && !c.mute[i] {
				t.Errorf("%s: a stream to %d, that gets there, is given up", name, i)
			}
		}
		w.mute = nil
		w.run(10)
		if _, own := w.Own(); own || len(w.ended) != len(c.told) {
			t.Errorf("%s: over, and ended %q; of itself: %t", name, w.ended, own)
		}
	}
}

// Nodes that were started together do not test in step, and each tests all in turn once in 8 to 12 periods.
func TestStreamTestsAreSpread(t *testing.T) {
	w := newTested(3, detect.NewStreamless)
	w.run(1200)
	sent := w.pings[1] + w.pings[2] + w.pings[3]
	if most := max(w.pings[1], w.pings[2], w.pings[3]); sent < 100 || sent > 150 || most > sent/3+1 {
		t.Errorf("tested %v", w.pings)
	}
	if w.run(20); w.Deadline().Sub(start)%detect.DefaultConfig().Period == 0 {
		t.Errorf("the next test is at %v", w.Deadline())
	}
}

// A network at rest looks ever more seldom whether what is large gets through, and often again from a test in vain on.
func TestNarrowIsSeldomWhereAllIsWell(t *testing.T) {
	w := newTested(3, detect.NewNarrow)
	w.run(300)
	if tests := w.pings[1] + w.pings[2] + w.pings[3]; tests < 6 || tests > 12 {
		t.Errorf("%d tests in 300 periods", tests)
	}
	for n := range 3 {
		w.most[1+n] = 500
	}
	w.run(60 + 5*3)
	if _, own := w.Own(); !own {
		t.Errorf("told of %v within the time of a test and five to each, and not of itself", w.told)
	}
}

// The way to a member whose own test was in vain is tested next, and not once it is its turn; one that says so without
// end has no more than a test made in five periods.
func TestWayBackIsTestedSoon(t *testing.T) {
	w := newTested(20, detect.NewNarrow)
	w.run(300)
	before := w.pings[7]
	w.TestSoon(w.now, id(7))
	if w.run(6); w.pings[7] != before+1 {
		t.Errorf("tested %d times within six periods", w.pings[7]-before)
	}
	all := func() (sum int) {
		for _, n := range w.pings {
			sum += n
		}
		return sum
	}
	began := all()
	for range 100 {
		w.TestSoon(w.now, id(7))
		w.run(1)
	}
	if tests := all() - began; tests > 21 {
		t.Errorf("%d tests in 100 periods", tests)
	}
}
