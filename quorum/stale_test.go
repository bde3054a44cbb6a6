package quorum

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/testkit"

	"go.etcd.io/raft/v3/raftpb"
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
		w.StartAll()
		w.NewPerson()
		w.Must(10*time.Second, "one is in", func() bool { return w.agree() && w.Machines[0].Q.Epoch() == 1 })
		w.Run(time.Second) // that is on disk everywhere
		m := w.Machines[1]
		copied := maps.Clone(m.Disk.Durable)
		for range 4 {
			w.NewPerson()
		}
		w.Must(10*time.Second, "four more are in", func() bool { return w.agree() && w.Machines[0].Q.Epoch() == 5 })
		w.Run(time.Second)
		w.Crash(m)
		m.Disk.Durable = copied
		w.Epochs[1] = 0
		w.Must(10*time.Second, "another leads", w.Machines[0].Q.Ready)
		if slot, _ := w.Machines[0].Q.Leader(); name == "told by the leader" {
			w.Cut = func(from, to int) bool { return from == 1 && to != slot } // it asks nobody else
			w.Stepped = func(_ *machine, out *core.Effects) {                  // and is not shown its head first
				out.Send = slices.DeleteFunc(out.Send, func(p core.Packet) bool { _, heads := p.Body.(*core.Rulings); return heads })
			}
		} else {
			w.Crash(w.Machines[slot])
		}
		w.Start(m)
		if w.RunUntil(900*time.Millisecond, func() bool { return m.Q.MustStop() != "" }); !strings.Contains(m.Q.MustStop(), want) ||
			!strings.Contains(m.Q.MustStop(), "it is a copy from before") || !strings.Contains(m.Q.MustStop(), "start this seed with an empty one") || m.Q.Ready() {
			t.Errorf("%s: it says %q", name, m.Q.MustStop())
		}
		w.Cut, w.Stepped = nil, nil
		w.Run(time.Minute) // as if nobody had stopped it
		if m.Q.Epoch() != 1 {
			t.Errorf("%s: it takes part", name)
		}
		for _, other := range w.Machines {
			if other.Q == nil {
				w.Start(other)
			}
		}
		w.Wipe(m)
		w.Start(m)
		w.Must(20*time.Second, "with an empty directory it has its seat", w.agree)
	}
}

// A seed that had caught up with all that was decided before its start, and is shown what its key has signed beyond
// that, is no older copy: another process uses its key, and the seed says so, and which key it is.
func TestKeyThatIsUsedElsewhere(t *testing.T) {
	w := newWorld(t, 3, 9)
	w.StartAll()
	w.NewPerson()
	w.Must(10*time.Second, "one is in", func() bool { return w.agree() && w.Machines[0].Q.Epoch() == 1 })
	w.Run(time.Second)
	m := w.Machines[1]
	w.Crash(m)
	w.Start(m)
	w.NewPerson()
	w.Must(20*time.Second, "one more is in", func() bool { return w.agree() && m.Q.Epoch() == 2 })
	w.Run(time.Second)
	h := hearsay.Head{Founding: w.Ledger().Founding, Epoch: 3, Hash: hearsay.Hash{7}, Slot: 1}
	h.Sign(testNetwork, m.Signer)
	w.Step(m, func() { m.Q.Receive(w.Now, from(stranger, &core.Rulings{Heads: []hearsay.Head{h}})) })
	why := m.Q.MustStop()
	for _, want := range []string{"another process uses the key of this seed", fmt.Sprintf("%x", m.Signer.Public()), "it has signed epoch 3", "end that process"} {
		if !strings.Contains(why, want) {
			t.Errorf("it says %q; want %q", why, want)
		}
	}
	if strings.Contains(why, "copy from before") {
		t.Errorf("it says of a sound one %q", why)
	}
}

