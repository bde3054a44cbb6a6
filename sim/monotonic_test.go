package sim

import (
	"strings"
	"testing"
	"time"
	"unsafe"

	"hearsay"
	"hearsay/internal/core"
)

// reading gives a time as a process reads it: what its wall clock shows and, apart
// from that, how long it has run by its monotonic clock. Package time makes no
// such time but by reading the clocks of this machine.
func reading(t *testing.T, wall time.Time, monotonic time.Duration) time.Time {
	read := time.Now()
	read = read.Add(wall.Sub(read))
	parts := (*struct {
		wall     uint64
		ext      int64 // nanoseconds of the monotonic clock
		location *time.Location
	})(unsafe.Pointer(&read))
	parts.ext = int64(monotonic)
	if other := time.Now(); !strings.Contains(read.String(), " m=") || read.Sub(other) == wall.Sub(other.Round(0)) || !read.Round(0).Equal(wall) {
		t.Fatalf("package time is not as it was: %v is to be %v", read, wall)
	}
	return read
}

// The wall clock of a machine is set back by an hour while its node runs. What others
// say of themselves is news to it as before, and so is what they ask: a node counts by
// its monotonic clock what each may use.
func TestClockSetBackWhileRunning(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 8, "", nil)
	began := epoch
	epoch = reading(t, began, time.Hour)
	t.Cleanup(func() { epoch = began })
	back := time.Duration(0)
	w.reads = func(m *machine, shown time.Duration) time.Time {
		if m.index != 2 {
			return epoch.Add(shown)
		}
		return reading(t, began.Add(shown-back), time.Hour+shown)
	}
	w.RunUntil(6 * time.Second)
	w.convergesWithin(t, 0)
	for i := range 4 {
		for range 3 { // an honest member refutes some suspicions in a second
			w.accuse(5)
			w.RunUntil(w.now + 300*time.Millisecond)
		}
		t.Logf("one roster after %v", w.convergesWithin(t, 3*time.Second))
		if back = time.Hour; i > 1 {
			back = 0 // and set right again
		}
	}
}

// accuse has a machine's node hear that another suspects it, and so raise its
// incarnation.
func (w *World) accuse(number int) {
	by, m := &w.machines[0], &w.machines[number-1]
	claim := hearsay.Claim{Subject: m.id, State: hearsay.StateSuspect, Incarnation: w.check.identities[m.identity].claimed, By: by.id}
	w.advance(m, func(now time.Time) *core.Effects {
		return m.node.Receive(now, &core.Packet{From: by.id, Addr: by.addr, Body: &core.News{}, Claims: []hearsay.Claim{claim}})
	})
}
