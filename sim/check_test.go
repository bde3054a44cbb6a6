package sim

import (
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/testkit"
)

// court is a checker that has been told of some machines, and what a test
// needs to feed it true and false words of theirs.
type court struct {
	*checker
	machines []machine
	signers  []*testkit.Signer
	lost     bool // what is to follow records never goes out
}

func newCourt(machines int) *court {
	c := &court{checker: newChecker(hearsay.NetworkIDOf(networkName), DefaultConfig(), machines)}
	for i := range machines {
		m := newMachine(1, i)
		m.disks = 1
		s := testkit.NewSigner(1, i+1, 1)
		m.id = s.Public().NodeID()
		m.identity = c.started(&m, s.Public(), 0)
		c.machines, c.signers = append(c.machines, m), append(c.signers, s)
	}
	return c
}

// The case of these tests: observers 1 to 5 examine the subject 0 in round 7,
// and machine 9 is told of its death.
const (
	theSubject     = 0
	theRound       = hearsay.Round(7)
	theIncarnation = hearsay.Incarnation(100)
	theMorning     = hearsay.Incarnation(1_767_225_600_000) // of the world: incarnations are from then on
	theListener    = 9
)

// examines has an observer say its verdict, with three pings before, answered
// or not.
func (c *court) examines(observer int, verdict hearsay.Verdict, answered bool) {
	m := &c.machines[observer]
	c.received(m, &core.Packet{Body: &core.WitnessReq{Subject: c.machines[theSubject].id}}, time.Second)
	for seq := range uint64(3) {
		c.sent(m, &core.Packet{Body: &core.Ping{Seq: seq, Target: c.machines[theSubject].id}}, &flight{}, time.Second)
		if answered {
			c.received(m, &core.Packet{From: c.machines[theSubject].id, Body: &core.Ack{Seq: seq}}, time.Second+time.Millisecond)
		}
	}
	c.event(m, &hearsay.Event{
		Kind: hearsay.EventExamined, Subject: c.machines[theSubject].id, Round: theRound,
		Verdict: verdict, Count: 3, Took: time.Second,
	}, 2*time.Second)
}

// evidenceOf gathers true statements of observers 1 to against.
func (c *court) evidenceOf(against int) *hearsay.Evidence {
	e := &hearsay.Evidence{
		Subject: c.machines[theSubject].id, Incarnation: theIncarnation, Round: theRound,
		Rule: hearsay.RuleMajority, Observers: 9, Needed: 5,
	}
	for observer := 1; observer <= against; observer++ {
		c.examines(observer, hearsay.VerdictUnreachable, false)
		s := hearsay.Statement{
			Subject: e.Subject, Incarnation: e.Incarnation, Round: e.Round, Verdict: hearsay.VerdictUnreachable,
		}
		s.Sign(c.ledger.id(), c.signers[observer])
		e.Statements = append(e.Statements, s)
	}
	return e
}

func (c *court) tellsDeath(e *hearsay.Evidence) {
	c.event(&c.machines[theListener], &hearsay.Event{
		Kind: hearsay.EventMemberDead, Subject: c.machines[theSubject].id, Evidence: e,
	}, 3*time.Second)
}

// tried has evidence checked that seeds have tried.
func (c *court) tried(e *hearsay.Evidence) {
	c.ledger.seeds = 3
	c.evidence(&c.machines[theListener], e, 3*time.Second)
}

func (c *court) tellsRoster(member int, state hearsay.State, incarnation hearsay.Incarnation) {
	c.roster(&c.machines[theListener], []hearsay.Member{{ID: c.machines[member].id, State: state, Incarnation: theMorning + incarnation}}, 0, hearsay.Stats{}, 0)
}

func (c *court) sends(now bool, incarnation hearsay.Incarnation, records ...core.Record) {
	m := &c.machines[theListener]
	packets := []core.Packet{{
		Body: &core.News{}, Claims: []hearsay.Claim{{Subject: m.id, State: hearsay.StateAlive, Incarnation: incarnation}},
	}}
	e := &core.Effects{Persist: records}
	if now {
		e.Now = packets
	} else {
		e.Send = packets
	}
	c.stepped(m, e, 0)
	if !c.lost {
		c.follows(m, 0)
	}
}

