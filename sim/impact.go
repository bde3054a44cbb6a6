package sim

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// Impact is what the faults of a scenario do to the machines that it names, the
// touched, and to the others, who should live on as if nothing were. A roster
// here is who is in it, whatever the incarnations, as the others hold it.
type Impact struct {
	Touched   int     `json:"touched"`
	Untouched int     `json:"others"`
	Others    int     `json:"others_out"`             // burials of others, each incarnation once
	Out       int     `json:"touched_out"`            // burials of the touched, each incarnation once
	Rate      float64 `json:"touched_out_per_minute"` // of each, from the first fault to the last line of the scenario
	// from the first fault until none of the others had any of the touched in; 0: never
	AllOut  float64 `json:"all_out_after_s"`
	Rosters int     `json:"rosters"`        // different ones since the first fault
	Changes int     `json:"roster_changes"` // of the one of the others that had the most
}

// impact takes it while a world goes on.
type impact struct {
	touched     []bool // by machine
	began, ends time.Duration
	count       Impact
	buried      map[burial]bool
	held        int      // pairs of one of the others and one of the touched that it holds dead
	differs     []uint64 // by machine: in which members its roster differs from that before the first fault
	changes     []int    // by machine
	rosters     map[uint64]bool
}

// burial is of one incarnation.
type burial struct {
	id          hearsay.NodeID
	incarnation hearsay.Incarnation
}

// newImpact looks for the machines that a scenario touches; it gives nil if there are none.
func newImpact(s *Scenario, machines int) *impact {
	t := &impact{
		touched: make([]bool, machines), differs: make([]uint64, machines), changes: make([]int, machines),
		buried: make(map[burial]bool), rosters: map[uint64]bool{0: true},
	}
	for i := range s.Actions {
		a := &s.Actions[i]
		who := a.Who
		switch a.Verb {
		case Start, Say:
			continue
		case Partition:
			who = slices.Concat(a.Groups[1:]...)
		case Cut:
			who = slices.Concat(a.Groups...)
		}
		for _, number := range who {
			if t.count.Touched == 0 {
				t.began = a.At
			}
			if !t.touched[number-1] {
				t.count.Touched++
			}
			t.touched[number-1], t.ends = true, a.At
		}
	}
	if t.count.Touched == 0 {
		return nil
	}
	return t
}

// stepped takes note of what one step of a node tells.
func (t *impact) stepped(w *World, m *machine, e *core.Effects) {
	if w.now < t.began || t.touched[m.index] {
		return
	}
	for i := range e.Events {
		one := &e.Events[i]
		subject := w.check.machineOf(one.Subject)
		if subject < 0 {
			continue
		}
		back := one.Kind == hearsay.EventMemberReturned && !one.State.Living()
		switch {
		case one.Kind == hearsay.EventMemberDead || one.Kind == hearsay.EventMemberRemoved:
			t.bury(one, subject)
		case back && t.touched[subject]:
			t.held--
		case !back && one.Kind != hearsay.EventMemberJoined && one.Kind != hearsay.EventMemberLeft:
			continue
		}
		t.differs[m.index] ^= binary.LittleEndian.Uint64(one.Subject[:])
		t.rosters[t.differs[m.index]] = true
		t.changes[m.index]++
		t.count.Changes = max(t.count.Changes, t.changes[m.index])
	}
	if t.count.AllOut == 0 && t.held == t.count.Touched*(len(t.touched)-t.count.Touched) {
		t.count.AllOut = (w.now - t.began).Seconds()
	}
}

// bury is told of a death by one of the others.
func (t *impact) bury(e *hearsay.Event, subject int32) {
	first := !t.buried[burial{e.Subject, e.Incarnation}]
	t.buried[burial{e.Subject, e.Incarnation}] = true
	switch touched := t.touched[subject]; {
	case touched && first:
		t.held++
		t.count.Out++
	case touched:
		t.held++
	case first:
		t.count.Others++
	}
}

// result is the impact so far.
func (t *impact) result() *Impact {
	r := t.count
	r.Rosters, r.Untouched = len(t.rosters), len(t.touched)-r.Touched
	if took := t.ends - t.began; took > 0 {
		r.Rate = float64(r.Out) / float64(r.Touched) / took.Minutes()
	}
	return &r
}

// append appends the figures for people.
func (t *Impact) append(b []byte) []byte {
	b = fmt.Appendf(b, "%-18s %d, out %d times", "touched", t.Touched, t.Out)
	if t.Rate > 0 {
		b = fmt.Appendf(b, ": each %.2f times a minute", t.Rate)
	}
	if t.AllOut > 0 {
		b = fmt.Appendf(b, "; all out for all after %.3fs", t.AllOut)
	}
	b = fmt.Appendf(b, "\n%-18s %d, out %d times\n", "others", t.Untouched, t.Others)
	return fmt.Appendf(b, "%-18s %d, at most %d changes on one node\n", "rosters", t.Rosters, t.Changes)
}
