package sim

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file holds nodes to what follows from a member's word that it is away: it counts if the member has said
// it, once for an incarnation in a node's life; and for as long as it counts that node suspects, buries and
// votes against nobody of that incarnation. That it ends is part of converging.

// awayWord is such a word as a node has it.
type awayWord struct {
	incarnation hearsay.Incarnation
	counts      bool          // it has not ended
	until       time.Duration // by the node's clock, whatever that shows
}

// goesAway is told that a machine's node says that it is away.
func (c *checker) goesAway(m *machine) {
	c.leaves(m) // until it runs again
	one := &c.identities[m.identity]
	if one.away == nil {
		one.away = make(map[hearsay.Incarnation]bool)
	}
	one.away[m.node.Self().Incarnation] = true
}

// absent looks at what a node says of members that are away, and against them.
func (c *checker) absent(m *machine, e *hearsay.Event, now time.Duration) {
	v, at := &c.views[m.index], m.clock.shows(now)
	switch a := v.away[e.Subject]; e.Kind {
	case hearsay.EventMemberAway:
		number, known := c.numbers[e.Subject]
		switch {
		case !known || !c.identities[number].unjudged && !c.identities[number].away[e.Incarnation]:
			c.violate(now, m, RuleAway, "takes %s for away, which has not said so with incarnation %d", c.name(e.Subject), e.Incarnation)
		case a.incarnation == e.Incarnation:
			c.violate(now, m, RuleAway, "takes %s for away twice for one incarnation", c.name(e.Subject))
		}
		if v.away == nil {
			v.away = make(map[hearsay.NodeID]awayWord)
		}
		v.away[e.Subject] = awayWord{e.Incarnation, true, at + core.AwayFor - rounding}
	case hearsay.EventMemberBack, hearsay.EventAwayOver:
		a.counts = false
		v.away[e.Subject] = a
	case hearsay.EventMemberRemoved, hearsay.EventMemberLeft: // a new stay may begin with that incarnation
		delete(v.away, e.Subject)
	case hearsay.EventMemberSuspected, hearsay.EventMemberDead:
		if a.counts && a.until > at && a.incarnation == e.Incarnation {
			c.violate(now, m, RuleAway, "says %s of %s, which has said that it is away and has %s yet", e.Kind, c.name(e.Subject), short(a.until-at))
		}
	}
}

// votesOnAway checks that a seed that would remove a member does not know that it is away.
func (c *checker) votesOnAway(m *machine, b *hearsay.Ballot, now time.Duration) {
	if a := c.views[m.index].away[b.Stay.ID]; b.Stay.Epoch > 0 && a.counts && a.until > m.clock.shows(now) {
		c.violate(now, m, RuleAway, "would remove %s, which has said that it is away and has %s yet", c.name(b.Stay.ID), short(a.until-m.clock.shows(now)))
	}
}
