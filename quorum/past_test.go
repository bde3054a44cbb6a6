package quorum

import (
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
)

// forgotten gives the nodes that a follower has forgotten.
func (f *following) forgotten() (ids []hearsay.NodeID) {
	for i := range f.told {
		if f.told[i].Kind == hearsay.EventMemberForgotten {
			ids = append(ids, f.told[i].Subject)
		}
	}
	return ids
}

// Who took over a roster whole finds out who was in before, once somebody is
// spoken of who stays unknown: by rulings that prove themselves.
func TestPastIsFetched(t *testing.T) {
	w := followed(t, 51, 3)
	departed := w.people[0]
	departed.up = false
	w.must(20*time.Second, "it is out", func() bool { return !w.in(departed) && w.agree() })
	w.newPerson()
	w.must(5*time.Second, "one more is in", func() bool { return w.machines[0].q.Epoch() == 5 && w.agree() })
	var ledger []*hearsay.Ruling
	for _, l := range w.machines[0].q.chain.Links {
		ledger = append(ledger, l.Ruling)
	}
	w.truncate(4)
	w.unread = true // nobody gives the past but this test
	f := w.newFollower()
	w.must(5*time.Second, "it follows", w.follows)
	if f.past.before != 5 {
		t.Fatalf("it knows the rulings from %d on, and took the roster over at 5", f.past.before)
	}

	f.Departed(w.people[3].id()) // as before it is admitted
	w.run(3 * strangerFor)
	if !f.past.askAt.IsZero() || !f.past.stranger.IsZero() {
		t.Error("it asks because of a member")
	}
	if f.Departed(departed.id()) {
		t.Error("it knows who was removed already")
	}
	w.run(strangerFor + time.Second)

	forged := *ledger[3]
	forged.Stay.ID[0]++
	for _, items := range [][]*hearsay.Ruling{{&forged}, {ledger[2], &forged}, ledger[:3]} {
		f.step(func() { f.Receive(w.now, from(seedAddr(0), &hearsay.Rulings{Items: items})) })
	}
	f.step(func() { f.Receive(w.now, from(stranger, &hearsay.Rulings{Items: ledger[:4]})) })
	if f.Departed(departed.id()) || f.Departed(forged.Stay.ID) || f.drops[hearsay.DropUnproven] != 2 {
		t.Errorf("it believes what is not proven, or no seed gave; %d are dropped", f.drops[hearsay.DropUnproven])
	}
	f.step(func() { f.Receive(w.now, from(seedAddr(0), &hearsay.Rulings{Items: ledger[:4]})) })
	if !f.Departed(departed.id()) || f.past.before != 0 {
		t.Fatalf("it does not know who was removed, or wants more from before epoch %d", f.past.before)
	}

	if len(f.forgotten()) > 0 {
		t.Error("forgotten too soon")
	}
	w.now = w.now.Add(departedFor)
	f.step(func() { f.Tick(w.now) })
	if n := len(f.forgotten()); n != 1 || f.Departed(departed.id()) {
		t.Errorf("%d are forgotten after a day, want 1", n)
	}
}

// Who is back in the roster is forgotten by that, and not by the past.
func TestPastLetsGoOfMembers(t *testing.T) {
	w := followed(t, 52, 3)
	departed := w.people[0]
	departed.up = false
	w.must(20*time.Second, "it is out", func() bool { return !w.in(departed) && w.agree() })
	w.truncate(3) // the removal is the ruling of the roster
	f := w.newFollower()
	w.must(5*time.Second, "it follows", w.follows)
	if !f.Departed(departed.id()) {
		t.Fatal("it does not know who was removed")
	}
	departed.up = true
	w.must(10*time.Second, "it is in again", func() bool { return w.in(departed) && w.follows() })
	if f.Departed(departed.id()) {
		t.Error("it is in, and was in")
	}
}

