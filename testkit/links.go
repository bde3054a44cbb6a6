package testkit

import (
	"math/rand/v2"
	"time"
)

// Links say what becomes of packets on their way between nodes that have numbers.
type Links struct {
	Random *rand.Rand
	Loss   float64                 // share of packets that get lost
	Slow   time.Duration           // a packet takes less than that
	Cut    func(from, to int) bool // nothing passes; nil: everything may. What has no number, as -1, is not asked for
}

// Carry draws how long a packet takes. Not ok: it does not come.
func (l *Links) Carry(from, to int) (time.Duration, bool) {
	if l.Random.Float64() < l.Loss || l.Cut != nil && to >= 0 && l.Cut(from, to) {
		return 0, false
	}
	return l.UpTo(l.Slow), true
}

// UpTo draws a time below d.
func (l *Links) UpTo(d time.Duration) time.Duration {
	return time.Duration(l.Random.Int64N(int64(max(1, d))))
}
