package spread

import (
	"fmt"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/kv"
)

const sharedKeys, sharedBytes = 12_000, 12_000 * (100 + 9)

// joins has a node that holds nothing come to three that hold all, each a neighbor of each: all compare at once.
func joins(t *testing.T, change func(w *world)) (w *world, took time.Duration, bytes int) {
	t.Helper()
	w = filled(t, 4, sharedKeys)
	w.links = 4
	if change != nil {
		change(w)
	}
	bytes = w.bytes
	for i, m := range w.nodes {
		m.sent = 0
		m.Linked(nodeID(3))
		w.nodes[3].Linked(nodeID(i))
	}
	took = w.must(20*time.Second, "it has all", w.agree)
	return w, took, w.bytes - bytes
}

// One that lacks much gets it from three neighbors, from each a third, and nothing twice.
func TestLackingIsSharedOut(t *testing.T) {
	w, took, bytes := joins(t, nil)
	t.Logf("after %v, %d bytes for %d", took, bytes, sharedBytes)
	if most := sharedBytes * 13 / 10; bytes > most {
		t.Errorf("%d bytes for %d", bytes, sharedBytes)
	}
	for i, m := range w.nodes[:3] {
		if m.sent < sharedBytes/4 || m.sent > sharedBytes/2 {
			t.Errorf("node %d sent %d of %d bytes", i, m.sent, bytes)
		}
	}
	if took > 500*time.Millisecond { // from one it takes 1.1 s
		t.Errorf("it took %v", took)
	}
}

// What one does not give, as it dies, is busy with a third or says nothing, comes from another, and little twice.
func TestShareIsNotGiven(t *testing.T) {
	for what, change := range map[string]func(w *world){
		"dies": func(w *world) {
			w.streams = func(from, _ int, _ core.Message) (int, time.Duration) {
				if m := w.nodes[1]; from == 1 && m.sent > sharedBytes/10 {
					m.down = true
				}
				return 1, 0
			}
		},
		"is busy": func(w *world) { w.nodes[1].from, w.nodes[1].until = nodeID(2), w.now.Add(300*time.Millisecond) },
		"says nothing": func(w *world) {
			w.streams = func(from, to int, _ core.Message) (int, time.Duration) {
				if from == 1 {
					return 0, 0
				}
				return 1, 0
			}
		},
	} {
		_, took, bytes := joins(t, change)
		t.Logf("%s: after %v, %d bytes for %d", what, took, bytes, sharedBytes)
		if most := sharedBytes * 13 / 10; bytes > most {
			t.Errorf("%s: %d bytes for %d", what, bytes, sharedBytes)
		}
		if took > 4*time.Second {
			t.Errorf("%s: it took %v", what, took)
		}
	}
}

// Long values are fetched after what is short; and what the joiner held and is deleted goes, too.
func TestSharesAndLongValues(t *testing.T) {
	w, took, bytes := joins(t, func(w *world) {
		w.nodes[3].down = true
		for n := range 4 {
			w.put(n%3, kv.Write{Key: fmt.Sprint("key ", 100*n), Delete: true})
			w.put(n%3, kv.Write{Key: fmt.Sprint("large ", n), Value: make([]byte, hearsay.MaxValue)})
			w.run(time.Second)
		}
		w.must(10*time.Second, "the others agree", w.agree)
		w.start(3)
	})
	t.Logf("after %v, %d bytes", took, bytes)
	if most := (sharedBytes + 4*hearsay.MaxValue) * 13 / 10; bytes > most {
		t.Errorf("%d bytes for %d", bytes, sharedBytes+4*hearsay.MaxValue)
	}
	if values, _ := w.nodes[3].replica.Len(); values != sharedKeys {
		t.Errorf("%d values", values)
	}
}

// Of what is cut up into many ranges as many are asked for as a message has, and the rest after them.
func TestManyRangesAreSharedOut(t *testing.T) {
	w := filled(t, 4, sharedKeys)
	w.links = 4
	var seen []clock.Range // all but every tenth number
	for number := uint64(1); number < sharedKeys/3; number += 10 {
		seen = append(seen, clock.Range{Low: number, High: number + 8})
	}
	asked := &core.Sync{Asks: true, Clock: w.nodes[0].replica.Ask().Clock}
	for i := range asked.Clock {
		asked.Clock[i].Seen = seen
	}
	m := w.nodes[3]
	w.now = w.now.Add(time.Second)
	m.Sync(w.now, &core.Packet{From: nodeID(0), Addr: nodeAddr(0), Stream: true}, asked)
	if len(m.out.Send) != sharesMost {
		t.Fatalf("%d are asked", len(m.out.Send))
	}
	for _, p := range m.out.Send {
		if n := len(p.Body.(*core.Sync).Of); n != core.MaxOf {
			t.Errorf("%d ranges are asked of one", n)
		}
	}
}

// Shares are equally large, and all of what is divided.
func TestDivided(t *testing.T) {
	var ranges []core.SeenRange
	for n := range uint64(10) {
		r := core.SeenRange{Origin: clock.Origin{byte(n + 1)}}
		r.Low, r.High = 5, 5+n*n*n
		ranges = append(ranges, r)
	}
	for parts := 1; parts <= 3; parts++ {
		shares, all := divided(ranges, parts), uint64(0)
		for i, share := range shares {
			n := counted(share)
			if all += n; n > counted(ranges)/uint64(parts)+1 || i < parts-1 && n < counted(ranges)/uint64(parts) || !core.RangesAscend(share) {
				t.Errorf("share %d of %d has %d of %d", i, parts, n, counted(ranges))
			}
		}
		if all != counted(ranges) {
			t.Errorf("%d of %d are shared out", all, counted(ranges))
		}
	}
}
