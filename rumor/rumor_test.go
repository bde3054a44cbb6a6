package rumor

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"

	"pgregory.net/rapid"
)

func TestTreeSettles(t *testing.T) {
	const n, warm, measured = 128, 20, 10
	w := newNetwork(t, n, DefaultConfig())
	w.rings(3)
	w.run(5 * time.Second)
	var ids []clock.Dot
	for i := range warm {
		ids = append(ids, w.say(i*7%n, "warm"))
		w.run(time.Second)
	}
	w.all(ids...)
	w.tally()
	for i := range measured {
		ids = append(ids, w.say(i*11%n, "settled"))
		w.run(time.Second)
	}
	w.all(ids...)
	packets, bodies, payloads, duplicates := w.tally()
	t.Log(packets, bodies)
	if payloads != measured*(n-1) || duplicates != 0 || bodies["Place"] != 0 {
		t.Errorf("%d payloads, %d duplicates, %d places; want %d, 0, 0", payloads, duplicates, bodies["Place"], measured*(n-1))
	}
	if packets > measured*2*n {
		t.Errorf("%d packets, want at most %d: 2 a node and broadcast", packets, measured*2*n)
	}
	w.run(time.Minute)
	w.agree()
	w.tally()
	w.run(time.Minute)
	if packets, bodies, _, _ := w.tally(); packets > 0 {
		t.Errorf("nothing is said, and %d packets: %v", packets, bodies)
	}
}

// A thousand nodes that lose packets.
func TestThousandNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const n, warm, measured = 1000, 10, 30
	w := newNetwork(t, n, DefaultConfig())
	w.rings(3)
	w.loss = 0.05
	w.run(3 * time.Second)
	for i := range warm {
		w.say(i*7%n, "warm")
		w.run(time.Second)
	}
	w.tally()
	var ids []clock.Dot
	for i := range measured {
		ids = append(ids, w.say(i*11%n, "measured"))
		w.run(time.Second)
	}
	packets, bodies, payloads, _ := w.tally()
	if each := float64(payloads) / (measured * (n - 1)); each > 1.1 {
		t.Errorf("%.3f payloads a delivery, want at most 1.1", each)
	}
	w.run(10 * time.Second)
	w.all(ids...)
	hops, slow := 0, 0
	var late time.Duration
	for i, id := range ids {
		said := epoch.Add((3 + warm + time.Duration(i)) * time.Second)
		for _, node := range w.nodes {
			e := node.got[id]
			hops = max(hops, e.Count)
			late = max(late, e.At.Sub(said))
			if e.At.Sub(said) > time.Second {
				slow++
			}
		}
	}
	if hops > 20 { // 15 as drawn here
		t.Errorf("%d hops, want at most 20", hops)
	}
	t.Logf("%.2f packets, %.3f payloads a delivery, %v; at most %d hops, %s; %d of %d after more than a second",
		float64(packets)/(measured*n), float64(payloads)/(measured*(n-1)), bodies, hops, late, slow, measured*n)
}

// Five thousand rumors a second on 32 nodes: full packets, nothing lost, and
// the tree stays as it is.
func TestSustained(t *testing.T) {
	const n, rate, seconds = 32, 5000, 2
	w := newNetwork(t, n, DefaultConfig())
	w.delay = 100 * time.Microsecond
	w.rings(3)
	w.run(time.Second)
	for i := range 10 {
		w.say(i, "warm")
		w.run(100 * time.Millisecond)
	}
	w.tally()
	text := strings.Repeat("x", 256)
	var ids []clock.Dot
	for range rate * seconds {
		ids = append(ids, w.say(w.random.IntN(n), text))
		w.run(time.Second / rate)
	}
	w.run(100 * time.Millisecond)
	w.all(ids...)
	packets, bodies, payloads, duplicates := w.tally()
	t.Logf("%.0f packets a node and second, %v; %d duplicates", float64(packets)/(n*seconds), bodies, duplicates)
	if deliveries := float64(rate * seconds * (n - 1)); float64(payloads) > 1.01*deliveries || float64(packets) > 0.6*deliveries {
		t.Errorf("%d payloads in %d packets for %.0f deliveries", payloads, packets, deliveries)
	}
	w.run(20 * time.Second)
	w.agree()
}

