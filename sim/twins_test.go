package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// Of two processes with one identity one stops, whenever the copy is started and
// whether the original runs then; the other is a member as before.
func TestTwins(t *testing.T) {
	t.Parallel()
	for _, seeds := range []int{0, 3} {
		for name, text := range map[string]string{
			"beside an old one": "at 70s clone n3 n8",
			"beside a new one":  "at 69s kill n3\nat 70s restart n3\nat 71s clone n3 n8",
			"across a cut":      "at 60s partition n1..n4 | n5..n8 s1\nat 61s clone n3 n8\nat 150s heal",
			"paused together":   "at 70s clone n3 n8\nat 71s pause n8\nat 130s pause n3\nat 150s resume n3 n8",
			"stopped":           "at 65s kill n3\nat 70s clone n3 n8\nat 130s restart n3",
			"started together":  "at 65s kill n3\nat 70s clone n3 n8\nat 71s kill n8\nat 150s restart n3 n8",
		} {
			if seeds == 0 && name == "across a cut" {
				text = "at 60s partition n1..n4 | n5..n8\nat 61s clone n3 n8\nat 150s heal"
			}
			t.Run(fmt.Sprintf("%s, %d seeds", name, seeds), func(t *testing.T) {
				w := newScenario(t, 8, text, withSeeds(seeds))
				w.RunUntil(150 * time.Second)
				took := w.runsUntil(t, twinsWithin, "one stops", func() bool { return w.counts.TwinStops > 0 })
				a, b := &w.machines[2], &w.machines[7]
				w.RunUntil(w.now + 11*time.Second)
				for _, m := range []*machine{a, b} {
					if m.node != nil && m.node.Stats().Twin.IsValid() {
						t.Errorf("%s tells of a twin 11 s after that has stopped", m.name)
					}
				}
				w.RunUntil(w.now + twinsWithin)
				if w.counts.Clones != 1 || w.counts.TwinStops != 1 || (a.node == nil) == (b.node == nil) {
					t.Fatalf("%d clones, %d stopped, n3 is %s, n8 is %s", w.counts.Clones, w.counts.TwinStops, a.condition, b.condition)
				}
				t.Logf("n3 is %s, n8 is %s, %v after the last change", a.condition, b.condition, took)
				w.convergesWithin(t, 30*time.Second)
			})
		}
	}
}

// The others tell of two processes while these run, and not for long after that.
func TestOthersTellOfTwins(t *testing.T) {
	t.Parallel()
	for _, seeds := range []int{0, 3} {
		w := newScenario(t, 8, "at 70s clone n3 n8", withSeeds(seeds))
		w.RunUntil(70 * time.Second)
		id := w.machines[2].id
		w.runsUntil(t, twinsWithin, "one stops", func() bool { return w.counts.TwinStops > 0 })
		if !w.tellsOfTwins(t, id) {
			t.Errorf("%d seeds: nobody else tells of two processes", seeds)
		}
		w.RunUntil(w.now + 40*time.Second)
		if w.tellsOfTwins(t, id) {
			t.Errorf("%d seeds: 40 s after one has stopped others tell of two processes", seeds)
		}
	}
}

// tellsOfTwins reports whether others tell that two processes may have an identity.
func (w *World) tellsOfTwins(t *testing.T, id hearsay.NodeID) (tells bool) {
	for i := range w.machines {
		m := &w.machines[i]
		if m.node == nil || m.id == id {
			continue
		}
		file, err := m.why(w.timeOf(m), id.String())
		if err != nil {
			t.Fatal(err)
		}
		tells = tells || strings.Contains(file.Summary, "two processes may run")
	}
	return tells
}

// Where both are new, the one that was started later stops.
func TestLaterOfTwoNewTwinsStops(t *testing.T) {
	t.Parallel()
	for _, seeds := range []int{0, 3} {
		for _, after := range []int{12, 22, 45} {
			for seed := range uint64(large(3, 10)) {
				text := fmt.Sprintf("at 59s kill n3\nat 60s restart n3\nat %ds clone n3 n8", 60+after)
				w := newScenario(t, 8, text, func(c *Config) { withSeeds(seeds)(c); c.Seed = seed })
				w.RunUntil(time.Duration(60+after) * time.Second)
				took := w.runsUntil(t, twinsWithin, "one stops", func() bool { return w.counts.TwinStops > 0 })
				if w.machines[2].node == nil {
					t.Errorf("%d seeds, world %d: the copy was started %d s later, and goes on: the original stops %v after that", seeds, seed, after, took)
				}
			}
		}
	}
}

