package sim

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/testkit"
)

// withSeeds has a scenario's network have so many.
func withSeeds(seeds int) func(*Config) { return func(c *Config) { c.Seeds = seeds } }

// shortLedger has rulings forgotten soon, so that who was away takes over a
// roster whole, and finds old rulings on the disks of seeds only.
func shortLedger(c *Config) {
	c.Seeds, c.Quorum.SnapshotEvery, c.Quorum.Tail, c.Follower.Tail = 3, 10, 4, 1
}

// Who was admitted and removed and has heard of neither asks again, with a
// newer claim than the one that is over.
func TestInAndOutUnheardOf(t *testing.T) {
	t.Parallel()
	const deafTo = 40 * time.Second
	w := newScenario(t, 6, fmt.Sprintf("at 10s start n6\nat 12s partition n1..n5 s1..s3 | n6\nat %v heal", deafTo), shortLedger)
	w.bend(6, &twist{takes: func(w *World, _ *machine, p *core.Packet) bool {
		switch p.Body.(type) {
		case *core.Rulings, *core.RosterPart:
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

// A peer that was removed while it was down, and has more to read of the ledger than it applies in one step, does not
// tell the admission of its stay that is over.
func TestOldStayIsNoNews(t *testing.T) {
	t.Parallel()
	var script strings.Builder
	for n := range 20 { // 40 rulings
		fmt.Fprintf(&script, "at %ds leave n5\nat %ds restart n5\n", 10+4*n, 12+4*n)
	}
	script.WriteString("at 95s kill n6\nat 96s restart n6\nat 100s kill n6\nat 130s restart n6")
	w := newScenario(t, 6, script.String(), withSeeds(3))
	var joined []hearsay.Epoch
	w.bend(6, &twist{steps: func(w *World, _ *machine, e *core.Effects) {
		for i := range e.Events {
			if e.Events[i].Kind == hearsay.EventJoined {
				joined = append(joined, e.Events[i].Epoch)
			}
		}
	}})
	w.RunUntil(128 * time.Second)
	removed := w.check.ledger.last(w.machines[5].id).ended
	if len(joined) != 2 || removed == 0 {
		t.Fatalf("n6 is in by epochs %d, as its stay went on over a restart, and then removed by epoch %d", joined, removed)
	}
	w.RunUntil(140 * time.Second)
	if len(joined) != 3 || joined[2] <= removed {
		t.Errorf("removed by epoch %d, n6 tells that it is in by epochs %d", removed, joined[2:])
	}
}

// A node that was cut off alone, and is not any more, reports nobody for what it did not hear meanwhile.
func TestCutOffNodeReportsNobody(t *testing.T) {
	for _, alone := range []string{"s1", "n1"} {
		others := map[string]string{"s1": "n1..n6 s2 s3", "n1": "n2..n6 s1..s3"}[alone]
		for cut := 5 * time.Second; cut <= 45*time.Second; cut += time.Duration(large(5100, 1700)) * time.Millisecond {
			w := newScenario(t, 6, fmt.Sprintf("at 20s partition %s | %s\nat %v heal", others, alone, 20*time.Second+cut), withSeeds(3))
			w.RunUntil(20*time.Second + cut)
			var opened []string
			note := func(w *World, m *machine, e *core.Effects) {
				for i := range e.Events {
					if e := &e.Events[i]; e.Kind == hearsay.EventCaseOpened && !e.Addr.IsValid() && e.ByName == alone {
						opened = append(opened, fmt.Sprintf("%s by %s", e.Name, e.Rule))
					}
				}
			}
			for i := range w.machines {
				w.machines[i].twist = &twist{steps: note}
			}
			w.RunUntil(20*time.Second + cut + 15*time.Second)
			if len(opened) > 0 {
				t.Errorf("%s was cut off for %v, and has these cases opened: %v", alone, cut, opened)
			}
		}
	}
}

// sendsLate makes a machine send all that it sends so late.
func sendsLate(late time.Duration) *twist {
	return &twist{steps: func(w *World, m *machine, e *core.Effects) {
		for _, packets := range [][]core.Packet{e.Now, e.Send} {
			for i := range packets {
				w.postpone(m, &packets[i], late)
			}
		}
		e.Now, e.Send = e.Now[:0], e.Send[:0]
	}}
}

// Who answers late is let in where all others answer at once, and let in again.
func TestLateIsAdmitted(t *testing.T) {
	t.Parallel()
	for _, late := range []time.Duration{300 * time.Millisecond, 600 * time.Millisecond, 900 * time.Millisecond} {
		t.Run(late.String(), func(t *testing.T) {
			w := newScenario(t, 6, "at 20s start n6\nat 40s kill n6\nat 70s restart n6", withSeeds(3))
			w.bend(6, sendsLate(late))
			w.RunUntil(20 * time.Second)
			first := w.runsUntil(t, 3*time.Second, "it is in", func() bool { return w.hasStay(6) })
			w.RunUntil(70 * time.Second)
			if w.hasStay(6) {
				t.Fatal("it is dead, and in")
			}
			again := w.runsUntil(t, 3*time.Second, "it is in again", func() bool { return w.hasStay(6) })
			t.Logf("in after %v, and again after %v", first, again)
		})
	}
}

// Somebody may report who answers late before the seeds know how late it is:
// what comes after a probe's end counts for the next, and so it stays in.
func TestLateIsNotRemoved(t *testing.T) {
	t.Parallel()
	const nodes = 150 // each seed finds out about one of them a second
	w := newScenario(t, nodes, fmt.Sprintf("at 20s start n%d", nodes), withSeeds(3))
	w.bend(nodes, sendsLate(600*time.Millisecond))
	w.RunUntil(20 * time.Second)
	w.runsUntil(t, 3*time.Second, "it is in", func() bool { return w.hasStay(nodes) })
	for w.now < 40*time.Second {
		for slot := range w.config.Seeds {
			report := &core.Report{Stay: hearsay.Stay{ID: w.machines[nodes-1].id}}
			report.Sign(w.check.ledger.id(), testkit.NewSigner(w.config.Seed, 1, 1))
			w.network.send(&w.machines[0], &core.Packet{Addr: addrOf(nodes + slot), Stream: true, Body: report})
		}
		if w.RunUntil(w.now + 500*time.Millisecond); !w.hasStay(nodes) {
			t.Fatalf("at %v it is out, and lives", w.now)
		}
	}
}

// Who comes while a seed is down lists it as all others do, by the word of the
// other seeds.
func TestComesWhileASeedIsDown(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 3, "at 10s kill s3\nat 20s start n3", withSeeds(3))
	w.RunUntil(20 * time.Second)
	t.Logf("agrees after %v", w.convergesWithin(t, 15*time.Second))
}

// hasStay reports whether a machine's node is in by the ledger.
func (w *World) hasStay(number int) bool {
	l := w.check.ledger.last(w.machines[number-1].id)
	return l != nil && l.ended == 0
}

// What somebody has said who is out by now, those hear who come after the ledger
// has gone on, too, and those who were cut off meanwhile: both take over a roster
// whole, and no ruling tells them that it was in.
func TestLateHearDeparted(t *testing.T) {
	t.Parallel()
	const comes = 340 * time.Second
	goesOn := strings.Builder{} // by more rulings than anybody gives to who asks for all
	for at := 30; at < 330; at += 2 {
		fmt.Fprintf(&goesOn, "\nat %ds leave n4\nat %ds restart n4", at, at+1)
	}
	for name, script := range map[string]string{
		"left, and one comes":                "at 20s say n5\nat 22s leave n5" + goesOn.String() + "\nat 340s start n6",
		"removed, and the seeds start again": "at 20s say n5\nat 22s kill n5" + goesOn.String() + "\nat 330s kill s1..s3\nat 332s restart s1..s3\nat 340s start n6",
		"came and left, and one was cut off": "at 12s partition n1..n5 s1..s3 | n6\nat 14s start n5\nat 20s say n5\nat 22s leave n5" +
			goesOn.String() + "\nat 340s heal",
	} {
		t.Run(name, func(t *testing.T) {
			w := newScenario(t, 6, script, func(c *Config) {
				c.Seeds, c.Quorum.Limits.SourceAdmissions = 3, hearsay.MaxLimit // n4 comes and goes
			})
			w.RunUntil(comes)
			if epoch := w.machines[0].node.Seeded().Epoch(); w.hasStay(5) || epoch <= core.MaxRulings {
				t.Fatalf("at epoch %d, and n5 is in: %v", epoch, w.hasStay(5))
			}
			t.Logf("heard after %v", w.runsUntil(t, 30*time.Second, "n6 has heard it", func() bool { return w.check.views[5].heard.has(0) }))
			w.convergesWithin(t, 30*time.Second)
		})
	}
}

// A seed that has lost its disk is somebody else: also those who were away when
// it was given its seat again let go of the one that it was.
func TestLostSeedIsForgottenByAll(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 6, "at 12s partition n2 n5 n6 | n1 n3 n4 s1..s3\nat 20s kill s3\nat 30s restart s3 fresh\nat 40s heal", shortLedger)
	w.RunUntil(40 * time.Second)
	t.Logf("one network %v after the cut's end", w.convergesWithin(t, 30*time.Second))
}

// ruled gives how many rulings of a kind there are.
func (w *World) ruled(kind hearsay.RulingKind) (n int) {
	for i := range w.check.ledger.rulings {
		if w.check.ledger.rulings[i].kind == kind {
			n++
		}
	}
	return n
}

// runsUntil lets the world go on until something is so, and fails if it is not
// in time.
func (w *World) runsUntil(t testing.TB, limit time.Duration, what string, so func() bool) (took time.Duration) {
	t.Helper()
	const step = 50 * time.Millisecond
	began := w.now
	for !so() {
		if took = w.now - began; took >= limit {
			t.Fatalf("seed %d: not within %v: %s; %s", w.config.Seed, limit, what, w.convergence.disagreement())
		}
		w.RunUntil(w.now + step)
	}
	return w.now - began
}

// Whenever in the course of a case a seed crashes, whichever it is: the case is
// decided by the others, once, and the seed comes back to the same ledger.
func TestSeedCrashInEveryStep(t *testing.T) {
	t.Parallel()
	const (
		nodes   = 4
		patient = 12 * time.Second
	)
	steps := large(5, 40)
	slowDisk := func(c *Config) { c.Seeds, c.DiskDelay = 3, 3*time.Millisecond }
	for _, c := range []struct {
		script string
		kind   hearsay.RulingKind
		count  int
	}{
		{"at 10s start n4", hearsay.RulingAdmit, nodes},
		{"at 10s kill n4", hearsay.RulingRemove, 1},
		{"at 10s leave n4", hearsay.RulingLeave, 1},
	} {
		var opened, ruled time.Duration
		w := newScenario(t, nodes, c.script, slowDisk)
		decides := &twist{steps: func(w *World, _ *machine, e *core.Effects) {
			for i := range e.Events {
				switch kind := e.Events[i].Kind; {
				case w.now < 10*time.Second:
				case kind == hearsay.EventCaseOpened && opened == 0:
					opened = w.now
				case kind == hearsay.EventRuled:
					ruled = w.now
				}
			}
		}}
		for number := range w.machines {
			w.bend(number+1, decides)
		}
		w.RunUntil(20 * time.Second)
		if opened == 0 {
			opened = 10 * time.Second
		}
		opened -= 10 * time.Millisecond
		t.Logf("%s: from %v to %v", c.script, opened, ruled)
		slowest := time.Duration(0)
		for step := range steps {
			for seed := 1; seed <= 3; seed++ {
				at := (opened + (ruled-opened+10*time.Millisecond)*time.Duration(step)/time.Duration(steps)).Truncate(time.Millisecond)
				w := newScenario(t, nodes, fmt.Sprintf("%s\nat %v kill s%d", c.script, at, seed), slowDisk)
				w.RunUntil(max(10*time.Second, at))
				slowest = max(slowest, w.runsUntil(t, patient, c.script, func() bool { return w.ruled(c.kind) == c.count }))
				w.RunUntil(at + patient)
				w.Do(Action{Verb: Restart, Who: []int{nodes + seed}})
				w.convergesWithin(t, patient)
			}
		}
		t.Logf("decided at most %v after the crash", slowest)
	}
}

// Who leaves while there is no quorum is gone for good before the seeds can rule
// it. All know it as unreachable, by one roster, and rule that when they can.
func TestLeavesWithoutAQuorum(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 6, `
at 10s kill s1 s2
at 12s leave n5
at 20s kill n4
at 40s restart s1 s2
`, func(c *Config) { c.Seeds = 3 })
	w.RunUntil(40 * time.Second)
	w.convergesWithin(t, 10*time.Second)
	if removals := w.ruled(hearsay.RulingRemove); removals != 2 {
		t.Errorf("%d removals, want those of n4 and n5", removals)
	}
}

// Who leaves right after it has asked for admission is let in, and leaves: nobody finds it gone
// afterwards. With one seed down, too.
func TestLeavesYoung(t *testing.T) {
	t.Parallel()
	for _, down := range []string{"", "at 9s kill s3\n"} {
		for after := time.Duration(0); after < 400*time.Millisecond; after += 23 * time.Millisecond {
			w := newScenario(t, 8, fmt.Sprintf("%sat 10s start n5..n8\nat %v leave n5..n8", down, 10*time.Second+after), withSeeds(3))
			w.RunUntil(15 * time.Second)
			w.runsUntil(t, 5*time.Second, "they are gone", func() bool {
				return !slices.ContainsFunc(w.machines[4:8], func(m machine) bool { return m.condition == conditionRunning })
			})
			w.RunUntil(30 * time.Second)
			if admissions, leaves := w.ruled(hearsay.RulingAdmit)-4, w.ruled(hearsay.RulingLeave); w.ruled(hearsay.RulingRemove) > 0 || leaves != admissions {
				t.Errorf("%safter %v: of %d that were let in %d left, and %d were removed", down, after, admissions, leaves, w.ruled(hearsay.RulingRemove))
			}
		}
	}
}

// A peer whose process ends without a leave, and runs again within a second with its disk, was never out, and the seeds
// have ruled nothing: so a restart is to be, if it costs others nothing. One that leaves costs two rulings.
func TestBackWithinASecond(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		ends                 string
		leaves, admitsBeyond int
	}{{"kill", 0, 0}, {"leave", 1, 1}} {
		for n := range 10 {
			at := 10*time.Second + time.Duration(n)*137*time.Millisecond // some phase of the others' probes
			back := at + 100*time.Millisecond + time.Duration(n)*100*time.Millisecond
			w := newScenario(t, 8, fmt.Sprintf("at %v %s n3\nat %v restart n3", at, tc.ends, back), withSeeds(3))
			w.RunUntil(20 * time.Second)
			w.convergesWithin(t, 10*time.Second)
			removals, leaves, admitted := w.ruled(hearsay.RulingRemove), w.ruled(hearsay.RulingLeave), w.ruled(hearsay.RulingAdmit)
			if removals > 0 || leaves != tc.leaves || admitted != 8+tc.admitsBeyond {
				t.Errorf("%s, and back after %v: %d removals, %d leaves, %d admissions", tc.ends, back-at, removals, leaves, admitted)
			}
		}
	}
}

// leader gives the number of the machine that leads.
func (w *World) leader() int {
	for i := w.config.Nodes; i < len(w.machines); i++ {
		if m := &w.machines[i]; m.condition == conditionRunning {
			if slot := m.node.Seeded().Authority().Leader; slot >= 0 {
				return w.config.Nodes + slot + 1
			}
		}
	}
	return 0
}

// Without the one that leads the others go on.
func TestLeaderIsLost(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 6, "", withSeeds(5))
	w.RunUntil(10 * time.Second)
	for lost := 1; lost <= 2; lost++ {
		w.Do(Action{Verb: Kill, Who: []int{w.leader(), lost}})
		took := w.runsUntil(t, 15*time.Second, "it is out", func() bool { return w.ruled(hearsay.RulingRemove) == lost })
		t.Logf("a member is out %v after it was killed with the leader", took)
	}
	w.Do(Action{Verb: Kill, Who: []int{w.leader(), 3}})
	w.RunUntil(w.now + 30*time.Second)
	if n := w.ruled(hearsay.RulingRemove); n != 2 {
		t.Fatalf("two of five seeds have removed somebody: %d rulings", n)
	}
}

