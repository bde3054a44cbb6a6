package node

import (
	"slices"

	"hearsay"
	"hearsay/overlay"
	"hearsay/roster"
)

// This file says which members a node has to watch where not each watches all (detect.KindNeighbor).

// watched are those of one node.
type watched struct {
	id      hearsay.NodeID
	roster  *roster.Roster
	overlay *overlay.Overlay
	gossip  *Gossip
	seeded  *Seeded
}

// members appends the members that this node watches, ascending: its links. Those that have none (seeds, guests, and a
// node that is not in) stand in a ring with all others, in the order of their identities: there each watches the next
// and the one before, and beyond those that are suspect the first that is none. So each member is watched by two, as
// far as rosters agree: on each overlay a member has at least two links, known at both ends, if there are so many.
func (w *watched) members(ids []hearsay.NodeID) []hearsay.NodeID {
	links := w.overlay.Links()
	ids = append(ids, links...)
	if w.seeded.authority == nil && len(links) > 0 {
		return ids // all have links
	}
	sides := [2]side{}
	for i := range w.roster.CountOthers() {
		other := w.roster.Other(i)
		suspect := w.roster.Suspect(other)
		for at := range sides {
			sides[at].see(other, w.id, at == 0, suspect)
		}
	}
	for _, s := range sides {
		for _, id := range [...]hearsay.NodeID{s.nearest, s.trusted} {
			if !id.IsZero() && (len(links) == 0 || !w.gossip.carries(id)) {
				ids = append(ids, id)
			}
		}
	}
	slices.SortFunc(ids, hearsay.NodeID.Compare)
	return slices.Compact(ids)
}

// side is what stands on one side of a node in the ring.
type side struct{ nearest, trusted hearsay.NodeID }

// see takes one more member.
func (s *side) see(id, self hearsay.NodeID, next, suspect bool) {
	if s.nearest.IsZero() || nearer(id, s.nearest, self, next) {
		s.nearest = id
	}
	if !suspect && (s.trusted.IsZero() || nearer(id, s.trusted, self, next)) {
		s.trusted = id
	}
}

// nearer reports whether a is reached before b on the way around the ring from self, which goes up if next is set.
func nearer(a, b, self hearsay.NodeID, next bool) bool {
	if wraps := (a.Compare(self) < 0) != (b.Compare(self) < 0); wraps {
		return (a.Compare(self) < 0) != next
	}
	return a.Compare(b) < 0 == next
}
