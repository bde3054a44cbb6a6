package sim

import (
	"strings"
	"testing"
	"time"

	"hearsay"
)

// court is a checker that has been told of some machines, and what a test
// needs to feed it true and false words of theirs.
type court struct {
	*checker
	machines []machine
	signers  []*signer
}

func newCourt(machines int) *court {
	c := &court{checker: newChecker(hearsay.NetworkIDOf(networkName), DefaultConfig(), machines)}
	for i := range machines {
		m := newMachine(1, i)
		m.disks = 1
		s := newSigner(1, i+1, 1)
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
	theListener    = 9
)

// examines has an observer say its verdict, with three pings before, answered
// or not.
func (c *court) examines(observer int, verdict hearsay.Verdict, answered bool) {
	m := &c.machines[observer]
	for seq := range uint64(3) {
		c.sent(m, &hearsay.Packet{Body: &hearsay.Ping{Seq: seq, Target: c.machines[theSubject].id}}, &flight{}, time.Second)
		if answered {
			c.received(m, &hearsay.Packet{From: c.machines[theSubject].id, Body: &hearsay.Ack{Seq: seq}}, time.Second+time.Millisecond)
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
		s.Sign(c.network, c.signers[observer])
		e.Statements = append(e.Statements, s)
	}
	return e
}

func (c *court) tellsDeath(e *hearsay.Evidence) {
	c.event(&c.machines[theListener], &hearsay.Event{
		Kind: hearsay.EventMemberDead, Subject: c.machines[theSubject].id, Evidence: e,
	}, 3*time.Second)
}

func (c *court) tellsRoster(member int, state hearsay.State, incarnation hearsay.Incarnation) {
	c.roster(&c.machines[theListener], []hearsay.Member{{ID: c.machines[member].id, State: state, Incarnation: incarnation}}, 0, hearsay.Stats{}, 0)
}

func (c *court) sends(now bool, incarnation hearsay.Incarnation, records ...hearsay.Record) {
	m := &c.machines[theListener]
	packets := []hearsay.Packet{{
		Body: &hearsay.News{}, Claims: []hearsay.Claim{{Subject: m.id, State: hearsay.StateAlive, Incarnation: incarnation}},
	}}
	e := &hearsay.Effects{Persist: records}
	if now {
		e.Now = packets
	} else {
		e.Send = packets
	}
	c.stepped(m, e, 0)
}

// A checker that cannot bite is worth nothing: each violation is found, and
// what is like it but right is not.
func TestCheckerBites(t *testing.T) {
	own := func(n hearsay.Incarnation) hearsay.Record { return &hearsay.OwnIncarnation{Incarnation: n} }
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
		}, RuleIncarnation, "n10: rule incarnation broken: holds n4 at incarnation 4, and held it at 5"},
		{"dead incarnation that returns", func(c *court) {
			c.tellsRoster(3, hearsay.StateDead, 5)
			c.tellsRoster(3, hearsay.StateAlive, 5)
		}, RuleReturn, "n4 is alive again at incarnation 5, which was dead"},
		{"left incarnation that returns, by event", func(c *court) {
			c.tellsRoster(3, hearsay.StateLeft, 5)
			c.event(&c.machines[theListener], &hearsay.Event{
				Kind: hearsay.EventMemberReturned, Subject: c.machines[3].id, Incarnation: 5,
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
		{"own incarnation before it is durable", func(c *court) { c.sends(false, 5, own(4)) }, RuleIncarnation, "tells its incarnation 5 in *hearsay.News before"},
		{"own incarnation now, with its record", func(c *court) { c.sends(true, 5, own(5)) }, RuleIncarnation, "tells its incarnation 5 in *hearsay.News before"},
		{"own incarnation used again after a restart", func(c *court) {
			c.sends(false, 5, own(5))
			m := &c.machines[theListener]
			c.stopped(m, 1)
			c.started(m, c.signers[theListener].Public(), 2)
			c.sends(false, 5, own(5))
		}, RuleIncarnation, "uses its incarnation 5 again"},
		{"own incarnation persisted backwards", func(c *court) {
			c.sends(false, 5, own(5))
			c.sends(false, 5, own(4))
		}, RuleIncarnation, "persists its own incarnation 4 after 5"},

		{"true death", func(c *court) { c.killed(); c.tellsDeath(c.evidenceOf(5)) }, 0, ""},
		{"false death, not forbidden", func(c *court) { c.tellsDeath(c.evidenceOf(5)) }, 0, ""},
		{"false death, forbidden", func(c *court) { c.strict = true; c.tellsDeath(c.evidenceOf(5)) }, RuleFalseDeath, "n1 is dead, who was always there"},
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
			s.Sign(c.network, c.signers[6])
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
			s.Sign(c.network, c.signers[4])
			e.Statements = append(e.Statements, s)
			c.tellsDeath(e)
		}, RuleEvidence, "at the timeout: 3 against, 1 reachable"},
		{"verdict against one who answered", func(c *court) { c.examines(1, hearsay.VerdictUnreachable, true) }, RuleEvidence, "answered 3 of its 3 pings"},
		{"two verdicts in one round", func(c *court) {
			c.examines(1, hearsay.VerdictUnreachable, false)
			c.examines(1, hearsay.VerdictReachable, true)
		}, RuleEvidence, "says reachable of n1 after unreachable"},

		{"too many packets in one step", func(c *court) {
			c.stepped(&c.machines[1], &hearsay.Effects{Now: make([]hearsay.Packet, packetsPerStep+1)}, 0)
		}, RuleBounds, "one step sends 1025 packets"},
		{"too many records in one step", func(c *court) {
			c.stepped(&c.machines[1], &hearsay.Effects{Persist: make([]hearsay.Record, recordsPerStep+1)}, 0)
		}, RuleBounds, "one step persists 4097 records"},
		{"news that piles up", func(c *court) {
			c.roster(&c.machines[1], nil, 0, hearsay.Stats{NewsWaiting: 11}, 0)
		}, RuleBounds, "11 claims wait"},
		{"ping that does not fit a datagram", func(c *court) {
			c.sent(&c.machines[1], &hearsay.Packet{Body: &hearsay.Ping{Target: c.machines[2].id}}, &flight{stream: true}, 0)
		}, RuleBounds, "does not fit a datagram"},
		{"packet that cannot be read", func(c *court) {
			c.undecodable(&c.machines[1], hearsay.DropMalformed, &flight{}, 0)
		}, RuleDecode, "cannot read 0 bytes from n1: malformed"},
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

// killed ends the subject.
func (c *court) killed() { c.stopped(&c.machines[theSubject], time.Second) }

func TestCheckerStopsWhatStandsStill(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("a node that is due for ever was not found")
		}
	}()
	c := newCourt(1)
	for range ticksPerMoment + 1 {
		c.ticked(&c.machines[0], time.Second)
	}
}
