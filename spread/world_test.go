package spread

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/kv"
	"hearsay/quota"
	"hearsay/testkit"
)

var epoch = time.Unix(1_700_000_000, 0)

// world is some stores in a ring, each of which pings one at random in a second, in virtual time.
type world struct {
	t      testing.TB
	now    time.Time
	random *rand.Rand
	cfg    Config
	loss   float64 // of datagrams
	cut    func(from, to int) bool
	mute   bool // nobody pings
	long   int  // bytes of the longest message
	// what becomes of a message by stream: it comes so often, and so late; nil: once, at once
	streams func(from, to int, m core.Message) (times int, after time.Duration)
	queue   testkit.Queue[flight]
	nodes   []*node
	links   int // of each node; default 2
	bytes   int // sent
}

type node struct {
	*Store
	index int
	down  bool
	life  int
	out   core.Effects
	stats hearsay.Stats
	sent  int // bytes
	disk  testkit.Disk
	told  map[string]hearsay.KeyChange

	events []hearsay.EventKind // that are none of keys
}

type flight struct {
	to int
	p  core.Packet
}

func nodeID(i int) hearsay.NodeID { return hearsay.NodeID{0: byte(i + 1), 15: 1} }

func nodeAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 7946)
}

func newWorld(t testing.TB, n int) *world {
	w := &world{t: t, now: epoch, random: rand.New(rand.NewPCG(1, uint64(n))), cfg: DefaultConfig()}
	for i := range n {
		w.nodes = append(w.nodes, &node{index: i})
		w.start(i)
	}
	return w
}

// start begins a life of a node, from its disk.
func (w *world) start(i int) {
	m := w.nodes[i]
	m.life++
	m.down, m.out, m.told = false, core.Effects{}, make(map[string]hearsay.KeyChange)
	directory := Directory{
		Addr: func(id hearsay.NodeID) (netip.AddrPort, bool) {
			other := int(id[0]) - 1
			return nodeAddr(other), other != i && other < len(w.nodes) && !w.nodes[other].down
		},
		Next: func(from hearsay.NodeID) (next []hearsay.NodeID) {
			n := len(w.nodes)
			for far := 1; far <= max(1, w.links/2); far++ {
				for _, other := range []int{(i + far) % n, (i + n - far) % n} {
					if id := nodeID(other); id != from && other != i && !slices.Contains(next, id) {
						next = append(next, id)
					}
				}
			}
			return next
		},
		Secret: uint64(100*i + m.life),
		Sender: func(p *core.Packet) quota.Sender { return quota.Sender{Class: quota.Member, Addr: p.Addr} },
	}
	m.Store = New(w.cfg, nodeID(i), directory, m.disk.Load(), &m.stats, &m.out, w.now)
	m.Watch()
	w.carryOut(m)
}

// carryOut does what a step asked for.
func (w *world) carryOut(m *node) {
	m.disk.Sync(m.out.Persist)
	for _, list := range [][]core.Packet{m.out.Now, m.out.Send} {
		for _, p := range list {
			to := int(p.Addr.Addr().As4()[3])
			w.bytes += sizeOf(p.Body)
			m.sent += sizeOf(p.Body)
			w.long = max(w.long, sizeOf(p.Body))
			lost := !p.Stream && w.random.Float64() < w.loss
			if lost || w.nodes[to].down || w.cut != nil && w.cut(m.index, to) {
				continue
			}
			p.From, p.Addr, p.Size = nodeID(m.index), nodeAddr(m.index), sizeOf(p.Body)
			times, after := 1, time.Duration(0)
			if p.Stream && w.streams != nil {
				times, after = w.streams(m.index, to, p.Body)
			}
			for range times {
				w.queue.Put(w.now.Add(time.Millisecond+after), flight{to, p})
			}
		}
	}
	for _, e := range m.out.Events {
		if e.Change != nil {
			m.told[e.Change.Key] = *e.Change
		} else {
			m.events = append(m.events, e.Kind)
		}
	}
	m.out.Reset()
}

func sizeOf(m core.Message) int {
	switch m := m.(type) {
	case *core.Update:
		return m.Size()
	case *core.Sync:
		return m.Size()
	case *core.Fetch:
		return 36 + 2*len(m.Numbers)
	case *core.Part:
		return 20 + len(m.Bytes)
	}
	return 0
}

// put writes one key at a node.
func (w *world) put(i int, write kv.Write) {
	w.t.Helper()
	m := w.nodes[i]
	if err := m.Put(w.now, write); err != nil {
		w.t.Fatal(err)
	}
	w.carryOut(m)
}

// run lets time pass, in steps of 10 ms; in each second each node pings another.
func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(10 * time.Millisecond)
		for {
			at, f, ok := w.queue.Next()
			if !ok || at.After(w.now) {
				break
			}
			w.queue.Drop()
			w.receive(f)
		}
		for _, m := range w.nodes {
			if m.down {
				continue
			}
			if m.Tick(w.now); m.Deadline().Before(w.now) {
				w.t.Fatalf("node %d is due at %v, and it is %v", m.index, m.Deadline(), w.now)
			}
			w.carryOut(m)
			if w.now.UnixMilli()%1000 == int64(120*m.index%1000) {
				w.ping(m)
			}
		}
	}
}

func (w *world) ping(m *node) {
	other := w.nodes[w.random.IntN(len(w.nodes))]
	if w.mute || other == m || other.down || w.cut != nil && w.cut(m.index, other.index) {
		return
	}
	other.Pinged(w.now, nodeID(m.index), m.PingHash(w.now, false))
	w.carryOut(other)
}

func (w *world) receive(f flight) {
	m := w.nodes[f.to]
	if m.down {
		return
	}
	switch body := f.p.Body.(type) {
	case *core.Update:
		m.Update(w.now, &f.p, body)
	case *core.Sync:
		m.Sync(w.now, &f.p, body)
	case *core.Fetch:
		m.Fetch(w.now, &f.p, body)
	case *core.Part:
		m.Part(w.now, &f.p, body)
	}
	w.carryOut(m)
}

// agree reports whether all that run hold the same.
func (w *world) agree() bool {
	var first *node
	for _, m := range w.nodes {
		if m.down {
			continue
		}
		if first == nil {
			first = m
		}
		if m.replica.Hash() != first.replica.Hash() {
			return false
		}
	}
	return true
}

// must runs until something is so.
func (w *world) must(within time.Duration, what string, is func() bool) time.Duration {
	w.t.Helper()
	began := w.now
	for !is() {
		if w.now.Sub(began) > within {
			w.t.Fatalf("after %v: %s: not so", within, what)
		}
		w.run(10 * time.Millisecond)
	}
	return w.now.Sub(began)
}

// get gives what a node has of a key; "": nothing.
func (w *world) get(i int, key string) string {
	if o := w.nodes[i].replica.Get(w.now, key); o != nil {
		return string(o.Value)
	}
	return ""
}
