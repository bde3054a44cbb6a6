package quorum

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// refounded is a network that was founded, had one member, and was founded anew
// with empty disks: the seeds have the same keys, and the member is in again with
// the same stay. It gives what was signed in the first founding.
func refounded(t *testing.T, seed uint64) (w *world, p *person, leave hearsay.Leave, heads []hearsay.Head) {
	w = newWorld(t, 3, seed)
	w.startAll()
	w.must(10*time.Second, "founded", w.agree)
	p = w.newPerson()
	w.must(10*time.Second, "in", func() bool { return w.in(p) && w.agree() })
	first, _ := w.machines[0].q.Member(p.id())
	leave = signedLeave(w, first.Stay, p)
	heads = w.machines[0].q.Heads()
	w.refoundAgain()
	w.must(10*time.Second, "founded anew", func() bool { return w.in(p) && w.agree() })
	if again, _ := w.machines[0].q.Member(p.id()); again.Stay != first.Stay {
		t.Fatalf("the stay is %v, and was %v: the test shows nothing", again.Stay, first.Stay)
	}
	return w, p, leave, heads
}

// What a member has signed in one founding does not end its stay in another.
func TestLeaveOfAnotherFounding(t *testing.T) {
	w, p, leave, _ := refounded(t, 71)
	if leave.Stay.Epoch == 0 {
		t.Fatal("no stay")
	}
	for _, m := range w.machines {
		w.step(m, func() {
			if a := m.q.Leave(w.now, &leave); a.Code != AnswerRefused {
				t.Errorf("seed %d takes a leave of an earlier founding: %+v", m.slot, a)
			}
			// A seed that lies has it put into the log.
			m.q.propose(w.now, ledger.Command{Op: ledger.OpLeave, Leave: leave})
		})
	}
	w.run(2 * time.Second)
	if !w.in(p) {
		t.Error("the stay is over")
	}
	if drops := w.machines[0].drops[hearsay.DropBadSignature]; drops == 0 {
		t.Error("nothing is counted")
	}
	member, _ := w.machines[0].q.Member(p.id())
	now := signedLeave(w, member.Stay, p)
	w.step(w.machines[0], func() { w.machines[0].q.Leave(w.now, &now) })
	p.up = false
	w.must(5*time.Second, "its own leave ends it", func() bool { return !w.in(p) })
}

// Heads of another founding, signed by the same keys, are taken by nobody: not by
// seeds, and not by a peer, new or old.
func TestHeadsOfAnotherFounding(t *testing.T) {
	w, _, _, heads := refounded(t, 72)
	old := slices.Clone(heads)
	f := w.newFollower()
	w.must(5*time.Second, "it follows", w.follows)
	w.newPerson()
	w.must(5*time.Second, "it follows", w.follows)
	for i := range old {
		old[i].Epoch += 100 // as of a founding that had come further
		old[i].Sign(testNetwork, w.machines[old[i].Slot].signer)
	}
	before := w.machines[1].q.Heads()
	w.step(w.machines[1], func() { w.machines[1].q.Receive(w.now, from(stranger, &hearsay.Rulings{Heads: old})) })
	if after := w.machines[1].q.Heads(); !slices.Equal(before, after) {
		t.Errorf("a seed has taken heads of another founding: %v", after)
	}
	f.step(func() { f.Receive(w.now, &hearsay.Packet{Body: &hearsay.Rulings{Heads: old}}) })
	if promised := f.chain.Promised(); promised != f.Epoch() {
		t.Errorf("a peer waits for epoch %d of another founding, and is at %d", promised, f.Epoch())
	}
}

func signedLeave(w *world, stay hearsay.Stay, p *person) hearsay.Leave {
	l := hearsay.Leave{Stay: stay}
	l.Sign(w.ledger(), p.key)
	return l
}

// refoundAgain wipes the seeds' disks, and starts them again with the same keys.
func (w *world) refoundAgain() {
	for _, m := range w.machines {
		w.crash(m)
		m.disk = disk{}
	}
	clear(w.epochs)
	clear(w.rulings)
	clear(w.hashes)
	clear(w.over)
	w.startAll()
}

// A peer whose seeds were founded anew says so, and does not go on with another
// ledger as if it were the same; started again it follows the new one.
func TestPeerOfAnEarlierFounding(t *testing.T) {
	w := followed(t, 73, 3)
	f := w.newFollower()
	w.must(5*time.Second, "it follows", w.follows)
	before, epoch := f.Ledger(), f.Epoch()
	w.refoundAgain()
	w.must(20*time.Second, "founded anew, with more rulings", func() bool { return w.agree() && w.machines[0].q.Epoch() >= 3 })
	w.run(time.Minute)
	if f.Ledger() != before || f.Epoch() != epoch {
		t.Errorf("it has gone over to epoch %d of %v by itself", f.Epoch(), f.Ledger())
	}
	for slot := range w.machines {
		if note := f.Note(slot); note != "is of another founding" || f.Met(slot) {
			t.Errorf("of seed %d, which is met: %t, it says %q", slot, f.Met(slot), note)
		}
	}
	if !f.Apart() || !strings.Contains(f.Why(), "another founding") {
		t.Errorf("it is in by a ledger that has ended, and says that: %t, %q", f.Apart(), f.Why())
	}
	for _, m := range w.machines {
		w.crash(m)
	}
	w.run(followerDoubtsFor + time.Minute)
	if !f.Apart() {
		t.Error("it has forgotten that, as the seeds are gone")
	}
	w.startAll()
	f.start()
	w.must(10*time.Second, "it follows the new ledger", w.follows)
	if f.Ledger() != w.ledger() {
		t.Error("it signs for another ledger than the seeds")
	}
	for slot := range w.machines {
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
	w.must(5*time.Second, "it follows", w.follows)
	for _, m := range w.machines[1:] {
		w.wipe(m)
		w.start(m)
	}
	w.run(time.Minute)
	if f.Apart() || !f.Met(0) || f.Met(1) || f.Met(2) {
		t.Errorf("apart: %t; it has met %t, %t and %t; %s", f.Apart(), f.Met(0), f.Met(1), f.Met(2), f.Why())
	}
	if f.Note(1) != "has another key than was met" {
		t.Errorf("of a seed that is another it says %q", f.Note(1))
	}
}