func TestFloodCosts(t *testing.T) {
	const n = 100
	cfg := DefaultConfig()
	cfg.Strategy = Flood
	w := newNetwork(t, n, cfg)
	w.rings(2)
	w.run(time.Second)
	w.tally()
	degrees := 0
	for _, node := range w.nodes {
		degrees += len(node.links.list)
	}
	id := w.say(3, "flood")
	w.run(time.Second)
	w.all(id)
	if _, _, payloads, _ := w.tally(); payloads != uint64(degrees-(n-1)) {
		t.Errorf("%d payloads, want %d", payloads, degrees-(n-1))
	}
}

// Whatever the strategy, what is lost is repaired in seconds.
func TestLoss(t *testing.T) {
	for _, strategy := range []Strategy{Tree, Monger, Flood} {
		t.Run(strategy.String(), func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.Strategy = strategy
			w := newNetwork(t, 48, cfg)
			w.loss = 0.2
			w.rings(2)
			w.run(2 * time.Second)
			var ids []clock.Dot
			for i := range 60 {
				ids = append(ids, w.say(i*5%48, fmt.Sprint(i)))
				w.run(200 * time.Millisecond)
			}
			w.run(20 * time.Second)
			w.all(ids...)
			w.agree()
			_, bodies, payloads, _ := w.tally()
			t.Logf("%.2f payloads a delivery, %v", float64(payloads)/float64(60*47), bodies)
		})
	}
}

func TestTreeOutlivesLinksAndNodes(t *testing.T) {
	w := newNetwork(t, 32, DefaultConfig())
	w.rings(2)
	w.run(time.Second)
	for range 10 {
		w.say(0, "warm")
		w.run(time.Second)
	}
	w.nodes[5].down = true
	for _, j := range slices.Clone(w.nodes[5].linked) {
		w.unlink(5, j)
	}
	id := w.say(0, "without 5")
	w.run(200 * time.Millisecond)
	w.all(id)
	w.run(10 * time.Second)
	w.all(id)
}

func TestLateJoinerCatchesUp(t *testing.T) {
	for name, c := range map[string]struct{ size, count int }{"small": {20, 3000}, "large": {60_000, 20}} {
		t.Run(name, func(t *testing.T) {
			w := newNetwork(t, 8, DefaultConfig())
			for i := range 6 {
				w.link(i, (i+1)%7)
			}
			var ids []clock.Dot
			for i := range c.count {
				ids = append(ids, w.say(i%3, strings.Repeat("x", c.size)))
				w.run(5 * time.Millisecond)
			}
			w.run(10 * time.Second)
			w.tally()
			w.link(7, 3)
			w.link(7, 4)
			w.run(3 * time.Second)
			w.all(ids...)
			w.agree()
			if _, _, payloads, _ := w.tally(); payloads > uint64(2*c.count) {
				t.Errorf("%d payloads for one that lacked %d", payloads, c.count)
			}
		})
	}
}

func TestHalvesMeet(t *testing.T) {
	w := newNetwork(t, 32, DefaultConfig())
	w.rings(2)
	w.run(time.Second)
	w.cut = func(from, to int) bool { return from < 16 != (to < 16) }
	var ids []clock.Dot
	for i := range 40 {
		ids = append(ids, w.say(i*13%32, "apart"))
		w.run(100 * time.Millisecond)
	}
	w.run(time.Minute)
	w.cut = nil
	start := w.now
	ids = append(ids, w.say(1, "together"))
	w.run(15 * time.Second)
	w.all(ids...)
	w.agree()
	for i, n := range w.nodes {
		for _, id := range ids {
			if late := n.got[id].At.Sub(start); late > 10*time.Second {
				t.Errorf("node %d got %d of %s %s after healing", i, id.Counter, id.Origin, late)
			}
		}
	}
}

