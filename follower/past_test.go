package follower

import (
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// forgotten gives the nodes that a follower has forgotten.
func (f *following) forgotten() (ids []hearsay.NodeID) {
	for i := range f.News {
		if f.News[i].Kind == hearsay.EventMemberForgotten {
			ids = append(ids, f.News[i].Subject)
		}
	}
	return ids
}

// Who took over a roster whole finds out who was in before, once somebody is
// spoken of who stays unknown: by rulings that prove themselves.
func TestPastIsFetched(t *testing.T) {
	w := followed(t, 51, 3)
	departed := w.People[0]
	departed.Up = false
	w.Must(20*time.Second, "it is out", func() bool { return !w.In(departed) && w.Agree() })
	w.NewPerson()
	w.Must(5*time.Second, "one more is in", func() bool { return w.Machines[0].Q.Epoch() == 5 && w.Agree() })
	ledger := w.Machines[0].Q.Rulings(0, 5)
	w.truncate(4)
	w.Unread = true // nobody gives the past but this test
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	if f.past.before != 5 {
		t.Fatalf("it knows the rulings from %d on, and took the roster over at 5", f.past.before)
	}

	f.Departed(w.People[3].ID()) // as before it is admitted
	w.Run(3 * strangerFor)
	if !f.past.askAt.IsZero() || !f.past.stranger.IsZero() {
		t.Error("it asks because of a member")
	}
	if f.Departed(departed.ID()) {
		t.Error("it knows who was removed already")
	}
	w.Run(strangerFor + time.Second)

	forged := *ledger[3]
	forged.Stay.ID[0]++
	for _, items := range [][]*hearsay.Ruling{{&forged}, {ledger[2], &forged}, ledger[:3]} {
		f.Step(func() { f.Receive(w.Now, from(seedAddr(0), &core.Rulings{Items: items})) })
	}
	f.Step(func() { f.Receive(w.Now, from(stranger, &core.Rulings{Items: ledger[:4]})) })
	if f.Departed(departed.ID()) || f.Departed(forged.Stay.ID) || f.Drops[hearsay.DropUnproven] != 2 {
		t.Errorf("it believes what is not proven, or no seed gave; %d are dropped", f.Drops[hearsay.DropUnproven])
	}
	f.Step(func() { f.Receive(w.Now, from(seedAddr(0), &core.Rulings{Items: ledger[:4]})) })
	if !f.Departed(departed.ID()) || f.past.before != 0 {
		t.Fatalf("it does not know who was removed, or wants more from before epoch %d", f.past.before)
	}

	if len(f.forgotten()) > 0 {
		t.Error("forgotten too soon")
	}
	w.Now = w.Now.Add(departedFor)
	f.Step(func() { f.Tick(w.Now) })
	if n := len(f.forgotten()); n != 1 || f.Departed(departed.ID()) {
		t.Errorf("%d are forgotten after a day, want 1", n)
	}
}

// No clock says how far back rulings are wanted: that of the seed that made one may be days behind. The search for one
// that is unknown ends with it, and the search for another goes on from there.
func TestPastIsFetchedBeyondAWrongClock(t *testing.T) {
	w := followed(t, 54, 4)
	first, second := w.People[0], w.People[1]
	for _, departed := range w.People[:2] {
		departed.Up = false
		w.Must(20*time.Second, "it is out", func() bool { return !w.In(departed) && w.Agree() })
	}
	for range 2 {
		w.NewPerson()
	}
	w.Must(5*time.Second, "two more are in", func() bool { return w.Machines[0].Q.Epoch() == 8 && w.Agree() })
	ledger := w.Machines[0].Q.Rulings(0, 8)
	w.truncate(7)
	w.Unread = true // nobody gives the past but this test
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	if f.past.before != 8 {
		t.Fatalf("it knows the rulings from %d on, and took the roster over at 8", f.past.before)
	}
	behind := *ledger[6] // as if a seed had made it whose clock is wrong
	behind.At -= (72 * time.Hour).Milliseconds()
	f.past.hash = behind.Hash(testNetwork)
	give := func(r *hearsay.Ruling) {
		f.Step(func() { f.Receive(w.Now, from(seedAddr(0), &core.Rulings{Items: []*hearsay.Ruling{r}})) })
	}

	f.Departed(second.ID())
	w.Run(2*strangerFor + time.Second)
	give(&behind)
	give(ledger[5])
	if !f.Departed(second.ID()) {
		t.Error("it does not know who was removed before a ruling by a clock that is behind")
	}
	if !f.past.askAt.IsZero() || f.past.before != 6 {
		t.Errorf("it has found the one that it looked for, and asks for more, or not from epoch 6 on, but %d", f.past.before)
	}
	f.Departed(first.ID())
	w.Run(2*strangerFor + time.Second)
	give(ledger[4])
	if !f.Departed(first.ID()) {
		t.Error("it has looked for one that was removed, and not for another")
	}
}

// Who is back in the roster is forgotten by that, and not by the past.
func TestPastLetsGoOfMembers(t *testing.T) {
	w := followed(t, 52, 3)
	departed := w.People[0]
	departed.Up = false
	w.Must(20*time.Second, "it is out", func() bool { return !w.In(departed) && w.Agree() })
	w.truncate(3) // the removal is the ruling of the roster
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	if !f.Departed(departed.ID()) {
		t.Fatal("it does not know who was removed")
	}
	departed.Up = true
	w.Must(10*time.Second, "it is in again", func() bool { return w.In(departed) && w.Follow() })
	if f.Departed(departed.ID()) {
		t.Error("it is in, and was in")
	}
}

// A roster may be proven only by what comes after it, and then the ruling that ends a
// stay is applied in the same step: the node, which lists nobody yet, knows all the
// same that there was such a member.
func TestRemovalRightAfterARosterIsKnown(t *testing.T) {
	w := followed(t, 53, 3)
	departed, seed := w.People[0], w.Machines[0].Q
	parts := ledger.RosterParts(w.Random, seed.Rulings(2, 1)[0], nil, seed.Roster(nil))
	departed.Up = false
	w.Must(20*time.Second, "it is out", func() bool { return !w.In(departed) && w.Agree() })
	w.truncate(3)
	f := w.newFollower()
	f.Step(func() { f.Receive(w.Now, from(f.asked, parts[0])) })
	w.Must(5*time.Second, "it follows", w.Follow)
	if e := f.News[0]; e.Kind != hearsay.EventRosterProven || e.Epoch != 3 {
		t.Fatalf("it took over no roster of epoch 3: %v", e)
	}
	if !f.Departed(departed.ID()) {
		t.Error("it does not know who was removed right after the roster")
	}
}

// What the seeds had ruled when a node was started again is told as that, by how far the ledger goes and by
// no clock; and what they rule after that is not.
func TestRulingsBeforeTheStart(t *testing.T) {
	w := followed(t, 31, 4)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	before := make(map[hearsay.Epoch]bool) // as the seed tells
	w.Teller = func(m *machine, e hearsay.Event) {
		if m == w.Machines[2] && e.Kind == hearsay.EventRuled {
			before[e.Epoch] = e.Before
		}
	}
	f.Deaf = true
	w.Crash(w.Machines[2])
	w.People[2].Up = false
	w.Must(40*time.Second, "one is removed", func() bool { return w.Machines[0].Q.Epoch() == 5 })
	f.Deaf = false
	f.Start()
	w.Start(w.Machines[2])
	w.Must(20*time.Second, "they follow", func() bool { return w.Agree() && w.Follow() })
	w.People[3].Up = false
	w.Must(40*time.Second, "another is removed", func() bool { return w.Machines[0].Q.Epoch() == 6 && w.Agree() && w.Follow() })
	told := make(map[hearsay.Epoch]bool)
	for _, e := range f.News {
		if e.Kind == hearsay.EventRuled {
			told[e.Epoch] = e.Before
		}
	}
	for what, got := range map[string]map[hearsay.Epoch]bool{"peer": told, "seed": before} {
		if later, is := got[6]; !got[5] || !is || later {
			t.Errorf("a %s tells of these epochs, and that they were before its start: %v; want 5: true, 6: false", what, got)
		}
	}
}

// A peer and a seed tell of each ruling alike, but for what only a seed has: the evidence.
func TestRulingsAreToldAlike(t *testing.T) {
	w := followed(t, 32, 4)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	told := make(map[hearsay.Epoch]hearsay.Event) // by a seed
	w.Teller = func(m *machine, e hearsay.Event) {
		if m == w.Machines[0] && e.Kind == hearsay.EventRuled {
			told[e.Epoch] = e
		}
	}
	w.NewPerson()
	w.People[1].Up = false
	w.Must(40*time.Second, "one is admitted, another removed", func() bool { return w.Machines[0].Q.Epoch() == 6 && w.Follow() })
	w.Wipe(w.Machines[2])
	w.Start(w.Machines[2])
	w.Must(40*time.Second, "a seat is given", func() bool { return w.Machines[0].Q.Epoch() == 7 && w.Agree() && w.Follow() })
	kinds := make(map[hearsay.RulingKind]bool)
	for _, e := range f.News {
		seed, both := told[e.Epoch]
		if e.Kind != hearsay.EventRuled || !both {
			continue
		}
		kinds[e.Ruling.Kind] = true
		seed.At, seed.Evidence, seed.Ruling = e.At, e.Evidence, e.Ruling
		if e != seed {
			t.Errorf("of epoch %d (%v)\na peer tells %+v\na seed tells %+v", e.Epoch, e.Ruling.Kind, e, seed)
		}
	}
	if !kinds[hearsay.RulingAdmit] || !kinds[hearsay.RulingRemove] || !kinds[hearsay.RulingSeat] {
		t.Errorf("it is told of these kinds: %v", kinds)
	}
}

// However many rosters come whole, those that were in before are bounded.
func TestPastIsBounded(t *testing.T) {
	w := followed(t, 55, 3)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	f.past.departed = make(map[hearsay.NodeID]struct{})
	f.past.forgetAt = w.Now.Add(departedFor)
	for i := range departedMost + 1 {
		f.past.departed[hearsay.NodeID{1, byte(i), byte(i >> 8)}] = struct{}{}
	}
	w.Run(time.Second)
	if n, told := len(f.past.departed), len(f.forgotten()); n > 0 || told != departedMost+1 {
		t.Errorf("%d are kept, and %d told as forgotten", n, told)
	}
}
