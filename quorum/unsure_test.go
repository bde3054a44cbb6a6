package quorum

import (
	"maps"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// doubt has a disk say what the agent has it say after the machine's next start.
func doubtDisk(d *disk) {
	life := *d.Durable["life"].(*core.SeedLife)
	life.Doubt = true
	d.Durable["life"] = &life
}

// A seed that was put back below the file system, while the one that knows is
// down, takes no part before that one has told what it has signed: then it stops.
func TestUnsureSeedWaitsForAll(t *testing.T) {
	w := followed(t, 80, 4)
	a, b, c := w.Machines[0], w.Machines[1], w.Machines[2]
	w.Run(time.Second)
	copied := maps.Clone(a.Disk.Durable)
	w.Crash(c)
	w.NewPerson()
	w.Must(20*time.Second, "one more is in", func() bool { return b.Q.Proven() == 5 && a.Q.Proven() == 5 })
	w.Run(time.Second)
	w.Crash(a)
	w.Crash(b)
	a.Disk.Durable, w.Epochs[0] = copied, 0
	doubtDisk(&a.Disk)
	w.Start(a)
	w.Start(c)
	w.Run(unsureFor / 2)
	w.Crash(a) // and it is started again before it was answered
	w.Start(a)
	w.Run(unsureFor / 2)
	if a.Q.Ready() || a.Q.Epoch() != 4 || c.Q.Epoch() != 4 || !strings.Contains(a.Q.Why(), seedAddr(1).String()) {
		t.Fatalf("it takes part at epoch %d, and says %q", a.Q.Epoch(), a.Q.Why())
	}
	w.Start(b)
	w.Must(10*time.Second, "it stops", func() bool { return a.Q.MustStop() != "" })
	w.Must(10*time.Second, "the others go on", func() bool { return b.Q.Ready() && c.Q.Epoch() == 5 })
}

// Seeds that lost their power together come back: at once if all do, and by
// themselves if one is lost for ever.
func TestUnsureSeedsComeBack(t *testing.T) {
	for _, lost := range []int{0, 1} {
		w := followed(t, 81, 3)
		w.Run(time.Second)
		for _, m := range w.Machines {
			w.Crash(m)
		}
		began := w.Now
		for _, m := range w.Machines[lost:] {
			doubtDisk(&m.Disk)
			w.Start(m)
		}
		limit := 5 * time.Second
		if lost > 0 {
			limit += unsureFor
		}
		w.Must(limit, "a quorum", func() bool { return w.Machines[1].Q.Ready() && w.Machines[2].Q.Ready() })
		t.Logf("%d are lost: back after %v", lost, w.Now.Sub(began))
	}
}

// Neither a datagram nor a message without this seed's own head counts as the answer
// of the seed that is down and knows.
func TestOnlyAnswersEndDoubt(t *testing.T) {
	w := followed(t, 82, 3)
	w.Run(time.Second)
	a, b, c := w.Machines[0], w.Machines[1], w.Machines[2]
	theirs := b.Q.chain.Heads[1]
	all := b.Q.chain.Newest()
	hello, key := b.Q.seats.ownHello(), b.Q.plain
	hello.Answer, hello.Term, hello.Last = true, b.Q.replica.log.hard.GetTerm(), b.Q.replica.log.end()
	for _, m := range w.Machines {
		w.Crash(m)
	}
	doubtDisk(&a.Disk)
	doubtDisk(&c.Disk)
	w.Start(a)
	w.Start(c)
	w.Run(5 * time.Second)
	for name, p := range map[string]*core.Packet{
		"heads without the own":    from(seedAddr(1), &core.Rulings{Heads: []hearsay.Head{theirs}}),
		"a stranger's":             from(stranger, &core.Rulings{Heads: all}),
		"a roster without the own": from(seedAddr(1), &core.RosterPart{Heads: []hearsay.Head{theirs}, Parts: 1}),
	} {
		if w.Step(a, func() { a.Q.Receive(w.Now, p) }); !a.Q.diskCheck.unsure() {
			t.Fatalf("%s ends the check", name)
		}
	}
	w.Step(a, func() { a.Q.Receive(w.Now, from(seedAddr(1), &core.Rulings{Heads: all})) })
	if !a.Q.diskCheck.unsure() {
		t.Fatal("an answer that does not say how far the log goes ends the check")
	}
	hello.Nonce = a.Q.seats.nonces[1]
	hello.Sign(w.cfg.Network, key)
	w.Step(a, func() { a.Q.Receive(w.Now, from(seedAddr(1), hello)) })
	if a.Q.diskCheck.unsure() {
		t.Fatal("an answer does not end the check")
	}
}

// A copy so old that the others answer with a roster is told by that, too: it stops
// long before the time to wait is over.
func TestRosterAnswersUnsureSeed(t *testing.T) {
	w := newWorld(t, 3, 83)
	w.cfg.Tail = 16
	w.StartAll()
	for range 5 {
		w.NewPerson()
	}
	w.Must(20*time.Second, "five are in", func() bool { return w.agree() && w.Machines[0].Q.Epoch() == 5 })
	w.Run(time.Second)
	a := w.Machines[0]
	copied := maps.Clone(a.Disk.Durable)
	for range 60 {
		w.NewPerson()
	}
	w.Must(20*time.Second, "all are in", func() bool { return w.agree() && a.Q.Epoch() == 65 })
	w.Run(time.Second)
	for _, m := range w.Machines {
		w.Crash(m)
	}
	a.Disk.Durable, w.Epochs[0] = copied, 0
	for _, m := range w.Machines {
		doubtDisk(&m.Disk)
	}
	w.StartAll()
	if base := w.Machines[1].Q.chain.Base; base <= 5 {
		t.Fatalf("all after %d are in memory", base)
	}
	w.Must(10*time.Second, "it stops", func() bool { return a.Q.MustStop() != "" })
}

// A directory that was put back as it was before the network was founded is in doubt as one
// that has a ledger is, once its seed is named in a seat: it stops when it is told what it has
// signed, and makes no second ledger with a seed that knows less.
func TestDirectoryOfBeforeTheFounding(t *testing.T) {
	w := newWorld(t, 3, 88)
	a, b, c := w.Machines[0], w.Machines[1], w.Machines[2]
	w.Start(a)
	w.Run(2 * time.Second)
	copied := maps.Clone(a.Disk.Durable)
	w.Start(b)
	w.Start(c)
	w.Must(10*time.Second, "founded", w.agree)
	w.Run(time.Second)
	w.Crash(c)
	w.NewPerson()
	w.NewPerson()
	w.Must(20*time.Second, "two are in", func() bool { return a.Q.Proven() == 2 && b.Q.Proven() == 2 })
	w.Run(time.Second)
	w.Crash(a)
	w.Crash(b)
	a.Disk.Durable, w.Epochs[0] = copied, 0
	doubtDisk(&a.Disk)
	w.Start(a)
	w.Start(c)
	w.Run(unsureFor / 2)
	w.Crash(a) // what it was named in is on disk now, and the check is still
	w.Start(a)
	w.Run(unsureFor / 4)
	if a.Q.replica == nil || a.Q.Ready() || a.Q.Epoch() > 0 || c.Q.Epoch() > 0 {
		t.Fatalf("it takes part at epoch %d, and the third is at %d", a.Q.Epoch(), c.Q.Epoch())
	}
	w.Start(b)
	w.Must(10*time.Second, "it stops", func() bool {
		return strings.Contains(a.Q.MustStop(), "it has signed epoch 2, and the ledger here ends with 0")
	})
	w.Must(10*time.Second, "the others go on", func() bool { return b.Q.Ready() && c.Q.Epoch() == 2 })
}

// What restarts a seed that is not ready does not keep two of three in doubt for ever.
func TestDoubtGoesOnAfterAStart(t *testing.T) {
	w := followed(t, 93, 2)
	w.Run(time.Second)
	for _, m := range w.Machines {
		w.Crash(m)
	}
	left := w.Machines[1:]
	for _, m := range left {
		doubtDisk(&m.Disk)
		w.Start(m)
	}
	for range 6 { // a minute, and what each start repeats
		w.Run(12 * time.Second)
		for _, m := range left {
			if !m.Q.Ready() {
				if m.Q.Why() == "" {
					t.Errorf("slot %d does not say why it is not ready", m.Slot)
				}
				w.Crash(m)
				w.Start(m)
			}
		}
	}
	w.Must(10*time.Second, "a quorum", func() bool { return left[0].Q.Ready() && left[1].Q.Ready() })
}
