package sim

import (
	"fmt"
	"testing"
	"time"

	"hearsay"
)

// This file is about networks of which little is left: a quorum of seeds and some
// peers. They must go on.

// mostDie is a network of so many peers of which only n1 to n5 are left at 30 s.
// 15 s later n10 comes back with an empty disk.
func mostDie(nodes int) string {
	return fmt.Sprintf("at 30s kill n6..n%d\nat 45s restart n10 fresh", nodes)
}

// When most peers have died at once, a quorum of seeds still admits a newcomer at
// once, and has all the dead out within a minute: relays that are dead cost a seed
// nothing, and what others do not answer does not keep it from casting ballots.
func TestMostPeersDie(t *testing.T) {
	for _, c := range []struct {
		name   string
		nodes  int
		seeds  int
		config func(*Config)
	}{
		{"a hundred", 100, 3, nil},
		{"a hundred, five seeds", 100, 5, nil},
		{"a hundred, slow and with loss", 100, 3, func(c *Config) { c.Delay, c.Loss = 80*time.Millisecond, 0.1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newScenario(t, c.nodes, mostDie(c.nodes), func(config *Config) {
				config.Seeds = c.seeds
				if c.config != nil {
					c.config(config)
				}
			})
			w.RunUntil(45 * time.Second)
			in := w.runsUntil(t, 5*time.Second, "the newcomer is in", func() bool { return w.hasStay(10) })
			w.runsUntil(t, 45*time.Second, "all the dead are out", func() bool { return w.ruled(hearsay.RulingRemove) == c.nodes-5 })
			t.Logf("in after %v; all out %v after they died", in, w.now-30*time.Second)
			w.convergesWithin(t, 10*time.Second)
		})
	}
}
