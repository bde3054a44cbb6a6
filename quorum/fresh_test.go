package quorum

import (
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"

	"go.etcd.io/raft/v3/raftpb"
)

// asking collects what seeds answer to who asks whether their ledger is fresh.
type asking struct {
	*world
	answers map[*machine][]hearsay.Event
}

func newAsking(w *world) *asking {
	a := &asking{world: w, answers: make(map[*machine][]hearsay.Event)}
	w.Teller = func(m *machine, e hearsay.Event) {
		if e.Kind == hearsay.EventFresh {
			a.answers[m] = append(a.answers[m], e)
		}
	}
	return a
}

// asks has a seed ask.
func (a *asking) asks(m *machine) (number int) {
	a.T.Helper()
	a.Step(m, func() {
		var why string
		if number, why = m.Q.Fresh(a.Now); why != "" {
			a.T.Fatal(why)
		}
	})
	return number
}

// answered gives the answer to a question, which must come in time.
func (a *asking) answered(m *machine, number int, within time.Duration) (e hearsay.Event) {
	a.T.Helper()
	a.Must(within, "there is an answer", func() bool {
		for _, e = range a.answers[m] {
			if e.Count >= number {
				return true
			}
		}
		return false
	})
	return e
}

// cutOff keeps a seed from the others.
func (w *world) cutOff(slot int) {
	w.Cut = func(from, to int) bool { return from == slot || to == slot }
}

// Whichever leads, each seed finds out that it has all that was ruled.
func TestFresh(t *testing.T) {
	for _, seeds := range []int{1, 2, 3, 5} {
		w := newWorld(t, seeds, uint64(seeds))
		w.StartAll()
		w.Must(5*time.Second, "founded", w.agree)
		a := newAsking(w)
		p := w.NewPerson()
		w.Must(5*time.Second, "it is in", func() bool { return w.In(p) })
		ruled := hearsay.Epoch(0)
		for _, m := range w.Machines {
			ruled = max(ruled, m.Q.Epoch())
		}
		for _, m := range w.Machines {
			if e := a.answered(m, a.asks(m), time.Second); e.Text != "" || e.Epoch < ruled {
				t.Errorf("seed %d of %d: epoch %d of %d: %s", m.Slot, seeds, e.Epoch, ruled, e.Text)
			}
		}
	}
}

// A seed that lags is told how far the others are, and answers when it is
// there. One that is cut off from them says so: also the one that led.
func TestCutOffSeedIsNotFresh(t *testing.T) {
	for lost := range 3 {
		w := followed(t, uint64(lost), 3)
		a := newAsking(w)
		m := w.Machines[lost]
		w.cutOff(lost)
		w.NewPerson()
		w.Must(15*time.Second, "the others rule", func() bool { return w.Machines[(lost+1)%3].Q.Epoch() == 4 })
		if m.Q.Epoch() != 3 {
			t.Fatal("it has heard of it")
		}
		if e := a.answered(m, a.asks(m), freshPatience+2*w.cfg.TickEvery+w.Syncs); e.Text == "" {
			t.Error("it holds that its ledger is fresh")
		}
		number := a.asks(m)
		w.Cut = nil
		if e := a.answered(m, number, freshPatience+2*w.cfg.TickEvery+w.Syncs); e.Text == "" && e.Epoch < 4 {
			t.Errorf("fresh with epoch %d", e.Epoch)
		}
		w.Must(10*time.Second, "one ledger", w.agree)
		if e := a.answered(m, a.asks(m), time.Second); e.Text != "" || e.Epoch < 4 {
			t.Errorf("epoch %d: %s", e.Epoch, e.Text)
		}
	}
}

// A question that a leader has taken with it is asked again of the next.
func TestFreshIsAskedAgain(t *testing.T) {
	w := followed(t, 4, 3)
	w.cfg.ElectionTicks = 5
	for _, m := range w.Machines { // with the shorter elections
		w.Crash(m)
		w.Start(m)
	}
	w.Must(5*time.Second, "they are back", w.agree)
	a := newAsking(w)
	slot, _ := w.Machines[0].Q.Leader()
	m := w.Machines[(slot+1)%3]
	w.Crash(w.Machines[slot])
	if e := a.answered(m, a.asks(m), freshPatience); e.Text != "" || e.Epoch != 3 {
		t.Errorf("epoch %d: %s", e.Epoch, e.Text)
	}
}

// A thousand who ask at once cost a few messages, and those who come while a
// round is under way wait for one that begins after them.
func TestManyAskAtOnce(t *testing.T) {
	w := followed(t, 5, 3)
	a := newAsking(w)
	slot, _ := w.Machines[0].Q.Leader()
	m := w.Machines[(slot+1)%3]
	first := a.asks(m)
	w.Step(m, func() {
		for range 1000 {
			m.Q.Fresh(w.Now)
		}
	})
	a.answered(m, first+1000, time.Second)
	if answers := a.answers[m]; len(answers) != 2 || answers[0].Count != first || answers[1].Count != first+1000 {
		t.Errorf("%+v", answers)
	}
	if taken := w.Machines[slot].Q.fresh.taken; taken > 2 {
		t.Errorf("the leader was asked %d times", taken)
	}
}

// Without a seat there is nothing to ask.
func TestFreshWithoutSeat(t *testing.T) {
	w := newWorld(t, 3, 6)
	w.Start(w.Machines[0])
	if _, why := w.Machines[0].Q.Fresh(w.Now); why == "" {
		t.Error("it asks")
	}
}

