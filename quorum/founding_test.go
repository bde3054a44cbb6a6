package quorum

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// A network is founded when all are there and have nothing, and not before;
// unless an operator says so, with a quorum. Who comes later gets its seat, and
// votes.
func TestFounding(t *testing.T) {
	w := newWorld(t, 3, 2)
	w.Start(w.Machines[0])
	w.Start(w.Machines[1])
	w.Run(foundSayEvery + missAfter)
	q := w.Machines[0].Q
	if want := "the network is not founded: 2 of 3 seeds were met, 10.0.0.3:5000 is missing"; q.Seated() || !strings.Contains(q.Why(), want) {
		t.Fatalf("founded by two of three, %q", q.Why())
	}
	w.Crash(w.Machines[1])
	w.startTold(w.Machines[1])
	w.NewPerson()
	w.Must(15*time.Second, "two rule", func() bool { return q.Epoch() == 1 })
	w.Start(w.Machines[2])
	w.Must(10*time.Second, "the third has its seat", w.agree)
	if kind := w.Rulings[2].Kind; kind != hearsay.RulingSeat {
		t.Errorf("epoch 2 is %v", kind)
	}
	w.Crash(w.Machines[0])
	w.NewPerson()
	w.Must(15*time.Second, "the third votes", func() bool { return w.Machines[2].Q.Epoch() == 3 })
	w.startTold(w.Machines[0])
	w.Must(15*time.Second, "who has a ledger founds nothing", w.agree)
}

// startTold starts a seed with an operator's word.
func (w *world) startTold(m *machine) {
	w.T.Helper()
	w.cfg.Found = true
	w.Start(m)
	w.cfg.Found = false
}

func TestFoundNeedsAQuorum(t *testing.T) {
	for n, want := range map[int]string{5: "2 of 5 seeds were met, 3 are needed", 3: "1 of 3 seeds were met, 2 are needed", 2: "1 of 2 seeds were met, 2 are needed"} {
		w := newWorld(t, n, 3)
		for _, m := range w.Machines[:n/2] {
			w.startTold(m)
		}
		said := 0
		w.Teller = func(m *machine, e hearsay.Event) {
			if e.Kind == hearsay.EventSeatWaiting && strings.Contains(e.Text, want) {
				said++
			}
		}
		w.Run(time.Minute)
		if q := w.Machines[0].Q; q.state != nil || !strings.Contains(q.Why(), want) || said < n/2 || said > 4*n {
			t.Errorf("%d seeds: founded %t, %q, said %d times", n, q.state != nil, q.Why(), said)
		}
	}
}

// Two foundings at once, by seeds that have met different others: no epoch is
// ruled twice (the rules of the world), and one of them comes about.
func TestTwoFoundings(t *testing.T) {
	for seed := range uint64(large(100, 3000)) {
		w := newWorld(t, 3, 100+seed)
		w.Cut = func(from, to int) bool { return from == 0 && to == 2 || from == 2 && to == 0 }
		w.StartAll()
		w.Run(2 * time.Second)
		a, b := w.Machines[0], w.Machines[1]
		w.Step(a, func() { foundNow(w, a) })
		if seed%2 == 0 {
			w.Run(w.UpTo(20 * time.Millisecond))
		}
		w.Step(b, func() { foundNow(w, b) })
		if a.Q.founding == b.Q.founding {
			continue // b has heard of it
		}
		w.NewPerson()
		w.Run(w.UpTo(5 * time.Second))
		w.Cut = nil
		w.Must(time.Minute, fmt.Sprint("one network, seed ", seed), func() bool { return w.agree() && a.Q.Epoch() >= 1 })
	}
}

// foundNow has a seed found with those that it has met.
func foundNow(w *world, m *machine) {
	if q := m.Q; q.founding.IsZero() {
		seats, _ := q.founder.whoIsThere(w.Now)
		q.founder.found(w.Now, ledger.NewState(q.cfg.Network, q.signer, seats), ledger.FoundingIndex, 1)
	}
}

