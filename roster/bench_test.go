package roster

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"
	"unique"

	"hearsay"
)

// What a roster keeps of a member, in three ways: the tables, a map of its own to each roster, and a map to words that
// are kept once for the whole process by package unique. One roster is an agent, many are a simulation.
// They give the bytes a member and roster, and the time to find the address of one.
func BenchmarkMembers(b *testing.B) {
	for _, size := range []struct{ rosters, members int }{{1, 1000}, {100, 1000}, {1, 10_000}} {
		for _, way := range []struct {
			name string
			fill func(rosters int, cards []signedCard) finder
		}{{"tables", inTables}, {"maps", inMaps}, {"unique", inUnique}} {
			b.Run(fmt.Sprintf("%s/%dx%d", way.name, size.rosters, size.members), func(b *testing.B) {
				cards := signedCards(size.members)
				before := inUse()
				find := way.fill(size.rosters, cards)
				held := inUse() - before
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					c := &cards[i%len(cards)]
					if at := find(i%size.rosters, c.id); at != c.Addr {
						b.Fatalf("%s is at %v, and found at %v", c.Name, c.Addr, at)
					}
					i++
				}
				b.ReportMetric(float64(held)/float64(size.rosters*size.members), "B/member")
				runtime.KeepAlive(find)
			})
		}
	}
}

// finder gives the address that a roster has of a member.
type finder func(roster int, id hearsay.NodeID) netip.AddrPort

// signedCard is a member's word about itself.
type signedCard struct {
	hearsay.Card
	id          hearsay.NodeID
	incarnation hearsay.Incarnation
}

func signedCards(n int) []signedCard {
	cards := make([]signedCard, n)
	for i := range cards {
		c := &cards[i]
		binary.BigEndian.PutUint64(c.id[8:], uint64(i)*0x9e3779b97f4a7c15) // golden ratio: spreads them
		copy(c.Key[:], c.id[:])
		c.Name, c.incarnation = fmt.Sprintf("node-%05d", i), hearsay.Incarnation(i)
		c.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 7946)
	}
	return cards
}

// inUse gives the bytes on the heap that are in use.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first has found is freed
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func inTables(rosters int, cards []signedCard) finder {
	shared := NewCards(1)
	tables := make([]table, rosters)
	for i := range tables {
		tables[i] = table{cards: shared}
		for at := range cards {
			tables[i].put(cards[at].id, cards[at].incarnation, &cards[at].Card)
		}
	}
	return func(roster int, id hearsay.NodeID) netip.AddrPort {
		return tables[roster].addr(tables[roster].get(id))
	}
}

// plainMember is a member as one would write it first.
type plainMember struct {
	card        hearsay.Card
	incarnation hearsay.Incarnation
	since       time.Time
	told        int
	state       hearsay.State
}

// start is since when all are members.
var start = time.Unix(1000, 0)

func inMaps(rosters int, cards []signedCard) finder {
	maps := make([]map[hearsay.NodeID]*plainMember, rosters)
	names := make([]map[string]hearsay.NodeID, rosters)
	for i := range maps {
		maps[i], names[i] = make(map[hearsay.NodeID]*plainMember), make(map[string]hearsay.NodeID)
		for at := range cards {
			c := &cards[at]
			maps[i][c.id], names[i][c.Name] = &plainMember{card: c.Card, incarnation: c.incarnation, since: start, told: -1, state: hearsay.StateAlive}, c.id
		}
	}
	return func(roster int, id hearsay.NodeID) netip.AddrPort {
		runtime.KeepAlive(names)
		return maps[roster][id].card.Addr
	}
}

// internedMember is a member whose word is kept once for the process.
type internedMember struct {
	word  unique.Handle[internedWord]
	since int64
	told  int16
	state hearsay.State
}

type internedWord struct {
	card        hearsay.Card
	incarnation hearsay.Incarnation
}

func inUnique(rosters int, cards []signedCard) finder {
	maps := make([]map[hearsay.NodeID]internedMember, rosters)
	names := make([]map[unique.Handle[string]]hearsay.NodeID, rosters)
	for i := range maps {
		maps[i], names[i] = make(map[hearsay.NodeID]internedMember), make(map[unique.Handle[string]]hearsay.NodeID)
		for at := range cards {
			c := &cards[at]
			maps[i][c.id] = internedMember{word: unique.Make(internedWord{c.Card, c.incarnation}), since: start.UnixNano(), told: -1, state: hearsay.StateAlive}
			names[i][unique.Make(c.Name)] = c.id
		}
	}
	return func(roster int, id hearsay.NodeID) netip.AddrPort {
		runtime.KeepAlive(names)
		return maps[roster][id].word.Value().card.Addr
	}
}