// What another seed has signed does not stop this one, whatever it is; and it
// takes up no more questions than it says.
func TestStrangeReadsOfSeeds(t *testing.T) {
	w := followed(t, 7, 3)
	slot, _ := w.Machines[0].Q.Leader()
	leader, other := w.Machines[slot], w.Machines[(slot+1)%3]
	say := func(f core.Raft) {
		f.Versions = ledger.Versions()
		f.Slot, f.To, f.From, f.Founding = uint8(other.Slot), leader.Q.replica.id, other.Q.replica.id, other.Q.founding
		f.Sign(testNetwork, other.Signer)
		w.Step(leader, func() { leader.Q.Receive(w.Now, from(seedAddr(other.Slot), &f)) })
	}
	term := leader.Q.replica.node.BasicStatus().GetTerm()
	entry := func(n int) core.LogEntry { return core.LogEntry{Data: make([]byte, n)} }
	malformed := leader.Drops[hearsay.DropMalformed]
	strange := []core.Raft{
		{Type: uint8(raftpb.MsgHeartbeatResp), Term: term, Context: []byte{1}},
		{Type: uint8(raftpb.MsgHeartbeatResp), Term: term, Context: make([]byte, 9)},
		{Type: uint8(raftpb.MsgHeartbeat), Term: term, Context: make([]byte, 1000)},
		{Type: uint8(raftpb.MsgAppResp), Term: term, Context: make([]byte, 1000)},
		{Type: uint8(raftpb.MsgReadIndex)},
		{Type: uint8(raftpb.MsgReadIndex), Entries: []core.LogEntry{entry(15)}},
		{Type: uint8(raftpb.MsgReadIndex), Entries: []core.LogEntry{entry(16), entry(16)}},
		{Type: uint8(raftpb.MsgReadIndex), Entries: []core.LogEntry{entry(16)}, Context: []byte{1}},
		{Type: uint8(raftpb.MsgReadIndexResp), Term: term, Entries: []core.LogEntry{entry(1 << 16)}},
	}
	for i := range strange {
		say(strange[i])
	}
	if n := leader.Drops[hearsay.DropMalformed] - malformed; n != uint64(len(strange)) {
		t.Errorf("%d of %d were dropped", n, len(strange))
	}
	for range 2 * freshTaken {
		say(core.Raft{Type: uint8(raftpb.MsgReadIndex), Entries: []core.LogEntry{entry(16)}})
	}
	if n := leader.Drops[hearsay.DropRate]; n != freshTaken {
		t.Errorf("%d were too many, want %d", n, freshTaken)
	}
	// More heartbeats are said to have been heard than were sent.
	say(core.Raft{Type: uint8(raftpb.MsgHeartbeatResp), Term: term, Context: []byte{255, 255, 255, 255, 255, 255, 255, 255}})
	a := newAsking(w)
	w.Run(time.Second)
	if e := a.answered(leader, a.asks(leader), time.Second); e.Text != "" {
		t.Error(e.Text)
	}
}

// A seed that lags does not say of a stay that it has not heard of that it is
// over: a peer would stop asking, and an operator believe it.
func TestLaggingSeedKnowsNoNewStays(t *testing.T) {
	w := followed(t, 8, 3)
	w.cutOff(0)
	p := w.NewPerson()
	w.Must(15*time.Second, "it is in by the others", func() bool { return w.In(p) })
	member, _ := w.Machines[1].Q.Member(p.ID())
	leave := &core.Leave{Stay: member.Stay}
	leave.Sign(w.Ledger(), p.Key)
	w.Step(w.Machines[0], func() {
		if a := w.Machines[0].Q.Leave(w.Now, leave); a.Code != hearsay.OutcomeWait {
			t.Errorf("a leave: %+v", a)
		}
		if a := w.Machines[0].Q.Report(w.Now, &Report{Stay: member.Stay}); a.Code != hearsay.OutcomeWait {
			t.Errorf("a report: %+v", a)
		}
	})
}

// A bar that was refused for want of a quorum is not set when there is one.
func TestRefusedBarIsNotSet(t *testing.T) {
	w := followed(t, 9, 3)
	m := w.Machines[0]
	w.cutOff(0)
	w.Must(10*time.Second, "the quorum is lost", func() bool { return !m.Q.Ready() })
	id := w.People[0].ID()
	w.Step(m, func() {
		for _, a := range []hearsay.Outcome{m.Q.Bar(w.Now, id, "loud"), m.Q.Lift(w.Now, id, "quiet")} {
			if a.Code != hearsay.OutcomeWait {
				t.Errorf("%+v", a)
			}
		}
	})
	w.Cut = nil
	w.Must(10*time.Second, "it is back", m.Q.Ready)
	w.Run(2 * w.cfg.AdmitTimeout)
	if barred := m.Q.Barred(nil); len(barred) > 0 {
		t.Errorf("%+v", barred)
	}
}

// A seed that is cut off does not tell who asks to be in that it is: the others
// may have ended its stay.
func TestCutOffSeedConfirmsNobody(t *testing.T) {
	w := followed(t, 10, 3)
	m, p := w.Machines[0], w.People[0]
	admit := func() (a hearsay.Outcome) {
		w.Step(m, func() { a = m.Q.Admit(w.Now, p.Claim()) })
		return a
	}
	if a := admit(); a.Code != hearsay.OutcomeDone {
		t.Errorf("%+v, want that it is in", a)
	}
	w.cutOff(0)
	w.Must(10*time.Second, "the quorum is lost", func() bool { return !m.Q.Ready() })
	if a := admit(); a.Code != hearsay.OutcomeWait {
		t.Errorf("%+v, of a seed that is cut off", a)
	}
}