// All that can come between seeds that are told to found at once: loss, delays,
// cuts one way, crashes that tear what was not synced, and seeds that start when
// they like. No epoch is ruled twice, and in the end there is one network.
func TestFoundingsInAnyWorld(t *testing.T) {
	bound, gaveUp := 0, 0
	for seed := range uint64(large(60, 3000)) {
		told := make(map[*machine]bool)
		n := []int{3, 3, 4, 5}[seed%4]
		w := newWorld(t, n, 10_000+seed)
		w.Teller = func(_ *machine, e hearsay.Event) {
			if e.Kind == hearsay.EventSeatWaiting && strings.Contains(e.Text, "came to nothing") {
				gaveUp++
			}
		}
		w.Loss, w.Slow, w.Syncs = float64(w.Random.IntN(4))/10, w.UpTo(2*time.Second)+1, w.UpTo(300*time.Millisecond)+1
		cut := make(map[[2]int]bool)
		w.Cut = func(from, to int) bool { return cut[[2]int{from, to}] }
		for _, m := range w.Machines {
			told[m] = w.Random.IntN(3) > 0
			w.After(w.UpTo(8*time.Second), func() { w.startIfDown(m, told[m]) })
		}
		w.NewPerson()
		for range 40 {
			w.Run(w.UpTo(time.Second))
			one := w.Machines[w.Random.IntN(n)]
			switch w.Random.IntN(8) {
			case 0, 1, 2:
				cut[[2]int{one.Slot, w.Random.IntN(n)}] = true
			case 3, 4:
				clear(cut)
			case 5:
				if one.Q != nil {
					w.Crash(one)
				}
			case 6:
				w.startIfDown(one, told[one])
			case 7: // a moment that all wait for
				if one.Q != nil && one.Q.founder.unborn() {
					bound++
					w.Crash(one)
				}
			}
		}
		clear(cut)
		w.Loss, w.Slow = 0, 10*time.Millisecond
		for _, m := range w.Machines {
			w.startIfDown(m, told[m])
		}
		w.Must(2*time.Minute, fmt.Sprint("one network, seed ", seed), func() bool { return w.agree() && w.Machines[0].Q.Epoch() > 0 })
	}
	t.Logf("%d crashes in a founding, %d given up", bound, gaveUp)
	if bound == 0 || gaveUp == 0 {
		t.Errorf("%d crashes in a founding, %d given up: too few to tell anything", bound, gaveUp)
	}
}

func (w *world) startIfDown(m *machine, told bool) {
	switch {
	case m.Q != nil:
	case told:
		w.startTold(m)
	default:
		w.Start(m)
	}
}

// Who founded has lost its disk before anybody had anything of it: the others
// wait no longer than they must.
func TestFounderIsLost(t *testing.T) {
	w := newWorld(t, 3, 5)
	founder := w.Machines[0]
	w.StartAll()
	w.Must(5*time.Second, "the others are named", func() bool {
		return w.Machines[1].Q.replica != nil && w.Machines[2].Q.replica != nil && founder.Q.state != nil
	})
	if w.Machines[1].Q.state != nil || w.Machines[2].Q.state != nil {
		t.Fatal("they have it already: the test shows nothing")
	}
	w.Wipe(founder)
	w.Run(20 * time.Second)
	w.Start(founder)
	w.NewPerson()
	w.Must(time.Minute, "founded anew", func() bool { return w.agree() && founder.Q.Epoch() == 1 })
}

