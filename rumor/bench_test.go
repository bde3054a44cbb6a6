package rumor

import (
	"fmt"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// BenchmarkRelay takes rumors of 256 bytes that 32 origins say, and passes
// them on over three of six links; two lazy ones are named them. 5,000 come in
// a second, so many a packet.
func BenchmarkRelay(b *testing.B) {
	for _, each := range []int{1, 5} {
		b.Run(fmt.Sprintf("%d a packet", each), func(b *testing.B) {
			w := newNetwork(b, 64, DefaultConfig())
			n := w.nodes[0]
			for j := range 6 {
				n.Linked(w.now, nodeID(j+1))
				n.links.list[j].eager = j < 4
			}
			from := n.links.list[0].id
			p := &core.Packet{From: from, Addr: nodeAddr(1)}
			m := &core.Rumors{Items: make([]hearsay.Rumor, each)}
			data := make([]byte, 256)
			said := 0
			b.ReportAllocs()
			for b.Loop() {
				m.Items = m.Items[:each]
				for i := range m.Items {
					said++
					m.Items[i] = rumorOf(8+said%32, uint64(1+said/32), "")
					m.Items[i].Data = data
				}
				w.now = w.now.Add(time.Duration(each) * 200 * time.Microsecond)
				n.out.Reset()
				n.Begin()
				if !w.now.Before(n.Deadline()) {
					n.Tick(w.now)
				}
				n.Rumors.Rumors(w.now, p, m)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(said), "ns/rumor")
			if int(n.stats.RumorsDelivered) != said || n.stats.RumorPayloads < uint64(2*said) || n.stats.RumorNames == 0 {
				b.Fatalf("of %d %d were delivered, %d sent, %d named; drops %v", said, n.stats.RumorsDelivered, n.stats.RumorPayloads, n.stats.RumorNames, n.stats.Drops)
			}
		})
	}
}

// BenchmarkKnown takes a name that is no news, as they come over lazy links.
func BenchmarkKnown(b *testing.B) {
	w := newNetwork(b, 4, DefaultConfig())
	n := w.nodes[0]
	n.Linked(w.now, nodeID(1))
	n.links.list[0].eager = false
	m := &core.IHave{}
	for i := range namesMost {
		rumor := rumorOf(2, uint64(i+1), "x")
		w.give(0, 1, rumor)
		m.IDs = append(m.IDs, rumor.ID)
	}
	p := &core.Packet{From: nodeID(1), Addr: nodeAddr(1)}
	b.ReportAllocs()
	for b.Loop() {
		n.IHave(w.now, p, m)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*namesMost), "ns/name")
}
