package sim

import (
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
)

// A crash tears what was not synced: each write by itself may be there or not.
func TestNumbersAreNotUsedAgainAfterATornDisk(t *testing.T) {
	for seed := range uint64(32) {
		w := newScenario(t, 3, "at 10s say n1\nat 10050ms kill n1\nat 12s restart n1\nat 14s say n1", func(c *Config) {
			c.Seed, c.DiskDelay = seed, 100*time.Millisecond
		})
		w.RunUntil(20 * time.Second)
		w.convergesWithin(t, time.Minute)
	}
}

// Who lacks a rumor has not converged, as long as it is to be had.
func TestLackingARumorIsNoConvergence(t *testing.T) {
	w := newScenario(t, 3, "", nil)
	w.RunUntil(10 * time.Second)
	w.convergesWithin(t, 0)
	first := &w.machines[0]
	lost := clock.Dot{Origin: hearsay.OriginOf(first.id), Counter: 1}
	w.check.says(first, lost, []byte("it never says this"), w.now)
	w.convergesWithin(t, 0) // nobody has it, and it is on no disk
	w.check.views[0].heard.add(0)
	if problem := w.disagreement(); problem != "n2 has not heard 1 rumors, first rumor 1 of n1, said at   10.000s" {
		t.Fatalf("heard by n1 alone: %q", problem)
	}
	w.check.views[0].heard = nil
	w.check.gossip.said[0].durable = true
	if problem := w.disagreement(); !strings.HasPrefix(problem, "n1 has not heard") {
		t.Fatalf("on the disk of n1, and heard by nobody: %q", problem)
	}
	w.Do(Action{Verb: Kill, Who: []int{1}})
	w.RunUntil(w.now + 10*time.Second)
	w.convergesWithin(t, 0) // it is to be had no more
	w.check.views[1].heard.add(0)
	if w.Converged() {
		t.Fatal("heard by n2 alone, after its origin's death")
	}
	w.RunUntil(10*time.Second + w.config.Rumors.KeepFor)
	w.convergesWithin(t, 0)
}

// Links that are wrong are found while they are; and when the network has
// settled there are none.
func TestWrongLinksAreFound(t *testing.T) {
	w := newScenario(t, 8, "at 10s kill n3\nat 10100ms restart n3 fresh", nil)
	problems := make(map[string]bool)
	for w.now < 30*time.Second {
		w.RunUntil(w.now + 100*time.Microsecond)
		steady := make([]bool, len(w.machines))
		for i := range w.machines {
			steady[i] = w.steady(&w.machines[i])
		}
		reached := w.piece(steady)
		for i := range w.machines {
			if steady[i] {
				problems[w.unlinked(&w.machines[i], reached)] = true
			}
		}
	}
	w.convergesWithin(t, 0)
	all := ""
	for problem := range problems {
		all += problem + "; "
	}
	for _, want := range []string{"is not linked with the rest", "is linked with n3, who does not run", "which is not linked with it"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q was never found, only %s", want, all)
		}
	}
}
