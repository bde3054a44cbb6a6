package quorum

import (
	"maps"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"

	"go.etcd.io/raft/v3/raftpb"
)

// forkedWorld makes two ledgers: the first seed is put back as it was before the
// second and it have ruled more, while the second is down; and rules other things
// with the third, which knows nothing of those. Followers know one each.
func forkedWorld(t *testing.T, seed uint64) (w *world, first, second *following) {
	w = followed(t, seed, 4)
	a, b, c := w.Machines[0], w.Machines[1], w.Machines[2]
	first = w.newFollower()
	w.Must(5*time.Second, "it follows", w.follows)
	w.Run(time.Second) // that is on disk everywhere
	copied := maps.Clone(a.Disk.Durable)
	w.Crash(c)
	w.NewPerson()
	w.NewPerson()
	w.Must(20*time.Second, "two more are in", func() bool { return b.Q.Proven() == 6 && first.Epoch() == 6 })
	w.Run(time.Second)
	first.Deaf = true
	w.Crash(a)
	w.Crash(b)
	w.Forks = true
	a.Disk.Durable, w.Epochs[0] = copied, 0
	w.Start(a)
	w.Start(c)
	for range 3 {
		w.NewPerson()
	}
	w.Must(20*time.Second, "others are in", func() bool { return c.Q.Proven() >= 7 && c.Q.Proven() == c.Q.Epoch() })
	second = w.newFollower()
	w.Must(20*time.Second, "one follows them", func() bool { return second.Epoch() == c.Q.Epoch() })
	if b := b.Disk.Durable["ruling 6"].(*core.KeptRuling).Ruling; c.Q.chain.Entry(6).Ruling.Hash(testNetwork) == b.Hash(testNetwork) {
		t.Fatal("they have ruled the same")
	}
	return w, first, second
}

// Two ledgers of which each is signed by a quorum are found out as soon as those
// who know them meet: every seed stops and says which seats have signed which,
// also after its next start, and peers stay where they are and say so.
func TestForkIsFoundOut(t *testing.T) {
	for seed := range uint64(5) {
		w, first, second := forkedWorld(t, 60+seed)
		at := second.Epoch()
		first.Deaf = false
		w.Start(w.Machines[1])
		w.Must(10*time.Second, "all seeds stop", func() bool {
			for _, m := range w.Machines {
				if m.Q.MustStop() == "" {
					return false
				}
			}
			return true
		})
		for _, m := range w.Machines {
			if why := m.Q.MustStop(); !strings.Contains(why, "forked") && !strings.Contains(why, "two ledgers") {
				t.Errorf("seed %d: slot %d says %s", seed, m.Slot, why)
			}
		}
		w.Run(time.Minute)
		for _, f := range []*following{first, second} {
			fork := f.Fork()
			if fork == nil || !fork.Proven || len(fork.Theirs) < 2 || len(fork.Ours) == 0 || fork.Own == fork.Other || f.Why() != fork.Text {
				t.Errorf("seed %d: follower %d knows %+v", seed, f.N, fork)
			}
		}
		if first.Epoch() != 6 || second.Epoch() != at {
			t.Errorf("seed %d: they go on to epochs %d and %d", seed, first.Epoch(), second.Epoch())
		}
		b := w.Machines[1]
		why := b.Q.MustStop()
		w.Crash(b)
		w.Start(b)
		if strings.Contains(why, "the ledger has forked") && b.Q.MustStop() == "" {
			t.Errorf("seed %d: it takes part again", seed)
		}
	}
}

// A seat that signs another ledger alone stops nobody: it is told, once.
func TestOneSeatSignsAnother(t *testing.T) {
	w := followed(t, 70, 3)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.follows)
	w.Run(time.Second)
	told := 0
	w.Teller = func(m *machine, e hearsay.Event) {
		if e.Kind == hearsay.EventLedgerForked && m.Slot != 1 {
			told++
		}
	}
	other := hearsay.Head{Founding: w.Ledger().Founding, Epoch: 3, Hash: hearsay.Hash{7}, Slot: 1}
	other.Sign(testNetwork, w.Machines[1].Signer)
	forged := hearsay.Head{Founding: w.Ledger().Founding, Epoch: 3, Hash: hearsay.Hash{8}, Slot: 2}
	for _, h := range []hearsay.Head{forged, other} {
		for range 3 {
			for _, slot := range []int{0, 2} {
				m := w.Machines[slot]
				w.Step(m, func() { m.Q.Receive(w.Now, from(stranger, &core.Rulings{Heads: []hearsay.Head{h}})) })
			}
			f.Step(func() { f.Receive(w.Now, from(stranger, &core.Rulings{Heads: []hearsay.Head{h}})) })
		}
	}
	w.Run(5 * time.Second)
	if told != 2 {
		t.Errorf("it was told %d times, want once by each of two", told)
	}
	for _, slot := range []int{0, 2} {
		fork := w.Machines[slot].Q.Fork()
		if fork == nil || fork.Proven || len(fork.Twice) != 1 || fork.Theirs[0] != 1 || w.Machines[slot].Q.MustStop() != "" {
			t.Errorf("slot %d knows %+v", slot, fork)
		}
	}
	if fork := f.Fork(); fork == nil || fork.Proven || f.Why() != "" {
		t.Errorf("the follower knows %+v, and says %q", fork, f.Why())
	}
	if w.Machines[1].Q.MustStop() == "" {
		t.Error("who has signed twice goes on")
	}
	w.NewPerson()
	w.Must(10*time.Second, "the others go on", func() bool { return w.Machines[0].Q.Epoch() == 4 && f.Epoch() == 4 })
}

