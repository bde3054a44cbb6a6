package sim

import (
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/casefile"
)

// While a network is founded, and after a node has been started again, what is not heard yet is no trouble; that most
// seeds are gone is one soon.
func TestFirstSecondsAreNoTrouble(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		w := newScenario(t, 6, `at 20s kill n2
at 20300ms restart n2
at 30s kill s1
at 30300ms restart s1
at 35s kill s2
at 35300ms restart s2
at 40s kill s3
at 40300ms restart s3
at 45s kill s1 s2 s3
at 46s restart s1 s2 s3
at 70s kill s1 s2`, func(c *Config) { c.Seeds, c.Seed = 3, seed+1 })
		const just = "just a quorum of seeds is left" // so it is while one that was killed is suspect
		troubles := func() (all string) {
			for i := range w.machines {
				if m := &w.machines[i]; m.condition == conditionRunning {
					authority, stats := m.node.Seeded().Authority(), m.node.Stats()
					for _, text := range hearsay.Troubles(&authority, &stats) {
						if w.now < 30*time.Second || !strings.HasPrefix(text, just) {
							all += m.name + ": " + text + "\n"
						}
					}
				}
			}
			return all
		}
		for w.now < 70*time.Second {
			w.RunUntil(w.now + 100*time.Millisecond)
			told := troubles()
			waits := w.now < 10*time.Second || w.now > 45*time.Second && w.now < 52*time.Second // for seeds that start later
			if told != "" && !waits || strings.Contains(told, just) {
				t.Fatalf("seed %d, at %v: %s", seed+1, w.now, told)
			}
		}
		w.RunUntil(80 * time.Second)
		if told := troubles(); strings.Count(told, "no quorum of seeds is heard (2 of 3)") != 7 {
			t.Errorf("seed %d, ten seconds after two of three seeds were killed: %s", seed+1, told)
		}
	}
}

// A peer that was removed while it was paused says that, until it is in again.
func TestRemovedPeerSaysSo(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 6, "at 20s pause n3\nat 35s resume n3", withSeeds(3))
	w.RunUntil(35 * time.Second)
	m, told := &w.machines[2], false
	for w.now < 45*time.Second {
		w.RunUntil(w.now + 5*time.Millisecond)
		authority := m.node.Seeded().Authority()
		casefile.AddAnswers(&authority, m.node.Seeded().Answers())
		why := authority.Why
		if told = told || strings.HasPrefix(why, "it was removed, as of epoch 7, and asks to be let in anew; "); m.node.Joined() && strings.Contains(why, "removed") {
			t.Fatalf("it is in, and says %q", why)
		}
	}
	if !told || !m.node.Joined() {
		t.Errorf("told: %t; in: %t", told, m.node.Joined())
	}
}
