// Package plants has the simulator find the bugs that are planted in it, by what the command line uses of package sim.
package plants

import (
	"io"
	"os"
	"runtime/debug"
	"slices"
	"testing"

	"hearsay/sim"
)

// large has each world that is found made shorter, too.
var large = os.Getenv("HEARSAY_LARGE") != ""

// Small worlds leave much garbage and little that lives, as in package sim.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// plantSeeds is within how many worlds each planted bug is found, and plantsNear within how many after the first that
// is looked at, where the search begins later.
const plantSeeds, plantsNear = 60, 10

// plantsLate are those that the first worlds do not show: the search begins close to the first
// that does. `make plants` searches from the first world.
var plantsLate = map[string]uint64{
	"hasty-watch": 17, "hasty-again": 30, "lax-after-forks": 53, "early-promises": 19, "quiet-forks": 53, "unheard": 4, "shuts-out": 12, "uncapped": 12, "unlike-twins": 11, "quiet-when-cut": 11, "garbled-twins": 11, "seldom-probes": 8,
}

// Each planted bug is found within few worlds, and the rule that it breaks is
// the first that bites; in the same worlds without it nothing does, see
// TestStorms of package sim.
func TestPlantsAreFound(t *testing.T) {
	for i := range sim.Plants {
		t.Run(sim.Plants[i].Name, func(t *testing.T) {
			t.Parallel()
			wantFound(t, &sim.Plants[i])
		})
	}
	for rule := sim.RuleIncarnation; rule <= sim.RuleProgress; rule++ {
		if !slices.ContainsFunc(sim.Plants, func(p sim.Plant) bool { return p.Rule == rule }) {
			t.Errorf("no planted bug breaks rule %s", rule)
		}
	}
}

// wantFound searches the worlds for a planted bug, and wants its rule broken first.
func wantFound(t *testing.T, plant *sim.Plant) {
	late := plantsLate[plant.Name]
	for seed := late; seed < max(plantSeeds, late+plantsNear); seed++ {
		config, err := sim.Drawn{Plant: plant.Name}.World(seed)
		if err != nil {
			t.Fatal(err)
		}
		o := sim.RunWorld(config, io.Discard, io.Discard)
		if o.Failure == sim.FailedNot {
			continue
		}
		if o.Rule != plant.Rule.String() {
			t.Fatalf("seed %d: broke rule %q first, want %s: %s", seed, o.Rule, plant.Rule, o.Text)
		}
		t.Logf("seed %d: %s", seed, o.Text)
		if !large {
			return
		}
		less := sim.Shorten(config, &o)
		t.Logf("shortened:\n%s", less.Text())
		if again := sim.RunWorld(less, io.Discard, io.Discard); again.Failure != o.Failure || again.Rule != o.Rule || again.Unmet != o.Unmet {
			t.Fatalf("what is left comes to %q %s", again.Failure, again.Text)
		}
		return
	}
	t.Fatalf("not found up to world %d", max(plantSeeds, late+plantsNear))
}
