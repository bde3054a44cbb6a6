package overlay

import (
	"cmp"
	"slices"

	"hearsay"
	"hearsay/ring"
)

// Chart is what one node can tell of the links of all. It is a copy.
//
// Those on the rings everybody computes from the roster, and so this node can
// for everybody, as far as others run with the same overlay and hold the same
// members for suspect. Drawn links are known to their two ends alone: here
// those of this node.
type Chart struct {
	self    hearsay.NodeID
	members []hearsay.NodeID // on the rings, this node included if it is inside
	rings   int
	drawn   []hearsay.NodeID
}

// Chart gives the chart as of now. Stands reports of a member other than this
// node, and no suspect, whether it stands on the rings.
func (o *Overlay) Chart(stands func(hearsay.NodeID) bool) Chart {
	c := Chart{self: o.self, rings: len(o.near)}
	c.members = make([]hearsay.NodeID, 0, o.directory.Count()+1)
	if !o.outside {
		c.members = append(c.members, o.self)
	}
	for i := range o.directory.Count() {
		id := o.directory.Other(i)
		if !has(o.suspects, id) && stands(id) {
			c.members = append(c.members, id)
		}
	}
	for _, id := range o.drawn.links {
		if !has(o.suspects, id) {
			c.drawn = append(c.drawn, id)
		}
	}
	return c
}

// Links gives each link once, ordered by its ends. A link of both kinds is one
// of the ring.
func (c *Chart) Links() []hearsay.Link {
	links := make([]hearsay.Link, 0, c.rings*len(c.members)+len(c.drawn))
	circle := slices.Clone(c.members)
	for i := range c.rings {
		around := circle // the members in the order of the ring from where this node is, or would be
		if len(circle) > 0 && circle[0] == c.self {
			around = circle[1:]
		}
		slices.SortFunc(around, func(a, b hearsay.NodeID) int {
			if ring.Before(i, c.self, a, b) {
				return -1
			}
			return 1
		})
		for at, id := range circle {
			if next := circle[(at+1)%len(circle)]; next != id {
				links = append(links, hearsay.LinkOf(id, next, hearsay.LinkRing))
			}
		}
	}
	for _, id := range c.drawn {
		links = append(links, hearsay.LinkOf(c.self, id, hearsay.LinkRandom))
	}
	slices.SortFunc(links, func(a, b hearsay.Link) int {
		return cmp.Or(a.A.Compare(b.A), a.B.Compare(b.B), cmp.Compare(a.Kind, b.Kind))
	})
	return slices.CompactFunc(links, func(a, b hearsay.Link) bool { return a.A == b.A && a.B == b.B })
}
