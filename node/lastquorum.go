package node

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file has a node say that just a quorum of seeds is left, and which are not. It says so only once it knows that
// it is not cut off itself: a seed has been silent for a while, and a quorum of seeds has answered since.

const (
	// silentFor is how long a seed has been suspect, or has not answered the one that leads, when it counts as silent: a
	// suspicion of one that lives is refuted before. A guess: a little longer than a peer waits for an answer.
	silentFor = 5 * time.Second

	// spareEvery is the time between two looks, and how long a seed is silent when a peer asks the others.
	spareEvery = time.Second
)

// spare is what a node knows of the seeds that are more than a quorum.
type spare struct {
	at     time.Time                   // the next look
	silent [hearsay.MaxSeeds]time.Time // by slot: since when that seed is silent, as of the last look; zero: it is not
	told   bool                        // that just a quorum is left
	led    bool                        // as the one that leads, of a seed that answers pings: others cannot know that
}

// noteSpare looks which seeds are silent, and tells as events that just a quorum is left, and that more is again.
func (s *Seeded) noteSpare(now time.Time, out *core.Effects) {
	if now.Before(s.spare.at) {
		return
	}
	s.spare.at = now.Add(spareEvery)
	some, leads := false, false
	var room [hearsay.MaxSeeds]hearsay.Seat
	for _, seat := range s.authority.Seats(room[:0]) {
		since, least := s.silentSince(now, int(seat.Slot), seat.Key.NodeID())
		if since.IsZero() || !s.othersAnswer(now, since) || now.Sub(since) < least {
			since = time.Time{}
		}
		s.spare.silent[seat.Slot] = since
		some = some || !since.IsZero()
		if m, _ := s.roster.Member(seat.Key.NodeID()); !since.IsZero() && m.State == hearsay.StateAlive {
			leads = true
		}
	}
	if some || s.spare.told {
		s.tellSpare(now, leads, out)
	}
}

// tellSpare tells what has changed. A seed that leads no more does not know what has become of one that answers pings:
// the one that leads now tells.
func (s *Seeded) tellSpare(now time.Time, leads bool, out *core.Effects) {
	a := s.Authority()
	if a.Early {
		return
	}
	text := a.LastQuorum()
	switch is := text != ""; {
	case is:
		if !s.spare.told {
			out.Events = append(out.Events, hearsay.Event{At: now, Kind: hearsay.EventLastQuorum, Subject: s.id, Count: a.Quorum, Text: text})
		}
		s.spare.led = leads
	case s.spare.led && a.Ready && now.Sub(s.seat.LeadsSince()) < silentFor:
		return // it leads again, and does not know yet
	case a.Ready && !(s.spare.led && s.seat.LeadsSince().IsZero()):
		out.Events = append(out.Events, hearsay.Event{At: now, Kind: hearsay.EventQuorumSpare, Subject: s.id})
	}
	s.spare.told = text != ""
}

// silentSince is since when a seed may be silent: it is suspect, or does not answer this one, which leads; and for how
// long it must be so. Zero: it is not.
func (s *Seeded) silentSince(now time.Time, slot int, id hearsay.NodeID) (since time.Time, least time.Duration) {
	least = silentFor
	switch m, listed := s.roster.Member(id); {
	case id == s.id:
		return time.Time{}, 0
	case !listed:
		since = s.began
	case m.State != hearsay.StateAlive:
		if since = m.Since; !s.spare.silent[slot].IsZero() {
			least = 0 // it did not answer the one that leads before
		}
	case s.follower == nil:
		return s.seat.FollowedAt(slot), least
	default:
		return time.Time{}, 0 // that it does not answer this peer may be the way between the two
	}
	if s.follower != nil {
		if heard, _ := s.follower.HeardAt(slot); heard.After(since) {
			return time.Time{}, 0
		}
	}
	return since, least
}

// othersAnswer reports whether a quorum of seeds has answered this node since a time: else it may be the one that is
// cut off, and a peer asks them.
func (s *Seeded) othersAnswer(now, since time.Time) bool {
	if s.follower == nil {
		return s.seat.Decides()
	}
	answered, needed := 0, hearsay.QuorumOf(len(s.seeds()))
	for slot := range s.seeds() {
		if heard, _ := s.follower.HeardAt(slot); s.follower.Met(slot) && heard.After(since) {
			answered++
		}
	}
	if answered < needed && now.Sub(since) >= spareEvery {
		s.follower.Doubt(now)
	}
	return answered >= needed
}
