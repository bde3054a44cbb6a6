package rumor

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/quota"
	"hearsay/testkit"
)

var epoch = time.Unix(1_700_000_000, 0)

// network is some nodes over a fixed graph, in virtual time.
type network struct {
	t      testing.TB
	now    time.Time
	random *rand.Rand
	cfg    Config
	loss   float64       // of datagrams
	delay  time.Duration // of each packet, and up to twice that
	queue  testkit.Queue[flight]
	wakes  testkit.Queue[int] // nodes at their deadlines; one is stale if its node has another by now
	pinged time.Time          // when all last pinged somebody
	nodes  []*testNode
	cut    func(from, to int) bool // nothing passes, not by stream either
	hidden func(from, id int) bool // nodes that a node does not know
}

// testNode is a node with what it has told and kept.
type testNode struct {
	*Rumors
	index   int
	id      hearsay.NodeID
	down    bool
	out     core.Effects
	stats   hearsay.Stats
	got     map[clock.Dot]hearsay.Event
	got2    []clock.Dot // delivered more than once in this life
	events  []hearsay.Event
	disk    testkit.Disk
	packets int // sent
	bodies  map[string]int
	linked  []int
	lives   int
}

// flight is a packet on its way to a node.
type flight struct {
	to int
	p  core.Packet
}

func nodeID(i int) hearsay.NodeID {
	return hearsay.NodeID{0: byte(mix(uint64(i))), 1: byte(i >> 8), 2: byte(i), 15: 1}
}

func nodeAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 7946)
}

func indexOf(addr netip.AddrPort) int {
	b := addr.Addr().As4()
	return int(b[2])<<8 | int(b[3])
}

func newNetwork(t testing.TB, n int, cfg Config) *network {
	w := &network{t: t, now: epoch, random: rand.New(rand.NewPCG(1, uint64(n))), cfg: cfg, delay: time.Millisecond}
	for i := range n {
		w.nodes = append(w.nodes, &testNode{index: i, id: nodeID(i)})
		w.start(i)
	}
	return w
}

// start begins a life of a node, with what earlier ones kept.
func (w *network) start(i int) {
	n := w.nodes[i]
	n.lives++
	n.down, n.got, n.got2 = false, make(map[clock.Dot]hearsay.Event), nil
	n.out.Reset()
	n.bodies = make(map[string]int)
	index := make(map[hearsay.NodeID]int)
	for j := range cap(w.nodes) + 4096 {
		index[nodeID(j)] = j
	}
	directory := Directory{
		Addr: func(id hearsay.NodeID) (netip.AddrPort, bool) {
			j, ok := index[id]
			return nodeAddr(j), ok && id != n.id
		},
		Guest: func(id hearsay.NodeID) bool { return id == nodeID(101) || id == nodeID(102) },
		Known: func(id hearsay.NodeID) bool {
			j, ok := index[id]
			return ok && (w.hidden == nil || !w.hidden(i, j))
		},
		Trusted: func(id hearsay.NodeID) bool {
			j, ok := index[id]
			return ok && j < len(w.nodes) && !w.nodes[j].down
		},
		Sender: func(p *core.Packet) quota.Sender {
			if p.Addr == nodeAddr(index[p.From]) {
				return quota.Sender{Class: quota.Member, Addr: p.Addr}
			}
			return quota.Sender{Addr: p.Addr}
		},
		Draw: func() (hearsay.NodeID, bool) {
			j := w.random.IntN(len(w.nodes) - 1)
			if j >= i {
				j++
			}
			return nodeID(j), true
		},
	}
	n.stats = hearsay.Stats{Drops: n.stats.Drops}
	n.Rumors = New(w.cfg, n.id, directory, rand.New(rand.NewPCG(uint64(n.lives), uint64(i))), n.disk.Load(), &n.stats, &n.out, w.now)
	w.carry(n)
}

// link makes two nodes neighbors.
func (w *network) link(i, j int) {
	for _, ends := range [][2]int{{i, j}, {j, i}} {
		n := w.nodes[ends[0]]
		n.linked = append(n.linked, ends[1])
		w.step(n, func() { n.Linked(w.now, nodeID(ends[1])) })
	}
}

func (w *network) unlink(i, j int) {
	for _, ends := range [][2]int{{i, j}, {j, i}} {
		n := w.nodes[ends[0]]
		n.linked = slices.DeleteFunc(n.linked, func(k int) bool { return k == ends[1] })
		w.step(n, func() { n.Unlinked(w.now, nodeID(ends[1])) })
	}
}