func TestRetention(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		held   int
	}{
		"count": {func(c *Config) { c.KeepCount = 10 }, 10},
		"bytes": {func(c *Config) { c.KeepBytes = 25 * 1000 }, 25},
		"age":   {func(c *Config) { c.KeepFor = 10*time.Second + 500*time.Millisecond }, 11},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			c.change(&cfg)
			w := newNetwork(t, 5, cfg)
			w.link(0, 1)
			w.link(1, 2)
			w.link(0, 2)
			for range 40 {
				w.say(0, strings.Repeat("x", 1000))
				w.run(time.Second)
			}
			for i := range 3 {
				if held, bytes := w.nodes[i].Held(); held < c.held-1 || held > c.held || bytes != 1000*held {
					t.Errorf("node %d holds %d rumors of %d bytes, want %d", i, held, bytes, c.held)
				}
			}
			if got := len(w.nodes[0].disk.Durable) - 1; got < c.held-1 || got > c.held {
				t.Errorf("%d records, want %d", got, c.held)
			}
			// A node that comes late gets those, counts the others as seen, and is at peace.
			w.link(3, 1)
			w.link(3, 2)
			w.run(5 * time.Second)
			if late := w.nodes[3]; len(late.got) < c.held-6 || len(late.got) > c.held || late.stats.RumorsMissed != uint64(40-len(late.got)) {
				t.Errorf("the late one has %d and missed %d", len(late.got), late.stats.RumorsMissed)
			}
			w.nodes[4].down = true
			w.run(20 * time.Second)
			if w.nodes[3].Hash() != w.nodes[0].Hash() {
				t.Error("the late one has not seen what the others have")
			}
			w.run(20 * time.Second)
			w.tally()
			w.run(20 * time.Second)
			if packets, bodies, _, _ := w.tally(); packets > 0 {
				t.Errorf("%d packets: %v", packets, bodies)
			}
			w.all()
		})
	}
}

// A node that catches up lets go of what is oldest, not of what came first: others may
// still want it.
func TestTheOldestGoes(t *testing.T) {
	cfg := DefaultConfig()
	cfg.KeepCount = 4
	w := newNetwork(t, 2, cfg)
	w.link(0, 1)
	n := w.nodes[0]
	take := func(number uint64, age time.Duration) {
		w.step(n, func() {
			n.Rumors.Rumors(w.now, &core.Packet{From: nodeID(1), Addr: nodeAddr(1)}, &core.Rumors{Items: []hearsay.Rumor{
				{ID: clock.Dot{Origin: hearsay.OriginOf(nodeID(1)), Counter: number}, Age: age, Data: []byte("x")},
			}})
		})
		w.now = w.now.Add(time.Millisecond)
	}
	for number := range uint64(3) {
		take(10+number, 0)
	}
	for number := range uint64(3) {
		take(1+number, time.Minute-time.Duration(number)*time.Second)
	}
	held := ""
	for _, e := range n.store.all() {
		held += fmt.Sprint(e.ID.Counter, " ")
	}
	if held != "3 10 11 12 " || len(n.got) != 6 {
		t.Errorf("holds %s, of %d delivered", held, len(n.got))
	}
}

func TestRestart(t *testing.T) {
	w := newNetwork(t, 3, DefaultConfig())
	w.link(0, 1)
	w.link(1, 2)
	first := w.say(0, "before")
	w.run(5 * time.Second)
	w.cut = func(int, int) bool { return true }
	unheard := w.say(0, "nobody heard")
	w.run(time.Second)
	w.cut = nil
	said := w.now.Add(-6 * time.Second)
	w.run(7 * time.Second)
	w.restart(0)
	if e, held := w.nodes[0].Delivered(first); !held || e.At.Sub(said).Abs() > time.Millisecond || !e.Past {
		t.Errorf("what it said at %v is from %v", said, e.At)
	}
	second := w.say(0, "after")
	if first.Counter != 1 || unheard.Counter != 2 || second.Counter <= blockSize {
		t.Errorf("numbers %d, %d, %d", first.Counter, unheard.Counter, second.Counter)
	}
	w.run(10 * time.Second)
	w.all(first, unheard, second)
	w.agree()
	w.restart(1)
	w.run(10 * time.Second)
	w.all(first, unheard, second)
	w.agree()
}

// What a node has said is on disk before anybody hears of it.
func TestOwnGoAfterTheirRecord(t *testing.T) {
	w := newNetwork(t, 3, DefaultConfig())
	w.link(0, 1)
	w.link(1, 2)
	w.run(time.Second)
	check := func(n *testNode) {
		t.Helper()
		for i := range n.out.Now {
			switch m := n.out.Now[i].Body.(type) {
			case *core.Rumors:
				for j := range m.Items {
					if m.Items[j].Origin() == n.id {
						t.Errorf("node %d sends its own %d before the record", n.index, m.Items[j].ID.Counter)
					}
				}
			case *core.IHave:
				for _, id := range m.IDs {
					if id.Origin == hearsay.OriginOf(n.id) {
						t.Errorf("node %d names its own %d before the record", n.index, id.Counter)
					}
				}
			}
		}
	}
	said := 0
	for i := range 50 {
		n := w.nodes[1]
		w.step(n, func() { _, _ = n.Say(w.now, hearsay.NodeID{}, []byte("x")) })
		if len(n.out.Persist) == 0 {
			t.Fatal("nothing is persisted")
		}
		said += len(n.out.Send)
		check(n)
		w.say(0, "to be relayed")
		w.run(500 * time.Microsecond)
		if i%3 == 0 {
			w.run(2 * time.Millisecond)
		}
		check(n)
	}
	if said == 0 {
		t.Error("nothing was sent")
	}
}

