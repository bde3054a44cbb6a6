package kv

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"hearsay/clock"
	"hearsay/internal/core"
)

// An index is a sorted list, in whatever order objects come and go.
func TestIndexIsASortedList(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 6))
		x := index[uint64]{
			of:      func(o *object) uint64 { return o.Dot.Counter },
			compare: func(o *object, number uint64) int { return cmp.Compare(o.Dot.Counter, number) },
		}
		var list []*object // the same, plainly
		place := func(number uint64) (int, bool) {
			return slices.BinarySearchFunc(list, number, func(o *object, number uint64) int { return cmp.Compare(o.Dot.Counter, number) })
		}
		for step := range 6000 {
			number := 1 + random.Uint64N(3000)
			at, has := place(number)
			switch grows := step/1500%2 == 0; {
			case !has && (grows || random.IntN(3) == 0):
				o := &object{core.Object{Dot: clock.Dot{Counter: number}}, core.Sum{High: random.Uint64(), Low: random.Uint64()}}
				list = slices.Insert(list, at, o)
				x.insert(o)
			case has && !grows:
				x.remove(list[at])
				list = slices.Delete(list, at, at+1)
			}
			if step%50 > 0 {
				continue
			}
			low, high := random.Uint64N(3000), random.Uint64N(3000)
			first, _ := place(low)
			after, _ := place(high + 1)
			want := list[min(first, after):after]
			var sum core.Sum
			for _, o := range want {
				sum = sum.Add(o.hash)
			}
			if got, n := x.sum(low, high); got != sum || n != len(want) || !slices.Equal(x.between(low, high), want) {
				t.Fatalf("seed %d, step %d, from %d to %d: %d of sum %v, want %d of %v", seed, step, low, high, n, got, len(want), sum)
			}
			if o := x.get(number); o != nil && o.Dot.Counter != number {
				t.Fatalf("seed %d, step %d: at %d is %d", seed, step, number, o.Dot.Counter)
			}
		}
		for i := range x.blocks {
			if n := len(x.blocks[i].objects); n == 0 || n > blockSize {
				t.Fatalf("seed %d: a block of %d", seed, n)
			}
		}
	}
}
