package quorum

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// What a seed makes of evidence, by its own roster.
func TestEvidence(t *testing.T) {
	w := followed(t, 1, 14)
	m, about := w.Machines[0], w.People[3]
	about.Up = false
	member, _ := m.Q.Member(about.ID())
	for name, c := range map[string]struct {
		spoil func(e *hearsay.Evidence)
		want  string
	}{
		"sound":       {func(*hearsay.Evidence) {}, ""},
		"just enough": {func(e *hearsay.Evidence) { e.Statements = e.Statements[:5] }, ""},
		"one too few": {func(e *hearsay.Evidence) { e.Statements = e.Statements[:4] }, "4 of 9 observers against it, 5 needed"},
		"one five times": {func(e *hearsay.Evidence) {
			e.Statements = append(e.Statements[:1:1], e.Statements[0], e.Statements[0], e.Statements[0], e.Statements[0])
		}, "1 of 9"},
		"forged":             {func(e *hearsay.Evidence) { e.Statements[2].Signature[0]++ }, "did not sign"},
		"of another round":   {func(e *hearsay.Evidence) { e.Statements[2].Round++ }, "did not sign"},
		"turned around":      {func(e *hearsay.Evidence) { e.Statements[2].Verdict = hearsay.VerdictReachable }, "did not sign"},
		"about another":      {func(e *hearsay.Evidence) { e.Subject = w.People[4].ID() }, "about another"},
		"refuted":            {func(e *hearsay.Evidence) { e.Incarnation-- }, "refuted"},
		"two, and a timeout": {func(e *hearsay.Evidence) { e.Rule, e.Statements = hearsay.RuleTimeout, e.Statements[:2] }, ""},
		"one, and a timeout": {func(e *hearsay.Evidence) { e.Rule, e.Statements = hearsay.RuleTimeout, e.Statements[:1] }, ""},
		"none, and a timeout": {func(e *hearsay.Evidence) {
			e.Rule, e.Observers, e.Needed, e.Statements = hearsay.RuleTimeout, 0, 1, nil
		}, ""},
		"forged, and a timeout": {func(e *hearsay.Evidence) {
			e.Rule, e.Statements = hearsay.RuleTimeout, e.Statements[:1]
			e.Statements[0].Signature[0]++
		}, "did not sign"},
		"refuted, and a timeout": {func(e *hearsay.Evidence) {
			e.Rule, e.Statements = hearsay.RuleTimeout, nil
			e.Incarnation--
		}, "refuted"},
		"nothing": {func(e *hearsay.Evidence) { e.Statements = nil }, "0 of 9"},
		"a stranger's, added": {func(e *hearsay.Evidence) {
			s := e.Statements[0]
			s.Sign(m.Q.Ledger(), newKeyed(1))
			e.Statements = append(e.Statements[:4:4], s)
		}, "4 of 9"},
	} {
		e := w.Evidence(m, about, hearsay.VerdictUnreachable)
		if len(e.Statements) != 9 {
			t.Fatalf("%d observers", len(e.Statements))
		}
		c.spoil(e)
		if got := m.Q.ballots.unproven(w.Now, e, &member); got.IsZero() != (c.want == "") || !got.IsZero() && !strings.Contains(got.String(), c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	e := w.Evidence(m, about, hearsay.VerdictUnreachable)
	e.Rule = hearsay.RuleTimeout
	e.Statements[3].Verdict = hearsay.VerdictReachable
	e.Statements[3].Sign(m.Q.Ledger(), w.person(e.Statements[3].Observer).Key)
	if got := m.Q.ballots.unproven(w.Now, e, &member); got.Reason != hearsay.ReasonReached {
		t.Errorf("a timeout with one who reaches it: %q", got)
	}
}

// Of evidence counts what a member has signed, or could have by this seed's clock. A member may
// have moved and died, so that this seed knows its newest word, and never lists it.
func TestEvidenceOfASignedIncarnation(t *testing.T) {
	w := followed(t, 66, 12)
	m, about := w.Machines[0], w.People[3]
	member, _ := m.Q.Member(about.ID())
	e := w.Evidence(m, about, hearsay.VerdictUnreachable)
	e.Incarnation = hearsay.Incarnation(w.Now.UnixMilli())
	for i := range e.Statements {
		e.Statements[i].Incarnation = e.Incarnation
		e.Statements[i].Sign(m.Q.Ledger(), w.person(e.Statements[i].Observer).Key)
	}
	behind := w.Now.Add(-17 * time.Minute)
	for signed, want := range map[hearsay.Incarnation]hearsay.Reason{
		0: hearsay.ReasonNotYet, e.Incarnation - 1: hearsay.ReasonNotYet, e.Incarnation: 0, e.Incarnation + 1: 0,
	} {
		m.Q.directory.Signed = func(hearsay.NodeID) hearsay.Incarnation { return signed }
		if got := m.Q.ballots.unproven(behind, e, &member); got.Reason != want {
			t.Errorf("evidence of %d, and %d is signed: %q, want %q", e.Incarnation, signed, got, want)
		}
	}
}

// When the suspicion ran out, one statement is as good as none: both have a case
// opened in which each seed tries for ten seconds, and the first that reaches the
// member ends it. Then such reports wait, so that nobody has cases opened in a
// loop; and a majority of the observers waits for none of that.
func TestShortReports(t *testing.T) {
	w := followed(t, 2, 6)
	m, p := w.Machines[0], w.newSilent()
	w.Must(5*time.Second, "one more is in", func() bool { return m.Q.Epoch() == 7 })
	short := func(statements int) *hearsay.Evidence {
		e := w.Evidence(m, p, hearsay.VerdictUnreachable)
		e.Rule, e.Statements = hearsay.RuleTimeout, e.Statements[:statements]
		return e
	}
	report := func(e *hearsay.Evidence, want hearsay.OutcomeCode) {
		t.Helper()
		w.Step(m, func() {
			if a := m.Q.Report(w.Now, &Report{Stay: hearsay.Stay{ID: p.ID()}, Evidence: e}); a.Code != want {
				t.Errorf("%+v, want %v", a, want)
			}
		})
	}
	for _, statements := range []int{0, 1, 2} { // it answers: all of them lie
		aborts := w.Aborts
		report(short(statements), hearsay.OutcomePending)
		w.Must(5*time.Second, "the case ends", func() bool { return w.Aborts == aborts+3 })
		report(short(0), hearsay.OutcomeWait)
		report(short(1), hearsay.OutcomeWait)
		report(short(2), hearsay.OutcomeWait)
		report(nil, hearsay.OutcomeWait)
		if w.Run(w.cfg.ReportPause - time.Second); w.Aborts != aborts+3 {
			t.Errorf("%d cases in one pause", (w.Aborts-aborts)/3)
		}
		w.Run(2 * time.Second)
	}
	p.Up = false
	began := w.Now
	report(short(1), hearsay.OutcomePending)
	w.Must(time.Second, "a case is open", func() bool { c, open := m.Q.Case(p.ID()); return open && c.Rule == hearsay.RuleTimeout })
	report(short(0), hearsay.OutcomePending) // and does not take its place
	w.Run(time.Second)
	if c, _ := m.Q.Case(p.ID()); len(c.Evidence.Statements) != 1 {
		t.Errorf("a report with fewer statements has displaced the case: %+v", c)
	}
	w.Must(15*time.Second, "it is out", func() bool { return m.Q.Epoch() == 8 })
	if took := w.Now.Sub(began); took < w.cfg.ShortTrial {
		t.Errorf("after a trial of %v", took)
	}
	if r := m.Q.Rulings(7, 1); len(r) != 1 || r[0].Rule != hearsay.RuleTimeout {
		t.Errorf("%+v", r)
	}
}

func (w *world) person(id hearsay.NodeID) *person {
	for _, p := range w.People {
		if p.ID() == id {
			return p
		}
	}
	return nil
}

// Evidence alone removes nobody who answers the seeds; and without evidence
// nobody is removed who has not been silent for the short trial.
func TestSeedsLookForThemselves(t *testing.T) {
	w := followed(t, 2, 6)
	m, p := w.Machines[0], w.People[2]
	w.Step(m, func() {
		e := w.Evidence(m, p, hearsay.VerdictUnreachable)
		if a := m.Q.Report(w.Now, &Report{Stay: hearsay.Stay{ID: p.ID()}, Evidence: e}); a.Code != hearsay.OutcomePending {
			t.Errorf("%+v", a)
		}
	})
	w.Run(5 * time.Second)
	if m.Q.Epoch() != 6 || w.Aborts == 0 {
		t.Errorf("epoch %d, %d aborts", m.Q.Epoch(), w.Aborts)
	}
	silent := w.newSilent()
	w.Must(5*time.Second, "one more is in", func() bool { return m.Q.Epoch() == 7 })
	silent.Up = false
	began := w.Now
	w.Step(m, func() { m.Q.Report(w.Now, &Report{Stay: hearsay.Stay{ID: silent.ID()}}) })
	w.Must(30*time.Second, "it is out", func() bool { return m.Q.Epoch() == 8 })
	if took := w.Now.Sub(began); took < w.Machines[0].Q.cfg.ShortTrial || took > 10*time.Second {
		t.Errorf("without evidence it took %v", took)
	}
}

// newSilent makes a peer that asks by itself once, and that nobody reports.
func (w *world) newSilent() *person {
	p := &person{N: 500, Key: newKeyed(77_000), Up: true, At: 5, Addr: seedAddr(200)}
	w.People = append(w.People, p)
	w.Step(w.Machines[0], func() { w.Machines[0].Q.Admit(w.Now, p.Claim()) })
	return p
}

// A guest has no key: its address is its identity, and it must answer there.
func TestGuestsAreAdmitted(t *testing.T) {
	w := followed(t, 3, 1)
	m := w.Machines[0]
	guest := &person{N: 600, Up: true, Guest: true, Addr: seedAddr(201)}
	w.People = append(w.People, guest)
	ask := func() (a hearsay.Outcome) {
		w.Step(m, func() { a = m.Q.Admit(w.Now, guest.Claim()) })
		return a
	}
	if a := ask(); a.Code != hearsay.OutcomePending {
		t.Fatalf("%+v", a)
	}
	w.Must(5*time.Second, "it is in", func() bool { return m.Q.Epoch() == 2 })
	if a := ask(); a.Code != hearsay.OutcomeDone || a.Stay.Epoch != 2 {
		t.Errorf("again: %+v", a)
	}
	stolen := guest.Claim()
	stolen.Subject = w.People[0].ID()
	stolen.Card.Addr = seedAddr(202)
	stolen.Subject[0]++
	w.Step(m, func() {
		if a := m.Q.Admit(w.Now, stolen); a.Code != hearsay.OutcomeRefused {
			t.Errorf("another identity without a key: %+v", a)
		}
	})
	guest.Up = false
	w.Step(m, func() { m.Q.Report(w.Now, &Report{Stay: hearsay.Stay{ID: guest.ID()}}) })
	w.Must(30*time.Second, "it is out", func() bool { return m.Q.Epoch() == 3 })
	guest.Up = true
	ask()
	w.Must(5*time.Second, "it is back", func() bool { return m.Q.Epoch() == 4 })
}

// A guest that was removed and lives does not ask to be in again: the seeds find out, also after a start.
func TestGuestsThatLiveReturn(t *testing.T) {
	w := followed(t, 3, 1)
	m := w.Machines[0]
	guest := &person{N: 600, Up: true, Guest: true, Addr: seedAddr(201)}
	w.People = append(w.People, guest)
	w.Step(m, func() { m.Q.Admit(w.Now, guest.Claim()) })
	w.Must(5*time.Second, "it is in", func() bool { return m.Q.Epoch() == 2 })
	for epoch := hearsay.Epoch(3); epoch < 7; epoch += 2 {
		guest.Up = false
		w.Step(m, func() { m.Q.Report(w.Now, &Report{Stay: hearsay.Stay{ID: guest.ID()}}) })
		w.Must(30*time.Second, "it is out", func() bool { return m.Q.Epoch() == epoch })
		for _, m := range w.Machines {
			w.Crash(m)
			w.Start(m)
		}
		w.Run(10 * time.Second)
		if m.Q.Epoch() != epoch {
			t.Fatal("it is in, and does not answer")
		}
		guest.Up = true
		w.Must(2*guestEachMost, "it is back", func() bool { return m.Q.Epoch() == epoch+1 })
	}
	guest.Up = false
	w.Step(m, func() { m.Q.Report(w.Now, &Report{Stay: hearsay.Stay{ID: guest.ID()}}) })
	w.Must(30*time.Second, "it is out", func() bool { return m.Q.Epoch() == 7 })
	w.Step(m, func() { m.Q.Bar(w.Now, guest.ID(), "an operator wants it out") })
	w.Run(time.Second)
	guest.Up = true
	w.Run(20 * time.Second)
	if m.Q.Epoch() != 7 {
		t.Error("it is in, and barred")
	}
}

// What is kept of guests that were removed is bounded, and ends.
func TestRemovedGuestsAreBounded(t *testing.T) {
	r, now := &returning{}, time.UnixMilli(1e12)
	addr := func(n int) netip.AddrPort { return netip.AddrPortFrom(seedAddr(1).Addr(), uint16(n)) }
	claim := func(n int) *hearsay.Claim {
		return &hearsay.Claim{Subject: hearsay.NodeID{byte(n >> 8), byte(n)}, Card: hearsay.Card{Addr: addr(n)}}
	}
	for n := range 2 * guestMost {
		r.removed(now, claim(n), now)
		r.removed(now, claim(n), now)
	}
	if len(r.gone) != guestOfIP || r.gone[0].id != claim(2*guestMost-guestOfIP).Subject {
		t.Errorf("of one address %d are kept, from %s on", len(r.gone), r.gone[0].id)
	}
	addr = func(n int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 1)
	}
	for n := range 2 * guestMost {
		r.removed(now, claim(n), now)
	}
	if len(r.gone) != guestMost || r.gone[0].id != claim(guestMost).Subject {
		t.Errorf("%d are kept, from %s on", len(r.gone), r.gone[0].id)
	}
	r.removed(now, claim(1), now.Add(-guestKept))
	r.removed(now, &hearsay.Claim{Subject: hearsay.NodeID{1}, Card: hearsay.Card{Key: hearsay.PublicKey{1}}}, now)
	if last := r.gone[guestMost-1].id; last != claim(2*guestMost-1).Subject {
		t.Errorf("%s is kept", last)
	}
}

// While a seed probes a node that asks to be in, an older word of it, which anybody may have kept, changes nothing.
func TestOlderWordOfWhoAsks(t *testing.T) {
	w := followed(t, 4, 1)
	q := w.Machines[0].Q
	newcomer := &person{N: 700, Key: newKeyed(88_000), At: 7, Addr: seedAddr(210)}
	older := &person{N: 700, Key: newcomer.Key, At: 6, Addr: seedAddr(211)}
	moved := &person{N: 700, Key: newcomer.Key, At: 8, Addr: seedAddr(212)}
	for _, test := range []struct{ asks, probed *person }{{newcomer, newcomer}, {older, newcomer}, {moved, moved}, {newcomer, moved}} {
		w.Step(w.Machines[0], func() { q.Admit(w.Now, test.asks.Claim()) })
		if k := q.joiners.pending[newcomer.ID()]; k == nil || k.claim.Card.Addr != test.probed.Addr {
			t.Fatalf("after the word of %v at %v: %+v", test.asks.At, test.asks.Addr, k)
		}
	}
}

// Where most of a thousand die at once, each is silent for some seconds only until it is removed: eight at a
// time are many.
func TestManyAreSilentInALargeNetwork(t *testing.T) {
	w := followed(t, 4, 1)
	q := w.Machines[0].Q
	q.state.Members.Count = 1000
	for silent, many := range map[int]bool{0: false, 7: false, 8: true, 100: true} {
		if q.watches.lookAround(w.Now, silent); q.watches.manyUnheard != many {
			t.Errorf("%d of 1000 are silent: many: %t", silent, q.watches.manyUnheard)
		}
	}
	q.state.Members.Count = 1
}

// Nobody is admitted who does not answer where it says it is.
func TestWhoDoesNotAnswerIsNotAdmitted(t *testing.T) {
	w := followed(t, 4, 1)
	m := w.Machines[0]
	ghost := &person{N: 700, Key: newKeyed(88_000), At: 7, Addr: seedAddr(210)}
	w.People = append(w.People, ghost)
	ask := func() { w.Step(m, func() { m.Q.Admit(w.Now, ghost.Claim()) }) }
	ask()
	w.Run(5 * time.Second)
	if silent := m.Q.Silent(); len(silent) != 1 || silent[0].Claim.Subject != ghost.ID() || len(m.Q.joiners.pending) > 0 || w.Aborts > 0 {
		t.Errorf("%d are told of as silent, %d still ask, after %d aborted cases", len(silent), len(m.Q.joiners.pending), w.Aborts)
	}
	ghost.Up = true
	ask()
	w.Must(time.Second, "a case is open", func() bool { _, open := m.Q.Case(ghost.ID()); return open })
	ghost.Up = false // and answers nobody else
	w.Must(10*time.Second, "the case ends", func() bool { return w.Aborts == 3 })
	if m.Q.Epoch() != 1 {
		t.Error("it was admitted")
	}
	ghost.Addr = w.cfg.Seeds[1].Addr
	w.Step(m, func() {
		if a := m.Q.Admit(w.Now, ghost.Claim()); a.Code != hearsay.OutcomeRefused {
			t.Errorf("at a seed's address: %+v", a)
		}
	})
}

// A member that moves says so itself, and is probed where it is.
// A seed that was late says so, and not that the other does not answer.
func TestLateSeedAbstains(t *testing.T) {
	w := followed(t, 4, 1)
	m := w.Machines[0]
	newcomer := &person{N: 700, Key: newKeyed(88_000), At: 7, Addr: seedAddr(210), Up: true}
	w.People = append(w.People, newcomer)
	m.Late = true
	w.Step(m, func() { m.Q.Admit(w.Now, newcomer.Claim()) })
	w.Run(time.Second)
	if !m.Q.Abstaining(newcomer.ID()) {
		t.Error("it does not say that it abstains")
	}
	w.Run(4 * time.Second)
	if silent := m.Q.Silent(); len(silent) != 1 || silent[0].Why != abstains {
		t.Errorf("says %+v", silent)
	}
	m.Late = false
	w.Step(m, func() { m.Q.Admit(w.Now, newcomer.Claim()) })
	w.Must(time.Second, "it is in", func() bool { _, in := m.Q.Member(newcomer.ID()); return in })
	w.Run(time.Minute)
	newcomer.Up, m.Late = false, true
	w.Step(m, func() { m.Q.Suspected(w.Now, newcomer.ID()) })
	w.Run(time.Second)
	if !m.Q.Abstaining(newcomer.ID()) || m.Q.Failing(newcomer.ID()) {
		t.Error("it judges a member while it is late")
	}
}

// What a seed does not hear while it hears no quorum either says nothing of others.
func TestAloneSeedFindsNobodySilent(t *testing.T) {
	w := followed(t, 4, 1)
	m := w.Machines[0]
	one := w.People[0]
	for _, other := range w.Machines[1:] {
		w.Crash(other)
	}
	w.Must(10*time.Second, "it hears no quorum", func() bool { return !m.Q.Ready() && m.Q.hearing.heardFrom.IsZero() })
	one.Up = false
	w.Step(m, func() { m.Q.Suspected(w.Now, one.ID()) })
	w.Run(20 * time.Second)
	if !m.Q.Abstaining(one.ID()) || m.Q.Failing(one.ID()) {
		t.Error("it judges a member while it is cut off")
	}
}

func TestMembersMove(t *testing.T) {
	w := followed(t, 5, 2)
	m, p := w.Machines[0], w.People[1]
	p.Addr, p.At = seedAddr(220), p.At+1
	w.Step(m, func() { m.Q.Move(w.Now, p.Claim()) })
	w.Must(5*time.Second, "it is known there", func() bool {
		one, _ := w.Machines[2].Q.Member(p.ID())
		return one.Claim.Card.Addr == p.Addr && one.Stay.Epoch > 0
	})
	forged := p.Claim()
	forged.Incarnation++
	w.Step(m, func() {
		if a := m.Q.Move(w.Now, forged); a.Code != hearsay.OutcomeRefused {
			t.Errorf("a forged move: %+v", a)
		}
	})
	w.Step(m, func() { m.Q.Report(w.Now, &Report{Stay: hearsay.Stay{ID: p.ID()}}) })
	w.Run(15 * time.Second)
	if _, ok := m.Q.Member(p.ID()); !ok {
		t.Error("it was removed though it answers at its new address")
	}
}

// A snapshot larger than a message goes in parts, and the ledger behind it is
// fetched and checked backwards.
func TestLargeSnapshot(t *testing.T) {
	w := newWorld(t, 3, 6)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	for range 1200 {
		w.NewPerson()
	}
	w.Must(time.Minute, "all are in", func() bool { return w.Machines[0].Q.Epoch() == 1200 && w.agree() })
	m := w.Machines[2]
	w.Wipe(m)
	w.Epochs[2] = 0
	w.Start(m)
	w.Must(time.Minute, "it has caught up", w.agree)
	if n := len(m.Q.state.AppendSnapshot(nil)); n <= snapshotPart {
		t.Errorf("a snapshot of %d bytes goes in one message", n)
	}
	if got := m.Q.Rulings(0, 1); len(got) != 1 || got[0].Epoch != 1 {
		t.Error("the first ruling is not there")
	}
}

// A seed wants no more probes at a time than its detector takes, and all that
// it needs one after the other.
func TestProbesWaitForRoom(t *testing.T) {
	w := newWorld(t, 1, 9)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	m, wanted, most := w.Machines[0], 0, 0
	w.Teller = func(_ *machine, e hearsay.Event) {
		if e.Kind == hearsay.EventProbeWanted {
			wanted++
		}
		most = max(most, m.Q.watches.probing)
	}
	for range 500 {
		p := w.NewPerson()
		p.Up = p.N%10 > 0 // some are gone before they are met
	}
	w.Must(20*time.Second, "all others are in", func() bool { return m.Q.Epoch() == 450 })
	for _, p := range w.People {
		if p.Up = p.N%2 == 0; !p.Up {
			w.Step(m, func() { m.Q.Report(w.Now, &Report{Stay: hearsay.Stay{ID: p.ID()}}) })
		}
	}
	w.Must(time.Minute, "all others are out", func() bool { return m.Q.Epoch() >= 700 })
	w.Must(20*time.Second, "and no case is open", func() bool { return len(m.Q.state.Cases) == 0 })
	w.Must(lookFor+2*time.Second, "and nobody is looked at", func() bool { return len(m.Q.watches.watched) == 0 })
	w.Run(lookLap)
	if most != maxProbing || wanted < 500 || m.Q.watches.probing != 0 || len(m.Q.watches.watched) > 0 {
		t.Errorf("%d probes, at most %d at a time; %d are under way", wanted, most, m.Q.watches.probing)
	}
}

// Those who ask to be in and are nobody keep no seed from its members, open no
// case, and leave nothing.
func TestMadeUpPeersKeepNobodyWaiting(t *testing.T) {
	w := followed(t, 7, 5)
	victim := w.People[2]
	last := w.Machines[0].Q.replica.log.last()
	made, pending := 0, 0
	ask := func() {
		for _, m := range w.Machines {
			for range 40 { // a second 400, of each seed
				made++
				ghost := &person{N: 10_000 + made, Key: newKeyed(uint64(100_000 + made)), At: 7, Addr: seedAddr(210)}
				w.Step(m, func() {
					if m.Q.Admit(w.Now, ghost.Claim()).Code == hearsay.OutcomePending {
						pending++
					}
				})
			}
			if len(m.Q.joiners.pending) > maxJoiners || len(m.Q.Silent()) > maxJoiners || len(m.Q.state.Cases) > 1 {
				t.Fatalf("%d ask, %d cases are open", len(m.Q.joiners.pending), len(m.Q.state.Cases))
			}
		}
	}
	for i := range 200 {
		if i == 20 {
			victim.Up = false
			for _, m := range w.Machines {
				w.Step(m, func() { m.Q.Report(w.Now, &Report{Stay: hearsay.Stay{ID: victim.ID()}}) })
			}
		}
		ask()
		w.Run(100 * time.Millisecond)
		if i == 140 && w.Machines[1].Q.Epoch() != 6 { // 12 s later; without evidence it is tried for 10 s
			t.Fatalf("the dead one is still in\n%s", w.Describe())
		}
	}
	if grown := w.Machines[0].Q.replica.log.last() - last; grown > 20 {
		t.Errorf("%d who are nobody left %d entries in the log", made, grown)
	}
	if pending < made/2 {
		t.Errorf("only %d of %d were looked at: the test shows little", pending, made)
	}
	w.NewPerson()
	w.Must(5*time.Second, "somebody real is in", func() bool { return w.Machines[2].Q.Epoch() == 7 })
}

// A member that is silent to a seed for long comes before the seeds, whatever
// others say of it: that a suspicion is over does not end the seed's own watch.
func TestSeedOpensCaseOnSilent(t *testing.T) {
	w := followed(t, 4, 3)
	one := w.People[1]
	one.Up, one.Covered = false, true
	began := w.Now
	for _, m := range w.Machines {
		w.Step(m, func() { m.Q.Suspected(w.Now, one.ID()) })
	}
	w.Run(time.Second)
	for _, m := range w.Machines {
		w.Step(m, func() { m.Q.Cleared(w.Now, one.ID()) }) // as those say that lie
	}
	w.Run(w.Machines[0].Q.cfg.SilentFor - 2*time.Second)
	if _, open := w.Machines[0].Q.Case(one.ID()); open || !w.In(one) {
		t.Fatal("a case is open, or over, too soon")
	}
	w.Must(5*time.Second, "it is out", func() bool { return !w.In(one) })
	r := w.Machines[0].Q.Rulings(hearsay.Epoch(3), 1)[0]
	if r.Rule != hearsay.RuleWatch || !r.Evidence.IsZero() || len(r.Ballots) < 2 {
		t.Errorf("removed by %s, with %d ballots", r.Rule, len(r.Ballots))
	}
	t.Logf("out after %v", w.Now.Sub(began))
}

// A suspect that refutes nothing is brought before the seeds by each to which it has
// been silent for the short trial: its accuser may be lost itself, or
// what it reports.
func TestSeedOpensCaseOnSuspect(t *testing.T) {
	for _, heard := range []int{1, 3} { // by so many seeds; the case tells the others
		w := followed(t, 4, 3)
		one := w.People[1]
		one.Up, one.Covered = false, true
		for _, m := range w.Machines[:heard] {
			w.Step(m, func() { m.Q.Suspected(w.Now, one.ID()) })
		}
		cfg, began := w.Machines[0].Q.cfg, w.Now
		w.Run(cfg.ShortTrial - 100*time.Millisecond)
		if _, open := w.Machines[0].Q.Case(one.ID()); open || !w.In(one) {
			t.Fatal("a case is open, or over, too soon")
		}
		most := 3 * time.Second
		if heard < 2 {
			most += cfg.ShortTrial
		}
		w.Must(most, "it is out", func() bool { return !w.In(one) })
		if r := w.Machines[0].Q.Rulings(hearsay.Epoch(3), 1)[0]; r.Rule != hearsay.RuleWatch {
			t.Errorf("removed by %s", r.Rule)
		}
		t.Logf("known to %d seeds: out after %v", heard, w.Now.Sub(began))
	}
}

// A seed accuses a member that does not answer it, once, until it has answered: not
// if others say that they reach it, nor if no member at all answers this seed.
func TestSeedAccusesSilent(t *testing.T) {
	w := followed(t, 4, 4)
	m := w.Machines[0]
	silent := func(p *person) (accuses bool) {
		w.Step(m, func() {
			m.Q.watches.watch(w.Now, p.ID())
			began := w.Now.Add(-m.Q.cfg.Trial)
			accuses = m.Q.Probed(w.Now, Probe{Subject: p.ID(), Addr: p.Addr, Verdict: hearsay.VerdictUnreachable, Began: began})
		})
		return accuses
	}
	answers := func(p *person) {
		w.Step(m, func() {
			m.Q.watches.watch(w.Now, p.ID())
			m.Q.Probed(w.Now, Probe{Subject: p.ID(), Addr: p.Addr, Verdict: hearsay.VerdictReachable, Began: w.Now})
		})
	}
	w.Run(time.Second)
	m.Q.watches.heardMember = time.Time{}
	if silent(w.People[0]) {
		t.Error("accuses a member, and hears none")
	}
	answers(w.People[1])
	if !silent(w.People[0]) || silent(w.People[0]) {
		t.Error("does not accuse a member once")
	}
	w.People[0].Up, w.People[0].Covered = false, true
	for range 80 { // perhaps an older word of the member has ended the first
		w.Run(100 * time.Millisecond)
		m.Q.watches.heardMember = w.Now
	}
	if n := m.Q.watches.watched[w.People[0].ID()].accused; n != 2 {
		t.Errorf("accuses a member %d times that stays silent for eight seconds", n)
	}
	answers(w.People[1])
	if answers(w.People[0]); !silent(w.People[0]) {
		t.Error("does not accuse a member again that has answered")
	}
	w.Step(m, func() { m.Q.Relayed(w.Now, w.People[2].ID()) })
	if silent(w.People[2]) {
		t.Error("accuses a member that others reach")
	}
	w.Step(m, func() { m.Q.Suspected(w.Now, w.People[3].ID()) })
	if !silent(w.People[3]) {
		t.Error("does not accuse a suspect that others have accused: the other seeds may not have heard of that")
	}
}

// One answer ends what a seed had against a member.
func TestAnswerEndsSilence(t *testing.T) {
	w := followed(t, 4, 3)
	one, m := w.People[1], w.Machines[0]
	one.Up, one.Covered = false, true
	w.Step(m, func() { m.Q.Relayed(w.Now, one.ID()) })
	w.Run(m.Q.cfg.SilentFor - 3*time.Second)
	if !w.In(one) {
		t.Fatal("it is out too soon")
	}
	one.Up = true
	w.Run(3 * time.Second)
	one.Up = false
	w.Run(m.Q.cfg.SilentFor - 3*time.Second)
	if _, open := m.Q.Case(one.ID()); open || !w.In(one) {
		t.Error("a case is open though it has answered meanwhile")
	}
}

// However many are silent, few probes are under way at a time, the watches are
// bounded, and who asks to be in goes first.
func TestManySilentAreBounded(t *testing.T) {
	w := followed(t, 4, 60)
	m := w.Machines[0]
	for _, one := range w.People[5:] {
		one.Up, one.Covered = false, true
	}
	for _, one := range w.People[5 : 5+8] { // of the others the seed finds out itself
		w.Step(m, func() { m.Q.Suspected(w.Now, one.ID()) })
	}
	most := 0
	w.Must(20*time.Second, "all the silent are watched", func() bool {
		failing := 0
		for _, one := range w.People[5:] {
			if m.Q.Failing(one.ID()) {
				failing++
			}
		}
		most = max(most, m.Q.watches.probing)
		return failing == 55
	})
	if most > maxProbing {
		t.Errorf("%d probes at a time", most)
	}
	newcomer := w.NewPerson()
	w.Must(2*time.Second, "the newcomer is in", func() bool { return w.In(newcomer) })
	w.Must(time.Minute, "all the silent are out", func() bool {
		for _, one := range w.People[5:60] {
			if w.In(one) {
				return false
			}
		}
		return true
	})
	for _, m := range w.Machines {
		if len(m.Q.watches.first)+len(m.Q.watches.probes) > maxWatched {
			t.Errorf("%d and %d probes wait", len(m.Q.watches.first), len(m.Q.watches.probes))
		}
	}
}

// Where most members are silent, and each probe of one takes a second, one that dies among
// them is found, and tried, as soon as the core of a network must be rid of it.
func TestOneDiesAmongSilentMembers(t *testing.T) {
	w := followed(t, 7, 400)
	w.SilentFor = 1050 * time.Millisecond
	for _, one := range w.People[40:] {
		one.Up, one.Covered = false, true
	}
	for _, one := range w.People[40:60] { // the detectors find some, and the seeds all others
		for _, m := range w.Machines {
			w.Step(m, func() { m.Q.Suspected(w.Now, one.ID()) })
		}
	}
	w.Run(2 * time.Second)
	victim := w.People[20]
	victim.Up, victim.Covered = false, true
	w.Must(9*time.Second, "it is out", func() bool { return !w.In(victim) })
}

// Where a member was silent, or suspect, not long ago, the seeds go on to look at all: they find one that
// dies then before anybody else does. Where all has been well for a while they look at nobody.
func TestSeedsLookOnAfterSilence(t *testing.T) {
	w := followed(t, 4, 8)
	w.SilentFor = 500 * time.Millisecond
	slow, victim, last := w.People[1], w.People[5], w.People[6]
	for _, m := range w.Machines {
		w.Step(m, func() { m.Q.Suspected(w.Now, slow.ID()) })
	}
	w.Run(3 * time.Second)
	for _, m := range w.Machines {
		w.Step(m, func() { m.Q.Cleared(w.Now, slow.ID()) })
	}
	w.Run(lookFor - 5*time.Second)
	victim.Up, victim.Covered = false, true
	cfg := w.Machines[0].Q.cfg
	w.Must(lookLap+cfg.Trial+cfg.ShortTrial+2*time.Second, "it is out", func() bool { return !w.In(victim) })
	w.Run(lookFor + 2*time.Second)
	last.Up, last.Covered = false, true
	w.Run(cfg.SilentFor + 5*time.Second)
	if !w.In(last) {
		t.Error("the seeds look at all though nobody has been silent for long")
	}
}

// However long a seed was told to try, its ballot rests on probes that have just
// ended: what was so long ago may have changed.
func TestOldProbesDecideNothing(t *testing.T) {
	w := followed(t, 1, 6)
	m, p := w.Machines[0], w.People[2]
	m.Q.cfg.Trial, m.Q.cfg.ShortTrial, m.Q.hearing.heardFrom = 9*time.Second, 9*time.Second, w.Now.Add(-time.Minute)
	member, _ := m.Q.Member(p.ID())
	for _, c := range []struct {
		rule hearsay.Rule
		ago  time.Duration
		want hearsay.BallotVerdict
	}{
		{hearsay.RuleMajority, time.Second, hearsay.BallotYes},
		{hearsay.RuleMajority, 3 * time.Second, 0},
		{hearsay.RuleTimeout, 3 * time.Second, hearsay.BallotYes},
		{hearsay.RuleTimeout, 9 * time.Second, 0},
	} {
		failed := w.Now.Add(-c.ago)
		m.Q.watches.watched[p.ID()] = &watch{addr: p.Addr, failing: failed.Add(-10 * time.Second), failed: failed, since: failed.Add(-10 * time.Second), silent: 10 * time.Second}
		open := &ledger.Case{Opening: ledger.Command{Op: ledger.OpRemove, Stay: member.Stay, Rule: c.rule}}
		if got, why := m.Q.ballots.judge(w.Now, open, &check{began: w.Now}); got != c.want {
			t.Errorf("%v, with probes that ended %v ago: %v %q, want %v", c.rule, c.ago, got, why, c.want)
		}
	}
}

// A seed that could not judge for half a minute (it heard no quorum, or stood still),
// and has seen one probe fail before and one after, has not probed in vain for
// half a minute: it has seen two probes fail.
func TestAbstainingIsNoSilence(t *testing.T) {
	w := followed(t, 1, 6)
	m, p := w.Machines[0], w.People[2]
	member, _ := m.Q.Member(p.ID())
	q := m.Q
	w.Step(m, func() { q.Suspected(w.Now, p.ID()) })
	q.hearing.heardFrom = w.Now.Add(-time.Hour)
	at := w.Now
	probe := func(d time.Duration, v hearsay.Verdict) {
		now := at.Add(d)
		q.Probed(now, Probe{Subject: p.ID(), Addr: p.Addr, Verdict: v, Began: now.Add(-200 * time.Millisecond)})
	}
	probe(0, hearsay.VerdictUnreachable)
	for d := time.Second; d < 30*time.Second; d += time.Second {
		probe(d, hearsay.VerdictAbstains) // no quorum is heard
	}
	probe(30*time.Second, hearsay.VerdictUnreachable)
	now := at.Add(30 * time.Second)
	for _, rule := range []hearsay.Rule{hearsay.RuleMajority, hearsay.RuleTimeout, hearsay.RuleWatch} {
		open := &ledger.Case{Opening: ledger.Command{Op: ledger.OpRemove, Stay: member.Stay, Rule: rule}}
		if got, why := q.ballots.judge(now, open, &check{began: now}); got == hearsay.BallotYes {
			t.Errorf("%v: yes after two probes, 30 s apart, between which it abstained: %s", rule, why)
		}
	}
	if q.watches.mayReport(now, p.ID(), q.watches.watched[p.ID()]) {
		t.Error("it brings the member before the others")
	}
}

// What a seed has not probed is no silence, whatever kept it from that.
func TestSilenceIsWhatWasProbed(t *testing.T) {
	const took = 900 * time.Millisecond
	type probe struct {
		ends    time.Duration
		verdict hearsay.Verdict
		before  func(w *world, q *Quorum, one *watch)
	}
	fails := func(ends time.Duration) probe { return probe{ends, hearsay.VerdictUnreachable, nil} }
	abstains := func(ends time.Duration) probe { return probe{ends, hearsay.VerdictAbstains, nil} }
	waits := func(ends time.Duration) probe {
		return probe{ends, hearsay.VerdictUnreachable, func(_ *world, q *Quorum, one *watch) { one.waits(one.failed.Add(q.cfg.ProbeEvery)) }}
	}
	waitsAndAbstains := func(ends time.Duration) probe {
		return probe{ends, hearsay.VerdictAbstains, waits(0).before}
	}
	waitsLast := func(ends time.Duration) probe { // after it has abstained
		return probe{ends, hearsay.VerdictUnreachable, func(w *world, _ *Quorum, one *watch) { one.waits(w.Now.Add(ends - 2*took)) }}
	}
	hearsAgain := func(ends time.Duration) probe {
		return probe{ends, hearsay.VerdictUnreachable, func(w *world, q *Quorum, _ *watch) { q.hearing.heardFrom = w.Now.Add(ends - took) }}
	}
	comesToNothing := func(ends time.Duration) probe { // as none of probePatience does
		return probe{ends, hearsay.VerdictUnreachable, func(w *world, _ *Quorum, one *watch) { one.abstained = w.Now.Add(ends - took) }}
	}
	for name, c := range map[string]struct {
		probes []probe
		want   time.Duration
	}{
		"one":                           {[]probe{fails(time.Second)}, took},
		"one after the other":           {[]probe{fails(time.Second), fails(2 * time.Second), fails(3 * time.Second), fails(4 * time.Second)}, 3900 * time.Millisecond},
		"each two seconds":              {[]probe{fails(time.Second), fails(3 * time.Second), fails(5 * time.Second)}, 4900 * time.Millisecond},
		"that overlap":                  {[]probe{fails(time.Second), fails(1500 * time.Millisecond)}, 1400 * time.Millisecond},
		"nothing between":               {[]probe{fails(time.Second), fails(5 * time.Second)}, took},
		"nothing between for long":      {[]probe{fails(time.Second), fails(2 * time.Second), fails(time.Minute)}, took},
		"one abstains":                  {[]probe{fails(time.Second), abstains(2 * time.Second), fails(3 * time.Second)}, 2 * took},
		"some abstain":                  {[]probe{fails(time.Second), abstains(2 * time.Second), abstains(3 * time.Second), abstains(4 * time.Second), fails(5 * time.Second)}, took},
		"some take too long":            {[]probe{fails(time.Second), comesToNothing(3 * time.Second)}, 2 * took},
		"no room for long":              {[]probe{fails(time.Second), waits(9 * time.Second), waits(17 * time.Second)}, 3*took + 2*500*time.Millisecond},
		"no room, and then none wanted": {[]probe{fails(time.Second), waits(9 * time.Second), fails(17 * time.Second)}, took},
		"no room, and it abstains":      {[]probe{fails(time.Second), fails(2 * time.Second), waitsAndAbstains(4 * time.Second), abstains(30 * time.Second), fails(time.Minute)}, took},
		"it abstains, and no room":      {[]probe{fails(time.Second), fails(2 * time.Second), abstains(30 * time.Second), waitsLast(time.Minute)}, took},
		"no quorum":                     {[]probe{fails(time.Second), fails(2 * time.Second), hearsAgain(3 * time.Second)}, took},
	} {
		w := followed(t, 1, 6)
		p, q := w.People[2], w.Machines[0].Q
		w.Step(w.Machines[0], func() { q.Suspected(w.Now, p.ID()) })
		q.hearing.heardFrom = w.Now.Add(-time.Minute)
		for slot := range q.hearing.heardAt {
			q.hearing.heardAt[slot] = w.Now.Add(time.Minute)
		}
		for _, probe := range c.probes {
			if probe.before != nil {
				probe.before(w, q, q.watches.watched[p.ID()])
			}
			q.Probed(w.Now.Add(probe.ends), Probe{Subject: p.ID(), Addr: p.Addr, Verdict: probe.verdict, Began: w.Now.Add(probe.ends - took)})
		}
		if got := q.watches.silence(q.watches.watched[p.ID()]); got != c.want {
			t.Errorf("probes %s: a silence of %v, want %v", name, got, c.want)
		}
	}
}

// A seed that is cut off, or whose process stood still, has heard no quorum meanwhile, as
// of the last message: that it has a leader is so for some seconds more.
func TestHearingEndsWithTheLastMessage(t *testing.T) {
	for _, led := range []bool{false, true} {
		w := followed(t, 3, 2)
		slot, _ := w.Machines[0].Q.Leader()
		if !led {
			slot = (slot + 1) % 3
		}
		m := w.Machines[slot]
		w.Run(time.Second)
		if m.Q.hearing.heardFrom.IsZero() || m.Q.replica.leads() != led {
			t.Fatalf("heard from %v, leads %t", m.Q.hearing.heardFrom, m.Q.replica.leads())
		}
		w.Cut = func(from, to int) bool { return from == slot || to == slot }
		w.Run(m.Q.hearing.patience() + 2*m.Q.cfg.TickEvery)
		if !m.Q.hearing.heardFrom.IsZero() {
			t.Errorf("leads %t: it has heard a quorum for %v, after %v without a message", led, w.Now.Sub(m.Q.hearing.heardFrom), m.Q.hearing.patience())
		}
		w.Cut = nil
		w.Must(10*time.Second, "it hears a quorum", func() bool { return !m.Q.hearing.heardFrom.IsZero() })
		w.Run(time.Second)
		m.WakeAt = w.Now.Add(10 * time.Second)
		w.Run(20 * time.Second)
		if m.Q.hearing.heardFrom.Before(m.WakeAt) {
			t.Errorf("leads %t: it has heard a quorum since before it stood still for ten seconds", led)
		}
	}
}
