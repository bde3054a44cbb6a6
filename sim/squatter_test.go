package sim

import (
	"fmt"
	"testing"
	"time"
)

// Another process has listened at the address of a seed that did not run, and holds the streams that all have dialled
// to it: once the seed listens there it is heard within seconds, with its disk and without.
func TestSeedIsHeardWhereAnotherHoldsStreams(t *testing.T) {
	t.Parallel()
	const within = 10 * time.Second
	for _, disk := range []string{"", " fresh"} {
		t.Run("restart"+disk, func(t *testing.T) {
			for seed := range uint64(6) {
				w := newScenario(t, 6, "at 20s kill s2\nat 50s restart s2"+disk, func(c *Config) { c.Seeds, c.Seed = 3, seed+1 })
				w.RunUntil(49 * time.Second)
				s2 := &w.machines[7]
				w.network.held = make(map[way]time.Duration)
				for i := range w.machines {
					w.network.held[way{int32(i), s2.index}] = w.now
				}
				w.RunUntil(50 * time.Second)
				w.runsUntil(t, within, fmt.Sprintf("seed %d: s2 is heard by all", seed), func() bool {
					if !s2.node.Seeded().Authority().Ready {
						return false
					}
					for i := range w.machines {
						a := w.machines[i].node.Seeded().Authority()
						if s := &a.Seeds[1]; s.Note != "" || s.ID != s2.id || a.Why != "" {
							return false
						}
					}
					return true
				})
			}
		})
	}
}
