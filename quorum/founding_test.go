package quorum

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// A network is founded when all are there and have nothing, and not before;
// unless an operator says so, with a quorum. Who comes later gets its seat, and
// votes.
func TestFounding(t *testing.T) {
	w := newWorld(t, 3, 2)
	w.start(w.machines[0])
	w.start(w.machines[1])
	w.run(foundSayEvery + missAfter)
	q := w.machines[0].q
	if want := "the network is not founded: 2 of 3 seeds were met, 10.0.0.3:5000 is missing"; q.Seated() || !strings.Contains(q.Why(), want) {
		t.Fatalf("founded by two of three, %q", q.Why())
	}
	w.crash(w.machines[1])
	w.startTold(w.machines[1])
	w.newPerson()
	w.must(15*time.Second, "two rule", func() bool { return q.Epoch() == 1 })
	w.start(w.machines[2])
	w.must(10*time.Second, "the third has its seat", w.agree)
	if kind := w.rulings[2].Kind; kind != hearsay.RulingSeat {
		t.Errorf("epoch 2 is %v", kind)
	}
	w.crash(w.machines[0])
	w.newPerson()
	w.must(15*time.Second, "the third votes", func() bool { return w.machines[2].q.Epoch() == 3 })
	w.startTold(w.machines[0])
	w.must(15*time.Second, "who has a ledger founds nothing", w.agree)
}

// startTold starts a seed with an operator's word.
func (w *world) startTold(m *machine) {
	w.t.Helper()
	w.cfg.Found = true
	w.start(m)
	w.cfg.Found = false
}

func TestFoundNeedsAQuorum(t *testing.T) {
	for n, want := range map[int]string{5: "2 of 5 seeds were met, 3 are needed", 3: "1 of 3 seeds were met, 2 are needed", 2: "1 of 2 seeds were met, 2 are needed"} {
		w := newWorld(t, n, 3)
		for _, m := range w.machines[:n/2] {
			w.startTold(m)
		}
		said := 0
		w.teller = func(m *machine, e hearsay.Event) {
			if e.Kind == hearsay.EventSeatWaiting && strings.Contains(e.Text, want) {
				said++
			}
		}
		w.run(time.Minute)
		if q := w.machines[0].q; q.state != nil || !strings.Contains(q.Why(), want) || said < n/2 || said > 4*n {
			t.Errorf("%d seeds: founded %t, %q, said %d times", n, q.state != nil, q.Why(), said)
		}
	}
}

// Two foundings at once, by seeds that have met different others: no epoch is
// ruled twice (the rules of the world), and one of them comes about.
func TestTwoFoundings(t *testing.T) {
	for seed := range uint64(large(100, 3000)) {
		w := newWorld(t, 3, 100+seed)
		w.cut = func(from, to int) bool { return from == 0 && to == 2 || from == 2 && to == 0 }
		w.startAll()
		w.run(2 * time.Second)
		a, b := w.machines[0], w.machines[1]
		w.step(a, func() { a.foundNow(w) })
		if seed%2 == 0 {
			w.run(w.upTo(20 * time.Millisecond))
		}
		w.step(b, func() { b.foundNow(w) })
		if a.q.founding == b.q.founding {
			continue // b has heard of it
		}
		w.newPerson()
		w.run(w.upTo(5 * time.Second))
		w.cut = nil
		w.must(time.Minute, fmt.Sprint("one network, seed ", seed), func() bool { return w.agree() && a.q.Epoch() >= 1 })
	}
}

// foundNow has a seed found with those that it has met.
func (m *machine) foundNow(w *world) {
	if q := m.q; q.founding.IsZero() {
		seats, _ := q.whoIsThere(w.now)
		q.found(w.now, ledger.NewState(q.cfg.Network, q.signer, seats), ledger.FoundingIndex, 1)
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
		w.teller = func(_ *machine, e hearsay.Event) {
			if e.Kind == hearsay.EventSeatWaiting && strings.Contains(e.Text, "came to nothing") {
				gaveUp++
			}
		}
		w.loss, w.slow, w.syncs = float64(w.random.IntN(4))/10, w.upTo(2*time.Second)+1, w.upTo(300*time.Millisecond)+1
		cut := make(map[[2]int]bool)
		w.cut = func(from, to int) bool { return cut[[2]int{from, to}] }
		for _, m := range w.machines {
			told[m] = w.random.IntN(3) > 0
			w.after(w.upTo(8*time.Second), func() { w.startIfDown(m, told[m]) })
		}
		w.newPerson()
		for range 40 {
			w.run(w.upTo(time.Second))
			one := w.machines[w.random.IntN(n)]
			switch w.random.IntN(8) {
			case 0, 1, 2:
				cut[[2]int{one.slot, w.random.IntN(n)}] = true
			case 3, 4:
				clear(cut)
			case 5:
				if one.q != nil {
					w.crash(one)
				}
			case 6:
				w.startIfDown(one, told[one])
			case 7: // a moment that all wait for
				if one.q != nil && one.q.unborn() {
					bound++
					w.crash(one)
				}
			}
		}
		clear(cut)
		w.loss, w.slow = 0, 10*time.Millisecond
		for _, m := range w.machines {
			w.startIfDown(m, told[m])
		}
		w.must(2*time.Minute, fmt.Sprint("one network, seed ", seed), func() bool { return w.agree() && w.machines[0].q.Epoch() > 0 })
	}
	t.Logf("%d crashes in a founding, %d given up", bound, gaveUp)
	if bound == 0 || gaveUp == 0 {
		t.Errorf("%d crashes in a founding, %d given up: too few to tell anything", bound, gaveUp)
	}
}