// A node that is behind hears two heads of one epoch from each of two seats. Once its
// ledger has come to that epoch, hearing one of them again counts the seat.
func TestTwinsCountTowardsFork(t *testing.T) {
	w := followed(t, 71, 3)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.follows)
	a := w.Machines[0]
	var heads []hearsay.Head
	for slot := uint8(1); slot <= 2; slot++ {
		for _, hash := range []hearsay.Hash{{7}, {8}} {
			h := hearsay.Head{Founding: w.Ledger().Founding, Epoch: 4, Hash: hash, Slot: slot}
			h.Sign(testNetwork, w.Machines[slot].Signer)
			heads = append(heads, h)
		}
	}
	w.Cut = func(from, to int) bool { return from == 0 || to == 0 }
	f.Deaf = true
	w.Step(a, func() { a.Q.Receive(w.Now, from(stranger, &core.Rulings{Heads: heads})) })
	f.Step(func() { f.Receive(w.Now, from(stranger, &core.Rulings{Heads: heads})) })
	for _, fork := range []*hearsay.Fork{a.Q.Fork(), f.Fork()} {
		if fork == nil || fork.Proven || len(fork.Twice) != 2 {
			t.Fatalf("at first it knows %+v", fork)
		}
	}
	w.NewPerson()
	w.NewPerson()
	w.Must(10*time.Second, "two more are in", func() bool { return w.Machines[1].Q.Proven() == 5 })
	w.Cut, f.Deaf = nil, false
	w.Must(10*time.Second, "the seed stops", func() bool { return a.Q.MustStop() != "" })
	w.Must(10*time.Second, "the follower has come to that epoch", func() bool { return f.Epoch() >= 4 })
	f.Step(func() { f.Receive(w.Now, from(stranger, &core.Rulings{Heads: heads})) })
	for _, fork := range []*hearsay.Fork{a.Q.Fork(), f.Fork()} {
		if fork == nil || !fork.Proven || len(fork.Theirs) != 2 || len(fork.Twice) != 2 {
			t.Errorf("then it knows %+v", fork)
		}
	}
}

// What a seed has signed before a recovery says nothing against the ledger since. A
// new peer that has the seed's key in its list, and is shown both before it knows of which
// founding the ledger is, follows it.
func TestHeadsOfTwoFoundingsAreNoFork(t *testing.T) {
	w := newWorld(t, 1, 7)
	w.StartAll()
	w.NewPerson()
	m := w.Machines[0]
	w.Must(5*time.Second, "one is in", func() bool { return w.agree() && m.Q.Epoch() == 1 })
	w.Run(time.Second)
	backup := maps.Clone(m.Disk.Durable)
	for range 3 {
		w.NewPerson()
	}
	w.Must(5*time.Second, "more are in", func() bool { return w.agree() && m.Q.Epoch() == 4 && m.Q.Proven() == 4 })
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
	w.NewPerson()
	w.NewPerson()
	w.Must(5*time.Second, "it goes on", func() bool { return m.Q.Epoch() == 4 && m.Q.Proven() == 4 })
	since := m.Q.Heads()
	w.cfg.Seeds[0].Key = m.Signer.Public()
	f := w.newFollower()
	// The first come from a peer that was away since before the recovery, the others from one that was not.
	for _, heads := range [][]hearsay.Head{signed, since} {
		f.Step(func() { f.Receive(w.Now, from(stranger, &core.Rulings{Heads: heads})) })
	}
	w.Run(20 * time.Second)
	if fork := f.Fork(); fork != nil {
		t.Errorf("it holds the ledger for forked: proven %v, %s", fork.Proven, fork.Text)
	}
	w.NewPerson()
	w.Run(20 * time.Second)
	if f.Epoch() != m.Q.Epoch() {
		t.Errorf("it is at epoch %d of %d", f.Epoch(), m.Q.Epoch())
	}
}