// A checker that cannot bite is worth nothing: each violation is found, and
// what is like it but right is not.
func TestCheckerBites(t *testing.T) {
	t.Parallel()
	own := func(n hearsay.Incarnation) core.Record { return &core.OwnIncarnation{Incarnation: n} }
	for _, test := range []struct {
		name string
		feed func(c *court)
		rule Rule   // 0: nothing is wrong
		text string // part of what is said
	}{
		{"incarnations that grow", func(c *court) {
			c.tellsRoster(3, hearsay.StateAlive, 5)
			c.tellsRoster(3, hearsay.StateSuspect, 5)
			c.tellsRoster(3, hearsay.StateAlive, 5)
			c.tellsRoster(3, hearsay.StateDead, 5)
			c.tellsRoster(3, hearsay.StateAlive, 6)
		}, 0, ""},
		{"incarnation that falls", func(c *court) {
			c.tellsRoster(3, hearsay.StateAlive, 5)
			c.tellsRoster(3, hearsay.StateAlive, 4)
		}, RuleIncarnation, "n10: rule incarnation broken: holds n4 at incarnation 1767225600004, and held it at 1767225600005"},
		{"dead incarnation that returns", func(c *court) {
			c.tellsRoster(3, hearsay.StateDead, 5)
			c.tellsRoster(3, hearsay.StateAlive, 5)
		}, RuleReturn, "n4 is alive again at incarnation 1767225600005, which was dead"},
		{"left incarnation that returns, by event", func(c *court) {
			c.tellsRoster(3, hearsay.StateLeft, 5)
			c.event(&c.machines[theListener], &hearsay.Event{
				Kind: hearsay.EventMemberReturned, Subject: c.machines[3].id, Incarnation: theMorning + 5,
			}, 0)
		}, RuleReturn, "n4 is alive again"},
		{"member that never was", func(c *court) {
			c.roster(&c.machines[1], []hearsay.Member{{ID: hearsay.NodeID{1}, State: hearsay.StateAlive}}, 0, hearsay.Stats{}, 0)
		}, RuleEvidence, "never was"},

		{"own incarnation, durable", func(c *court) {
			c.sends(false, 5, own(5))
			c.synced(&c.machines[theListener])
			c.sends(true, 5)
		}, 0, ""},
		{"own incarnation before it is durable", func(c *court) { c.sends(false, 5, own(4)) }, RuleIncarnation, "tells its incarnation 5 in *core.News before"},
		{"own incarnation now, with its record", func(c *court) { c.sends(true, 5, own(5)) }, RuleIncarnation, "tells its incarnation 5 in *core.News before"},
		{"own incarnation used again after a restart", func(c *court) {
			c.sends(false, 5, own(5))
			m := &c.machines[theListener]
			c.stopped(m, 1)
			c.started(m, c.signers[theListener].Public(), 2)
			c.sends(false, 5, own(5))
		}, RuleIncarnation, "uses its incarnation 5 again"},
		{"own incarnation used again that never went out", func(c *court) {
			c.lost = true
			c.sends(false, 5, own(5))
			m := &c.machines[theListener]
			c.stopped(m, 1)
			c.started(m, c.signers[theListener].Public(), 2)
			c.lost = false
			c.sends(false, 5, own(5))
		}, 0, ""},
		{"own incarnation persisted backwards", func(c *court) {
			c.sends(false, 5, own(5))
			c.sends(false, 5, own(4))
		}, RuleIncarnation, "persists its own incarnation 4 after 5"},

		{"true death", func(c *court) { c.killed(); c.tellsDeath(c.evidenceOf(5)) }, 0, ""},
		{"false death, not forbidden", func(c *court) { c.tellsDeath(c.evidenceOf(5)) }, 0, ""},
		{"false death, forbidden", func(c *court) { c.strict = true; c.tellsDeath(c.evidenceOf(5)) }, RuleFalseDeath, "n1 is dead, which was always there"},
		{"death in a partition", func(c *court) { c.strict = true; c.disturbed(1, false); c.tellsDeath(c.evidenceOf(5)) }, 0, ""},
		{"death without evidence", func(c *court) { c.tellsDeath(nil) }, RuleEvidence, "n1 is dead without evidence"},
		{"death by too few", func(c *court) { c.killed(); c.tellsDeath(c.evidenceOf(4)) }, RuleEvidence, "4 of 9 against, 5 needed"},
		{"death by a lowered majority", func(c *court) {
			e := c.evidenceOf(4)
			e.Needed = 4
			c.tellsDeath(e)
		}, RuleEvidence, "4 needed of 9 observers"},
		{"death by one who says it twice", func(c *court) {
			e := c.evidenceOf(4)
			e.Statements = append(e.Statements, e.Statements[0])
			c.tellsDeath(e)
		}, RuleEvidence, "statement of n2: its second"},
		{"death by the evidence against another", func(c *court) {
			e := c.evidenceOf(5)
			e.Subject = c.machines[8].id
			c.tellsDeath(e)
		}, RuleEvidence, "n1 is dead by the evidence against n9"},
		{"statement of another round", func(c *court) {
			e := c.evidenceOf(5)
			e.Round++
			c.tellsDeath(e)
		}, RuleEvidence, "of another round"},
		{"statement that is not signed", func(c *court) {
			e := c.evidenceOf(5)
			e.Statements[2].Signature[0] ^= 1
			c.tellsDeath(e)
		}, RuleEvidence, "statement of n4: not signed by it"},
		{"statement that its observer never made", func(c *court) {
			e := c.evidenceOf(4)
			s := e.Statements[0]
			s.Sign(c.ledger.id(), c.signers[6])
			e.Statements = append(e.Statements, s)
			c.tellsDeath(e)
		}, RuleEvidence, "statement of n7: says unreachable, and it found"},
		{"timeout with one who reaches it", func(c *court) {
			c.killed()
			e := c.evidenceOf(3)
			e.Rule = hearsay.RuleTimeout
			c.examines(4, hearsay.VerdictReachable, true)
			s := e.Statements[0]
			s.Verdict = hearsay.VerdictReachable
			s.Sign(c.ledger.id(), c.signers[4])
			e.Statements = append(e.Statements, s)
			c.tellsDeath(e)
		}, RuleEvidence, "at the timeout: 3 against, 1 reachable"},
		{"timeout with one against, without seeds", func(c *court) {
			c.killed()
			e := c.evidenceOf(1)
			e.Rule = hearsay.RuleTimeout
			c.tellsDeath(e)
		}, RuleEvidence, "at the timeout: 1 against, 0 reachable"},
		{"timeout with none, with seeds", func(c *court) {
			e := c.evidenceOf(0)
			e.Rule = hearsay.RuleTimeout
			c.tried(e)
			e.Observers, e.Needed = 0, 1
			c.tried(e)
		}, 0, ""},
		{"timeout with one who reaches it, with seeds", func(c *court) {
			e := c.evidenceOf(0)
			e.Rule = hearsay.RuleTimeout
			c.examines(1, hearsay.VerdictReachable, true)
			s := hearsay.Statement{Subject: e.Subject, Incarnation: e.Incarnation, Round: e.Round, Verdict: hearsay.VerdictReachable}
			s.Sign(c.ledger.id(), c.signers[1])
			e.Statements = append(e.Statements, s)
			c.tried(e)
		}, RuleEvidence, "at the timeout: 0 against, 1 reachable"},
		{"majority of too few, with seeds", func(c *court) { c.killed(); c.tried(c.evidenceOf(4)) }, RuleEvidence, "4 of 9 against, 5 needed"},
		{"verdict against one who answered", func(c *court) { c.examines(1, hearsay.VerdictUnreachable, true) }, RuleEvidence, "answered 3 of its 3 pings"},
		{"two verdicts in one round", func(c *court) {
			c.examines(1, hearsay.VerdictUnreachable, false)
			c.examines(1, hearsay.VerdictReachable, true)
		}, RuleEvidence, "says reachable of n1 after unreachable"},

		{"too many packets in one step", func(c *court) {
			c.stepped(&c.machines[1], &core.Effects{Now: make([]core.Packet, packetsPerStep+1)}, 0)
		}, RuleBounds, "one step sends 1025 packets"},
		{"too many records in one step", func(c *court) {
			c.stepped(&c.machines[1], &core.Effects{Persist: make([]core.Record, recordsPerStep+1)}, 0)
		}, RuleBounds, "one step persists 4097 records"},
		{"news that piles up", func(c *court) {
			c.roster(&c.machines[1], nil, 0, hearsay.Stats{NewsWaiting: 11}, 0)
		}, RuleBounds, "11 claims wait"},
		{"ping that does not fit a datagram", func(c *court) {
			c.sent(&c.machines[1], &core.Packet{Body: &core.Ping{Target: c.machines[2].id}}, &flight{stream: true}, 0)
		}, RuleBounds, "does not fit a datagram"},
		{"more links than may be", func(c *court) {
			c.roster(&c.machines[1], nil, 13, hearsay.Stats{}, 0)
		}, RuleBounds, "13 links, at most 12"},
		{"rumors that pile up", func(c *court) {
			c.roster(&c.machines[1], nil, 8, hearsay.Stats{RumorsHeld: 16385}, 0)
		}, RuleBounds, "holds 16385 rumors"},

		{"rumor said, keptRumor, told and heard", func(c *court) {
			c.says1("hello", keptRumor, toldRumor)
			c.hears1(2, 1, "hello")
			c.hears1(3, 1, "hello")
			c.passes(3, 1, true)
		}, 0, ""},
		{"rumor heard again in another life", func(c *court) {
			c.says1("hello", keptRumor, toldRumor)
			c.hears1(2, 1, "hello")
			c.stopped(&c.machines[2], 1)
			c.started(&c.machines[2], c.signers[2].Public(), 2)
			c.hears1(2, 1, "hello")
		}, 0, ""},
		{"rumor heard twice", func(c *court) {
			c.says1("hello", keptRumor, toldRumor)
			c.hears1(2, 1, "hello")
			c.hears1(2, 1, "hello")
		}, RuleRumor, "n3: rule rumor broken: hears rumor 1 of n2 twice"},
		{"rumor of one who never said it", func(c *court) { c.hears1(2, 1, "hello") }, RuleRumor, "hears rumor 1 of n2, which never said it"},
		{"rumor that is not what was said", func(c *court) {
			c.says1("hello", keptRumor, toldRumor)
			c.hears1(2, 1, "goodbye")
		}, RuleRumor, `hears "goodbye", and n2 said "hello"`},
		{"rumor passed on that nobody said", func(c *court) { c.passes(3, 1, true) }, RuleRumor, "passes on rumor 1 of n2, which never said it"},
		{"rumor said for another", func(c *court) {
			c.gossip.says(&c.machines[3], c.dot(1), []byte("hello"), 0)
		}, RuleRumor, "n4: rule rumor broken: says a rumor in the name of n2"},
		{"two payloads under one number", func(c *court) {
			c.says1("hello", keptRumor, toldRumor)
			c.event(&c.machines[2], &hearsay.Event{Kind: hearsay.EventRumorConflict, Rumor: &hearsay.Rumor{ID: c.dot(1)}}, 0)
		}, RuleRumor, "got two payloads for rumor 1"},
		{"number used again", func(c *court) {
			c.says1("hello", keptRumor, toldRumor)
			c.says1("hello", keptRumor, toldRumor)
		}, RuleRumor, "gives the number 1 to a second rumor"},
		{"number used again of a rumor that was lost", func(c *court) {
			c.says1("hello")
			c.stopped(&c.machines[1], 1)
			c.started(&c.machines[1], c.signers[1].Public(), 2)
			c.says1("goodbye", keptRumor, toldRumor)
		}, 0, ""},
		{"number used again of a rumor that was not", func(c *court) {
			c.says1("hello")
			c.stopped(&c.machines[1], 1)
			c.started(&c.machines[1], c.signers[1].Public(), 2)
			c.hears1(1, 1, "hello")
			c.says1("goodbye", keptRumor, toldRumor)
		}, RuleRumor, "gives the number 1 to a second rumor"},
		{"own rumor told that nobody keeps", func(c *court) { c.says1("hello", toldRumor) }, RuleRumor, "tells its rumor 1 before it is durable"},
		{"own rumor told at once, with its record", func(c *court) {
			c.says1("hello", keptRumor, toldNow)
		}, RuleRumor, "tells its rumor 1 before it is durable"},
		{"own rumor named at once, with its record", func(c *court) {
			c.says1("hello", keptRumor, namedNow)
		}, RuleRumor, "tells its rumor 1 before it is durable"},
		{"own rumor told at once, later", func(c *court) {
			c.says1("hello", keptRumor)
			c.synced(&c.machines[1])
			c.passes(1, 1, true)
		}, 0, ""},
		{"packet that cannot be read, of one who lies on purpose", func(c *court) {
			c.machines[1].twist = &twist{unjudged: true}
			c.undecodable(&c.machines[1], hearsay.DropMalformed, &flight{}, 0)
		}, 0, ""},
		{"packet that cannot be read", func(c *court) {
			c.undecodable(&c.machines[1], hearsay.DropMalformed, &flight{}, 0)
		}, RuleDecode, "n2: rule decode broken: sends n1 0 bytes that cannot be read: malformed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCourt(10)
			test.feed(c)
			switch {
			case test.rule == 0 && c.broken > 0:
				t.Fatalf("nothing is wrong, and yet: %s", &c.violations[0])
			case test.rule == 0:
			case c.broken == 0:
				t.Fatal("not found")
			case c.violations[0].Rule != test.rule || !strings.Contains(c.violations[0].String(), test.text):
				t.Fatalf("found %s\nwant rule %s: %s", &c.violations[0], test.rule, test.text)
			}
		})
	}
}

