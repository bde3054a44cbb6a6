package clock

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// dotsOf gives the counters in ranges that ascend.
func dotsOf(t *rapid.T, ranges []Range) map[uint64]bool {
	if !Ascend(ranges) {
		t.Fatalf("%v do not ascend", ranges)
	}
	set := make(map[uint64]bool)
	for _, r := range ranges {
		for counter := r.Low; counter <= r.High; counter++ {
			set[counter] = true
		}
	}
	return set
}

// drawRanges draws ranges that ascend; they may touch.
func drawRanges(t *rapid.T) (ranges []Range) {
	low := uint64(0)
	for range rapid.IntRange(0, 8).Draw(t, "ranges") {
		low += rapid.Uint64Range(1, 3).Draw(t, "gap")
		high := low + rapid.Uint64Range(0, 3).Draw(t, "more")
		ranges = append(ranges, Range{low, high})
		low = high
	}
	return ranges
}

// What is done with lists of ranges is what is done with the sets of their
// counters.
func TestRangesAreSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawRanges(t), drawRanges(t)
		inA, inB := dotsOf(t, a), dotsOf(t, b)
		without, common, both := dotsOf(t, Without(a, b)), dotsOf(t, Common(a, b)), dotsOf(t, union(a, b))
		all := true
		for counter := uint64(1); counter < 64; counter++ {
			x, y := inA[counter], inB[counter]
			if without[counter] != (x && !y) || common[counter] != (x && y) || both[counter] != (x || y) {
				t.Fatalf("%v, %v, at %d: without %t, common %t, union %t", a, b, counter, without[counter], common[counter], both[counter])
			}
			all = all && (x || !y)
		}
		if Cover(a, b) != all {
			t.Fatalf("%v covers %v: %t", a, b, Cover(a, b))
		}
		if n := UnionSize(a, b); n != len(union(a, b)) || n > len(a)+len(b) {
			t.Fatalf("%d ranges", n)
		}
	})
}

// Ranges at the ends of what a counter can be.
func TestRangesAtTheEnds(t *testing.T) {
	const top = math.MaxUint64
	whole := []Range{{1, top}}
	if left := Without(whole, []Range{{1, 1}, {top, top}}); !slices.Equal(left, []Range{{2, top - 1}}) {
		t.Errorf("without both ends: %v", left)
	}
	if left := Without([]Range{{1, 2}, {top, top}}, whole); left != nil {
		t.Errorf("without all: %v", left)
	}
	if both := union(whole, []Range{{top, top}}); !slices.Equal(both, whole) {
		t.Errorf("union %v", both)
	}
	for _, no := range [][]Range{{{0, 1}}, {{2, 1}}, {{1, 2}, {2, 3}}, {{3, 3}, {1, 1}}} {
		if Ascend(no) {
			t.Errorf("%v ascend", no)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v were added", no)
				}
			}()
			new(Context).AddRanges(Origin{}, no)
		}()
	}
}
