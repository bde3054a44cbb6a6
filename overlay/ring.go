package overlay

import (
	"time"

	"hearsay"
	"hearsay/ring"
)

// This file owns the links that are computed: where this node stands on the
// rings among those members that are not suspect.

// pair is what a node stands between on one ring. With one other member both
// are that one.
type pair struct {
	next, before hearsay.NodeID
	found        bool // else there is nobody
}

// enter puts a member on the rings: it is a neighbor where it stands nearer
// than the one that was.
func (o *Overlay) enter(now time.Time, id hearsay.NodeID) {
	for i := range o.near {
		p := &o.near[i]
		if !p.found {
			*p = pair{next: id, before: id, found: true}
			o.touch(now)
			continue
		}
		if ring.Before(i, o.self, id, p.next) {
			p.next = id
			o.touch(now)
		}
		if ring.Before(i, o.self, p.before, id) {
			p.before = id
			o.touch(now)
		}
	}
}

// exit takes a member off the rings. It must be off the directory, or among the
// suspects.
func (o *Overlay) exit(now time.Time, id hearsay.NodeID) {
	others := ring.Members[hearsay.NodeID]{Count: o.directory.Count(), At: o.directory.Other}
	for i := range o.near {
		p := &o.near[i]
		if !p.found || p.next != id && p.before != id {
			continue
		}
		p.next, p.before, p.found = ring.Neighbors(i, o.self, others, o.suspects)
		o.touch(now)
	}
}
