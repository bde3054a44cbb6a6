package sim

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

// rapidScenarios are those of Rapid (Suresh et al. 2018, section 7).
var rapidScenarios = []string{"crash", "loss-in", "loss-out", "flip"}

// runRapid runs one of them: as it is, if there is time for a thousand machines,
// or with a few. It gives what they came to; whatever some machines suffer,
// nobody else is to die of it.
func runRapid(t *testing.T, file string, seeds, few int) Result {
	t.Helper()
	text, err := os.ReadFile("testdata/rapid/" + file)
	if err != nil {
		t.Fatal(err)
	}
	config, script := DefaultConfig(), string(text)
	config.Nodes, config.Seeds, config.For = large(few, 1000), seeds, 150*time.Second
	touched := "n31"
	if file == "crash" {
		touched, config.For = "n31..n34", time.Minute
	}
	if config.Nodes < 1000 {
		script = strings.ReplaceAll(script, "n501..n510", touched)
	}
	if err := ParseWorld(file, script, &config); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	r, err := Run(config, &out)
	t.Logf("%s\n%s", script, out.String())
	switch {
	case err != nil:
		t.Error(err)
	case r.Impact.Others > 0:
		t.Errorf("%d of those who suffered nothing died", r.Impact.Others)
	}
	return r
}

// What becomes of those who suffer is printed; who has crashed is found.
func TestRapid(t *testing.T) {
	t.Parallel()
	for _, file := range rapidScenarios {
		t.Run(file, func(t *testing.T) {
			r := runRapid(t, file, 0, 100)
			if file == "crash" && (r.Impact.Out != r.Impact.Touched || r.Impact.Rosters < 2 || r.Impact.AllOut == 0 || r.Impact.AllOut > 10) {
				t.Errorf("the dead are not found: %+v", r.Impact)
			}
		})
	}
}
