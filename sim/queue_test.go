package sim

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The queue gives moments in the order of time, and those of one time in the
// order in which they were scheduled, however pushes and pops are mixed.
func TestQueueOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var model []moment // what the queue must hold
		which := int32(0)
		for range rapid.IntRange(1, 200).Draw(t, "operations") {
			if len(model) > 0 && rapid.Bool().Draw(t, "pop") {
				if got := q.pop(); got.which != model[0].which || got.at != model[0].at {
					t.Fatalf("popped %d of %v, want %d of %v", got.which, got.at, model[0].which, model[0].at)
				}
				model = model[1:]
				continue
			}
			m := moment{at: time.Duration(rapid.IntRange(0, 9).Draw(t, "at")), which: which}
			which++
			q.push(m)
			model = append(model, m)
			slices.SortStableFunc(model, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
		}
		if q.empty() != (len(model) == 0) {
			t.Fatalf("empty: %v, with %d moments left", q.empty(), len(model))
		}
	})
}

func BenchmarkQueue(b *testing.B) {
	var q queue
	for i := range 4096 {
		q.push(moment{at: time.Duration(i * 7919 % 4096)})
	}
	b.ReportAllocs()
	for b.Loop() {
		m := q.pop()
		m.at += time.Duration(m.order % 977)
		q.push(m)
	}
}
