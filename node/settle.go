package node

import (
	"time"

	"hearsay"
	"hearsay/quorum"
)

// This file is where one protocol's news reaches another.

// settle closes a step. It walks the new events once, those that it causes too.
func (n *Node) settle(now time.Time) *hearsay.Effects {
	n.noteDeaf(now)
	n.noteUnheard(now)
	for i := 0; i < len(n.out.Events) || n.tellLeave(now); i++ {
		n.name(&n.out.Events[i])
		e := n.out.Events[i] // the list may grow
		n.cases.note(e)
		n.seeded.counts.note(&e)
		n.noteWhere(&e)
		n.forward(now, &e)
	}
	return n.finish()
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
			n.trust(now, id)
		} else {
			n.enter(now, id)
		}
	case hearsay.EventMemberMoved:
		n.moved(now, e)
	case hearsay.EventMemberLeft, hearsay.EventLeaving:
		s.cleared(now, id)
		n.exit(now, id)
	case hearsay.EventMemberDead, hearsay.EventMemberRemoved:
		n.exit(now, id)
	case hearsay.EventMemberForgotten:
		n.rumors.Forget(id)
	case hearsay.EventLinked:
		n.rumors.Linked(now, id)
		n.sayDeaf(id)
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
		n.trust(now, id)
	case hearsay.EventMemberAway:
		n.away(now, id)
	case hearsay.EventAsked:
		n.detect.Examine(now, id, e.Addr, e.Round)
	case hearsay.EventProbeWanted:
		n.probe(now, e)
	case hearsay.EventExamined:
		n.examined(now, e)
	case hearsay.EventCondemned:
		n.condemned(now, e)
	case hearsay.EventCleared:
		s.cleared(now, id)
		n.trust(now, id)
		if n.roster.TakeWrong() {
			n.detect.Worsen()
		}
	case hearsay.EventRefuted:
		if e.State == hearsay.StateSuspect {
			n.detect.Doubt() // others do; so should it (Lifeguard, table I)
		} else {
			n.overlay.Doubt(now)
		}

	case hearsay.EventRuled:
		n.ruled(now, e)
	case hearsay.EventRosterProven:
		n.overtake(now, s.told())
	case hearsay.EventCaseAborted, hearsay.EventCaseRefused:
		s.answers.giveUp(e)
	}
}

// name puts the names of members to an event.
func (n *Node) name(e *hearsay.Event) {
	if e.Name == "" && !e.Subject.IsZero() {
		e.Name = n.roster.Name(e.Subject)
	}
	if e.ByName == "" && !e.By.IsZero() {
		e.ByName = n.roster.Name(e.By)
	}
}

// enter has a member probed and linked from now on.
func (n *Node) enter(now time.Time, id hearsay.NodeID) {
	n.detect.Add(id)
	switch {
	case n.carries(id):
		n.overlay.Add(now, id)
		n.rumors.Trusted(now, id)
	case n.seeded.seat == nil:
		n.overlay.Suspect(now, id) // for good: it is passed over
	}
}

// exit has a member probed and linked no more.
func (n *Node) exit(now time.Time, id hearsay.NodeID) {
	n.detect.Remove(id)
	n.overlay.Remove(now, id)
	n.rumors.Trusted(now, id)
}

// trust has a suspect that is none any more linked again.
func (n *Node) trust(now time.Time, id hearsay.NodeID) {
	if n.links(id) {
		n.overlay.Trust(now, id)
		n.rumors.Trusted(now, id)
	}
}

// moved tells a seed's log what the roster says: a member is elsewhere.
func (n *Node) moved(now time.Time, e *hearsay.Event) {
	if n.seeded.seat != nil && e.Epoch == 0 { // else the log has said so
		if c, ok := n.roster.Word(e.Subject); ok {
			n.seeded.seat.Move(now, &c)
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

// condemned brings the word of the observers to who decides: in an open network
// it is enough, else the seeds do.
func (n *Node) condemned(now time.Time, e *hearsay.Event) {
	s := &n.seeded
	if s.authority == nil {
		n.roster.Bury(now, e.Evidence)
		return
	}
	m, in := s.authority.Member(e.Subject)
	switch {
	case !in:
	case s.seat != nil:
		s.seat.Report(now, &quorum.Report{Stay: m.Stay, By: n.id, Evidence: e.Evidence})
	default:
		s.petitions.Report(now, m.Stay, e.Evidence)
	}
}

// suspected tells a seed that a member is suspect somewhere: it probes it
// before there is a case.
func (s *seeded) suspected(now time.Time, id hearsay.NodeID) {
	if s.seat != nil {
		s.seat.Suspected(now, id)
	}
}

// relayed tells a seed that only relays reach a member, as they say.
func (s *seeded) relayed(now time.Time, id hearsay.NodeID) {
	if s.seat != nil {
		s.seat.Relayed(now, id)
	}
}

// cleared tells that a suspicion has ended: nothing is asked for any more.
func (s *seeded) cleared(now time.Time, id hearsay.NodeID) {
	switch {
	case s.seat != nil:
		s.seat.Cleared(now, id)
	case s.petitions != nil:
		s.petitions.Settled(id)
	}
}

// probed tells a seed what its own probe has found. It reports whether the seed
// accuses the member.
func (s *seeded) probed(now time.Time, e *hearsay.Event) (accuses bool) {
	return s.seat != nil && s.seat.Probed(now, quorum.Probe{Subject: e.Subject, Addr: e.Addr, Verdict: e.Verdict, Began: now.Add(-e.Took)})
}
