package sim

import (
	"math/rand/v2"
	"testing"
	"time"

	"hearsay"
)

// A peer that comes back at another address is found there by all.
func TestMovesAreFollowed(t *testing.T) {
	t.Parallel()
	for _, seeds := range []int{0, 3} {
		w := newScenario(t, 6, "at 12s move n3\nat 14s move n1\nat 40s move n3", withSeeds(seeds))
		w.RunUntil(40 * time.Second)
		t.Logf("%d seeds: agrees after %v", seeds, w.convergesWithin(t, 30*time.Second))
		three := &w.machines[2]
		if three.addr != w.machines[2].node.Self().Addr || three.addr.Port() != port+2 || w.counts.Moves != 3 {
			t.Fatalf("n3 is at %v after %d moves", three.addr, w.counts.Moves)
		}
		if at, found := w.network.machineAt(addrOf(2)); found {
			t.Fatalf("machine %d is still found at the first address of n3", at)
		}
		for i := range w.machines {
			w.members = w.machines[i].node.Members(w.members[:0])
			for _, one := range w.members {
				if one.ID == three.id && one.Addr != three.addr {
					t.Errorf("%s has n3 at %v, and it is at %v", w.machines[i].name, one.Addr, three.addr)
				}
			}
		}
	}
}

// A peer whose machine gets another address while it runs is found there by all, and none
// holds it dead meanwhile.
func TestRoamingIsFollowed(t *testing.T) {
	t.Parallel()
	for _, seeds := range []int{0, 3} {
		w := newScenario(t, 6, "at 12s roam n3\nat 30s roam n3\nat 31s roam n3", withSeeds(seeds))
		w.config.NoFalseDeath = true
		w.RunUntil(31 * time.Second)
		t.Logf("%d seeds: agrees after %v", seeds, w.convergesWithin(t, 30*time.Second))
		three := &w.machines[2]
		for i := range w.machines {
			w.members = w.machines[i].node.Members(w.members[:0])
			for _, one := range w.members {
				if one.ID == three.id && (one.Addr != three.addr || one.State != hearsay.StateAlive) {
					t.Errorf("%s has n3 %v at %v, and it is at %v", w.machines[i].name, one.State, one.Addr, three.addr)
				}
			}
		}
		if three.life != 1 || w.check.broken != 0 {
			t.Errorf("life %d, %d rules broken", three.life, w.check.broken)
		}
	}
}

// Two that move while they are apart have no address of each other that is good any more. They
// find together, as they know one of the two by name.
func TestRoamingApart(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"while they run": "at 10s partition n1 | n2\nat 20s roam n1 n2\nat 60s heal",
		"and start":      "at 10s partition n1 | n2\nat 20s move n1 n2\nat 60s heal",
	} {
		w := newScenario(t, 2, text, nil)
		w.RunUntil(60 * time.Second)
		t.Logf("%s: found after %v", name, w.convergesWithin(t, time.Minute))
	}
}

// One whose disk fails stops, and does not start before that is well.
func TestFullDisks(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 5, "at 10s fill n3\nat 11s say n3\nat 15s restart n3\nat 20s room n3\nat 21s restart n3", withSeeds(3))
	w.RunUntil(19 * time.Second)
	if w.machines[2].node != nil || w.counts.DiskFails < 1 {
		t.Fatal("it goes on with a full disk")
	}
	w.RunUntil(21 * time.Second)
	w.convergesWithin(t, 30*time.Second)
}

// A bit that flips is noticed, wherever it is.
func TestDamagedDisksAreNotRead(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 5, "at 5s say anyone x10 every 100ms\nat 10s kill n3", withSeeds(3))
	w.RunUntil(11 * time.Second)
	for seed := range uint64(200) {
		disk := w.machines[2].disk.Clone()
		if !disk.Damage(rand.New(rand.NewPCG(seed, 1))) {
			t.Fatal("nothing is on it")
		}
		if _, err := disk.Load(); err == nil {
			t.Fatalf("draw %d: it is read all the same", seed)
		}
	}
	w.Do(Action{Verb: Restart, Who: []int{3}})
	w.Do(Action{Verb: Damage, Who: []int{3}})
	w.convergesWithin(t, 40*time.Second)
	if w.machines[2].disks != 2 || w.counts.Damages != 1 {
		t.Fatal("it did not begin anew")
	}
}

// Who is barred is not let in again, until the bar is lifted.
func TestBars(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 5, "at 10s bar n3\nat 12s leave n3\nat 20s restart n3\nat 50s lift n3", withSeeds(3))
	w.RunUntil(49 * time.Second)
	if w.hasStay(3) || w.counts.Bars != 1 {
		t.Fatal("it is in, and barred")
	}
	w.RunUntil(50 * time.Second)
	t.Logf("in again after %v", w.runsUntil(t, 30*time.Second, "it is in", func() bool { return w.hasStay(3) }))
	w.convergesWithin(t, 30*time.Second)
}

