package quorum

import (
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// twiceWiped is five seeds of which one was away while another lost its disk
// twice, and what anybody could have been told in between: the proof that the
// first of the two new lives had the seat.
func twiceWiped(t *testing.T, seed uint64) (w *world, old core.SeatHello) {
	w = newWorld(t, 5, seed)
	w.cfg.SnapshotEvery = 8
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	w.NewPerson()
	w.Must(5*time.Second, "one is in", w.agree)
	w.Crash(w.Machines[1])
	m := w.Machines[2]
	for round := range 2 {
		w.Wipe(m)
		w.Epochs[2] = 0
		w.Start(m)
		w.Must(20*time.Second, "it has its seat", func() bool { return m.Q.Seated() && m.Q.Epoch() == w.Machines[0].Q.Epoch() })
		if round == 0 {
			old = *w.Machines[0].Q.seats.ownHello()
			old.Seats = slices.Clone(old.Seats)
			old.Sign(testNetwork, w.Machines[0].Signer)
		}
	}
	for range 20 {
		w.NewPerson()
		w.Run(300 * time.Millisecond)
	}
	return w, old
}

// A proof that a seat was given, sent again when it was given once more since,
// does not bring back who had it before.
func TestOldProofOfASeat(t *testing.T) {
	w, old := twiceWiped(t, 51)
	away, newest := w.Machines[1], w.Machines[2].Q.seat()
	w.Start(away)
	w.Must(20*time.Second, "all agree", w.agree)
	if old.Given == nil || away.Q.seats.known[2].seat != newest {
		t.Fatal("the test shows nothing")
	}
	w.Cut = func(from, to int) bool { return to == 1 || from == 1 }
	w.Step(away, func() { away.Q.Receive(w.Now, from(stranger, &old)) })
	if away.Q.seats.known[2].seat != newest {
		t.Errorf("a seed believes that the first of two lives has the seat: since %d", away.Q.seats.known[2].since)
	}
}

func TestOldProofOfASeatToAPeer(t *testing.T) {
	w, old := twiceWiped(t, 52)
	w.Start(w.Machines[1])
	w.Must(20*time.Second, "all agree", w.agree)
	newest := w.Machines[2].Q.seat()
	w.Run(5 * time.Second) // all is synced
	for _, m := range w.Machines {
		w.Crash(m)
		w.Start(m)
	}
	w.Must(20*time.Second, "all agree", w.agree)
	w.truncate(w.Machines[0].Q.Epoch() - 1)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.follows)
	w.Run(5 * time.Second) // it has met all
	r := *old.Given
	r.Epoch = 1 << 40
	f.Step(func() { f.Receive(w.Now, from(stranger, &core.Rulings{Items: []*hearsay.Ruling{&r}})) })
	if f.Seats(nil)[2] != newest {
		t.Error("a peer believes that the first of two lives has the seat")
	}
}
