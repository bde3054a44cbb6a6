package sim

import (
	"os"
	"runtime"
	"testing"
	"time"
)

// What a simulated node takes, by itself and for each member that it knows: so
// that 10,000 of them that hold each other fit into 4 GB. The sum of both is
// measured at two sizes, ten seconds after the start.
func TestMemoryOfNodes(t *testing.T) {
	const (
		memberMost = 36.0     // bytes; measured: 32, of which 12 in the roster, 12 in lists, 4 in the checker and the rest room to grow
		nodeMost   = 96 << 10 // bytes; measured: 70 kB, most of which is its disk
	)
	if os.Getenv(largeVariable) == "" {
		t.Skipf("takes a minute; set %s", largeVariable)
	}
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	measure := func(nodes int) (perNode, known float64) {
		before := heap()
		config := DefaultConfig()
		config.Nodes, config.For = nodes, 10*time.Second
		w := NewWorld(config, nil)
		w.Follow(Draw(config))
		w.RunUntil(config.For)
		perNode = (heap() - before) / float64(nodes)
		for i := range w.machines {
			if n := w.machines[i].node; n != nil {
				known += float64(n.Stats().Alive) / float64(nodes)
			}
		}
		return perNode, known
	}
	few, knownOfFew := measure(1000)
	many, knownOfMany := measure(2000)
	member := (many - few) / (knownOfMany - knownOfFew)
	node := few - member*knownOfFew
	t.Logf("1000 nodes: %.0f bytes each, and %.0f known; 2000: %.0f, and %.0f; so %.1f a member, and %.0f besides",
		few, knownOfFew, many, knownOfMany, member, node)
	if member > memberMost || node > nodeMost {
		t.Errorf("want at most %.0f a member, and %d besides", memberMost, nodeMost)
	}
}
