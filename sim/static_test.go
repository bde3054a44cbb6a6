package sim

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/rumor"
	"hearsay/wire"
)

// tellers is a world of nothing but rumors: their shipped machines and packets,
// on a graph that is given and never changes, without rosters, probes and disks.
// So 10,000 of them fit a test, and what they send is all about rumors.
type tellers struct {
	now     time.Duration
	queue   queue
	id      hearsay.NetworkID
	links   [][]int
	all     []*rumor.Rumors
	out     core.Effects // of the node that steps
	tickAt  []time.Duration
	delays  rand.PCG
	flights [][]byte
	from    []int32
	unused  []int32
	decoder *wire.Decoder
	stats   hearsay.Stats // of all nodes

	heard    int // deliveries to others than the origin
	hops     int
	payloads int
}

// tellerID is the identity of the i-th.
func tellerID(i int) (id hearsay.NodeID) {
	binary.BigEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15) // in no order
	binary.BigEndian.PutUint64(id[8:], uint64(i)+1)
	return id
}

func tellerOf(id hearsay.NodeID) int { return int(binary.BigEndian.Uint64(id[8:])) - 1 }

// regular gives a connected graph in which each of n has so many links: cycles
// in random order, and if the number is odd, random pairs besides.
func regular(random *rand.Rand, n, links int) [][]int {
	graph := make([][]int, n)
	linked := func(a, b int) bool {
		for _, c := range graph[a] {
			if b == c {
				return true
			}
		}
		return a == b
	}
	for part := range (links + 1) / 2 {
		pairs := links%2 == 1 && part == links/2
		for fits := false; !fits; {
			order, step := random.Perm(n), 1
			if pairs {
				step = 2
			}
			// One that stands beside another that it is linked with already trades places.
			for tries := 0; !fits && tries < 100; tries++ {
				fits = true
				for i := 0; i < n; i += step {
					if linked(order[i], order[(i+1)%n]) {
						j := random.IntN(n)
						order[i], order[j], fits = order[j], order[i], false
					}
				}
			}
			for i := 0; fits && i < n; i += step {
				a, b := order[i], order[(i+1)%n]
				graph[a], graph[b] = append(graph[a], b), append(graph[b], a)
			}
		}
	}
	return graph
}

func newTellers(t *testing.T, links [][]int, config rumor.Config) *tellers {
	t.Helper()
	n := len(links)
	w := &tellers{id: hearsay.NetworkIDOf(networkName), links: links, delays: draws(1, purposeDelay), tickAt: make([]time.Duration, n)}
	w.decoder = wire.NewDecoder(w.id)
	for i := range n {
		random := draws(1, purposeNode, uint64(i))
		directory := rumor.Directory{
			Addr:    func(id hearsay.NodeID) (netip.AddrPort, bool) { return addrOf(tellerOf(id)), true },
			Known:   func(id hearsay.NodeID) bool { return tellerOf(id) < n },
			Trusted: func(id hearsay.NodeID) bool { return tellerOf(id) < n },
			Draw:    func() (hearsay.NodeID, bool) { return tellerID(links[i][0]), true },
		}
		r := rumor.New(config, tellerID(i), directory, rand.New(&random), nil, &w.stats, &w.out, epoch)
		w.all, w.tickAt[i] = append(w.all, r), noTick
		for _, to := range links[i] {
			r.Linked(epoch, tellerID(to))
		}
		w.carryOut(i)
	}
	return w
}

// carryOut sends what a step wants sent, and sees when the next is due.
func (w *tellers) carryOut(i int) {
	for _, packets := range [][]core.Packet{w.out.Now, w.out.Send} {
		for at := range packets {
			w.send(i, &packets[at])
		}
	}
	for at := range w.out.Events {
		if e := &w.out.Events[at]; e.Kind == hearsay.EventRumor && e.Count > 0 {
			w.heard, w.hops = w.heard+1, max(w.hops, e.Count)
		}
	}
	w.out.Reset()
	if at := max(w.now, w.all[i].Deadline().Sub(epoch)); w.tickAt[i] == noTick || at < w.tickAt[i] {
		w.tickAt[i] = at
		w.queue.push(moment{at: at, kind: momentTick, machine: int32(i)})
	}
}

func (w *tellers) send(i int, p *core.Packet) {
	if m, ok := p.Body.(*core.Rumors); ok {
		w.payloads += len(m.Items)
	}
	p.From = tellerID(i)
	if len(w.unused) == 0 {
		w.unused = append(w.unused, int32(len(w.flights)))
		w.flights, w.from = append(w.flights, nil), append(w.from, 0)
	}
	last := len(w.unused) - 1
	number := w.unused[last]
	w.unused = w.unused[:last]
	w.flights[number], w.from[number] = wire.AppendPacket(w.flights[number][:0], w.id, p), int32(i)
	b := p.Addr.Addr().As4()
	to := int32(b[1])<<16 | int32(b[2])<<8 | int32(b[3]) - 1
	const delay = 500 * time.Microsecond
	w.queue.push(moment{at: w.now + delay + upTo(&w.delays, delay/2), kind: momentArrival, machine: to, which: number})
}

