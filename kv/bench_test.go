package kv

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"hearsay/internal/core"
)

const benchKeys = 100_000

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

// BenchmarkRepair has two replicas of 100,000 keys become equal that differ in some, a third of them each deleted,
// written again and new.
func BenchmarkRepair(b *testing.B) {
	for _, d := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("%d differ", d), func(b *testing.B) {
			r, other := filled(b, benchKeys, 100)
			var sum cost
			for b.Loop() {
				b.StopTimer()
				differ(b, r, rand.New(rand.NewPCG(uint64(sum.messages), 1)).Perm(benchKeys)[:d], "mixed")
				b.StartTimer()
				c := measure(b, other, r, 64<<10)
				sum.bytes, sum.messages = sum.bytes+c.bytes, sum.messages+c.messages
			}
			b.ReportMetric(float64(sum.bytes)/float64(b.N), "wire-B/op")
			b.ReportMetric(float64(sum.messages)/float64(b.N), "messages/op")
		})
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
