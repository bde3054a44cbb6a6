package quorum

import (
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// What a seed makes of evidence, by its own roster.
func TestEvidence(t *testing.T) {
	w := followed(t, 1, 14)
	m, about := w.machines[0], w.people[3]
	about.up = false
	member, _ := m.q.Member(about.id())
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
		"about another":      {func(e *hearsay.Evidence) { e.Subject = w.people[4].id() }, "about another"},
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
			s.Sign(m.q.Ledger(), newKeyed(1))
			e.Statements = append(e.Statements[:4:4], s)
		}, "4 of 9"},
	} {
		e := w.evidence(m, about, hearsay.VerdictUnreachable)
		if len(e.Statements) != 9 {
			t.Fatalf("%d observers", len(e.Statements))
		}
		c.spoil(e)
		if got := m.q.unproven(w.now, e, &member); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	e := w.evidence(m, about, hearsay.VerdictUnreachable)
	e.Rule = hearsay.RuleTimeout
	e.Statements[3].Verdict = hearsay.VerdictReachable
	e.Statements[3].Sign(m.q.Ledger(), w.person(e.Statements[3].Observer).key)
	if got := m.q.unproven(w.now, e, &member); got != "an observer reaches it" {
		t.Errorf("a timeout with one who reaches it: %q", got)
	}
}