// An answer may be overtaken by the founding that its sender made just after it:
// they come by two streams. That is no word of one who is without that founding.
func TestAnswerFromBeforeTheFounding(t *testing.T) {
	w := newWorld(t, 3, 8)
	a, founder, c := w.Machines[0], w.Machines[1], w.Machines[2]
	w.StartAll()
	w.Must(5*time.Second, "all have met", func() bool { _, met := a.Q.founder.whoIsThere(w.Now); return met == 3 && founder.Q.state == nil })
	w.Cut = func(from, to int) bool { return from != to }
	var late []*core.Packet
	for _, m := range []*machine{founder, c} {
		w.Step(a, func() { a.Q.seats.hello(w.Now, m.Slot) })
		answer := m.Q.seats.ownHello()
		answer.Answer, answer.Nonce = true, a.Q.seats.nonces[m.Slot]
		answer.Sign(testNetwork, m.Signer)
		late = append(late, from(seedAddr(m.Slot), answer))
	}
	w.Step(founder, func() { foundNow(w, founder) })
	named := founder.Q.seats.ownHello()
	named.Sign(testNetwork, founder.Signer)
	w.Step(a, func() { a.Q.Receive(w.Now, from(seedAddr(founder.Slot), named)) })
	if a.Q.founding != founder.Q.founding || a.Q.founding.IsZero() {
		t.Fatal("it takes no part in the founding: the test shows nothing")
	}
	life := a.Q.life
	for _, p := range late {
		w.Step(a, func() { a.Q.Receive(w.Now, p) })
	}
	w.Run(time.Second)
	if a.Q.life != life {
		t.Error("it has given up a founding that has just been made")
	}
}

// Who begins a new life founds nothing with it before it is on disk: torn apart,
// the old life would come back with what the new one has voted. So those that it has
// met before does not count.
func TestNewLifeIsDurableBeforeItFounds(t *testing.T) {
	w := newWorld(t, 3, 8)
	a, founder, c := w.Machines[0], w.Machines[1], w.Machines[2]
	w.StartAll()
	w.Must(5*time.Second, "all have met", func() bool { _, met := a.Q.founder.whoIsThere(w.Now); return met == 3 && founder.Q.state == nil })
	w.Cut = func(from, _ int) bool { return from == founder.Slot } // the others get nothing of it
	w.Step(founder, func() { foundNow(w, founder) })
	for _, m := range []*machine{a, c} {
		named := founder.Q.seats.ownHello()
		named.Sign(testNetwork, founder.Signer)
		w.Step(m, func() { m.Q.Receive(w.Now, from(seedAddr(founder.Slot), named)) })
	}
	old := a.Q.life
	w.Run(time.Second) // that is on disk
	w.Wipe(founder)
	w.Start(founder)
	w.Cut = nil
	w.Stepped = func(m *machine, _ *core.Effects) {
		if m == a && a.Q.life != old {
			w.Syncs = time.Hour // from now on: what it has kept is not on disk
		}
	}
	w.Must(time.Minute, "it has given up", func() bool { return a.Q.life != old })
	for slot, m := range []*machine{1: founder, 2: c} {
		if m != nil {
			hello := &core.SeatHello{Versions: ledger.Versions(), Slot: uint8(slot), Life: hearsay.Life{byte(slot)}, Config: a.Q.cfg.hash(), Nonce: a.Q.seats.nonces[slot], Answer: true}
			hello.Sign(testNetwork, m.Signer)
			w.Step(a, func() { a.Q.Receive(w.Now, from(seedAddr(slot), hello)) })
		}
	}
	w.Run(w.cfg.TickEvery)
	if kept := a.Disk.Durable["life"].(*core.SeedLife); kept.Life != old {
		t.Fatal("it is on disk: the test shows nothing")
	}
	if a.Q.replica != nil {
		t.Error("it takes part with a life that is not on disk")
	}
}

