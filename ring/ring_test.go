package ring

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

type id [16]byte

// idOf makes identities as the network's are: the beginning of a SHA-256.
func idOf(n uint64) id {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	sum := sha256.Sum256(b[:])
	return id(sum[:16])
}

func idsOf(n int) []id {
	ids := make([]id, n)
	for i := range ids {
		ids[i] = idOf(uint64(i))
	}
	return ids
}

// drawMembers draws a list of distinct members, a subject among them, and k.
// Half of the lists have identities with almost all bits equal, which a weak
// hash would not spread.
func drawMembers(t *rapid.T) (members []id, subject id, k int) {
	numbers := rapid.SliceOfNDistinct(rapid.Uint64(), 1, 40, rapid.ID[uint64]).Draw(t, "numbers")
	similar := rapid.Bool().Draw(t, "similar")
	for _, n := range numbers {
		one := idOf(n)
		if similar {
			one = id{}
			binary.LittleEndian.PutUint64(one[4:], n)
		}
		members = append(members, one)
	}
	return members, rapid.SampledFrom(members).Draw(t, "subject"), rapid.IntRange(0, 12).Draw(t, "k")
}

func TestObserversAreDistinctOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members, subject, k := drawMembers(t)
		got := Observers(nil, subject, Of(members), k)
		if want := min(k, len(members)-1); len(got) != want {
			t.Fatalf("%d observers, want %d", len(got), want)
		}
		for i, one := range got {
			if one == subject || slices.Contains(got[:i], one) || !slices.Contains(members, one) {
				t.Fatalf("observer %d of %x is %x: itself, twice or no member", i, subject, one)
			}
		}
	})
}

func TestObserversAreOfTheSetNotOfTheList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members, subject, k := drawMembers(t)
		shuffled := rapid.Permutation(members).Draw(t, "shuffled")
		if a, b := Observers(nil, subject, Of(members), k), Observers(nil, subject, Of(shuffled), k); !slices.Equal(a, b) {
			t.Fatalf("order of members changes observers:\n%x\n%x", a, b)
		}
	})
}

func TestOneWhoGoesMovesAtMostOneObserver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members, subject, k := drawMembers(t)
		gone := rapid.SampledFrom(members).Draw(t, "gone")
		if gone == subject {
			t.Skip("the subject stays")
		}
		before := Observers(nil, subject, Of(members), k)
		rest := slices.DeleteFunc(slices.Clone(members), func(m id) bool { return m == gone })
		after := Observers(nil, subject, Of(rest), k)

		if !slices.Contains(before, gone) {
			if !slices.Equal(before, after) {
				t.Fatalf("%x was no observer, and yet:\nbefore %x\nafter  %x", gone, before, after)
			}
			return
		}
		for _, one := range before {
			if one != gone && !slices.Contains(after, one) {
				t.Fatalf("%x is no observer any more because %x went", one, gone)
			}
		}
	})
}

// What was chosen once is chosen for ever: nodes of different versions must
// agree on it.
func TestObserversAreTheSameForEver(t *testing.T) {
	members := idsOf(20)
	got := Observers(nil, members[0], Of(members), 9)
	want := []int{9, 1, 18, 13, 8, 19, 6, 2, 3}
	for i := range want {
		if i >= len(got) || got[i] != members[want[i]] {
			t.Fatalf("observers are %v, want %v", indices(members, got), want)
		}
	}
}

func indices(members, chosen []id) (at []int) {
	for _, one := range chosen {
		at = append(at, slices.Index(members, one))
	}
	return at
}

func TestObserversAppend(t *testing.T) {
	members := idsOf(5)
	// What stands in dst already is not taken: it is the caller's.
	got := Observers([]id{members[1]}, members[0], Of(members), 9)
	if len(got) != 5 || got[0] != members[1] || !slices.Contains(got[1:], members[1]) {
		t.Fatalf("got %v", indices(members, got))
	}
	if got := Observers(nil, idOf(99), Of(members), 9); len(got) != 5 {
		t.Fatalf("a subject that is no member has %d observers, want all 5", len(got))
	}
}

// On each ring a member follows exactly one other, unless it was taken
// already: the load hardly varies.
func TestLoadIsBalanced(t *testing.T) {
	const n, k = 1000, 9
	for name, members := range map[string][]id{"hashed": idsOf(n), "counted": counted(n)} {
		load := make(map[id]int, n)
		for _, subject := range members {
			for _, one := range Observers(nil, subject, Of(members), k) {
				load[one]++
			}
		}
		most, variance := 0, 0.0
		for _, m := range members {
			most = max(most, load[m])
			variance += float64((load[m]-k)*(load[m]-k)) / n
		}
		if most > 2*k || variance > 1 {
			t.Errorf("%s: a member observes up to %d others, variance %.1f; want at most %d, 1", name, most, variance, 2*k)
		}
		t.Logf("%s: most %d, variance %.2f", name, most, variance)
	}
}

func counted(n int) []id {
	ids := make([]id, n)
	for i := range ids {
		binary.BigEndian.PutUint64(ids[i][:8], uint64(i))
	}
	return ids
}

func TestObserversAllocateNothing(t *testing.T) {
	members := idsOf(100)
	dst := make([]id, 0, 9)
	if n := testing.AllocsPerRun(10, func() { dst = Observers(dst[:0], members[3], Of(members), 9) }); n != 0 {
		t.Fatalf("%v allocations, want none", n)
	}
}

func BenchmarkObservers1000(b *testing.B) {
	members := idsOf(1000)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	dst := make([]id, 0, 9)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		dst = Observers(dst[:0], members[i%len(members)], Of(members), 9)
		i++
	}
}
