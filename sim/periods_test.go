package sim

import (
	"fmt"
	"testing"
	"time"

	"hearsay/internal/core"
)

// Nodes that are well neither ask others to list them nor say that nobody reaches them, however seldom they are probed.
func TestWellNodesDoNotAskToBeListed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		nodes, seeds int
		period       time.Duration
	}{{16, 0, time.Second}, {16, 0, 3 * time.Second}, {16, 0, 10 * time.Second}, {12, 3, 5 * time.Second}} {
		t.Run(fmt.Sprintf("%d seeds, a probe each %v", c.seeds, c.period), func(t *testing.T) {
			w := newScenario(t, c.nodes, "", func(config *Config) { config.Seeds, config.Detect.Period = c.seeds, c.period })
			asks, unreached := 0, 0
			for i := range w.machines {
				w.bend(i+1, &twist{steps: func(_ *World, m *machine, e *core.Effects) {
					for i := range e.Send {
						p := &e.Send[i]
						if _, is := p.Body.(*core.Ping); is && p.Stream && len(p.Claims) > 0 && p.Claims[0].Subject == m.id {
							asks++
						}
					}
				}})
			}
			for w.now < 5*time.Minute {
				w.RunUntil(w.now + time.Second)
				for i := range w.machines {
					if n := w.machines[i].node; n != nil && n.Stats().Unreached > 0 {
						unreached++
					}
				}
			}
			if asks > 0 || unreached > 0 {
				t.Errorf("%d asks to be listed, and for %d s a node said that nobody reaches it", asks, unreached)
			}
		})
	}
}
