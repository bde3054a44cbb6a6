package ring

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// samePlace gives n ids that stand at one place of ring 0: those whose first
// word is chosen so that the product of both is zero.
func samePlace(n int) []id {
	ids := make([]id, n)
	for i := range ids {
		first := uint64(golden) // ring 0 takes it to zero
		binary.BigEndian.PutUint64(ids[i][:8], first)
		binary.BigEndian.PutUint64(ids[i][8:], uint64(i))
	}
	return ids
}

// drawCircle draws members, some of which may stand at one place.
func drawCircle(t *rapid.T) []id {
	members, _, _ := drawMembers(t)
	return append(members, samePlace(rapid.IntRange(0, 4).Draw(t, "at one place"))...)
}

func TestSamePlace(t *testing.T) {
	for _, one := range samePlace(3) {
		if place(0, one) != place(0, samePlace(1)[0]) {
			t.Fatal("the sample does not stand at one place: the property below is weaker than it says")
		}
	}
}

func TestNeighborsAreMutual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawCircle(t)
		ring := rapid.IntRange(0, 3).Draw(t, "ring")
		for _, a := range members {
			next, before, found := Neighbors(ring, a, Of(members), nil)
			if found != (len(members) > 1) || found && (next == a || before == a) {
				t.Fatalf("%x among %d: %x, %x, %t", a, len(members), next, before, found)
			}
			if !found {
				continue
			}
			if _, back, _ := Neighbors(ring, next, Of(members), nil); back != a {
				t.Fatalf("%x is next to %x, before which is %x", next, a, back)
			}
			if back, _, _ := Neighbors(ring, before, Of(members), nil); back != a {
				t.Fatalf("%x is before %x, next to which is %x", before, a, back)
			}
		}
	})
}

// To pass somebody over is to leave him out.
func TestNeighborsPassOver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawCircle(t)
		subject := rapid.SampledFrom(members).Draw(t, "subject")
		passed := rapid.SliceOfN(rapid.SampledFrom(members), 0, 9).Draw(t, "passed")
		rest := slices.DeleteFunc(slices.Clone(members), func(m id) bool { return slices.Contains(passed, m) })
		next, before, found := Neighbors(0, subject, Of(members), passed)
		wantNext, wantBefore, want := Neighbors(0, subject, Of(rest), nil)
		if next != wantNext || before != wantBefore || found != want {
			t.Fatalf("%x, %x, %t; without them %x, %x, %t", next, before, found, wantNext, wantBefore, want)
		}
	})
}

// Walking from one to the next comes past everybody once.
func TestNeighborsAreOneCircle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawCircle(t)
		ring := rapid.IntRange(0, 3).Draw(t, "ring")
		seen := make(map[id]bool)
		at := members[0]
		for range members {
			if seen[at] {
				t.Fatalf("came to %x again after %d of %d", at, len(seen), len(members))
			}
			seen[at] = true
			at, _, _ = Neighbors(ring, at, Of(members), nil)
		}
	})
}

func TestNeighborsAreOfTheSetNotOfTheList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawCircle(t)
		subject := rapid.SampledFrom(members).Draw(t, "subject")
		shuffled := rapid.Permutation(members).Draw(t, "shuffled")
		others := slices.DeleteFunc(slices.Clone(members), func(m id) bool { return m == subject })
		nextA, beforeA, _ := Neighbors(1, subject, Of(members), nil)
		nextB, beforeB, _ := Neighbors(1, subject, Of(shuffled), nil)
		nextC, beforeC, _ := Neighbors(1, subject, Of(others), nil)
		if nextA != nextB || nextA != nextC || beforeA != beforeB || beforeA != beforeC {
			t.Fatalf("order, or being one of them, changes neighbors: %x %x, %x %x, %x %x", nextA, beforeA, nextB, beforeB, nextC, beforeC)
		}
	})
}

// Before is a strict order of all others, for who walks from anywhere.
func TestBeforeIsAnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawCircle(t)
		one := rapid.SampledFrom(members)
		from, a, b, c := one.Draw(t, "from"), one.Draw(t, "a"), one.Draw(t, "b"), one.Draw(t, "c")
		if Before(0, from, a, b) == Before(0, from, b, a) != (a == b) {
			t.Fatalf("from %x: %x and %x both come first, or none", from, a, b)
		}
		if Before(0, from, a, b) && Before(0, from, b, c) && !Before(0, from, a, c) {
			t.Fatalf("from %x: %x, %x, %x go round", from, a, b, c)
		}
		if from != a && Before(0, from, from, a) {
			t.Fatalf("%x meets itself before %x", from, a)
		}
	})
}

// The first observer is the successor on the first ring: one ring, one order.
func TestNeighborsStandWhereObserversDo(t *testing.T) {
	members := idsOf(50)
	for _, subject := range members {
		next, _, _ := Neighbors(0, subject, Of(members), nil)
		if first := Observers(nil, subject, Of(members), 1)[0]; next != first {
			t.Fatalf("next to %x is %x, its observer %x", subject, next, first)
		}
	}
}

func TestNeighborsAreTheSameForEver(t *testing.T) {
	members := idsOf(20)
	next, before, _ := Neighbors(2, members[0], Of(members), nil)
	if got := indices(members, []id{next, before}); !slices.Equal(got, []int{18, 16}) {
		t.Fatalf("neighbors are %v", got)
	}
}

func TestNeighborsAllocateNothing(t *testing.T) {
	members := idsOf(100)
	if n := testing.AllocsPerRun(10, func() { Neighbors(1, members[3], Of(members), nil) }); n != 0 {
		t.Fatalf("%v allocations, want none", n)
	}
}

func BenchmarkNeighbors1000(b *testing.B) {
	members := idsOf(1000)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	i := 0
	for b.Loop() {
		next, _, _ := Neighbors(0, members[i%len(members)], Of(members), nil)
		i += bits.OnesCount8(next[0]) | 1
	}
}
