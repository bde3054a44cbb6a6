package node

import (
	"time"

	"hearsay"
)

// This file makes the roster, and what this node asks of the seeds, follow the
// ledger.

// before says of what has happened to members since that the seeds had ruled it before this node
// heard of their ledger.
func (n *Node) before(since int) {
	for i := since; i < len(n.out.Events); i++ {
		if e := &n.out.Events[i]; e.Kind == hearsay.EventMemberRemoved {
			e.Before = true
		}
	}
}

// past says of what has happened to members since that an earlier life of this
// data directory has told of it.
func (n *Node) past(since int) {
	for i := since; i < len(n.out.Events); i++ {
		switch e := &n.out.Events[i]; e.Kind {
		case hearsay.EventMemberJoined, hearsay.EventMemberReturned, hearsay.EventMemberMoved, hearsay.EventMemberRemoved, hearsay.EventMemberLeft:
			e.Past = true
		}
	}
}

// ruled makes the roster follow a ruling.
func (n *Node) ruled(now time.Time, e *hearsay.Event) {
	s, r := &n.seeded, e.Ruling
	if e.Past {
		defer n.past(len(n.out.Events))
	}
	if e.Before {
		defer n.before(len(n.out.Events))
	}
	switch r.Kind {
	case hearsay.RulingAdmit:
		if own, in := s.authority.Member(n.id); in && r.Stay == own.Stay { // else it is over by now
			n.admitted(now, r.Stay)
		}
		n.roster.Admit(now, &r.Claim)
	case hearsay.RulingRemove, hearsay.RulingLeave:
		by := hearsay.NodeID{}
		if e.Evidence != nil {
			by = e.Evidence.Accuser
		}
		if r.Kind == hearsay.RulingLeave {
			n.roster.Depart(now, r.Stay.ID)
		} else {
			n.roster.Expel(now, r.Stay.ID, by, e.Evidence)
		}
		n.wantEvidence(now, r)
		if s.petitions != nil {
			s.petitions.Settled(r.Stay.ID)
		}
		if r.Stay == s.stay && s.petitions != nil {
			n.removed(now)
		}
	case hearsay.RulingSeat, hearsay.RulingRecover:
		n.expelStrangers(now, hearsay.RoleSeed) // who sat there before; of peers the rulings that follow tell
	}
	if s.seat != nil {
		s.answers.giveAll(r.Stay, hearsay.OutcomeDone, len(r.Ballots), "")
	}
}

// overtake makes the roster what the authority's is: there is a new one, whole. An
// earlier life has told of who was in by an epoch.
func (n *Node) overtake(now time.Time, told hearsay.Epoch) {
	s := &n.seeded
	own, in := s.authority.Member(n.id)
	switch {
	case in && own.Stay != s.stay:
		n.admitted(now, own.Stay)
	case !in && s.stay.Epoch != 0 && s.petitions != nil:
		n.removed(now)
	}
	for _, m := range s.authority.Roster(nil) {
		since := len(n.out.Events)
		if n.roster.Admit(now, &m.Claim); m.Stay.Epoch <= told {
			n.past(since)
		}
	}
	n.expelStrangers(now, 0)
	if s.petitions != nil {
		s.petitions.Prune(func(stay hearsay.Stay) bool {
			m, in := s.authority.Member(stay.ID)
			return in && m.Stay == stay
		})
	}
}

// expelUnseated lists as dead who has lost its seat to another. A peer that was
// away learns that from a seed, and of no ruling.
func (n *Node) expelUnseated(now time.Time) {
	s := &n.seeded
	if n.isSeed(n.id); len(s.unseated) == 0 {
		return
	}
	for _, id := range s.unseated {
		if n.roleOf(id) == 0 {
			n.roster.Expel(now, id, hearsay.NodeID{}, nil)
		}
	}
	s.unseated = s.unseated[:0]
}

// expelStrangers lists as dead who is in neither by the ledger nor by a seat, of those with a
// role; 0: of all.
func (n *Node) expelStrangers(now time.Time, role hearsay.Role) {
	for _, m := range n.roster.All(nil) {
		if role != 0 && m.Role != role {
			continue
		}
		if m.State.Living() && m.ID != n.id && n.roleOf(m.ID) == 0 {
			n.roster.Expel(now, m.ID, hearsay.NodeID{}, nil)
		}
	}
}

// admitted is told that this node is in.
func (n *Node) admitted(now time.Time, stay hearsay.Stay) {
	if n.seeded.petitions == nil {
		return // a seed is in by its seat
	}
	n.seeded.stay = stay
	n.seeded.petitions.Admitted()
	if n.gone() { // before it heard that it is in
		n.leaveSeeded(now)
		return
	}
	n.overlay.Enter(now)
	n.out.Events = append(n.out.Events, hearsay.Event{At: now, Kind: hearsay.EventJoined, Subject: n.id, Epoch: stay.Epoch, Count: n.roster.Living()})
}

// removed is told that this node's stay is over though it lives: it asks for a
// new one.
func (n *Node) removed(now time.Time) {
	n.seeded.stay = hearsay.Stay{}
	n.overlay.Withdraw(now)
	if n.gone() {
		return
	}
	n.roster.Rejoin(now)
	n.seeded.petitions.Register(now)
}
