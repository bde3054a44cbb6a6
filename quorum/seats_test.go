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
	"hearsay/internal/core"
	"hearsay/ledger"
)

// open gives a seed made of a disk, with a list and a place in it.
func (w *world) open(m *machine, cfg Config) (*Quorum, error) {
	m.Out = &core.Effects{}
	return New(cfg, m.Signer, rand.New(rand.NewPCG(1, 2)), Directory{}, m.Disk.Load(), &m.Stats, m.Out, w.Now)
}

func TestListOfSeeds(t *testing.T) {
	w := newWorld(t, 3, 1)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
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
		"its own key":    {func(c *Config) { c.Seeds[0].Key = w.Machines[0].Signer.Public() }, ""},
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
		_, err := w.open(&machine{Signer: w.Machines[0].Signer, Disk: w.Machines[0].Disk}, cfg)
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// A seed that was replaced by one at another address, in lists that are read one after the other, has
// no seat any more: the new one gets it by a ruling.
func TestSeedIsReplaced(t *testing.T) {
	w := newWorld(t, 3, 12)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	p := w.NewPerson()
	w.Must(5*time.Second, "one is in", func() bool { return w.In(p) })
	w.Wipe(w.Machines[2])
	w.Machines[2].Addr = seedAddr(7)
	w.cfg.Seeds[2].Addr = w.Machines[2].Addr
	w.Start(w.Machines[2])
	for _, m := range w.Machines[:2] {
		w.Crash(m)
		w.Start(m)
		w.Run(3 * time.Second)
	}
	w.Must(20*time.Second, "the new one has the seat, and votes", func() bool { return w.agree() && w.Machines[2].Q.Seated() })
	for _, m := range w.Machines {
		if m.Disk.Durable["life"].(*core.SeedLife).List[2] != seedAddr(7) {
			t.Errorf("slot %d keeps the old list", m.Slot)
		}
	}
}

// With two seeds a wiped disk cannot be made good: there is no quorum without
// it.
func TestWipedOneOfTwo(t *testing.T) {
	w := newWorld(t, 2, 4)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	w.NewPerson()
	w.Must(5*time.Second, "one is in", w.agree)
	m := w.Machines[1]
	w.Wipe(m)
	w.Epochs[1] = 0
	w.Start(m)
	w.Run(30 * time.Second)
	if m.Q.Seated() || m.Q.state != nil || w.Machines[0].Q.Ready() {
		t.Error("a wiped seed took a seat of two")
	}
}

// A wiped seed casts no ballot and takes no part in elections before it has
// its seat.
func TestWipedSeedDoesNotVote(t *testing.T) {
	w := newWorld(t, 3, 5)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	w.NewPerson()
	w.Must(5*time.Second, "one is in", w.agree)
	w.Crash(w.Machines[2])
	w.Run(3 * time.Second)
	m := w.Machines[1]
	w.Wipe(m)
	w.Epochs[1] = 0
	w.Start(m)
	w.NewPerson()
	w.Run(30 * time.Second)
	if m.Q.Seated() || m.Q.replica != nil || w.Machines[0].Q.Ready() || w.Machines[0].Q.Epoch() != 1 {
		t.Errorf("one seed and a wiped one went on\n%s", w.Describe())
	}
	w.Start(w.Machines[2])
	w.Must(20*time.Second, "with the third they go on", func() bool { return w.agree() && w.Machines[1].Q.Epoch() == 3 })
}

// An old directory put back has no say any more.
func TestOldDirectoryPutBack(t *testing.T) {
	w := newWorld(t, 3, 6)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	m := w.Machines[1]
	old, signer := m.Disk, m.Signer
	w.Wipe(m)
	w.Start(m)
	w.Must(20*time.Second, "it has its seat", w.agree)
	w.Crash(m)
	fresh, freshSigner := m.Disk, m.Signer
	m.Disk, m.Signer = old, signer
	w.Epochs[1] = 0
	waits := false
	w.Teller = func(of *machine, e hearsay.Event) { waits = waits || of == m && e.Kind == hearsay.EventSeatWaiting }
	w.Start(m)
	w.NewPerson()
	w.Run(20 * time.Second)
	if _, ok := w.Machines[0].Q.Leader(); !ok || w.Machines[0].Q.Epoch() != 2 || !waits {
		t.Errorf("it disturbs: %t\n%s", waits, w.Describe())
	}
	for _, b := range w.Rulings[2].Ballots {
		if b.Slot == 1 {
			t.Error("its ballot counts")
		}
	}
	w.Crash(m)
	m.Disk, m.Signer = fresh, freshSigner
	w.Epochs[1] = 1
	w.Start(m)
	w.Must(20*time.Second, "the true one goes on", w.agree)
}

// The quorum is lost for ever: one seed goes on from its ledger, alone or with
// others that come empty.
func recovered(t *testing.T, seeds int) {
	w := newWorld(t, 3, 7)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	for range 4 {
		w.NewPerson()
	}
	w.Must(5*time.Second, "four are in", func() bool { return w.agree() && w.Machines[0].Q.Epoch() == 4 })
	last := w.Machines[0]
	for _, m := range w.Machines[1:] {
		w.Wipe(m)
		w.Epochs[m.Slot] = 0
	}
	w.Crash(last)
	w.Machines, w.cfg.Seeds = w.Machines[:seeds], w.cfg.Seeds[:seeds]
	w.cfg.Recover = true
	w.Start(last)
	w.cfg.Recover = false
	w.Run(3 * time.Second)
	if last.Q.Ready() {
		t.Fatal("it takes part")
	}
	if _, err := last.Q.Recover(w.Now); (err == nil) != (seeds == 1) {
		t.Fatalf("before others are there: %v", err)
	} else if err != nil {
		for _, m := range w.Machines[1:] {
			w.Start(m)
		}
		w.Run(3 * time.Second)
		w.Step(last, func() { _, err = last.Q.Recover(w.Now) })
		if err != nil {
			t.Fatal(err)
		}
	}
	w.Step(last, func() {})
	w.Must(20*time.Second, "they agree", w.agree)
	w.NewPerson()
	w.Must(10*time.Second, "and rule", func() bool { return w.agree() && last.Q.Epoch() == 6 })
	if got := last.Q.Rulings(0, 10); len(got) != 6 || got[4].Kind != hearsay.RulingRecover {
		t.Errorf("the ledger has %d rulings", len(got))
	}
	w.Crash(last)
	w.Start(last)
	w.Must(20*time.Second, "they agree after a restart", w.agree)
}

func TestRecoverAlone(t *testing.T)      { recovered(t, 1) }
func TestRecoverWithOthers(t *testing.T) { recovered(t, 3) }

// A recovery that an operator did not see the end of is the same one where all that take part in it answer, and is not
// done again where some do, and others have come anew: those would not take part in the second one.
func TestInterruptedRecovery(t *testing.T) {
	w := newWorld(t, 3, 7)
	w.StartAll()
	w.NewPerson()
	w.Must(5*time.Second, "one is in", func() bool { return w.agree() && w.Machines[0].Q.Epoch() == 1 })
	last, others := w.Machines[0], w.Machines[1:]
	w.Crash(last)
	wipe := func() {
		for _, m := range others {
			w.Wipe(m)
			w.Epochs[m.Slot] = 0
			w.Start(m)
		}
	}
	begin := func() (err error) {
		w.cfg.Recover = true
		w.Start(last)
		w.cfg.Recover = false
		w.Run(3 * time.Second)
		w.Step(last, func() { _, err = last.Q.Recover(w.Now) })
		return err
	}
	wipe()
	if err := begin(); err != nil {
		t.Fatal(err)
	}
	w.Must(5*time.Second, "another takes part", func() bool { return others[0].Q.replica != nil })
	if others[0].Q.state != nil {
		t.Fatal("it has the ledger already")
	}
	w.Crash(last)
	if err := begin(); err != nil || last.Q.Epoch() != 2 {
		t.Fatalf("at once: epoch %d, %v", last.Q.Epoch(), err)
	}
	w.Crash(last)
	w.Wipe(others[1])
	w.Start(others[1])
	if err := begin(); err == nil || !strings.Contains(err.Error(), "start it with an empty data directory") {
		t.Fatalf("a second time: %v", err)
	}
	wipe()
	w.Crash(last)
	if err := begin(); err != nil {
		t.Fatal(err)
	}
	w.Must(20*time.Second, "they agree", w.agree)
	w.NewPerson()
	w.Must(10*time.Second, "and rule", func() bool { return w.agree() && last.Q.Epoch() == 4 })
}

// A crash that tears apart what a recovery writes leaves a ledger, with its newest ruling: it can be
// done again.
func TestTornRecovery(t *testing.T) {
	w := newWorld(t, 1, 7)
	w.StartAll()
	w.NewPerson()
	w.Must(5*time.Second, "one is in", func() bool { return w.agree() && w.Machines[0].Q.Epoch() == 1 })
	w.Run(time.Second) // that is on disk
	m := w.Machines[0]
	w.Crash(m)
	w.cfg.Recover = true
	w.Start(m)
	before := maps.Clone(m.Disk.Durable)
	var records []core.Record
	w.Stepped = func(_ *machine, out *core.Effects) { records = append(records, out.Persist...) }
	w.Step(m, func() {
		if _, err := m.Q.Recover(w.Now); err != nil {
			t.Fatal(err)
		}
	})
	w.Stepped = nil
	for kept := range 1 << len(records) {
		w.Crash(m)
		m.Disk.Durable = maps.Clone(before)
		for i, r := range records {
			if kept>>i&1 != 0 {
				m.Disk.Apply(r)
			}
		}
		q, err := w.open(m, w.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if epoch := q.Epoch(); epoch == 0 || q.chain.Entry(epoch) == nil {
			t.Fatalf("of %d records %b are left: it begins with epoch %d, and lacks its ruling", len(records), kept, epoch)
		}
	}
}

// A seed that was recovered from an old copy of its directory, since there was no
// newer one, is not stopped by what it had signed until then: that was given up.
func TestRecoveredFromAnOldCopy(t *testing.T) {
	w := newWorld(t, 1, 7)
	w.StartAll()
	w.NewPerson()
	m := w.Machines[0]
	w.Must(5*time.Second, "one is in", func() bool { return w.agree() && m.Q.Epoch() == 1 })
	w.Run(time.Second) // that is on disk
	backup := maps.Clone(m.Disk.Durable)
	for range 3 {
		w.NewPerson()
	}
	w.Must(5*time.Second, "more are in", func() bool { return w.agree() && m.Q.Epoch() == 4 })
	signed := m.Q.Heads()
	w.Crash(m)
	m.Disk.Durable, w.Epochs[0], w.People = backup, 0, w.People[:1]
	clear(w.Rulings)
	clear(w.Hashes)
	w.cfg.Recover = true
	w.Start(m)
	w.cfg.Recover = false
	w.Step(m, func() {
		if _, err := m.Q.Recover(w.Now); err != nil {
			t.Fatal(err)
		}
	})
	for range 2 {
		w.Must(5*time.Second, "it goes on", func() bool { return m.Q.Ready() && m.Q.Epoch() == 2 })
		w.Step(m, func() { m.Q.Receive(w.Now, from(stranger, &core.Rulings{Heads: signed})) })
		if why := m.Q.MustStop(); why != "" {
			t.Error(why)
		}
		w.Run(time.Second) // that is on disk
		w.Crash(m)
		w.Start(m)
	}
}

// What seeds said before the founding, sent again, does not make a wiped first
// seed found another network.
func TestOldHellosFoundNothing(t *testing.T) {
	w := newWorld(t, 3, 8)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	first := w.Machines[0]
	// they cannot give it its seat
	w.Cut = func(from, to int) bool { return from == 1 && to == 2 || from == 2 && to == 1 }
	w.Wipe(first)
	w.Epochs[0] = 0
	w.Start(first)
	w.Run(2 * time.Second)
	if first.Q.seats.heard[1].at.IsZero() || first.Q.seats.heard[2].at.IsZero() {
		t.Fatal("it has not met the others")
	}
	w.Cut = func(from, to int) bool { return true }
	for range 20 {
		for _, m := range w.Machines[1:] {
			old := &core.SeatHello{Versions: ledger.Versions(), Slot: uint8(m.Slot), Life: m.Q.life, Config: w.cfg.hash(), Nonce: 7, Answer: true}
			old.Sign(testNetwork, m.Signer)
			w.Step(first, func() { first.Q.Receive(w.Now, &core.Packet{Stream: true, Addr: seedAddr(m.Slot), Body: old}) })
		}
		w.Run(time.Second)
	}
	if first.Q.state != nil {
		t.Error("it has founded another network")
	}
	w.Cut = nil
	w.Must(30*time.Second, "it has its seat", w.agree)
}

// A seed that names others in the seats than the list pins is not believed about any:
// with a fresh seed it would be a quorum.
func TestNamedOthersThanListed(t *testing.T) {
	w := newWorld(t, 3, 21)
	w.cfg.Seeds[2].Key = w.Machines[2].Signer.Public()
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	w.NewPerson()
	w.Must(5*time.Second, "one is in", w.agree)
	w.Cut = func(int, int) bool { return true }
	liar, fresh := w.Machines[0], w.Machines[1]
	w.Wipe(fresh)
	w.Start(fresh)
	names := func(third hearsay.PublicKey) {
		m := liar.Q.seats.ownHello()
		m.Seats = slices.Clone(m.Seats)
		m.Seats[1], m.Seats[2].Key = fresh.Q.seat(), third
		m.Answer, m.Nonce = true, fresh.Q.seats.nonces[0]
		m.Sign(testNetwork, liar.Signer)
		w.Step(fresh, func() { fresh.Q.Receive(w.Now, from(seedAddr(0), m)) })
		w.Run(w.cfg.HelloEvery) // and it asks again
	}
	w.Run(w.cfg.HelloEvery)
	names(newKeyed(77).Public())
	if fresh.Q.replica != nil || !fresh.Q.seats.known[2].seat.Key.IsZero() || !strings.Contains(fresh.Q.Why(), "names another key") {
		t.Errorf("it takes part: %t, has the third seat as %v, and says %q", fresh.Q.replica != nil, fresh.Q.seats.known[2].seat, fresh.Q.Why())
	}
	names(w.Machines[2].Signer.Public())
	if fresh.Q.replica == nil || fresh.Q.seats.known[2].seat.Key != w.Machines[2].Signer.Public() {
		t.Error("it does not take part where all is as listed")
	}
}

// A seed that was away while a seat changed hands believes its new life, even
// where that one leads and nobody else tells of it.
func TestAwayWhileASeatChanged(t *testing.T) {
	w := newWorld(t, 5, 9)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	w.Run(time.Second) // that is on disk everywhere
	away := w.Machines[4]
	w.Crash(away)
	fresh := w.Machines[0]
	w.Wipe(fresh)
	w.Epochs[0] = 0
	w.Start(fresh)
	w.Must(20*time.Second, "it has its seat", func() bool {
		return fresh.Q.Seated() && len(fresh.Q.replica.log.config.GetLearners())+len(fresh.Q.replica.log.config.GetVotersOutgoing()) == 0
	})
	for range 30 {
		var led *machine
		w.Must(20*time.Second, "somebody leads", func() bool {
			for _, m := range w.Machines {
				if m.Q != nil && m.Q.replica != nil && m.Q.replica.leads() {
					led = m
				}
			}
			return led != nil
		})
		if led == fresh {
			break
		}
		w.Crash(led)
		w.Run(2500 * time.Millisecond)
		w.Start(led)
		w.Run(time.Second)
	}
	if !fresh.Q.replica.leads() {
		t.Fatal("it never led")
	}
	if old := away.Disk.Durable["pin 0"].(*core.SeedPin); old.Seat.Key == fresh.Signer.Public() {
		t.Fatal("it knows already: the test shows nothing")
	}
	w.Start(away)
	w.NewPerson()
	w.Must(10*time.Second, "it follows the new one", func() bool {
		return away.Q.Epoch() == fresh.Q.Epoch() && away.Q.Epoch() >= 2 && fresh.Q.replica.leads()
	})
	w.Must(20*time.Second, "all agree", w.agree)
}

// A seed that has its seat but no vote yet is not ready: were another to fail
// now, nobody could decide. Nor does it go on to believe in a leader that is
// gone, though it takes no part in elections.
func TestNotReadyBeforeItVotes(t *testing.T) {
	w := newWorld(t, 3, 10)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	fresh, other := w.Machines[2], w.Machines[1]
	w.Crash(fresh)
	w.Wipe(fresh)
	w.Epochs[2] = 0
	w.Start(fresh)
	votes := func() bool { return slices.Contains(fresh.Q.replica.log.config.GetVoters(), fresh.Q.replica.id) }
	w.Must(20*time.Second, "it has its seat", func() bool { return fresh.Q.Seated() && fresh.Q.replica.leader() != 0 })
	if votes() {
		t.Fatal("it votes already: the test shows nothing")
	}
	if fresh.Q.Ready() {
		t.Error("it is ready, and has no vote")
	}
	w.Crash(other)
	w.RunUntil(10*time.Second, func() bool {
		if fresh.Q.Ready() {
			t.Error("it is ready, and there is no quorum")
		}
		return t.Failed()
	})
	w.Start(other)
	w.Must(20*time.Second, "it votes", func() bool { return votes() && fresh.Q.Ready() })
	w.Must(20*time.Second, "all agree", w.agree)
}

// From the ruling that gives a seat until it votes the log cannot spare another seed: so long
// each seed that decides says so. That is a few round trips and ticks.
func TestSeatVotesSoon(t *testing.T) {
	for seed := range uint64(40) {
		w := newWorld(t, 3, 100+seed)
		commit := 2 * (w.Slow + w.Syncs) // there and back, and onto both disks
		// the learner, what it lacks, the swap and its end, and a tick before each and after all
		soon := 5*w.cfg.TickEvery + 4*commit
		w.StartAll()
		w.Must(5*time.Second, "founded", w.agree)
		other, fresh := w.Machines[0], w.Machines[2]
		note := func() string {
			_, note := other.Q.Note(w.Now, 2)
			return note
		}
		if !other.Q.Votes(2) || note() != "" {
			t.Fatalf("of the founding: votes %t, %q", other.Q.Votes(2), note())
		}
		w.Wipe(fresh)
		w.Epochs[2] = 0
		w.Start(fresh)
		w.Must(20*time.Second, "its seat is ruled", func() bool { return other.Q.Epoch() == 1 })
		if other.Q.Votes(2) || !strings.Contains(note(), "no vote yet") {
			t.Errorf("just given: votes %t, %q", other.Q.Votes(2), note())
		}
		began := w.Now
		w.Must(20*time.Second, "it votes", func() bool { return other.Q.Votes(2) && fresh.Q.Ready() })
		if took := w.Now.Sub(began); took > soon || note() != "" {
			t.Errorf("seed %d: it votes after %v, %q", seed, took, note())
		}
	}
}

// A crash may leave a head on disk and tear away the ruling that it was signed
// for: another may come in its place.
func TestHeadOfATornWriteIsForgotten(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Seeds = []ledger.Seed{{Addr: seedAddr(0)}}
	records := []core.Record{
		&core.SeedLife{Life: hearsay.Life{1}, Config: cfg.hash()},
		&core.KeptHead{Head: hearsay.Head{Epoch: 5}},
	}
	q, err := New(cfg, newKeyed(1), rand.New(rand.NewPCG(1, 2)), Directory{}, records, new(hearsay.Stats), new(core.Effects), time.Unix(0, 0))
	if err != nil || len(q.Heads()) > 0 {
		t.Fatalf("%v, heads %+v", err, q.Heads())
	}
}

// Who was away while two seats changed, one after the other, finds out who leads:
// the proof of the second rests on the first.
func TestTwoSeatsChangeMeanwhile(t *testing.T) {
	w := newWorld(t, 5, 11)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	w.cutOff(0)
	voters := func() bool {
		present := w.Machines[1:]
		if slices.ContainsFunc(present, func(m *machine) bool { return m.Q == nil || !m.Q.Seated() }) {
			return false
		}
		for _, m := range present {
			for _, o := range present {
				if config := o.Q.replica.log.config; !slices.Contains(config.GetVoters(), m.Q.replica.id) || len(config.GetVotersOutgoing()) > 0 {
					return false
				}
			}
		}
		return true
	}
	for _, slot := range []int{2, 4} {
		m := w.Machines[slot]
		w.Wipe(m)
		w.Epochs[slot] = 0
		w.Start(m)
		w.Must(30*time.Second, "it has its seat again", voters)
	}
	for { // until one leads that the first does not know
		w.Run(5 * time.Second)
		slot, ok := w.Machines[1].Q.Leader()
		if ok && slot%2 == 0 {
			break
		}
		if m := w.Machines[slot]; ok {
			w.Crash(m)
			w.Run(4 * time.Second)
			w.Start(m)
		}
		w.Must(30*time.Second, "it is back", voters)
	}
	w.Cut = nil
	w.Must(time.Minute, "one ledger", w.agree)
}

// What is said of seats that are to come changes nothing unless it holds. Of
// strangers it is not looked at, and of who is at a seed's address a little.
func TestForgedSeatsToCome(t *testing.T) {
	w := followed(t, 12, 3)
	m := w.Machines[0]
	known := m.Q.seats.known
	var items []*hearsay.Ruling
	for i := range 2000 {
		epoch := hearsay.Epoch(1000 + i)
		seat := hearsay.Seat{Slot: uint8(i % 5), Key: newKeyed(7777).Public(), Life: hearsay.Life{1}}
		r := &hearsay.Ruling{Epoch: epoch, Kind: hearsay.RulingSeat, Case: hearsay.CaseID(epoch) * hearsay.CasesAnEntry, Seats: []hearsay.Seat{seat}}
		for slot := range uint8(2) {
			b := hearsay.Ballot{Case: r.Case, About: r.About(testNetwork), Slot: slot, Verdict: hearsay.BallotYes, Why: hearsay.Why{Reason: hearsay.ReasonMet}, Life: known[slot].seat.Life}
			b.Sign(w.Ledger(), newKeyed(7777))
			r.Ballots = append(r.Ballots, b)
		}
		items = append(items, r)
	}
	checked := func(by netip.AddrPort) uint64 {
		before := m.Drops[hearsay.DropBadSignature]
		w.Step(m, func() {
			for i := range items {
				m.Q.Receive(w.Now, from(by, &core.Rulings{Items: items[i:]}))
			}
		})
		if m.Q.seats.known != known {
			t.Error("somebody sits elsewhere")
		}
		return m.Drops[hearsay.DropBadSignature] - before
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
	for _, m := range w.Machines[1:] {
		w.Wipe(m)
		w.Epochs[m.Slot] = 0
		w.Start(m)
		w.Must(20*time.Second, "it has its seat", w.agree)
	}
	w.recover(t, w.Machines[0])
	w.newFollower()
	w.Must(20*time.Second, "it follows", w.follows)
}

// recover has all disks but one be lost, and the ledger begin anew from that. Then the list has
// the keys of now.
func (w *world) recover(t *testing.T, left *machine) {
	t.Helper()
	w.Crash(left)
	for _, m := range w.Machines {
		if m != left {
			w.Wipe(m)
			w.Epochs[m.Slot] = 0
			w.Start(m)
			w.cfg.Seeds[m.Slot].Key = m.Signer.Public()
		}
	}
	w.cfg.Recover = true
	w.Start(left)
	w.cfg.Recover = false
	w.Run(3 * time.Second)
	w.Step(left, func() {
		if _, err := left.Q.Recover(w.Now); err != nil {
			t.Fatal(err)
		}
	})
	w.Must(20*time.Second, "they agree", w.agree)
}

// Heads that a peer has kept prove nothing once its list has other keys for the seats that
// have signed them. By them it would follow the ledger up to a recovery, and take the seeds
// that it meets for those of another network.
func TestKeptHeadsOfReplacedKeysProveNothing(t *testing.T) {
	w := followed(t, 7, 4)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.follows)
	w.Run(time.Second) // that is on disk
	w.recover(t, w.Machines[0])
	far := func(i int) bool { return i == 1 || i == 2 }
	w.Cut = func(from, to int) bool { return from >= 100 && far(to) || to >= 100 && far(from) }
	for range 2 {
		f.Start()
		w.Run(5 * time.Second)
		if n := f.Count("another founding"); f.Epoch() != 0 || n > 0 {
			t.Fatalf("it follows to epoch %d, and says %d times that a seed is of another founding", f.Epoch(), n)
		}
	}
	w.Cut = nil
	w.Must(20*time.Second, "it follows", w.follows)
}
