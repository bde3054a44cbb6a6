package quorum

import (
	"maps"
	"strings"
	"testing"
	"time"

	"hearsay"
)

// doubt has a disk say what the agent has it say after the machine's next start.
func (d *disk) doubt() {
	life := *d.durable["life"].(*hearsay.SeedLife)
	life.Doubt = true
	d.durable["life"] = &life
}

// A seed that was put back below the file system, while the one that knows is
// down, takes no part before that one has told what it has signed: then it stops.
func TestUnsureSeedWaitsForAll(t *testing.T) {
	w := followed(t, 80, 4)
	a, b, c := w.machines[0], w.machines[1], w.machines[2]
	w.run(time.Second)
	copied := maps.Clone(a.disk.durable)
	w.crash(c)
	w.newPerson()
	w.must(20*time.Second, "one more is in", func() bool { return b.q.Proven() == 5 && a.q.Proven() == 5 })
	w.run(time.Second)
	w.crash(a)
	w.crash(b)
	a.disk.durable, w.epochs[0] = copied, 0
	a.disk.doubt()
	w.start(a)
	w.start(c)
	w.run(unsureFor / 2)
	w.crash(a) // and it is started again before it was answered
	w.start(a)
	w.run(unsureFor / 2)
	if a.q.Ready() || a.q.Epoch() != 4 || c.q.Epoch() != 4 || !strings.Contains(a.q.Why(), seedAddr(1).String()) {
		t.Fatalf("it takes part at epoch %d, and says %q", a.q.Epoch(), a.q.Why())
	}
	w.start(b)
	w.must(10*time.Second, "it stops", func() bool { return a.q.Doomed() != "" })
	w.must(10*time.Second, "the others go on", func() bool { return b.q.Ready() && c.q.Epoch() == 5 })
}

// Seeds that lost their power together come back: at once if all do, and by
// themselves if one is lost for ever.
func TestUnsureSeedsComeBack(t *testing.T) {
	for _, lost := range []int{0, 1} {
		w := followed(t, 81, 3)
		w.run(time.Second)
		for _, m := range w.machines {
			w.crash(m)
		}
		began := w.now
		for _, m := range w.machines[lost:] {
			m.disk.doubt()
			w.start(m)
		}
		limit := 5 * time.Second
		if lost > 0 {
			limit += unsureFor
		}
		w.must(limit, "a quorum", func() bool { return w.machines[1].q.Ready() && w.machines[2].q.Ready() })
		t.Logf("%d are lost: back after %v", lost, w.now.Sub(began))
	}
}

// Neither a datagram nor a message without this seed's own head counts as the answer
// of the seed that is down and knows.
func TestOnlyAnswersEndDoubt(t *testing.T) {
	w := followed(t, 82, 3)
	w.run(time.Second)
	a, b, c := w.machines[0], w.machines[1], w.machines[2]
	theirs := b.q.chain.Heads[1]
	all := b.q.chain.Newest()
	hello, key := b.q.ownHello(), b.q.plain
	hello.Answer, hello.Term, hello.Last = true, b.q.replica.log.hard.GetTerm(), b.q.replica.log.end()
	for _, m := range w.machines {
		w.crash(m)
	}
	a.disk.doubt()
	c.disk.doubt()
	w.start(a)
	w.start(c)
	w.run(5 * time.Second)
	for name, p := range map[string]*hearsay.Packet{
		"heads without the own":    from(seedAddr(1), &hearsay.Rulings{Heads: []hearsay.Head{theirs}}),
		"a stranger's":             from(stranger, &hearsay.Rulings{Heads: all}),
		"a roster without the own": from(seedAddr(1), &hearsay.RosterPart{Heads: []hearsay.Head{theirs}, Parts: 1}),
	} {
		if w.step(a, func() { a.q.Receive(w.now, p) }); !a.q.unsure() {
			t.Fatalf("%s ends the doubt", name)
		}
	}
	w.step(a, func() { a.q.Receive(w.now, from(seedAddr(1), &hearsay.Rulings{Heads: all})) })
	if !a.q.unsure() {
		t.Fatal("an answer that does not say how far the log goes ends the doubt")
	}
	hello.Nonce = a.q.seats.nonces[1]
	hello.Sign(w.cfg.Network, key)
	w.step(a, func() { a.q.Receive(w.now, from(seedAddr(1), hello)) })
	if a.q.unsure() {
		t.Fatal("an answer does not end the doubt")
	}
}

