package sim

import (
	"testing"
	"time"

	"hearsay"
)

// A datagram that is held back comes after many that were sent later; nobody is
// the worse for it.
func TestHeldBackIsNoHarm(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 8, "at 8s reorder 0.1 3s\nat 9s say anyone x50 every 200ms\nat 40s reorder 0 0s", func(c *Config) { c.NoFalseDeath = true })
	w.RunUntil(40 * time.Second)
	w.convergesWithin(t, 15*time.Second)
	if held := w.counts.HeldBack; held < w.counts.Packets/20 || held > w.counts.Packets/5 {
		t.Errorf("%d of %d datagrams were held back", held, w.counts.Packets)
	}
}

// A machine that is slow, but not too slow to answer in time, is well; one that
// takes two seconds is suspect, and comes back by itself.
func TestSlowNode(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 8, "at 10s slow 40ms n3", func(c *Config) { c.NoFalseDeath = true })
	w.RunUntil(40 * time.Second)
	if w.counts.Suspicions > 0 {
		t.Errorf("%d suspicions of one who takes 40 ms", w.counts.Suspicions)
	}
	w.Do(Action{Verb: Slow, Who: []int{3}, Delay: 2 * time.Second})
	w.RunUntil(60 * time.Second)
	if w.counts.Suspicions == 0 {
		t.Error("nobody suspects one who takes two seconds")
	}
	w.Do(Action{Verb: Slow, Who: []int{3}})
	w.convergesWithin(t, 15*time.Second)
}

// What a slow machine is sent it sees in order, and what an earlier life was
// sent it never sees.
func TestSlowNodeStartedAgain(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 4, "at 10s slow 1s n3\nat 15s kill n3\nat 15200ms restart n3\nat 25s slow 0s n3\nat 25s pause n3\nat 26s resume n3", nil)
	w.RunUntil(30 * time.Second)
	w.convergesWithin(t, 30*time.Second)
}

// A clock that gains a twentieth has its node probe so much more often.
func TestDrift(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 8, "at 10s drift 0.05 n3\nat 10s drift -0.05 n4\nat 10s say anyone x50 every 1s", func(c *Config) { c.NoFalseDeath = true })
	w.RunUntil(10 * time.Second)
	probes := func(number int) uint64 { return w.machines[number-1].node.Stats().Probes }
	fast, slow := probes(3), probes(4)
	w.RunUntil(210 * time.Second)
	w.convergesWithin(t, 0)
	if got := probes(3) - fast; got < 208 || got > 212 {
		t.Errorf("%d probes in 200 s of a clock that gains a twentieth", got)
	}
	if got := probes(4) - slow; got < 188 || got > 192 {
		t.Errorf("%d probes in 200 s of a clock that loses a twentieth", got)
	}
	if w.counts.Suspicions > 0 {
		t.Errorf("%d suspicions", w.counts.Suspicions)
	}
	w.Do(Action{Verb: Drift, Who: []int{3, 4}})
	shown := w.timeOf(&w.machines[2]).Sub(epoch) - w.now
	w.RunUntil(w.now + time.Minute)
	if got := w.timeOf(&w.machines[2]).Sub(epoch) - w.now; got != shown || shown < 9*time.Second {
		t.Errorf("it was ahead by %v when it went right again, and is by %v", shown, got)
	}
}

// Whose clock went back an hour while it was down has an incarnation above all
// it had, all the same; and so has one whose clock went ahead and back.
func TestJumpedClock(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 4, "at 10s jump -1h n3\nat 10s kill n3\nat 11s restart n3\n"+
		"at 20s jump 2h n3\nat 20s kill n3\nat 21s restart n3\nat 30s jump -2h n3\nat 30s kill n3\nat 31s restart n3", func(c *Config) { c.NoFalseDeath = true })
	last := hearsay.Incarnation(0)
	for _, at := range []time.Duration{9, 19, 29, 39} {
		w.RunUntil(at * time.Second)
		w.convergesWithin(t, 0)
		now := w.machines[2].node.Self().Incarnation
		if now <= last {
			t.Errorf("at %s: incarnation %d after %d", seconds(w.now), now, last)
		}
		last = now
	}
	if shown := w.timeOf(&w.machines[2]).Sub(epoch) - w.now; shown != -time.Hour {
		t.Errorf("its clock is off by %v", shown)
	}
}

// A process whose disk fails stops, and what it had asked to keep is told by
// nobody; started again, it is who it was.
func TestFailingDisk(t *testing.T) {
	t.Parallel()
	for _, sync := range []string{"", "\nat 9s disk 20ms n3"} {
		w := newScenario(t, 4, "at 10s fail 1 n3\nat 11s say n3\nat 15s fail 0 n3\nat 15s restart n3"+sync, nil)
		w.RunUntil(14 * time.Second)
		if m := &w.machines[2]; m.condition != conditionCrashed || w.counts.DiskFails != 1 {
			t.Fatalf("n3 is %s after %d syncs failed", m.condition, w.counts.DiskFails)
		}
		if heard := w.machines[0].node.Stats().RumorsDelivered; heard > 0 {
			t.Fatal("n1 has heard what n3 could not keep")
		}
		id := w.machines[2].id
		w.RunUntil(15 * time.Second)
		w.convergesWithin(t, 10*time.Second)
		if w.machines[2].id != id {
			t.Error("it is somebody else")
		}
	}
}

// A clock reads each time once, and is never called before it.
func TestLocalClock(t *testing.T) {
	c := localClock{}
	stream := draws(1, "clock")
	now := time.Duration(0)
	for range 1000 {
		now += upTo(&stream, time.Minute)
		before := c.shows(now)
		c.sets(now, driftMost*(2*float64(stream.Uint64()%1000)/1000-1))
		if c.shows(now) != before {
			t.Fatalf("at %v: another rate moved it from %v to %v", now, before, c.shows(now))
		}
		due := before + upTo(&stream, time.Minute)
		at := c.reaches(due)
		if c.shows(at) < due || at > now && c.shows(at-3) >= due {
			t.Fatalf("reaches %v at %v, and shows %v then and %v before", due, at, c.shows(at), c.shows(at-3))
		}
	}
}

// Whose clock is an hour ahead after a restart takes its own rumors for old ones,
// and gets them from those who heard them.
func TestJumpedClockLosesNoRumor(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 4, "at 10s say n3 x5 every 100ms\nat 12s jump 1h n3\nat 12s kill n3\nat 13s restart n3", nil)
	w.RunUntil(13 * time.Second)
	w.convergesWithin(t, 15*time.Second)
	if heard := w.machines[2].node.Stats().RumorsDelivered; heard != 5 {
		t.Errorf("n3 has heard %d of its own 5 rumors again", heard)
	}
}