// In these tests it is machine 1 that says something.
func (c *court) dot(number uint64) clock.Dot {
	return clock.Dot{Origin: hearsay.OriginOf(c.machines[1].id), Counter: number}
}

// What the step in which it is said asks for, besides its event.
type saysHow uint8

const (
	keptRumor saysHow = iota
	toldRumor
	toldNow
	namedNow
)

func (c *court) says1(data string, how ...saysHow) {
	m, rumor := &c.machines[1], &hearsay.Rumor{ID: c.dot(1), Data: []byte(data)}
	e := &core.Effects{Events: []hearsay.Event{{Kind: hearsay.EventRumor, Subject: m.id, Rumor: rumor}}}
	tells := core.Packet{Body: &core.Rumors{Items: []hearsay.Rumor{*rumor}}}
	for _, one := range how {
		switch one {
		case keptRumor:
			e.Persist = append(e.Persist, &core.KeptRumor{Number: 1, Rumor: rumor})
		case toldRumor:
			e.Send = append(e.Send, tells)
		case toldNow:
			e.Now = append(e.Now, tells)
		case namedNow:
			e.Now = append(e.Now, core.Packet{Body: &core.IHave{IDs: []clock.Dot{rumor.ID}}})
		}
	}
	c.gossip.says(m, rumor.ID, rumor.Data, 0)
	c.stepped(m, e, 0)
	if len(e.Persist) > 0 {
		c.synced(m)
	}
}