// rings links the nodes as rings in so many random orders.
func (w *network) rings(k int) {
	n := len(w.nodes)
	have := make(map[[2]int]bool)
	for range k {
		order := w.random.Perm(n)
		for i := range n {
			a, b := order[i], order[(i+1)%n]
			if a > b {
				a, b = b, a
			}
			if a != b && !have[[2]int{a, b}] {
				have[[2]int{a, b}] = true
				w.link(a, b)
			}
		}
	}
}

// restart ends a life, as a crash does, and begins another.
func (w *network) restart(i int) {
	w.start(i)
	for _, j := range w.nodes[i].linked {
		w.step(w.nodes[i], func() { w.nodes[i].Linked(w.now, nodeID(j)) })
	}
}

func (w *network) step(n *testNode, f func()) {
	n.out.Reset()
	n.Begin()
	f()
	w.carry(n)
}

// carry carries out a step's effects.
func (w *network) carry(n *testNode) {
	w.wakes.Put(n.Deadline(), n.index)
	n.disk.Sync(n.out.Persist)
	for _, list := range [][]core.Packet{n.out.Now, n.out.Send} {
		for i := range list {
			w.send(n, &list[i])
		}
	}
	for _, e := range n.out.Events {
		n.events = append(n.events, e)
		if e.Kind == hearsay.EventRumor {
			if _, again := n.got[e.Rumor.ID]; again {
				n.got2 = append(n.got2, e.Rumor.ID)
			}
			n.got[e.Rumor.ID] = e
		}
	}
}

func (w *network) send(n *testNode, p *core.Packet) {
	to := indexOf(p.Addr)
	n.packets++
	n.bodies[fmt.Sprintf("%T", p.Body)[len("*core."):]]++
	if p.Addr == nodeAddr(n.index) {
		w.t.Fatalf("%d sends %T to itself", n.index, p.Body)
	}
	size := sizeOfBody(p.Body)
	stream := p.Stream || size > core.MTU
	if size > core.MaxStreamPacket {
		w.t.Fatalf("%d sends %T of %d bytes", n.index, p.Body, size)
	}
	if !stream && w.random.Float64() < w.loss || w.cut != nil && w.cut(n.index, to) {
		return
	}
	delay := w.delay
	if !stream {
		delay += time.Duration(w.random.Int64N(int64(w.delay)))
	}
	w.queue.Put(w.now.Add(delay), flight{to, core.Packet{
		From: n.id, Addr: nodeAddr(n.index), Stream: stream, Body: copyBody(p.Body),
	}})
}

// sizeOfBody is about what a body takes on the wire.
func sizeOfBody(body core.Message) int {
	size := 40
	switch m := body.(type) {
	case *core.Rumors:
		for i := range m.Items {
			size += sizeOf(&entry{Rumor: m.Items[i]})
		}
		size += 28 * len(m.Missed)
	case *core.IHave:
		size += 21*len(m.IDs) + len(m.Hops)
	case *core.Graft:
		size += 21 * len(m.IDs)
	case *core.Seen:
		size += 28 * len(m.Ranges)
	}
	return size
}

// copyBody copies what belongs to the sender's step, as the wire does.
func copyBody(body core.Message) core.Message {
	switch m := body.(type) {
	case *core.Rumors:
		c := &core.Rumors{Items: slices.Clone(m.Items), Missed: slices.Clone(m.Missed)}
		for i := range c.Items {
			c.Items[i].Data = bytes.Clone(c.Items[i].Data)
			c.Items[i].Age = c.Items[i].Age.Truncate(time.Millisecond)
		}
		return c
	case *core.IHave:
		return &core.IHave{IDs: slices.Clone(m.IDs), Hops: slices.Clone(m.Hops), Late: m.Late}
	case *core.Graft:
		return &core.Graft{IDs: slices.Clone(m.IDs)}
	case *core.Seen:
		return &core.Seen{Ranges: slices.Clone(m.Ranges), Of: m.Of, Answer: m.Answer}
	}
	return body
}

// run lets time pass.
func (w *network) run(d time.Duration) {
	end := w.now.Add(d)
	for w.now.Before(end) {
		w.runUntil(w.pingAt(end))
	}
}