// A copy so old that the others answer with a roster is told by that, too: it stops
// long before the time to wait is over.
func TestRosterAnswersUnsureSeed(t *testing.T) {
	w := newWorld(t, 3, 83)
	w.cfg.Tail = 16
	w.startAll()
	for range 5 {
		w.newPerson()
	}
	w.must(20*time.Second, "five are in", func() bool { return w.agree() && w.machines[0].q.Epoch() == 5 })
	w.run(time.Second)
	a := w.machines[0]
	copied := maps.Clone(a.disk.durable)
	for range 60 {
		w.newPerson()
	}
	w.must(20*time.Second, "all are in", func() bool { return w.agree() && a.q.Epoch() == 65 })
	w.run(time.Second)
	for _, m := range w.machines {
		w.crash(m)
	}
	a.disk.durable, w.epochs[0] = copied, 0
	for _, m := range w.machines {
		m.disk.doubt()
	}
	w.startAll()
	if base := w.machines[1].q.chain.Base; base <= 5 {
		t.Fatalf("all after %d are in memory", base)
	}
	w.must(10*time.Second, "it stops", func() bool { return a.q.Doomed() != "" })
}

// A directory that was put back as it was before the network was founded is in doubt as one
// that has a ledger is, once its seed is named in a seat: it stops when it is told what it has
// signed, and makes no second ledger with a seed that knows less.
func TestDirectoryOfBeforeTheFounding(t *testing.T) {
	w := newWorld(t, 3, 88)
	a, b, c := w.machines[0], w.machines[1], w.machines[2]
	w.start(a)
	w.run(2 * time.Second)
	copied := maps.Clone(a.disk.durable)
	w.start(b)
	w.start(c)
	w.must(10*time.Second, "founded", w.agree)
	w.run(time.Second)
	w.crash(c)
	w.newPerson()
	w.newPerson()
	w.must(20*time.Second, "two are in", func() bool { return a.q.Proven() == 2 && b.q.Proven() == 2 })
	w.run(time.Second)
	w.crash(a)
	w.crash(b)
	a.disk.durable, w.epochs[0] = copied, 0
	a.disk.doubt()
	w.start(a)
	w.start(c)
	w.run(unsureFor / 2)
	w.crash(a) // what it was named in is on disk now, and the doubt is still
	w.start(a)
	w.run(unsureFor / 4)
	if a.q.replica == nil || a.q.Ready() || a.q.Epoch() > 0 || c.q.Epoch() > 0 {
		t.Fatalf("it takes part at epoch %d, and the third is at %d", a.q.Epoch(), c.q.Epoch())
	}
	w.start(b)
	w.must(10*time.Second, "it stops", func() bool {
		return strings.Contains(a.q.Doomed(), "it has signed epoch 2, and the ledger here ends with 0")
	})
	w.must(10*time.Second, "the others go on", func() bool { return b.q.Ready() && c.q.Epoch() == 2 })
}

// What restarts a seed that is not ready does not keep two of three in doubt for ever.
func TestDoubtGoesOnAfterAStart(t *testing.T) {
	w := followed(t, 93, 2)
	w.run(time.Second)
	for _, m := range w.machines {
		w.crash(m)
	}
	left := w.machines[1:]
	for _, m := range left {
		m.disk.doubt()
		w.start(m)
	}
	for range 6 { // a minute, and what each start repeats
		w.run(12 * time.Second)
		for _, m := range left {
			if !m.q.Ready() {
				if m.q.Why() == "" {
					t.Errorf("slot %d does not say why it is not ready", m.slot)
				}
				w.crash(m)
				w.start(m)
			}
		}
	}
	w.must(10*time.Second, "a quorum", func() bool { return left[0].q.Ready() && left[1].q.Ready() })
}
