package sim

import (
	"fmt"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// Members that do not lie, but harm by how they run: they come and go, or are
// slow.

// flapPeriod is how long a flapper is silent, and then as long itself: long
// enough to be buried, and to come back (guess: the worst for others).
const flapPeriod = 5 * time.Second

func layFlapper(t *trial) {
	var s *siege
	silent := func() bool { return s.begun && (s.w.now-siegeBegins)/flapPeriod%2 == 0 }
	s = t.newSiege(0, nil, &twist{
		takes: func(*World, *machine, *core.Packet) bool { return !silent() },
		steps: func(_ *World, _ *machine, e *core.Effects) {
			if silent() {
				e.Now, e.Send = e.Now[:0], e.Send[:0]
			}
		},
	})
	burials := 0
	s.events = func(_ *machine, e *hearsay.Event) {
		if i := s.w.check.machineOf(e.Subject); buries(e) && i >= 0 && s.lying[i] {
			burials++
		}
	}
	s.run(siegeBegins, siegeStep, nil)
	before := s.traffic()
	s.besiege(nil)
	t.load(s, before)
	silences := float64(siegeLasts / (2 * flapPeriod))
	t.mean("buried_share_of_silences", share(float64(burials), silences*float64(s.honest()*len(s.liars))))
	t.membership(s, s.truce())
	t.succeeded = s.deaths > 0
	t.claim(s.deaths == 0, "flappers brought about the death of one that is well")
}

// slownesses are how late all that a slow machine sends goes out.
var slownesses = [...]time.Duration{300 * time.Millisecond, 600 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}

// slowSafe is up to where a slow node is never buried: an examination takes at
// least ten half timeouts (1.5 s by default, 0.5 s where round trips were short),
// and within it any answer counts.
const slowSafe = 300 * time.Millisecond

func laySlow(t *trial) {
	for _, late := range slownesses {
		s := t.slow(late)
		buried := 0
		for i := range s.buried {
			buried += s.buried[i]
		}
		ms := late.Milliseconds()
		s.settleAll()
		t.mean(fmt.Sprintf("late%dms_burials", ms), share(float64(buried), float64(s.honest()*len(s.liars))))
		t.mean(fmt.Sprintf("late%dms_suspicions", ms), float64(s.suspectedSlow)/float64(s.honest()*len(s.liars)))
		t.mean(fmt.Sprintf("late%dms_others_dead", ms), float64(s.deaths))
		t.claim(buried == 0 || late > slowSafe, "one that answers after %s was buried", late)
		t.claim(s.deaths == 0, "one that is slow by %s brought about the death of one that is well", late)
		t.succeeded = t.succeeded || s.deaths > 0 || late <= slowSafe && buried > 0
		t.lawful(s.siege)
	}
}

// slowness is a siege in which liars are slow.
type slowness struct {
	*siege
	buried        []int // times, by machine
	suspectedSlow int
}

// slow lets some machines send all that they send late.
func (t *trial) slow(late time.Duration) *slowness {
	s := &slowness{buried: make([]int, t.attack.Nodes)}
	s.siege = t.newSiege(0, nil, &twist{steps: func(w *World, m *machine, e *core.Effects) {
		if !s.begun {
			return
		}
		for _, packets := range [][]core.Packet{e.Now, e.Send} {
			for i := range packets {
				w.postpone(m, &packets[i], late)
			}
		}
		e.Now, e.Send = e.Now[:0], e.Send[:0]
	}})
	s.events = func(_ *machine, e *hearsay.Event) {
		i := s.w.check.machineOf(e.Subject)
		switch {
		case i < 0 || !s.lying[i]:
		case buries(e):
			s.buried[i]++
		case e.Kind == hearsay.EventMemberSuspected:
			s.suspectedSlow++
		}
	}
	s.besiege(nil)
	s.truce()
	return s
}

// postpone sends a packet late.
func (w *World) postpone(m *machine, p *core.Packet, late time.Duration) {
	number, ok := w.network.encode(m, p)
	if !ok {
		return
	}
	f := &w.network.flights[number]
	to := &w.machines[f.to]
	f.life = to.life
	w.queue.push(moment{at: w.now + late + w.network.delay, kind: momentArrival, machine: f.to, which: number})
}
