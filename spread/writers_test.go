package spread

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/kv"
)

// One member writes in the name of ever more of its lives until there is no room for other writers. That is told, once,
// and that it is over, once there is room and nobody is refused any more.
func TestRefusedWritersAreTold(t *testing.T) {
	w := newWorld(t, 3)
	w.cfg.Origins, w.cfg.Forget = 3, time.Minute
	for i := range w.nodes {
		w.start(i)
	}
	var gone []clock.Dot
	origin := clock.Origin{}
	invent := func(lives int) {
		for range lives {
			origin = kv.NewOrigin(nodeID(1), origin, [4]byte{9})
			liar, _ := kv.New(kv.DefaultConfig(origin), kv.Saved{Clock: &clock.Context{}})
			update, _, err := liar.Put(w.now, kv.Write{Key: "k", Value: []byte{1}})
			if err != nil {
				t.Fatal(err)
			}
			update.Gone = gone // each replaces what the last one wrote, so that no value of a life before stays
			gone = []clock.Dot{{Origin: origin, Counter: update.Objects[0].Dot.Counter}}
			for _, to := range []int{0, 2} {
				m := w.nodes[to]
				m.Update(w.now, &core.Packet{From: nodeID(1), Addr: nodeAddr(1), Stream: true, Size: update.Size(), Body: update}, update)
				w.carryOut(m)
			}
			w.run(100 * time.Millisecond)
		}
	}
	told := func(want ...hearsay.EventKind) {
		t.Helper()
		if m := w.nodes[0]; !slices.Equal(m.events, want) || m.RefusesWriters().IsZero() == (len(want)%2 == 1) {
			t.Errorf("told %v, and it refuses writers since %v; want %v", m.events, m.RefusesWriters(), want)
		}
	}
	invent(3)
	told()
	if err := w.nodes[0].Put(w.now, kv.Write{Key: "own", Value: []byte{2}}); !errors.Is(err, hearsay.ErrWriters) {
		t.Fatalf("a fourth writer: %v", err)
	}
	w.carryOut(w.nodes[0])
	told(hearsay.EventWritersFull)
	if len(w.nodes[2].events) > 0 {
		t.Errorf("one that has refused nobody tells %v", w.nodes[2].events)
	}
	invent(1)
	if fmt.Sprint(w.nodes[2].events) != fmt.Sprint([]hearsay.EventKind{hearsay.EventWritersFull}) {
		t.Errorf("one that refuses what others wrote tells %v", w.nodes[2].events)
	}
	told(hearsay.EventWritersFull)
	w.run(5 * time.Minute)
	told(hearsay.EventWritersFull, hearsay.EventWritersRoom)
	w.put(0, kv.Write{Key: "own", Value: []byte{2}})
	told(hearsay.EventWritersFull, hearsay.EventWritersRoom)
}