// On the smaller side of the seeds nobody comes in or goes, and afterwards all
// is as the larger side has decided.
func TestSeedsOnTheSmallerSide(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 8, `
at 10s partition n1..n3 n7 s1 | n4..n6 n8 s2 s3
at 11s kill n3 n6
at 12s start n7 n8`, withSeeds(3))
	w.RunUntil(60 * time.Second)
	if smaller, larger := w.machines[0].node.Seeded().Epoch(), w.machines[3].node.Seeded().Epoch(); smaller != 6 || larger < 6+4+1 {
		t.Errorf("epoch %d on the smaller side, %d on the larger", smaller, larger)
	}
	if w.check.ledger.last(w.machines[6].id) != nil {
		t.Error("n7 was admitted without a quorum")
	}
	if l := w.check.ledger.last(w.machines[7].id); l == nil || l.ended > 0 {
		t.Error("n8 was not admitted")
	}
	w.Do(Action{Verb: Heal})
	t.Logf("one network %v after the cut's end", w.convergesWithin(t, 20*time.Second))
}

// One seed after the other loses its disk, and the ledger goes on.
func TestDisksAreLostOneByOne(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 5, "", withSeeds(3))
	w.RunUntil(10 * time.Second)
	for seed := 1; seed <= 3; seed++ {
		who := []int{w.config.Nodes + seed}
		w.Do(Action{Verb: Kill, Who: who})
		w.RunUntil(w.now + 3*time.Second)
		w.Do(Action{Verb: Restart, Who: who, Fresh: true})
		took := w.convergesWithin(t, 30*time.Second)
		if n := w.ruled(hearsay.RulingSeat); n != seed {
			t.Fatalf("%d seats were given, want %d", n, seed)
		}
		t.Logf("s%d has its seat, and all know, after %v", seed, took)
		w.RunUntil(w.now + 5*time.Second)
	}
	w.Do(Action{Verb: Kill, Who: []int{2}})
	w.runsUntil(t, 15*time.Second, "n2 is out", func() bool { return w.ruled(hearsay.RulingRemove) == 1 })
}

