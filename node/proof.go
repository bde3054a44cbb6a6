package node

import (
	"net/netip"

	"hearsay"
)

// Proof is what proves the ledger as this node has it, on its disk or, without
// one, in memory. Of an open network it is empty, but for the network.
func (n *Node) Proof(disk bool) hearsay.LedgerProof {
	p := hearsay.LedgerProof{Network: n.cfg.Network}
	s := &n.seeded
	if s.authority == nil {
		return p
	}
	p.Oldest, p.Seats, p.Heads = s.authority.Oldest(), s.authority.Seats(nil), s.authority.Heads()
	if s.seat != nil {
		p.Founding = s.seat.Founding()
		if disk {
			p.Oldest = s.seat.OldestOnDisk()
		}
	}
	return p
}

// counts are how often something happened in the ledger since this node
// started: what it has seen be decided.
type counts struct {
	casesOpened, casesAborted uint64
	yes, no                   uint64
	turnedAway                uint64
	rulings                   [hearsay.NumRulingKinds]uint64
}

// note counts an event.
func (c *counts) note(e *hearsay.Event) {
	switch e.Kind {
	case hearsay.EventCaseOpened:
		c.casesOpened++
	case hearsay.EventCaseAborted:
		c.casesAborted++
	case hearsay.EventBallot:
		if e.Ballot.Verdict == hearsay.BallotYes {
			c.yes++
		} else {
			c.no++
		}
	case hearsay.EventRuled:
		c.rulings[e.Ruling.Kind]++
	case hearsay.EventTurnedAway:
		c.turnedAway++
	}
}

// ledgerStats adds the figures of a seeded network.
func (n *Node) ledgerStats(s *hearsay.Stats) {
	c := &n.seeded.counts
	s.Epoch, s.CasesOpened, s.CasesAborted = n.Epoch(), c.casesOpened, c.casesAborted
	s.BallotsYes, s.BallotsNo, s.TurnedAway = c.yes, c.no, c.turnedAway
	s.Admissions, s.Removals, s.Departures = c.rulings[hearsay.RulingAdmit], c.rulings[hearsay.RulingRemove], c.rulings[hearsay.RulingLeave]
	s.SeatRulings = c.rulings[hearsay.RulingSeat] + c.rulings[hearsay.RulingRecover]
	if a := n.seeded.authority; a != nil {
		if fork := a.Fork(); fork != nil {
			s.Rivals = len(fork.Theirs)
		}
	}
	if n.seeded.seat != nil {
		s.CasesOpen, s.ClockOff = n.seeded.seat.Open(), n.seeded.seat.ClockOff().Seconds()
	}
}

// Where gives where a node is as far as the roster knows, also of those who are
// out.
func (n *Node) Where(id hearsay.NodeID) netip.AddrPort {
	m, _ := n.roster.Member(id)
	return m.Addr
}
