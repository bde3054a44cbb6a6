package quorum

import (
	"slices"
	"testing"
	"time"

	"hearsay"
)

// twiceWiped is five seeds of which one was away while another lost its disk
// twice, and what anybody could have been told in between: the proof that the
// first of the two new lives had the seat.
func twiceWiped(t *testing.T, seed uint64) (w *world, old hearsay.SeatHello) {
	w = newWorld(t, 5, seed)
	w.cfg.SnapshotEvery = 8
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	w.newPerson()
	w.must(5*time.Second, "one is in", w.agree)
	w.crash(w.machines[1])
	m := w.machines[2]
	for round := range 2 {
		w.wipe(m)
		w.epochs[2] = 0
		w.start(m)
		w.must(20*time.Second, "it has its seat", func() bool { return m.q.Seated() && m.q.Epoch() == w.machines[0].q.Epoch() })
		if round == 0 {
			old = *w.machines[0].q.ownHello()
			old.Seats = slices.Clone(old.Seats)
			old.Sign(testNetwork, w.machines[0].signer)
		}
	}
	for range 20 {
		w.newPerson()
		w.run(300 * time.Millisecond)
	}
	return w, old
}

// A proof that a seat was given, sent again when it was given once more since,
// does not bring back who had it before.
func TestOldProofOfASeat(t *testing.T) {
	w, old := twiceWiped(t, 51)
	away, newest := w.machines[1], w.machines[2].q.seat()
	w.start(away)
	w.must(20*time.Second, "all agree", w.agree)
	if old.Given == nil || away.q.seats.known[2].seat != newest {
		t.Fatal("the test shows nothing")
	}
	w.cut = func(from, to int) bool { return to == 1 || from == 1 }
	w.step(away, func() { away.q.Receive(w.now, from(stranger, &old)) })
	if away.q.seats.known[2].seat != newest {
		t.Errorf("a seed believes that the first of two lives has the seat: since %d", away.q.seats.known[2].since)
	}
}

func TestOldProofOfASeatToAPeer(t *testing.T) {
	w, old := twiceWiped(t, 52)
	w.start(w.machines[1])
	w.must(20*time.Second, "all agree", w.agree)
	newest := w.machines[2].q.seat()
	w.run(5 * time.Second) // all is synced
	for _, m := range w.machines {
		w.crash(m)
		w.start(m)
	}
	w.must(20*time.Second, "all agree", w.agree)
	w.truncate(w.machines[0].q.Epoch() - 1)
	f := w.newFollower()
	w.must(5*time.Second, "it follows", w.follows)
	w.run(5 * time.Second) // it has met all
	r := *old.Given
	r.Epoch = 1 << 40
	f.step(func() { f.Receive(w.now, from(stranger, &hearsay.Rulings{Items: []*hearsay.Ruling{&r}})) })
	if f.pins[2].Seat != newest {
		t.Error("a peer believes that the first of two lives has the seat")
	}
}
