package sim

import (
	"fmt"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/testkit"
)

// Lies of members about others: suspicions, statements, and deaths made of
// them.

// accuser is a lying observer: whatever it is asked, nobody is reachable.
type accuser struct {
	*siege
	trial  *trial
	proofs map[hearsay.Hash]*hearsay.Evidence
}

// takes answers in its node's place what an observer and a relay are asked.
func (a *accuser) takes(_ *World, m *machine, p *core.Packet) bool {
	if !a.begun {
		return true
	}
	switch body := p.Body.(type) {
	case *core.WitnessReq:
		a.inject(int(m.index), m.id, p.Addr, &core.Statement{Statement: *a.statement(int(m.index), body.Subject, body.Incarnation, body.Round, hearsay.VerdictUnreachable)})
		return false
	case *core.RelayReq:
		a.inject(int(m.index), m.id, p.Addr, &core.Nack{Seq: body.Seq})
		return false
	case *core.EvidenceReq:
		if e := a.proofs[body.Hash]; e != nil {
			a.inject(int(m.index), m.id, p.Addr, &core.Evidence{Evidence: e})
			return false
		}
	}
	return true
}

// statement is a member's signed word.
func (s *siege) statement(observer int, subject hearsay.NodeID, incarnation hearsay.Incarnation, round hearsay.Round, verdict hearsay.Verdict) *hearsay.Statement {
	said := &hearsay.Statement{Subject: subject, Incarnation: incarnation, Round: round, Verdict: verdict, At: s.time().UnixMilli()}
	said.Sign(s.w.check.ledger.id(), s.identityOf(observer))
	return said
}

// charge is evidence made of these statements.
func (s *siege) charge(accuser int, rule hearsay.Rule, said []hearsay.Statement) *hearsay.Evidence {
	now := s.time()
	return &hearsay.Evidence{
		Subject: said[0].Subject, Incarnation: said[0].Incarnation, Round: said[0].Round, Rule: rule,
		Accuser: s.w.machines[accuser].id, Suspected: now.Add(-10 * time.Second).UnixMilli(), Condemned: now.UnixMilli(),
		Observers: uint8(len(said)), Needed: uint8(len(said)/2 + 1), Statements: said,
	}
}

// suspect and dead are claims that a liar makes.
func (s *siege) suspect(by int, subject hearsay.NodeID, incarnation hearsay.Incarnation) hearsay.Claim {
	return hearsay.Claim{Subject: subject, State: hearsay.StateSuspect, Incarnation: incarnation, By: s.w.machines[by].id}
}

func (s *siege) dead(by int, e *hearsay.Evidence) hearsay.Claim {
	return hearsay.Claim{
		Subject: e.Subject, State: hearsay.StateDead, Incarnation: e.Incarnation, By: s.w.machines[by].id, Evidence: e.Hash(s.w.id),
	}
}

// accuse has each liar suspect some, and once a second, in turn, claim one dead
// by what liars can sign.
func (a *accuser) accuse() {
	const suspected, told = 8, 3 // at a step
	for _, liar := range a.liars {
		known := a.known(liar)
		var claims []hearsay.Claim
		for range suspected {
			one := &known[a.random.IntN(len(known))]
			claims = append(claims, a.suspect(liar, one.ID, one.Incarnation))
		}
		if a.w.now%time.Second < siegeStep {
			claims = append(claims, a.accuseDead(liar, &known[a.random.IntN(len(known))])...)
		}
		for range told {
			a.inject(liar, a.w.machines[liar].id, a.addr(a.someone()), &core.News{}, claims...)
		}
	}
}

// accuseDead makes evidence of what the liars among the victim's observers sign
// when one of them asks, and of its own word as often as a majority lacks, or
// as two could say when a suspicion runs out.
func (a *accuser) accuseDead(liar int, victim *hearsay.Member) (claims []hearsay.Claim) {
	round := hearsay.Round(a.random.Uint64())
	say := func(observer int) hearsay.Statement {
		return *a.statement(observer, victim.ID, victim.Incarnation, round, hearsay.VerdictUnreachable)
	}
	var said []hearsay.Statement
	for _, observer := range a.trial.observersOf(a.honestAt(victim.ID)) {
		if a.lying[observer] {
			said = append(said, say(observer))
		}
	}
	for _, one := range []struct {
		rule  hearsay.Rule
		least int
	}{{hearsay.RuleMajority, a.trial.observers()}, {hearsay.RuleTimeout, 2}} {
		statements := slices.Clone(said)
		for len(statements) < one.least {
			statements = append(statements, say(liar))
		}
		e := a.charge(liar, one.rule, statements)
		a.proofs[e.Hash(a.w.id)] = e
		claims = append(claims, a.dead(liar, e))
	}
	return claims
}

func layLyingObserver(t *trial) {
	a := &accuser{trial: t, proofs: make(map[hearsay.Hash]*hearsay.Evidence)}
	a.siege = t.newSiege(0, nil, &twist{takes: a.takes})
	a.run(siegeBegins, siegeStep, nil)
	before := a.traffic()
	a.besiege(a.accuse)
	t.load(a.siege, before)
	t.membership(a.siege, a.truce())
	most := 0
	for member := range a.nodes {
		if a.lying[member] {
			continue
		}
		lying := t.lyingObservers(member, a.lying)
		most = max(most, lying)
		// Who is buried observes no more: in the place of one there may be a liar.
		t.claim(!a.first[member] || lying >= t.majority(), "one was buried of whose %d observers %d lie", t.observers(), lying)
	}
	t.most("lying_observers_of_one_most", float64(most))
	t.succeeded = a.deaths > 0
}