// One that the seeds have removed, and that runs on, lists itself as one that is not in, and counts itself out; no
// other node does, nor it once it is in again.
func TestRemovedMachineDoesNotListItselfAsIn(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 5, "at 10s loss-in 1 n3\nat 10s loss-out 1 n3\nat 40s bar n3\nat 41s loss-in 0 n3\nat 41s loss-out 0 n3\nat 60s lift n3", withSeeds(3))
	w.RunUntil(9 * time.Second)
	looks := func(outside string) {
		t.Helper()
		for i := range w.machines {
			m := &w.machines[i]
			living := 0
			for _, one := range m.node.Members(nil) {
				if one.State.Living() && !one.Outside {
					living++
				}
				if one.Outside != (m.name == outside && one.ID == m.id) {
					t.Errorf("%v: %s lists %s: not in is %v", w.now, m.name, one.Name, one.Outside)
				}
			}
			if alive := m.node.Stats().Alive; alive != living {
				t.Errorf("%v: %s counts %d alive, and lists %d", w.now, m.name, alive, living)
			}
		}
	}
	looks("")
	w.RunUntil(55 * time.Second)
	looks("n3")
	w.RunUntil(90 * time.Second)
	looks("")
}

// A bar is lifted also of an identity that a copy of the disk has taken elsewhere.
func TestBarOfATwinIsLifted(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 5, "at 20s kill n3\nat 21s clone n3 n5\nat 40s bar n3\nat 45s lift n3\nat 50s kill n5\nat 52s restart n3", withSeeds(3))
	w.RunUntil(44 * time.Second)
	if seed := w.operator.readySeed(); w.counts.Bars != 1 || len(seed.node.Seeded().Barred()) != 1 {
		t.Fatal("it is not barred")
	}
	w.RunUntil(60 * time.Second)
	if bars := w.operator.readySeed().node.Seeded().Barred(); len(bars) != 0 {
		t.Fatalf("still barred: %v", bars)
	}
	w.convergesWithin(t, 60*time.Second)
}

// An operator's word removes nobody who answers.
func TestAskedRemovals(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 5, "at 10s remove n3\nat 30s kill n4\nat 30s remove n4", withSeeds(3))
	w.RunUntil(60 * time.Second)
	if !w.hasStay(3) || w.hasStay(4) || w.counts.Asked != 2 || w.counts.Answered != 2 {
		t.Fatalf("n3 is in: %v, n4: %v; %d answers", w.hasStay(3), w.hasStay(4), w.counts.Answered)
	}
}

// Seeds lose their disks one after the other: all of them, each once the one
// before has its seat.
func TestAllSeedsLoseTheirDisks(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 5, "at 10s lose s1..s3\nat 40s remove n5\nat 41s kill n5", withSeeds(3))
	w.RunUntil(60 * time.Second)
	if w.counts.Losses != 3 || w.counts.SeatsGiven == 0 {
		t.Fatalf("%d disks lost, %d seats given", w.counts.Losses, w.counts.SeatsGiven)
	}
	w.convergesWithin(t, 30*time.Second)
}

// Two members may have one name.
func TestNameClashes(t *testing.T) {
	t.Parallel()
	for _, seeds := range []int{0, 3} {
		w := newScenario(t, 5, "at 0s call n3 n4\nat 20s call n5 n4\nat 20s kill n5\nat 22s restart n5", withSeeds(seeds))
		w.RunUntil(22 * time.Second)
		w.convergesWithin(t, 40*time.Second)
		if name := w.machines[4].node.Self().Name; name != "n4" {
			t.Fatalf("n5 is called %s", name)
		}
	}
}

// A seed that starts on an older copy of its disk stops while the others have
// what it has promised; a peer on one goes on, and breaks no rule.
func TestOlderCopies(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 6, `
at 5s say anyone x80 every 500ms
at 10s save n3 s3
at 12s kill n6
at 20s restart n6
at 30s restore n3
at 31s restore s3`, withSeeds(3))
	w.RunUntil(60 * time.Second)
	if w.counts.Restores != 2 || w.counts.Dooms != 1 || w.machines[8].condition != conditionCrashed {
		t.Fatalf("%d copies, %d seeds stopped, s3 is %s", w.counts.Restores, w.counts.Dooms, w.machines[8].condition)
	}
	w.convergesWithin(t, 30*time.Second)
}

// Peers count no seed that is put back and waits for what another knows: with it there is no quorum, and nothing is
// promised of who dies meanwhile. Once it takes part they do.
func TestSeedInDoubtIsNotCounted(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 4, `
at 15s save s3
at 16s kill s2
at 20s restore s3
at 28s kill n4
at 45s restart s2`, withSeeds(3))
	ready := func(want bool) {
		t.Helper()
		for i := range 3 {
			if a := w.machines[i].node.Seeded().Authority(); a.Ready != want {
				t.Errorf("at %s n%d says that a quorum is heard: %t (%s); s3: %q", seconds(w.now), i+1, a.Ready, a.Why, a.Seeds[2].Note)
			}
		}
	}
	w.RunUntil(15 * time.Second)
	ready(true)
	w.RunUntil(22 * time.Second)
	ready(false)
	w.RunUntil(44 * time.Second)
	ready(false)
	w.RunUntil(52 * time.Second)
	ready(true)
	if w.check.broken > 0 {
		t.Errorf("broken: %v", w.check.violations)
	}
}

// A seed that is put back while the one that knows is down waits for that, and stops:
// no other ledger is decided.
func TestRestoredSeedWaits(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 6, `
at 10s save s3
at 15s kill s2
at 20s leave n6
at 21s leave n5
at 40s kill s1
at 41s restore s3
at 42s restart s2
at 45s restart n5
at 60s restart s1`, withSeeds(3))
	w.RunUntil(100 * time.Second)
	if w.counts.Restores != 1 || w.counts.Dooms != 1 || w.check.broken != 0 {
		t.Fatalf("%d copies, %d seeds stopped, %d rules broken", w.counts.Restores, w.counts.Dooms, w.check.broken)
	}
}