// pingAt has every node ping another at random if the time for that has come,
// which is every second, and gives when it comes next, end at most.
func (w *network) pingAt(end time.Time) time.Time {
	if w.pinged.IsZero() {
		w.pinged = w.now
	}
	if next := w.pinged.Add(time.Second); next.After(w.now) {
		return earlier(next, end)
	}
	w.pinged = w.now
	for i, n := range w.nodes {
		to := w.random.IntN(len(w.nodes))
		if len(n.linked) == 0 || len(w.nodes[to].linked) == 0 {
			continue // it has not joined
		}
		if hash := n.PingHash(w.now, false); to == i || hash == 0 || n.down || w.nodes[to].down || w.random.Float64() < w.loss || w.cut != nil && w.cut(i, to) {
			continue
		}
		w.step(w.nodes[to], func() { w.nodes[to].Pinged(w.now, &core.Packet{From: n.id, Addr: nodeAddr(i)}, n.Hash()) })
	}
	return earlier(w.now.Add(time.Second), end)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// runUntil lets time pass without pings.
func (w *network) runUntil(end time.Time) {
	for {
		wakes, i, ok := w.wakes.Next()
		for ok && (w.nodes[i].down || !wakes.Equal(w.nodes[i].Deadline())) {
			w.wakes.Drop()
			wakes, i, ok = w.wakes.Next()
		}
		next, who := end, -1
		if ok && wakes.Before(end) {
			next, who = wakes, i
		}
		if at, f, ok := w.queue.Next(); ok && !at.After(next) {
			w.queue.Drop()
			w.now = at
			w.receive(w.nodes[f.to], &f.p)
			continue
		}
		if who < 0 {
			w.now = end
			return
		}
		if next.After(w.now) {
			w.now = next
		}
		n := w.nodes[who]
		w.step(n, func() { n.Tick(w.now) })
		if at := n.Deadline(); !at.After(w.now) {
			w.t.Fatalf("node %d ticked at its deadline %s, and is due again at %s", who, w.now.Sub(epoch), at.Sub(epoch))
		}
	}
}

func (w *network) receive(n *testNode, p *core.Packet) {
	if n.down {
		return
	}
	w.step(n, func() { n.receive(w.now, p) })
}

func (n *testNode) receive(now time.Time, p *core.Packet) {
	switch m := p.Body.(type) {
	case *core.Rumors:
		n.Rumors.Rumors(now, p, m)
		for i := range m.Items {
			clear(m.Items[i].Data) // what came belongs to the packet
		}
	case *core.IHave:
		n.IHave(now, p, m)
	case *core.Graft:
		n.Graft(now, p, m)
	case *core.Place:
		n.Place(now, p, m)
	case *core.Heard:
		n.Heard(now, p, m)
	case *core.Seen:
		n.Seen(now, p, m)
	}
}

func (w *network) say(i int, text string) clock.Dot {
	w.t.Helper()
	n := w.nodes[i]
	var id clock.Dot
	var err error
	w.step(n, func() { id, err = n.Say(w.now, hearsay.NodeID{}, []byte(text)) })
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// tally is what all nodes sent since the last tally.
func (w *network) tally() (packets int, bodies map[string]int, payloads, duplicates uint64) {
	bodies = make(map[string]int)
	for _, n := range w.nodes {
		packets += n.packets
		for name, count := range n.bodies {
			bodies[name] += count
		}
		payloads += n.stats.RumorPayloads
		duplicates += n.stats.RumorDuplicates
		n.packets, n.stats.RumorPayloads, n.stats.RumorDuplicates = 0, 0, 0
		clear(n.bodies)
	}
	return packets, bodies, payloads, duplicates
}

// all fails unless every node that is up has all of ids, once.
func (w *network) all(ids ...clock.Dot) {
	w.t.Helper()
	for i, n := range w.nodes {
		if n.down {
			continue
		}
		if len(n.got2) > 0 {
			w.t.Fatalf("node %d was told twice of %v", i, n.got2)
		}
		for _, id := range ids {
			if _, ok := n.got[id]; !ok {
				w.t.Errorf("node %d has no %d of %s", i, id.Counter, hearsay.NodeID(id.Origin).Short())
			}
		}
	}
}

// agree fails unless all nodes that are up have seen the same.
func (w *network) agree() {
	w.t.Helper()
	for i, n := range w.nodes {
		if !n.down && n.Hash() != w.nodes[0].Hash() {
			w.t.Errorf("node %d has seen something else than node 0", i)
		}
	}
}