// A crash may tear apart what giving up wrote: then the old life is back with the
// beginning that it has confirmed, or the new one with nothing.
func TestTornGivingUp(t *testing.T) {
	w := newWorld(t, 3, 9)
	a := w.Machines[0]
	w.StartAll()
	w.Must(5*time.Second, "all have met", func() bool { _, met := a.Q.founder.whoIsThere(w.Now); return met == 3 && a.Q.state == nil })
	w.Step(a, func() { foundNow(w, a) })
	w.Cut = func(from, to int) bool { return from != to }
	old := a.Q.life
	w.Run(time.Second) // that is on disk
	before := maps.Clone(a.Disk.Durable)
	for _, m := range w.Machines[1:] {
		w.Wipe(m)
		w.Start(m)
	}
	w.Cut = nil
	var torn []core.Record
	w.Stepped = func(m *machine, out *core.Effects) {
		if m == a && torn == nil && a.Q.life != old {
			torn = out.Persist
		}
	}
	w.Must(time.Minute, "it has given up", func() bool { return torn != nil })
	w.Stepped = nil
	for kept := range 1 << len(torn) {
		w.Crash(a)
		a.Disk.Durable = maps.Clone(before)
		for i, r := range torn {
			if kept>>i&1 != 0 {
				a.Disk.Apply(r)
			}
		}
		w.Start(a)
		if back := a.Q.life == old; back != (a.Q.state != nil) || back == a.Q.founding.IsZero() {
			t.Errorf("of %d records %b are left: the old life is back %t, with its beginning %t", len(torn), kept, back, a.Q.state != nil)
		}
	}
}

// Who has confirmed anything of its founding gives it up for nothing, though
// nobody else is left of it: what it has confirmed may have been decided.
func TestConfirmedIsNotGivenUp(t *testing.T) {
	w := newWorld(t, 3, 7)
	a, b, c := w.Machines[0], w.Machines[1], w.Machines[2]
	w.startTold(a)
	w.Start(b)
	w.Must(20*time.Second, "founded by two", func() bool { return b.Q.state != nil && b.Q.replica.log.applied > ledger.FoundingIndex })
	w.Run(time.Second) // that is on disk everywhere
	founding := b.Q.founding
	w.Crash(b)
	w.Wipe(a)
	w.Start(b)
	w.Run(foundAfter) // so long nobody else is there
	w.Start(a)
	w.startTold(c)
	w.Run(time.Minute)
	if b.Q.founding != founding || b.Q.state == nil {
		t.Error("it has given up what it confirmed")
	}
	if why := c.Q.Why(); c.Q.state != nil || why != c.Q.seats.notNamed(w.Now) {
		t.Errorf("the others found beside it: %q", why)
	}
}

// A seed that comes after the others were founded without it by an operator's word says that, and not that another had
// its seat.
func TestLateSeedSaysThatTheFoundingWasWithoutIt(t *testing.T) {
	w := newWorld(t, 3, 9)
	a, late := w.Machines[0], w.Machines[2]
	told := w.tally()
	w.startTold(a)
	w.Start(w.Machines[1])
	w.Must(20*time.Second, "founded by two", func() bool { return a.Q.Epoch() == 0 && a.Q.Ready() })
	w.Start(late)
	w.Must(20*time.Second, "it has its seat", late.Q.Seated)
	without := told(hearsay.EventSeatWaiting, "the network was founded without this seed: the others are asked to give it its seat, which a quorum of them must")
	another := told(hearsay.EventSeatWaiting, "the network knows another key in the seat of this seed, as of another data directory: the others are asked to give it the seat, which a quorum of them must; seeds whose list pins the old key do not")
	if without == 0 || another > 0 {
		t.Errorf("it says %d times that the network was founded without it, and %d times that another had its seat", without, another)
	}
}

