package rumor

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// guests delivers what a guest says once, though it says that to several members, each of which tells everybody. A
// guest gives its messages no number that can be trusted: the same text of the same guest is the same message.
type guests struct {
	*shared
	by    map[hearsay.Hash][]*said // which have said a text
	order []*said                  // the oldest first
}

// said is a text that a guest has said, and when it is over that it is the same.
type said struct {
	text  hearsay.Hash
	guest hearsay.NodeID
	until time.Time
}

// heard reports whether a guest has said a text. One of which it is not known which it is has said what any has; and
// the first that is known after it is that one.
func (g *guests) heard(now time.Time, guest hearsay.NodeID, data []byte) bool {
	g.forget(now)
	before := g.by[core.TextHash(data)]
	if guest == hearsay.AnyGuest {
		return len(before) > 0
	}
	for _, one := range []hearsay.NodeID{guest, hearsay.AnyGuest} {
		if i := slices.IndexFunc(before, func(s *said) bool { return s.guest == one }); i >= 0 {
			before[i].guest = guest
			return true
		}
	}
	return false
}

// again notes what is delivered, and reports whether it was before.
func (g *guests) again(now time.Time, e *entry) bool {
	if e.Guest.IsZero() {
		return false
	}
	if g.heard(now, e.Guest, e.Data) {
		return true
	}
	if g.by == nil {
		g.by = make(map[hearsay.Hash][]*said)
	}
	one := &said{core.TextHash(e.Data), e.Guest, now.Add(g.cfg.KeepFor - e.Age)}
	g.by[one.text] = append(g.by[one.text], one)
	g.order = append(g.order, one)
	return false
}

// forget lets go of what nobody holds any more, and of the oldest beyond as many as are held.
func (g *guests) forget(now time.Time) {
	for len(g.order) > 0 && (len(g.order) > g.cfg.KeepCount || !now.Before(g.order[0].until)) {
		oldest := g.order[0]
		g.order = g.order[1:]
		left := slices.DeleteFunc(g.by[oldest.text], func(s *said) bool { return s == oldest })
		if g.by[oldest.text] = left; len(left) == 0 {
			delete(g.by, oldest.text)
		}
	}
}
