package quorum

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// open gives a seed made of a disk, with a list and a place in it.
func (w *world) open(m *machine, cfg Config) (*Quorum, error) {
	m.out = &hearsay.Effects{}
	return New(cfg, m.signer, rand.New(rand.NewPCG(1, 2)), Directory{}, m.disk.load(), &m.drops, m.out, w.now)
}

func TestListOfSeeds(t *testing.T) {
	w := newWorld(t, 3, 1)
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"the same":       {func(*Config) {}, ""},
		"none":           {func(c *Config) { c.Seeds = nil }, "0 of them: want 1 to 15"},
		"not in it":      {func(c *Config) { c.Slot = 3 }, "this seed is none of them"},
		"twice":          {func(c *Config) { c.Seeds[1] = c.Seeds[2] }, "10.0.0.3:5000 stands in the list twice"},
		"a weak key":     {func(c *Config) { c.Seeds[1].Key = hearsay.PublicKey{1} }, "pins a key for 10.0.0.2:5000 with which anybody could sign"},
		"another key":    {func(c *Config) { c.Seeds[0].Key = hearsay.PublicKey{5} }, "the list pins another key for 10.0.0.1:5000"},
		"its own key":    {func(c *Config) { c.Seeds[0].Key = w.machines[0].signer.Public() }, ""},
		"another's seat": {func(c *Config) { c.Slot++ }, "belongs to the seed at 10.0.0.1:5000, not to the one at 10.0.0.2:5000"},
		"another length": {func(c *Config) { c.Seeds = c.Seeds[:2] }, "the list has 2 seeds, and this data directory belongs to one of 3"},
		"another order":  {func(c *Config) { c.Seeds[1], c.Seeds[2] = c.Seeds[2], c.Seeds[1] }, "2 seeds have another place"},
		"one replaced":   {func(c *Config) { c.Seeds[2].Addr = seedAddr(7) }, ""},
		"two replaced":   {func(c *Config) { c.Seeds[1].Addr, c.Seeds[2].Addr = seedAddr(7), seedAddr(8) }, "the list has 2 other addresses"},
		"own replaced":   {func(c *Config) { c.Seeds[0].Addr = seedAddr(7) }, ""}, // this machine has another address
	} {
		cfg := w.cfg
		cfg.Seeds = append([]ledger.Seed(nil), w.cfg.Seeds...)
		c.change(&cfg)
		_, err := w.open(&machine{signer: w.machines[0].signer, disk: w.machines[0].disk}, cfg)
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// A seed that was replaced by one at another address, in lists that are read one after the other, has
// no seat any more: the new one gets it by a ruling.
func TestSeedIsReplaced(t *testing.T) {
	w := newWorld(t, 3, 12)
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	p := w.newPerson()
	w.must(5*time.Second, "one is in", func() bool { return w.in(p) })
	w.wipe(w.machines[2])
	w.machines[2].addr = seedAddr(7)
	w.cfg.Seeds[2].Addr = w.machines[2].addr
	w.start(w.machines[2])
	for _, m := range w.machines[:2] {
		w.crash(m)
		w.start(m)
		w.run(3 * time.Second)
	}
	w.must(20*time.Second, "the new one has the seat, and votes", func() bool { return w.agree() && w.machines[2].q.Seated() })
	for _, m := range w.machines {
		if m.disk.durable["life"].(*hearsay.SeedLife).List[2] != seedAddr(7) {
			t.Errorf("slot %d keeps the old list", m.slot)
		}
	}
}

// With two seeds a wiped disk cannot be made good: there is no quorum without
// it.
func TestWipedOneOfTwo(t *testing.T) {
	w := newWorld(t, 2, 4)
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	w.newPerson()
	w.must(5*time.Second, "one is in", w.agree)
	m := w.machines[1]
	w.wipe(m)
	w.epochs[1] = 0
	w.start(m)
	w.run(30 * time.Second)
	if m.q.Seated() || m.q.state != nil || w.machines[0].q.Ready() {
		t.Error("a wiped seed took a seat of two")
	}
}

// A wiped seed casts no ballot and takes no part in elections before it has
// its seat.
func TestWipedSeedDoesNotVote(t *testing.T) {
	w := newWorld(t, 3, 5)
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	w.newPerson()
	w.must(5*time.Second, "one is in", w.agree)
	w.crash(w.machines[2])
	w.run(3 * time.Second)
	m := w.machines[1]
	w.wipe(m)
	w.epochs[1] = 0
	w.start(m)
	w.newPerson()
	w.run(30 * time.Second)
	if m.q.Seated() || m.q.replica != nil || w.machines[0].q.Ready() || w.machines[0].q.Epoch() != 1 {
		t.Errorf("one seed and a wiped one went on\n%s", w.describe())
	}
	w.start(w.machines[2])
	w.must(20*time.Second, "with the third they go on", func() bool { return w.agree() && w.machines[1].q.Epoch() == 3 })
}

// An old directory put back has no say any more.
func TestOldDirectoryPutBack(t *testing.T) {
	w := newWorld(t, 3, 6)
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	m := w.machines[1]
	old, signer := m.disk, m.signer
	w.wipe(m)
	w.start(m)
	w.must(20*time.Second, "it has its seat", w.agree)
	w.crash(m)
	fresh, freshSigner := m.disk, m.signer
	m.disk, m.signer = old, signer
	w.epochs[1] = 0
	waits := false
	w.teller = func(of *machine, e hearsay.Event) { waits = waits || of == m && e.Kind == hearsay.EventSeatWaiting }
	w.start(m)
	w.newPerson()
	w.run(20 * time.Second)
	if _, ok := w.machines[0].q.Leader(); !ok || w.machines[0].q.Epoch() != 2 || !waits {
		t.Errorf("it disturbs: %t\n%s", waits, w.describe())
	}
	for _, b := range w.rulings[2].Ballots {
		if b.Slot == 1 {
			t.Error("its ballot counts")
		}
	}
	w.crash(m)
	m.disk, m.signer = fresh, freshSigner
	w.epochs[1] = 1
	w.start(m)
	w.must(20*time.Second, "the true one goes on", w.agree)
}

// The quorum is lost for ever: one seed goes on from its ledger, alone or with
// others that come empty.
func recovered(t *testing.T, seeds int) {
	w := newWorld(t, 3, 7)
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	for range 4 {
		w.newPerson()
	}
	w.must(5*time.Second, "four are in", func() bool { return w.agree() && w.machines[0].q.Epoch() == 4 })
	last := w.machines[0]
	for _, m := range w.machines[1:] {
		w.wipe(m)
		w.epochs[m.slot] = 0
	}
	w.crash(last)
	w.machines, w.cfg.Seeds = w.machines[:seeds], w.cfg.Seeds[:seeds]
	w.cfg.Recover = true
	w.start(last)
	w.cfg.Recover = false
	w.run(3 * time.Second)
	if last.q.Ready() {
		t.Fatal("it takes part")
	}
	if _, err := last.q.Recover(w.now); (err == nil) != (seeds == 1) {
		t.Fatalf("before others are there: %v", err)
	} else if err != nil {
		for _, m := range w.machines[1:] {
			w.start(m)
		}
		w.run(3 * time.Second)
		w.step(last, func() { _, err = last.q.Recover(w.now) })
		if err != nil {
			t.Fatal(err)
		}
	}
	w.step(last, func() {})
	w.must(20*time.Second, "they agree", w.agree)
	w.newPerson()
	w.must(10*time.Second, "and rule", func() bool { return w.agree() && last.q.Epoch() == 6 })
	if got := last.q.Rulings(0, 10); len(got) != 6 || got[4].Kind != hearsay.RulingRecover {
		t.Errorf("the ledger has %d rulings", len(got))
	}
	w.crash(last)
	w.start(last)
	w.must(20*time.Second, "they agree after a restart", w.agree)
}

func TestRecoverAlone(t *testing.T)      { recovered(t, 1) }
func TestRecoverWithOthers(t *testing.T) { recovered(t, 3) }

// A recovery that an operator did not see the end of is the same one where all that take part in it answer, and is not
// done again where some do, and others have come anew: those would not take part in the second one.
func TestInterruptedRecovery(t *testing.T) {
	w := newWorld(t, 3, 7)
	w.startAll()
	w.newPerson()
	w.must(5*time.Second, "one is in", func() bool { return w.agree() && w.machines[0].q.Epoch() == 1 })
	last, others := w.machines[0], w.machines[1:]
	w.crash(last)
	wipe := func() {
		for _, m := range others {
			w.wipe(m)
			w.epochs[m.slot] = 0
			w.start(m)
		}
	}
	begin := func() (err error) {
		w.cfg.Recover = true
		w.start(last)
		w.cfg.Recover = false
		w.run(3 * time.Second)
		w.step(last, func() { _, err = last.q.Recover(w.now) })
		return err
	}
	wipe()
	if err := begin(); err != nil {
		t.Fatal(err)
	}
	w.must(5*time.Second, "another takes part", func() bool { return others[0].q.replica != nil })
	if others[0].q.state != nil {
		t.Fatal("it has the ledger already")
	}
	w.crash(last)
	if err := begin(); err != nil || last.q.Epoch() != 2 {
		t.Fatalf("at once: epoch %d, %v", last.q.Epoch(), err)
	}
	w.crash(last)
	w.wipe(others[1])
	w.start(others[1])
	if err := begin(); err == nil || !strings.Contains(err.Error(), "start it with an empty data directory") {
		t.Fatalf("a second time: %v", err)
	}
	wipe()
	w.crash(last)
	if err := begin(); err != nil {
		t.Fatal(err)
	}
	w.must(20*time.Second, "they agree", w.agree)
	w.newPerson()
	w.must(10*time.Second, "and rule", func() bool { return w.agree() && last.q.Epoch() == 4 })
}

// A crash that tears apart what a recovery writes leaves a ledger: it can be done
// again.
func TestTornRecovery(t *testing.T) {
	w := newWorld(t, 1, 7)
	w.startAll()
	w.newPerson()
	w.must(5*time.Second, "one is in", func() bool { return w.agree() && w.machines[0].q.Epoch() == 1 })
	w.run(time.Second) // that is on disk
	m := w.machines[0]
	w.crash(m)
	w.cfg.Recover = true
	w.start(m)
	before := maps.Clone(m.disk.durable)
	var records []hearsay.Record
	w.stepped = func(_ *machine, out *hearsay.Effects) { records = append(records, out.Persist...) }
	w.step(m, func() {
		if _, err := m.q.Recover(w.now); err != nil {
			t.Fatal(err)
		}
	})
	w.stepped = nil
	for kept := range 1 << len(records) {
		w.crash(m)
		m.disk.durable = maps.Clone(before)
		for i, r := range records {
			if kept>>i&1 != 0 {
				m.disk.apply(r)
			}
		}
		q, err := w.open(m, w.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if q.Epoch() == 0 {
			t.Fatalf("of %d records %b are left, and no ledger", len(records), kept)
		}
	}
}

// A seed that was recovered from an old copy of its directory, since there was no
// newer one, is not stopped by what it had signed until then: that was given up.
func TestRecoveredFromAnOldCopy(t *testing.T) {
	w := newWorld(t, 1, 7)
	w.startAll()
	w.newPerson()
	m := w.machines[0]
	w.must(5*time.Second, "one is in", func() bool { return w.agree() && m.q.Epoch() == 1 })
	w.run(time.Second) // that is on disk
	backup := maps.Clone(m.disk.durable)
	for range 3 {
		w.newPerson()
	}
	w.must(5*time.Second, "more are in", func() bool { return w.agree() && m.q.Epoch() == 4 })
	signed := m.q.Heads()
	w.crash(m)
	m.disk.durable, w.epochs[0], w.people = backup, 0, w.people[:1]
	clear(w.rulings)
	clear(w.hashes)
	w.cfg.Recover = true
	w.start(m)
	w.cfg.Recover = false
	w.step(m, func() {
		if _, err := m.q.Recover(w.now); err != nil {
			t.Fatal(err)
		}
	})
	for range 2 {
		w.must(5*time.Second, "it goes on", func() bool { return m.q.Ready() && m.q.Epoch() == 2 })
		w.step(m, func() { m.q.Receive(w.now, from(stranger, &hearsay.Rulings{Heads: signed})) })
		if why := m.q.Doomed(); why != "" {
			t.Error(why)
		}
		w.run(time.Second) // that is on disk
		w.crash(m)
		w.start(m)
	}
}

// What seeds said before the founding, sent again, does not make a wiped first
// seed found another network.
func TestOldHellosFoundNothing(t *testing.T) {
	w := newWorld(t, 3, 8)
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	first := w.machines[0]
	w.cut = func(from, to int) bool { return from == 1 && to == 2 || from == 2 && to == 1 } // they cannot give it its seat
	w.wipe(first)
	w.epochs[0] = 0
	w.start(first)
	w.run(2 * time.Second)
	if first.q.seats.heard[1].at.IsZero() || first.q.seats.heard[2].at.IsZero() {
		t.Fatal("it has not met the others")
	}
	w.cut = func(from, to int) bool { return true }
	for range 20 {
		for _, m := range w.machines[1:] {
			old := &hearsay.SeatHello{Slot: uint8(m.slot), Life: m.q.life, Config: w.cfg.hash(), Nonce: 7, Answer: true}
			old.Sign(testNetwork, m.signer)
			w.step(first, func() { first.q.Receive(w.now, &hearsay.Packet{Stream: true, Addr: seedAddr(m.slot), Body: old}) })
		}
		w.run(time.Second)
	}
	if first.q.state != nil {
		t.Error("it has founded another network")
	}
	w.cut = nil
	w.must(30*time.Second, "it has its seat", w.agree)
}

// A seed that names others in the seats than the list pins is not believed about any:
// with a fresh seed it would be a quorum.
func TestNamedOthersThanListed(t *testing.T) {
	w := newWorld(t, 3, 21)
	w.cfg.Seeds[2].Key = w.machines[2].signer.Public()
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	w.newPerson()
	w.must(5*time.Second, "one is in", w.agree)
	w.cut = func(int, int) bool { return true }
	liar, fresh := w.machines[0], w.machines[1]
	w.wipe(fresh)
	w.start(fresh)
	names := func(third hearsay.PublicKey) {
		m := liar.q.ownHello()
		m.Seats = slices.Clone(m.Seats)
		m.Seats[1], m.Seats[2].Key = fresh.q.seat(), third
		m.Answer, m.Nonce = true, fresh.q.seats.nonces[0]
		m.Sign(testNetwork, liar.signer)
		w.step(fresh, func() { fresh.q.Receive(w.now, from(seedAddr(0), m)) })
		w.run(w.cfg.HelloEvery) // and it asks again
	}
	w.run(w.cfg.HelloEvery)
	names(newKeyed(77).Public())
	if fresh.q.replica != nil || !fresh.q.seats.known[2].seat.Key.IsZero() || !strings.Contains(fresh.q.Why(), "names another key") {
		t.Errorf("it takes part: %t, has the third seat as %v, and says %q", fresh.q.replica != nil, fresh.q.seats.known[2].seat, fresh.q.Why())
	}
	names(w.machines[2].signer.Public())
	if fresh.q.replica == nil || fresh.q.seats.known[2].seat.Key != w.machines[2].signer.Public() {
		t.Error("it does not take part where all is as listed")
	}
}

// A seed that was away while a seat changed hands believes its new life, even
// where that one leads and nobody else tells of it.
func TestAwayWhileASeatChanged(t *testing.T) {
	w := newWorld(t, 5, 9)
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	w.run(time.Second) // that is on disk everywhere
	away := w.machines[4]
	w.crash(away)
	fresh := w.machines[0]
	w.wipe(fresh)
	w.epochs[0] = 0
	w.start(fresh)
	w.must(20*time.Second, "it has its seat", func() bool {
		return fresh.q.Seated() && len(fresh.q.replica.log.config.GetLearners())+len(fresh.q.replica.log.config.GetVotersOutgoing()) == 0
	})
	for range 30 {
		var led *machine
		w.must(20*time.Second, "somebody leads", func() bool {
			for _, m := range w.machines {
				if m.q != nil && m.q.replica != nil && m.q.replica.leads() {
					led = m
				}
			}
			return led != nil
		})
		if led == fresh {
			break
		}
		w.crash(led)
		w.run(2500 * time.Millisecond)
		w.start(led)
		w.run(time.Second)
	}
	if !fresh.q.replica.leads() {
		t.Fatal("it never led")
	}
	if old := away.disk.durable["pin 0"].(*hearsay.SeedPin); old.Seat.Key == fresh.signer.Public() {
		t.Fatal("it knows already: the test shows nothing")
	}
	w.start(away)
	w.newPerson()
	w.must(10*time.Second, "it follows the new one", func() bool {
		return away.q.Epoch() == fresh.q.Epoch() && away.q.Epoch() >= 2 && fresh.q.replica.leads()
	})
	w.must(20*time.Second, "all agree", w.agree)
}

// A seed that has its seat but no vote yet is not ready: were another to fail
// now, nobody could decide. Nor does it go on to believe in a leader that is
// gone, though it takes no part in elections.
func TestNotReadyBeforeItVotes(t *testing.T) {
	w := newWorld(t, 3, 10)
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	fresh, other := w.machines[2], w.machines[1]
	w.crash(fresh)
	w.wipe(fresh)
	w.epochs[2] = 0
	w.start(fresh)
	votes := func() bool { return slices.Contains(fresh.q.replica.log.config.GetVoters(), fresh.q.replica.id) }
	w.must(20*time.Second, "it has its seat", func() bool { return fresh.q.Seated() && fresh.q.replica.leader() != 0 })
	if votes() {
		t.Fatal("it votes already: the test shows nothing")
	}
	if fresh.q.Ready() {
		t.Error("it is ready, and has no vote")
	}
	w.crash(other)
	w.runUntil(10*time.Second, func() bool {
		if fresh.q.Ready() {
			t.Error("it is ready, and there is no quorum")
		}
		return t.Failed()
	})
	w.start(other)
	w.must(20*time.Second, "it votes", func() bool { return votes() && fresh.q.Ready() })
	w.must(20*time.Second, "all agree", w.agree)
}

// From the ruling that gives a seat until it votes the log cannot spare another seed: so long
// each seed that decides says so. That is a few round trips and ticks.
func TestSeatVotesSoon(t *testing.T) {
	const soon = 400 * time.Millisecond
	for seed := range uint64(8) {
		w := newWorld(t, 3, 100+seed)
		w.startAll()
		w.must(5*time.Second, "founded", w.agree)
		other, fresh := w.machines[0], w.machines[2]
		note := func() string {
			_, note := other.q.Note(w.now, 2)
			return note
		}
		if !other.q.Votes(2) || note() != "" {
			t.Fatalf("of the founding: votes %t, %q", other.q.Votes(2), note())
		}
		w.wipe(fresh)
		w.epochs[2] = 0
		w.start(fresh)
		w.must(20*time.Second, "its seat is ruled", func() bool { return other.q.Epoch() == 1 })
		if other.q.Votes(2) || !strings.Contains(note(), "no vote yet") {
			t.Errorf("just given: votes %t, %q", other.q.Votes(2), note())
		}
		began := w.now
		w.must(20*time.Second, "it votes", func() bool { return other.q.Votes(2) && fresh.q.Ready() })
		if took := w.now.Sub(began); took > soon || note() != "" {
			t.Errorf("seed %d: it votes after %v, %q", seed, took, note())
		}
	}
}

// A crash may leave a head on disk and tear away the ruling that it was signed
// for: another may come in its place.
func TestHeadOfATornWriteIsForgotten(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Seeds = []ledger.Seed{{Addr: seedAddr(0)}}
	records := []hearsay.Record{
		&hearsay.SeedLife{Life: hearsay.Life{1}, Config: cfg.hash()},
		&hearsay.KeptHead{Head: hearsay.Head{Epoch: 5}},
	}
	q, err := New(cfg, newKeyed(1), rand.New(rand.NewPCG(1, 2)), Directory{}, records, new(hearsay.Drops), new(hearsay.Effects), time.Unix(0, 0))
	if err != nil || len(q.Heads()) > 0 {
		t.Fatalf("%v, heads %+v", err, q.Heads())
	}
}

// Who was away while two seats changed, one after the other, finds out who leads:
// the proof of the second rests on the first.
func TestTwoSeatsChangeMeanwhile(t *testing.T) {
	w := newWorld(t, 5, 11)
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	w.cutOff(0)
	voters := func() bool {
		present := w.machines[1:]
		if slices.ContainsFunc(present, func(m *machine) bool { return m.q == nil || !m.q.Seated() }) {
			return false
		}
		for _, m := range present {
			for _, o := range present {
				if config := o.q.replica.log.config; !slices.Contains(config.GetVoters(), m.q.replica.id) || len(config.GetVotersOutgoing()) > 0 {
					return false
				}
			}
		}
		return true
	}
	for _, slot := range []int{2, 4} {
		m := w.machines[slot]
		w.wipe(m)
		w.epochs[slot] = 0
		w.start(m)
		w.must(30*time.Second, "it has its seat again", voters)
	}
	for { // until one leads that the first does not know
		w.run(5 * time.Second)
		slot, ok := w.machines[1].q.Leader()
		if ok && slot%2 == 0 {
			break
		}
		if m := w.machines[slot]; ok {
			w.crash(m)
			w.run(4 * time.Second)
			w.start(m)
		}
		w.must(30*time.Second, "it is back", voters)
	}
	w.cut = nil
	w.must(time.Minute, "one ledger", w.agree)
}

// What is said of seats that are to come changes nothing unless it holds. Of
// strangers it is not looked at, and of who is at a seed's address a little.
func TestForgedSeatsToCome(t *testing.T) {
	w := followed(t, 12, 3)
	m := w.machines[0]
	known := m.q.seats.known
	var items []*hearsay.Ruling
	for i := range 2000 {
		epoch := hearsay.Epoch(1000 + i)
		seat := hearsay.Seat{Slot: uint8(i % 5), Key: newKeyed(7777).Public(), Life: hearsay.Life{1}}
		r := &hearsay.Ruling{Epoch: epoch, Kind: hearsay.RulingSeat, Case: hearsay.CaseID(epoch) * hearsay.CasesAnEntry, Seats: []hearsay.Seat{seat}}
		for slot := range uint8(2) {
			b := hearsay.Ballot{Case: r.Case, About: r.About(testNetwork), Slot: slot, Verdict: hearsay.BallotYes, Life: known[slot].seat.Life}
			b.Sign(w.ledger(), newKeyed(7777))
			r.Ballots = append(r.Ballots, b)
		}
		items = append(items, r)
	}
	checked := func(by netip.AddrPort) uint64 {
		before := m.drops[hearsay.DropBadSignature]
		w.step(m, func() {
			for i := range items {
				m.q.Receive(w.now, from(by, &hearsay.Rulings{Items: items[i:]}))
			}
		})
		if m.q.seats.known != known {
			t.Error("somebody sits elsewhere")
		}
		return m.drops[hearsay.DropBadSignature] - before
	}
	if n := checked(stranger); n != 0 {
		t.Errorf("%d of a stranger's were checked", n)
	}
	if n := checked(seedAddr(1)); n == 0 || n > checksASecond/10 {
		t.Errorf("%d of a seed's were checked", n)
	}
}

// A new peer that has the keys of now in its list follows a ledger in which seats changed
// hands before it was begun anew: who sat where before says nothing of who signs heads now.
func TestFollowedFromBeforeARecovery(t *testing.T) {
	w := followed(t, 7, 4)
	for _, m := range w.machines[1:] {
		w.wipe(m)
		w.epochs[m.slot] = 0
		w.start(m)
		w.must(20*time.Second, "it has its seat", w.agree)
	}
	w.recover(t, w.machines[0])
	w.newFollower()
	w.must(20*time.Second, "it follows", w.follows)
}

// recover has all disks but one be lost, and the ledger begin anew from that. Then the list has
// the keys of now.
func (w *world) recover(t *testing.T, left *machine) {
	t.Helper()
	w.crash(left)
	for _, m := range w.machines {
		if m != left {
			w.wipe(m)
			w.epochs[m.slot] = 0
			w.start(m)
			w.cfg.Seeds[m.slot].Key = m.signer.Public()
		}
	}
	w.cfg.Recover = true
	w.start(left)
	w.cfg.Recover = false
	w.run(3 * time.Second)
	w.step(left, func() {
		if _, err := left.q.Recover(w.now); err != nil {
			t.Fatal(err)
		}
	})
	w.must(20*time.Second, "they agree", w.agree)
}

// Heads that a peer has kept prove nothing once its list has other keys for the seats that
// have signed them. By them it would follow the ledger up to a recovery, and take the seeds
// that it meets for those of another network.
func TestKeptHeadsOfReplacedKeysProveNothing(t *testing.T) {
	w := followed(t, 7, 4)
	f := w.newFollower()
	w.must(5*time.Second, "it follows", w.follows)
	w.run(time.Second) // that is on disk
	w.recover(t, w.machines[0])
	far := func(i int) bool { return i == 1 || i == 2 }
	w.cut = func(from, to int) bool { return from >= 100 && far(to) || to >= 100 && far(from) }
	for range 2 {
		f.start()
		w.run(5 * time.Second)
		if n := f.count("another founding"); f.Epoch() != 0 || n > 0 {
			t.Fatalf("it follows to epoch %d, and says %d times that a seed is of another founding", f.Epoch(), n)
		}
	}
	w.cut = nil
	w.must(20*time.Second, "it follows", w.follows)
}
