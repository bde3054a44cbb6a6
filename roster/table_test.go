package roster

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hearsay"
)

// Two rosters with the same cards are two maps, whatever either of them does;
// and when both are empty nothing is held.
func TestTablesAreMaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cards := NewCards(rapid.Uint64().Draw(t, "secret"))
		tables := [2]table{{cards: cards}, {cards: cards}}
		plain := [2]map[hearsay.NodeID]hearsay.Incarnation{{}, {}}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			var id hearsay.NodeID // few, and close together: they collide
			id[8] = rapid.ByteRange(0, 40).Draw(t, "id")
			id[0] = rapid.ByteRange(0, 3).Draw(t, "twin")
			i := rapid.IntRange(0, 1).Draw(t, "table")
			incarnation := hearsay.Incarnation(rapid.IntRange(1, 2).Draw(t, "incarnation"))
			card := hearsay.Card{Name: fmt.Sprint("n", id[8]%4)}
			_, known := plain[i][id]
			switch remove := rapid.Bool().Draw(t, "remove"); {
			case known && remove:
				tables[i].remove(tables[i].get(id))
				delete(plain[i], id)
			case known:
				tables[i].renew(tables[i].get(id), incarnation, &card)
				plain[i][id] = incarnation
			case !remove:
				tables[i].put(id, incarnation, &card)
				plain[i][id] = incarnation
			}
			if rapid.Bool().Draw(t, "begin") {
				tables[i].begin()
			}
			checkTables(t, &tables, &plain)
		}
		for i := range tables {
			for id := range plain[i] {
				tables[i].remove(tables[i].get(id))
			}
			tables[i].begin()
		}
		if cards.ids.count != 0 || cards.names.count != 0 {
			t.Fatalf("%d subjects and %d words are held by nobody", cards.ids.count, cards.names.count)
		}
	})
}

func checkTables(t *rapid.T, tables *[2]table, plain *[2]map[hearsay.NodeID]hearsay.Incarnation) {
	for i := range tables {
		for twin := range byte(4) {
			for at := range byte(41) {
				id := hearsay.NodeID{0: twin, 8: at}
				want, known := plain[i][id]
				m := tables[i].get(id)
				if (m != nil) != known {
					t.Fatalf("table %d lists %v: %v, want %v", i, id, m != nil, known)
				}
				if m != nil && (tables[i].id(m) != id || tables[i].word(m).incarnation != want) {
					t.Fatalf("table %d has %v at %d for %v at %d", i, tables[i].id(m), tables[i].word(m).incarnation, id, want)
				}
			}
		}
		if tables[i].count != len(plain[i]) {
			t.Fatalf("%d members, want %d", tables[i].count, len(plain[i]))
		}
	}
}

// A name finds all who bear it.
func TestNamed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cards := NewCards(rapid.Uint64().Draw(t, "secret"))
		want := map[string]int{}
		for i := range rapid.IntRange(1, 40).Draw(t, "members") {
			name := rapid.SampledFrom([]string{"a", "b", "c", "dd"}).Draw(t, "name")
			w := cards.hold(hearsay.NodeID{8: byte(i)}, 1, &hearsay.Card{Name: name})
			if want[name]++; rapid.IntRange(0, 3).Draw(t, "release") == 0 {
				cards.release(w)
				want[name]--
			}
		}
		for name, n := range want {
			found := 0
			for w := cards.named(name); w != 0; w = cards.words[w].nextNamed {
				if found++; cards.words[w].name != name {
					t.Fatalf("%s is not called %s", cards.words[w].name, name)
				}
			}
			if found != n {
				t.Fatalf("%d are called %s, want %d", found, name, n)
			}
		}
	})
}

// There are as many members in a simulation as the square of the nodes, and as
// many words in an agent as it knows members.
func TestRecordsAreSmall(t *testing.T) {
	if size := reflect.TypeFor[member]().Size(); size != 12 {
		t.Errorf("a member takes %d bytes, want 12", size)
	}
	if size := reflect.TypeFor[word]().Size(); size != 160 {
		t.Errorf("a word takes %d bytes, want 160", size)
	}
}

func TestSinceIsKeptToTheMillisecond(t *testing.T) {
	zero := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]time.Duration{
		-time.Hour: 0, 0: 0, 1500 * time.Microsecond: time.Millisecond, 24 * 365 * 30 * time.Hour: 24 * 365 * 30 * time.Hour,
		24 * 365 * 100 * time.Hour: (1<<40 - 1) * time.Millisecond,
	} {
		table, m := table{zero: zero}, member{}
		table.setSince(&m, zero.Add(d))
		if got := table.since(&m).Sub(zero); got != want {
			t.Errorf("%v became %v, want %v", d, got, want)
		}
	}
}
