package sim

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

// The scenarios of Rapid (Suresh et al. 2018, section 7): whatever some machines
// suffer, nobody else dies of it. What becomes of them is printed.
func TestRapid(t *testing.T) {
	for _, c := range []struct {
		file, small string // of 100 machines, those that are touched instead of the ten of 1000
		until       time.Duration
	}{
		{"crash", "n51..n60", time.Minute},
		{"loss-in", "n51", 150 * time.Second},
		{"loss-out", "n51", 150 * time.Second},
		{"flip", "n51", 150 * time.Second},
	} {
		t.Run(c.file, func(t *testing.T) {
			text, err := os.ReadFile("testdata/rapid/" + c.file)
			if err != nil {
				t.Fatal(err)
			}
			config := DefaultConfig()
			config.Nodes, config.For = 100, c.until
			script := strings.ReplaceAll(string(text), "n501..n510", c.small)
			if os.Getenv(largeVariable) != "" {
				config.Nodes, script = 1000, string(text)
			}
			if config.Scenario, err = ParseScenario(c.file, script, config.Nodes, 0); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			r, err := Run(config, &out)
			t.Logf("%s\n%s", script, out.String())
			switch {
			case err != nil:
				t.Error(err)
			case r.Toll.Others > 0:
				t.Errorf("%d of those who suffered nothing died", r.Toll.Others)
			case c.file == "crash" && (r.Toll.Out != r.Toll.Touched || r.Toll.Rosters < 2 || r.Toll.AllOut == 0 || r.Toll.AllOut > 10):
				t.Errorf("the dead are not found: %+v", r.Toll)
			}
		})
	}
}
