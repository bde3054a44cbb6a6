package node

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/quorum"
	"hearsay/roster"
)

// This file is where one protocol's news reaches another.

// settle closes a step. It walks the new events once, those that it causes too.
func (n *Node) settle(now time.Time) *core.Effects {
	n.deaf.note(now)
	n.noteUnheard(now)
	for i := 0; i < len(n.out.Events) || n.leaving.tell(now); i++ {
		if n.withholds(now, &n.out.Events[i]) {
			n.out.Events = slices.Delete(n.out.Events, i, i+1)
			i--
			continue
		}
		nameMembers(n.roster, &n.out.Events[i])
		n.ways.noteCause(&n.out.Events[i])
		noteBefore(now, &n.out.Events[i], n.began)
		n.noteCutOff(&n.out.Events[i])
		e := n.out.Events[i] // the list may grow
		n.cases.Note(e)
		countDecided(&n.stats, &e)
		n.seeded.noteFirst(now, &e)
		n.addresses.noteWhere(&e)
		n.gossip.catchUp.noteIn(now, &e)
		n.forward(now, &e)
	}
	return n.finish()
}

// withholds reports whether an event is not told: that no quorum is heard while the disk stands still, and where a
// member is by the log, as the roster has told that, or will.
func (n *Node) withholds(now time.Time, e *hearsay.Event) bool {
	if moved := e.Kind == hearsay.EventMemberMoved && e.Epoch != 0; !moved && !n.standing.holdsBack(now, e) {
		return false
	}
	n.seeded.noteFirst(now, e)
	n.addresses.noteWhere(e)
	return true
}

// forward brings an event to the protocols that it concerns. The authority of a seeded
// network comes first, if there is one.
func (n *Node) forward(now time.Time, e *hearsay.Event) {
	s, id := &n.seeded, e.Subject
	switch e.Kind {
	case hearsay.EventMemberJoined:
		n.enter(now, id)
	case hearsay.EventMemberReturned:
		s.cleared(now, id)
		if e.State.Living() {
			n.gossip.trust(now, id)
		} else {
			n.enter(now, id)
		}
	case hearsay.EventMemberMoved:
		s.moved(now, id)
	case hearsay.EventMemberLeft, hearsay.EventLeaving:
		s.cleared(now, id)
		n.exit(now, id)
	case hearsay.EventMemberDead, hearsay.EventMemberRemoved:
		n.exit(now, id)
	case hearsay.EventMemberForgotten:
		n.rumors.Forget(id)
	case hearsay.EventLinked:
		n.rumors.Linked(now, id)
		n.gossip.store.Linked(id) // a seed has no links
		n.deaf.say(id)
	case hearsay.EventUnlinked:
		n.rumors.Unlinked(now, id)

	case hearsay.EventUnreachable:
		n.roster.Unreachable(now, id)
	case hearsay.EventRelayed:
		s.relayed(now, id)
	case hearsay.EventMemberSuspected:
		s.suspected(now, id)
		n.overlay.Suspect(now, id)
		n.rumors.Trusted(now, id)
	case hearsay.EventSuspectFreed, hearsay.EventMemberBack, hearsay.EventAwayOver:
		s.cleared(now, id)
		n.gossip.trust(now, id)
	case hearsay.EventMemberAway:
		n.away(now, id)
	case hearsay.EventAsked:
		n.detect.Examine(now, id, e.Addr, e.Round)
	case hearsay.EventProbeWanted:
		n.probe(now, e)
	case hearsay.EventExamined:
		n.examined(now, e)
	case hearsay.EventCondemned:
		s.condemned(now, e)
	case hearsay.EventCleared:
		s.cleared(now, id)
		n.gossip.trust(now, id)
		if n.roster.TakeWrong() {
			n.detect.Worsen()
		}
	case hearsay.EventRefuted:
		switch {
		case e.State != hearsay.StateSuspect:
			n.overlay.Doubt(now)
		case !e.CutOff:
			n.detect.Doubt() // others do; so should it (Lifeguard, table I)
		}
	case hearsay.EventRuled:
		n.rulings.ruled(now, e)
	case hearsay.EventRosterProven:
		n.rulings.overtake(now, s.told())
	case hearsay.EventCaseAborted, hearsay.EventCaseRefused:
		n.requests.giveUp(e)
	}
}

