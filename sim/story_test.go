package sim

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// The stories are small networks told event by event. After a change on
// purpose rewrite them with `go test ./sim -run Stories -rewrite`, and read
// them: each must still make sense to a person.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			config, from := DefaultConfig(), time.Duration(0)
			config.Nodes = 3
			for _, arg := range d.CmdArgs {
				var err error
				switch value := arg.Vals[0]; arg.Key {
				case "nodes":
					config.Nodes, err = strconv.Atoi(value)
				case "seed":
					config.Seed, err = strconv.ParseUint(value, 10, 64)
				case "for":
					config.For, err = time.ParseDuration(value)
				case "from":
					from, err = time.ParseDuration(value)
				default:
					err = errors.New("no such argument")
				}
				if err != nil {
					d.Fatalf(t, "%s: %v", arg.Key, err)
				}
			}
			return storyOf(t, config, path, d.Input, from)
		})
	})
}

// storyOf runs a scenario and gives its story from a time on, and at the end
// who agrees.
func storyOf(t *testing.T, config Config, path, script string, from time.Duration) string {
	scenario, err := ParseScenario(path, script, config.Nodes)
	if err != nil {
		t.Fatal(err)
	}
	var story strings.Builder
	w := NewWorld(config, &story)
	w.Follow(scenario)
	w.RunUntil(from)
	story.Reset() // what came before is another story
	w.RunUntil(config.For)
	r := w.Result()
	for i := range r.Violations {
		t.Error(&r.Violations[i])
	}
	fmt.Fprintf(&story, "%s  %d of %d agree\n", seconds(w.now), r.Converged, r.Running)
	return story.String()
}