func (c *court) hears1(machine int, number uint64, data string) {
	c.event(&c.machines[machine], &hearsay.Event{
		Kind: hearsay.EventRumor, Subject: c.machines[1].id, Count: 1, Rumor: &hearsay.Rumor{ID: c.dot(number), Data: []byte(data)},
	}, 0)
}

func (c *court) passes(machine int, number uint64, atOnce bool) {
	c.gossip.tells(&c.machines[machine], &core.Packet{Body: &core.Rumors{Items: []hearsay.Rumor{{ID: c.dot(number)}}}}, atOnce, 0)
}

// killed ends the subject.
func (c *court) killed() { c.stopped(&c.machines[theSubject], time.Second) }

func TestCheckerStopsWhatStandsStill(t *testing.T) {
	c := newCourt(1)
	for range ticksPerMoment {
		if !c.ticked(&c.machines[0], time.Second) {
			t.Fatal("stopped too early")
		}
	}
	if !c.ticked(&c.machines[0], time.Second+1) || c.broken > 0 {
		t.Fatal("stopped one whose deadline moves on")
	}
	for range ticksPerMoment {
		c.ticked(&c.machines[0], time.Second+1)
	}
	if c.broken != 1 || c.violations[0].Rule != RuleProgress {
		t.Fatalf("a node that is due for ever was not found: %v", c.violations)
	}
}

