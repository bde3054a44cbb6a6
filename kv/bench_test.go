package kv

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"hearsay/internal/core"
)

const (
	benchKeys = 100_000
	give      = 28 << 10 // bytes of objects that a message has, as package spread gives them
)

// BenchmarkPut writes again 100 bytes of 100,000 keys.
func BenchmarkPut(b *testing.B) {
	r, _ := filled(b, benchKeys, 100)
	value := make([]byte, 100)
	keys := randomKeys()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, _, err := r.Put(start, Write{Key: keys[i%len(keys)], Value: value}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	r, _ := filled(b, benchKeys, 100)
	keys := randomKeys()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if r.Get(start, keys[i%len(keys)]) == nil {
			b.Fatal("it is not there")
		}
	}
}

func randomKeys() (keys []string) {
	for _, n := range rand.New(rand.NewPCG(1, 1)).Perm(benchKeys)[:1<<14] {
		keys = append(keys, keyOf(n))
	}
	return keys
}

// BenchmarkUpdate takes what another has written again.
func BenchmarkUpdate(b *testing.B) {
	r, writer := filled(b, benchKeys, 100)
	keys := randomKeys()
	value := make([]byte, 100)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		u := put(b, writer, Write{Key: keys[i%len(keys)], Value: value})
		b.StartTimer()
		if !r.Update(start, u).Fresh {
			b.Fatal("it was there")
		}
	}
}

// BenchmarkHash is what goes on each ping, and BenchmarkAsk begins an exchange.
func BenchmarkHash(b *testing.B) {
	r, _ := filled(b, benchKeys, 100)
	b.ReportAllocs()
	for b.Loop() {
		if r.Hash() == (core.Sum{}) {
			b.Fatal("it is empty")
		}
	}
}

func BenchmarkAsk(b *testing.B) {
	r, _ := filled(b, benchKeys, 100)
	b.ReportAllocs()
	for b.Loop() {
		if len(r.Ask().Clock) == 0 {
			b.Fatal("it is empty")
		}
	}
}

// BenchmarkDiffer tells what one exchange costs of two replicas of 100,000 keys of which some differ, in bytes on the
// wire: written again, new, deleted, or a third of each. Beside it the naive exchange: a digest of all keys, each with
// eight bytes of a hash, answered by the objects that differ.
func BenchmarkDiffer(b *testing.B) {
	cases := []struct {
		d     int
		kinds []string
	}{{0, []string{"none"}}, {1, []string{"written", "new", "deleted"}}, {10, kinds}, {1000, kinds}}
	for _, c := range cases {
		for _, kind := range c.kinds {
			b.Run(fmt.Sprintf("%d/%s", c.d, kind), func(b *testing.B) {
				var r, other *Replica
				var keys []int // that are still the same in both
				var sum cost
				var took time.Duration
				n := 0
				for ; b.Loop(); n++ {
					if r == nil || len(keys) < c.d {
						r, other = filled(b, benchKeys, 100)
						keys = rand.New(rand.NewPCG(1, 1)).Perm(benchKeys)
					}
					differ(b, r, keys[:c.d], kind)
					keys = keys[c.d:]
					began := b.Elapsed()
					one := measure(b, other, r, give)
					took += b.Elapsed() - began
					sum.bytes, sum.messages, sum.objects = sum.bytes+one.bytes, sum.messages+one.messages, sum.objects+one.objects
				}
				each := func(total float64, unit string) { b.ReportMetric(total/float64(n), unit) }
				each(float64(sum.bytes), "B")
				each(float64(sum.objects), "B-of-objects")
				each(float64(sum.messages)/2, "round-trips")
				each(float64(n*benchKeys*(1+len(keyOf(0))+8)+sum.objects), "B-naive")
				each(float64(took.Microseconds()), "µs")
				b.ReportMetric(0, "ns/op") // it has the writes
			})
		}
	}
}

// BenchmarkJoin brings an empty replica all of 100,000 keys.
func BenchmarkJoin(b *testing.B) {
	r, _ := filled(b, benchKeys, 100)
	b.ReportAllocs()
	for b.Loop() {
		c := measure(b, empty(3), r, 128<<10)
		b.ReportMetric(float64(c.bytes)/float64(benchKeys*112), "wire-B/data-B")
		b.ReportMetric(float64(c.messages), "messages/op")
	}
}

// A key takes at most 200 bytes besides itself and its value, also where keys come in no order.
func TestMemoryOfAKey(t *testing.T) {
	const keys, most = 100_000, 200
	r := empty(1)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, data := heap(), 0
	for i := range keys {
		o := core.Object{Key: keyOf(i * 7919 % keys), Value: make([]byte, 100), Time: 1 << 20, First: uint64(i/writers) + 1}
		o.Last, o.Dot.Counter, o.Dot.Origin = o.First, o.First, originOf(10+i%writers)
		r.Update(start, &core.Update{Objects: []core.Object{o}})
		data += costOf(&o)
	}
	if n, _ := r.Len(); n != keys {
		t.Fatalf("%d objects", n)
	}
	got := (int(heap()-before) - data) / keys
	runtime.KeepAlive(r)
	if t.Logf("%d bytes", got); got > most {
		t.Errorf("%d bytes, want %d", got, most)
	}
}
