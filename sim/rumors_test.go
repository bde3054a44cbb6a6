package sim

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/overlay"
)

// A crash tears what was not synced: each write by itself may be there or not.
func TestNumbersAreNotUsedAgainAfterATornDisk(t *testing.T) {
	t.Parallel()
	for seed := range uint64(32) {
		w := newScenario(t, 3, "at 10s say n1\nat 10050ms kill n1\nat 12s restart n1\nat 14s say n1", func(c *Config) {
			c.Seed, c.DiskDelay = seed, 100*time.Millisecond
		})
		w.RunUntil(20 * time.Second)
		w.convergesWithin(t, time.Minute)
	}
}

// A disk that stands still while much is said: the node takes nothing more on from some megabytes
// on, nothing that was taken on is lost, and afterwards it takes on again.
func TestDiskThatStandsStill(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 3, "at 10s disk 12s n1", nil)
	w.RunUntil(10 * time.Second)
	n1 := &w.machines[0]
	for range 300 { // 18 MiB in six seconds
		w.say(n1, hearsay.MaxRumorData)
		w.RunUntil(w.now + 20*time.Millisecond)
	}
	taken := len(w.check.gossip.said)
	stats := n1.node.Stats()
	if waits := stats.DiskWaits; taken < 60 || taken > 70 || waits < 4<<20 || waits > 5<<20 || stats.DiskBehind < 4 {
		t.Errorf("%d rumors were taken on, and %d bytes wait, since %.1f s too many; want some 4 MiB", taken, waits, stats.DiskBehind)
	}
	w.Do(Action{Verb: Disk, Who: []int{1}})
	w.RunUntil(30 * time.Second)
	w.say(n1, 1)
	if said := len(w.check.gossip.said); said != taken+1 {
		t.Errorf("%d rumors were taken on after the disk went on, want 1", said-taken)
	}
	w.convergesWithin(t, time.Minute)
}

// Who lacks a rumor has not converged, as long as it is to be had.
func TestLackingARumorIsNoConvergence(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 3, "", nil)
	w.RunUntil(10 * time.Second)
	w.convergesWithin(t, 0)
	first := &w.machines[0]
	lost := clock.Dot{Origin: hearsay.OriginOf(first.id), Counter: 1}
	w.check.gossip.says(first, lost, []byte("it never says this"), w.now)
	w.convergesWithin(t, 0) // nobody has it, and it is on no disk
	w.check.views[0].heard.add(0)
	if problem := w.convergence.disagreement(); problem != "n2 has not heard 1 rumors, first rumor 1 of n1, said at   10.000s" {
		t.Fatalf("heard by n1 alone: %q", problem)
	}
	w.check.views[0].heard = nil
	w.check.gossip.said[0].durable = true
	if problem := w.convergence.disagreement(); !strings.HasPrefix(problem, "n1 has not heard") {
		t.Fatalf("on the disk of n1, and heard by nobody: %q", problem)
	}
	w.Do(Action{Verb: Kill, Who: []int{1}})
	w.RunUntil(w.now + 10*time.Second)
	w.convergesWithin(t, 0) // it is to be had no more
	w.check.views[1].heard.add(0)
	if w.convergence.Converged() {
		t.Fatal("heard by n2 alone, after its origin's death")
	}
	w.RunUntil(10*time.Second + w.config.Rumors.KeepFor)
	w.convergesWithin(t, 0)
}

// Links that are wrong are found while they are; and when the network has
// settled there are none.
func TestWrongLinksAreFound(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 8, "at 10s kill n3\nat 10100ms restart n3 fresh", nil)
	problems := make(map[string]bool)
	for w.now < 30*time.Second {
		w.RunUntil(w.now + 100*time.Microsecond)
		steady := make([]bool, len(w.machines))
		for i := range w.machines {
			steady[i] = w.convergence.steady(&w.machines[i])
		}
		reached := w.convergence.piece(steady)
		for i := range w.machines {
			if steady[i] {
				problems[w.convergence.unlinked(&w.machines[i], reached)] = true
			}
		}
	}
	w.convergesWithin(t, 0)
	all := ""
	for problem := range problems {
		all += problem + "; "
	}
	for _, want := range []string{"is not linked with the rest", "is linked with n3, which does not run", "which is not linked with it"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q was never found, only %s", want, all)
		}
	}
}

