package quorum

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay/testkit"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
	"hearsay/ledger"
)

// A seed whose directory is an older copy of itself stops, and says what is
// wrong and what would be right: whether it is told by the leader who counts on
// it, or by anybody who has its signature. With an empty directory it is back.
func TestOldCopy(t *testing.T) {
	for name, want := range map[string]string{
		"told by the leader":         "it has told that it has entry ",
		"told of what it has signed": "it has signed epoch 5, and the ledger here ends with 1",
	} {
		w := newWorld(t, 3, 8)
		w.startAll()
		w.newPerson()
		w.must(10*time.Second, "one is in", func() bool { return w.agree() && w.machines[0].q.Epoch() == 1 })
		w.run(time.Second) // that is on disk everywhere
		m := w.machines[1]
		copied := maps.Clone(m.disk.durable)
		for range 4 {
			w.newPerson()
		}
		w.must(10*time.Second, "four more are in", func() bool { return w.agree() && w.machines[0].q.Epoch() == 5 })
		w.run(time.Second)
		w.crash(m)
		m.disk.durable = copied
		w.epochs[1] = 0
		w.must(10*time.Second, "another leads", w.machines[0].q.Ready)
		if slot, _ := w.machines[0].q.Leader(); name == "told by the leader" {
			w.cut = func(from, to int) bool { return from == 1 && to != slot } // it asks nobody else
			w.stepped = func(_ *machine, out *hearsay.Effects) {               // and is not shown its head first
				out.Send = slices.DeleteFunc(out.Send, func(p hearsay.Packet) bool { _, heads := p.Body.(*hearsay.Rulings); return heads })
			}
		} else {
			w.crash(w.machines[slot])
		}
		w.start(m)
		if w.runUntil(900*time.Millisecond, func() bool { return m.q.Doomed() != "" }); !strings.Contains(m.q.Doomed(), want) ||
			!strings.Contains(m.q.Doomed(), "start this seed with an empty one") || m.q.Ready() {
			t.Errorf("%s: it says %q", name, m.q.Doomed())
		}
		w.cut, w.stepped = nil, nil
		w.run(time.Minute) // as if nobody had stopped it
		if m.q.Epoch() != 1 {
			t.Errorf("%s: it takes part", name)
		}
		for _, other := range w.machines {
			if other.q == nil {
				w.start(other)
			}
		}
		w.wipe(m)
		w.start(m)
		w.must(20*time.Second, "with an empty directory it has its seat", w.agree)
	}
}

// A leader whose follower acknowledges more of the log than is here drops that, and
// answers it with nothing of the log.
func TestLeaderDropsAcknowledgementOfMore(t *testing.T) {
	w := followed(t, 73, 3)
	w.run(time.Second)
	slot, _ := w.machines[0].q.Leader()
	m, other := w.machines[slot], w.machines[(slot+1)%3]
	ack := hearsay.Raft{
		Slot: uint8(other.slot), Type: uint8(raftpb.MsgAppResp), To: m.q.replica.id, From: other.q.replica.id,
		Term: m.q.replica.node.BasicStatus().GetTerm(), Index: m.q.replica.log.last() + 5, Founding: m.q.founding,
	}
	ack.Sign(testNetwork, other.signer)
	sent, told := 0, 0
	for range 100 {
		m.q.Receive(w.now, from(seedAddr(other.slot), &ack))
		for _, p := range m.out.Send {
			if _, is := p.Body.(*hearsay.Raft); is && p.Addr == seedAddr(other.slot) {
				sent++
			}
		}
		told += len(m.out.Events)
		*m.out = hearsay.Effects{}
	}
	if m.q.Doomed() != "" || sent > 0 || told != 1 || m.q.Fork() == nil {
		t.Errorf("it answers with %d messages of the log, tells it %d times, knows %+v, and says %q", sent, told, m.q.Fork(), m.q.Doomed())
	}
}

// What others show a seed as its own message of the log stops it only if it has
// signed that, and has less.
func TestOwnMessageStopsOnlyItsSeed(t *testing.T) {
	w := followed(t, 74, 3)
	w.run(time.Second)
	m, other := w.machines[0], w.machines[1]
	for name, of := range map[string]struct {
		signer *testkit.Signer
		more   uint64
		stops  bool
	}{
		"of the seed, of what it has":   {m.signer, 0, false},
		"of another, of what it lacks":  {other.signer, 1, false},
		"of the seed, of what it lacks": {m.signer, 1, true},
	} {
		for _, kind := range []raftpb.MessageType{raftpb.MsgAppResp, raftpb.MsgHeartbeat} {
			at := m.q.replica.log.last() + of.more
			f := hearsay.Raft{
				Slot: 0, Type: uint8(kind), To: other.q.replica.id, From: m.q.replica.id, Term: m.q.replica.node.BasicStatus().GetTerm(),
				Index: at, Commit: at, Founding: m.q.founding,
			}
			f.Sign(testNetwork, of.signer)
			m.q.Receive(w.now, from(stranger, &f))
			if why := m.q.Doomed(); (why != "") != of.stops {
				t.Errorf("a %v %s: it says %q", kind, name, why)
			}
			m.q.doomed = ""
		}
	}
}

