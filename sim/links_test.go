package sim

import (
	"testing"
	"time"

	"hearsay/overlay"
	"hearsay/rumor"
)

// Of a link that is drawn one end alone may know, where packets get lost and
// members are held dead who live. Without the tree of rumors nobody says anything
// over a quiet link; still it is found soon. (At first some lasted for 158 s.)
func TestLinksKnownAtOneEndAreFound(t *testing.T) {
	t.Parallel()
	const limit = 30 * time.Second
	for _, kind := range []overlay.Kind{overlay.KindRandom, overlay.KindPowerLaw} {
		w := newScenario(t, 24, "at 20s partition n1..n12 | n13..n24\nat 21s heal\nat 60s partition n1..n12 | n13..n24\nat 90s heal\nat 2m loss 0.1", func(c *Config) {
			c.Overlay.Kind, c.Rumors.Strategy, c.Loss = kind, rumor.Flood, 0.3
		})
		since := make(map[way]time.Duration) // links known at the first end alone
		for w.now < 4*time.Minute {
			w.RunUntil(w.now + time.Second)
			for i := range w.machines {
				for to := range w.machines {
					link := way{int32(i), int32(to)}
					a, b := &w.machines[i], &w.machines[to]
					if !w.convergence.isLinked(a, b) || w.convergence.isLinked(b, a) {
						delete(since, link)
					} else if began, is := since[link]; !is {
						since[link] = w.now
					} else if w.now-began > limit {
						t.Fatalf("%s: for %v %s is linked with %s, which is not linked with it", kind, w.now-began, a.name, b.name)
					}
				}
			}
		}
	}
}