func rumorOf(origin int, number uint64, text string) hearsay.Rumor {
	return hearsay.Rumor{ID: clock.Dot{Origin: hearsay.OriginOf(nodeID(origin)), Counter: number}, Hops: 1, Data: []byte(text)}
}

// give hands a node a packet of rumors.
func (w *network) give(to, from int, items ...hearsay.Rumor) {
	w.receive(w.nodes[to], &core.Packet{From: nodeID(from), Addr: nodeAddr(from), Body: &core.Rumors{Items: items}})
}

func TestBadRumors(t *testing.T) {
	const stranger = 60_000 // not in the directory
	huge := rumorOf(1, 9, "")
	huge.Data = make([]byte, hearsay.MaxRumorData+1)
	far := rumorOf(2, 2+maxAhead, "far")
	for name, c := range map[string]struct {
		from int
		item hearsay.Rumor
		drop hearsay.Drop
	}{
		"from a stranger":          {stranger, rumorOf(1, 1, "x"), hearsay.DropStranger},
		"of a stranger":            {1, rumorOf(stranger, 1, "x"), hearsay.DropStranger},
		"number 0":                 {1, rumorOf(1, 0, "x"), hearsay.DropFarFuture},
		"number far ahead":         {1, far, hearsay.DropFarFuture},
		"number beyond any":        {1, rumorOf(3, maxNumber+1, "x"), hearsay.DropFarFuture},
		"too long":                 {1, huge, hearsay.DropOversized},
		"empty":                    {1, rumorOf(1, 1, ""), hearsay.DropOversized},
		"of one's own":             {1, rumorOf(0, 7, "x"), hearsay.DropUnexpected},
		"of one's own, far ahead":  {1, rumorOf(0, 7+maxAhead, "x"), hearsay.DropFarFuture},
		"another payload":          {1, rumorOf(2, 1, "other"), hearsay.DropUnexpected},
		"another payload of one's": {1, rumorOf(0, 1, "other"), hearsay.DropUnexpected},
	} {
		t.Run(name, func(t *testing.T) {
			w := newNetwork(t, 3, DefaultConfig())
			w.link(0, 1)
			w.say(0, "own")
			w.give(0, 2, rumorOf(2, 1, "known"))
			n := w.nodes[0]
			n.stats.Drops = hearsay.Drops{}
			w.give(0, c.from, c.item, c.item)
			if n.stats.Drops[c.drop] == 0 || len(n.got) != 2 {
				t.Errorf("%d delivered; drops %v", len(n.got), n.stats.Drops)
			}
			for next := uint64(2); next <= 8; next++ {
				if next == 7 && name == "of one's own" {
					continue // others have it for its own
				}
				if id := w.say(0, "next"); id.Counter != next {
					t.Errorf("the next number is %d, want %d", id.Counter, next)
				}
			}
			if string(n.got[rumorOf(2, 1, "").ID].Rumor.Data) != "known" {
				t.Error("a payload was changed")
			}
			conflicts := 0
			for _, e := range n.events {
				if e.Kind == hearsay.EventRumorConflict {
					conflicts++
				}
			}
			if want := strings.HasPrefix(name, "another"); want != (conflicts == 1) || conflicts > 1 {
				t.Errorf("%d conflicts were told", conflicts)
			}
		})
	}
}

func TestSayRefuses(t *testing.T) {
	w := newNetwork(t, 1, DefaultConfig())
	for _, data := range [][]byte{nil, {}, make([]byte, hearsay.MaxRumorData+1)} {
		if _, err := w.nodes[0].Say(w.now, hearsay.NodeID{}, data); !errors.Is(err, hearsay.ErrRumorSize) {
			t.Errorf("%d bytes: %v", len(data), err)
		}
	}
	if len(w.nodes[0].got) > 0 || w.nodes[0].numbers.last != 0 {
		t.Error("it was said")
	}
	w.say(0, strings.Repeat("x", hearsay.MaxRumorData))
}

