package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
)

// saysStreamless gives the machines that say of themselves that no stream gets from them to others, and those of which
// others say it.
func saysStreamless(w *World) (own, of []string) {
	for i := range w.machines {
		m := &w.machines[i]
		if m.condition != conditionRunning {
			continue
		}
		stats := m.node.Stats()
		if stats.StreamsFail > 0 {
			own = append(own, m.name)
		}
		for _, to := range stats.Streamless {
			if stats.StreamsFail == 0 && !slices.Contains(of, to.Name) {
				of = append(of, to.Name)
			}
		}
	}
	return own, of
}

// Where no stream gets to a machine and from it, and nothing is said that would go by stream, it says so within half a
// minute, as do its neighbors and the seeds of it; nobody says it of another, nor where there is loss or nothing; and
// half a minute after its end nobody does.
func TestStreamsThatGetLostAreTold(t *testing.T) {
	t.Parallel()
	const begins, within = 20 * time.Second, 30 * time.Second
	for name, test := range map[string]struct {
		seeds int
		text  string
		loss  float64
		own   string // who says it of itself
		who   int    // the number of that
	}{
		"peer":      {text: "loss-streams 1 n3", own: "n3", who: 3},
		"of seeds":  {seeds: 3, text: "loss-streams 1 n3", own: "n3", who: 3},
		"seed":      {seeds: 3, text: "loss-streams 1 s1", own: "s1", who: 13},
		"loss":      {text: "loss 0.1"},
		"nothing":   {text: "say n3 size 1300"},
		"cut":       {text: "cut n1 -> n2\nat 20s cut n1 -> n3"},
		"cut off":   {text: "loss-out 1 n3"},
		"datagrams": {text: "loss-datagrams 1 n3"},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(large(2, 4)) {
				w := newScenario(t, 12, fmt.Sprintf("at %v %s", begins, test.text), func(c *Config) { c.Seeds, c.Seed = test.seeds, seed+1 })
				w.RunUntil(begins + within)
				own, of := saysStreamless(w)
				if strings.Join(own, " ") != test.own || test.own == "" && len(of) > 0 {
					t.Errorf("seed %d: %q say it of themselves, and others of %q; want %q", seed, own, of, test.own)
				}
				if test.own == "" {
					continue
				}
				w.RunUntil(begins + 3*time.Minute)
				if _, of := saysStreamless(w); len(of) != 1 || of[0] != test.own {
					t.Errorf("seed %d: others say it of %q", seed, of)
				}
				for i := range w.machines {
					if stats := w.machines[i].node.Stats(); strings.Contains(strings.Join(stats.Troubles(), "; "), "streams (TCP)") != (len(stats.Streamless) > 0) {
						t.Errorf("%s: %q", w.machines[i].name, stats.Troubles())
					}
				}
				w.Do(Action{Verb: LossStreams, Who: []int{test.who}})
				w.RunUntil(w.now + within)
				if own, of := saysStreamless(w); len(own)+len(of) > 0 {
					t.Errorf("seed %d: after its end %q say it of themselves, and others of %q", seed, own, of)
				}
			}
		})
	}
}

// While a machine that loses its streams finds out that it is its own machine it says it of no other; and where a
// quarter of all lose them no other machine says it of itself for a moment.
func TestStreamsThatGetLostAreBlamedOnNoOther(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"one": "n3", "some": "n3 n4 n5"} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(4) {
				w := newScenario(t, 12, "at 20s loss-streams 1 "+text, func(c *Config) { c.Seed = seed + 1 })
				lose := strings.Fields(text)
				for w.now < 2*time.Minute {
					w.RunUntil(w.now + time.Second)
					own, of := saysStreamless(w)
					for _, one := range slices.Concat(own, of) {
						if !slices.Contains(lose, one) {
							t.Fatalf("seed %d: after %v %q say it of themselves, and others of %q", seed, w.now, own, of)
						}
					}
				}
				if own, _ := saysStreamless(w); len(own) != len(lose) {
					t.Errorf("seed %d: only %q say it of themselves", seed, own)
				}
			}
		})
	}
}

// A machine that loses what is large, and streams, too, says both; and so do others of it.
func TestLargePacketsAndStreamsThatGetLostAreBothTold(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		w := newScenario(t, 8, "at 20s narrow 500 n3\nat 20s loss-streams 1 n3", func(c *Config) { c.Seeds, c.Seed = 3, seed+1 })
		w.RunUntil(80 * time.Second)
		own := strings.Join(troublesOf(&w.machines[2]), "; ")
		if !strings.Contains(own, "large packets have not got through") || !strings.Contains(own, "streams (TCP) have not got through") {
			t.Errorf("seed %d: n3 says %s", seed, own)
		}
		w.RunUntil(4 * time.Minute)
		for i := w.config.Nodes; i < len(w.machines); i++ {
			text := strings.Join(troublesOf(&w.machines[i]), "; ")
			if !strings.Contains(text, "large packets do not get from this node to n3") || !strings.Contains(text, "streams (TCP) do not get from this node to n3") {
				t.Errorf("seed %d: %s says %s", seed, w.machines[i].name, text)
			}
		}
	}
}

// troublesOf gives what a machine's node tells as troubles.
func troublesOf(m *machine) []string {
	a, stats := m.node.Seeded().Authority(), m.node.Stats()
	return hearsay.Troubles(&a, &stats)
}

// A machine that loses its streams says so also where the one member that it has not tested answers no datagram, as
// that loses all of them: it tests again those that have failed.
func TestStreamsThatGetLostAreToldBesideADeafMember(t *testing.T) {
	for seed := range uint64(8) {
		w := newScenario(t, 6, "at 20s loss-streams 1 n3\nat 26s loss-datagrams 1 n4", func(c *Config) { c.Seed = seed + 1 })
		w.RunUntil(time.Minute)
		if stats := w.machines[2].node.Stats(); stats.StreamsFail == 0 {
			t.Errorf("seed %d: n3 does not say it: %q", seed, stats.Troubles())
		}
	}
}
