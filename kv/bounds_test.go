package kv

import (
	"fmt"
	"testing"

	"hearsay/clock"
	"hearsay/internal/core"
)

// siblings writes one key under so many numbers of an origin, none of which has seen another, and gives every step-th
// of them to a replica.
func siblings(t *testing.T, r *Replica, origin clock.Origin, from, count, step int) {
	t.Helper()
	for n := from; n < count; n += step {
		o := core.Object{
			Dot: clock.Dot{Origin: origin, Counter: uint64(n + 1)}, Key: "k", Value: fmt.Append(nil, n),
			Time: uint64(start.UnixMilli())<<core.TimeBits + uint64(n), First: uint64(n + 1), Last: uint64(n + 1),
		}
		if result := r.Update(start, &core.Update{Objects: []core.Object{o}}); !result.Fresh {
			t.Fatalf("%d: %+v", n, result)
		}
	}
}

// Of a key that more nodes have written at once than siblings are kept the newest stay, the same ones everywhere, in
// whatever order they come; the next write takes the place of all.
func TestManySiblings(t *testing.T) {
	const all = maxKept + 500
	a, b := empty(1), empty(2)
	siblings(t, a, originOf(9), 0, all, 2)
	siblings(t, b, originOf(9), 1, all, 2)
	converge(t, start, a, b)
	for _, r := range []*Replica{a, b} {
		held := r.Siblings(start, "k", nil)
		if len(held) != maxKept {
			t.Fatalf("%d siblings, want %d", len(held), maxKept)
		}
		for i, o := range held {
			if want := uint64(all - i); o.Dot.Counter != want {
				t.Fatalf("sibling %d is number %d, want %d", i, o.Dot.Counter, want)
			}
		}
	}
	b.Update(start, put(t, a, Write{Key: "k", Value: []byte("one")}))
	if got := values(b, "k"); got != "one" {
		t.Errorf("after a write: %s", got)
	}
}

// Where all gaps that are kept are used up, others that write get their values through; and two replicas of which each
// holds what the other has no room for end their exchange.
func TestNoRoomForGaps(t *testing.T) {
	now := start
	fill := func(r *Replica, made byte) {
		for n := range byte(maxAllGaps / maxGaps) {
			m := &core.Sync{Asks: true}
			for number := uint64(1); number <= maxGaps; number++ {
				m.Live = append(m.Live, core.LiveRange{SeenRange: core.SeenRange{
					Origin: clock.Origin{made, n}, Range: clock.Range{Low: 2 * number, High: 2 * number},
				}})
			}
			if result := r.Sync(now, m, 1<<10); result.Refused != Taken {
				t.Fatalf("refused %d", result.Refused)
			}
		}
	}
	a, b := empty(1), empty(2)
	fill(a, 0xaa)
	fill(b, 0xbb)
	for i := range 3 {
		if result := b.Update(now, put(t, a, Write{Key: keyOf(i), Value: []byte("v")})); result.Refused != Taken || !result.Fresh {
			t.Errorf("update %d: %+v", i, result)
		}
		put(t, b, Write{Key: keyOf(10 + i), Value: []byte("v")}) // its update is lost
	}
	for round := range 4 {
		from, to, messages := a, b, 0
		for m := from.Ask(); m != nil; from, to = to, from {
			if messages++; messages > 20 {
				t.Fatalf("round %d: the exchange does not end", round)
			}
			m = to.Sync(now, m, 4<<10).Reply
		}
	}
	for i := range 3 {
		if get(a, keyOf(10+i)) != "v" {
			t.Errorf("a lacks what b wrote beside what there was no room for: %d", i)
		}
	}
}
