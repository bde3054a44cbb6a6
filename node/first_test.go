package node_test

import (
	"strings"
	"testing"
	"time"

	"hearsay"
)

// A peer that was started before its seeds, for longer than it waits between two questions: it is in within a second of
// the founding, tells nothing that is out of date then, and no trouble once it is in.
func TestFirstStartBeforeTheSeeds(t *testing.T) {
	for _, seconds := range []time.Duration{15, 16, 17, 18, 19, 20, 40} {
		alone := seconds * time.Second
		w := newSeededNetwork(t, 1, 0, 1, 2)
		for at := time.Duration(0); at < alone; at += time.Second {
			w.run(time.Second)
			for slot := range 3 {
				w.carry(3, w.nodes[3].NotReached(w.now, addr(slot), "connection refused"))
			}
		}
		authority := func() hearsay.Authority { return w.nodes[3].Seeded().Authority() }
		w.down = map[int]bool{1: true, 2: true}
		w.run(2 * time.Second)
		if a := authority(); !strings.Contains(a.Why, "1 of 3 seeds answer") {
			t.Errorf("one seed runs: %s", a.Why)
		}
		for _, answer := range w.nodes[3].Seeded().Answers() {
			if answer.Addr == addr(0) && answer.Code == hearsay.OutcomeLost {
				t.Errorf("it says that a seed that answers is not reached: %+v", answer)
			}
		}
		w.down = map[int]bool{}
		founded := false
		for range 80 {
			if w.run(100 * time.Millisecond); w.nodes[0].Seeded().Founded() {
				founded = true
				break
			}
		}
		w.run(2 * time.Second)
		if !founded || !w.nodes[3].Joined() {
			t.Fatalf("after %v alone: founded %v, in %v: %s", alone, founded, w.nodes[3].Joined(), authority().Why)
		}
		for range 80 {
			w.run(100 * time.Millisecond)
			a, stats := authority(), w.nodes[3].Stats()
			if troubles := hearsay.Troubles(&a, &stats); len(troubles) > 0 {
				t.Fatalf("after %v alone, and in, at %v: %q", alone, w.now, troubles)
			}
		}
	}
}

// A peer that comes late reads in the ledger what was ruled before it started: that is marked so, and so is what it
// makes of members that are out by now. Of those that are in, and of what is ruled after its start, nothing is.
func TestRuledBeforeTheStart(t *testing.T) {
	w := newSeededNetwork(t, 3, 5)
	w.run(6 * time.Second)
	w.down[4] = true // n4 is removed before n5 starts
	w.run(15 * time.Second)
	w.down[5] = false
	w.nodes[5] = w.newSeededNode(5)
	before := map[string]bool{}
	w.hears = func(by int, e *hearsay.Event) {
		if by == 5 {
			before[strings.TrimSpace(e.Kind.String()+" "+e.Name+" "+e.Text)] = e.Before
		}
	}
	w.carry(5, w.nodes[5].Tick(w.now))
	w.down[3] = true // and n3 after that
	w.run(15 * time.Second)
	for what, want := range map[string]bool{
		"ruled n3 admit": true, "ruled n4 admit": true, "ruled n4 remove": true, "member-joined n4": true, "member-removed n4": true,
		"member-joined n3": false, "ruled n5 admit": false, "ruled n3 remove": false, "member-removed n3": false,
	} {
		if is, told := before[what]; !told || is != want {
			t.Errorf("%s: told %v, as before the start %v, want %v", what, told, is, want)
		}
	}
}