// A leader whose follower acknowledges more of the log than is here drops that, and
// answers it with nothing of the log.
func TestLeaderDropsAcknowledgementOfMore(t *testing.T) {
	w := followed(t, 73, 3)
	w.Run(time.Second)
	slot, _ := w.Machines[0].Q.Leader()
	m, other := w.Machines[slot], w.Machines[(slot+1)%3]
	ack := core.Raft{
		Versions: ledger.Versions(), Slot: uint8(other.Slot), Type: uint8(raftpb.MsgAppResp), To: m.Q.replica.id, From: other.Q.replica.id,
		Term: m.Q.replica.node.BasicStatus().GetTerm(), Index: m.Q.replica.log.last() + 5, Founding: m.Q.founding,
	}
	ack.Sign(testNetwork, other.Signer)
	sent, told := 0, 0
	for range 100 {
		m.Q.Receive(w.Now, from(seedAddr(other.Slot), &ack))
		for _, p := range m.Out.Send {
			if _, is := p.Body.(*core.Raft); is && p.Addr == seedAddr(other.Slot) {
				sent++
			}
		}
		told += len(m.Out.Events)
		*m.Out = core.Effects{}
	}
	if m.Q.MustStop() != "" || sent > 0 || told != 1 || m.Q.Fork() == nil {
		t.Errorf("it answers with %d messages of the log, tells it %d times, knows %+v, and says %q", sent, told, m.Q.Fork(), m.Q.MustStop())
	}
}

// What others show a seed as its own message of the log stops it only if it has
// signed that, and has less.
func TestOwnMessageStopsOnlyItsSeed(t *testing.T) {
	w := followed(t, 74, 3)
	w.Run(time.Second)
	m, other := w.Machines[0], w.Machines[1]
	for name, of := range map[string]struct {
		signer *testkit.Signer
		more   uint64
		stops  bool
	}{
		"of the seed, of what it has":   {m.Signer, 0, false},
		"of another, of what it lacks":  {other.Signer, 1, false},
		"of the seed, of what it lacks": {m.Signer, 1, true},
	} {
		for _, kind := range []raftpb.MessageType{raftpb.MsgAppResp, raftpb.MsgHeartbeat} {
			at := m.Q.replica.log.last() + of.more
			f := core.Raft{
				Versions: ledger.Versions(), Slot: 0, Type: uint8(kind), To: other.Q.replica.id, From: m.Q.replica.id, Term: m.Q.replica.node.BasicStatus().GetTerm(),
				Index: at, Commit: at, Founding: m.Q.founding,
			}
			f.Sign(testNetwork, of.signer)
			m.Q.Receive(w.Now, from(stranger, &f))
			if why := m.Q.MustStop(); (why != "") != of.stops {
				t.Errorf("a %v %s: it says %q", kind, name, why)
			}
			m.Q.mustStop = ""
		}
	}
}

// A leader that sends one seed other entries than the other has it decide nothing: it stops as
// soon as it knows, and rules nothing else.
func TestLeaderOfTwoLogs(t *testing.T) {
	w := followed(t, 3, 4)
	var liar *machine
	for _, m := range w.Machines {
		if slot, ok := m.Q.Leader(); ok && slot == m.Slot {
			liar = m
		}
	}
	victim, other := w.Machines[(liar.Slot+1)%3], w.Machines[(liar.Slot+2)%3]
	w.Stepped = func(m *machine, out *core.Effects) {
		for i := range out.Send {
			f, is := out.Send[i].Body.(*core.Raft)
			if !is || m != liar || f.To != victim.Q.replica.id || len(f.Entries) == 0 {
				continue
			}
			for j := range f.Entries {
				if f.Entries[j].Type == 0 {
					f.Entries[j].Data = ledger.AppendEntry(nil, nil)
				}
			}
			f.Sign(testNetwork, m.Signer)
		}
	}
	w.NewPerson()
	w.Must(5*time.Second, "it stops", func() bool { return victim.Q.MustStop() != "" })
	if why := victim.Q.MustStop(); !strings.Contains(why, "has sent this one other entries than the others") || victim.Q.Epoch() != 4 {
		t.Errorf("at epoch %d: %s", victim.Q.Epoch(), why)
	}
	w.Stepped = nil
	w.NewPerson()
	w.Must(10*time.Second, "the others go on", func() bool { return other.Q.Epoch() == 6 && liar.Q.Epoch() == 6 })
	if victim.Q.Epoch() != 4 {
		t.Errorf("it has ruled epoch %d", victim.Q.Epoch())
	}
}