// A leader that sends one seed other entries than the other has it decide nothing: it stops as
// soon as it knows, and rules nothing else.
func TestLeaderOfTwoLogs(t *testing.T) {
	w := followed(t, 3, 4)
	var liar *machine
	for _, m := range w.machines {
		if slot, ok := m.q.Leader(); ok && slot == m.slot {
			liar = m
		}
	}
	victim, other := w.machines[(liar.slot+1)%3], w.machines[(liar.slot+2)%3]
	w.stepped = func(m *machine, out *hearsay.Effects) {
		for i := range out.Send {
			f, is := out.Send[i].Body.(*hearsay.Raft)
			if !is || m != liar || f.To != victim.q.replica.id || len(f.Entries) == 0 {
				continue
			}
			for j := range f.Entries {
				if f.Entries[j].Type == 0 {
					f.Entries[j].Data = ledger.AppendEntry(nil, nil)
				}
			}
			f.Sign(testNetwork, m.signer)
		}
	}
	w.newPerson()
	w.must(5*time.Second, "it stops", func() bool { return victim.q.Doomed() != "" })
	if why := victim.q.Doomed(); !strings.Contains(why, "has sent this one other entries than the others") || victim.q.Epoch() != 4 {
		t.Errorf("at epoch %d: %s", victim.q.Epoch(), why)
	}
	w.stepped = nil
	w.newPerson()
	w.must(10*time.Second, "the others go on", func() bool { return other.q.Epoch() == 6 && liar.q.Epoch() == 6 })
	if victim.q.Epoch() != 4 {
		t.Errorf("it has ruled epoch %d", victim.q.Epoch())
	}
}

// A stranger that names itself as the leader gets no message of the log, and nobody gets
// one by which the leader leads now: sent again, they kept a dead leader in its place.
func TestOwnMessageIsShownToItsSeedOnly(t *testing.T) {
	w := followed(t, 83, 1)
	w.run(time.Second)
	slot, _ := w.machines[0].q.Leader()
	leader, term := w.machines[slot], w.machines[slot].q.replica.node.BasicStatus().GetTerm()
	shown := func(m *machine) (kinds []raftpb.MessageType) {
		p := from(stranger, &hearsay.LedgerReq{After: 1})
		p.From = leader.signer.Public().NodeID() // it says
		m.q.Receive(w.now, p)
		for _, sent := range m.out.Send {
			if f, is := sent.Body.(*hearsay.Raft); is {
				if kinds = append(kinds, raftpb.MessageType(f.Type)); sent.Addr != seedAddr(slot) {
					t.Errorf("slot %d shows %v a %v of the leader", m.slot, sent.Addr, raftpb.MessageType(f.Type))
				}
			}
		}
		*m.out = hearsay.Effects{}
		return kinds
	}
	var others []*machine
	for _, m := range w.machines {
		if m == leader {
			continue
		}
		others = append(others, m)
		if told := m.q.replica.told[slot]; told == nil || told.Type != uint8(raftpb.MsgHeartbeat) || told.Term != term {
			t.Fatalf("slot %d remembers %+v of the leader", m.slot, told)
		}
		if kinds := shown(m); len(kinds) > 0 {
			t.Errorf("slot %d shows %v while that term lasts", m.slot, kinds)
		}
	}
	w.crash(leader)
	w.must(10*time.Second, "another leads", func() bool { return others[0].q.Ready() && others[0].q.replica.node.BasicStatus().GetTerm() > term })
	w.run(time.Second)
	for _, m := range others {
		if kinds := shown(m); len(kinds) != 1 || kinds[0] != raftpb.MsgHeartbeat {
			t.Errorf("slot %d shows %v when that term is over", m.slot, kinds)
		}
	}
}

// A message of a term that is over says nothing of who is there: anybody may send it again.
func TestOldMessageIsNotHeard(t *testing.T) {
	w := followed(t, 84, 1)
	w.run(time.Second)
	slot, _ := w.machines[0].q.Leader()
	m, other := w.machines[(slot+1)%3], w.machines[(slot+2)%3]
	old := hearsay.Raft{Type: uint8(raftpb.MsgAppResp), Term: m.q.replica.node.BasicStatus().GetTerm(), Index: m.q.replica.log.last()}
	w.crash(w.machines[slot])
	w.must(10*time.Second, "another leads", func() bool { return m.q.Ready() && m.q.replica.node.BasicStatus().GetTerm() > old.Term })
	w.crash(other)
	w.run(time.Second)
	for term, heard := range map[uint64]bool{old.Term: false, m.q.replica.node.BasicStatus().GetTerm(): true} {
		before := m.q.heardAt[other.slot]
		f := old
		f.Slot, f.To, f.From, f.Founding, f.Term = uint8(other.slot), m.q.replica.id, m.q.seats.known[other.slot].id, m.q.founding, term
		f.Sign(testNetwork, other.signer)
		m.q.Receive(w.now, from(stranger, &f))
		if got := m.q.heardAt[other.slot].After(before); got != heard {
			t.Errorf("one of term %d counts: %v", term, got)
		}
		m.q.heardAt[other.slot] = before
	}
}
