package roster

import (
	"testing"

	"pgregory.net/rapid"

	"hearsay"
)

// A table is a map.
func TestTableIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := table{secret: rapid.Uint64().Draw(t, "secret") | 1}
		plain := map[hearsay.NodeID]*member{}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			var id hearsay.NodeID // few, and close together: they collide
			id[8] = rapid.ByteRange(0, 40).Draw(t, "id")
			id[0] = rapid.ByteRange(0, 3).Draw(t, "twin")
			switch known := plain[id]; {
			case rapid.Bool().Draw(t, "remove"):
				table.remove(id)
				delete(plain, id)
			case known == nil:
				m := &member{id: id}
				table.put(m)
				plain[id] = m
			}
			for twin := range byte(4) {
				for at := range byte(41) {
					id := hearsay.NodeID{0: twin, 8: at}
					if table.get(id) != plain[id] {
						t.Fatalf("%v: %v, want %v", id, table.get(id), plain[id])
					}
				}
			}
			if table.count != len(plain) {
				t.Fatalf("%d members, want %d", table.count, len(plain))
			}
		}
	})
}
