package sim

import (
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// Where packets above some size get lost at one machine, it says so of itself, its neighbors say it of that machine,
// and so do seeds; nobody says it of another, nor where there is loss or nothing, and all is well once it is over.
func TestNarrowWaysAreTold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		seeds int
		text  string
		loss  float64
		own   string // who says it of itself
		of    string // of which machine others say it
	}{
		"peer":        {text: "at 10s narrow 500 n3\nat 11s say n3 size 600\nat 12s say n4 size 600", own: "n3", of: "n3"},
		"of seeds":    {seeds: 3, text: "at 10s narrow 500 n3", own: "n3", of: "n3"},
		"seed":        {seeds: 3, text: "at 10s narrow 700 s1", own: "s1", of: "s1"},
		"loss":        {loss: 0.1},
		"no trouble":  {text: "at 10s say n3 size 1300"},
		"cut":         {text: "at 10s cut n3 -> n4"},
		"to the dead": {text: "at 10s narrow 500 n3\nat 25s kill n3"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newScenario(t, 6, test.text, func(c *Config) { c.Seeds, c.Loss = test.seeds, test.loss })
			w.RunUntil(60 * time.Second)
			own, others := "", 0
			for i := range w.machines {
				m := &w.machines[i]
				if m.condition != conditionRunning {
					continue
				}
				stats := m.node.Stats()
				if stats.NarrowFor > 0 {
					own += m.name
				}
				for _, to := range stats.Narrow {
					if m.name != test.of {
						others++
					}
					if m.name != test.of && to.Name != test.of {
						t.Errorf("%s says that nothing large gets to %s", m.name, to.Name)
					}
					if w.network.loss == 0 && (to.Passes > 700 || to.Lost < 500) {
						t.Errorf("%s says that %d bytes get to %s, and %d do not", m.name, to.Passes, to.Name, to.Lost)
					}
				}
				if text := strings.Join(stats.Troubles(), "; "); strings.Contains(text, "large packets") != (len(stats.Narrow) > 0) {
					t.Errorf("%s: %s", m.name, text)
				}
			}
			if own != test.own || (others > 0) != (test.of != "") {
				t.Errorf("%q say it of themselves, want %q; %d of others", own, test.own, others)
			}
			t.Logf("%d others say it", others)
			if number := 3; test.own != "" {
				if test.own == "s1" {
					number = 7
				}
				w.Do(Action{Verb: Narrow, Who: []int{number}})
				w.RunUntil(w.now + 40*time.Second)
				w.convergesWithin(t, 30*time.Second)
				for i := range w.machines {
					if stats := w.machines[i].node.Stats(); len(stats.Narrow) > 0 {
						t.Errorf("%s still says it of %s", w.machines[i].name, stats.Narrow[0].Name)
					}
				}
			}
		})
	}
}

// Where large packets get lost between seeds each says so of the others, and that is the cause of a quorum that is
// lost.
func TestQuorumLostToNarrowWaysSaysWhy(t *testing.T) {
	t.Parallel()
	const text = "at 20s narrow 400 s1..s3\nat 60s cut s1 -> s2\nat 60s cut s2 -> s1\nat 60s cut s1 -> s3\nat 60s cut s3 -> s1"
	w := newScenario(t, 4, text, withSeeds(3))
	cause := "" // of the last loss
	w.machines[4].twist = &twist{steps: func(_ *World, _ *machine, e *core.Effects) {
		for i := range e.Events {
			if e.Events[i].Kind == hearsay.EventQuorumLost {
				cause = e.Events[i].Text
			}
		}
	}}
	w.RunUntil(59 * time.Second)
	for i := range 3 {
		m := &w.machines[4+i]
		for slot, seed := range m.node.Seeded().Authority().Seeds {
			if said := strings.Contains(seed.Note, "large packets do not get to it from here"); said == (slot == i) {
				t.Errorf("%s says of seed %d: %q", m.name, slot+1, seed.Note)
			}
		}
	}
	w.RunUntil(75 * time.Second)
	if !strings.Contains(cause, "large packets do not get from here to s2, s3") {
		t.Errorf("a quorum is lost because %q", cause)
	}
}
