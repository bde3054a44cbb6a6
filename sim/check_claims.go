package sim

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file holds nodes to the rules of claims: incarnations only grow, and who
// is dead stays so.

// seen is what a node held of a member when it was last looked at; 0 is nothing.
// There are as many of these as the square of the nodes, so that the state and
// the incarnation share four bytes. Incarnations are milliseconds: those of six
// days have room, and one that is earlier or later is not told from others.
type seen uint32

const (
	seenBits  = 29 // of the incarnation; the state has the others
	seenLast  = 1<<seenBits - 1
	seenSince = jumpMost // before the epoch, as clocks may be late
)

// seenAs puts them together.
func seenAs(state hearsay.State, incarnation hearsay.Incarnation) seen {
	since := int64(incarnation) - epoch.Add(-seenSince).UnixMilli()
	return seen(state)<<seenBits | seen(min(max(0, since), seenLast))
}

func (s seen) state() hearsay.State { return hearsay.State(s >> seenBits) }

func (s seen) incarnation() hearsay.Incarnation {
	return hearsay.Incarnation(epoch.Add(-seenSince).UnixMilli() + int64(s&seenLast))
}

// exact reports whether the incarnation is the one that it was made of.
func (s seen) exact() bool { return s&seenLast != 0 && s&seenLast != seenLast }

// claims looks at what a node says of itself in a packet that it sends, of
// incarnations up to kept, and gives the highest.
func (c *checker) claims(m *machine, p *core.Packet, kept hearsay.Incarnation, now time.Duration) (most hearsay.Incarnation) {
	for i := range p.Claims {
		claim := &p.Claims[i]
		if claim.Subject != m.id || claim.State != hearsay.StateAlive && claim.State != hearsay.StateLeft {
			continue
		}
		switch spent := c.views[m.index].spent; {
		case claim.Incarnation <= spent:
			c.violate(now, m, RuleIncarnation, "uses its incarnation %d again: an earlier life had come to %d", claim.Incarnation, spent)
		case claim.Incarnation > kept:
			c.violate(now, m, RuleIncarnation, "tells its incarnation %d in %T before it is durable: that is %d", claim.Incarnation, p.Body, kept)
		}
		most = max(most, claim.Incarnation)
	}
	return most
}

// holds checks what a node holds of a member against what it held before.
func (c *checker) holds(m *machine, subject hearsay.NodeID, is seen, now time.Duration) {
	number, known := c.numbers[subject]
	if !known {
		c.violate(now, m, RuleEvidence, "holds %s a member, which never was", subject.Short())
		return
	}
	was := c.views[m.index].of(number)
	switch {
	case *was == 0:
	case is.incarnation() < was.incarnation():
		c.violate(now, m, RuleIncarnation, "holds %s at incarnation %d, and held it at %d", c.name(subject), is.incarnation(), was.incarnation())
	case c.ledger.seeds > 0: // what may not come back is a stay, see stayed
	case is.incarnation() == was.incarnation() && is.exact() && is.state().Living() && !was.state().Living():
		c.violate(now, m, RuleReturn, "%s is %s again at incarnation %d, which was %s", c.name(subject), is.state(), is.incarnation(), was.state())
	}
	*was = is
}