// A trial is measured by the clock of who tries, at each time as it went then.
func TestTrialByAClockThatDrifts(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 2, "", withSeeds(1))
	m, subject := &w.machines[2], hearsay.NodeID{1}
	try := func(at time.Duration) {
		w.check.ballots.tries(m, &hearsay.Event{Subject: subject, Verdict: hearsay.VerdictUnreachable, Took: 500 * time.Millisecond}, at)
	}
	try(19 * time.Second)
	m.clock.sets(20*time.Second, -0.1)
	try(21 * time.Second)
	one := w.check.views[m.index].tried[subject]
	if got, want := m.tried(&one, 22*time.Second), (ownProbes{unanswered: 2400 * time.Millisecond, since: 900 * time.Millisecond}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// Two probes with a longer gap between them than a silence may have are two silences,
// also if another came to nothing meanwhile.
func TestTrialBeginsAnewAfterAGap(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 2, "", withSeeds(1))
	m, subject := &w.machines[2], hearsay.NodeID{1}
	try := func(verdict hearsay.Verdict, at time.Duration) {
		w.check.ballots.tries(m, &hearsay.Event{Subject: subject, Verdict: verdict, Took: 500 * time.Millisecond}, at)
	}
	try(hearsay.VerdictUnreachable, 20*time.Second)
	try(hearsay.VerdictUnreachable, 22*time.Second)
	for at := 23 * time.Second; at < 30*time.Second; at += time.Second {
		try(hearsay.VerdictAbstains, at)
	}
	try(hearsay.VerdictUnreachable, 30*time.Second)
	one := w.check.views[m.index].tried[subject]
	if got := m.tried(&one, 30*time.Second).unanswered; got != 500*time.Millisecond {
		t.Errorf("in vain for %v, want the last probe only", got)
	}
}