func (w *world) startIfDown(m *machine, told bool) {
	switch {
	case m.q != nil:
	case told:
		w.startTold(m)
	default:
		w.start(m)
	}
}

// Who founded has lost its disk before anybody had anything of it: the others
// wait no longer than they must.
func TestFounderIsLost(t *testing.T) {
	w := newWorld(t, 3, 5)
	founder := w.machines[0]
	w.startAll()
	w.must(5*time.Second, "the others are named", func() bool {
		return w.machines[1].q.replica != nil && w.machines[2].q.replica != nil && founder.q.state != nil
	})
	if w.machines[1].q.state != nil || w.machines[2].q.state != nil {
		t.Fatal("they have it already: the test shows nothing")
	}
	w.wipe(founder)
	w.run(20 * time.Second)
	w.start(founder)
	w.newPerson()
	w.must(time.Minute, "founded anew", func() bool { return w.agree() && founder.q.Epoch() == 1 })
}

// An answer may be overtaken by the founding that its sender made just after it:
// they come by two streams. That is no word of one who is without that founding.
func TestAnswerFromBeforeTheFounding(t *testing.T) {
	w := newWorld(t, 3, 8)
	a, founder, c := w.machines[0], w.machines[1], w.machines[2]
	w.startAll()
	w.must(5*time.Second, "all have met", func() bool { _, met := a.q.whoIsThere(w.now); return met == 3 && founder.q.state == nil })
	w.cut = func(from, to int) bool { return from != to }
	var late []*hearsay.Packet
	for _, m := range []*machine{founder, c} {
		w.step(a, func() { a.q.hello(w.now, m.slot) })
		answer := m.q.ownHello()
		answer.Answer, answer.Nonce = true, a.q.seats.nonces[m.slot]
		answer.Sign(testNetwork, m.signer)
		late = append(late, from(seedAddr(m.slot), answer))
	}
	w.step(founder, func() { founder.foundNow(w) })
	named := founder.q.ownHello()
	named.Sign(testNetwork, founder.signer)
	w.step(a, func() { a.q.Receive(w.now, from(seedAddr(founder.slot), named)) })
	if a.q.founding != founder.q.founding || a.q.founding.IsZero() {
		t.Fatal("it takes no part in the founding: the test shows nothing")
	}
	life := a.q.life
	for _, p := range late {
		w.step(a, func() { a.q.Receive(w.now, p) })
	}
	w.run(time.Second)
	if a.q.life != life {
		t.Error("it has given up a founding that has just been made")
	}
}

// Who begins a new life founds nothing with it before it is on disk: torn apart,
// the old life would come back with what the new one has voted. So those that it has
// met before does not count.
func TestNewLifeIsDurableBeforeItFounds(t *testing.T) {
	w := newWorld(t, 3, 8)
	a, founder, c := w.machines[0], w.machines[1], w.machines[2]
	w.startAll()
	w.must(5*time.Second, "all have met", func() bool { _, met := a.q.whoIsThere(w.now); return met == 3 && founder.q.state == nil })
	w.cut = func(from, _ int) bool { return from == founder.slot } // the others get nothing of it
	w.step(founder, func() { founder.foundNow(w) })
	for _, m := range []*machine{a, c} {
		named := founder.q.ownHello()
		named.Sign(testNetwork, founder.signer)
		w.step(m, func() { m.q.Receive(w.now, from(seedAddr(founder.slot), named)) })
	}
	old := a.q.life
	w.run(time.Second) // that is on disk
	w.wipe(founder)
	w.start(founder)
	w.cut = nil
	w.stepped = func(m *machine, _ *hearsay.Effects) {
		if m == a && a.q.life != old {
			w.syncs = time.Hour // from now on: what it has kept is not on disk
		}
	}
	w.must(time.Minute, "it has given up", func() bool { return a.q.life != old })
	for slot, m := range []*machine{1: founder, 2: c} {
		if m != nil {
			hello := &hearsay.SeatHello{Slot: uint8(slot), Life: hearsay.Life{byte(slot)}, Config: a.q.cfg.hash(), Nonce: a.q.seats.nonces[slot], Answer: true}
			hello.Sign(testNetwork, m.signer)
			w.step(a, func() { a.q.Receive(w.now, from(seedAddr(slot), hello)) })
		}
	}
	w.run(w.cfg.TickEvery)
	if kept := a.disk.durable["life"].(*hearsay.SeedLife); kept.Life != old {
		t.Fatal("it is on disk: the test shows nothing")
	}
	if a.q.replica != nil {
		t.Error("it takes part with a life that is not on disk")
	}
}