// A lone liar cannot take away what is not yet said, or what others hold.
func TestMissedOnOneWord(t *testing.T) {
	w := newNetwork(t, 4, DefaultConfig())
	w.link(0, 1)
	w.link(0, 2)
	n := w.nodes[0]
	lie := []core.SeenRange{{Origin: hearsay.OriginOf(nodeID(3)), Range: clock.Range{Low: 1, High: 100}}}
	tell := func(from int) {
		w.receive(n, &core.Packet{From: nodeID(from), Addr: nodeAddr(from), Body: &core.Rumors{Missed: lie}})
	}
	for range 5 {
		tell(1)
	}
	if w.give(0, 1, rumorOf(3, 5, "x")); len(n.got) != 1 || n.stats.RumorsMissed != 0 {
		t.Errorf("%d delivered, %d missed on the word of one", len(n.got), n.stats.RumorsMissed)
	}
	tell(2)
	if n.stats.RumorsMissed != 99 {
		t.Errorf("%d missed on the word of two, want 99", n.stats.RumorsMissed)
	}
	lie[0].Range = clock.Range{Low: 101, High: 110}
	if tell(3); n.stats.RumorsMissed != 109 {
		t.Errorf("%d missed on the word of the origin, want 109", n.stats.RumorsMissed)
	}
	lie[0].Range = clock.Range{Low: 200, High: 110 + maxAhead + 1}
	last := func() uint64 {
		ranges := n.seen.context.Of(hearsay.OriginOf(nodeID(3)))
		return ranges[len(ranges)-1].High
	}
	if tell(3); last() != 110+maxAhead || n.stats.RumorsMissed != 109 || n.stats.Drops[hearsay.DropFarFuture] != 0 {
		t.Errorf("seen up to %d, want all as far ahead as may be: %d; drops %v", last(), 110+maxAhead, n.stats.Drops)
	}
	lie[0].Range = clock.Range{Low: 110 + 2*maxAhead + 1, High: 110 + 3*maxAhead}
	if tell(3); last() != 110+maxAhead || n.stats.Drops[hearsay.DropFarFuture] != 1 {
		t.Errorf("seen up to %d, beyond what may be; drops %v", last(), n.stats.Drops)
	}
}

// Of an origin that has said millions while a node was cut off, the node hears what is
// said from then on, and what others hold.
func TestFarBehind(t *testing.T) {
	w := newNetwork(t, 4, DefaultConfig())
	const last = 5*maxAhead + 7
	for i := range 3 {
		for number := range uint64(10) {
			w.give(i, 3, rumorOf(3, number+1, "before"))
		}
	}
	for i := 1; i < 3; i++ {
		n := w.nodes[i]
		for low := uint64(11); low < last; low += maxAhead {
			w.receive(n, &core.Packet{From: nodeID(3), Addr: nodeAddr(3), Body: &core.Rumors{
				Missed: []core.SeenRange{{Origin: hearsay.OriginOf(nodeID(3)), Range: clock.Range{Low: low, High: min(low+maxAhead, last) - 1}}},
			}})
		}
		w.give(i, 3, rumorOf(3, last, "held"))
	}
	w.link(1, 2)
	w.link(0, 1)
	w.link(0, 2)
	w.run(20 * time.Second)
	n := w.nodes[0]
	if _, heard := n.got[rumorOf(3, last, "").ID]; !heard || n.Hash() != w.nodes[1].Hash() {
		t.Errorf("heard: %v; drops %v, %d missed", heard, n.stats.Drops, n.stats.RumorsMissed)
	}
	w.give(1, 3, rumorOf(3, last+1, "after"))
	w.run(time.Second)
	if _, heard := n.got[rumorOf(3, last+1, "").ID]; !heard {
		t.Error("what is said from then on is not heard")
	}
}

