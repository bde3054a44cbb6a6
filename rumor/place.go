package rumor

import (
	"bytes"
	"time"

	"hearsay"
)

// This file decides which links are eager: a tree of shortest ways from one
// root, the smallest NodeID of those that can be trusted. Each node tells its
// neighbors where it stands, and hangs on the one that stands nearest to the root
// (distance vectors: Bellman 1958, Ford 1956).
//
// Ways that are gone are told on at once; a ring of nodes that hang on each other
// counts up until one of them is offered something better, as one of its
// neighbors is by then. Only if the root itself is gone is there nothing better:
// so nobody hangs on a root that he knows to be suspect.

const (
	depthMost   = 128 // hops from the root: a ring of nodes without a root counts up to it. A guess: over what any overlay but a bare ring needs
	backoffMost = 6   // times that the wait for a word's answer doubles: to 6.4 s. A guess: who is gone is suspect by then
	overtakes   = 16  // words that one said later may overtake; one that is older yet is of a new life. A guess: more than are said within a round trip
)

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

// standing is what is known at one end of a link of both ends' places. Each
// end numbers what it says, from a number drawn at random, so that no answer to an
// earlier life is one to this; and says it again until it is answered.
type standing struct {
	theirs   place  // as they said last
	child    bool   // they hang on this node
	heard    uint32 // the number of what they said last; 0: nothing yet
	said     uint32 // that of what this end said last
	tries    uint8
	sayAt    time.Time // when that is said, or said again; never if it has been answered
	answerAt time.Time // when they are answered; never if they were
}

// owe sees to it that a neighbor is told this node's place.
func (r *Rumors) owe(now time.Time, l *link) {
	if l.said++; l.said == 0 {
		l.said = 1
	}
	l.tries = 0
	l.sayAt = now.Add(r.cfg.Gather)
}

// Place takes a neighbor's word of where it stands.
func (r *Rumors) Place(now time.Time, p *hearsay.Packet, m *hearsay.Place) {
	l := r.link(p.From)
	switch {
	case l == nil:
		r.drops[hearsay.DropUnexpected]++
		return
	case m.Number == 0 || (m.Hops == 0) != (m.Root == p.From || m.Root.IsZero()):
		r.drops[hearsay.DropMalformed]++
		return
	case r.cfg.Strategy != Tree:
		r.sayNoPlace(l, m)
		return
	}
	if m.Heard == l.said {
		l.sayAt = never
	} else if l.sayAt == never {
		r.owe(now, l) // it has begun anew
	}
	if !m.Answer {
		l.answerAt = soonest(l.answerAt, now.Add(r.cfg.Gather))
	}
	if back := l.heard - m.Number; l.heard == 0 || back == 0 || back > overtakes {
		l.heard, l.theirs, l.child = m.Number, place{m.Root, m.Hops}, m.Parent
		r.stand(now)
	}
}

// sayNoPlace answers a neighbor in a tree that this node is in none: it is told
// everything then, and tells everything by its own strategy.
func (r *Rumors) sayNoPlace(l *link, m *hearsay.Place) {
	if addr, living := r.directory.Addr(l.id); living && !m.Answer {
		r.stats.Places++
		r.send(false, hearsay.Packet{Addr: addr, Body: &hearsay.Place{Number: 1, Heard: m.Number, Answer: true}})
	}
}

// isOutside reports whether they have said that they are in no tree.
func (s *standing) isOutside() bool { return s.heard != 0 && s.theirs.root.IsZero() }

// Trusted tells that a member may be trusted from now, or no more.
func (r *Rumors) Trusted(now time.Time, id hearsay.NodeID) {
	for _, l := range r.links {
		if l.theirs.root == id {
			r.stand(now)
			return
		}
	}
}

// stand finds this node's place by what its neighbors say: of two that are as
// good it keeps the one it has.
func (r *Rumors) stand(now time.Time) {
	if r.cfg.Strategy != Tree {
		return
	}
	t := &r.tree
	best, parent := place{root: r.self}, hearsay.NodeID{}
	for _, l := range r.links {
		if l.heard == 0 || l.child || l.theirs.hops >= depthMost || !r.directory.Trusted(l.theirs.root) {
			continue
		}
		offer := place{l.theirs.root, l.theirs.hops + 1}
		if offer.before(best) || offer == best && l.id == t.parent {
			best, parent = offer, l.id
		}
	}
	for _, l := range r.links {
		if best != t.place || parent != t.parent && (l.id == parent || l.id == t.parent) {
			r.owe(now, l)
		}
	}
	t.place, t.parent = best, parent
	for _, l := range r.links {
		l.eager = r.leads(l)
	}
}

// leads reports whether payloads go over a link: up or down the tree, to who
// hangs on another root, and to who has not said where it stands.
func (r *Rumors) leads(l *link) bool {
	return l.heard == 0 || l.child || l.id == r.tree.parent || l.theirs.root != r.tree.place.root
}

// tickPlaces says what is to be said by now of this node's place.
func (r *Rumors) tickPlaces(now time.Time) {
	for _, l := range r.links {
		if now.Before(l.sayAt) && now.Before(l.answerAt) {
			continue
		}
		again := !now.Before(l.sayAt)
		r.sendPlace(l, !again)
		l.answerAt = never
		if again {
			l.sayAt = now.Add(r.cfg.GraftAgain << l.tries)
			l.tries = min(l.tries+1, backoffMost)
		}
	}
}

func (r *Rumors) sendPlace(l *link, answer bool) {
	if addr, living := r.directory.Addr(l.id); living {
		r.stats.Places++
		r.send(false, hearsay.Packet{Addr: addr, Body: &hearsay.Place{
			Root: r.tree.place.root, Hops: r.tree.place.hops, Parent: l.id == r.tree.parent,
			Number: l.said, Heard: l.heard, Answer: answer,
		}})
	}
}