// saidWhile fails if less was said than there should be, and logs what became of
// it.
func (w *World) saidWhile(t *testing.T, least int) {
	t.Helper()
	r := w.check.gossip.rumors()
	if r.Said < least {
		t.Fatalf("%d rumors were said, want %d at least", r.Said, least)
	}
	t.Logf("%+v", r)
}

// Stopped for a minute, cut off for a minute, killed and started again after
// one, and there for the first time: each has all that was said meanwhile, in
// seconds, and nothing twice (which the checker sees to).
func TestWhoWasAwayCatchesUp(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, script string }{
		{"stopped", "at 10s pause n4\nat 70s resume n4"},
		{"cut off", "at 10s partition n1..n3 n5..n16 | n4\nat 70s heal"},
		{"a half cut off", "at 10s partition n1..n8 | n9..n16\nat 70s heal"},
		{"killed", "at 10s kill n4\nat 70s restart n4"},
		{"killed, its disk lost", "at 10s kill n4\nat 70s restart n4 fresh"},
		{"late", "at 70s start n4"},
		{"late, and the origin is gone", "at 65s leave n2\nat 65s kill n3\nat 70s start n4"},
		{"all killed but one", "at 69s kill n2..n16\nat 70s restart n2..n16"},
	} {
		t.Run(test.name, func(t *testing.T) {
			script := test.script + "\nat 6s say n2 n3 n4 n5\nat 12s say anyone x100 every 500ms\nat 20s say anyone x5 every 8s size 65536"
			w := newScenario(t, 16, script, nil)
			w.RunUntil(70 * time.Second)
			w.saidWhile(t, 105)
			t.Logf("caught up after %v", w.convergesWithin(t, 15*time.Second))
			if held, said := w.machines[3].node.Stats().RumorsHeld, len(w.check.gossip.said); held < said {
				t.Fatalf("n4 holds %d of %d rumors", held, said)
			}
		})
	}
}

// A rumor that its origin kept is as old after a day as it is: who has forgotten
// the origin meanwhile, and what it heard of it, does not hear it again.
func TestKeptRumorsAge(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 3, "at 10s say n2\nat 20s kill n2\nat 25h restart n2", nil)
	w.RunUntil(25*time.Hour + time.Minute)
	w.convergesWithin(t, time.Minute)
	w.saidWhile(t, 1)
	if held := w.machines[1].node.Stats().RumorsHeld; held > 0 {
		t.Errorf("n2 holds %d rumors", held)
	}
}

// What is older than retention is not to be had, and holds nobody up.
func TestCatchesUpWithinRetention(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 8, "at 10s partition n1..n3 n5..n8 | n4\nat 11s say n1 x20 every 100ms\nat 60s say n2 x5 every 100ms\nat 70s heal\nat 75s start n8", func(c *Config) {
		c.Rumors.KeepFor = 30 * time.Second
	})
	w.RunUntil(80 * time.Second)
	w.convergesWithin(t, 15*time.Second)
	for _, number := range []int{4, 8} {
		if s := w.machines[number-1].node.Stats(); s.RumorsDelivered != 5 {
			t.Errorf("n%d has heard %d rumors, want the last 5", number, s.RumorsDelivered)
		}
	}
}

