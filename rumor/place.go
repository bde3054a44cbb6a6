package rumor

import (
	"bytes"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
)

const (
	// hops from the root: a ring of nodes without a root counts up to it. A guess: over what any overlay but a bare ring
	// needs
	depthMost = 128
	// times that the wait for a word's answer doubles: to 6.4 s. A guess: a node that is gone is suspect by then
	backoffMost = 6
	// words that one said later may overtake; one that is older yet is of a new life. A guess: more than are said within a
	// round trip
	overtakes = 16
)

// places decide which links are eager: a tree of shortest ways from one root, the smallest NodeID of those that can be
// trusted. Each node tells its neighbors where it stands, and hangs on the one that stands nearest to the root
// (distance vectors: Bellman 1958, Ford 1956).
//
// Ways that are gone are told on at once; a ring of nodes that hang on each other counts up until one of them is
// offered something better, as one of its neighbors is by then. Only if the root itself is gone is there nothing
// better: so a node hangs on no root that it knows to be suspect.
type places struct {
	*shared
	own    place
	parent hearsay.NodeID // the neighbor that this node hangs on; zero if it is a root
}

// place is where a node stands in the tree.
type place struct {
	root hearsay.NodeID
	hops uint8 // from it
}

// before reports whether a node had rather stand at p than at q.
func (p place) before(q place) bool {
	if order := bytes.Compare(p.root[:], q.root[:]); order != 0 {
		return order < 0
	}
	return p.hops < q.hops
}

// standing is what is known at one end of a link of both ends' places. Each end numbers what it says, from a number
// drawn at random, so that no answer to an earlier life is one to this; and says it again until it is answered.
type standing struct {
	theirs   place  // as they said last
	child    bool   // they hang on this node
	heard    uint32 // the number of what they said last; 0: nothing yet
	said     uint32 // that of what this end said last
	tries    uint8
	sayAt    time.Time // when that is said, or said again; never if it has been answered
	answerAt time.Time // when they are answered; never if they were
}

// isOutside reports whether they have said that they are in no tree.
func (s *standing) isOutside() bool { return s.heard != 0 && s.theirs.root.IsZero() }

// owe sees to it that a neighbor is told this node's place.
func (pl *places) owe(now time.Time, l *link) {
	if l.said++; l.said == 0 {
		l.said = 1
	}
	l.tries = 0
	l.sayAt = now.Add(pl.cfg.Gather)
}

// Place takes a neighbor's word of where it stands.
func (pl *places) Place(now time.Time, p *core.Packet, m *core.Place) {
	l := pl.rumors.links.of(p.From)
	switch {
	case l == nil:
		pl.out.stats.Drops[hearsay.DropUnexpected]++
		return
	case m.Number == 0 || (m.Hops == 0) != (m.Root == p.From || m.Root.IsZero()):
		pl.out.stats.Drops[hearsay.DropMalformed]++
		return
	case pl.cfg.Strategy != Tree:
		if !m.Answer { // this node is in no tree: it is told everything then, and tells everything by its own strategy
			pl.tell(l.id, &core.Place{Number: 1, Heard: m.Number, Answer: true}, &pl.out.stats.RumorPlaces)
		}
		return
	}
	if m.Heard == l.said {
		l.sayAt = never
	} else if l.sayAt == never {
		pl.owe(now, l) // it has begun anew
	}
	if !m.Answer {
		l.answerAt = when.Earlier(l.answerAt, now.Add(pl.cfg.Gather))
	}
	if back := l.heard - m.Number; l.heard == 0 || back == 0 || back > overtakes {
		l.heard, l.theirs, l.child = m.Number, place{m.Root, m.Hops}, m.Parent
		pl.stand(now)
	}
}

// Trusted tells that a member may be trusted from now, or no more.
func (pl *places) Trusted(now time.Time, id hearsay.NodeID) {
	if slices.ContainsFunc(pl.rumors.links.list, func(l *link) bool { return l.theirs.root == id }) {
		pl.stand(now)
	}
}

// stand finds this node's place by what its neighbors say: of two that are as good it keeps the one it has.
func (pl *places) stand(now time.Time) {
	if pl.cfg.Strategy != Tree {
		return
	}
	links := pl.rumors.links.list
	best, parent := place{root: pl.self}, hearsay.NodeID{}
	for _, l := range links {
		if l.heard == 0 || l.child || l.theirs.hops >= depthMost || !pl.directory.Trusted(l.theirs.root) {
			continue
		}
		offer := place{l.theirs.root, l.theirs.hops + 1}
		if offer.before(best) || offer == best && l.id == pl.parent {
			best, parent = offer, l.id
		}
	}
	for _, l := range links {
		if best != pl.own || parent != pl.parent && (l.id == parent || l.id == pl.parent) {
			pl.owe(now, l)
		}
	}
	pl.own, pl.parent = best, parent
	for _, l := range links {
		l.eager = pl.leads(l)
	}
}

// leads reports whether payloads go over a link: up or down the tree, to a neighbor that hangs on another root, and to
// one that has not said where it stands.
func (pl *places) leads(l *link) bool {
	return l.heard == 0 || l.child || l.id == pl.parent || l.theirs.root != pl.own.root
}

// tick says what is to be said by now of this node's place.
func (pl *places) tick(now time.Time) {
	for _, l := range pl.rumors.links.list {
		again := !now.Before(l.sayAt)
		if !again && now.Before(l.answerAt) {
			continue
		}
		pl.tell(l.id, &core.Place{
			Root: pl.own.root, Hops: pl.own.hops, Parent: l.id == pl.parent, Number: l.said, Heard: l.heard, Answer: !again,
		}, &pl.out.stats.RumorPlaces)
		l.answerAt = never
		if again {
			l.sayAt = now.Add(pl.cfg.GraftAgain << l.tries)
			l.tries = min(l.tries+1, backoffMost)
		}
	}
}