// Who has left by a ruling counts as that, and not as dead: it is no contact that
// is tried for ever, and returns as one that had left.
func TestLeftIsNotDead(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 4, "at 10s leave n2", withSeeds(3))
	gone, tried, was := &w.machines[1], 0, hearsay.State(0)
	watch := &twist{steps: func(w *World, m *machine, e *core.Effects) {
		for i := range e.Now {
			if e.Now[i].Addr == gone.addr && gone.condition != conditionRunning {
				tried++
			}
		}
		for i := range e.Events {
			if one := &e.Events[i]; one.Kind == hearsay.EventMemberReturned && one.Subject == gone.id {
				was = one.State
			}
		}
	}}
	w.bend(1, watch)
	w.RunUntil(12 * time.Second)
	tried = 0
	w.RunUntil(40 * time.Second)
	if stats := w.machines[0].node.Stats(); stats.Left != 1 || stats.Dead != 0 || tried > 0 {
		t.Errorf("%d have left and %d are dead, want 1 and 0; it was tried %d times", stats.Left, stats.Dead, tried)
	}
	w.Do(Action{Verb: Restart, Who: []int{2}})
	w.convergesWithin(t, 30*time.Second)
	if was != hearsay.StateLeft {
		t.Errorf("it returned, and was %v", was)
	}
}