// Churn, partitions and a fifth of all packets lost, all at once.
func TestRumorsThroughChurn(t *testing.T) {
	t.Parallel()
	nodes := 32
	if os.Getenv(largeVariable) != "" {
		nodes = 256
	}
	for _, kind := range []overlay.Kind{overlay.KindRing, overlay.KindRandom, overlay.KindPowerLaw} {
		t.Run(kind.String(), func(t *testing.T) {
			half := fmt.Sprintf("n1..n%d | n%d..n%d", nodes/2, nodes/2+1, nodes)
			w := newScenario(t, nodes, `
				at 6s say anyone x300 every 200ms
				at 10s kill n3..n6
				at 14s pause n7..n9
				at 20s partition `+half+`
				at 25s restart n3..n4
				at 26s restart n5..n6 fresh
				at 30s leave n10
				at 35s heal
				at 40s resume n7..n9
				at 45s cut n11 -> n12
				at 50s kill n13..n16
				at 60s heal
				at 60s restart n13..n16
				at 62s restart n10`, func(c *Config) {
				c.Loss, c.Overlay.Kind = 0.2, kind
			})
			w.RunUntil(66 * time.Second)
			w.saidWhile(t, 250)
			w.Do(Action{Verb: Loss, Share: 0.05}) // at a fifth there is always somebody suspect
			t.Logf("all have all after %v", w.convergesWithin(t, time.Minute+w.convergence.linksTime()))
		})
	}
}

// With a fifth of all packets lost all the time, everybody gets everything.
func TestRumorsUnderLoss(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 32, "at 6s say anyone x50 every 1s", func(c *Config) { c.Loss = 0.2 })
	w.RunUntil(56 * time.Second)
	w.saidWhile(t, 50)
	steady := make([]bool, len(w.machines))
	for i := range steady {
		steady[i] = true
	}
	owed := w.check.gossip.owed(w.now, w.convergence.rumorTime(), steady)
	w.RunUntil(w.now + 30*time.Second)
	for i := range w.machines {
		if problem := w.check.gossip.lacks(&w.machines[i], owed); problem != "" {
			t.Errorf("%s %s", w.machines[i].name, problem)
		}
	}
}

// One broadcast a second while a twentieth of all packets is lost. What is lost
// must be sent again: 1/0.95 = 1.053 payloads a delivery is the least. (With seed 7 the contact
// of one of 1,000 hears none of its answers: see roster.askToList.)
func TestBroadcastsUnderLoss(t *testing.T) {
	t.Parallel()
	nodes := 128
	if os.Getenv(largeVariable) != "" {
		nodes = 1000
	}
	// One origin is held to the 15 hops that are wanted. Of many it is not met
	// yet, as one tree serves all of them: this only sees it grow.
	for who, hopsMost := range map[string]int{"n17": 15, "anyone": 15} {
		t.Run(who, func(t *testing.T) {
			w := newScenario(t, nodes, "at 6s say "+who+" x50 every 1s", func(c *Config) { c.Loss, c.Seed = 0.05, 7 })
			w.RunUntil(56 * time.Second)
			w.convergesWithin(t, 30*time.Second)
			w.saidWhile(t, 50)
			r := w.check.gossip.rumors()
			if r.Ratio > 1.1 {
				t.Errorf("%.4f payloads a delivery, want at most 1.1", r.Ratio)
			}
			if r.Hops > hopsMost {
				t.Errorf("%d hops, want at most %d", r.Hops, hopsMost)
			}
			if want := uint64(r.Said * (nodes - 1)); r.Deliveries != want {
				t.Errorf("%d deliveries, want %d", r.Deliveries, want)
			}
		})
	}
}

// One who says 20,000 a second waits for himself: others are heard as ever, and
// nobody is suspected.
func TestLoudOneHoldsUpNobody(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 8, "at 10s say n1 x15000 every 50us\nat 10s say n2 x20 every 100ms", nil)
	w.RunUntil(15 * time.Second)
	for i := range w.check.gossip.said {
		if s := &w.check.gossip.said[i]; s.identity != w.machines[0].identity && s.latest > 500*time.Millisecond {
			t.Errorf("rumor %d of %s: %s", s.id.Counter, w.check.identities[s.identity].name, s)
		}
	}
	if w.counts.Suspicions > 0 {
		t.Errorf("%d suspicions", w.counts.Suspicions)
	}
	w.saidWhile(t, 15020)
	w.convergesWithin(t, 30*time.Second)
}
