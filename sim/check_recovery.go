package sim

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"hearsay"
)

// This file is about a ledger that an operator has begun anew from the disk of one seed,
// because a quorum was lost for ever. What that seed did not have is given up: the ledger
// is cut back to its epoch, and what is told from then on is held to the rules of
// one ledger. A node that has come further follows what was given up, and is held to
// that: to each ruling, and to no more of them. Once it has followed the new one it
// must not go back.

// givenUp is a ledger as it was when it was cut back.
type givenUp struct {
	ledgerModel
	kept hearsay.Epoch // up to it this is the present ledger, too
}

// quorumLoss is the last loss of a quorum for ever, from which an operator has a seed begin anew.
type quorumLoss struct {
	seed int32             // that is left, by index; -1: no operator has asked for a recovery
	lost map[uint64]string // Raft ids of lives whose disk was gone by then
	past hearsay.CaseID    // the highest number of a case until then
}

// quorumLost is told that the disks of all seeds but one are gone, and that an operator has
// that one begin the ledger anew.
func (c *checker) quorumLost(left *machine) {
	c.loss = quorumLoss{seed: left.index, lost: maps.Clone(c.ledger.votes.lost), past: c.cases}
}

// followed gives the ledger that a node follows.
func (c *checker) followed(m *machine) *ledgerModel {
	if old := c.views[m.index].old; old != nil {
		return &old.ledgerModel
	}
	return &c.ledger
}

// oldest is the epoch that a peer must begin with at least when it starts again. It cannot
// know how much is kept of what it has told before a recovery.
func (c *checker) oldest(one *identity) hearsay.Epoch {
	if n := len(c.before); n > 0 && one.told <= c.before[n-1].kept {
		return 0
	}
	return one.told
}

// outdated reports whether a statement is about a ledger that was given up: a member that reports
// it then has not heard of that. Nobody counts it.
func (c *checker) outdated(s *hearsay.Statement) bool {
	number, known := c.numbers[s.Observer]
	return known && slices.ContainsFunc(c.before, func(g *givenUp) bool {
		return g.id() != c.ledger.id() && s.Verify(g.id(), &c.verifier, c.identities[number].key)
	})
}

// sorts notes which ledger a node follows, as it has come to an epoch with this hash.
func (c *checker) sorts(m *machine, at hearsay.Epoch, hash hearsay.Hash, now time.Duration) {
	v, one := &c.views[m.index], &c.identities[m.identity]
	if v.parted = v.parted || c.fork.other[hash]; c.isSeed(m) {
		return // those that followed another are gone
	}
	v.old = nil
	for _, g := range c.before {
		if at > g.kept && g.has(at, hash) {
			v.old = g
			if one.told > g.kept {
				c.violate(now, m, RuleLedger, "goes back to the ledger that was given up after epoch %d, and has told %d of the one since", g.kept, one.told)
			}
			return
		}
	}
}

// anew cuts the ledger back to an epoch, because its seed begins it anew.
func (c *checker) anew(m *machine, r *hearsay.Ruling, now time.Duration) {
	base := r.Epoch - 1
	old := &givenUp{c.ledger, base}
	c.before = append(c.before, old)
	for i := range c.views {
		v := &c.views[i]
		if v.old == nil && v.epoch > base && i != int(m.index) {
			v.old = old
		}
		for j := range v.telling {
			if t := &v.telling[j]; t.old == nil && t.epoch > base && i != int(m.index) {
				t.old = old
			}
		}
	}
	for i := range c.identities {
		c.identities[i].told = min(c.identities[i].told, base)
	}
	c.ledger = old.cut()
	c.ledger.since = now // as the limits are told anew
	for _, seat := range r.Seats {
		if whose, gone := c.loss.lost[seat.RaftID(c.network)]; gone {
			c.violate(now, m, RuleBallots, "begins anew in epoch %d with the seat of %s, whose disk is gone", r.Epoch, whose)
		}
	}
}

// cut gives what is kept of it.
func (g *givenUp) cut() ledgerModel {
	l := g.ledgerModel
	l.rulings, l.stays = slices.Clone(g.rulings[:g.kept]), nil
	l.of, l.from, l.roster = make(map[hearsay.NodeID][]int32), make(map[netip.Addr]int), present{}
	ids := make([]hearsay.NodeID, len(g.stays))
	for id, numbers := range g.of { // order does not matter: each has numbers of its own
		for _, number := range numbers {
			ids[number] = id
		}
	}
	for number, s := range g.stays {
		if s.began > g.kept {
			continue
		}
		if s.ended > g.kept {
			s.ended, s.left = 0, false
		}
		l.of[ids[number]] = append(l.of[ids[number]], int32(len(l.stays)))
		l.stays = append(l.stays, s)
		if s.ended == 0 {
			l.from[s.source]++
			l.roster.set(hearsay.Stay{ID: ids[number], Epoch: s.began}, true)
		}
	}
	return l
}

// numbered checks that no case after a recovery has a number that one may have had before:
// seeds that are gone may have voted on it.
func (c *checker) numbered(m *machine, r *hearsay.Ruling, now time.Duration) {
	if len(c.before) > 0 && r.Case <= c.loss.past {
		c.violate(now, m, RuleLedger, "epoch %d is of case %d, and the seeds had come to case %d before the recovery", r.Epoch, r.Case, c.loss.past)
	}
	c.cases = max(c.cases, r.Case)
}