// A peer that was away takes over the roster whole, and the newest ruling about a
// seat does not tell of the one before, which rests on it. It finds out who sits
// where, however many seats have changed, and whichever of them is down by then.
func TestSeatsChangedUnheardOf(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		seeds         int
		first, second string
		last          string
	}{
		"two of five":                     {5, "s4", "s5", ""},
		"two of five, and they are down":  {5, "s4", "s5", "\nat 48s kill s4 s5"},
		"two of five, and others are":     {5, "s3", "s2", "\nat 48s kill s1 s5"},
		"two of three, so that one knows": {3, "s3", "s2", ""},
	} {
		t.Run(what, func(t *testing.T) {
			for seed := range uint64(large(2, 6)) {
				w := newScenario(t, 8, fmt.Sprintf(`
at 10s partition n1..n7 s1..s%[1]d | n8
at 12s kill %[2]s
at 14s restart %[2]s fresh
at 22s kill %[3]s
at 24s restart %[3]s fresh
at 32s leave n2 n3 n4
at 40s restart n2 n3 n4`+c.last, c.seeds, c.first, c.second), func(o *Config) { shortLedger(o); o.Seed, o.Seeds = seed, c.seeds })
				w.RunUntil(50 * time.Second)
				if n := w.ruled(hearsay.RulingSeat); n != 2 {
					t.Fatalf("seed %d: %d seats were given, want 2", seed, n)
				}
				w.Do(Action{Verb: Heal})
				t.Logf("seed %d: one network after %v", seed, w.convergesWithin(t, 45*time.Second))
			}
		})
	}
}