// An origin that says as much as it can delays nobody else, and what it said too fast
// comes later.
func TestLoudOrigin(t *testing.T) {
	w := newNetwork(t, 4, DefaultConfig())
	for i := range 3 {
		w.link(i, i+1)
	}
	w.run(time.Second)
	loud := w.nodes[0]
	const count, size = 1500, 4000
	data := bytes.Repeat([]byte("x"), size)
	var ids []clock.Dot
	w.step(loud, func() {
		for range count {
			id, err := loud.Say(w.now, hearsay.NodeID{}, data)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
	})
	quiet := w.say(1, "quiet")
	w.run(20 * time.Millisecond)
	w.all(quiet)
	if got := len(w.nodes[3].got); got > count/2 {
		t.Errorf("%d of the loud one's came at once: nothing was held back", got)
	}
	if w.nodes[0].stats.RumorsUnsent == 0 {
		t.Error("the queue takes everything")
	}
	w.run(20 * time.Second)
	w.all(ids...)
}

func TestRate(t *testing.T) {
	w := newNetwork(t, 3, DefaultConfig())
	const burst = int(rateBurst/rateEach) + 1
	for i := range burst + 10 {
		w.give(0, 1, rumorOf(2, uint64(i+1), "x"))
	}
	n := w.nodes[0]
	if len(n.got) != burst || n.stats.Drops[hearsay.DropRate] != 10 {
		t.Errorf("%d delivered, %d dropped; want %d, 10", len(n.got), n.stats.Drops[hearsay.DropRate], burst)
	}
	w.now = w.now.Add(10 * rateEach)
	w.give(0, 1, rumorOf(1, 1, "another's"), rumorOf(2, uint64(burst+1), "x"))
	if len(n.got) != burst+2 {
		t.Error("what was refused cannot come again")
	}
}

func TestMongerSpreadsAndCools(t *testing.T) {
	for _, style := range []Style{Push, Pull, PushPull} {
		t.Run(style.String(), func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.Strategy, cfg.Style = Monger, style
			w := newNetwork(t, 200, cfg)
			w.rings(2)
			w.run(2 * time.Second)
			w.tally()
			id := w.say(0, "hot")
			w.run(time.Second)
			got := 0
			for _, n := range w.nodes {
				if len(n.got) > 0 {
					got++
				}
				if len(n.monger.hot) > 0 {
					t.Errorf("it is hot on node %d after a second", n.index)
				}
			}
			_, bodies, payloads, _ := w.tally()
			t.Logf("%d of 200 after a second, %d payloads, %v", got, payloads, bodies)
			if style.Pushes() && (got < 190 || payloads < 2*200 || payloads > 8*200) {
				t.Errorf("%d of 200 after a second, by %d payloads", got, payloads)
			}
			w.run(30 * time.Second)
			w.all(id)
			w.tally()
			w.run(10 * time.Second)
			if packets, bodies, _, _ := w.tally(); !style.Pulls() && packets > 0 {
				t.Errorf("nothing is said, and %d packets: %v", packets, bodies)
			}
		})
	}
}

func TestHopsAndAge(t *testing.T) {
	w := newNetwork(t, 5, DefaultConfig())
	for i := range 4 {
		w.link(i, i+1)
	}
	w.run(time.Second)
	id := w.say(0, "x")
	w.run(time.Second)
	for i, n := range w.nodes {
		e := n.got[id]
		by := max(0, i-1)
		if e.Count != i || e.By != nodeID(by) || e.Subject != nodeID(0) || string(e.Rumor.Data) != "x" {
			t.Errorf("node %d: %d hops, by %s, %q", i, e.Count, e.By.Short(), e.Rumor.Data)
		}
	}
	w.run(time.Minute)
	w.nodes = append(w.nodes, &testNode{index: 5, id: nodeID(5)})
	w.start(5)
	w.link(4, 5)
	w.run(2 * time.Second)
	if e := w.nodes[5].got[id]; e.Count != 5 || e.Rumor.Age < time.Minute || e.Rumor.Age > time.Minute+3*time.Second {
		t.Errorf("it came late over %d hops with age %s", e.Count, e.Rumor.Age)
	}
	if got := w.nodes[5].Names(3); len(got) != 1 || got[0] != id {
		t.Errorf("recent: %v", got)
	}
}

