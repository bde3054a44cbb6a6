package rumor

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// standings checks that the places of all nodes that run are a tree of shortest
// ways from the smallest of them, and that links are eager where they are in it, at
// both ends.
func (w *network) standings() {
	w.t.Helper()
	root := -1
	for i, n := range w.nodes {
		if !n.down && (root < 0 || n.id.Compare(w.nodes[root].id) < 0) {
			root = i
		}
	}
	hops := map[int]int{root: 0}
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		for _, j := range w.nodes[queue[0]].linked {
			if _, seen := hops[j]; !seen && !w.nodes[j].down {
				hops[j] = hops[queue[0]] + 1
				queue = append(queue, j)
			}
		}
	}
	for i, n := range w.nodes {
		if n.down {
			continue
		}
		if want := (place{w.nodes[root].id, uint8(hops[i])}); n.places.own != want {
			w.t.Errorf("node %d stands %d hops from %s, want %d from %s", i, n.places.own.hops, n.places.own.root, want.hops, want.root)
		}
		for _, l := range n.links.list {
			other := w.nodes[w.index(l.id)]
			if back := other.links.of(n.id); !other.down && l.eager != back.eager {
				w.t.Errorf("the link of %d and %d is eager at one end: %+v, %+v; stands %+v and %+v", i, other.index, l.standing, back.standing, n.places.own, other.places.own)
			} else if want := n.places.parent == l.id || other.places.parent == n.id; !other.down && l.eager != want {
				w.t.Errorf("the link of %d and %d: eager %t, in the tree %t", i, other.index, l.eager, want)
			}
		}
	}
}

func (w *network) index(id hearsay.NodeID) int {
	return slices.IndexFunc(w.nodes, func(n *testNode) bool { return n.id == id })
}

// stop ends a life; the others hear of it, and then its links go.
func (w *network) stop(i int) {
	w.nodes[i].down = true
	for _, n := range w.nodes {
		if !n.down {
			w.step(n, func() { n.Trusted(w.now, nodeID(i)) })
		}
	}
	for _, j := range slices.Clone(w.nodes[i].linked) {
		w.unlink(i, j)
	}
}

// Whatever happens to nodes and links, also where most packets get lost, the
// tree is soon one of shortest ways again.
func TestPlacesAgree(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			w := newNetwork(t, 8+random.IntN(40), DefaultConfig())
			w.random = rand.New(rand.NewPCG(seed, 1))
			w.rings(2 + random.IntN(2))
			w.loss = []float64{0, 0.1, 0.5}[random.IntN(3)]
			w.run(time.Duration(random.IntN(1000)) * time.Millisecond)
			for range 10 {
				if i := random.IntN(len(w.nodes)); !w.nodes[i].down && random.IntN(3) == 0 {
					w.restart(i)
				} else if a, b := random.IntN(len(w.nodes)), random.IntN(len(w.nodes)); a != b && !w.nodes[a].down && !w.nodes[b].down {
					if !slices.Contains(w.nodes[a].linked, b) {
						w.link(a, b)
					} else if len(w.nodes[a].linked) > 3 && len(w.nodes[b].linked) > 3 {
						w.unlink(a, b)
					}
				}
				w.run(time.Duration(random.IntN(100)) * time.Millisecond)
			}
			w.loss = min(w.loss, 0.1)
			w.run(time.Minute)
			w.standings()
		})
	}
}

// The root dies: within moments the tree has another, and no ring of nodes counts
// up that hang on each other.
func TestRootDies(t *testing.T) {
	w := newNetwork(t, 64, DefaultConfig())
	w.rings(3)
	w.run(time.Second)
	w.standings()
	w.tally()
	root := w.index(w.nodes[0].places.own.root)
	w.stop(root)
	w.run(200 * time.Millisecond)
	w.standings()
	_, bodies, _, _ := w.tally()
	if most := 64 * 6 * 8; bodies["Place"] == 0 || bodies["Place"] > most {
		t.Errorf("%d words of places, want at most %d", bodies["Place"], most)
	}
	t.Log(bodies)
}

// A word of a place that gets lost is said again, until it is answered.
func TestPlaceIsSaidAgain(t *testing.T) {
	w := newNetwork(t, 2, DefaultConfig())
	w.cut = func(from, _ int) bool { return from == 0 }
	w.link(0, 1)
	w.run(time.Second)
	if l := w.nodes[1].links.list[0]; l.heard != 0 || !l.eager {
		t.Errorf("nothing has come, and it is %+v", l.standing)
	}
	w.cut = nil
	w.run(2 * time.Second)
	w.standings()
	w.tally()
	w.run(time.Minute)
	if packets, bodies, _, _ := w.tally(); packets > 0 {
		t.Errorf("all is said, and %d packets: %v", packets, bodies)
	}
}

// Two that do not agree on which nodes to trust hang on different roots, and what is
// said crosses from the one tree to the other at once.
func TestTreesAreBridged(t *testing.T) {
	w := newNetwork(t, 16, DefaultConfig())
	w.rings(2)
	w.run(time.Second)
	root := w.nodes[0].places.own.root
	for _, n := range w.nodes[:8] {
		trusted := n.directory.Trusted
		if n.id != root {
			n.directory.Trusted = func(id hearsay.NodeID) bool { return id != root && trusted(id) }
			w.step(n, func() { n.Trusted(w.now, root) })
		}
	}
	w.run(time.Second)
	roots := make(map[hearsay.NodeID]bool)
	for _, n := range w.nodes {
		roots[n.places.own.root] = true
	}
	if len(roots) < 2 {
		t.Fatal("all hang on one root")
	}
	var said []clock.Dot
	for i := range 16 {
		said = append(said, w.say(i, "across"))
	}
	w.run(30 * time.Millisecond) // no timeout is that short
	w.all(said...)
}

