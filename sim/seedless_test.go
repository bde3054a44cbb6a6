package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// Where a peer is cut off from the seeds, and from nobody else, it says so within some seconds, in its troubles and,
// once, as an event; and once that it is over, also where it was removed meanwhile.
func TestPeerThatIsCutOffFromTheSeedsSaysSo(t *testing.T) {
	t.Parallel()
	const begins = 30 * time.Second
	for _, test := range []struct {
		peers              int
		lasts, most, meant time.Duration
	}{
		{peers: 4, lasts: 20 * time.Second, most: 8 * time.Second, meant: 6 * time.Second},
		{peers: 8, lasts: 20 * time.Second, most: 11 * time.Second, meant: 7 * time.Second},
		{peers: 30, lasts: 20 * time.Second, most: 13 * time.Second, meant: 9 * time.Second},
		{peers: 8, lasts: 50 * time.Second, most: 11 * time.Second, meant: 7 * time.Second},
	} {
		t.Run(fmt.Sprint(test.peers, " for ", test.lasts), func(t *testing.T) {
			took := time.Duration(0)
			seeds := large(3, 8)
			for seed := range uint64(seeds) {
				text := fmt.Sprintf("at %v heal\n", begins+test.lasts)
				for slot := range 3 {
					text += fmt.Sprintf("at %[1]v cut n3 -> s%[2]d\nat %[1]v cut s%[2]d -> n3\n", begins, slot+1)
				}
				w := newScenario(t, test.peers, text, func(c *Config) { c.Seeds, c.Seed = 3, seed+1 })
				m, told := &w.machines[2], ""
				m.twist = &twist{steps: func(w *World, _ *machine, e *core.Effects) {
					for i := range e.Events {
						if kind := e.Events[i].Kind; kind == hearsay.EventQuorumLost || kind == hearsay.EventQuorumBack {
							told += kind.String() + " "
						}
					}
				}}
				w.RunUntil(begins)
				says := func() bool {
					return slices.ContainsFunc(troublesOf(m), func(one string) bool { return strings.Contains(one, "no quorum of seeds is heard") })
				}
				for !says() && w.now < begins+test.lasts {
					w.RunUntil(w.now + 100*time.Millisecond)
				}
				took += w.now - begins
				if w.now-begins > test.most || told != "quorum-lost " {
					t.Errorf("seed %d: it says so after %v: %s", seed, w.now-begins, told)
				}
				w.RunUntil(begins + test.lasts + 15*time.Second)
				if told != "quorum-lost quorum-back " || says() {
					t.Errorf("seed %d: it is told: %s; and it still says it: %v", seed, told, says())
				}
			}
			if took /= time.Duration(seeds); took > test.meant {
				t.Errorf("it takes %v in the mean", took)
			}
			t.Log("in the mean ", took)
		})
	}
}

// Where a tenth of all packets is lost each way no peer says that it hears no quorum.
func TestPeersBehindLossHearAQuorum(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		w := newScenario(t, 8, "at 20s loss 0.1", func(c *Config) { c.Seeds, c.Seed = 3, seed+1 })
		for i := range w.config.Nodes {
			w.machines[i].twist = &twist{steps: func(w *World, m *machine, e *core.Effects) {
				for i := range e.Events {
					if e.Events[i].Kind == hearsay.EventQuorumLost {
						t.Errorf("seed %d: %s at %v", seed, m.name, w.now)
					}
				}
			}}
		}
		w.RunUntil(10 * time.Minute)
	}
}