// nameMembers puts the names of members to an event.
func nameMembers(r *roster.Roster, e *hearsay.Event) {
	if e.Name == "" && !e.Subject.IsZero() {
		e.Name = r.Name(e.Subject)
	}
	if e.ByName == "" && !e.By.IsZero() {
		e.ByName = r.Name(e.By)
	}
}

// enter has a member probed and linked from now on.
func (n *Node) enter(now time.Time, id hearsay.NodeID) {
	n.detect.Add(id)
	n.gossip.enter(now, id)
}

// enter has a member linked from now on, if it carries rumors.
func (g *Gossip) enter(now time.Time, id hearsay.NodeID) {
	switch {
	case g.carries(id):
		g.overlay.Add(now, id)
		g.rumors.Trusted(now, id)
	case g.seeded.seat == nil:
		g.overlay.Suspect(now, id) // for good: it is passed over
	}
}

// exit has a member probed and linked no more.
func (n *Node) exit(now time.Time, id hearsay.NodeID) {
	n.detect.Remove(now, id)
	n.overlay.Remove(now, id)
	n.rumors.Trusted(now, id)
}

// trust has a suspect that is none any more linked again.
func (g *Gossip) trust(now time.Time, id hearsay.NodeID) {
	if g.links(id) {
		g.overlay.Trust(now, id)
		g.rumors.Trusted(now, id)
	}
}

// moved tells a seed's log what the roster says: a member is elsewhere.
func (s *Seeded) moved(now time.Time, id hearsay.NodeID) {
	if s.seat != nil {
		if c, ok := s.roster.Word(id); ok {
			s.seat.Move(now, &c)
		}
	}
}

// probe has somebody probed for this seed's own ballot.
func (n *Node) probe(now time.Time, e *hearsay.Event) {
	if _, in := n.seeded.authority.Member(e.Subject); in {
		n.detect.Probe(now, e.Subject, e.Addr, e.Round)
	} else {
		n.detect.ProbeAsker(now, e.Subject, e.Addr, e.Round)
	}
}

// examined tells the roster what this node's own pings have found, and a seed, which may
// accuse the member.
func (n *Node) examined(now time.Time, e *hearsay.Event) {
	if n.seeded.probed(now, e) {
		n.roster.Unreachable(now, e.Subject)
	}
	n.roster.Examined(now, e.Subject, e.Round, e.Verdict)
}

// condemned brings the word of the observers to where it is decided: in an open
// network it is enough, else the seeds do.
func (s *Seeded) condemned(now time.Time, e *hearsay.Event) {
	if s.authority == nil {
		s.roster.MarkDead(now, e.Evidence)
		return
	}
	m, in := s.authority.Member(e.Subject)
	switch {
	case !in:
	case s.seat != nil:
		s.seat.Report(now, &quorum.Report{Stay: m.Stay, By: s.id, Evidence: e.Evidence})
	default:
		s.petitions.Report(now, m.Stay, e.Evidence)
	}
}

// suspected tells a seed that a member is suspect somewhere: it probes it
// before there is a case.
func (s *Seeded) suspected(now time.Time, id hearsay.NodeID) {
	if s.seat != nil {
		s.seat.Suspected(now, id)
	}
}

// relayed tells a seed that only relays reach a member, as they say, and a peer that only they reach a seed.
func (s *Seeded) relayed(now time.Time, id hearsay.NodeID) {
	switch {
	case s.seat != nil:
		s.seat.Relayed(now, id)
	case s.follower != nil && s.isSeed(id):
		s.follower.Doubt(now)
	}
}

// cleared tells that a suspicion has ended: nothing is asked for any more.
func (s *Seeded) cleared(now time.Time, id hearsay.NodeID) {
	switch {
	case s.seat != nil:
		s.seat.Cleared(now, id)
	case s.petitions != nil:
		s.petitions.Settled(id)
	}
}

// probed tells a seed what its own probe has found. It reports whether the seed
// accuses the member.
func (s *Seeded) probed(now time.Time, e *hearsay.Event) (accuses bool) {
	return s.seat != nil && s.seat.Probed(now, quorum.Probe{Subject: e.Subject, Addr: e.Addr, Verdict: e.Verdict, Began: now.Add(-e.Took)})
}
