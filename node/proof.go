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

// countDecided counts a death that this node has decided, and what it has seen the seeds decide.
func countDecided(stats *hearsay.Stats, e *hearsay.Event) {
	switch e.Kind {
	case hearsay.EventCondemned:
		if !e.CutOff {
			stats.Condemned++
		}
	case hearsay.EventCaseOpened:
		stats.CasesOpened++
	case hearsay.EventCaseAborted:
		stats.CasesAborted++
	case hearsay.EventBallot:
		if e.Ballot.Verdict == hearsay.BallotYes {
			stats.BallotsYes++
		} else {
			stats.BallotsNo++
		}
	case hearsay.EventTurnedAway:
		stats.TurnedAway++
	case hearsay.EventRuled:
		switch e.Ruling.Kind {
		case hearsay.RulingAdmit:
			stats.Admissions++
		case hearsay.RulingRemove:
			stats.Removals++
		case hearsay.RulingLeave:
			stats.Departures++
		case hearsay.RulingSeat, hearsay.RulingRecover:
			stats.SeatRulings++
		}
	}
}

// untaken gives the reports of this peer that no seed takes.
func (s *Seeded) untaken() []hearsay.Untaken {
	if s.petitions == nil {
		return nil
	}
	vain := s.petitions.Untaken(*s.stepped)
	if len(vain) > 0 && vain[0].Waits && !s.Authority().Ready {
		return nil // that no quorum is heard explains it
	}
	for i := range vain {
		vain[i].Name = s.roster.Name(vain[i].ID)
	}
	return vain
}

// stats adds how it is now with a seeded network.
func (s *Seeded) stats(stats *hearsay.Stats) {
	stats.Epoch = s.Epoch()
	if a := s.authority; a != nil {
		if fork := a.Fork(); fork != nil {
			stats.Rivals = len(fork.Theirs)
		}
	}
	if s.authority != nil {
		stats.ClockOff = s.clockOff(stats.At).Seconds()
	}
	if s.seat != nil {
		stats.CasesOpen = s.seat.Open()
	}
}
