package node

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// TurnOpen makes a peer of a network with seeds one of an open network, as it finds out that the seeds of its list are
// an earlier program's, which have no ledger. It keeps what it has said and stored. It reports false, and changes
// nothing, where MayTurn does.
func (n *Node) TurnOpen(now time.Time) (fx *core.Effects, turned bool) {
	n.begin(now)
	s := &n.seeded
	if !s.MayTurn() {
		return n.settle(now), false
	}
	s.authority, s.follower, s.petitions = nil, nil, nil
	s.seats, s.sitting, s.unseated, s.founded, s.quorumLost = nil, nil, nil, false, false
	s.quorumGone, s.earlyTill, s.spare = time.Time{}, time.Time{}, spare{}
	n.cfg.Follower.Seeds = nil
	n.evidence = evidenceFetcher{}
	n.roster.Unfollow(now)
	n.overlay.Enter(now)
	n.gossip.abroad = true
	return n.settle(now), true
}

// MayTurn reports whether this is a peer that may turn open. None is a seed, a node of an open network, and a peer that
// knows a ledger, or the key of a seed: that one waits for its seeds.
func (s *Seeded) MayTurn() bool { return s.follower != nil && !s.knowsLedger() }

// knowsLedger reports whether a peer has anything that ties it to the seeds of one ledger.
func (s *Seeded) knowsLedger() bool {
	if s.stay.Epoch != 0 || s.follower.Epoch() != 0 || s.follower.Ledger().Founding != (hearsay.Hash{}) {
		return true
	}
	for _, seat := range s.authority.Seats(nil) {
		if !seat.Key.IsZero() {
			return true
		}
	}
	return false
}
