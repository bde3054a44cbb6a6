package sim

import (
	"testing"
	"time"
)

// A peer whose clock was days ahead has an incarnation of then, and keeps it when the clock is right again. All list
// it, in open networks and in seeded ones, whichever of its lives they met first.
func TestClockOfAPeerWasDaysAhead(t *testing.T) {
	for name, seeds := range map[string]int{"open": 0, "seeded": 3} {
		t.Run(name, func(t *testing.T) {
			w := newScenario(t, 5, "at 10s jump 72h n3\nat 10s kill n3\nat 11s restart n3\n"+
				"at 30s jump -72h n3\nat 30s kill n3\nat 31s restart n3\nat 50s start n5", withSeeds(seeds))
			for _, at := range []time.Duration{11, 31, 50} {
				w.RunUntil(at * time.Second)
				w.convergesWithin(t, 10*time.Second)
			}
		})
	}
}

// One of three seeds is days ahead or behind from its first start. It lists those that the others do, lets in and
// removes with one of them alone, and no seed loses anything when its clock is put right.
func TestClockOfASeedIsDaysOff(t *testing.T) {
	for name, by := range map[string]struct{ off, back string }{"ahead": {"72h", "-72h"}, "behind": {"-72h", "72h"}} {
		t.Run(name, func(t *testing.T) {
			w := newScenario(t, 6, "at 0s jump "+by.off+" s2\nat 1s start s2\nat 20s kill s3\nat 21s start n6\nat 40s kill n5\n"+
				"at 60s jump "+by.back+" s2\nat 60s restart s3\nat 60s kill s2\nat 61s restart s2\nat 62s restart n5", withSeeds(3))
			w.RunUntil(19 * time.Second)
			w.convergesWithin(t, 0)
			if shown := w.timeOf(&w.machines[7]).Sub(epoch) - w.now; shown.Abs() < 71*time.Hour {
				t.Fatalf("the clock of %s is off by %v", w.machines[7].name, shown)
			}
			for _, at := range []time.Duration{21, 40, 62} {
				w.RunUntil(at * time.Second)
				w.convergesWithin(t, 15*time.Second)
			}
		})
	}
}