// Two of which one has heard an origin that the other does not know stay
// unequal, and do not wear themselves out over it. When it knows, it gets all.
func TestUnknownOrigin(t *testing.T) {
	w := newNetwork(t, 4, DefaultConfig())
	w.hidden = func(from, id int) bool { return from == 2 && id == 3 }
	w.link(0, 1)
	w.link(1, 2)
	w.link(0, 2)
	w.give(0, 3, rumorOf(3, 1, "x"))
	w.run(10 * time.Minute)
	w.tally()
	w.run(10 * time.Minute)
	if packets, bodies, _, _ := w.tally(); packets > 200 {
		t.Errorf("%d packets in ten minutes: %v", packets, bodies)
	}
	if len(w.nodes[1].got) != 1 || len(w.nodes[2].got) != 0 {
		t.Error("it is not only at those that know its origin")
	}
	w.give(0, 3, rumorOf(3, 2, "y"))
	w.hidden = nil
	w.run(10 * time.Second)
	if len(w.nodes[2].got) == 0 {
		t.Error("it does not come when its origin is known")
	}
}

func TestForget(t *testing.T) {
	w := newNetwork(t, 2, DefaultConfig())
	n := w.nodes[0]
	before := n.Hash()
	w.give(0, 1, rumorOf(1, 1, "x"), rumorOf(1, 7, "y"))
	w.give(0, 1, rumorOf(2, 1, "z"))
	with := n.Hash()
	n.Forget(nodeID(1))
	n.Forget(nodeID(9))
	if n.Forget(nodeID(2)); with == before || n.Hash() != before {
		t.Error("something of them is left")
	}
}

// Whatever happens, nothing is told twice in a life, and in the end everybody
// has all.
func TestAnySequence(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg := DefaultConfig()
		cfg.Strategy = rapid.SampledFrom([]Strategy{Tree, Monger, Flood}).Draw(rt, "strategy")
		cfg.Style = rapid.SampledFrom([]Style{Push, Pull, PushPull}).Draw(rt, "style")
		n := rapid.IntRange(2, 8).Draw(rt, "nodes")
		w := newNetwork(t, n, cfg)
		w.rings(rapid.IntRange(1, 3).Draw(rt, "rings"))
		w.loss = rapid.Float64Range(0, 0.5).Draw(rt, "loss")
		var ids []clock.Dot
		node := rapid.IntRange(0, n-1)
		rt.Repeat(map[string]func(*rapid.T){
			"say": func(rt *rapid.T) {
				for range rapid.IntRange(1, 5).Draw(rt, "times") {
					ids = append(ids, w.say(node.Draw(rt, "who"), "x"))
				}
			},
			"wait":    func(rt *rapid.T) { w.run(time.Duration(rapid.IntRange(0, 3000).Draw(rt, "ms")) * time.Millisecond) },
			"restart": func(rt *rapid.T) { w.restart(node.Draw(rt, "who")) },
			"cut": func(rt *rapid.T) {
				alone := node.Draw(rt, "who")
				w.cut = func(from, to int) bool { return from == alone || to == alone }
			},
			"heal": func(*rapid.T) { w.cut = nil },
			"link or unlink": func(rt *rapid.T) {
				i := node.Draw(rt, "from")
				j := node.Filter(func(j int) bool { return j != i }).Draw(rt, "to")
				if slices.Contains(w.nodes[i].linked, j) {
					w.unlink(i, j)
				} else {
					w.link(i, j)
				}
			},
			"": func(rt *rapid.T) {
				for _, n := range w.nodes {
					if len(n.got2) > 0 {
						rt.Fatalf("node %d was told twice of %v", n.index, n.got2)
					}
				}
			},
		})
		w.cut, w.loss = nil, 0
		for i := range n - 1 {
			if !slices.Contains(w.nodes[i].linked, i+1) {
				w.link(i, i+1) // or the graph might have fallen apart
			}
		}
		w.run(30 * time.Second)
		for _, n := range w.nodes {
			for _, id := range ids {
				if _, ok := n.got[id]; !ok {
					rt.Fatalf("node %d has no %d of %s", n.index, id.Counter, hearsay.NodeID(id.Origin).Short())
				}
			}
			if n.Hash() != w.nodes[0].Hash() {
				rt.Fatalf("node %d has seen something else", n.index)
			}
		}
	})
}