// A seed comes back with a ledger after the others were founded without it,
// because an operator vouched for it: it says so, takes no part, and harms
// nobody.
func TestOldLedgerAfterFounding(t *testing.T) {
	w := newWorld(t, 3, 6)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	w.NewPerson()
	w.Must(5*time.Second, "one is in", w.agree)
	w.Run(time.Second) // that is on disk everywhere
	old := w.Machines[2]
	w.Crash(old)
	for _, m := range w.Machines[:2] {
		w.Wipe(m)
		w.Epochs[m.Slot] = 0
		w.startTold(m)
	}
	clear(w.Hashes)
	clear(w.Rulings)
	w.NewPerson()
	w.Must(20*time.Second, "founded without it", func() bool { return w.Machines[0].Q.Epoch() == 2 && w.Machines[1].Q.Epoch() == 2 })
	said, told := 0, map[*machine]int{}
	w.Teller = func(m *machine, e hearsay.Event) {
		if e.Kind == hearsay.EventSeatWaiting {
			said++
		}
		if e.Kind == hearsay.EventSeedDiffers {
			told[m]++
		}
		if m == old && e.Kind == hearsay.EventRuled {
			t.Errorf("it rules epoch %d", e.Epoch)
		}
	}
	w.startTold(old)
	w.NewPerson()
	w.Must(10*time.Second, "they go on", func() bool { return w.Machines[0].Q.Epoch() == 3 && w.Machines[1].Q.Epoch() == 3 })
	w.Run(time.Minute)
	if want := "belongs to another founding of this network than the ledger here, which ends with epoch 1: to take part, start this seed with an empty data directory"; !strings.Contains(old.Q.Why(), want) || said == 0 || said > 4 {
		t.Errorf("it says %d times %q", said, old.Q.Why())
	}
	if old.Q.Ready() || old.Q.Epoch() != 1 || !w.Machines[0].Q.Ready() {
		t.Errorf("it takes part\n%s", w.Describe())
	}
	for _, m := range w.Machines[:2] { // an operator of theirs has said that it has no ledger
		_, note := m.Q.Note(w.Now, old.Slot)
		if why := m.Q.Why(); note != "has a ledger of another founding" || !strings.Contains(why, "has a ledger of another founding of this network than the one here") || told[m] != 1 {
			t.Errorf("a founder tells %d times, and says %q: %q", told[m], note, why)
		}
	}
	if told[old] != 0 {
		t.Errorf("it tells of the others %d times", told[old])
	}
	w.Wipe(old)
	w.Epochs[2] = 0
	w.Start(old)
	w.Must(20*time.Second, "with an empty directory it has its seat", w.agree)
	if why := w.Machines[0].Q.Why(); why != "" {
		t.Errorf("and a founder says %q", why)
	}
}

// Nor does it look through the others' ledger for who sits where: that is of another
// network.
func TestSeatsOfAnotherFounding(t *testing.T) {
	w := newWorld(t, 5, 6)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	w.Run(time.Second) // that is on disk everywhere
	old := w.Machines[4]
	w.Crash(old)
	for _, m := range w.Machines[:4] {
		w.Wipe(m)
		if m.Slot < 3 {
			w.startTold(m)
		}
	}
	w.NewPerson()
	w.Must(20*time.Second, "founded without it", func() bool { return w.Machines[0].Q.Epoch() == 1 })
	w.Start(w.Machines[3])
	w.Must(20*time.Second, "one has its seat", func() bool { return w.Machines[3].Q.Seated() })
	asked := 0
	w.Stepped = func(m *machine, out *core.Effects) {
		for _, p := range out.Send {
			if _, asks := p.Body.(*core.LedgerReq); asks && m == old {
				asked++
			}
		}
	}
	w.Start(old)
	w.Run(time.Minute)
	if asked > 0 || old.Q.Why() == "" {
		t.Errorf("it asks %d times: %q", asked, old.Q.Why())
	}
}