// A crash may tear apart what giving up wrote: then the old life is back with the
// beginning that it has confirmed, or the new one with nothing.
func TestTornGivingUp(t *testing.T) {
	w := newWorld(t, 3, 9)
	a := w.machines[0]
	w.startAll()
	w.must(5*time.Second, "all have met", func() bool { _, met := a.q.whoIsThere(w.now); return met == 3 && a.q.state == nil })
	w.step(a, func() { a.foundNow(w) })
	w.cut = func(from, to int) bool { return from != to }
	old := a.q.life
	w.run(time.Second) // that is on disk
	before := maps.Clone(a.disk.durable)
	for _, m := range w.machines[1:] {
		w.wipe(m)
		w.start(m)
	}
	w.cut = nil
	var torn []hearsay.Record
	w.stepped = func(m *machine, out *hearsay.Effects) {
		if m == a && torn == nil && a.q.life != old {
			torn = out.Persist
		}
	}
	w.must(time.Minute, "it has given up", func() bool { return torn != nil })
	w.stepped = nil
	for kept := range 1 << len(torn) {
		w.crash(a)
		a.disk.durable = maps.Clone(before)
		for i, r := range torn {
			if kept>>i&1 != 0 {
				a.disk.apply(r)
			}
		}
		w.start(a)
		if back := a.q.life == old; back != (a.q.state != nil) || back == a.q.founding.IsZero() {
			t.Errorf("of %d records %b are left: the old life is back %t, with its beginning %t", len(torn), kept, back, a.q.state != nil)
		}
	}
}

// Who has confirmed anything of its founding gives it up for nothing, though
// nobody else is left of it: what it has confirmed may have been decided.
func TestConfirmedIsNotGivenUp(t *testing.T) {
	w := newWorld(t, 3, 7)
	a, b, c := w.machines[0], w.machines[1], w.machines[2]
	w.startTold(a)
	w.start(b)
	w.must(20*time.Second, "founded by two", func() bool { return b.q.state != nil && b.q.replica.log.applied > ledger.FoundingIndex })
	w.run(time.Second) // that is on disk everywhere
	founding := b.q.founding
	w.crash(b)
	w.wipe(a)
	w.start(b)
	w.run(foundAfter) // so long nobody else is there
	w.start(a)
	w.startTold(c)
	w.run(time.Minute)
	if b.q.founding != founding || b.q.state == nil {
		t.Error("it has given up what it confirmed")
	}
	if why := c.q.Why(); c.q.state != nil || why != c.q.notNamed(w.now) {
		t.Errorf("the others found beside it: %q", why)
	}
}

