package follower

import (
	"maps"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/testkit"
)

// refutingSeed gives a peer that has met all seeds, and what has one of them raise its incarnation.
func refutingSeed(t *testing.T) (f *following, raise func(by hearsay.Incarnation)) {
	w := followed(t, 5, 1)
	f = w.newFollower()
	seed, newest := w.Machines[1].Signer.Public().NodeID(), hearsay.Incarnation(0)
	f.directory.Alive = func(hearsay.NodeID) bool { return true }
	f.directory.Incarnation = func(id hearsay.NodeID) hearsay.Incarnation {
		if id == seed {
			return newest
		}
		return 1
	}
	w.Run(25 * time.Second) // between two of the usual questions
	if !f.Met(1) {
		t.Fatalf("the seed has not answered: %q", f.Note(1))
	}
	return f, func(by hearsay.Incarnation) { newest += by }
}

// A seed that is accused all the time refutes each time, as if it was started again: a peer does not ask
// it who it is each time, but soon after what may well be a start.
func TestAccusedSeedIsNotAskedEachTime(t *testing.T) {
	f, raise := refutingSeed(t)
	raise(1)
	w, addr := f.w, f.w.Machines[1].Addr
	asked := func(d time.Duration) int {
		before := f.Hellos[addr]
		w.Run(d)
		return f.Hellos[addr] - before
	}
	usual := asked(time.Minute)
	for range startsMost {
		raise(1)
		if n := asked(2 * renewedWithin); n < 1 {
			t.Errorf("it was started again, and is asked %d times within %v", n, 2*renewedWithin)
		}
	}
	accused := true
	var accuse func()
	accuse = func() {
		if raise(1); accused {
			w.After(100*time.Millisecond, accuse)
		}
	}
	accuse()
	n := asked(time.Minute)
	t.Logf("asked %d times in a usual minute, %d in one in which it is accused ten times a second", usual, n)
	if most := usual + int(time.Minute/startsEvery); n > most {
		t.Errorf("accused ten times a second it is asked %d times in a minute: want %d at most", n, most)
	}
	accused = false
	w.Run(startsMost * startsEvery)
	since := f.MetSince(1)
	raise(1)
	w.Run(2 * renewedWithin)
	if !f.MetSince(1).After(since) {
		t.Error("it was started again, and is not asked")
	}
}

// A seed that was not listed yet when it answered, and is now, was not started again: it is not asked anew, and
// has answered since then.
func TestSeedListedAfterItsAnswer(t *testing.T) {
	f, raise := refutingSeed(t)
	since, before := f.MetSince(1), f.Hellos[f.w.Machines[1].Addr]
	raise(7)
	f.w.Run(2 * renewedWithin)
	if n := f.Hellos[f.w.Machines[1].Addr] - before; n > 0 || f.MetSince(1) != since {
		t.Errorf("it is asked %d times more, and has answered since %v: want %v", n, f.MetSince(1), since)
	}
	raise(1)
	f.w.Run(2 * renewedWithin)
	if f.MetSince(1) == since {
		t.Error("it was started again, and is not asked: the test shows nothing")
	}
}

// A peer to which nothing is proven yet, and that has a seed's signature on a ruling, does not count on that seed
// once it was put back to before that.
func TestPeerWithoutALedgerAndASeedPutBack(t *testing.T) {
	w := newWorld(t, 3, 5)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.Agree)
	w.Run(time.Second)
	slot, _ := w.Machines[0].Q.Leader()
	f, seed, alone := w.newFollower(), w.Machines[slot], false
	// the peer hears of one seed only
	w.Cut = func(from, to int) bool { return from >= 100 && to != slot || alone && from < 100 }
	// before the others sign
	w.Stepped = func(m *machine, _ *core.Effects) { alone = alone || m == seed && m.Q.Epoch() > 0 }
	before := testkit.Disk{Durable: maps.Clone(seed.Disk.Durable)}
	w.NewPerson()
	w.Must(10*time.Second, "the peer has its signature", func() bool { return f.chain.Heads[slot].Epoch > 0 })
	w.Run(5 * time.Second)
	if !f.Met(slot) || f.Epoch() > 0 {
		t.Fatalf("%q, at epoch %d: the test shows nothing", f.Note(slot), f.Epoch())
	}
	w.Crash(seed)
	seed.Disk, w.Epochs[slot] = before, 0
	w.Start(seed)
	w.Run(time.Minute)
	if f.Met(slot) || f.Note(slot) != asideNote {
		t.Errorf("met %t: %q", f.Met(slot), f.Note(slot))
	}
}
