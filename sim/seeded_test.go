package sim

import (
	"fmt"
	"testing"
	"time"

	"hearsay"
)

// withSeeds has a scenario's network have so many.
func withSeeds(seeds int) func(*Config) { return func(c *Config) { c.Seeds = seeds } }

// shortLedger has rulings forgotten soon, so that who was away takes over a
// roster whole.
func shortLedger(c *Config) {
	c.Seeds, c.Quorum.SnapshotEvery, c.Follower.Tail = 3, 10, 1
}

// Who was admitted and removed and has heard of neither asks again, with a
// newer claim than the one that is over.
func TestInAndOutUnheardOf(t *testing.T) {
	const deafTo = 40 * time.Second
	w := newScenario(t, 6, fmt.Sprintf("at 10s start n6\nat 12s partition n1..n5 s1..s3 | n6\nat %v heal", deafTo), shortLedger)
	w.bend(6, &twist{takes: func(w *World, _ *machine, p *hearsay.Packet) bool {
		switch p.Body.(type) {
		case *hearsay.Rulings, *hearsay.RosterPart:
			return w.now > deafTo
		}
		return true
	}})
	w.RunUntil(deafTo)
	if l := w.check.ledger.last(w.machines[5].id); l == nil || l.ended == 0 {
		t.Fatal("it was not in, or is not out")
	}
	t.Logf("back after %v", w.convergesWithin(t, 30*time.Second))
}

// A seed that has lost its disk is somebody else: also those who were away when
// it was given its seat again let go of the one that it was.
func TestLostSeedIsForgottenByAll(t *testing.T) {
	w := newScenario(t, 6, "at 12s partition n2 n5 n6 | n1 n3 n4 s1..s3\nat 20s kill s3\nat 30s restart s3 fresh\nat 40s heal", shortLedger)
	w.RunUntil(40 * time.Second)
	t.Logf("one network %v after the cut's end", w.convergesWithin(t, 30*time.Second))
}