// A seed comes back with a ledger after the others were founded without it,
// because an operator vouched for it: it says so, takes no part, and harms
// nobody.
func TestOldLedgerAfterFounding(t *testing.T) {
	w := newWorld(t, 3, 6)
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	w.newPerson()
	w.must(5*time.Second, "one is in", w.agree)
	w.run(time.Second) // that is on disk everywhere
	old := w.machines[2]
	w.crash(old)
	for _, m := range w.machines[:2] {
		w.wipe(m)
		w.epochs[m.slot] = 0
		w.startTold(m)
	}
	clear(w.hashes)
	clear(w.rulings)
	w.newPerson()
	w.must(20*time.Second, "founded without it", func() bool { return w.machines[0].q.Epoch() == 2 && w.machines[1].q.Epoch() == 2 })
	said, told := 0, map[*machine]int{}
	w.teller = func(m *machine, e hearsay.Event) {
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
	w.newPerson()
	w.must(10*time.Second, "they go on", func() bool { return w.machines[0].q.Epoch() == 3 && w.machines[1].q.Epoch() == 3 })
	w.run(time.Minute)
	if want := "belongs to another founding of this network than the ledger here, which ends with epoch 1: to take part, start this seed with an empty data directory"; !strings.Contains(old.q.Why(), want) || said == 0 || said > 4 {
		t.Errorf("it says %d times %q", said, old.q.Why())
	}
	if old.q.Ready() || old.q.Epoch() != 1 || !w.machines[0].q.Ready() {
		t.Errorf("it takes part\n%s", w.describe())
	}
	for _, m := range w.machines[:2] { // an operator of theirs has said that it has no ledger
		_, note := m.q.Note(w.now, old.slot)
		if why := m.q.Why(); note != "has a ledger of another founding" || !strings.Contains(why, "has a ledger of another founding of this network than the one here") || told[m] != 1 {
			t.Errorf("a founder tells %d times, and says %q: %q", told[m], note, why)
		}
	}
	if told[old] != 0 {
		t.Errorf("it tells of the others %d times", told[old])
	}
	w.wipe(old)
	w.epochs[2] = 0
	w.start(old)
	w.must(20*time.Second, "with an empty directory it has its seat", w.agree)
	if why := w.machines[0].q.Why(); why != "" {
		t.Errorf("and a founder says %q", why)
	}
}

// Nor does it look through the others' ledger for who sits where: that is of another
// network.
func TestSeatsOfAnotherFounding(t *testing.T) {
	w := newWorld(t, 5, 6)
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	w.run(time.Second) // that is on disk everywhere
	old := w.machines[4]
	w.crash(old)
	for _, m := range w.machines[:4] {
		w.wipe(m)
		if m.slot < 3 {
			w.startTold(m)
		}
	}
	w.newPerson()
	w.must(20*time.Second, "founded without it", func() bool { return w.machines[0].q.Epoch() == 1 })
	w.start(w.machines[3])
	w.must(20*time.Second, "one has its seat", func() bool { return w.machines[3].q.Seated() })
	asked := 0
	w.stepped = func(m *machine, out *hearsay.Effects) {
		for _, p := range out.Send {
			if _, asks := p.Body.(*hearsay.LedgerReq); asks && m == old {
				asked++
			}
		}
	}
	w.start(old)
	w.run(time.Minute)
	if asked > 0 || old.q.Why() == "" {
		t.Errorf("it asks %d times: %q", asked, old.q.Why())
	}
}

// Of a founding of which nothing has come for a while, those who are left of it say
// what is missing, and who has come too late that they take part in one.
func TestFoundingThatWaitsIsSaid(t *testing.T) {
	w := newWorld(t, 3, 8)
	founder, b, c := w.machines[0], w.machines[1], w.machines[2]
	w.startTold(founder)
	w.start(b)
	w.must(5*time.Second, "they have met", func() bool { _, met := founder.q.whoIsThere(w.now); return met == 2 })
	w.cut = func(from, _ int) bool { return from == founder.slot } // the other gets nothing of it
	w.must(10*time.Second, "founded", func() bool { return founder.q.state != nil })
	named := founder.q.ownHello()
	named.Sign(testNetwork, founder.signer)
	w.step(b, func() { b.q.Receive(w.now, from(seedAddr(founder.slot), named)) })
	w.run(time.Second) // that is on disk
	w.cut = nil
	w.crash(founder)
	w.start(c)
	w.run(2 * foundSayEvery)
	const want = "nothing has come yet of the founding that this seed takes part in"
	if why := b.q.Why(); b.q.state != nil || !strings.Contains(why, want) {
		t.Errorf("who was named: %q", why)
	}
	if why := c.q.Why(); !strings.Contains(why, "the seed at 10.0.0.2:5000 takes part in a founding already") {
		t.Errorf("who has come too late: %q", why)
	}
	w.crash(b)
	w.start(founder)
	w.run(2 * foundSayEvery)
	if why := founder.q.Why(); !founder.q.unborn() || !strings.Contains(why, want) {
		t.Errorf("who founded: %q", why)
	}
	w.start(b)
	w.newPerson()
	w.must(20*time.Second, "it comes about", func() bool { return w.agree() && founder.q.Epoch() > 0 })
	if founder.q.Why()+b.q.Why()+c.q.Why() != "" {
		t.Errorf("%q, %q, %q", founder.q.Why(), b.q.Why(), c.q.Why())
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
		w.startAll()
		w.must(5*time.Second, "founded", w.agree)
		for range tt.members {
			w.newPerson()
		}
		w.must(5*time.Second, "they are in", func() bool { return int(w.machines[0].q.Epoch()) == tt.members && w.agree() })
		w.run(time.Second) // that is on disk everywhere
		for _, m := range w.machines[1:] {
			w.crash(m)
		}
		w.run(5 * time.Second)
		for _, m := range w.machines[1 : 1+tt.back] {
			if !tt.backWithTheirs {
				w.wipe(m)
				w.epochs[m.slot] = 0
			}
			w.start(m)
		}
		w.run(20 * time.Second)
		has, hasNot := w.machines[0].q.Why(), w.machines[1].q.Why()
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
