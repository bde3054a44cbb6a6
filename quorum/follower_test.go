package quorum

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"hearsay/testkit"

	"hearsay"
)

// following is a peer that follows the seeds' ledger.
type following struct {
	*Follower
	w      *world
	n      int
	key    *testkit.Signer
	addr   netip.AddrPort
	out    *hearsay.Effects
	drops  hearsay.Drops
	disk   disk
	links  []netip.AddrPort
	deaf   bool
	life   int
	told   []hearsay.Event
	hellos map[netip.AddrPort]int // sent
}

func (w *world) newFollower(links ...*following) *following {
	n := len(w.followers)
	f := &following{w: w, n: n, key: newKeyed(uint64(9000 + n)), addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(n + 1)}), 6000), hellos: make(map[netip.AddrPort]int)}
	for _, o := range links {
		f.links, o.links = append(f.links, o.addr), append(o.links, f.addr)
	}
	w.followers = append(w.followers, f)
	f.start()
	return f
}

func (f *following) start() {
	f.life++
	f.out, f.told = &hearsay.Effects{}, nil
	cfg := DefaultFollowerConfig()
	cfg.Network, cfg.Seeds, cfg.Tail = testNetwork, f.w.cfg.Seeds, 8
	if w := f.w; w.poll > 0 {
		cfg.PollEvery = w.poll
	}
	random := rand.New(rand.NewPCG(f.w.random.Uint64(), 3))
	f.Follower = NewFollower(cfg, f.key, random, Directory{Sender: f.w.sender, Links: func() []netip.AddrPort { return f.links }}, f.disk.load(), &f.drops, f.out, f.w.now)
	f.step(func() { f.Tick(f.w.now) })
}

func (f *following) step(do func()) {
	before := f.Epoch()
	do()
	out := *f.out
	*f.out = hearsay.Effects{}
	f.disk.sync(out.Persist)
	for _, p := range out.Send {
		if _, ok := p.Body.(*hearsay.SeatHello); ok {
			f.hellos[p.Addr]++
		}
		if !f.deaf {
			f.w.send(100+f.n, f.key.Public().NodeID(), f.addr, p)
		}
	}
	f.told = append(f.told, out.Events...)
	f.check(before)
	life := f.life
	f.w.after(max(0, f.Deadline().Sub(f.w.now)), func() {
		if f.life == life && !f.Deadline().After(f.w.now) {
			f.step(func() { f.Tick(f.w.now) })
		}
	})
}

// check: epochs only grow, and what a follower believes is what seeds ruled.
func (f *following) check(before hearsay.Epoch) {
	w := f.w
	if f.Epoch() < before {
		w.t.Errorf("follower %d went from epoch %d back to %d", f.n, before, f.Epoch())
	}
	if hash, ok := w.hashes[f.Epoch()]; f.Epoch() > before && !w.forks && (!ok || hash != f.Head()) {
		w.t.Errorf("follower %d believes another ledger at epoch %d", f.n, f.Epoch())
	}
}

// follows reports whether all followers that hear are where the seeds are.
func (w *world) follows() bool {
	return w.agree() && !slices.ContainsFunc(w.followers, func(f *following) bool {
		return !f.deaf && (f.Epoch() != w.machines[0].q.Epoch() || f.members.Hash(testNetwork) != w.machines[0].q.state.Members.Hash(testNetwork))
	})
}

func followed(t *testing.T, seed uint64, peers int) *world {
	w := newWorld(t, 3, seed)
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	for range peers {
		w.newPerson()
	}
	w.must(10*time.Second, "all are in", func() bool { return int(w.machines[0].q.Epoch()) >= peers && w.agree() })
	return w
}

