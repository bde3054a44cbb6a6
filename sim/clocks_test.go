package sim

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"hearsay/casefile"
)

// A peer whose clock was days ahead has an incarnation of then, and keeps it when the clock is right again. All list
// it, in open networks and in seeded ones, whichever of its lives they met first; and one whose clock is days behind
// lists all others.
func TestClockOfAPeerIsDaysOff(t *testing.T) {
	t.Parallel()
	for _, seeds := range []int{0, 3} {
		for name, by := range daysOff {
			t.Run(fmt.Sprintf("%d seeds, %s", seeds, name), func(t *testing.T) {
				w := newScenario(t, 5, "at 10s jump "+by.off+" n3\nat 10s kill n3\nat 11s restart n3\n"+
					"at 30s jump "+by.back+" n3\nat 30s kill n3\nat 31s restart n3\nat 50s start n5", withSeeds(seeds))
				for _, at := range []time.Duration{11, 31, 50} {
					w.RunUntil(at * time.Second)
					w.convergesWithin(t, 10*time.Second)
				}
			})
		}
	}
}

// daysOff is how a clock is set wrong, and right again.
var daysOff = map[string]struct{ off, back string }{"ahead": {"72h", "-72h"}, "behind": {"-72h", "72h"}}

// One of three seeds is days ahead or behind from its first start. It lists those that the others do, lets in and
// removes with one of them alone, and no seed loses anything when its clock is put right.
func TestClockOfASeedIsDaysOff(t *testing.T) {
	t.Parallel()
	for name, by := range daysOff {
		t.Run(name, func(t *testing.T) {
			w := newScenario(t, 6, "at 0s jump "+by.off+" s2\nat 1s start s2\nat 30s kill s3\nat 31s start n6\nat 50s kill n5\n"+
				"at 70s jump "+by.back+" s2\nat 70s restart s3\nat 70s kill s2\nat 71s restart s2\nat 72s restart n5", withSeeds(3))
			w.RunUntil(29 * time.Second)
			w.convergesWithin(t, 0)
			first, second := w.machines[6].node, w.machines[7].node
			off := w.timeOf(&w.machines[7]).Sub(epoch) - w.now
			if got := off.Seconds() - second.Stats().ClockOff; off.Abs() < 71*time.Hour || math.Abs(got) > 1 || first.Stats().ClockOff != 0 {
				t.Errorf("%s, which is off by %v, says %v s, and s1 says %v s", w.machines[7].name, off, second.Stats().ClockOff, first.Stats().ClockOff)
			}
			if why := first.Seeded().Authority().Why; !strings.Contains(why, "is 3 days ") || !strings.Contains(why, w.machines[7].addr.String()) {
				t.Errorf("of %v s1 says: %q", w.machines[7].addr, why)
			}
			for _, at := range []time.Duration{31, 50, 72} {
				w.RunUntil(at * time.Second)
				w.convergesWithin(t, 15*time.Second)
				if at == 50 {
					datesAreTold(t, w)
				}
			}
			w.RunUntil(110 * time.Second)
			for _, m := range w.machines[6:] {
				if stats, why := m.node.Stats(), m.node.Seeded().Authority().Why; stats.ClockOff != 0 || why != "" {
					t.Errorf("the clock is right, and %s says %v s, and %q", m.name, stats.ClockOff, why)
				}
			}
		})
	}
}

// datesAreTold looks what a seed, a peer and s2 say of the dates of rulings: of those that are by the clock of s2,
// which is wrong, and at s2 of all others, too.
func datesAreTold(t *testing.T, w *World) {
	t.Helper()
	wrong, own := 0, 0
	for _, teller := range []int{0, 6, 7} {
		n := w.machines[teller].node
		for _, r := range n.Seeded().Ledger(0, 10) {
			facts, err := n.Facts(w.timeOf(&w.machines[teller]), r.Stay.ID.String())
			if err != nil {
				t.Fatal(err)
			}
			is := time.UnixMilli(r.At).Sub(epoch).Abs() > 24*time.Hour
			if is {
				wrong++
			}
			file := casefile.Tell(facts)
			if says := strings.Contains(file.Summary, "(by the clock of s2, which is 3 days "); says != is {
				t.Errorf("%s says of epoch %d, whose date is wrong: %v: %s", w.machines[teller].name, r.Epoch, is, file.Summary)
			}
			says := strings.Contains(file.Summary, "(the clock of s2, which tells this, is 3 days ")
			if says != (teller == 7 && !is) || says && strings.Contains(file.Summary, "it took") {
				t.Errorf("%s, of epoch %d: %s", w.machines[teller].name, r.Epoch, file.Summary)
			}
			if says {
				own++
			}
		}
	}
	if wrong == 0 || own == 0 {
		t.Errorf("s2 has decided nothing (%d), or all (%d): this shows nothing", wrong, own)
	}
}

// However often a clock jumps, it is not further from the true time than the checker has room for.
func TestClockJumpsSoFarAtMost(t *testing.T) {
	var c localClock
	for i := range 5 {
		now := time.Duration(i) * time.Minute
		c.jumps(now, jumpMost)
		c.starts(now)
		c.jumps(now, jumpMost/2)
		if c.starts(now); c.shows(now) != now+jumpMost {
			t.Fatalf("it shows %v at %v", c.shows(now), now)
		}
	}
	c.jumps(time.Hour, -3*jumpMost)
	if c.starts(time.Hour); c.shows(time.Hour) != time.Hour-jumpMost {
		t.Errorf("it shows %v", c.shows(time.Hour))
	}
}