// A roster may be proven only by what comes after it, and then the ruling that ends a
// stay is applied in the same step: the node, which lists nobody yet, knows all the
// same that there was such a member.
func TestRemovalRightAfterARosterIsKnown(t *testing.T) {
	w := followed(t, 53, 3)
	departed, seed := w.people[0], w.machines[0].q
	parts := rosterParts(w.random, seed.chain.Entry(3).Ruling, nil, seed.state.Members.All(nil))
	departed.up = false
	w.must(20*time.Second, "it is out", func() bool { return !w.in(departed) && w.agree() })
	w.truncate(3)
	f := w.newFollower()
	f.step(func() { f.Receive(w.now, from(f.asked, parts[0])) })
	w.must(5*time.Second, "it follows", w.follows)
	if e := f.told[0]; e.Kind != hearsay.EventRosterProven || e.Epoch != 3 {
		t.Fatalf("it took over no roster of epoch 3: %v", e)
	}
	if !f.Departed(departed.id()) {
		t.Error("it does not know who was removed right after the roster")
	}
}

// What the seeds had ruled when a node was started again is told as that, by how far the ledger goes and by
// no clock; and what they rule after that is not.
func TestRulingsBeforeTheStart(t *testing.T) {
	w := followed(t, 31, 4)
	f := w.newFollower()
	w.must(5*time.Second, "it follows", w.follows)
	before := make(map[hearsay.Epoch]bool) // as the seed tells
	w.teller = func(m *machine, e hearsay.Event) {
		if m == w.machines[2] && e.Kind == hearsay.EventRuled {
			before[e.Epoch] = e.Before
		}
	}
	f.deaf = true
	w.crash(w.machines[2])
	w.people[2].up = false
	w.must(40*time.Second, "one is removed", func() bool { return w.machines[0].q.Epoch() == 5 })
	f.deaf = false
	f.start()
	w.start(w.machines[2])
	w.must(20*time.Second, "they follow", func() bool { return w.agree() && w.follows() })
	w.people[3].up = false
	w.must(40*time.Second, "another is removed", func() bool { return w.machines[0].q.Epoch() == 6 && w.agree() && w.follows() })
	told := make(map[hearsay.Epoch]bool)
	for _, e := range f.told {
		if e.Kind == hearsay.EventRuled {
			told[e.Epoch] = e.Before
		}
	}
	for what, got := range map[string]map[hearsay.Epoch]bool{"peer": told, "seed": before} {
		if later, is := got[6]; !got[5] || !is || later {
			t.Errorf("a %s tells of these epochs, and that they were before its start: %v; want 5: true, 6: false", what, got)
		}
	}
}

// One seat that says of the log what is not so cannot have later rulings told as old.
func TestOneSeatMakesNoRulingOld(t *testing.T) {
	w := followed(t, 31, 4)
	before := make(map[hearsay.Epoch]bool)
	w.teller = func(m *machine, e hearsay.Event) {
		if m == w.machines[2] && e.Kind == hearsay.EventRuled {
			before[e.Epoch] = e.Before
		}
	}
	w.crash(w.machines[2])
	w.start(w.machines[2])
	liar, m := w.machines[0], w.machines[2]
	w.step(m, func() {
		f := &hearsay.Raft{
			Slot: 0, From: liar.q.replica.id, To: m.q.replica.id, Type: uint8(raftpb.MsgApp), Term: liar.q.replica.log.hard.GetTerm(),
			Index: m.q.replica.log.last(), Commit: 1 << 40, Founding: liar.q.founding,
		}
		f.LogTerm, _ = m.q.replica.log.Term(f.Index)
		f.Sign(liar.q.cfg.Network, liar.q.plain)
		m.q.Receive(w.now, &hearsay.Packet{Addr: seedAddr(0), Stream: true, Body: f})
	})
	w.must(20*time.Second, "they follow", w.agree)
	w.run(catchesUpMost)
	w.people[3].up = false
	told := func() bool { _, is := before[5]; return is }
	w.must(40*time.Second, "one is removed, and the seed tells of it", told)
	if before[5] {
		t.Error("what was ruled after its start is told as old")
	}
}