// A peer that is behind hears of each of two seats one head of another ledger, and
// newer ones of its own before or after that. Once its own ledger has come that far it
// knows of the fork, as a seed does.
func TestFollowerSeesForkWhenItHasCaughtUp(t *testing.T) {
	for name, last := range map[string]bool{"then of its own": false, "of its own before that": true} {
		w := followed(t, 71, 3)
		f := w.newFollower()
		w.Must(5*time.Second, "it follows", w.follows)
		var heads []hearsay.Head
		for slot := uint8(1); slot <= 2; slot++ {
			h := hearsay.Head{Founding: w.Ledger().Founding, Epoch: 4, Hash: hearsay.Hash{7}, Slot: slot}
			h.Sign(testNetwork, w.Machines[slot].Signer)
			heads = append(heads, h)
		}
		hear := func(heads []hearsay.Head) {
			f.Step(func() { f.Receive(w.Now, from(stranger, &core.Rulings{Heads: heads})) })
		}
		w.Cut = func(from, to int) bool { return from == 0 || to == 0 }
		f.Deaf = true
		if !last {
			hear(heads)
		}
		w.NewPerson()
		w.NewPerson()
		w.Must(10*time.Second, "two more are in", func() bool { return w.Machines[1].Q.Proven() == 5 })
		if last {
			hear(w.Machines[1].Q.Heads())
			hear(heads)
		}
		w.Cut, f.Deaf = nil, false
		w.Run(10 * time.Second)
		if f.Epoch() < 4 {
			t.Fatalf("%s: the follower is at epoch %d", name, f.Epoch())
		}
		if fork := f.Fork(); fork == nil || !fork.Proven {
			t.Errorf("%s: at epoch %d the follower knows %+v", name, f.Epoch(), fork)
		}
	}
}

// One seat's key, which may be stolen, does not stop the other seeds, whatever it signs
// of the log: each tells it once, and they go on. A second seat that says so makes a quorum.
func TestOneKeyStopsNobody(t *testing.T) {
	for name, of := range map[string]core.Raft{
		"an entry before":         {Type: uint8(raftpb.MsgApp), LogTerm: 1},
		"an entry":                {Type: uint8(raftpb.MsgApp), Entries: []core.LogEntry{{Term: 1}}},
		"a snapshot":              {Type: uint8(raftpb.MsgSnap), Snapshot: &core.LogSnapshot{Term: 1}},
		"a commit beyond the log": {Type: uint8(raftpb.MsgHeartbeat), Commit: 1 << 40},
		"an acknowledgement":      {Type: uint8(raftpb.MsgAppResp), Index: 1 << 40},
	} {
		w := followed(t, 41, 3)
		w.Run(time.Second)
		slot, _ := w.Machines[0].Q.Leader()
		m, thief, second := w.Machines[slot], w.Machines[(slot+1)%3], w.Machines[(slot+2)%3]
		told := 0
		w.Teller = func(at *machine, e hearsay.Event) {
			if e.Kind == hearsay.EventLedgerForked && at == m {
				told++
			}
		}
		sign := func(by *machine) {
			f, at := of, m.Q.replica.log.hard.GetCommit()
			f.Versions = ledger.Versions()
			f.Slot, f.To, f.From, f.Founding = uint8(by.Slot), m.Q.replica.id, by.Q.replica.id, m.Q.founding
			f.Term, f.Index = m.Q.replica.node.BasicStatus().GetTerm(), max(f.Index, at)
			if len(f.Entries) > 0 { // the one before is as it should be
				f.Index = at - 1
				f.LogTerm, _ = m.Q.replica.log.Term(at - 1)
				f.Term++
				f.Entries = []core.LogEntry{{Index: at, Term: f.Term}}
			}
			if f.Snapshot != nil {
				f.Snapshot.Index, f.Snapshot.Config = at, logConfig(m.Q.replica.log.config)
			}
			f.Sign(testNetwork, by.Signer)
			w.Step(m, func() { m.Q.Receive(w.Now, from(seedAddr(by.Slot), &f)) })
		}
		for range 3 {
			sign(thief)
			w.Run(time.Second)
		}
		fork := m.Q.Fork()
		if m.Q.MustStop() != "" || told != 1 || fork == nil || fork.Proven || strings.Contains(fork.Text, "empty") {
			t.Errorf("%s: it tells it %d times, knows %+v, and says %q", name, told, fork, m.Q.MustStop())
		}
		w.NewPerson()
		w.Must(10*time.Second, name+": they go on", func() bool { return w.agree() && m.Q.Epoch() == 4 })
		sign(second)
		if why := m.Q.MustStop(); !strings.Contains(why, seedAddr(thief.Slot).String()) || !strings.Contains(why, seedAddr(second.Slot).String()) {
			t.Errorf("%s: with a quorum it says %q", name, why)
		}
	}
}
