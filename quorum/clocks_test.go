package quorum

import (
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// A clock is right if a quorum of seeds agree with it. Where none do nobody knows which one is.
func TestWrongClocks(t *testing.T) {
	const day, near, none = 24 * time.Hour, 20 * time.Second, time.Duration(1 << 60)
	for _, test := range []struct {
		name   string
		others []time.Duration // how far they are ahead of slot 0
		off    time.Duration   // of slot 0
		says   string          // of others, slot by slot: wrong by a quorum, perhaps wrong, or neither
	}{
		{"all agree", []time.Duration{near, -near}, 0, ".."},
		{"one is ahead", []time.Duration{near, 3 * day}, 0, ".w"},
		{"one is behind", []time.Duration{-3 * day, 0}, 0, "w."},
		{"this one is ahead", []time.Duration{-3 * day, -3*day + near}, 3 * day, ".."},
		{"this one is behind", []time.Duration{3 * day, 3 * day}, -3 * day, ".."},
		{"each has its own time", []time.Duration{3 * day, -day}, 0, "dd"},
		{"one is not heard, and one differs", []time.Duration{3 * day, none}, 0, "d."},
		{"none is heard", []time.Duration{none, none}, 0, ".."},
		{"one of two", []time.Duration{day}, 0, "d"},
		{"only one", nil, 0, ""},
		{"two of five", []time.Duration{day, day, 0, near}, 0, "ww.."},
		{"two of five, with this one", []time.Duration{day, day, day, near}, -day, "...w"},
		{"two of five, and one has failed", []time.Duration{day, day, 0, none}, 0, "dd.."},
	} {
		q := &Quorum{cfg: Config{Seeds: make([]ledger.Seed, 1+len(test.others))}}
		q.clocks.seed = q
		for i, ahead := range test.others {
			if ahead != none {
				q.clocks.shown[1+i].at, q.clocks.shown[1+i].ahead = time.UnixMilli(1), ahead
			}
		}
		says := ""
		for i := range test.others {
			switch text := q.clocks.wrongClock(1 + i).Text; {
			case text == "":
				says += "."
			case strings.Contains(text, "no quorum of seeds agree"):
				says += "d"
			default:
				says += "w"
			}
		}
		if off := q.ClockOff(); (off-test.off).Abs() > time.Minute || says != test.says {
			t.Errorf("%s: this clock is off by %v, want %v; of the others: %q, want %q", test.name, off, test.off, says, test.says)
		}
	}
}

// The wall clock of a seed is set wrong while it runs, and right again. An answer that waited in a seed that was paused
// says nothing.
func TestClockIsSetWhileASeedRuns(t *testing.T) {
	w := followed(t, 47, 1)
	w.Run(10 * time.Second)
	slot, told := 1, 0
	say := func(q *Quorum, ahead time.Duration, after time.Duration) {
		q.clocks.shown[slot].asked = w.Now.Add(-after)
		m := &core.SeatHello{Versions: ledger.Versions(), Slot: uint8(slot), Term: 1, Clock: uint64(w.Now.Add(ahead).UnixMilli())}
		q.clocks.showsClock(w.Now, m)
	}
	m := w.Machines[0]
	for i, step := range []struct {
		ahead, after time.Duration
		wrong        bool
	}{
		{0, 0, false},
		{72 * time.Hour, 6 * time.Second, false},
		{72 * time.Hour, time.Second, true},
		{-time.Hour, time.Second, true},
		{0, time.Second, false},
		{2 * time.Hour, time.Second, true},
	} {
		w.Step(m, func() {
			say(m.Q, step.ahead, step.after)
			m.Q.clocks.tickClocks(w.Now)
			for j := range m.Q.out.Events {
				if e := &m.Q.out.Events[j]; e.Kind == hearsay.EventClockOff && e.Addr == m.Q.cfg.Seeds[slot].Addr {
					told++
				}
			}
		})
		if is := strings.Contains(m.Q.Why(), "the clock of the seed at "); is != step.wrong {
			t.Errorf("step %d: %q, want a wrong clock: %v", i, m.Q.Why(), step.wrong)
		}
	}
	if told != 2 {
		t.Errorf("it was told %d times, want 2", told)
	}
}

// The clock of whatever answers at a seed's address with another key says nothing of that seed.
func TestClockOfAnotherKeyIsNotTold(t *testing.T) {
	w := followed(t, 88, 1)
	q := w.Machines[0].Q
	answer := func(seat hearsay.Seat) string {
		w.Step(w.Machines[0], func() {
			q.clocks.shown[1].asked = w.Now
			q.seats.met(w.Now, &core.SeatHello{Versions: ledger.Versions(), Slot: 1, Key: seat.Key, Life: seat.Life, Answer: true, Founded: true, Founding: q.founding, Term: 7, Clock: uint64(w.Now.Add(72 * time.Hour).UnixMilli())})
		})
		return q.clocks.wrongClock(1).Text
	}
	if text := answer(hearsay.Seat{Slot: 1, Key: newKeyed(7777).Public(), Life: hearsay.Life{7}}); text != "" {
		t.Errorf("of another key: %s", text)
	}
	if text := answer(q.seats.known[1].seat); text == "" {
		t.Error("nothing of the seed's own: the test shows nothing")
	}
}
