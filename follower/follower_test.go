package follower

import (
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

func TestFollowersFollow(t *testing.T) {
	w := followed(t, 1, 5)
	a := w.newFollower()
	b := w.newFollower(a)
	w.newFollower(b)
	w.Must(5*time.Second, "they follow", w.Follow)
	w.People[2].Up = false
	w.NewPerson()
	w.Must(10*time.Second, "they follow a change", func() bool { return w.Machines[0].Q.Epoch() == 7 && w.Follow() })
	for _, f := range w.followers {
		epoch := hearsay.Epoch(0)
		for _, e := range f.News {
			if e.Kind == hearsay.EventRuled && e.Epoch != epoch+1 {
				t.Errorf("follower %d is told epoch %d after %d", f.N, e.Epoch, epoch)
			}
			if e.Kind == hearsay.EventRuled {
				epoch = e.Epoch
			}
		}
	}
}

// News reaches those that no seed tells, by neighbors.
func TestNeighborsPassItOn(t *testing.T) {
	w := followed(t, 2, 3)
	var chain []*following
	for i := range 6 {
		if i == 0 {
			chain = append(chain, w.newFollower())
		} else {
			chain = append(chain, w.newFollower(chain[i-1]))
		}
	}
	w.Must(5*time.Second, "they follow", w.Follow)
	w.Cut = func(from, to int) bool { return from > 100 && to < 100 || to > 100 && from < 100 } // all but the first
	w.NewPerson()
	w.Must(10*time.Second, "the last of six knows", func() bool { return chain[5].Epoch() == w.Machines[0].Q.Epoch() && chain[5].Epoch() > 3 })
}

// Who is far behind gets the whole roster, and who has slept goes on from what
// others have kept.
func TestFollowerCatchesUp(t *testing.T) {
	w := followed(t, 3, 40)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	f.Deaf = true
	for range 30 {
		w.NewPerson()
	}
	w.Must(20*time.Second, "more are in", func() bool { return w.Machines[0].Q.Epoch() == 70 && w.Agree() })
	f.Deaf = false
	w.Must(10*time.Second, "it follows again", w.Follow)
	w.truncate(60)
	late := w.newFollower()
	w.Must(10*time.Second, "a late one has the roster", w.Follow)
	if !slices.ContainsFunc(late.News, func(e hearsay.Event) bool { return e.Kind == hearsay.EventRosterProven && e.Count >= 60 }) {
		t.Error("it was not told of the roster")
	}
}

// Who has taken over a roster whole, and no ruling since, gives it on.
func TestRosterIsPassedOn(t *testing.T) {
	w := followed(t, 6, 3)
	behind := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	behind.Deaf = true
	for range 30 {
		w.NewPerson()
	}
	w.Must(20*time.Second, "more are in", func() bool { return w.Machines[0].Q.Epoch() == 33 && w.Agree() })
	w.truncate(32)
	late := w.newFollower(behind)
	w.Must(5*time.Second, "a late one has the roster", func() bool { return late.Epoch() == 33 })
	w.Cut = func(from, to int) bool { return from == 100+behind.N && to < 100 || to == 100+behind.N && from < 100 }
	behind.Deaf = false
	w.Must(10*time.Second, "the other has it from there", w.Follow)
}

// While many join, what comes is always a little behind what is signed.
func TestFollowerKeepsUpWithABulk(t *testing.T) {
	w := followed(t, 4, 1)
	w.poll = 300 * time.Millisecond // the seeds tell members, and these are none
	f := w.newFollower()
	for i := range 400 {
		w.After(time.Duration(i)*5*time.Millisecond, func() { w.NewPerson() })
	}
	w.Run(1500 * time.Millisecond)
	late := w.newFollower(f)
	w.Run(1500 * time.Millisecond)
	if behind := w.Machines[0].Q.Epoch() - f.Epoch(); behind > 150 || late.Epoch() == 0 {
		t.Errorf("%d epochs behind %d, the late one is at %d\n%s", behind, w.Machines[0].Q.Epoch(), late.Epoch(), w.Describe())
	}
	w.Must(20*time.Second, "all follow", func() bool { return w.Machines[0].Q.Epoch() == 401 && w.Follow() })
}

// What comes between a follower and the newest head may be more than one message
// carries: only its end is signed, so the rest is kept until then.
func TestFollowerCatchesUpFar(t *testing.T) {
	w := followed(t, 5, 400)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	for range 400 {
		w.NewPerson()
	}
	f.Deaf = true
	w.Must(20*time.Second, "more are in", func() bool { return w.Machines[0].Q.Epoch() == 800 && w.Agree() })
	f.Deaf, f.News = false, nil
	w.Must(3*time.Second, "it follows again", w.Follow)
	if slices.ContainsFunc(f.News, func(e hearsay.Event) bool { return e.Kind == hearsay.EventRosterProven }) {
		t.Error("it needed the whole roster")
	}
}

// A peer goes on after a restart, believes nothing older than before, and
// knows the seeds by the keys that it has met first.
func TestFollowerRemembers(t *testing.T) {
	w := followed(t, 5, 4)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	pins := f.seats.pins
	f.Start()
	if f.seats.pins != pins || f.floor != 4 {
		t.Errorf("after a restart it knows %+v and epoch %d", f.seats.pins, f.floor)
	}
	w.Must(5*time.Second, "it follows again", w.Follow)

	// Somebody else at the seeds' addresses, with a ledger of its own.
	other := newWorld(t, 3, 6)
	for i, m := range other.Machines {
		m.Signer = newKeyed(uint64(300 + i))
	}
	other.StartAll()
	other.Must(5*time.Second, "founded", other.Agree)
	for range 9 {
		other.NewPerson()
	}
	other.Must(5*time.Second, "nine are in", func() bool { return other.Machines[0].Q.Epoch() == 9 && other.Agree() })
	q := other.Machines[0].Q
	f.Step(func() {
		f.Receive(w.Now, &core.Packet{Body: &core.Rulings{Items: q.Rulings(0, 9), Heads: q.Heads()}})
		for _, part := range ledger.RosterParts(w.Random, q.Rulings(8, 1)[0], q.Heads(), q.Roster(nil)) {
			f.Receive(w.Now, &core.Packet{Addr: seedAddr(0), Body: part})
		}
	})
	if f.Epoch() != 4 || f.Drops[hearsay.DropStranger] == 0 {
		t.Errorf("it is at epoch %d", f.Epoch())
	}
	w.NewPerson()
	w.Must(15*time.Second, "it follows still", w.Follow)
}

// Who is taken for a member by somebody unheard of asks a seed what it has
// missed, but not once for each stranger.
func TestStrangersTellOfWhatWasMissed(t *testing.T) {
	w := followed(t, 21, 3)
	w.poll = time.Hour
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	w.NewPerson()
	w.Run(5 * time.Second)
	if w.Machines[0].Q.Epoch() != 4 || f.Epoch() != 3 {
		t.Fatalf("at epoch %d, and it follows up to %d", w.Machines[0].Q.Epoch(), f.Epoch())
	}
	asked := 0
	f.Step(func() {
		for range 100 {
			f.Strange(w.Now)
		}
		asked = len(f.Out.Send)
	})
	w.Must(time.Second, "it follows again", w.Follow)
	if asked != 1 {
		t.Errorf("it asked %d times", asked)
	}
}

// A new life in a seat is believed by the ballots of a quorum, and by those
// peers too that were away meanwhile.
func TestFollowerBelievesNewLives(t *testing.T) {
	w := followed(t, 7, 3)
	f, away := w.newFollower(), w.newFollower()
	w.Must(5*time.Second, "they follow", w.Follow)
	away.Deaf = true
	for slot := range 3 { // one after the other, until no key is the same
		m := w.Machines[slot]
		w.Wipe(m)
		w.Epochs[slot] = 0
		w.Start(m)
		w.Must(20*time.Second, "it has its seat", w.Agree)
	}
	w.NewPerson()
	w.Must(10*time.Second, "it follows", func() bool { return w.Machines[0].Q.Epoch() == 7 && w.Follow() })
	for slot := range 3 {
		if f.seats.pins[slot].Seat.Key != w.Machines[slot].Signer.Public() {
			t.Errorf("seat %d is not known", slot)
		}
	}
	away.Deaf = false
	w.Must(20*time.Second, "the other follows too", w.Follow)
}

// A seed that was met before there was a network, and lost its disk before there
// was one, never had a seat: its key is not kept.
func TestFollowerMeetsSeedsBeforeTheFounding(t *testing.T) {
	w := newWorld(t, 3, 17)
	w.Start(w.Machines[1])
	w.Start(w.Machines[2])
	f := w.newFollower()
	w.Run(5 * time.Second)
	w.Wipe(w.Machines[2])
	w.Start(w.Machines[0])
	w.Start(w.Machines[2])
	w.Must(5*time.Second, "founded", w.Agree)
	w.NewPerson()
	w.Must(5*time.Second, "it follows", w.Follow)
	w.Run(5 * time.Second)
	for slot, m := range w.Machines {
		if f.seats.pins[slot].Seat.Key != m.Signer.Public() {
			t.Errorf("seat %d is not known", slot)
		}
	}
}

// The same of seeds that had founded, and lost their disks before anything was
// ruled, by which nothing came of that founding.
func TestFollowerMeetsAFoundingThatComesToNothing(t *testing.T) {
	w := newWorld(t, 3, 18)
	w.startTold(w.Machines[1])
	w.Start(w.Machines[2])
	w.Must(20*time.Second, "founded by two", func() bool { return w.Machines[1].Q.Ready() && w.Machines[2].Q.Ready() })
	f := w.newFollower()
	w.Run(5 * time.Second)
	if f.seats.pins[1].Seat.Key != w.Machines[1].Signer.Public() || f.seats.pins[2].Seat.Key != w.Machines[2].Signer.Public() {
		t.Fatal("it has not met them: the test shows nothing")
	}
	w.Wipe(w.Machines[1])
	w.Wipe(w.Machines[2])
	w.StartAll()
	w.Must(20*time.Second, "founded anew", w.Agree)
	w.NewPerson()
	w.Must(15*time.Second, "it follows", func() bool { return w.Machines[0].Q.Epoch() == 1 && w.Follow() })
	w.Run(5 * time.Second)
	for slot, m := range w.Machines {
		if f.seats.pins[slot].Seat.Key != m.Signer.Public() || !f.seats.lasting[slot] {
			t.Errorf("seat %d is not known", slot)
		}
	}
}

// A seed that dies right after the first ruling, which it has signed, is known to
// a peer that starts again then.
func TestFollowerKeepsWhoHasSigned(t *testing.T) {
	for seed := range uint64(10) {
		w := newWorld(t, 3, 30+seed)
		w.poll = 50 * time.Millisecond
		w.StartAll()
		f := w.newFollower()
		w.Run(5 * time.Second)
		w.NewPerson()
		w.Must(5*time.Second, "it follows", func() bool { return w.Follow() && f.Epoch() == 1 && f.chain.Heads[2].Epoch == 1 })
		w.Crash(w.Machines[2])
		w.Run(2 * tickEvery)
		f.Start()
		if f.seats.pins[2].Seat.Key != w.Machines[2].Signer.Public() {
			t.Errorf("seed %d: seat 2 is not known", seed)
		}
	}
}

// An earlier life may have ended with heads on its disk and without the keys of those who had signed them: they are met
// anew, and not pinned to no key.
func TestFollowerOfHeadsWithoutKeys(t *testing.T) {
	w := followed(t, 11, 4)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	f.Step(func() {
		for slot := range uint8(2) {
			f.seats.pins[slot], f.seats.lasting[slot] = core.SeedPin{Seat: hearsay.Seat{Slot: slot}}, false
		}
		f.tickAt = w.Now
		f.Tick(w.Now)
	})
	w.NewPerson()
	w.Must(15*time.Second, "it follows on", func() bool { return f.Epoch() == 5 && w.Follow() })
}

// A seed that is down since before a peer came is known to it by the word of
// a quorum of the others, not of fewer.
func TestFollowerIsToldOfSeeds(t *testing.T) {
	w := followed(t, 19, 1)
	w.Crash(w.Machines[2])
	w.Cut = func(_, to int) bool { return to == 1 }
	f := w.newFollower()
	w.Run(15 * time.Second)
	if !f.seats.pins[2].Seat.Key.IsZero() {
		t.Error("one seed's word is enough")
	}
	w.Cut = nil
	w.Must(2*helloPinnedEvery, "it is told", func() bool { return f.seats.pins[2].Seat.Key == w.Machines[2].Signer.Public() && f.seats.lasting[2] })
}

// A seed that has not come yet is asked for, and costs the others little: a
// thousand peers would ask them, too.
func TestFollowerWaitsForASeed(t *testing.T) {
	w := newWorld(t, 3, 20)
	w.startTold(w.Machines[0])
	w.startTold(w.Machines[1])
	w.NewPerson()
	f := w.newFollower()
	w.Must(15*time.Second, "it follows", func() bool { return f.Epoch() == 1 && f.seats.lasting[0] && f.seats.lasting[1] })
	w.Run(helloPinnedEvery)
	clear(f.Hellos)
	w.Run(3 * helloPinnedEvery)
	if known, missing := f.Hellos[seedAddr(0)]+f.Hellos[seedAddr(1)], f.Hellos[seedAddr(2)]; known > 4 || missing < 20 {
		t.Errorf("it has asked those who are known %d times, and who is not %d times", known, missing)
	}
	w.Start(w.Machines[2])
	w.Must(15*time.Second, "it knows the last", func() bool { return f.seats.lasting[2] && f.seats.pins[2].Seat.Key == w.Machines[2].Signer.Public() })
}

// Seeds that are known are asked in turn, as chance might draw those that are down
// again and again.
func TestFollowerAsksInTurn(t *testing.T) {
	for seed := range uint64(5) {
		w := followed(t, 23+seed, 1)
		f := w.newFollower()
		w.Must(20*time.Second, "it follows, and knows all", func() bool { return w.Follow() && f.seats.lasting[0] && f.seats.lasting[1] && f.seats.lasting[2] })
		w.Run(helloPinnedEvery)
		clear(f.Hellos)
		w.Run(3*helloPinnedEvery + tickEvery)
		if len(f.Hellos) != 3 {
			t.Errorf("in the time of three hellos it has asked %v", f.Hellos)
		}
	}
}

// Two seeds that have lost their disks wait for an operator, for as long as that
// takes: who asks them asks no more often for it.
func TestFollowerOfTwoWipedSeeds(t *testing.T) {
	w := followed(t, 22, 1)
	f := w.newFollower()
	w.Must(20*time.Second, "it follows, and knows all", func() bool { return w.Follow() && f.seats.lasting[0] && f.seats.lasting[1] && f.seats.lasting[2] })
	for _, m := range w.Machines[1:] {
		w.Wipe(m)
		w.Start(m)
	}
	w.Run(30 * time.Second)
	clear(f.Hellos)
	w.Run(30 * time.Second)
	total := 0
	for slot := range w.Machines {
		total += f.Hellos[seedAddr(slot)]
	}
	if total == 0 || total > 3*30 {
		t.Errorf("it asks them %d times in half a minute who they are", total)
	}
}

// A peer knows seeds again by their addresses if the list is another after
// a restart: in another order, or with one only, which goes on from its ledger by
// an operator's word. What the old list had signed holds it up no more.
func TestFollowerOfAnotherList(t *testing.T) {
	w := followed(t, 23, 2)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	w.Run(time.Second)
	listed, floor := f.w.cfg.Seeds, f.Epoch()
	key := func(slot int) hearsay.PublicKey { return w.Machines[slot].Signer.Public() }
	f.Deaf = true
	for _, order := range [][]int{{0, 1, 2}, {2, 0, 1}, {2}, {2}, {2, 1}} {
		w.cfg.Seeds = nil
		for _, slot := range order {
			w.cfg.Seeds = append(w.cfg.Seeds, listed[slot])
		}
		f.Start()
		for at, slot := range order {
			known := f.seats.pins[at].Seat.Key == key(slot) && f.seats.lasting[at] && f.seats.pins[at].Seat.Slot == uint8(at)
			if forgotten := slot == 1 && len(order) == 2; known == forgotten {
				t.Errorf("list %v: the seed that was in slot %d is known: %t", order, slot, known)
			}
		}
		if same := order[0] == 0; (f.floor == floor) != same || !same && f.floor != 0 {
			t.Errorf("list %v: believes nothing before epoch %d", order, f.floor)
		}
	}
}

// What one seed signs, or fewer than a quorum, proves nothing.
func TestFollowerNeedsAQuorumOfHeads(t *testing.T) {
	w := followed(t, 9, 2)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	liar := w.Machines[1]
	r := &hearsay.Ruling{Epoch: 3, Kind: hearsay.RulingRemove, Stay: f.Roster(nil)[0].Stay, Previous: f.Head()}
	var heads []hearsay.Head
	for slot := range 3 {
		h := hearsay.Head{Founding: w.Ledger().Founding, Epoch: 3, Hash: r.Hash(testNetwork), Slot: uint8(slot)}
		h.Sign(testNetwork, liar.Signer)
		heads = append(heads, h)
	}
	heads = append(heads, heads[1])
	for i := range heads { // each by itself: one that is forged voids those behind it
		f.Step(func() {
			f.Receive(w.Now, &core.Packet{Body: &core.Rulings{Items: []*hearsay.Ruling{r}, Heads: heads[i : i+1]}})
		})
	}
	if f.Epoch() != 2 || f.Drops[hearsay.DropBadSignature] != 2 {
		t.Errorf("at epoch %d, %d bad signatures", f.Epoch(), f.Drops[hearsay.DropBadSignature])
	}
}

// A list pins keys. Which life has each seat, a peer learns from the seeds, and
// keeps; else it could not tell whose ballots those in the ledger are.
func TestPinnedSeedsAreMet(t *testing.T) {
	w := followed(t, 31, 1)
	w.cfg.Seeds = slices.Clone(w.cfg.Seeds)
	for slot, m := range w.Machines {
		w.cfg.Seeds[slot].Key = m.Signer.Public()
	}
	want := w.Machines[0].Q.Seats(nil)
	w.Crash(w.Machines[2]) // the others name it
	f := w.newFollower()
	met := func() bool { return slices.Equal(f.Seats(nil), want) }
	w.Must(5*time.Second, "it knows the life in each seat", met)
	f.Deaf = true
	if f.Start(); !met() {
		t.Errorf("after a restart it has the seats %v, want %v", f.Seats(nil), want)
	}
}

// A peer whose neighbors are all gone asks a seed as soon as one of them has not
// answered.
func TestFollowerWithDeadNeighbors(t *testing.T) {
	w := followed(t, 5, 3)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	for range 4 {
		dead := w.newFollower()
		dead.Deaf = true
		f.Links = append(f.Links, dead.Addr)
	}
	w.Crash(w.Machines[2]) // and one of the seeds
	most := time.Duration(0)
	for range 12 {
		w.NewPerson()
		w.Must(5*time.Second, "it is ruled", func() bool { return w.Machines[0].Q.Epoch() > f.Epoch() })
		began, epoch := w.Now, w.Machines[0].Q.Epoch()
		w.Must(3600*time.Millisecond, "it follows", func() bool { return f.Epoch() >= epoch })
		most = max(most, w.Now.Sub(began))
	}
	t.Logf("it lags by up to %v", most)
}