// A seed that was cut off, has removed everybody and was late itself trusts itself
// again, though nobody is left whose answer could show that it may: they come back.
func TestAloneAndUnwell(t *testing.T) {
	t.Parallel()
	for seed := range uint64(7) {
		w := newScenario(t, 2, `
at 35s partition s1 | n1 n2
at 57s pause s1
at 68s heal
at 68s resume s1`, func(c *Config) { c.Seed, c.Seeds = seed, 1 })
		w.RunUntil(68 * time.Second)
		t.Logf("back after %v", w.convergesWithin(t, 40*time.Second))
	}
}

// large gives one number by default, and the other if the large scenarios run.
func large(small, large int) int {
	if os.Getenv(largeVariable) != "" {
		return large
	}
	return small
}

// All peers start at once.
func TestBulkJoin(t *testing.T) {
	t.Parallel()
	nodes := large(100, 1000)
	w := newScenario(t, nodes, fmt.Sprintf("at 5s start n1..n%d", nodes), withSeeds(3))
	w.RunUntil(5 * time.Second)
	took := w.runsUntil(t, 10*time.Second, "all are in", func() bool {
		for i := range nodes {
			if m := &w.machines[i]; int(m.node.Seeded().Epoch()) < nodes || !m.node.Joined() {
				return false
			}
		}
		return true
	})
	t.Logf("%d peers are in, and each knows all, after %v", nodes, took)
	w.convergesWithin(t, 10*time.Second)
}