// A stranger that names itself as the leader gets no message of the log, and nobody gets
// one by which the leader leads now: sent again, they kept a dead leader in its place.
func TestOwnMessageIsShownToItsSeedOnly(t *testing.T) {
	w := followed(t, 83, 1)
	w.Run(time.Second)
	slot, _ := w.Machines[0].Q.Leader()
	leader, term := w.Machines[slot], w.Machines[slot].Q.replica.node.BasicStatus().GetTerm()
	shown := func(m *machine) (kinds []raftpb.MessageType) {
		p := from(stranger, &core.LedgerReq{After: 1})
		p.From = leader.Signer.Public().NodeID() // it says
		m.Q.Receive(w.Now, p)
		for _, sent := range m.Out.Send {
			if f, is := sent.Body.(*core.Raft); is {
				if kinds = append(kinds, raftpb.MessageType(f.Type)); sent.Addr != seedAddr(slot) {
					t.Errorf("slot %d shows %v a %v of the leader", m.Slot, sent.Addr, raftpb.MessageType(f.Type))
				}
			}
		}
		*m.Out = core.Effects{}
		return kinds
	}
	var others []*machine
	for _, m := range w.Machines {
		if m == leader {
			continue
		}
		others = append(others, m)
		if told := m.Q.replica.told[slot]; told == nil || told.Type != uint8(raftpb.MsgHeartbeat) || told.Term != term {
			t.Fatalf("slot %d remembers %+v of the leader", m.Slot, told)
		}
		if kinds := shown(m); len(kinds) > 0 {
			t.Errorf("slot %d shows %v while that term lasts", m.Slot, kinds)
		}
	}
	w.Crash(leader)
	w.Must(10*time.Second, "another leads", func() bool { return others[0].Q.Ready() && others[0].Q.replica.node.BasicStatus().GetTerm() > term })
	w.Run(time.Second)
	for _, m := range others {
		if kinds := shown(m); len(kinds) != 1 || kinds[0] != raftpb.MsgHeartbeat {
			t.Errorf("slot %d shows %v when that term is over", m.Slot, kinds)
		}
	}
}

// A message of a term that is over says nothing of who is there: anybody may send it again.
func TestOldMessageIsNotHeard(t *testing.T) {
	w := followed(t, 84, 1)
	w.Run(time.Second)
	slot, _ := w.Machines[0].Q.Leader()
	m, other := w.Machines[(slot+1)%3], w.Machines[(slot+2)%3]
	old := core.Raft{Type: uint8(raftpb.MsgAppResp), Term: m.Q.replica.node.BasicStatus().GetTerm(), Index: m.Q.replica.log.last()}
	w.Crash(w.Machines[slot])
	w.Must(10*time.Second, "another leads", func() bool { return m.Q.Ready() && m.Q.replica.node.BasicStatus().GetTerm() > old.Term })
	w.Crash(other)
	w.Run(time.Second)
	for term, heard := range map[uint64]bool{old.Term: false, m.Q.replica.node.BasicStatus().GetTerm(): true} {
		before := m.Q.hearing.heardAt[other.Slot]
		f := old
		f.Versions = ledger.Versions()
		f.Slot, f.To, f.From, f.Founding, f.Term = uint8(other.Slot), m.Q.replica.id, m.Q.seats.known[other.Slot].id, m.Q.founding, term
		f.Sign(testNetwork, other.Signer)
		m.Q.Receive(w.Now, from(stranger, &f))
		if got := m.Q.hearing.heardAt[other.Slot].After(before); got != heard {
			t.Errorf("one of term %d counts: %v", term, got)
		}
		m.Q.hearing.heardAt[other.Slot] = before
	}
}
