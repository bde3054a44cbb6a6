package sim

import (
	"testing"
	"time"
)

// Nodes that share their cards do what they do with cards of their own, to the
// byte: also where identities and incarnations come and go.
func TestSharedCardsChangeNothing(t *testing.T) {
	t.Parallel()
	const script = "at 8s kill n3 n4\nat 9s restart n3 fresh\nat 10s leave n5\nat 11s pause n6\nat 14s resume n6\nat 15s restart n4\nat 16s restart n5\n" +
		"at 20s partition n1..n9 | n10..n24\nat 45s heal\nat 50s kill n1\nat 51s restart n1 fresh"
	run := func(shared bool) *World {
		w := newScenario(t, 24, script, func(c *Config) {
			c.Loss, c.Roster.ForgetAfter = 0.05, 5*time.Second
		})
		if !shared {
			w.cards = nil
		}
		w.RunUntil(70 * time.Second)
		return w
	}
	one, two := run(true), run(false)
	if a, b := one.log.hashed(), two.log.hashed(); a != b {
		t.Fatalf("shared: %s, each its own: %s", a, b)
	}
	if one.counts.Deaths == 0 || one.counts.Refutations == 0 {
		t.Fatalf("nothing came or went: %+v", one.counts)
	}
}