func TestBadPlaces(t *testing.T) {
	w := newNetwork(t, 3, DefaultConfig())
	w.link(0, 1)
	w.run(time.Second)
	n := w.nodes[0]
	before := n.places.own
	from := func(i int, m core.Place) {
		w.step(n, func() { n.Place(w.now, &core.Packet{From: nodeID(i), Addr: nodeAddr(i)}, &m) })
	}
	said := n.links.list[0].said
	from(1, core.Place{Root: nodeID(2), Hops: 0, Number: 100, Heard: said})        // it is not that root
	from(1, core.Place{Root: nodeID(1), Hops: 4, Number: 101, Heard: said})        // a root stands where it stands
	from(1, core.Place{Root: nodeID(2), Hops: 1, Heard: said})                     // no number
	from(2, core.Place{Root: nodeID(2), Hops: 0, Number: 102, Heard: said})        // no neighbor
	from(1, core.Place{Root: hearsay.NodeID{}, Hops: 1, Number: 100, Heard: said}) // no hops lead to no tree
	nobody := hearsay.NodeID{15: 9}
	from(1, core.Place{Root: nobody, Hops: 1, Number: 100, Heard: said}) // well formed, and not trusted
	if n.places.own.root == nobody || n.stats.Drops[hearsay.DropMalformed] != 4 || n.stats.Drops[hearsay.DropUnexpected] != 1 {
		t.Errorf("stands %v after %v; dropped %v", n.places.own, before, n.stats.Drops)
	}
}

// Two that count up without a root come to an end.
func TestDepthIsBounded(t *testing.T) {
	w := newNetwork(t, 2, DefaultConfig())
	w.link(0, 1)
	w.run(time.Second)
	n := w.nodes[0]
	for hops := range 256 {
		m := core.Place{Root: hearsay.NodeID{15: 1}, Hops: uint8(hops), Number: uint32(1000 * (1 + hops))}
		n.directory.Trusted = func(hearsay.NodeID) bool { return true }
		w.step(n, func() { n.Place(w.now, &core.Packet{From: nodeID(1), Addr: nodeAddr(1)}, &m) })
		if n.places.own.hops > depthMost {
			t.Fatalf("stands %d hops from a root that is not there", n.places.own.hops)
		}
	}
	if n.places.own != (place{root: n.self}) {
		t.Errorf("stands %v, want to be a root", n.places.own)
	}
}

// A node that lacks what others have seen is found by the next ping, and only then is
// anything sent.
func TestPingFindsWhoLacksARumor(t *testing.T) {
	w := newNetwork(t, 12, DefaultConfig())
	w.rings(2)
	w.run(time.Second)
	w.cut = func(_, to int) bool { return to == 5 }
	id := w.say(0, "lost on its way")
	w.run(time.Second)
	w.cut = nil
	if _, has := w.nodes[5].got[id]; has {
		t.Fatal("it got through")
	}
	w.run(10 * time.Second)
	w.all(id)
	w.run(time.Minute)
	w.tally()
	w.run(10 * time.Minute)
	if packets, bodies, _, _ := w.tally(); packets > 0 {
		t.Errorf("all have the same, and %d packets: %v", packets, bodies)
	}
}

// A node that takes rumors from two members in a cycle refuses the third, which
// takes that for no answer; and takes all the packets of the two.
func TestMongerLimit(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Strategy, cfg.Limit = Monger, 2
	w := newNetwork(t, 5, cfg)
	n := w.nodes[0]
	tell := func(from int, number uint64) {
		w.step(n, func() {
			n.Rumors.Rumors(w.now, &core.Packet{From: nodeID(from), Addr: nodeAddr(from)}, &core.Rumors{Items: []hearsay.Rumor{
				{ID: clock.Dot{Origin: hearsay.OriginOf(nodeID(from)), Counter: number}, Data: []byte("x")},
			}})
		})
	}
	for from := 1; from <= 3; from++ {
		tell(from, 1)
		tell(from, 2)
	}
	if len(n.got) != 4 || n.stats.Drops[hearsay.DropRate] != 2 {
		t.Errorf("%d rumors taken, %d refused; want 4 and 2", len(n.got), n.stats.Drops[hearsay.DropRate])
	}
	w.run(cfg.Cycle)
	if tell(3, 1); len(n.got) != 5 {
		t.Errorf("%d rumors taken in the next cycle too, want 5", len(n.got))
	}
}

// Nodes of different strategies understand each other: all get everything, once,
// and none of it counts as wrong.
func TestStrategiesMix(t *testing.T) {
	w := newNetwork(t, 24, DefaultConfig())
	for i, n := range w.nodes {
		n.cfg.Strategy = []Strategy{Tree, Monger, Flood}[i%3]
	}
	w.rings(2)
	w.run(time.Second)
	var ids []clock.Dot
	for i := range w.nodes {
		ids = append(ids, w.say(i, "mixed"))
	}
	w.run(time.Second)
	w.all(ids...)
	w.run(time.Minute)
	w.agree()
	w.tally()
	w.run(time.Minute)
	if packets, bodies, _, _ := w.tally(); packets > 0 {
		t.Errorf("nothing is said, and %d packets: %v", packets, bodies)
	}
	for i, n := range w.nodes {
		if n.stats.Drops != (hearsay.Drops{}) {
			t.Errorf("node %d has dropped %v", i, n.stats.Drops)
		}
	}
}