// Rapid's scenarios with seeds: those who crash are out, those who suffer may be, and
// nobody else is.
func TestRapidWithSeeds(t *testing.T) {
	t.Parallel()
	for _, file := range rapidScenarios {
		t.Run(file, func(t *testing.T) {
			r := runRapid(t, file, 3, 40)
			if file == "crash" && (r.Impact.Out != r.Impact.Touched || r.Impact.Rosters > rostersMost) {
				t.Errorf("the dead are not found as they should be: %+v", r.Impact)
			}
		})
	}
}

// rostersMost is how many rosters ten crashes at once may come to, before all
// ten are out: Rapid has 9, memberlist 1858 of 2000.
const rostersMost = 12

// However few peers are left, the dead are removed as long as a quorum of seeds
// lives: then no majority of observers can say so, and the suspicion runs out.
func TestFewAreLeft(t *testing.T) {
	t.Parallel()
	const limit = 30 * time.Second
	for _, c := range []struct {
		name        string
		peers, dead int
	}{
		{"one of five", 5, 4}, {"none of five", 5, 5}, {"none of one", 1, 1}, {"two of twelve", 12, 10}, {"one of two", 2, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			script := "at 10s kill n1"
			for i := 2; i <= c.dead; i++ {
				script += fmt.Sprintf(" n%d", i)
			}
			w := newScenario(t, c.peers, script, withSeeds(3))
			w.RunUntil(10 * time.Second)
			took := w.runsUntil(t, limit, "they are out", func() bool { return w.ruled(hearsay.RulingRemove) == c.dead })
			for n := 1; n <= c.peers; n++ {
				if w.hasStay(n) != (n > c.dead) {
					t.Errorf("n%d is in: %v", n, w.hasStay(n))
				}
			}
			t.Logf("out after %v, and all know after %v more", took, w.convergesWithin(t, 10*time.Second))
		})
	}
}

