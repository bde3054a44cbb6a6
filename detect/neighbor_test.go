package detect_test

import (
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/internal/core"
)

// newNeighbor makes a detector that has to watch some of its members.
func newNeighbor(t *testing.T, members int, links ...int) *world {
	return newWorldOf(t, members, func(cfg *detect.Config, d *detect.Directory) {
		cfg.Kind = detect.KindNeighbor
		d.Watched = func(ids []hearsay.NodeID) []hearsay.NodeID {
			for _, i := range links {
				ids = append(ids, id(i))
			}
			return ids
		}
	})
}

func TestNeighborPingsEachLinkOnceAnInterval(t *testing.T) {
	w := newNeighbor(t, 20, 3, 7, 11, 15)
	w.run(10*w.cfg.Interval + w.cfg.Period)
	counts := map[int]int{}
	for _, i := range w.pinged {
		counts[i]++
	}
	for _, i := range []int{3, 7, 11, 15} {
		if counts[i] < 10 || counts[i] > 11 {
			t.Errorf("link %d is pinged %d times in ten intervals", i, counts[i])
		}
	}
	if len(counts) != 4 {
		t.Errorf("pings %v; links are 3, 7, 11 and 15", counts)
	}
	if n, e := w.count(hearsay.EventUnreachable); n > 0 {
		t.Errorf("accuses a member that answers: %+v", e)
	}
}

func TestNeighborAccusesAfterThreeMisses(t *testing.T) {
	w := newNeighbor(t, 9, 2, 4)
	relays := 0
	w.relay = func(int, int) (bool, bool) { relays++; return true, true }
	w.direct = func(i int) bool { return i != 4 }
	for misses := 0; misses < 3; misses = len(slices.DeleteFunc(slices.Clone(w.pinged), func(i int) bool { return i != 4 })) {
		if n, _ := w.count(hearsay.EventUnreachable); n > 0 {
			t.Fatalf("accuses after %d misses", misses)
		}
		w.run(w.cfg.Interval / 2)
	}
	w.run(w.cfg.Interval / 2)
	if n, e := w.count(hearsay.EventUnreachable); n != 1 || e.Subject != id(4) || relays > 0 {
		t.Errorf("%d accusations after three misses, %+v; %d relays asked", n, e, relays)
	}
}

// An answer between them has misses count for nothing.
func TestNeighborMissesMustBeInARow(t *testing.T) {
	w := newNeighbor(t, 9, 2, 4)
	pings := 0
	w.direct = func(i int) bool {
		if i == 4 {
			pings++
		}
		return i != 4 || pings%3 == 0
	}
	w.run(30 * w.cfg.Interval)
	if n, e := w.count(hearsay.EventUnreachable); n > 0 || pings < 29 {
		t.Errorf("%d accusations, %+v, in %d pings of which every third was answered", n, e, pings)
	}
}

// A node that stood still takes what it missed meanwhile for one miss at most.
func TestNeighborThatWasLateBegins(t *testing.T) {
	w := newNeighbor(t, 9, 4)
	w.direct = func(int) bool { return false }
	w.run(2*w.cfg.Interval - w.cfg.Interval/2)
	w.BecomeLate(w.now)
	w.run(w.cfg.Interval)
	if n, e := w.count(hearsay.EventUnreachable); n > 0 {
		t.Errorf("accuses at once: %+v", e)
	}
	w.run(2 * w.cfg.Interval)
	if n, _ := w.count(hearsay.EventUnreachable); n == 0 {
		t.Error("never accuses again")
	}
}

// However many links there are, and however short the interval is, a ping has its time.
func TestNeighborLeavesAPingItsTime(t *testing.T) {
	w := newNeighbor(t, 9, 1, 2, 3, 4, 5, 6, 7, 8)
	w.cfg.Interval, w.trip = time.Second, w.cfg.TimeoutMax-time.Millisecond
	w.run(time.Minute)
	if n, e := w.count(hearsay.EventUnreachable); n > 0 || len(w.pinged) < 60 {
		t.Errorf("%d accusations, %+v, of members that answer in time; %d pings", n, e, len(w.pinged))
	}
}

// A suspect about which nobody decides is no link, and is pinged now and then.
func TestNeighborPingsOverdueSuspects(t *testing.T) {
	w := newNeighbor(t, 9, 2, 4)
	w.doubt, w.direct = 6, func(i int) bool { return i != 6 }
	w.run(6 * w.cfg.Interval)
	if n, e := w.count(hearsay.EventUnreachable); n != 1 || e.Subject != id(6) {
		t.Errorf("%d accusations, %+v: one miss of a suspect is enough", n, e)
	}
}

func TestNeighborAllocatesNothing(t *testing.T) {
	w := newNeighbor(t, 20, 3, 7, 11, 15)
	w.run(3 * w.cfg.Interval)
	answer := core.Packet{From: id(3), Addr: addr(3), Body: &core.Ack{}}
	allocs := testing.AllocsPerRun(100, func() {
		w.now = w.Deadline()
		w.Tick(w.now)
		for _, p := range w.out.Now {
			if m, is := p.Body.(*core.Ping); is {
				answer.From, answer.Addr = m.Target, p.Addr
				w.Ack(w.now, &answer, m.Seq)
			}
		}
		w.out.Reset()
	})
	if allocs > 0 {
		t.Errorf("%v allocations a step", allocs)
	}
}