// layObservers lets f of the K observers of one member lie together, for each
// f.
func layObservers(t *trial) {
	observers, first := t.observers(), 0
	for f := 1; f <= observers; f++ {
		c := t.conspire(f)
		buried := c.deaths > 0
		c.settleAll()
		t.mean(fmt.Sprintf("f%d_succeeded", f), asFigure(buried))
		t.claim(!buried || f >= t.majority(), "%d of %d observers buried a member", f, observers)
		t.lawful(c.siege)
		if buried && first == 0 {
			first = f
		}
		if f == t.majority() {
			t.most("majority_on_nodes", float64(c.deadMost))
			t.most("majority_longest_s", c.deadLongest.Seconds())
			t.mean("majority_dead_share", c.deadFor.Seconds()/float64(c.honest()-1)/siegeLasts.Seconds())
		}
	}
	t.succeeded = first > 0
	t.mean("succeeds_from_f", float64(first))
	t.mean("majority", float64(t.majority()))
}

// asFigure is 1 for what is so.
func asFigure(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// conspiracy is some of a member's observers, who sign what is needed to bury
// it as soon as it has refuted the last burial.
type conspiracy struct {
	accuser
	victim  int
	signers []*testkit.Signer
	speaker int // who tells
}

// conspire draws a victim and f of its observers, and lets them try.
func (t *trial) conspire(f int) *conspiracy {
	stream := draws(t.seed, purposeAttack, uint64(f))
	victim := int(upTo(&stream, time.Duration(t.attack.Nodes)))
	liars := t.observersOf(victim)[:f]
	c := &conspiracy{victim: victim, speaker: liars[0]}
	c.proofs = make(map[hearsay.Hash]*hearsay.Evidence)
	c.siege = t.newSiege(0, liars, &twist{takes: c.takes})
	for _, liar := range liars {
		c.signers = append(c.signers, c.identityOf(liar))
	}
	c.besiege(c.bury)
	c.truce()
	return c
}

// bury tells everybody that the victim is suspect and dead, in one packet, with
// what the conspirators can sign, by either rule.
func (c *conspiracy) bury() {
	if !c.present(c.victim) {
		return
	}
	victim := c.w.machines[c.victim].id
	incarnation := c.incarnationOf(c.victim)
	round := hearsay.Round(c.random.Uint64())
	var said []hearsay.Statement
	for _, signer := range c.signers {
		one := hearsay.Statement{
			Subject: victim, Incarnation: incarnation, Round: round, Verdict: hearsay.VerdictUnreachable, At: c.time().UnixMilli(),
		}
		one.Sign(c.w.check.ledger.id(), signer)
		said = append(said, one)
	}
	claims := []hearsay.Claim{c.suspect(c.speaker, victim, incarnation)}
	for _, rule := range []hearsay.Rule{hearsay.RuleMajority, hearsay.RuleTimeout} {
		e := c.charge(c.speaker, rule, said)
		c.proofs[e.Hash(c.w.id)] = e
		claims = append(claims, c.dead(c.speaker, e))
	}
	for i := range c.w.machines {
		if i != c.victim && c.present(i) {
			c.inject(c.speaker, c.w.machines[c.speaker].id, c.addr(i), &core.News{}, claims...)
		}
	}
}

// layCover lets f of the K observers of a dead member say that they reach it,
// for each f, and relay to it what it can not answer.
func layCover(t *trial) {
	observers := t.observers()
	first := 0
	for f := 0; f <= observers; f++ {
		known, all := t.hide(f)
		if f > 0 {
			t.mean(fmt.Sprintf("f%d_succeeded", f), asFigure(!all))
		}
		switch f {
		case 0:
			t.most("f0_last_knows_s", known.Seconds())
		case t.majority() - 1:
			t.most("below_majority_last_knows_s", known.Seconds())
		}
		t.claim(all || f > observers-t.majority(), "%d of %d observers hid a dead member for %s", f, observers, siegeTruce)
		if !all && first == 0 {
			first = f
		}
	}
	t.succeeded = first > 0
	t.mean("succeeds_from_f", float64(first))
}

// hide kills a member of which f observers cover up, and gives when the last
// honest node held it dead.
func (t *trial) hide(f int) (last time.Duration, all bool) {
	stream := draws(t.seed, purposeAttack, uint64(f))
	victim := int(upTo(&stream, time.Duration(t.attack.Nodes)))
	var s *siege
	takes := func(_ *World, m *machine, p *core.Packet) bool {
		switch body := p.Body.(type) {
		case *core.WitnessReq:
			if s.begun && body.Subject == s.w.machines[victim].id {
				s.inject(int(m.index), m.id, p.Addr, &core.Statement{Statement: *s.statement(int(m.index), body.Subject, body.Incarnation, body.Round, hearsay.VerdictReachable)})
				return false
			}
		case *core.RelayReq:
			if s.begun && body.Target == s.w.machines[victim].id {
				s.inject(int(m.index), m.id, p.Addr, &core.Ack{Seq: body.Seq})
				return false
			}
		}
		return true
	}
	s = t.newSiege(0, t.observersOf(victim)[:f], &twist{takes: takes})
	knowers := 0
	s.events = func(m *machine, e *hearsay.Event) {
		if buries(e) && !s.w.isSeed(m) && e.Subject == s.w.machines[victim].id {
			knowers++
			last = s.w.now - siegeBegins
		}
	}
	s.run(siegeBegins, siegeStep, nil)
	s.begun = true
	s.w.Do(Action{Verb: Kill, Who: []int{victim + 1}})
	s.run(siegeTruce, siegeStep, nil)
	t.lawful(s)
	return last, knowers >= s.honest()-1
}
