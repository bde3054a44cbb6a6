package sim

import (
	"os"
	"runtime"
	"testing"
	"time"
)

// What a simulated node takes, by itself and for each member that it knows: so
// that 10,000 of them that hold each other fit into 4 GB. It is measured ten seconds
// after the start.
func TestMemoryOfNodes(t *testing.T) {
	const (
		nodes = 1000
		// bytes; measured: 34, of which 12 in the roster, 12 in lists, 4 in the checker and the rest room to
		// grow
		memberMost = 36.0
		nodeMost   = 80 << 10 // bytes; measured: 75 kB, most of which is its disk
	)
	if os.Getenv(largeVariable) == "" {
		t.Skipf("takes half a minute; set %s", largeVariable)
	}
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	before := heap()
	config := DefaultConfig()
	config.Nodes, config.For = nodes, 10*time.Second
	w := NewWorld(config, nil)
	w.Follow(Draw(config))
	w.RunUntil(config.For)
	node, known := (heap()-before)/nodes, 0.0
	for i := range w.machines {
		if n := w.machines[i].node; n != nil {
			known += float64(n.Stats().Alive) / nodes
		}
	}
	t.Logf("%.0f bytes each, and %.0f known", node, known)
	if most := nodeMost + memberMost*known; node > most {
		t.Errorf("want at most %.0f: %d, and %.0f a member", most, nodeMost, memberMost)
	}
}
