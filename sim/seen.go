package sim

import (
	"fmt"
	"slices"

	"hearsay"
	"hearsay/clock"
)

// This file holds nodes to having seen the same rumors when all is over. The hash
// of that rides on pings, and where it differs neighbors compare. Two things may
// differ for good:
//
//   - Of an origin that a node does not list, as it was gone before the node came,
//     it takes nothing.
//   - That a rumor is gone, which nobody holds any more, a node believes only if
//     two neighbors say so, or the origin, or its only neighbor: who alone has
//     seen it is not believed.

// seenRumors is what the running peers have seen.
type seenRumors struct {
	peers []*machine
	seen  []*clock.Context // by peer
	all   clock.Context    // what any of them has
}

// unlike says which node has not seen what it should have, if any.
func (c *convergence) unlike() string {
	w := c.world
	l, hashes := seenRumors{}, make(map[uint64]bool)
	for i := range w.machines {
		if m := &w.machines[i]; c.steady(m) && !w.isSeed(m) {
			seen, hash := m.node.Gossip().Seen()
			l.peers, l.seen = append(l.peers, m), append(l.seen, seen)
			hashes[hash] = true
		}
	}
	if len(hashes) < 2 {
		return ""
	}
	for _, seen := range l.seen {
		l.all.Merge(seen)
	}
	for i, m := range l.peers {
		if problem := l.lacks(w.check, i); problem != "" {
			return m.name + " " + problem
		}
	}
	return ""
}

// lacks says what a peer has not seen and should have, if anything.
func (l *seenRumors) lacks(c *checker, peer int) string {
	node, own := l.peers[peer].node, l.seen[peer]
	for origin, r := range l.all.Ranges() {
		id := hearsay.NodeID(origin)
		if slices.Contains(own.Of(origin), r) || !node.Gossip().Knows(id) {
			continue
		}
		for number := r.Low; number <= r.High; number++ {
			rumor := clock.Dot{Origin: origin, Counter: number}
			if own.Has(rumor) {
				continue
			}
			if how := l.told(node.Gossip().Links(), rumor); how != "" {
				return fmt.Sprintf("has not seen rumor %d of %s: %s", number, c.name(id), how)
			}
		}
	}
	return ""
}

// told says how one with these links must come to know of a rumor; nothing if it
// need not.
func (l *seenRumors) told(links []hearsay.NodeID, rumor clock.Dot) string {
	var telling []string
	for i, other := range l.peers {
		_, held := other.node.Gossip().Delivered(rumor)
		switch {
		case !l.seen[i].Has(rumor):
		case held:
			return other.name + " holds it"
		case other.id == hearsay.NodeID(rumor.Origin):
			return "its origin knows that it is gone"
		case slices.Contains(links, other.id):
			telling = append(telling, other.name)
		}
	}
	if len(telling) > 0 && len(telling) >= min(2, len(links)) {
		return fmt.Sprintf("of %d neighbors %s know that it is gone", len(links), telling)
	}
	return ""
}
