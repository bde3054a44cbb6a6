package quorum

import (
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
)

// asking collects what seeds answer to who asks whether their ledger is fresh.
type asking struct {
	*world
	answers map[*machine][]hearsay.Event
}

func newAsking(w *world) *asking {
	a := &asking{world: w, answers: make(map[*machine][]hearsay.Event)}
	w.teller = func(m *machine, e hearsay.Event) {
		if e.Kind == hearsay.EventFresh {
			a.answers[m] = append(a.answers[m], e)
		}
	}
	return a
}

// asks has a seed ask.
func (a *asking) asks(m *machine) (number int) {
	a.t.Helper()
	a.step(m, func() {
		var why string
		if number, why = m.q.Fresh(a.now); why != "" {
			a.t.Fatal(why)
		}
	})
	return number
}

// answered gives the answer to a question, which must come in time.
func (a *asking) answered(m *machine, number int, within time.Duration) (e hearsay.Event) {
	a.t.Helper()
	a.must(within, "there is an answer", func() bool {
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
	w.cut = func(from, to int) bool { return from == slot || to == slot }
}

// Whichever leads, each seed finds out that it has all that was ruled.
func TestFresh(t *testing.T) {
	for _, seeds := range []int{1, 2, 3, 5} {
		w := newWorld(t, seeds, uint64(seeds))
		w.startAll()
		w.must(5*time.Second, "founded", w.agree)
		a := newAsking(w)
		p := w.newPerson()
		w.must(5*time.Second, "it is in", func() bool { return w.in(p) })
		ruled := hearsay.Epoch(0)
		for _, m := range w.machines {
			ruled = max(ruled, m.q.Epoch())
		}
		for _, m := range w.machines {
			if e := a.answered(m, a.asks(m), time.Second); e.Text != "" || e.Epoch < ruled {
				t.Errorf("seed %d of %d: epoch %d of %d: %s", m.slot, seeds, e.Epoch, ruled, e.Text)
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
		m := w.machines[lost]
		w.cutOff(lost)
		w.newPerson()
		w.must(15*time.Second, "the others rule", func() bool { return w.machines[(lost+1)%3].q.Epoch() == 4 })
		if m.q.Epoch() != 3 {
			t.Fatal("it has heard of it")
		}
		if e := a.answered(m, a.asks(m), freshPatience+2*w.cfg.TickEvery+w.syncs); e.Text == "" {
			t.Error("it holds that its ledger is fresh")
		}
		number := a.asks(m)
		w.cut = nil
		if e := a.answered(m, number, freshPatience+2*w.cfg.TickEvery+w.syncs); e.Text == "" && e.Epoch < 4 {
			t.Errorf("fresh with epoch %d", e.Epoch)
		}
		w.must(10*time.Second, "one ledger", w.agree)
		if e := a.answered(m, a.asks(m), time.Second); e.Text != "" || e.Epoch < 4 {
			t.Errorf("epoch %d: %s", e.Epoch, e.Text)
		}
	}
}

// A question that a leader has taken with it is asked again of the next.
func TestFreshIsAskedAgain(t *testing.T) {
	w := followed(t, 4, 3)
	w.cfg.ElectionTicks = 5
	for _, m := range w.machines { // with the shorter elections
		w.crash(m)
		w.start(m)
	}
	w.must(5*time.Second, "they are back", w.agree)
	a := newAsking(w)
	slot, _ := w.machines[0].q.Leader()
	m := w.machines[(slot+1)%3]
	w.crash(w.machines[slot])
	if e := a.answered(m, a.asks(m), freshPatience); e.Text != "" || e.Epoch != 3 {
		t.Errorf("epoch %d: %s", e.Epoch, e.Text)
	}
}

// A thousand who ask at once cost a few messages, and those who come while a
// round is under way wait for one that begins after them.
func TestManyAskAtOnce(t *testing.T) {
	w := followed(t, 5, 3)
	a := newAsking(w)
	slot, _ := w.machines[0].q.Leader()
	m := w.machines[(slot+1)%3]
	first := a.asks(m)
	w.step(m, func() {
		for range 1000 {
			m.q.Fresh(w.now)
		}
	})
	a.answered(m, first+1000, time.Second)
	if answers := a.answers[m]; len(answers) != 2 || answers[0].Count != first || answers[1].Count != first+1000 {
		t.Errorf("%+v", answers)
	}
	if taken := w.machines[slot].q.fresh.taken; taken > 2 {
		t.Errorf("the leader was asked %d times", taken)
	}
}

// Without a seat there is nothing to ask.
func TestFreshWithoutSeat(t *testing.T) {
	w := newWorld(t, 3, 6)
	w.start(w.machines[0])
	if _, why := w.machines[0].q.Fresh(w.now); why == "" {
		t.Error("it asks")
	}
}

// What another seed has signed does not stop this one, whatever it is; and it
// takes up no more questions than it says.
func TestStrangeReadsOfSeeds(t *testing.T) {
	w := followed(t, 7, 3)
	slot, _ := w.machines[0].q.Leader()
	leader, other := w.machines[slot], w.machines[(slot+1)%3]
	say := func(f hearsay.Raft) {
		f.Slot, f.To, f.From, f.Founding = uint8(other.slot), leader.q.replica.id, other.q.replica.id, other.q.founding
		f.Sign(testNetwork, other.signer)
		w.step(leader, func() { leader.q.Receive(w.now, from(seedAddr(other.slot), &f)) })
	}
	term := leader.q.replica.node.BasicStatus().GetTerm()
	entry := func(n int) hearsay.LogEntry { return hearsay.LogEntry{Data: make([]byte, n)} }
	malformed := leader.drops[hearsay.DropMalformed]
	strange := []hearsay.Raft{
		{Type: uint8(raftpb.MsgHeartbeatResp), Term: term, Context: []byte{1}},
		{Type: uint8(raftpb.MsgHeartbeatResp), Term: term, Context: make([]byte, 9)},
		{Type: uint8(raftpb.MsgHeartbeat), Term: term, Context: make([]byte, 1000)},
		{Type: uint8(raftpb.MsgAppResp), Term: term, Context: make([]byte, 1000)},
		{Type: uint8(raftpb.MsgReadIndex)},
		{Type: uint8(raftpb.MsgReadIndex), Entries: []hearsay.LogEntry{entry(15)}},
		{Type: uint8(raftpb.MsgReadIndex), Entries: []hearsay.LogEntry{entry(16), entry(16)}},
		{Type: uint8(raftpb.MsgReadIndex), Entries: []hearsay.LogEntry{entry(16)}, Context: []byte{1}},
		{Type: uint8(raftpb.MsgReadIndexResp), Term: term, Entries: []hearsay.LogEntry{entry(1 << 16)}},
	}
	for i := range strange {
		say(strange[i])
	}
	if n := leader.drops[hearsay.DropMalformed] - malformed; n != uint64(len(strange)) {
		t.Errorf("%d of %d were dropped", n, len(strange))
	}
	for range 2 * freshTaken {
		say(hearsay.Raft{Type: uint8(raftpb.MsgReadIndex), Entries: []hearsay.LogEntry{entry(16)}})
	}
	if n := leader.drops[hearsay.DropRate]; n != freshTaken {
		t.Errorf("%d were too many, want %d", n, freshTaken)
	}
	// More heartbeats are said to have been heard than were sent.
	say(hearsay.Raft{Type: uint8(raftpb.MsgHeartbeatResp), Term: term, Context: []byte{255, 255, 255, 255, 255, 255, 255, 255}})
	a := newAsking(w)
	w.run(time.Second)
	if e := a.answered(leader, a.asks(leader), time.Second); e.Text != "" {
		t.Error(e.Text)
	}
}

// A seed that lags does not say of a stay that it has not heard of that it is
// over: a peer would stop asking, and an operator believe it.
func TestLaggingSeedKnowsNoNewStays(t *testing.T) {
	w := followed(t, 8, 3)
	w.cutOff(0)
	p := w.newPerson()
	w.must(15*time.Second, "it is in by the others", func() bool { return w.in(p) })
	member, _ := w.machines[1].q.Member(p.id())
	leave := &hearsay.Leave{Stay: member.Stay}
	leave.Sign(w.ledger(), p.key)
	w.step(w.machines[0], func() {
		if a := w.machines[0].q.Leave(w.now, leave); a.Code != AnswerWait {
			t.Errorf("a leave: %+v", a)
		}
		if a := w.machines[0].q.Report(w.now, &Report{Stay: member.Stay}); a.Code != AnswerWait {
			t.Errorf("a report: %+v", a)
		}
	})
}

// A bar that was refused for want of a quorum is not set when there is one.
func TestRefusedBarIsNotSet(t *testing.T) {
	w := followed(t, 9, 3)
	m := w.machines[0]
	w.cutOff(0)
	w.must(10*time.Second, "the quorum is lost", func() bool { return !m.q.Ready() })
	id := w.people[0].id()
	w.step(m, func() {
		for _, a := range []Answer{m.q.Bar(w.now, id, "loud"), m.q.Lift(w.now, id, "quiet")} {
			if a.Code != AnswerWait {
				t.Errorf("%+v", a)
			}
		}
	})
	w.cut = nil
	w.must(10*time.Second, "it is back", m.q.Ready)
	w.run(2 * w.cfg.AdmitTimeout)
	if barred := m.q.Barred(nil); len(barred) > 0 {
		t.Errorf("%+v", barred)
	}
}

// A seed that is cut off does not tell who asks to be in that it is: the others
// may have ended its stay.
func TestCutOffSeedConfirmsNobody(t *testing.T) {
	w := followed(t, 10, 3)
	m, p := w.machines[0], w.people[0]
	admit := func() (a Answer) {
		w.step(m, func() { a = m.q.Admit(w.now, p.claim()) })
		return a
	}
	if a := admit(); a.Code != AnswerDone {
		t.Errorf("%+v, want that it is in", a)
	}
	w.cutOff(0)
	w.must(10*time.Second, "the quorum is lost", func() bool { return !m.q.Ready() })
	if a := admit(); a.Code != AnswerWait {
		t.Errorf("%+v, of a seed that is cut off", a)
	}
}
