package spread

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// This file has a node that lacks much fetch it from several neighbors at once: each gives another share of what the
// first has seen, and nothing comes twice but the records that a cut goes through. What they did not give, and what was
// deleted, an exchange with one of them brings in the end.

const (
	sharesMost = 3    // neighbors. A guess: with that many the node itself is what takes the time
	sharedMost = 4096 // writes that are asked of one. A guess: that takes some 50 ms
)

// gives reports whether a node gives a share.
func (s *Store) gives(id hearsay.NodeID) bool { return slices.Contains(s.giving, id) }

// share shares out among neighbors what a message says that this node lacks, if that is much. Its sender is asked for
// the first share, in the reply.
func (s *Store) share(m, reply *core.Sync) {
	lacks := s.replica.Lacks(m.Clock)
	if s.shared || len(m.Of) > 0 || counted(lacks) <= sharedMost {
		return
	}
	s.giving = append(s.giving[:0], s.from)
	var addrs []core.Packet
	for _, id := range s.directory.Next(s.from) {
		if addr, living := s.directory.Addr(id); living && len(s.giving) < sharesMost {
			s.giving = append(s.giving, id)
			addrs = append(addrs, core.Packet{Addr: addr, Stream: true})
		}
	}
	shares := divided(lacks, len(s.giving))
	reply.Of, s.shared = shares[0][:min(len(shares[0]), core.MaxOf)], true // the rest comes in the end
	for i, p := range addrs {
		of := shares[i+1]
		p.Body = &core.Sync{Asks: true, Clock: reply.Clock, Of: of[:min(len(of), core.MaxOf)]}
		s.stats.StoreAsks++
		s.out.Send = append(s.out.Send, p)
	}
}

// given notes that a node has given its share, or will not. The last one is asked what still differs, if any does.
func (s *Store) given(now time.Time, id hearsay.NodeID, theirs []core.Holding) {
	s.giving, s.gave = slices.DeleteFunc(s.giving, func(other hearsay.NodeID) bool { return other == id }), id
	switch same := func(a, b core.Holding) bool {
		return a.Origin == b.Origin && a.Sum == b.Sum && slices.Equal(a.Seen, b.Seen)
	}; {
	case len(s.giving) > 0:
	case slices.EqualFunc(s.replica.Digest(), theirs, same):
		s.ended(now)
	case !s.goOn(now):
		s.ended(now)
	}
}

// goOn asks the last one that has given its share what still differs, and reports whether it does. It waits for the
// shares of others no more.
func (s *Store) goOn(now time.Time) bool {
	if !s.shared || s.gives(s.gave) || !s.begin(now, s.gave) {
		return false
	}
	s.giving, s.gave, s.gained = s.giving[:0], hearsay.NodeID{}, true
	return true
}

// counted counts the numbers in ranges.
func counted(ranges []core.SeenRange) (n uint64) {
	for _, r := range ranges {
		n += r.High - r.Low + 1
	}
	return n
}

// divided divides ranges into parts in which equally many numbers are.
func divided(ranges []core.SeenRange, parts int) [][]core.SeenRange {
	divided, each := make([][]core.SeenRange, parts), counted(ranges)/uint64(parts)+1
	left, at := each, 0
	for _, r := range ranges {
		for r.Low <= r.High {
			n := min(left, r.High-r.Low+1)
			divided[at] = append(divided[at], core.SeenRange{Origin: r.Origin, Range: clock.Range{Low: r.Low, High: r.Low + n - 1}})
			r.Low += n
			if left -= n; left == 0 {
				left, at = each, at+1
			}
		}
	}
	return divided
}