// The one that has stopped may be started again, and then the other may stop. Without that both
// would have.
func TestTwinThatStopsAndStarts(t *testing.T) {
	t.Parallel()
	for _, again := range []bool{false, true} {
		w := newScenario(t, 8, "at 9s save n3\nat 10s kill n3\nat 12s clone n3 n8\nat 80s restart n3", withSeeds(0))
		w.RunUntil(80 * time.Second)
		w.runsUntil(t, twinsWithin, "n3 stops", func() bool { return w.counts.TwinStops > 0 && w.machines[2].node == nil })
		if again {
			w.Do(Action{Verb: Restore, Who: []int{3}})
		}
		w.check.stopsAsTwin(&w.machines[7], w.now)
		if broken := len(w.check.violations) > 0; broken == again {
			t.Errorf("started again: %t, a rule is broken: %t", again, broken)
		}
		w.check.violations = nil
	}
}

// Two that do not heed each other are found, also where the ledger has them out now and
// then, and never in for as long as one of them may take to stop.
func TestTwinsThatAreRemoved(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 8, "at 20s clone n3 n8", withSeeds(3))
	w.RunUntil(30 * time.Second)
	w.machines[2].condition, w.machines[7].condition = conditionRunning, conditionRunning
	stay := w.check.ledger.last(w.machines[2].id)
	for range 2 * int(twinsWithin/checkEvery) {
		w.now += checkEvery
		if stay.ended = 0; w.now%(20*time.Second) == 0 {
			stay.ended = stay.began + 1
		}
		w.inspection.checkTwins()
	}
	if len(w.check.violations) != 1 || w.check.violations[0].Rule != RuleTwins {
		t.Fatalf("found %v", w.check.violations)
	}
	w.check.violations = nil // they are wanted
}

// The original goes on with the incarnation that it had when a copy of its disk was started: that is no other life's.
func TestOriginalGoesOn(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 8, "at 20s partition n1..n7 | n8\nat 21s clone n1 n8\nat 23s kill n8\nat 25s heal\nat 100s kill n5\nat 102s restart n5 fresh", withSeeds(0))
	w.RunUntil(110 * time.Second)
	if w.counts.Clones != 1 || w.counts.TwinStops > 0 {
		t.Fatalf("%d clones, %d stopped", w.counts.Clones, w.counts.TwinStops)
	}
}

// So it is where no datagrams get to one of the two, or to neither.
func TestTwinsWithoutDatagrams(t *testing.T) {
	t.Parallel()
	for _, seeds := range []int{0, 3} {
		for _, text := range []string{
			"at 40s loss-datagrams 1 n3\nat 70s clone n3 n8",
			"at 40s loss-datagrams 1 n8\nat 70s clone n3 n8",
			"at 40s loss-datagrams 1 n3 n8\nat 70s clone n3 n8",
			"at 70s clone n3 n8\nat 71s loss-datagrams 1 n3",
			"at 70s clone n3 n8\nat 71s loss-datagrams 1 n8",
		} {
			t.Run(fmt.Sprintf("%s, %d seeds", text, seeds), func(t *testing.T) {
				w := newScenario(t, 8, text, withSeeds(seeds))
				w.RunUntil(71 * time.Second)
				took := w.runsUntil(t, twinsWithin, "one stops", func() bool { return w.counts.TwinStops > 0 })
				a, b := &w.machines[2], &w.machines[7]
				if w.RunUntil(w.now + 10*time.Second); w.counts.TwinStops != 1 || (a.node == nil) == (b.node == nil) {
					t.Fatalf("%d stopped, n3 is %s, n8 is %s", w.counts.TwinStops, a.condition, b.condition)
				}
				t.Logf("n3 is %s, n8 is %s, %v after the copy started", a.condition, b.condition, took)
				w.convergesWithin(t, 30*time.Second)
			})
		}
	}
}

// Where a member is now is told once, of one that has moved and of two processes with one identity: by seeds, too,
// which hear of it by the log besides.
func TestAMoveIsToldOnce(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"moved": "at 70s move n3", "twins": "at 70s clone n3 n8"} {
		t.Run(name, func(t *testing.T) {
			w := newScenario(t, 8, text, withSeeds(3))
			moves := 0
			for i := range w.machines {
				last := w.machines[2].addr
				w.machines[i].twist = &twist{steps: func(w *World, m *machine, e *core.Effects) {
					for i := range e.Events {
						if e := &e.Events[i]; e.Kind == hearsay.EventMemberMoved && e.Subject == w.machines[2].id {
							if moves++; e.Addr == last {
								t.Errorf("after %v %s tells again that n3 is at %v", w.now-70*time.Second, m.name, e.Addr)
							}
							last = e.Addr
						}
					}
				}}
			}
			w.RunUntil(2 * time.Minute)
			if moves < 10 {
				t.Errorf("%d moves are told", moves)
			}
		})
	}
}