// Of evidence counts what a member has signed, or could have by this seed's clock. A member may
// have moved and died, so that this seed knows its newest word, and never lists it.
func TestEvidenceOfASignedIncarnation(t *testing.T) {
	w := followed(t, 66, 12)
	m, about := w.machines[0], w.people[3]
	member, _ := m.q.Member(about.id())
	e := w.evidence(m, about, hearsay.VerdictUnreachable)
	e.Incarnation = hearsay.Incarnation(w.now.UnixMilli())
	for i := range e.Statements {
		e.Statements[i].Incarnation = e.Incarnation
		e.Statements[i].Sign(m.q.Ledger(), w.person(e.Statements[i].Observer).key)
	}
	behind := w.now.Add(-17 * time.Minute)
	for signed, want := range map[hearsay.Incarnation]string{
		0: "of an incarnation that it cannot have", e.Incarnation - 1: "of an incarnation that it cannot have", e.Incarnation: "", e.Incarnation + 1: "",
	} {
		m.q.directory.Signed = func(hearsay.NodeID) hearsay.Incarnation { return signed }
		if got := m.q.unproven(behind, e, &member); got != want {
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
	m, p := w.machines[0], w.newSilent()
	w.must(5*time.Second, "one more is in", func() bool { return m.q.Epoch() == 7 })
	short := func(statements int) *hearsay.Evidence {
		e := w.evidence(m, p, hearsay.VerdictUnreachable)
		e.Rule, e.Statements = hearsay.RuleTimeout, e.Statements[:statements]
		return e
	}
	report := func(e *hearsay.Evidence, want AnswerCode) {
		t.Helper()
		w.step(m, func() {
			if a := m.q.Report(w.now, &Report{Stay: hearsay.Stay{ID: p.id()}, Evidence: e}); a.Code != want {
				t.Errorf("%+v, want %v", a, want)
			}
		})
	}
	for _, statements := range []int{0, 1, 2} { // it answers: all of them lie
		aborts := w.aborts
		report(short(statements), AnswerPending)
		w.must(5*time.Second, "the case ends", func() bool { return w.aborts == aborts+3 })
		report(short(0), AnswerWait)
		report(short(1), AnswerWait)
		report(short(2), AnswerWait)
		report(nil, AnswerWait)
		if w.run(w.cfg.ReportPause - time.Second); w.aborts != aborts+3 {
			t.Errorf("%d cases in one pause", (w.aborts-aborts)/3)
		}
		w.run(2 * time.Second)
	}
	p.up = false
	began := w.now
	report(short(1), AnswerPending)
	w.must(time.Second, "a case is open", func() bool { c, open := m.q.Case(p.id()); return open && c.Rule == hearsay.RuleTimeout })
	report(short(0), AnswerPending) // and does not take its place
	w.run(time.Second)
	if c, _ := m.q.Case(p.id()); len(c.Evidence.Statements) != 1 {
		t.Errorf("a report with fewer statements has displaced the case: %+v", c)
	}
	w.must(15*time.Second, "it is out", func() bool { return m.q.Epoch() == 8 })
	if took := w.now.Sub(began); took < w.cfg.ShortTrial {
		t.Errorf("after a trial of %v", took)
	}
	if r := m.q.Rulings(7, 1); len(r) != 1 || r[0].Rule != hearsay.RuleTimeout {
		t.Errorf("%+v", r)
	}
}

func (w *world) person(id hearsay.NodeID) *person {
	for _, p := range w.people {
		if p.id() == id {
			return p
		}
	}
	return nil
}

// Evidence alone removes nobody who answers the seeds; and without evidence
// nobody is removed who has not been silent for the short trial.
func TestSeedsLookForThemselves(t *testing.T) {
	w := followed(t, 2, 6)
	m, p := w.machines[0], w.people[2]
	w.step(m, func() {
		e := w.evidence(m, p, hearsay.VerdictUnreachable)
		if a := m.q.Report(w.now, &Report{Stay: hearsay.Stay{ID: p.id()}, Evidence: e}); a.Code != AnswerPending {
			t.Errorf("%+v", a)
		}
	})
	w.run(5 * time.Second)
	if m.q.Epoch() != 6 || w.aborts == 0 {
		t.Errorf("epoch %d, %d aborts", m.q.Epoch(), w.aborts)
	}
	silent := w.newSilent()
	w.must(5*time.Second, "one more is in", func() bool { return m.q.Epoch() == 7 })
	silent.up = false
	began := w.now
	w.step(m, func() { m.q.Report(w.now, &Report{Stay: hearsay.Stay{ID: silent.id()}}) })
	w.must(30*time.Second, "it is out", func() bool { return m.q.Epoch() == 8 })
	if took := w.now.Sub(began); took < w.machines[0].q.cfg.ShortTrial || took > 10*time.Second {
		t.Errorf("without evidence it took %v", took)
	}
}

// newSilent makes a peer that asks by itself once, and that nobody reports.
func (w *world) newSilent() *person {
	p := &person{n: 500, key: newKeyed(77_000), up: true, at: 5, addr: seedAddr(200)}
	w.people = append(w.people, p)
	w.step(w.machines[0], func() { w.machines[0].q.Admit(w.now, p.claim()) })
	return p
}

// A guest has no key: its address is its identity, and it must answer there.
func TestGuestsAreAdmitted(t *testing.T) {
	w := followed(t, 3, 1)
	m := w.machines[0]
	guest := &person{n: 600, up: true, guest: true, addr: seedAddr(201)}
	w.people = append(w.people, guest)
	ask := func() (a Answer) {
		w.step(m, func() { a = m.q.Admit(w.now, guest.claim()) })
		return a
	}
	if a := ask(); a.Code != AnswerPending {
		t.Fatalf("%+v", a)
	}
	w.must(5*time.Second, "it is in", func() bool { return m.q.Epoch() == 2 })
	if a := ask(); a.Code != AnswerDone || a.Stay.Epoch != 2 {
		t.Errorf("again: %+v", a)
	}
	stolen := guest.claim()
	stolen.Subject = w.people[0].id()
	stolen.Card.Addr = seedAddr(202)
	stolen.Subject[0]++
	w.step(m, func() {
		if a := m.q.Admit(w.now, stolen); a.Code != AnswerRefused {
			t.Errorf("another identity without a key: %+v", a)
		}
	})
	guest.up = false
	w.step(m, func() { m.q.Report(w.now, &Report{Stay: hearsay.Stay{ID: guest.id()}}) })
	w.must(30*time.Second, "it is out", func() bool { return m.q.Epoch() == 3 })
	guest.up = true
	ask()
	w.must(5*time.Second, "it is back", func() bool { return m.q.Epoch() == 4 })
}

// While a seed probes a node that asks to be in, an older word of it, which anybody may have kept, changes nothing.
func TestOlderWordOfWhoAsks(t *testing.T) {
	w := followed(t, 4, 1)
	q := w.machines[0].q
	newcomer := &person{n: 700, key: newKeyed(88_000), at: 7, addr: seedAddr(210)}
	older := &person{n: 700, key: newcomer.key, at: 6, addr: seedAddr(211)}
	moved := &person{n: 700, key: newcomer.key, at: 8, addr: seedAddr(212)}
	for _, test := range []struct{ asks, probed *person }{{newcomer, newcomer}, {older, newcomer}, {moved, moved}, {newcomer, moved}} {
		w.step(w.machines[0], func() { q.Admit(w.now, test.asks.claim()) })
		if k := q.knocks[newcomer.id()]; k == nil || k.claim.Card.Addr != test.probed.addr {
			t.Fatalf("after the word of %v at %v: %+v", test.asks.at, test.asks.addr, k)
		}
	}
}

// Where most of a thousand die at once, each is silent for some seconds only until it is removed: eight at a time are many.
func TestManyAreSilentInALargeNetwork(t *testing.T) {
	w := followed(t, 4, 1)
	q := w.machines[0].q
	q.state.Members.Count = 1000
	for silent, many := range map[int]bool{0: false, 7: false, 8: true, 100: true} {
		if q.lookAround(w.now, silent); q.manyUnheard != many {
			t.Errorf("%d of 1000 are silent: many: %t", silent, q.manyUnheard)
		}
	}
	q.state.Members.Count = 1
}

// Nobody is admitted who does not answer where it says it is.
func TestWhoDoesNotAnswerIsNotAdmitted(t *testing.T) {
	w := followed(t, 4, 1)
	m := w.machines[0]
	ghost := &person{n: 700, key: newKeyed(88_000), at: 7, addr: seedAddr(210)}
	w.people = append(w.people, ghost)
	ask := func() { w.step(m, func() { m.q.Admit(w.now, ghost.claim()) }) }
	ask()
	w.run(5 * time.Second)
	if silent := m.q.Silent(); len(silent) != 1 || silent[0].Claim.Subject != ghost.id() || len(m.q.knocks) > 0 || w.aborts > 0 {
		t.Errorf("%d are told of as silent, %d still ask, after %d aborted cases", len(silent), len(m.q.knocks), w.aborts)
	}
	ghost.up = true
	ask()
	w.must(time.Second, "a case is open", func() bool { _, open := m.q.Case(ghost.id()); return open })
	ghost.up = false // and answers nobody else
	w.must(10*time.Second, "the case ends", func() bool { return w.aborts == 3 })
	if m.q.Epoch() != 1 {
		t.Error("it was admitted")
	}
	ghost.addr = w.cfg.Seeds[1].Addr
	w.step(m, func() {
		if a := m.q.Admit(w.now, ghost.claim()); a.Code != AnswerRefused {
			t.Errorf("at a seed's address: %+v", a)
		}
	})
}

// A member that moves says so itself, and is probed where it is.
// A seed that was late says so, and not that the other does not answer.
func TestLateSeedAbstains(t *testing.T) {
	w := followed(t, 4, 1)
	m := w.machines[0]
	newcomer := &person{n: 700, key: newKeyed(88_000), at: 7, addr: seedAddr(210), up: true}
	w.people = append(w.people, newcomer)
	m.late = true
	w.step(m, func() { m.q.Admit(w.now, newcomer.claim()) })
	w.run(time.Second)
	if !m.q.Abstaining(newcomer.id()) {
		t.Error("it does not say that it abstains")
	}
	w.run(4 * time.Second)
	if silent := m.q.Silent(); len(silent) != 1 || silent[0].Why != Abstains {
		t.Errorf("says %+v", silent)
	}
	m.late = false
	w.step(m, func() { m.q.Admit(w.now, newcomer.claim()) })
	w.must(time.Second, "it is in", func() bool { _, in := m.q.Member(newcomer.id()); return in })
	w.run(time.Minute)
	newcomer.up, m.late = false, true
	w.step(m, func() { m.q.Suspected(w.now, newcomer.id()) })
	w.run(time.Second)
	if !m.q.Abstaining(newcomer.id()) || m.q.Failing(newcomer.id()) {
		t.Error("it judges a member while it is late")
	}
}

// What a seed does not hear while it hears no quorum either says nothing of others.
func TestAloneSeedFindsNobodySilent(t *testing.T) {
	w := followed(t, 4, 1)
	m := w.machines[0]
	one := w.people[0]
	for _, other := range w.machines[1:] {
		w.crash(other)
	}
	w.must(10*time.Second, "it hears no quorum", func() bool { return !m.q.Ready() && m.q.heardFrom.IsZero() })
	one.up = false
	w.step(m, func() { m.q.Suspected(w.now, one.id()) })
	w.run(20 * time.Second)
	if !m.q.Abstaining(one.id()) || m.q.Failing(one.id()) {
		t.Error("it judges a member while it is cut off")
	}
}

func TestMembersMove(t *testing.T) {
	w := followed(t, 5, 2)
	m, p := w.machines[0], w.people[1]
	p.addr, p.at = seedAddr(220), p.at+1
	w.step(m, func() { m.q.Move(w.now, p.claim()) })
	w.must(5*time.Second, "it is known there", func() bool {
		one, _ := w.machines[2].q.Member(p.id())
		return one.Claim.Card.Addr == p.addr && one.Stay.Epoch > 0
	})
	forged := p.claim()
	forged.Incarnation++
	w.step(m, func() {
		if a := m.q.Move(w.now, forged); a.Code != AnswerRefused {
			t.Errorf("a forged move: %+v", a)
		}
	})
	w.step(m, func() { m.q.Report(w.now, &Report{Stay: hearsay.Stay{ID: p.id()}}) })
	w.run(15 * time.Second)
	if _, ok := m.q.Member(p.id()); !ok {
		t.Error("it was removed though it answers at its new address")
	}
}

// A snapshot larger than a message goes in parts, and the ledger behind it is
// fetched and checked backwards.
func TestLargeSnapshot(t *testing.T) {
	w := newWorld(t, 3, 6)
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	for range 1200 {
		w.newPerson()
	}
	w.must(time.Minute, "all are in", func() bool { return w.machines[0].q.Epoch() == 1200 && w.agree() })
	m := w.machines[2]
	w.wipe(m)
	w.epochs[2] = 0
	w.start(m)
	w.must(time.Minute, "it has caught up", w.agree)
	if n := len(m.q.state.AppendSnapshot(nil)); n <= snapshotPart {
		t.Errorf("a snapshot of %d bytes goes in one message", n)
	}
	if got := m.q.Rulings(0, 1); len(got) != 1 || got[0].Epoch != 1 {
		t.Error("the first ruling is not there")
	}
}

// A seed wants no more probes at a time than its detector takes, and all that
// it needs one after the other.
func TestProbesWaitForRoom(t *testing.T) {
	w := newWorld(t, 1, 9)
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	m, wanted, most := w.machines[0], 0, 0
	w.teller = func(_ *machine, e hearsay.Event) {
		if e.Kind == hearsay.EventProbeWanted {
			wanted++
		}
		most = max(most, m.q.probing)
	}
	for range 500 {
		p := w.newPerson()
		p.up = p.n%10 > 0 // some are gone before they are met
	}
	w.must(20*time.Second, "all others are in", func() bool { return m.q.Epoch() == 450 })
	for _, p := range w.people {
		if p.up = p.n%2 == 0; !p.up {
			w.step(m, func() { m.q.Report(w.now, &Report{Stay: hearsay.Stay{ID: p.id()}}) })
		}
	}
	w.must(time.Minute, "all others are out", func() bool { return m.q.Epoch() >= 700 })
	w.must(20*time.Second, "and no case is open", func() bool { return len(m.q.state.Cases) == 0 })
	w.must(lookFor+2*time.Second, "and nobody is looked at", func() bool { return len(m.q.watched) == 0 })
	w.run(lookLap)
	if most != maxProbing || wanted < 500 || m.q.probing != 0 || len(m.q.watched) > 0 {
		t.Errorf("%d probes, at most %d at a time; %d are under way", wanted, most, m.q.probing)
	}
}

// Those who ask to be in and are nobody keep no seed from its members, open no
// case, and leave nothing.
func TestMadeUpPeersKeepNobodyWaiting(t *testing.T) {
	w := followed(t, 7, 5)
	victim := w.people[2]
	last := w.machines[0].q.replica.log.last()
	made, pending := 0, 0
	ask := func() {
		for _, m := range w.machines {
			for range 40 { // a second 400, of each seed
				made++
				ghost := &person{n: 10_000 + made, key: newKeyed(uint64(100_000 + made)), at: 7, addr: seedAddr(210)}
				w.step(m, func() {
					if m.q.Admit(w.now, ghost.claim()).Code == AnswerPending {
						pending++
					}
				})
			}
			if len(m.q.knocks) > maxKnocks || len(m.q.Silent()) > maxKnocks || len(m.q.state.Cases) > 1 {
				t.Fatalf("%d ask, %d cases are open", len(m.q.knocks), len(m.q.state.Cases))
			}
		}
	}
	for i := range 200 {
		if i == 20 {
			victim.up = false
			for _, m := range w.machines {
				w.step(m, func() { m.q.Report(w.now, &Report{Stay: hearsay.Stay{ID: victim.id()}}) })
			}
		}
		ask()
		w.run(100 * time.Millisecond)
		if i == 140 && w.machines[1].q.Epoch() != 6 { // 12 s later; without evidence it is tried for 10 s
			t.Fatalf("the dead one is still in\n%s", w.describe())
		}
	}
	if grown := w.machines[0].q.replica.log.last() - last; grown > 20 {
		t.Errorf("%d who are nobody left %d entries in the log", made, grown)
	}
	if pending < made/2 {
		t.Errorf("only %d of %d were looked at: the test shows little", pending, made)
	}
	w.newPerson()
	w.must(5*time.Second, "somebody real is in", func() bool { return w.machines[2].q.Epoch() == 7 })
}

// A member that is silent to a seed for long comes before the seeds, whatever
// others say of it: that a suspicion is over does not end the seed's own watch.
func TestSeedOpensCaseOnSilent(t *testing.T) {
	w := followed(t, 4, 3)
	one := w.people[1]
	one.up, one.covered = false, true
	began := w.now
	for _, m := range w.machines {
		w.step(m, func() { m.q.Suspected(w.now, one.id()) })
	}
	w.run(time.Second)
	for _, m := range w.machines {
		w.step(m, func() { m.q.Cleared(w.now, one.id()) }) // as those say that lie
	}
	w.run(w.machines[0].q.cfg.SilentFor - 2*time.Second)
	if _, open := w.machines[0].q.Case(one.id()); open || !w.in(one) {
		t.Fatal("a case is open, or over, too soon")
	}
	w.must(5*time.Second, "it is out", func() bool { return !w.in(one) })
	r := w.machines[0].q.Rulings(hearsay.Epoch(3), 1)[0]
	if r.Rule != hearsay.RuleWatch || !r.Evidence.IsZero() || len(r.Ballots) < 2 {
		t.Errorf("removed by %s, with %d ballots", r.Rule, len(r.Ballots))
	}
	t.Logf("out after %v", w.now.Sub(began))
}

// A suspect that refutes nothing is brought before the seeds by each to which it has
// been silent for the short trial: its accuser may be lost itself, or
// what it reports.
func TestSeedOpensCaseOnSuspect(t *testing.T) {
	for _, heard := range []int{1, 3} { // by so many seeds; the case tells the others
		w := followed(t, 4, 3)
		one := w.people[1]
		one.up, one.covered = false, true
		for _, m := range w.machines[:heard] {
			w.step(m, func() { m.q.Suspected(w.now, one.id()) })
		}
		cfg, began := w.machines[0].q.cfg, w.now
		w.run(cfg.ShortTrial - 100*time.Millisecond)
		if _, open := w.machines[0].q.Case(one.id()); open || !w.in(one) {
			t.Fatal("a case is open, or over, too soon")
		}
		most := 3 * time.Second
		if heard < 2 {
			most += cfg.ShortTrial
		}
		w.must(most, "it is out", func() bool { return !w.in(one) })
		if r := w.machines[0].q.Rulings(hearsay.Epoch(3), 1)[0]; r.Rule != hearsay.RuleWatch {
			t.Errorf("removed by %s", r.Rule)
		}
		t.Logf("known to %d seeds: out after %v", heard, w.now.Sub(began))
	}
}

// A seed accuses a member that does not answer it, once, until it has answered: not
// if others say that they reach it, nor if no member at all answers this seed.
func TestSeedAccusesSilent(t *testing.T) {
	w := followed(t, 4, 4)
	m := w.machines[0]
	silent := func(p *person) (accuses bool) {
		w.step(m, func() {
			m.q.watch(w.now, p.id())
			began := w.now.Add(-m.q.cfg.Trial)
			accuses = m.q.Probed(w.now, Probe{Subject: p.id(), Addr: p.addr, Verdict: hearsay.VerdictUnreachable, Began: began})
		})
		return accuses
	}
	answers := func(p *person) {
		w.step(m, func() {
			m.q.watch(w.now, p.id())
			m.q.Probed(w.now, Probe{Subject: p.id(), Addr: p.addr, Verdict: hearsay.VerdictReachable, Began: w.now})
		})
	}
	w.run(time.Second)
	m.q.heardMember = time.Time{}
	if silent(w.people[0]) {
		t.Error("accuses a member, and hears none")
	}
	answers(w.people[1])
	if !silent(w.people[0]) || silent(w.people[0]) {
		t.Error("does not accuse a member once")
	}
	if answers(w.people[0]); !silent(w.people[0]) {
		t.Error("does not accuse a member again that has answered")
	}
	w.step(m, func() { m.q.Relayed(w.now, w.people[2].id()) })
	if silent(w.people[2]) {
		t.Error("accuses a member that others reach")
	}
	w.step(m, func() { m.q.Suspected(w.now, w.people[3].id()) })
	if !silent(w.people[3]) {
		t.Error("does not accuse a suspect that others have accused: the other seeds may not have heard of that")
	}
}

// One answer ends what a seed had against a member.
func TestAnswerEndsSilence(t *testing.T) {
	w := followed(t, 4, 3)
	one, m := w.people[1], w.machines[0]
	one.up, one.covered = false, true
	w.step(m, func() { m.q.Relayed(w.now, one.id()) })
	w.run(m.q.cfg.SilentFor - 3*time.Second)
	if !w.in(one) {
		t.Fatal("it is out too soon")
	}
	one.up = true
	w.run(3 * time.Second)
	one.up = false
	w.run(m.q.cfg.SilentFor - 3*time.Second)
	if _, open := m.q.Case(one.id()); open || !w.in(one) {
		t.Error("a case is open though it has answered meanwhile")
	}
}

// However many are silent, few probes are under way at a time, the watches are
// bounded, and who asks to be in goes first.
func TestManySilentAreBounded(t *testing.T) {
	w := followed(t, 4, 60)
	m := w.machines[0]
	for _, one := range w.people[5:] {
		one.up, one.covered = false, true
	}
	for _, one := range w.people[5 : 5+8] { // of the others the seed finds out itself
		w.step(m, func() { m.q.Suspected(w.now, one.id()) })
	}
	most := 0
	w.must(20*time.Second, "all the silent are watched", func() bool {
		failing := 0
		for _, one := range w.people[5:] {
			if m.q.Failing(one.id()) {
				failing++
			}
		}
		most = max(most, m.q.probing)
		return failing == 55
	})
	if most > maxProbing {
		t.Errorf("%d probes at a time", most)
	}
	newcomer := w.newPerson()
	w.must(2*time.Second, "the newcomer is in", func() bool { return w.in(newcomer) })
	w.must(time.Minute, "all the silent are out", func() bool {
		for _, one := range w.people[5:60] {
			if w.in(one) {
				return false
			}
		}
		return true
	})
	for _, m := range w.machines {
		if len(m.q.first)+len(m.q.probes) > maxWatched {
			t.Errorf("%d and %d probes wait", len(m.q.first), len(m.q.probes))
		}
	}
}

// Where most members are silent, and each probe of one takes a second, one that dies among
// them is found, and tried, as soon as the core of a network must be rid of it.
func TestOneDiesAmongSilentMembers(t *testing.T) {
	w := followed(t, 7, 400)
	w.silentFor = 1050 * time.Millisecond
	for _, one := range w.people[40:] {
		one.up, one.covered = false, true
	}
	for _, one := range w.people[40:60] { // the detectors find some, and the seeds all others
		for _, m := range w.machines {
			w.step(m, func() { m.q.Suspected(w.now, one.id()) })
		}
	}
	w.run(2 * time.Second)
	victim := w.people[20]
	victim.up, victim.covered = false, true
	w.must(9*time.Second, "it is out", func() bool { return !w.in(victim) })
}

// Where a member was silent, or suspect, not long ago, the seeds go on to look at all: they find one that
// dies then before anybody else does. Where all has been well for a while they look at nobody.
func TestSeedsLookOnAfterSilence(t *testing.T) {
	w := followed(t, 4, 8)
	w.silentFor = 500 * time.Millisecond
	slow, victim, last := w.people[1], w.people[5], w.people[6]
	for _, m := range w.machines {
		w.step(m, func() { m.q.Suspected(w.now, slow.id()) })
	}
	w.run(3 * time.Second)
	for _, m := range w.machines {
		w.step(m, func() { m.q.Cleared(w.now, slow.id()) })
	}
	w.run(lookFor - 5*time.Second)
	victim.up, victim.covered = false, true
	cfg := w.machines[0].q.cfg
	w.must(lookLap+cfg.Trial+cfg.ShortTrial+2*time.Second, "it is out", func() bool { return !w.in(victim) })
	w.run(lookFor + 2*time.Second)
	last.up, last.covered = false, true
	w.run(cfg.SilentFor + 5*time.Second)
	if !w.in(last) {
		t.Error("the seeds look at all though nobody has been silent for long")
	}
}

// However long a seed was told to try, its ballot rests on probes that have just
// ended: what was so long ago may have changed.
func TestOldProbesDecideNothing(t *testing.T) {
	w := followed(t, 1, 6)
	m, p := w.machines[0], w.people[2]
	m.q.cfg.Trial, m.q.cfg.ShortTrial, m.q.heardFrom = 9*time.Second, 9*time.Second, w.now.Add(-time.Minute)
	member, _ := m.q.Member(p.id())
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
		failed := w.now.Add(-c.ago)
		m.q.watched[p.id()] = &watch{addr: p.addr, failing: failed.Add(-10 * time.Second), failed: failed, since: failed.Add(-10 * time.Second), silent: 10 * time.Second}
		open := &ledger.Case{Opening: ledger.Command{Op: ledger.OpRemove, Stay: member.Stay, Rule: c.rule}}
		if got, why := m.q.judge(w.now, open, &trial{began: w.now}); got != c.want {
			t.Errorf("%v, with probes that ended %v ago: %v %q, want %v", c.rule, c.ago, got, why, c.want)
		}
	}
}

// A seed that could not judge for half a minute (it heard no quorum, or stood still),
// and has seen one probe fail before and one after, has not probed in vain for
// half a minute: it has seen two probes fail.
func TestAbstainingIsNoSilence(t *testing.T) {
	w := followed(t, 1, 6)
	m, p := w.machines[0], w.people[2]
	member, _ := m.q.Member(p.id())
	q := m.q
	w.step(m, func() { q.Suspected(w.now, p.id()) })
	q.heardFrom = w.now.Add(-time.Hour)
	at := w.now
	probe := func(d time.Duration, v hearsay.Verdict) {
		now := at.Add(d)
		q.Probed(now, Probe{Subject: p.id(), Addr: p.addr, Verdict: v, Began: now.Add(-200 * time.Millisecond)})
	}
	probe(0, hearsay.VerdictUnreachable)
	for d := time.Second; d < 30*time.Second; d += time.Second {
		probe(d, hearsay.VerdictAbstains) // no quorum is heard
	}
	probe(30*time.Second, hearsay.VerdictUnreachable)
	now := at.Add(30 * time.Second)
	for _, rule := range []hearsay.Rule{hearsay.RuleMajority, hearsay.RuleTimeout, hearsay.RuleWatch} {
		open := &ledger.Case{Opening: ledger.Command{Op: ledger.OpRemove, Stay: member.Stay, Rule: rule}}
		if got, why := q.judge(now, open, &trial{began: now}); got == hearsay.BallotYes {
			t.Errorf("%v: yes after two probes, 30 s apart, between which it abstained: %s", rule, why)
		}
	}
	if q.mayReport(now, p.id(), q.watched[p.id()]) {
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
		return probe{ends, hearsay.VerdictUnreachable, func(w *world, _ *Quorum, one *watch) { one.waits(w.now.Add(ends - 2*took)) }}
	}
	hearsAgain := func(ends time.Duration) probe {
		return probe{ends, hearsay.VerdictUnreachable, func(w *world, q *Quorum, _ *watch) { q.heardFrom = w.now.Add(ends - took) }}
	}
	comesToNothing := func(ends time.Duration) probe { // as none of probePatience does
		return probe{ends, hearsay.VerdictUnreachable, func(w *world, _ *Quorum, one *watch) { one.abstained = w.now.Add(ends - took) }}
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
		p, q := w.people[2], w.machines[0].q
		w.step(w.machines[0], func() { q.Suspected(w.now, p.id()) })
		q.heardFrom = w.now.Add(-time.Minute)
		for slot := range q.heardAt {
			q.heardAt[slot] = w.now.Add(time.Minute)
		}
		for _, probe := range c.probes {
			if probe.before != nil {
				probe.before(w, q, q.watched[p.id()])
			}
			q.Probed(w.now.Add(probe.ends), Probe{Subject: p.id(), Addr: p.addr, Verdict: probe.verdict, Began: w.now.Add(probe.ends - took)})
		}
		if got := q.silence(q.watched[p.id()]); got != c.want {
			t.Errorf("probes %s: a silence of %v, want %v", name, got, c.want)
		}
	}
}

// A seed that is cut off, or whose process stood still, has heard no quorum meanwhile, as
// of the last message: that it has a leader is so for some seconds more.
func TestHearingEndsWithTheLastMessage(t *testing.T) {
	for _, led := range []bool{false, true} {
		w := followed(t, 3, 2)
		slot, _ := w.machines[0].q.Leader()
		if !led {
			slot = (slot + 1) % 3
		}
		m := w.machines[slot]
		w.run(time.Second)
		if m.q.heardFrom.IsZero() || m.q.replica.leads() != led {
			t.Fatalf("heard from %v, leads %t", m.q.heardFrom, m.q.replica.leads())
		}
		w.cut = func(from, to int) bool { return from == slot || to == slot }
		w.run(m.q.patience() + 2*m.q.cfg.TickEvery)
		if !m.q.heardFrom.IsZero() {
			t.Errorf("leads %t: it has heard a quorum for %v, after %v without a message", led, w.now.Sub(m.q.heardFrom), m.q.patience())
		}
		w.cut = nil
		w.must(10*time.Second, "it hears a quorum", func() bool { return !m.q.heardFrom.IsZero() })
		w.run(time.Second)
		m.wakeAt = w.now.Add(10 * time.Second)
		w.run(20 * time.Second)
		if m.q.heardFrom.Before(m.wakeAt) {
			t.Errorf("leads %t: it has heard a quorum since before it stood still for ten seconds", led)
		}
	}
}
