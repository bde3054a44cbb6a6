package detect

import (
	"slices"
	"time"

	"hearsay"
)

// This file notes members that answer this node's probes only through relays: the way between the two is cut,
// and each is well to all others, so that no case comes of it, and nobody is told.

const (
	// indirectMost is how many such members are known at a time; more are not noted. A guess: several
	// show that it is this node's machine.
	indirectMost = 16

	// indirectFor is for how long, and indirectProbes of how many probes, nothing but relays must have
	// answered for that to be told. Where a tenth of all packets is lost each way, three probes in a row are so
	// in one of a hundred, and the member answers none of the pings in others' place, either. Guesses.
	indirectFor    = 20 * time.Second
	indirectProbes = 3
)

// indirect is a member that has not answered this node itself since a time.
type indirect struct {
	seat   int32
	since  time.Time // when the first of these probes began
	probes int       // that only relays have answered
}

// byRelay notes that a member has answered a probe through a relay.
func (s *Swim) byRelay(id hearsay.NodeID, began time.Time) {
	seat := s.directory.Seat(id)
	at := slices.IndexFunc(s.indirect, func(i indirect) bool { return i.seat == seat })
	switch {
	case at >= 0:
		s.indirect[at].probes++
	case seat != 0 && len(s.indirect) < indirectMost:
		s.indirect = append(s.indirect, indirect{seat, began, 1})
	}
}

// direct notes that a member has answered this node itself, or is on the list no more.
func (s *Swim) direct(seat int32) {
	if len(s.indirect) > 0 {
		s.indirect = slices.DeleteFunc(s.indirect, func(i indirect) bool { return i.seat == seat })
	}
}

// EachIndirect gives the members that have answered this node through relays alone for long, and since when.
func (s *Swim) EachIndirect(now time.Time, yield func(id hearsay.NodeID, since time.Time)) {
	for _, i := range s.indirect {
		if id, _, ok := s.directory.At(i.seat); ok && i.probes >= indirectProbes && now.Sub(i.since) >= indirectFor {
			yield(id, i.since)
		}
	}
}
