package quorum

import (
	"testing"
	"time"

	"hearsay"
)

// probed is a world of which all members probe each other: each in turn pings all seeds.
type probed struct {
	*world
	people []*person
	every  time.Duration // between two pings
	turn   int
}

func newProbed(t *testing.T, people int) *probed {
	w := &probed{world: newWorld(t, 3, 91), every: time.Second}
	w.cfg.ProbePeriod = time.Second
	w.SilentFor = 500 * time.Millisecond
	w.StartAll()
	for range people {
		w.people = append(w.people, w.NewPerson())
	}
	w.Must(10*time.Second, "they are in", func() bool { return int(w.Machines[0].Q.Epoch()) == people && w.agree() })
	return w
}

// ping has another member ping the seeds, and the next one after a while.
func (w *probed) ping() {
	if w.every > 0 {
		w.turn++
		for _, m := range w.Machines {
			w.Step(m, func() { m.Q.Pinged(w.people[w.turn%len(w.people)].ID()) })
		}
	}
	w.After(max(w.every, time.Second), w.ping)
}

// A seed that few members ping, of those that are in for a while, looks at all of them, and no more once they do.
func TestFewMembersProbe(t *testing.T) {
	w := newProbed(t, probersNew)
	m := w.Machines[0]
	if !m.Q.probers.lacking() {
		t.Error("all have just come, and it counts on their probes")
	}
	w.ping()
	w.Must(4*probersWindow, "it counts on them", func() bool { return !m.Q.probers.lacking() })
	w.Run(4 * probersWindow)
	if m.Q.probers.lacking() {
		t.Error("all probe, and it does not count on them")
	}
	if w.every = 0; !w.RunUntil(4*probersWindow, m.Q.probers.lacking) {
		t.Error("nobody pings it any more, and it counts on their probes")
	}
	w.every = time.Second
	w.Must(4*probersWindow, "it counts on them again", func() bool { return !m.Q.probers.lacking() })
}

// Guests probe nobody: where they are more than those that do, a seed looks at all. One that dies is found soon then,
// though no node reports it.
func TestManyGuestsAreLookedAt(t *testing.T) {
	w := newProbed(t, 4)
	w.ping()
	var guests []*person
	for n := range 8 {
		guest := &person{N: 600 + n, Up: true, Guest: true, Covered: true, Addr: seedAddr(201 + n)}
		w.People, guests = append(w.People, guest), append(guests, guest)
		w.Step(w.Machines[0], func() { w.Machines[0].Q.Admit(w.Now, guest.Claim()) })
		w.Must(5*time.Second, "it is in", func() bool { return int(w.Machines[0].Q.Epoch()) == 5+n })
		w.Run(2 * guestsEach)
		if got, want := w.Machines[0].Q.probers.lacking(), n >= 7; got != want {
			t.Errorf("%d guests, four peers, three seeds: looks at all: %t, want %t", n+1, got, want)
		}
	}
	guests[0].Up = false
	w.Must(10*time.Second, "the dead one is out", func() bool { return w.Machines[0].Q.Epoch() == 13 })
}

// A member that stands still for 3.5 s stays in, whatever is done to have it look as if few probed, or many: a seed
// looks at all then, and does so for as long as else.
func TestAttackFewProbersShortenNoTrial(t *testing.T) {
	leaveAndReturn := func(w *probed) {
		for range 5 {
			for _, p := range w.people[:8] {
				if one, in := w.Machines[0].Q.Member(p.ID()); in {
					l := signedLeave(w.world, one.Stay, p)
					w.Step(w.Machines[0], func() { w.Machines[0].Q.Leave(w.Now, &l) })
				}
			}
			w.Run(2 * time.Second)
		}
		if w.Machines[0].Q.probers.lacking() {
			w.T.Error("eight members that leave and return count as newcomers")
		}
	}
	for name, attack := range map[string]func(w *probed){
		"members that leave and return": leaveAndReturn,
		"peers that probe each four seconds": func(w *probed) {
			w.every = 4 * time.Second
			w.Run(4 * probersWindow)
		},
		"pings in the name of all members, and then none": func(w *probed) {
			for _, p := range w.people {
				for _, m := range w.Machines {
					w.Step(m, func() { m.Q.Pinged(p.ID()) })
				}
			}
			w.every = 0
			w.Run(3 * probersWindow)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newProbed(t, 40)
			w.ping()
			w.Run(4 * probersWindow)
			attack(w)
			victim := w.people[20]
			victim.Up, victim.Covered = false, true
			w.Run(500 * time.Millisecond)
			for _, m := range w.Machines {
				w.Step(m, func() { m.Q.Suspected(w.Now, victim.ID()) })
			}
			w.Run(3 * time.Second)
			victim.Up = true
			w.Run(5 * time.Second)
			for _, r := range w.Rulings {
				if r.Kind == hearsay.RulingRemove {
					t.Errorf("removed in epoch %d by %s: %s", r.Epoch, r.Rule, r.Ballots[0].Why)
				}
			}
		})
	}
}