// A probe that began before this seed heard the others, and ends after one that began when it did,
// ends no silence: what lies after the end of the deafness counts.
func TestTrialGoesOnBehindAnOldProbe(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 2, "", withSeeds(2))
	m, subject := &w.machines[3], hearsay.NodeID{1}
	try := func(at, took time.Duration) {
		w.check.ballots.hearsSeed(m, 0, at)
		w.check.ballots.tries(m, &hearsay.Event{Subject: subject, Verdict: hearsay.VerdictUnreachable, Took: took}, at)
	}
	w.check.ballots.hearsSeed(m, 0, 30*time.Second) // the first for long
	try(30600*time.Millisecond, 500*time.Millisecond)
	try(30700*time.Millisecond, 1100*time.Millisecond)
	try(31200*time.Millisecond, 500*time.Millisecond)
	one := w.check.views[m.index].tried[subject]
	if got := m.tried(&one, 31200*time.Millisecond).unanswered; got != 1100*time.Millisecond {
		t.Errorf("in vain for %v, want all since 30.1 s", got)
	}
}

// A seed probes one that asks to be in before it lists it. What was in vain then counts, also if
// the newcomer has answered elsewhere since.
func TestProbesOfNewcomersCount(t *testing.T) {
	for _, wanted := range []bool{false, true} {
		c := newCourt(2)
		m, id := &c.machines[1], c.machines[theSubject].id
		if wanted {
			c.event(m, &hearsay.Event{Kind: hearsay.EventProbeWanted, Subject: id, Round: theRound}, time.Second)
		}
		for seq := range uint64(9) {
			c.sent(m, &core.Packet{Body: &core.Ping{Seq: seq, Target: id}}, &flight{}, time.Second)
		}
		c.event(m, &hearsay.Event{Kind: hearsay.EventMemberJoined, Subject: id, Incarnation: theMorning}, time.Second)
		c.sent(m, &core.Packet{Body: &core.Ping{Seq: 10, Target: id}}, &flight{}, time.Second)
		c.received(m, &core.Packet{From: id, Body: &core.Ack{Seq: 10}}, time.Second+time.Millisecond)
		c.event(m, &hearsay.Event{
			Kind: hearsay.EventExamined, Subject: id, Round: theRound, Verdict: hearsay.VerdictUnreachable, Count: 9, Took: time.Second,
		}, 2*time.Second)
		if (c.broken == 0) != wanted {
			t.Errorf("probes wanted: %t, rules broken: %v", wanted, c.violations)
		}
	}
}

// A case that a seed opens by itself may have been proposed before it was started again, of
// which nothing is known, but not long before.
func TestCasesOfAnEarlierLife(t *testing.T) {
	for _, c := range []struct {
		life   int32
		began  time.Duration
		broken bool
	}{{1, 0, true}, {1, 2 * time.Minute, true}, {2, 2 * time.Minute, false}, {2, 2*time.Minute - proposalsLast, true}} {
		court, now := newCourt(2), 2*time.Minute+time.Second
		m, id := &court.machines[1], court.machines[theSubject].id
		m.life = c.life
		v := &court.views[1]
		v.began, v.tried = c.began, map[hearsay.NodeID]tried{id: {unanswered: true, due: longAgo, answered: longAgo, failing: now, failed: now, since: now}}
		court.ballots.opens(m, &hearsay.Event{Kind: hearsay.EventCaseOpened, Rule: hearsay.RuleWatch, By: m.id, Subject: id}, now)
		if broken := court.broken > 0; broken != c.broken {
			t.Errorf("life %d, begun at %v: broken: %t", c.life, c.began, broken)
		}
	}
}