// Of a founding of which nothing has come for a while, those who are left of it say
// what is missing, and who has come too late that they take part in one.
func TestFoundingThatWaitsIsSaid(t *testing.T) {
	w := newWorld(t, 3, 8)
	founder, b, c := w.Machines[0], w.Machines[1], w.Machines[2]
	w.startTold(founder)
	w.Start(b)
	w.Must(5*time.Second, "they have met", func() bool { _, met := founder.Q.founder.whoIsThere(w.Now); return met == 2 })
	w.Cut = func(from, _ int) bool { return from == founder.Slot } // the other gets nothing of it
	w.Must(10*time.Second, "founded", func() bool { return founder.Q.state != nil })
	named := founder.Q.seats.ownHello()
	named.Sign(testNetwork, founder.Signer)
	w.Step(b, func() { b.Q.Receive(w.Now, from(seedAddr(founder.Slot), named)) })
	w.Run(time.Second) // that is on disk
	w.Cut = nil
	w.Crash(founder)
	w.Start(c)
	w.Run(2 * foundSayEvery)
	const want = "nothing has come yet of the founding that this seed takes part in"
	if why := b.Q.Why(); b.Q.state != nil || !strings.Contains(why, want) {
		t.Errorf("who was named: %q", why)
	}
	if why := c.Q.Why(); !strings.Contains(why, "the seed at 10.0.0.2:5000 takes part in a founding already") {
		t.Errorf("who has come too late: %q", why)
	}
	w.Crash(b)
	w.Start(founder)
	w.Run(2 * foundSayEvery)
	if why := founder.Q.Why(); !founder.Q.founder.unborn() || !strings.Contains(why, want) {
		t.Errorf("who founded: %q", why)
	}
	w.Start(b)
	w.NewPerson()
	w.Must(20*time.Second, "it comes about", func() bool { return w.agree() && founder.Q.Epoch() > 0 })
	if founder.Q.Why()+b.Q.Why()+c.Q.Why() != "" {
		t.Errorf("%q, %q, %q", founder.Q.Why(), b.Q.Why(), c.Q.Why())
	}
}

// Where too many data directories are lost, the seed that has a ledger left and the one that comes
// with an empty directory say what an operator can do.
func TestLostQuorumIsSaid(t *testing.T) {
	for _, tt := range []struct {
		seeds, members int
		has, hasNot    string
		back           int // seeds that come back with an empty directory
		backWithTheirs bool
	}{
		{seeds: 3, members: 1, back: 1},
		{
			seeds: 3, members: 1, back: 2, has: "at most 1 of 3 seeds have kept their part of this ledger, and 2 are needed: start the others with the data directories that they used last, not with a copy",
			hasNot: "of 3 seeds 2 have lost their part of its ledger, and there is no quorum without them: start these with the data directories that they used last, not with a copy; if that is lost, see `hearsay seed recover`",
		},
		{seeds: 3, members: 0, back: 2, has: "at most 1 of 3 seeds have kept their part of this ledger, and 2 are needed: nothing was ruled yet", hasNot: "of 3 seeds 2 have lost their part"},
		{seeds: 2, members: 1, back: 1, has: "at most 1 of 2 seeds", hasNot: "no quorum without it: start this seed with the data directory that it used last, not with a copy; if that is lost, see `hearsay seed recover`"},
		{seeds: 3, members: 1, back: 2, backWithTheirs: true},
	} {
		w := newWorld(t, tt.seeds, 21)
		w.StartAll()
		w.Must(5*time.Second, "founded", w.agree)
		for range tt.members {
			w.NewPerson()
		}
		w.Must(5*time.Second, "they are in", func() bool { return int(w.Machines[0].Q.Epoch()) == tt.members && w.agree() })
		w.Run(time.Second) // that is on disk everywhere
		for _, m := range w.Machines[1:] {
			w.Crash(m)
		}
		w.Run(5 * time.Second)
		for _, m := range w.Machines[1 : 1+tt.back] {
			if !tt.backWithTheirs {
				w.Wipe(m)
				w.Epochs[m.Slot] = 0
			}
			w.Start(m)
		}
		w.Run(20 * time.Second)
		has, hasNot := w.Machines[0].Q.Why(), w.Machines[1].Q.Why()
		if tt.has == "" && has != "" || !strings.Contains(has, tt.has) || !strings.Contains(hasNot, tt.hasNot) {
			t.Errorf("%+v: %q, and who has none %q", tt, has, hasNot)
		}
	}
}

// large is how many worlds: the smaller number, unless long runs are asked for.
func large(usual, long int) int {
	if os.Getenv("HEARSAY_LARGE") != "" {
		return long
	}
	return usual
}
