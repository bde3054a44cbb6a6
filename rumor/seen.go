package rumor

import (
	"encoding/binary"
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
)

// seen is every rumor that this node has ever seen, by name. It decides that
// each is delivered once.
type seen struct {
	context clock.Context
	missed  clock.Context // of these, what it never got: others say that nobody holds it any more. They may lie
	late    clock.Context // of these, what came all the same
	origins map[clock.Origin]*origin
	changed []*origin // their part of sum is old
	sum     uint64
}

// origin is what is kept of one origin besides what was seen of it.
type origin struct {
	id      clock.Origin
	part    uint64        // of seen.sum
	changed bool          // listed in seen.changed
	paid    time.Time     // up to then the time for its rumors is spent
	held    []clock.Range // of its numbers, while give runs; else nil
}

// of gives what is kept of an origin, from now on.
func (s *seen) of(id clock.Origin) *origin {
	o := s.origins[id]
	if o == nil {
		if s.origins == nil {
			s.origins = make(map[clock.Origin]*origin)
		}
		o = &origin{id: id}
		s.origins[id] = o
	}
	return o
}

// add counts a range as seen.
func (s *seen) add(o *origin, r clock.Range) {
	s.context.AddRange(o.id, r)
	if !o.changed {
		o.changed = true
		s.changed = append(s.changed, o)
	}
}

// missedMost bounds the ranges of one origin that never came: there may be one
// between any two numbers that did.
const missedMost = 2 * maxRanges

// miss counts a range as seen that never came. If there are too many, the older
// half is believed to be gone for good.
func (s *seen) miss(o *origin, r clock.Range) {
	s.add(o, r)
	s.missed.AddRange(o.id, r)
	if ranges := s.missed.Of(o.id); len(ranges) > missedMost {
		oldest := ranges[len(ranges)/2].Low
		forgetBelow(&s.missed, o.id, oldest)
		forgetBelow(&s.late, o.id, oldest)
	}
}

// forgetBelow takes the ranges of an origin out of a set that begin below a
// number.
func forgetBelow(c *clock.Context, id clock.Origin, number uint64) {
	ranges := c.Of(id)
	c.Forget(id)
	for _, r := range ranges {
		if r.Low >= number {
			c.AddRange(id, r)
		}
	}
}

// came reports whether a rumor was here: one that is only said to be gone may
// come yet.
func (s *seen) came(id clock.Dot) bool {
	return s.context.Has(id) && (!s.missed.Has(id) || s.late.Has(id))
}

// forget drops an origin.
func (s *seen) forget(id clock.Origin) {
	o := s.origins[id]
	if o == nil {
		return
	}
	s.hash()
	s.sum -= o.part
	s.context.Forget(id)
	s.missed.Forget(id)
	s.late.Forget(id)
	delete(s.origins, id)
}

// hash is equal on two nodes that have seen the same: the sum over origins of
// a mix of each one's ranges. Only what has changed is reckoned anew.
func (s *seen) hash() uint64 {
	for _, o := range s.changed {
		s.sum -= o.part
		o.part = mix(binary.BigEndian.Uint64(o.id[:8]))
		o.part = mix(o.part ^ binary.BigEndian.Uint64(o.id[8:]))
		for _, r := range s.context.Of(o.id) {
			o.part = mix(o.part ^ r.Low)
			o.part = mix(o.part ^ r.High)
		}
		s.sum += o.part
		o.changed = false
	}
	s.changed = s.changed[:0]
	return s.sum
}

// mix is the finalizer of splitmix64 (Steele, Lea and Flood 2014) over the
// next of its states.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// ranges appends what was seen, in the order of origins, at most
// hearsay.MaxSeenRanges. If there is more, it is a part that begins with the
// start-th origin, goes on with the first after the last, and is exactly that
// long, which is how its reader knows; see part.
func (s *seen) ranges(dst []hearsay.SeenRange, start int) []hearsay.SeenRange {
	origins := s.context.Origins()
	if s.context.NumRanges() < hearsay.MaxSeenRanges {
		start = 0
	}
	for i := range origins {
		id := origins[(start+i)%len(origins)]
		for _, r := range s.context.Of(id) {
			if len(dst) == hearsay.MaxSeenRanges {
				return dst
			}
			dst = append(dst, hearsay.SeenRange{Origin: id, Range: r})
		}
	}
	return dst
}

// part is the origins of which a Seen speaks.
type part struct {
	whole       bool
	first, last clock.Origin // from first up to, not including, last, around the end
}

func partOf(ranges []hearsay.SeenRange) part {
	if len(ranges) < hearsay.MaxSeenRanges {
		return part{whole: true}
	}
	return part{first: ranges[0].Origin, last: ranges[len(ranges)-1].Origin}
}

// has reports whether the part speaks of an origin.
func (p part) has(id clock.Origin) bool {
	switch {
	case p.whole:
		return true
	case p.first.Compare(p.last) < 0:
		return p.first.Compare(id) <= 0 && id.Compare(p.last) < 0
	default:
		return p.first.Compare(id) <= 0 || id.Compare(p.last) < 0
	}
}

// minus calls visit with what of r is in none of ranges, which ascend.
func minus(r clock.Range, ranges []clock.Range, visit func(clock.Range)) {
	i, _ := slices.BinarySearchFunc(ranges, r.Low, func(e clock.Range, low uint64) int {
		if e.High < low {
			return -1
		}
		return 1
	})
	for _, taken := range ranges[i:] {
		if taken.Low > r.High {
			break
		}
		if taken.Low > r.Low {
			visit(clock.Range{Low: r.Low, High: taken.Low - 1})
		}
		if taken.High >= r.High {
			return
		}
		r.Low = taken.High + 1
	}
	visit(r)
}
