package store

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"hearsay/clock"
	"hearsay/internal/core"
)

func load(t *testing.T, m *Memory) []core.Record {
	t.Helper()
	records, err := m.Load()
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func TestMemoryKeepsWhatWasSynced(t *testing.T) {
	var m Memory
	if err := m.Persist(someRecords()); err != nil {
		t.Fatal(err)
	}
	m.Crash(rand.New(rand.NewPCG(1, 1)))
	if got := load(t, &m); !reflect.DeepEqual(got, someRecords()) {
		t.Errorf("loaded %v", got)
	}
	gone := contact(7001, 0)
	gone.Dropped = true
	m.Persist([]core.Record{gone})
	if got, want := len(load(t, &m)), len(someRecords())-1; got != want {
		t.Errorf("%d records after one was dropped, want %d", got, want)
	}
}

// TestMemoryLosesAnyPiece: of three unsynced writes a crash leaves each of
// the 8 subsets, sooner or later, and the same seed leaves the same.
func TestMemoryLosesAnyPiece(t *testing.T) {
	crash := func(seed uint64) (left string) {
		var m Memory
		m.Persist([]core.Record{contact(1, 1)})
		m.Write([]core.Record{contact(2, 1), contact(3, 1)})
		m.Write([]core.Record{contact(4, 1)})
		m.Crash(rand.New(rand.NewPCG(seed, 0)))
		m.Sync() // has nothing left to make durable
		for _, r := range load(t, &m) {
			left += string(rune('0' + r.(*core.Contact).Addr.Port()))
		}
		return left
	}
	seen := make(map[string]bool)
	for seed := range uint64(200) {
		left := crash(seed)
		if left != crash(seed) {
			t.Fatalf("seed %d: not the same twice", seed)
		}
		if left[0] != '1' {
			t.Fatalf("seed %d: a synced write was lost", seed)
		}
		seen[left] = true
	}
	if len(seen) != 8 {
		t.Errorf("saw %d outcomes: %v", len(seen), seen)
	}
}

// TestMemoryHoldsCopies: records belong to the core, which goes on using
// them.
func TestMemoryHoldsCopies(t *testing.T) {
	var m Memory
	r := &core.OwnIncarnation{Incarnation: 1}
	m.Write([]core.Record{r})
	r.Incarnation = 2
	m.Sync()
	if got := load(t, &m)[0].(*core.OwnIncarnation).Incarnation; got != 1 {
		t.Errorf("incarnation %d", got)
	}
}

// TestMemoryKeepsChangesOfTheStoreWhole: of three unsynced changes of the key-value store a crash leaves none, the
// first, the first two or all, and each whole.
func TestMemoryKeepsChangesOfTheStoreWhole(t *testing.T) {
	seen := make(map[int]bool)
	for seed := range uint64(100) {
		var m Memory
		for i := range uint64(3) {
			dot := clock.Dot{Counter: i + 1}
			m.Write([]core.Record{
				&core.KeptObject{Object: &core.Object{Dot: dot, Key: "k", First: i + 1, Last: i + 1}},
				&core.KeptSeen{Ranges: []clock.Range{{Low: 1, High: i + 1}}},
			})
		}
		m.Crash(rand.New(rand.NewPCG(seed, 0)))
		values, upto := 0, uint64(0)
		for _, r := range load(t, &m) {
			switch r := r.(type) {
			case *core.KeptObject:
				values++
			case *core.KeptSeen:
				upto = r.Ranges[0].High
			}
		}
		if uint64(values) != upto {
			t.Fatalf("seed %d: %d values, and numbers up to %d are seen", seed, values, upto)
		}
		seen[values] = true
	}
	if len(seen) != 4 {
		t.Errorf("saw %v", seen)
	}
}
