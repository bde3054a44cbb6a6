package follower

import (
	"strings"
	"testing"
	"time"

	"hearsay/internal/core"
)

// A peer whose seeds were founded anew says so, and does not go on with another
// ledger as if it were the same; started again it follows the new one.
func TestPeerOfAnEarlierFounding(t *testing.T) {
	w := followed(t, 73, 3)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	before, epoch := f.Ledger(), f.Epoch()
	w.Refound()
	w.Must(20*time.Second, "founded anew, with more rulings", func() bool { return w.Agree() && w.Machines[0].Q.Epoch() >= 3 })
	w.Run(time.Minute)
	if f.Ledger() != before || f.Epoch() != epoch {
		t.Errorf("it has gone over to epoch %d of %v by itself", f.Epoch(), f.Ledger())
	}
	for slot := range w.Machines {
		if note := f.Note(slot); note != "is of another founding" || f.Met(slot) {
			t.Errorf("of seed %d, which is met: %t, it says %q", slot, f.Met(slot), note)
		}
	}
	if !f.Apart() || !strings.Contains(f.Why(), "another founding") {
		t.Errorf("it is in by a ledger that has ended, and says that: %t, %q", f.Apart(), f.Why())
	}
	for _, m := range w.Machines {
		w.Crash(m)
	}
	w.Run(mismatchesFor + time.Minute)
	if !f.Apart() {
		t.Error("it has forgotten that, as the seeds are gone")
	}
	w.StartAll()
	f.Start()
	w.Must(10*time.Second, "it follows the new ledger", w.Follow)
	if f.Ledger() != w.Ledger() {
		t.Error("it signs for another ledger than the seeds")
	}
	for slot := range w.Machines {
		if note := f.Note(slot); note != "" || !f.Met(slot) {
			t.Errorf("of seed %d, which is met: %t, it says %q still", slot, f.Met(slot), note)
		}
	}
	if f.Apart() || f.Why() != "" {
		t.Errorf("it is in by a ledger that has ended still: %q", f.Why())
	}
}

// A quorum of the seeds has lost its disks: nobody decides, and the ledger that a peer is in by
// is the only one there is.
func TestPeerWhoseSeedsLostTheirDisks(t *testing.T) {
	w := followed(t, 74, 3)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	for _, m := range w.Machines[1:] {
		w.Wipe(m)
		w.Start(m)
	}
	w.Run(time.Minute)
	if f.Apart() || !f.Met(0) || f.Met(1) || f.Met(2) {
		t.Errorf("apart: %t; it has met %t, %t and %t; %s", f.Apart(), f.Met(0), f.Met(1), f.Met(2), f.Why())
	}
	if f.Note(1) != "has another key than was met" {
		t.Errorf("of a seed that is another it says %q", f.Note(1))
	}
}

// Heads of another founding, signed by the same keys, are not taken.
func TestHeadsOfAnotherFounding(t *testing.T) {
	w := followed(t, 72, 1)
	old := w.Machines[0].Q.Heads()
	w.Refound()
	w.Must(10*time.Second, "founded anew", func() bool { return w.Agree() && w.Machines[0].Q.Epoch() > 0 })
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.Follow)
	w.NewPerson()
	w.Must(5*time.Second, "it follows", w.Follow)
	for i := range old {
		old[i].Epoch += 100 // as of a founding that had come further
		old[i].Sign(testNetwork, w.Machines[old[i].Slot].Signer)
	}
	f.Step(func() { f.Receive(w.Now, &core.Packet{Body: &core.Rulings{Heads: old}}) })
	if promised := f.chain.Promised(); promised != f.Epoch() {
		t.Errorf("a peer waits for epoch %d of another founding, and is at %d", promised, f.Epoch())
	}
}