// A neighbor that names what nobody has said takes no more than its share of
// what a node waits for.
func TestLiarLeavesRoomForNames(t *testing.T) {
	w := newNetwork(t, 3, DefaultConfig())
	w.link(0, 1)
	w.link(0, 2)
	w.run(5 * time.Second)
	n := w.nodes[0]
	name := func(from int, first uint64, count int) {
		m := &core.IHave{}
		for i := range count {
			m.IDs = append(m.IDs, clock.Dot{Origin: hearsay.OriginOf(nodeID(2)), Counter: first + uint64(i)})
		}
		w.receive(n, &core.Packet{From: nodeID(from), Addr: nodeAddr(from), Body: m})
	}
	for i := range uint64(5) {
		name(1, 1000+i*core.MaxRumors, core.MaxRumors)
	}
	name(2, 1, 1)
	if n.wanted.missing[clock.Dot{Origin: hearsay.OriginOf(nodeID(2)), Counter: 1}] == nil {
		t.Error("there is no room for what another names")
	}
	w.run(5 * time.Second)
	if n := w.nodes[0]; len(n.wanted.missing) != 0 || n.links.list[0].waits != 0 || n.links.list[1].waits != 0 {
		t.Errorf("%d are waited for still, %d and %d for the two", len(n.wanted.missing), n.links.list[0].waits, n.links.list[1].waits)
	}
}

// What was given once may be gone when the next one asks: a node that comes later is
// told so, and does not go on comparing in vain.
func TestGoneAfterItWasGiven(t *testing.T) {
	cfg := DefaultConfig()
	cfg.KeepCount = 8
	w := newNetwork(t, 3, cfg)
	for range 8 {
		w.say(0, "early")
	}
	w.run(10 * time.Second)
	w.link(0, 1)
	w.run(10 * time.Second)
	w.unlink(0, 1)
	for range 8 {
		w.say(0, "late")
	}
	w.run(10 * time.Second)
	w.link(0, 2)
	w.run(10 * time.Second)
	if n := w.nodes[2]; len(n.got) != 8 || n.stats.RumorsMissed != 8 {
		t.Errorf("%d delivered and %d missed, want 8 and 8", len(n.got), n.stats.RumorsMissed)
	}
	if w.nodes[0].Hash() != w.nodes[2].Hash() {
		t.Error("they do not agree")
	}
}

// What is gone may lie above what is held, as numbers do not come in the order of
// age: that is told, too.
func TestGoneAmongWhatIsHeld(t *testing.T) {
	cfg := DefaultConfig()
	cfg.KeepCount = 2
	w := newNetwork(t, 4, cfg)
	first, second, third := rumorOf(3, 1, "young"), rumorOf(3, 2, "old"), rumorOf(3, 3, "young")
	second.Age = time.Minute
	w.give(0, 1, first, second, third)
	w.link(0, 2)
	w.run(10 * time.Second)
	if n := w.nodes[2]; len(n.got) != 2 || n.stats.RumorsMissed != 1 {
		t.Errorf("%d delivered and %d missed, want 2 and 1", len(n.got), n.stats.RumorsMissed)
	}
	if w.nodes[0].Hash() != w.nodes[2].Hash() {
		t.Error("they do not agree")
	}
}

// A node that has been told by two that a rumor is gone takes it when it comes, once.
func TestMissedComesAllTheSame(t *testing.T) {
	w := newNetwork(t, 4, DefaultConfig())
	w.link(0, 1)
	w.link(0, 2)
	n := w.nodes[0]
	lie := []core.SeenRange{{Origin: hearsay.OriginOf(nodeID(3)), Range: clock.Range{Low: 1, High: 1 << 16}}}
	for from := 1; from <= 2; from++ {
		w.receive(n, &core.Packet{From: nodeID(from), Addr: nodeAddr(from), Body: &core.Rumors{Missed: lie}})
	}
	if n.stats.RumorsMissed != 1<<16 {
		t.Fatalf("%d missed", n.stats.RumorsMissed)
	}
	for range 2 {
		w.give(0, 1, rumorOf(3, 5, "x"), rumorOf(3, 6, "y"))
	}
	if len(n.got) != 2 || n.stats.RumorDuplicates != 2 {
		t.Errorf("%d delivered, %d again, want 2 and 2", len(n.got), n.stats.RumorDuplicates)
	}
	// What comes so is bounded, too.
	for number := range uint64(2 * maxRanges) {
		w.give(0, 1, rumorOf(3, 100+2*number, "z"))
	}
	if got := len(n.seen.late.Of(lie[0].Origin)); got != maxRanges || n.stats.Drops[hearsay.DropTableFull] == 0 {
		t.Errorf("%d ranges came late, want %d; drops %v", got, maxRanges, n.stats.Drops)
	}
	n.Forget(nodeID(3))
	if n.seen.missed.NumRanges() != 0 || n.seen.late.NumRanges() != 0 {
		t.Error("something is left of a forgotten origin")
	}
}
