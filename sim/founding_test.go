package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// founders has a network's seeds be told to found it, the first ones.
func founders(seeds, told int) func(*Config) {
	return func(c *Config) { c.Seeds, c.Founders = seeds, told }
}

// Without one of three seeds nothing is founded; with an operator's word it is,
// peers are admitted, and the third has its seat and votes when it comes.
func TestFoundedWithoutOne(t *testing.T) {
	t.Parallel()
	for told := range 3 {
		w := newScenario(t, 4, "at 30s start s3", founders(3, told))
		w.RunUntil(29 * time.Second)
		if admitted := w.ruled(hearsay.RulingAdmit); told == 0 != (admitted == 0) {
			t.Fatalf("%d admitted, and %d seeds were told to found", admitted, told)
		}
		w.RunUntil(30 * time.Second)
		t.Logf("one network %v after the third came", w.convergesWithin(t, 10*time.Second))
		if given := w.ruled(hearsay.RulingSeat); given != min(told, 1) {
			t.Errorf("%d seats given, and %d seeds were told to found", given, told)
		}
		w.RunUntil(w.now + 5*time.Second)
		w.Do(Action{Verb: Kill, Who: []int{5}})
		w.Do(Action{Verb: Kill, Who: []int{4}})
		w.runsUntil(t, 20*time.Second, "the third votes", func() bool { return w.ruled(hearsay.RulingRemove) == 1 })
	}
}

// A seed comes late with a ledger of another founding: it has no say, and says
// why. The others go on.
func TestOldLedgerComesLate(t *testing.T) {
	t.Parallel()
	const old = 6 // s3
	before := newScenario(t, 4, "", founders(3, 0))
	before.RunUntil(20 * time.Second)
	if before.machines[old].node.Seeded().Epoch() == 0 {
		t.Fatal("there is no ledger yet: the test shows nothing")
	}
	before.Do(Action{Verb: Kill, Who: []int{old + 1}})

	w := newScenario(t, 4, "at 30s start s3\nat 40s kill n4", founders(3, 1))
	for i := range w.machines {
		w.machines[i].disks, w.machines[i].life = 1, 1 // another identity than before
	}
	w.machines[old].disk = before.machines[old].disk
	w.bend(old+1, &twist{unjudged: true, steps: func(_ *World, _ *machine, e *core.Effects) {
		for i := range e.Events {
			if kind := e.Events[i].Kind; kind == hearsay.EventRuled || kind == hearsay.EventBallot {
				t.Errorf("it goes on with its own ledger: %v", kind)
			}
		}
	}})
	w.RunUntil(29 * time.Second)
	if w.ruled(hearsay.RulingAdmit) != 4 {
		t.Fatal("not founded without it")
	}
	w.RunUntil(60 * time.Second)
	if w.ruled(hearsay.RulingRemove) != 1 || w.ruled(hearsay.RulingSeat) != 0 {
		t.Errorf("%d removed, %d seats given", w.ruled(hearsay.RulingRemove), w.ruled(hearsay.RulingSeat))
	}
	a := w.machines[old].node.Seeded().Authority()
	if want := "belongs to another founding of this network"; a.Ready || !strings.Contains(a.Why, want) {
		t.Errorf("ready %t: %q", a.Ready, a.Why)
	}
	w.Do(Action{Verb: Kill, Who: []int{old + 1}})
	w.machines[old].twist = honest
	w.Do(Action{Verb: Restart, Who: []int{old + 1}, Fresh: true})
	t.Logf("with an empty disk it has its seat after %v", w.convergesWithin(t, 20*time.Second))
}

// Two seeds are told at once, in worlds that draw what comes between: the rules
// of the ledger and of ballots hold, and it comes to one network.
func TestTwoFoundAtOnce(t *testing.T) {
	t.Parallel()
	stream := draws(1, "founding test")
	random := rand.New(&stream)
	for seed := range large(40, 1000) {
		var b strings.Builder
		fmt.Fprintf(&b, "at %dms start s%d\n", random.IntN(20_000), 1+random.IntN(3))
		for range 12 {
			at := time.Duration(random.IntN(20_000)) * time.Millisecond
			one, other := 1+random.IntN(3), 1+random.IntN(3)
			switch random.IntN(5) {
			case 0, 1:
				if one != other {
					fmt.Fprintf(&b, "at %v cut s%d -> s%d\n", at, one, other)
				}
			case 2:
				fmt.Fprintf(&b, "at %v kill s%d\nat %v restart s%d\n", at, one, at+time.Duration(random.IntN(5000))*time.Millisecond, one)
			case 3:
				fmt.Fprintf(&b, "at %v loss 0.%d\n", at, random.IntN(8))
			case 4:
				fmt.Fprintf(&b, "at %v delay %dms 2s\n", at, 1+random.IntN(1000))
			}
		}
		b.WriteString("at 25s heal\nat 25s loss 0\nat 25s delay 1ms\nat 25s restart s1..s3")
		w := newScenario(t, 4, b.String(), func(c *Config) {
			c.Seeds, c.Founders, c.Seed, c.DiskDelay = 3, 2+random.IntN(2), uint64(seed), time.Duration(random.IntN(200))*time.Millisecond
		})
		w.RunUntil(25 * time.Second)
		w.convergesWithin(t, 30*time.Second)
		if t.Failed() {
			t.Fatalf("seed %d:\n%s", seed, b.String())
		}
	}
}

// A seed that is started on an old copy of its disk stops before it harms
// anybody, and comes back with an empty one.
func TestOldCopyOfADisk(t *testing.T) {
	t.Parallel()
	const copied = 6 // s3
	for _, others := range []string{"", "kill s1"} {
		w := newScenario(t, 5, "at 15s kill n5\nat 22s kill n4", withSeeds(3))
		w.RunUntil(12 * time.Second)
		backup := w.machines[copied].disk.Clone()
		w.RunUntil(30 * time.Second)
		m := &w.machines[copied]
		w.Do(Action{Verb: Kill, Who: []int{copied + 1}})
		if others != "" {
			w.Do(Action{Verb: Kill, Who: []int{copied - 1}})
		}
		m.disk, m.twist = backup, &twist{unjudged: true}
		before := w.machines[copied-1].node.Seeded().Epoch()
		w.Do(Action{Verb: Restart, Who: []int{copied + 1}})
		took := w.runsUntil(t, time.Second, "it stops", func() bool { return m.condition == conditionCrashed })
		t.Logf("%s: it stops after %v", others, took)
		if after := w.machines[copied-1].node.Seeded().Epoch(); after != before {
			t.Errorf("epoch %d was ruled with it", after)
		}
		m.twist = honest
		w.Do(Action{Verb: Restart, Who: []int{copied - 1}})
		w.Do(Action{Verb: Restart, Who: []int{copied + 1}, Fresh: true})
		t.Logf("with an empty disk it is back after %v", w.convergesWithin(t, 20*time.Second))
	}
}
