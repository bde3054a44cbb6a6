package sim

import (
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/casefile"
	"hearsay/internal/core"
)

// bar has a seed asked, as an operator does, that a machine's node is admitted no
// more; or that it may be again.
func (w *World) bar(t *testing.T, number int, lift bool) {
	t.Helper()
	seed := &w.machines[w.config.Nodes]
	name := w.machines[number-1].id.String()
	w.advance(seed, func(now time.Time) (effects *core.Effects) {
		var err error
		if lift {
			_, effects, err = seed.node.Lift(now, name)
		} else {
			_, effects, err = seed.node.Bar(now, name, "too loud")
		}
		if err != nil {
			t.Fatal(err)
		}
		return effects
	})
}

// Who was removed and is barred, and runs again with what it knew of others, is
// told no rumors and can tell none; but once it is let in all hear what it said.
func TestBarredHearsAndTellsNothing(t *testing.T) {
	t.Parallel()
	for _, overlay := range []string{"ring", "random"} {
		for _, strategy := range []string{"tree", "monger", "flood"} {
			t.Run(overlay+", "+strategy, func(t *testing.T) {
				w := newScenario(t, 6, "at 15s say n6\nat 20s kill n6\nat 45s restart n6\nat 55s say n1\nat 56s say n6", func(c *Config) {
					c.Seeds = 3
					if err := c.Overlay.Kind.UnmarshalText([]byte(overlay)); err != nil {
						t.Fatal(err)
					}
					if err := c.Rumors.Strategy.UnmarshalText([]byte(strategy)); err != nil {
						t.Fatal(err)
					}
				})
				w.RunUntil(40 * time.Second)
				if w.hasStay(6) || !w.check.views[0].heard.has(0) {
					t.Fatal("n6 is in, or n1 has not heard it before")
				}
				w.bar(t, 6, false)
				joins := 0
				w.bend(6, &twist{steps: func(_ *World, _ *machine, e *core.Effects) {
					for i := range e.Events {
						if e.Events[i].Kind == hearsay.EventJoined {
							joins++
						}
					}
				}})
				w.RunUntil(80 * time.Second)
				if w.hasStay(6) || joins > 0 {
					t.Fatal("n6 is in, or says so of a stay that is over")
				}
				a := w.machines[5].node.Seeded().Authority()
				casefile.AddAnswers(&a, w.machines[5].node.Seeded().Answers())
				if !a.Ready || !strings.Contains(a.Why, "to admit it: barred (too loud)") {
					t.Errorf("n6 says of the seeds: heard %v, %s", a.Ready, a.Why)
				}
				if w.check.views[5].heard.has(1) {
					t.Error("n6 hears what n1 says")
				}
				for i := range 5 {
					if w.check.views[i].heard.has(2) {
						t.Errorf("%s hears what n6 says", w.machines[i].name)
					}
				}
				if links := len(w.machines[5].node.Gossip().Links()); links > 0 {
					t.Errorf("n6 has %d links", links)
				}
				w.bar(t, 6, true)
				t.Logf("one network again after %v", w.convergesWithin(t, 30*time.Second))
				if !w.check.views[0].heard.has(2) || !w.check.views[5].heard.has(1) {
					t.Error("what was said meanwhile is lost")
				}
			})
		}
	}
}
