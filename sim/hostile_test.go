package sim

import (
	"testing"
	"time"

	"hearsay"
)

// Whatever a third of the members say, no member that is well is removed, and who is
// dead is, soon after they have ceased to cover it.
func TestHostileMembersRemoveNobody(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 9, "at 40s kill n9", func(c *Config) { c.Seeds, c.Hostile, c.NoFalseDeath = 3, 3, true })
	w.RunUntil(stormEnds)
	if w.counts.Lies < 100 || w.counts.Suspicions == 0 {
		t.Fatalf("%d lies, %d suspicions", w.counts.Lies, w.counts.Suspicions)
	}
	w.convergesWithin(t, time.Minute)
	if n := w.ruled(hearsay.RulingRemove); n != 1 {
		t.Fatalf("%d were removed, and one has died", n)
	}
}
