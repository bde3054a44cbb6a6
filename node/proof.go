package node

import (
	"hearsay"
)

// Proof is what proves the ledger as this node has it, on its disk or, without
// one, in memory. Of an open network it is empty, but for the network.
func (s *Seeded) Proof(disk bool) hearsay.LedgerProof {
	p := hearsay.LedgerProof{Network: s.cfg.Network}
	if s.authority == nil {
		return p
	}
	p.Oldest, p.Seats, p.Heads = s.authority.Oldest(), s.authority.Seats(nil), s.authority.Heads()
	if s.follower != nil {
		p.Seats = s.follower.ProvenSeats()
	}
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

// stats adds the figures of a seeded network.
func (s *Seeded) stats(stats *hearsay.Stats) {
	c := &s.counts
	stats.Epoch, stats.CasesOpened, stats.CasesAborted = s.Epoch(), c.casesOpened, c.casesAborted
	stats.BallotsYes, stats.BallotsNo, stats.TurnedAway = c.yes, c.no, c.turnedAway
	stats.Admissions, stats.Removals, stats.Departures = c.rulings[hearsay.RulingAdmit], c.rulings[hearsay.RulingRemove], c.rulings[hearsay.RulingLeave]
	stats.SeatRulings = c.rulings[hearsay.RulingSeat] + c.rulings[hearsay.RulingRecover]
	if a := s.authority; a != nil {
		if fork := a.Fork(); fork != nil {
			stats.Rivals = len(fork.Theirs)
		}
	}
	if t := s.petitions; t != nil {
		stats.Untaken = t.Untaken(*s.stepped)
		if len(stats.Untaken) > 0 && stats.Untaken[0].Waits && !s.Authority().Ready {
			stats.Untaken = nil // that no quorum is heard explains it
		}
		for i := range stats.Untaken {
			stats.Untaken[i].Name = s.roster.Name(stats.Untaken[i].ID)
		}
	}
	if s.seat != nil {
		stats.CasesOpen, stats.ClockOff = s.seat.Open(), s.seat.ClockOff().Seconds()
	}
}
