package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Two members between which the way is cut say so, whichever way it is, and no others do; also seeds. Loss alone
// is nothing to tell of.
func TestCutBetweenTwoIsTold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		seeds  int
		script string
		loss   float64
		told   string // who says it, of which member
	}{
		"both ways":    {script: "at 10s cut n1 -> n2\nat 10s cut n2 -> n1", told: "n1 n2, n2 n1"},
		"one way":      {script: "at 10s cut n1 -> n2", told: "n1 n2, n2 n1"},
		"of a seed":    {seeds: 3, script: "at 10s cut n1 -> s2\nat 10s cut s2 -> n1", told: "n1 s2, s2 n1"},
		"to the dead":  {script: "at 10s cut n1 -> n2\nat 70s kill n2"},
		"healed":       {script: "at 10s cut n1 -> n2\nat 70s heal"},
		"nothing":      {},
		"nothing lost": {loss: 0.1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newScenario(t, 6, test.script, func(c *Config) { c.Seeds, c.Loss = test.seeds, test.loss })
			w.RunUntil(100 * time.Second)
			var told []string
			for i := range w.machines {
				if m := &w.machines[i]; m.condition == conditionRunning {
					stats := m.node.Stats()
					for _, of := range stats.Indirect {
						told = append(told, fmt.Sprintf("%s %s", m.name, of.Name))
						if at := w.timeOf(m).Sub(of.Since); at < 60*time.Second || at > 90*time.Second {
							t.Errorf("%s says it of %s since %v ago", m.name, of.Name, at)
						}
					}
					if text := strings.Join(stats.Troubles(), "; "); strings.Contains(text, "no answer comes to this node itself from") != (len(stats.Indirect) > 0) {
						t.Errorf("%s: %s", m.name, text)
					}
				}
			}
			if got := strings.Join(told, ", "); got != test.told {
				t.Errorf("told: %s; want %s", got, test.told)
			}
		})
	}
}

// In a large network it is told as soon after the first probe that has shown it, and no more soon after the cut.
func TestCutBetweenTwoIsToldInLargeNetworks(t *testing.T) {
	t.Parallel()
	const cut, healed, end = 10 * time.Second, 250 * time.Second, 260 * time.Second
	script := fmt.Sprintf("at %v cut n1 -> n2\nat %v cut n2 -> n1\nat %v heal", cut, cut, healed)
	w := newScenario(t, 60, script, func(*Config) {})
	first := map[string]time.Duration{} // after the first probe
	for now := time.Second; now < healed; now += time.Second {
		w.RunUntil(now)
		for i := range w.machines {
			m := &w.machines[i]
			if m.condition != conditionRunning {
				continue // it has not started yet
			}
			for _, of := range m.node.Stats().Indirect {
				if name := m.name + " " + of.Name; first[name] == 0 {
					first[name] = w.timeOf(m).Sub(of.Since)
				}
			}
		}
	}
	if len(first) != 2 || first["n1 n2"] == 0 || first["n2 n1"] == 0 {
		t.Errorf("told: %v", first)
	}
	for name, after := range first {
		if after > 25*time.Second {
			t.Errorf("%s: told %v after the first probe", name, after)
		}
	}
	w.RunUntil(end)
	for i := range w.machines {
		if m := &w.machines[i]; len(m.node.Stats().Indirect) > 0 {
			t.Errorf("%s tells of it %v after the cut", m.name, end-healed)
		}
	}
}

// While the way between two is cut both say so without a break, though each is suspect now and then behind loss.
func TestCutBetweenTwoIsToldWithoutABreak(t *testing.T) {
	t.Parallel()
	for seed := range uint64(large(4, 12)) {
		w := newScenario(t, 6, "at 20s loss 0.1\nat 30s cut n1 -> n2\nat 30s cut n2 -> n1", func(c *Config) { c.Seeds, c.Seed = 3, seed+1 })
		w.RunUntil(30 * time.Second)
		var told [2]bool
		for w.now < 4*time.Minute {
			w.RunUntil(w.now + 200*time.Millisecond)
			for i := range told {
				stats := w.machines[i].node.Stats()
				if is := len(stats.Indirect) == 1 && stats.Indirect[0].ID == w.machines[1-i].id; told[i] && !is {
					t.Errorf("seed %d: after %v %s says it no more: %v", seed, w.now, w.machines[i].name, stats.Indirect)
				} else if told[i] = is; !is && w.now > 75*time.Second {
					t.Fatalf("seed %d: after %v %s does not say it", seed, w.now, w.machines[i].name)
				}
			}
		}
	}
}