// run lets time pass.
func (w *tellers) run(t *testing.T, d time.Duration) {
	t.Helper()
	end := w.now + d
	for !w.queue.empty() && w.queue.soonest().at <= end {
		due := w.queue.pop()
		w.now = due.at
		i, now := int(due.machine), epoch.Add(w.now)
		r := w.all[i]
		r.Begin()
		switch {
		case due.kind == momentArrival:
			w.receive(t, i, due.which)
		case due.at != w.tickAt[i]:
			continue // another was set
		case r.Deadline().After(now):
			w.tickAt[i] = noTick
		default:
			w.tickAt[i] = noTick
			r.Tick(now)
		}
		w.carryOut(i)
	}
	w.now = end
}

func (w *tellers) receive(t *testing.T, i int, number int32) {
	t.Helper()
	r, now := w.all[i], epoch.Add(w.now)
	p := core.Packet{Addr: addrOf(int(w.from[number]))}
	if drop, ok := w.decoder.Decode(w.flights[number], &p); !ok {
		t.Fatalf("cannot read %d bytes: %s", len(w.flights[number]), drop)
	}
	switch m := p.Body.(type) {
	case *core.Rumors:
		r.Rumors(now, &p, m)
	case *core.IHave:
		r.IHave(now, &p, m)
	case *core.Graft:
		r.Graft(now, &p, m)
	case *core.Place:
		r.Place(now, &p, m)
	case *core.Heard:
		r.Heard(now, &p, m)
	case *core.Seen:
		r.Seen(now, &p, m)
	default:
		t.Fatalf("%T is not about rumors", m)
	}
	w.unused = append(w.unused, number)
}

// say has one of them say something and gives what that cost, all in all, in
// so much time.
func (w *tellers) say(t *testing.T, i int, wait time.Duration) (payloads, duplicates, hops int) {
	t.Helper()
	heard, before, again := w.heard, w.payloads, int(w.stats.RumorDuplicates)
	w.hops = 0
	w.all[i].Begin()
	if _, err := w.all[i].Say(epoch.Add(w.now), hearsay.NodeID{}, []byte("a rumor")); err != nil {
		t.Fatal(err)
	}
	w.carryOut(i)
	w.run(t, wait)
	if w.heard != heard+len(w.all)-1 {
		t.Fatalf("%d of %d others heard it", w.heard-heard, len(w.all)-1)
	}
	return w.payloads - before, int(w.stats.RumorDuplicates) - again, w.hops
}

// What a broadcast costs on a graph of five links each: once the tree has
// settled n-1 payloads, which is the least that there is; and by flooding as
// many as there are links in both directions, less the n-1 by which it came.
func TestBroadcastsOnAStaticGraph(t *testing.T) {
	t.Parallel()
	const links, warm, measured = 5, 20, 10
	sizes := []int{1000}
	if os.Getenv(largeVariable) != "" {
		sizes = append(sizes, 10_000)
	}
	for _, n := range sizes {
		random := rand.New(rand.NewPCG(1, uint64(n)))
		graph, degrees := regular(random, n, links), 0
		for i := range graph {
			degrees += len(graph[i])
		}
		if degrees != links*n {
			t.Fatalf("%d ends of links, want %d", degrees, links*n)
		}
		t.Run(fmt.Sprint("tree of ", n), func(t *testing.T) {
			w := newTellers(t, graph, rumor.DefaultConfig())
			for range warm {
				w.say(t, random.IntN(n), 5*time.Second)
			}
			hopsMost := 0
			for range measured {
				payloads, duplicates, hops := w.say(t, random.IntN(n), 5*time.Second)
				hopsMost = max(hopsMost, hops)
				if payloads != n-1 || duplicates != 0 {
					t.Errorf("%d payloads, %d duplicates; want %d, 0", payloads, duplicates, n-1)
				}
			}
			t.Logf("%d payloads a broadcast, at most %d hops", n-1, hopsMost)
		})
		t.Run(fmt.Sprint("flood of ", n), func(t *testing.T) {
			config := rumor.DefaultConfig()
			config.Strategy = rumor.Flood
			w := newTellers(t, graph, config)
			payloads, duplicates, hops := w.say(t, random.IntN(n), 5*time.Second)
			if want := degrees - (n - 1); payloads != want || duplicates != want-(n-1) {
				t.Errorf("%d payloads, %d duplicates; want %d, %d", payloads, duplicates, want, want-(n-1))
			}
			t.Logf("%d payloads a broadcast, %d hops", payloads, hops)
		})
	}
}