// The seeds cannot reach a member, and an observer can: a suspicion that runs out
// is reported by nobody then, however many are dead. But observers may lie: after half
// a minute the seeds rule by what they see themselves. Once that is mended it is in.
func TestAnObserverReachesOneThatTheSeedsCannot(t *testing.T) {
	t.Parallel()
	for _, peers := range []int{2, 5} {
		script := ""
		for seed := 1; seed <= 3; seed++ {
			script += fmt.Sprintf("at 10s cut n1 -> s%d\nat 10s cut s%d -> n1\n", seed, seed)
		}
		dead := peers - 2 // n2 is left
		for n := 3; n <= peers; n++ {
			script += fmt.Sprintf("at 10s kill n%d\n", n)
		}
		w := newScenario(t, peers, script, withSeeds(3))
		w.RunUntil(32 * time.Second)
		if removed := w.ruled(hearsay.RulingRemove); removed != dead || !w.hasStay(1) || !w.hasStay(2) {
			t.Errorf("of %d peers %d are out, want %d; n1 is in: %v, n2: %v", peers, removed, dead, w.hasStay(1), w.hasStay(2))
		}
		w.RunUntil(2 * time.Minute)
		if removed := w.ruled(hearsay.RulingRemove); removed != dead+1 || w.hasStay(1) || !w.hasStay(2) {
			t.Errorf("of %d peers %d are out, want %d; n1 is in: %v, n2: %v", peers, removed, dead+1, w.hasStay(1), w.hasStay(2))
		}
		w.Do(Action{Verb: Heal})
		w.convergesWithin(t, 20*time.Second)
	}
}

// Seeds that nobody reaches any more cannot tell that from all being dead: they
// remove all, who go on meanwhile, and come back by themselves.
func TestSeedsAreCutOffFromAll(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 6, "at 10s partition n1..n6 | s1..s3\nat 60s heal", withSeeds(3))
	w.RunUntil(60 * time.Second)
	if removed := w.ruled(hearsay.RulingRemove); removed != 6 {
		t.Errorf("%d are out, want 6", removed)
	}
	t.Logf("all are back %v after the cut's end", w.convergesWithin(t, 30*time.Second))
}

// Without seeds nothing but the word of observers counts, and one is too few.
func TestFewAreLeftInAnOpenNetwork(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 5, "at 10s kill n1..n4", nil)
	w.RunUntil(2 * time.Minute)
	if stats := w.machines[4].node.Stats(); stats.Dead != 0 || stats.Suspect != 4 {
		t.Errorf("%d are dead and %d suspect, want 0 and 4", stats.Dead, stats.Suspect)
	}
}

// A member that left is listed as left, or not at all, by who comes later, also after a ruling
// about a seat, and whether rulings or whole rosters tell of it; and nobody is told that it was removed.
func TestLeaverIsNotDeadAfterASeatRuling(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*Config){"rulings": withSeeds(3), "rosters": shortLedger} {
		for _, between := range []string{"at 15s kill s3\nat 20s restart s3 fresh", "at 15s kill s2 s3\nat 20s recover s1"} {
			w := newScenario(t, 8, "at 10s leave n5\n"+between+"\nat 40s start n6 n7\nat 50s leave n3 n6\nat 55s restart n4\nat 56s start n8", set)
			w.RunUntil(80 * time.Second)
			for by := range 8 {
				if m := &w.machines[by]; m.condition == conditionRunning {
					// in before the ruling and left after it, left before it, came and left after it
					for _, of := range []int{3, 5, 6} {
						if got := w.stateAt(by+1, of); got != hearsay.StateLeft && got != 0 {
							t.Errorf("%s, %q: n%d holds n%d %s", name, between, by+1, of, got)
						}
					}
				}
			}
		}
	}
}
