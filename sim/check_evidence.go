package sim

import (
	"fmt"
	"net/netip"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file holds nodes to the rules of deaths: each has evidence, and what an
// observer says it has found.

// pinged is one ping that a node has sent.
type pinged struct {
	seq      uint64
	subject  hearsay.NodeID
	addr     netip.AddrPort // where it went
	sent     time.Duration
	answered time.Duration // never: the largest
}

// What an observer has seen, as far as the checker looks back.
const (
	// of each node, to tell a true statement from a false one: a minute's, with many rounds in it
	pingsKept     = 16384
	chronicWindow = 65 * time.Second // of the rule for chronic failure, and the length of a round
	// of pings that failed in it: half of what an observer needs, as it counts only those of its rounds
	chronicPercent = 20
)

// examination names one answer of one observer.
type examination struct {
	observer, subject hearsay.NodeID
	round             hearsay.Round
}

// verdicts are an observer's answers in one round: one in each life, as a
// process that is started again has forgotten what it said.
type verdicts struct {
	life int32 // of the last
	last hearsay.Verdict
	all  uint8 // bit v: it said v
}

// answered notes that a ping was.
func (c *checker) answered(m *machine, p *core.Packet, ack *core.Ack, now time.Duration) {
	v := &c.views[m.index]
	for back := 1; back <= len(v.pings); back++ {
		ping := &v.pings[(v.pingNext-back)%pingsKept]
		if ping.seq == ack.Seq && ping.subject == p.From {
			ping.answered = min(ping.answered, now)
			return
		}
	}
}

// keep remembers a ping, and forgets the oldest if it must.
func (v *view) keep(p pinged) {
	if len(v.pings) < pingsKept {
		v.pings = append(v.pings, p)
	} else {
		v.pings[v.pingNext%pingsKept] = p
	}
	v.pingNext++
}

// examined checks an observer's verdict against what became of its pings, and
// keeps it.
func (c *checker) examined(m *machine, e *hearsay.Event, now time.Duration) {
	timeoutMin, took := m.clock.span(c.timeoutMin), m.clock.span(e.Took)
	key := examination{m.id, e.Subject, e.Round}
	before, twice := c.said[key]
	if twice && before.life == m.life && before.last != e.Verdict {
		c.violate(now, m, RuleEvidence, "says %s of %s after %s in one round", e.Verdict, c.name(e.Subject), before.last)
	}
	said := verdicts{life: m.life, last: e.Verdict, all: before.all | 1<<e.Verdict}
	if c.views[m.index].away[e.Subject].counts { // heard while it was pinged: the observer says nothing against it
		said.all |= 1 << hearsay.VerdictAbstains
	}
	c.said[key] = said
	if e.Verdict != hearsay.VerdictUnreachable {
		return
	}
	// Pings that were answered as fast as the shortest timeout have not failed.
	// A probe of another purpose may have got through meanwhile: half decides. One that has
	// moved answers where it is now, and not where it was examined.
	inRound, answered, lately, failed := 0, 0, 0, 0
	for i := range c.views[m.index].pings {
		p := &c.views[m.index].pings[i]
		if p.subject != e.Subject || p.addr != e.Addr || now-p.sent > chronicWindow {
			continue
		}
		inTime := p.answered-p.sent <= timeoutMin
		lately++
		if !inTime {
			failed++
		}
		if p.sent >= now-took {
			inRound++
			if inTime {
				answered++
			}
		}
	}
	chronic := failed*100 >= chronicPercent*lately
	if answered > 0 && 2*answered >= inRound && !chronic {
		c.violate(now, m, RuleEvidence, "says that %s is unreachable, which answered %d of its %d pings in this round and all but %d of the last %d",
			c.name(e.Subject), answered, inRound, failed, lately)
	}
}

// death checks that one who is held dead is, or at least that there is honest
// evidence.
func (c *checker) death(m *machine, e *hearsay.Event, now time.Duration) {
	number, known := c.numbers[e.Subject]
	if !known {
		c.violate(now, m, RuleEvidence, "%s is dead, which never was", e.Subject.Short())
		return
	}
	if (e.Kind == hearsay.EventMemberRemoved) != (c.ledger.seeds > 0) {
		c.violate(now, m, RuleEvidence, "%s is %s: with seeds a member is removed, without it is dead", c.identities[number].name, e.Kind)
	}
	switch e.Evidence {
	case nil:
		// Only a ruling ends one without, or the word of another who is at its
		// address now.
		if c.ledger.seeds == 0 && !c.replaced(number) {
			c.violate(now, m, RuleEvidence, "%s is dead without evidence", c.identities[number].name)
		}
	default:
		if e.Evidence.Subject != e.Subject {
			c.violate(now, m, RuleEvidence, "%s is dead by the evidence against %s", c.name(e.Subject), c.name(e.Evidence.Subject))
		}
		incarnation := e.Evidence.Incarnation
		if c.ledger.seeds > 0 {
			incarnation = e.Incarnation // a ruling ends a stay, also if its member has refuted meanwhile
		}
		c.holds(m, e.Subject, seenAs(hearsay.StateDead, incarnation), now)
		c.evidence(m, e.Evidence, now)
	}
	if one := &c.identities[number]; c.well != nil && c.well[one.machine] && one.running {
		c.violate(now, m, RuleFalseDeath, "%s is removed, which is well and in reach", one.name)
	} else if c.alwaysThere(one, now) && !c.views[m.index].parted { // the other ledger may never have admitted it
		c.falseDeaths++
		if c.strict {
			c.violate(now, m, RuleFalseDeath, "%s is dead, which was always there", one.name)
		}
	}
}

// replaced reports whether somebody else runs on the machine of an identity.
func (c *checker) replaced(number int) bool {
	for later := number + 1; later < len(c.identities); later++ {
		if c.identities[later].machine == c.identities[number].machine {
			return true
		}
	}
	return false
}

// evidence counts for itself.
func (c *checker) evidence(m *machine, e *hearsay.Evidence, now time.Duration) {
	name := c.name(e.Subject)
	against, reachable := 0, 0
	for i := range e.Statements {
		s := &e.Statements[i]
		if c.outdated(s) {
			continue
		}
		if problem := c.statement(m, e, i, now); problem != "" {
			c.violate(now, m, RuleEvidence, "against %s, statement of %s: %s", name, c.name(s.Observer), problem)
			continue
		}
		switch s.Verdict {
		case hearsay.VerdictUnreachable:
			against++
		case hearsay.VerdictReachable:
			reachable++
		}
	}
	observers, needed := int(e.Observers), int(e.Needed)
	// At a timeout an open network needs two; of three members one may have gone
	// since the round began. Seeds need nobody's word, as their ballots are held to
	// a longer trial then (ownProbes.enough), and their detectors may accuse those that no
	// peer is left to observe.
	least, fewest := min(2, observers-1), 1
	if c.ledger.seeds > 0 {
		least, fewest = 0, 0
	}
	switch {
	case observers < fewest || needed != observers/2+1 || observers > len(c.identities) || len(e.Statements) > observers:
		c.violate(now, m, RuleEvidence, "against %s: %d statements, %d needed of %d observers", name, len(e.Statements), needed, observers)
	case e.Rule == hearsay.RuleMajority && against < needed:
		c.violate(now, m, RuleEvidence, "against %s: %d of %d against, %d needed", name, against, observers, needed)
	case e.Rule == hearsay.RuleTimeout && (reachable > 0 || against < least):
		c.violate(now, m, RuleEvidence, "against %s at the timeout: %d against, %d reachable", name, against, reachable)
	case e.Rule != hearsay.RuleMajority && e.Rule != hearsay.RuleTimeout:
		c.violate(now, m, RuleEvidence, "against %s: %s is no rule", name, e.Rule)
	}
}

// untoldFor is how long the statements of a node count that leaves without its disk: it has some seconds to leave, and
// a case lasts no longer than the rest.
const untoldFor = time.Minute

// statement says what is wrong with a statement, if anything.
func (c *checker) statement(m *machine, e *hearsay.Evidence, i int, now time.Duration) string {
	s := &e.Statements[i]
	number, known := c.numbers[s.Observer]
	for before := range i {
		if e.Statements[before].Observer == s.Observer {
			return "its second"
		}
	}
	switch found := c.said[examination{s.Observer, s.Subject, s.Round}]; {
	case !known:
		return "there is no such observer"
	case s.Observer == s.Subject:
		return "a member is no observer of itself"
	case s.Subject != e.Subject || s.Round != e.Round || s.Incarnation != e.Incarnation:
		return "of another round"
	case !s.Verify(c.signedIn(m), &c.verifier, c.identities[number].key):
		return "not signed by it"
	case found.all>>s.Verdict&1 == 0 && !c.identities[number].unjudged && now >= c.identities[number].untold:
		return fmt.Sprintf("says %s, and it found %s", s.Verdict, found.last)
	}
	return ""
}
