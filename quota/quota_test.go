package quota

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

var (
	start = time.Unix(1_700_000_000, 0)
	share = Share{All: PerSecond(100, 40), Each: PerSecond(10, 10)}
)

func sender(class Class, n int) Sender {
	return Sender{Class: class, Addr: netip.MustParseAddrPort(fmt.Sprintf("10.1.%d.%d:%d", n/256, n%256, 1000*int(class)))}
}

// use takes until nothing is left, and counts.
func use(q *Quota, now time.Time, from Sender) (n int) {
	for n < 10_000 && q.Take(now, from, 1) {
		n++
	}
	return n
}

// TestClassesLeaveEachOtherWhole: any class that uses up all that it may leaves
// those of the others as they were.
func TestClassesLeaveEachOtherWhole(t *testing.T) {
	for greedy := range classes {
		q := New(1, &Shares{share, share, share})
		all := 0
		for n := range 1000 {
			all += use(q, start, sender(greedy, n))
		}
		if all < 30 || all > 80 {
			t.Errorf("class %d used %d at once, may use 40, and 40 more for slots", greedy, all)
		}
		for other := range classes {
			if got := use(q, start, sender(other, 0)); other != greedy && got < 10 {
				t.Errorf("class %d has used up its share, and class %d has %d of 10 left", greedy, other, got)
			}
		}
	}
}

// TestOneSenderLeavesRoom: who uses all that it may leaves as much to another
// of its class, and has its own again after a while.
func TestOneSenderLeavesRoom(t *testing.T) {
	q := New(7, &Shares{Stranger: share})
	if got := use(q, start, sender(Stranger, 1)); got < 10 || got > 20 {
		t.Errorf("one used %d at once, may use 10, and as many before anybody is told apart", got)
	}
	if got := use(q, start, sender(Stranger, 2)); got != 10 {
		t.Errorf("another had %d of 10", got)
	}
	if q.Take(start, sender(Stranger, 1), 1) {
		t.Error("the first has some left")
	}
	if got := use(q, start.Add(time.Second), sender(Stranger, 1)); got < 10 || got > 20 {
		t.Errorf("after a second it had %d", got)
	}
}

// A few senders that ask for all there is do not shut out others: each has some of
// its own. What all have together stays bounded.
func TestFewLeaveOthersSomething(t *testing.T) {
	const seconds, greedy, rate = 60, 6, 500
	q := New(1, &Shares{Stranger: Share{All: PerSecond(rate, 50), Each: PerSecond(rate/4, 12)}})
	asked, granted, taken := 0, 0, 0
	for ms := range seconds * 1000 {
		now := start.Add(time.Duration(ms) * time.Millisecond)
		for n := range greedy { // a thousand a second, each of them
			if q.Take(now, sender(Stranger, n), 1) {
				taken++
			}
		}
		if ms%1000 == 500 {
			asked++
			if q.Take(now, sender(Stranger, 1000), 1) {
				granted++
			}
		}
	}
	if granted < asked*9/10 {
		t.Errorf("another had %d of the %d for which it asked; the %d had %d a second", granted, asked, greedy, taken/seconds)
	}
	taken = 0
	for ms := range seconds * 1000 { // of crowds
		now := start.Add(time.Hour + time.Duration(ms)*time.Millisecond)
		for n := range 20 {
			if q.Take(now, sender(Stranger, (20*ms+n)%65536), 1) {
				taken++
			}
		}
	}
	if most := 2*rate + 2*50/seconds + 1; taken/seconds > most {
		t.Errorf("a crowd had %d a second, may have %d", taken/seconds, most)
	}
}

func TestManyUnits(t *testing.T) {
	q := New(1, &Shares{Stranger: Share{All: PerSecond(10_000, 10_000), Each: PerSecond(1000, 1000)}})
	one := sender(Stranger, 1)
	q.Take(start, sender(Stranger, 2), 3000) // from now on each is told apart
	if !q.Take(start, one, 3000) {
		t.Fatal("the first was refused")
	}
	for _, c := range []struct {
		after time.Duration
		ok    bool
	}{{0, false}, {time.Second, false}, {1900 * time.Millisecond, false}, {2001 * time.Millisecond, true}} {
		if got := q.Take(start.Add(c.after), one, 0); got != c.ok {
			t.Errorf("after %s: %t", c.after, got)
		}
	}
}

// A use is of any size, and forged sources are in all slots: what they have at once is
// twice what the class may have, and the two last uses, which go beyond it.
func TestLongUsesInAllSlots(t *testing.T) {
	const second, long = 2 << 20, 1 << 20
	q := New(1, &Shares{Stranger: Share{All: PerSecond(second, second), Each: PerSecond(second/4, second/4)}})
	taken := 0
	for n := range 65536 {
		if q.Take(start, sender(Stranger, n), long) {
			taken += long
		}
	}
	if taken > 2*(second+long) {
		t.Errorf("all slots had %d bytes at once, may have %d", taken, 2*(second+long))
	}
}

func TestNothingIsAllowedWithoutAShare(t *testing.T) {
	if q := New(1, &Shares{Member: share}); q.Take(start, sender(Stranger, 1), 1) || q.Take(start, sender(Seat, 1), 1) {
		t.Error("a class without a share had something")
	}
	if new(Quota).Take(start, sender(Member, 1), 1) {
		t.Error("the zero quota allowed something")
	}
}

func TestTakeAllocatesNothing(t *testing.T) {
	q, now := New(1, &Shares{share, share, share}), start
	use(q, now, sender(Stranger, 1))
	if n := testing.AllocsPerRun(100, func() {
		now = now.Add(time.Millisecond)
		q.Take(now, sender0, 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

var sender0 = sender(Stranger, 0)

// TestClockSetBack: times count by the monotonic clock, so that a machine whose clock
// is set back goes on allowing what it did.
func TestClockSetBack(t *testing.T) {
	q := New(1, &Shares{Stranger: share})
	first := time.Now()
	if !q.Take(first, sender(Stranger, 1), 1) {
		t.Fatal("nothing was allowed")
	}
	if ahead := time.Duration(q.counts.used[Stranger].all) - first.Sub(q.counts.began); ahead > time.Second || first.Sub(q.counts.began) > 48*time.Hour {
		t.Errorf("what was used reaches %v ahead, counted from %v", ahead, q.counts.began)
	}
}
