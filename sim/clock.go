package sim

import (
	"math"
	"time"
)

// localClock is the clock of a machine. It drifts at once; if it jumps, that is
// felt at the next start of the process only, as those of an agent are by a
// process's monotonic clock: what waits, waits as long as it meant to.
type localClock struct {
	at     time.Duration // of the world: since then it goes at this rate
	shown  time.Duration // what it showed then, since epoch
	drift  float64       // how much faster it goes than the world: 0.01 gains a hundredth
	jumped time.Duration // since the process has started
}

// driftMost is how far a clock may be from going right (guess: a hundred times
// what a bad crystal does, and as much as a virtual machine's has been seen to).
const driftMost = 0.1

// shows is the time on the clock, since epoch, at a time of the world.
func (c *localClock) shows(now time.Duration) time.Duration {
	return c.shown + c.passed(now-c.at)
}

// passed is how much the clock moves on in a time of the world.
func (c *localClock) passed(d time.Duration) time.Duration {
	if c.drift == 0 {
		return d
	}
	return d + time.Duration(float64(d)*c.drift)
}

// span is how long the world takes for what the clock calls d.
func (c *localClock) span(d time.Duration) time.Duration {
	if c.drift == 0 {
		return d
	}
	return time.Duration(float64(d) / (1 + c.drift))
}

// reaches is the first time of the world, give or take some nanoseconds, at which the clock shows t or more.
func (c *localClock) reaches(t time.Duration) time.Duration {
	const far = math.MaxInt64 / 4 // what is due never
	switch {
	case t <= c.shown: // at once
		return c.at
	case t > far:
		return far
	}
	at := c.at + c.span(t-c.shown)
	for c.shows(at) < t {
		at++
	}
	return at
}

// sets makes the clock go at another rate from now on.
func (c *localClock) sets(now time.Duration, drift float64) {
	c.shown, c.at, c.drift = c.shows(now), now, drift
}

// jumps has the next process find another time, at most jumpMost from the true one.
func (c *localClock) jumps(now, by time.Duration) {
	off := c.shows(now) - now
	c.jumped = min(max(off+c.jumped+by, -jumpMost), jumpMost) - off
}

// starts is told that a process begins, which takes the time as it stands.
func (c *localClock) starts(now time.Duration) {
	c.shown, c.at, c.jumped = c.shows(now)+c.jumped, now, 0
}

// timeOf is what a machine's clock shows.
func (w *World) timeOf(m *machine) time.Time {
	if w.reads != nil {
		return w.reads(m, m.clock.shows(w.now))
	}
	return epoch.Add(m.clock.shows(w.now))
}
