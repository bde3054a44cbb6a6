package sim

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

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

// What only worlds with a core find, those do not in which all is mended: that is
// what they are for.
func TestCorePlantsNeedCores(t *testing.T) {
	t.Parallel()
	for i := range Plants {
		if plant := &Plants[i]; plant.core {
			t.Run(plant.Name, func(t *testing.T) {
				for seed := range uint64(large(4, 60)) {
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
