package sim

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// plantSeeds is within how many worlds each planted bug is found, and plantsNear within how many after the first that
// is looked at, where the search begins later.
const plantSeeds, plantsNear = 60, 10

// plantsLate are those that the first worlds do not show: the search begins close to the first
// that does. `make plants` searches from the first world.
var plantsLate = map[string]uint64{
	"hasty-watch": 17, "hasty-again": 12, "lax-after-forks": 53, "early-promises": 19, "quiet-forks": 53, "unheard": 4, "shuts-out": 12, "uncapped": 12, "unlike-twins": 11, "quiet-when-cut": 11, "garbled-twins": 11, "seldom-probes": 8,
}

// The page that lists them says which there are and which rule each breaks.
func TestPlantsAreListed(t *testing.T) {
	page, err := os.ReadFile("../docs/simulator.md")
	if err != nil {
		t.Fatal(err)
	}
	for i := range Plants {
		p := &Plants[i]
		row := fmt.Sprintf("\n| `%s` | %s | %s | ", p.Name, p.What, p.Rule)
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/simulator.md has no row%s", row)
		}
	}
}

// Each planted bug is found within few worlds, and the rule that it breaks is
// the first that bites; in the same worlds without it nothing does, see
// TestStorms.
func TestPlantsAreFound(t *testing.T) {
	found := make(map[Rule]bool)
	for i := range Plants {
		plant := &Plants[i]
		t.Run(plant.Name, func(t *testing.T) {
			late := plantsLate[plant.Name]
			for seed := late; seed < max(plantSeeds, late+plantsNear); seed++ {
				config, err := Drawn{Plant: plant.Name}.World(seed)
				if err != nil {
					t.Fatal(err)
				}
				o := RunWorld(config, io.Discard, io.Discard)
				if o.Failure == FailedNot {
					continue
				}
				if o.Rule != plant.Rule.String() {
					t.Fatalf("seed %d: broke rule %q first, want %s: %s", seed, o.Rule, plant.Rule, o.Text)
				}
				found[plant.Rule] = true
				t.Logf("seed %d: %s", seed, o.Text)
				if os.Getenv(largeVariable) == "" {
					return
				}
				less := Shorten(config, &o)
				t.Logf("shortened:\n%s", less.Text())
				if again := RunWorld(less, io.Discard, io.Discard); !again.fails(&o) {
					t.Fatalf("what is left comes to %q %s", again.Failure, again.Text)
				}
				return
			}
			t.Fatalf("not found up to world %d", max(plantSeeds, late+plantsNear))
		})
	}
	for rule := RuleIncarnation; rule <= RuleProgress; rule++ {
		if !found[rule] {
			t.Errorf("no planted bug breaks rule %s", rule)
		}
	}
}

// What only worlds with a core find, those do not in which all is mended: that is
// what they are for.
func TestCorePlantsNeedCores(t *testing.T) {
	for i := range Plants {
		if plant := &Plants[i]; plant.core {
			t.Run(plant.Name, func(t *testing.T) {
				for seed := range uint64(large(4, plantSeeds)) {
					config := drawWorld(seed, plant.seeds)
					config.Plant = plant.Name
					o := RunWorld(config, io.Discard, io.Discard)
					if o.Failure != FailedNot && o.Rule != RulePromise.String() { // what comes late was promised sooner
						t.Fatalf("seed %d: %s", seed, o.Text)
					}
				}
			})
		}
	}
}