func TestFollowersFollow(t *testing.T) {
	w := followed(t, 1, 5)
	a := w.newFollower()
	b := w.newFollower(a)
	w.newFollower(b)
	w.must(5*time.Second, "they follow", w.follows)
	w.people[2].up = false
	w.newPerson()
	w.must(10*time.Second, "they follow a change", func() bool { return w.machines[0].q.Epoch() == 7 && w.follows() })
	for _, f := range w.followers {
		epoch := hearsay.Epoch(0)
		for _, e := range f.told {
			if e.Kind == hearsay.EventRuled && e.Epoch != epoch+1 {
				t.Errorf("follower %d is told epoch %d after %d", f.n, e.Epoch, epoch)
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
	w.must(5*time.Second, "they follow", w.follows)
	w.cut = func(from, to int) bool { return from > 100 && to < 100 || to > 100 && from < 100 } // all but the first
	w.newPerson()
	w.must(10*time.Second, "the last of six knows", func() bool { return chain[5].Epoch() == w.machines[0].q.Epoch() && chain[5].Epoch() > 3 })
}

// Who is far behind gets the whole roster, and who has slept goes on from what
// others have kept.
func TestFollowerCatchesUp(t *testing.T) {
	w := followed(t, 3, 40)
	f := w.newFollower()
	w.must(5*time.Second, "it follows", w.follows)
	f.deaf = true
	for range 30 {
		w.newPerson()
	}
	w.must(20*time.Second, "more are in", func() bool { return w.machines[0].q.Epoch() == 70 && w.agree() })
	f.deaf = false
	w.must(10*time.Second, "it follows again", w.follows)
	for _, m := range w.machines {
		m.q.chain.Base += 60
		m.q.chain.BaseHash, m.q.chain.Links = m.q.chain.Links[59].Hash, m.q.chain.Links[60:]
	}
	late := w.newFollower()
	w.must(10*time.Second, "a late one has the roster", w.follows)
	if !slices.ContainsFunc(late.told, func(e hearsay.Event) bool { return e.Kind == hearsay.EventRosterProven && e.Count >= 60 }) {
		t.Error("it was not told of the roster")
	}
}

// Who has taken over a roster whole, and no ruling since, gives it on.
func TestRosterIsPassedOn(t *testing.T) {
	w := followed(t, 6, 3)
	behind := w.newFollower()
	w.must(5*time.Second, "it follows", w.follows)
	behind.deaf = true
	for range 30 {
		w.newPerson()
	}
	w.must(20*time.Second, "more are in", func() bool { return w.machines[0].q.Epoch() == 33 && w.agree() })
	w.truncate(32)
	late := w.newFollower(behind)
	w.must(5*time.Second, "a late one has the roster", func() bool { return late.Epoch() == 33 })
	w.cut = func(from, to int) bool { return from == 100+behind.n && to < 100 || to == 100+behind.n && from < 100 }
	behind.deaf = false
	w.must(10*time.Second, "the other has it from there", w.follows)
}

// While many join, what comes is always a little behind what is signed.
func TestFollowerKeepsUpWithABulk(t *testing.T) {
	w := followed(t, 4, 1)
	w.poll = 300 * time.Millisecond // the seeds tell members, and these are none
	f := w.newFollower()
	for i := range 400 {
		w.after(time.Duration(i)*5*time.Millisecond, func() { w.newPerson() })
	}
	w.run(1500 * time.Millisecond)
	late := w.newFollower(f)
	w.run(1500 * time.Millisecond)
	if behind := w.machines[0].q.Epoch() - f.Epoch(); behind > 150 || late.Epoch() == 0 {
		t.Errorf("%d epochs behind %d, the late one is at %d\n%s", behind, w.machines[0].q.Epoch(), late.Epoch(), w.describe())
	}
	w.must(20*time.Second, "all follow", func() bool { return w.machines[0].q.Epoch() == 401 && w.follows() })
}

// What comes between a follower and the newest head may be more than one message
// carries: only its end is signed, so the rest is kept until then.
func TestFollowerCatchesUpFar(t *testing.T) {
	w := followed(t, 5, 400)
	f := w.newFollower()
	w.must(5*time.Second, "it follows", w.follows)
	for range 400 {
		w.newPerson()
	}
	f.deaf = true
	w.must(20*time.Second, "more are in", func() bool { return w.machines[0].q.Epoch() == 800 && w.agree() })
	f.deaf, f.told = false, nil
	w.must(3*time.Second, "it follows again", w.follows)
	if slices.ContainsFunc(f.told, func(e hearsay.Event) bool { return e.Kind == hearsay.EventRosterProven }) {
		t.Error("it needed the whole roster")
	}
}

// A peer goes on after a restart, believes nothing older than before, and
// knows the seeds by the keys that it has met first.
func TestFollowerRemembers(t *testing.T) {
	w := followed(t, 5, 4)
	f := w.newFollower()
	w.must(5*time.Second, "it follows", w.follows)
	pins := f.pins
	f.start()
	if f.pins != pins || f.floor != 4 {
		t.Errorf("after a restart it knows %+v and epoch %d", f.pins, f.floor)
	}
	w.must(5*time.Second, "it follows again", w.follows)

	// Somebody else at the seeds' addresses, with a ledger of its own.
	other := newWorld(t, 3, 6)
	for i, m := range other.machines {
		m.signer = newKeyed(uint64(300 + i))
	}
	other.startAll()
	other.must(5*time.Second, "founded", other.agree)
	for range 9 {
		other.newPerson()
	}
	other.must(5*time.Second, "nine are in", func() bool { return other.machines[0].q.Epoch() == 9 && other.agree() })
	q := other.machines[0].q
	f.step(func() {
		f.Receive(w.now, &hearsay.Packet{Body: &hearsay.Rulings{Items: q.Rulings(0, 9), Heads: q.chain.Newest()}})
		for _, part := range rosterParts(w.random, q.chain.Entry(9).Ruling, q.chain.Newest(), q.Roster(nil)) {
			f.Receive(w.now, &hearsay.Packet{Addr: seedAddr(0), Body: part})
		}
	})
	if f.Epoch() != 4 || f.drops[hearsay.DropStranger] == 0 {
		t.Errorf("it is at epoch %d", f.Epoch())
	}
	w.newPerson()
	w.must(15*time.Second, "it follows still", w.follows)
}

// Who is taken for a member by somebody unheard of asks a seed what it has
// missed, but not once for each stranger.
func TestStrangersTellOfWhatWasMissed(t *testing.T) {
	w := followed(t, 21, 3)
	w.poll = time.Hour
	f := w.newFollower()
	w.must(5*time.Second, "it follows", w.follows)
	w.newPerson()
	w.run(5 * time.Second)
	if w.machines[0].q.Epoch() != 4 || f.Epoch() != 3 {
		t.Fatalf("at epoch %d, and it follows up to %d", w.machines[0].q.Epoch(), f.Epoch())
	}
	asked := 0
	f.step(func() {
		for range 100 {
			f.Strange(w.now)
		}
		asked = len(f.out.Send)
	})
	w.must(time.Second, "it follows again", w.follows)
	if asked != 1 {
		t.Errorf("it asked %d times", asked)
	}
}

// A new life in a seat is believed by the ballots of a quorum, and by those
// peers too that were away meanwhile.
func TestFollowerBelievesNewLives(t *testing.T) {
	w := followed(t, 7, 3)
	f, away := w.newFollower(), w.newFollower()
	w.must(5*time.Second, "they follow", w.follows)
	away.deaf = true
	for slot := range 3 { // one after the other, until no key is the same
		m := w.machines[slot]
		w.wipe(m)
		w.epochs[slot] = 0
		w.start(m)
		w.must(20*time.Second, "it has its seat", w.agree)
	}
	w.newPerson()
	w.must(10*time.Second, "it follows", func() bool { return w.machines[0].q.Epoch() == 7 && w.follows() })
	for slot := range 3 {
		if f.pins[slot].Seat.Key != w.machines[slot].signer.Public() {
			t.Errorf("seat %d is not known", slot)
		}
	}
	away.deaf = false
	w.must(20*time.Second, "the other follows too", w.follows)
}

// A seed that was met before there was a network, and lost its disk before there
// was one, never had a seat: its key is not kept.
func TestFollowerMeetsSeedsBeforeTheFounding(t *testing.T) {
	w := newWorld(t, 3, 17)
	w.start(w.machines[1])
	w.start(w.machines[2])
	f := w.newFollower()
	w.run(5 * time.Second)
	w.wipe(w.machines[2])
	w.start(w.machines[0])
	w.start(w.machines[2])
	w.must(5*time.Second, "founded", w.agree)
	w.newPerson()
	w.must(5*time.Second, "it follows", w.follows)
	w.run(5 * time.Second)
	for slot, m := range w.machines {
		if f.pins[slot].Seat.Key != m.signer.Public() {
			t.Errorf("seat %d is not known", slot)
		}
	}
}

// The same of seeds that had founded, and lost their disks before anything was
// ruled, by which nothing came of that founding.
func TestFollowerMeetsAFoundingThatComesToNothing(t *testing.T) {
	w := newWorld(t, 3, 18)
	w.startTold(w.machines[1])
	w.start(w.machines[2])
	w.must(20*time.Second, "founded by two", func() bool { return w.machines[1].q.Ready() && w.machines[2].q.Ready() })
	f := w.newFollower()
	w.run(5 * time.Second)
	if f.pins[1].Seat.Key != w.machines[1].signer.Public() || f.pins[2].Seat.Key != w.machines[2].signer.Public() {
		t.Fatal("it has not met them: the test shows nothing")
	}
	w.wipe(w.machines[1])
	w.wipe(w.machines[2])
	w.startAll()
	w.must(20*time.Second, "founded anew", w.agree)
	w.newPerson()
	w.must(15*time.Second, "it follows", func() bool { return w.machines[0].q.Epoch() == 1 && w.follows() })
	w.run(5 * time.Second)
	for slot, m := range w.machines {
		if f.pins[slot].Seat.Key != m.signer.Public() || !f.lasting[slot] {
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
		w.startAll()
		f := w.newFollower()
		w.run(5 * time.Second)
		w.newPerson()
		w.must(5*time.Second, "it follows", func() bool { return w.follows() && f.Epoch() == 1 && f.chain.Heads[2].Epoch == 1 })
		w.crash(w.machines[2])
		w.run(2 * followerTick)
		f.start()
		if f.pins[2].Seat.Key != w.machines[2].signer.Public() {
			t.Errorf("seed %d: seat 2 is not known", seed)
		}
	}
}

// A seed that is down since before a peer came is known to it by the word of
// a quorum of the others, not of fewer.
func TestFollowerIsToldOfSeeds(t *testing.T) {
	w := followed(t, 19, 1)
	w.crash(w.machines[2])
	w.cut = func(_, to int) bool { return to == 1 }
	f := w.newFollower()
	w.run(15 * time.Second)
	if !f.pins[2].Seat.Key.IsZero() {
		t.Error("one seed's word is enough")
	}
	w.cut = nil
	w.must(2*helloPinnedEvery, "it is told", func() bool { return f.pins[2].Seat.Key == w.machines[2].signer.Public() && f.lasting[2] })
}

// A seed that has not come yet is asked for, and costs the others little: a
// thousand peers would ask them, too.
func TestFollowerWaitsForASeed(t *testing.T) {
	w := newWorld(t, 3, 20)
	w.startTold(w.machines[0])
	w.startTold(w.machines[1])
	w.newPerson()
	f := w.newFollower()
	w.must(15*time.Second, "it follows", func() bool { return f.Epoch() == 1 && f.lasting[0] && f.lasting[1] })
	w.run(helloPinnedEvery)
	clear(f.hellos)
	w.run(3 * helloPinnedEvery)
	if known, missing := f.hellos[seedAddr(0)]+f.hellos[seedAddr(1)], f.hellos[seedAddr(2)]; known > 4 || missing < 20 {
		t.Errorf("it has asked those who are known %d times, and who is not %d times", known, missing)
	}
	w.start(w.machines[2])
	w.must(15*time.Second, "it knows the last", func() bool { return f.lasting[2] && f.pins[2].Seat.Key == w.machines[2].signer.Public() })
}

// Seeds that are known are asked in turn, as chance might draw those that are down
// again and again.
func TestFollowerAsksInTurn(t *testing.T) {
	for seed := range uint64(5) {
		w := followed(t, 23+seed, 1)
		f := w.newFollower()
		w.must(20*time.Second, "it follows, and knows all", func() bool { return w.follows() && f.lasting[0] && f.lasting[1] && f.lasting[2] })
		w.run(helloPinnedEvery)
		clear(f.hellos)
		w.run(3*helloPinnedEvery + followerTick)
		if len(f.hellos) != 3 {
			t.Errorf("in the time of three hellos it has asked %v", f.hellos)
		}
	}
}

// Two seeds that have lost their disks wait for an operator, for as long as that
// takes: who asks them asks no more often for it.
func TestFollowerOfTwoWipedSeeds(t *testing.T) {
	w := followed(t, 22, 1)
	f := w.newFollower()
	w.must(20*time.Second, "it follows, and knows all", func() bool { return w.follows() && f.lasting[0] && f.lasting[1] && f.lasting[2] })
	for _, m := range w.machines[1:] {
		w.wipe(m)
		w.start(m)
	}
	w.run(30 * time.Second)
	clear(f.hellos)
	w.run(30 * time.Second)
	total := 0
	for slot := range w.machines {
		total += f.hellos[seedAddr(slot)]
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
	w.must(5*time.Second, "it follows", w.follows)
	w.run(time.Second)
	listed, floor := f.w.cfg.Seeds, f.Epoch()
	key := func(slot int) hearsay.PublicKey { return w.machines[slot].signer.Public() }
	f.deaf = true
	for _, order := range [][]int{{0, 1, 2}, {2, 0, 1}, {2}, {2}, {2, 1}} {
		w.cfg.Seeds = nil
		for _, slot := range order {
			w.cfg.Seeds = append(w.cfg.Seeds, listed[slot])
		}
		f.start()
		for at, slot := range order {
			known := f.pins[at].Seat.Key == key(slot) && f.lasting[at] && f.pins[at].Seat.Slot == uint8(at)
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
	w.must(5*time.Second, "it follows", w.follows)
	liar := w.machines[1]
	r := &hearsay.Ruling{Epoch: 3, Kind: hearsay.RulingRemove, Stay: f.Roster(nil)[0].Stay, Previous: f.Head()}
	var heads []hearsay.Head
	for slot := range 3 {
		h := hearsay.Head{Founding: w.ledger().Founding, Epoch: 3, Hash: r.Hash(testNetwork), Slot: uint8(slot)}
		h.Sign(testNetwork, liar.signer)
		heads = append(heads, h)
	}
	heads = append(heads, heads[1])
	for i := range heads { // each by itself: one that is forged voids those behind it
		f.step(func() {
			f.Receive(w.now, &hearsay.Packet{Body: &hearsay.Rulings{Items: []*hearsay.Ruling{r}, Heads: heads[i : i+1]}})
		})
	}
	if f.Epoch() != 2 || f.drops[hearsay.DropBadSignature] != 2 {
		t.Errorf("at epoch %d, %d bad signatures", f.Epoch(), f.drops[hearsay.DropBadSignature])
	}
}

// A list pins keys. Which life has each seat, a peer learns from the seeds, and
// keeps; else it could not tell whose ballots those in the ledger are.
func TestPinnedSeedsAreMet(t *testing.T) {
	w := followed(t, 31, 1)
	w.cfg.Seeds = slices.Clone(w.cfg.Seeds)
	for slot, m := range w.machines {
		w.cfg.Seeds[slot].Key = m.signer.Public()
	}
	want := slices.Clone(w.machines[0].q.state.Seats)
	w.crash(w.machines[2]) // the others name it
	f := w.newFollower()
	met := func() bool { return slices.Equal(f.Seats(nil), want) }
	w.must(5*time.Second, "it knows the life in each seat", met)
	f.deaf = true
	if f.start(); !met() {
		t.Errorf("after a restart it has the seats %v, want %v", f.Seats(nil), want)
	}
}

// A peer whose neighbors are all gone asks a seed as soon as one of them has not
// answered.
func TestFollowerWithDeadNeighbors(t *testing.T) {
	w := followed(t, 5, 3)
	f := w.newFollower()
	w.must(5*time.Second, "it follows", w.follows)
	for range 4 {
		dead := w.newFollower()
		dead.deaf = true
		f.links = append(f.links, dead.addr)
	}
	w.crash(w.machines[2]) // and one of the seeds
	most := time.Duration(0)
	for range 12 {
		w.newPerson()
		w.must(5*time.Second, "it is ruled", func() bool { return w.machines[0].q.Epoch() > f.Epoch() })
		began, epoch := w.now, w.machines[0].q.Epoch()
		w.must(3600*time.Millisecond, "it follows", func() bool { return f.Epoch() >= epoch })
		most = max(most, w.now.Sub(began))
	}
	t.Logf("it lags by up to %v", most)
}
