package rumor

import (
	"cmp"
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
	order   []*origin // the same, ascending
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
	theirs  []clock.Range // what another has seen of it, while a Seen is taken; else nil
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
		s.order = slices.Insert(s.order, s.place(id), o)
	}
	return o
}

// place is where an origin is, or would be, in order.
func (s *seen) place(id clock.Origin) int {
	at, _ := slices.BinarySearchFunc(s.order, id, func(o *origin, id clock.Origin) int { return o.id.Compare(id) })
	return at
}

// add counts a range as seen.
func (s *seen) add(o *origin, r clock.Range) {
	s.context.AddRange(o.id, r)
	s.change(o)
}

// change tells that something was seen of an origin.
func (s *seen) change(o *origin) {
	if !o.changed {
		o.changed = true
		s.changed = append(s.changed, o)
	}
}

// most bounds the ranges of one origin. Where all together are too many, each has its share, whatever the others use of theirs:
// members are as many as an attacker makes, and anybody may use their names. One that had more before
// gives half of it up with each number that comes; so all of them together have some times allRanges at most: of the
// k-th origin that was filled, its share of then is left.
func (s *seen) most() int {
	if s.context.NumRanges() < allRanges { // many origins that have few take nothing from one that needs more
		return maxRanges
	}
	return max(someRanges, min(maxRanges, allRanges/max(1, len(s.origins))))
}

// miss counts ranges as seen that never came. If there are too many, the older
// half is believed to be gone for good.
func (s *seen) miss(o *origin, ranges []clock.Range) {
	s.context.AddRanges(o.id, ranges)
	s.change(o)
	s.missed.AddRanges(o.id, ranges)
	if missed := s.missed.Of(o.id); len(missed) > 2*s.most() { // there may be one between any two numbers that came
		oldest := missed[len(missed)/2].Low
		forgetBelow(&s.missed, o.id, oldest)
		forgetBelow(&s.late, o.id, oldest)
	}
}

// forgetBelow takes the ranges of an origin out of a set that begin below a
// number.
func forgetBelow(c *clock.Context, id clock.Origin, number uint64) {
	ranges := c.Of(id)
	first, _ := slices.BinarySearchFunc(ranges, number, func(r clock.Range, number uint64) int { return cmp.Compare(r.Low, number) })
	c.Forget(id)
	c.AddRanges(id, ranges[first:])
}

// free gives the first number from one on that is in none of the ranges.
func free(ranges []clock.Range, number uint64) uint64 {
	at, _ := slices.BinarySearchFunc(ranges, number, func(r clock.Range, number uint64) int { return cmp.Compare(r.High, number) })
	if at < len(ranges) && ranges[at].Low <= number {
		return ranges[at].High + 1 // ranges do not touch
	}
	return number
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
	at := s.place(id)
	s.order = slices.Delete(s.order, at, at+1)
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

// ranges gives what was seen, in the order of origins, at most
// hearsay.MaxSeenRanges, and of which origins: whole ones, as many as there is
// room for. A part goes up or down from the at-th origin, so that each origin is in
// one for some draw of at, the first and the last too.
func (s *seen) ranges(at int, up bool) (list []hearsay.SeenRange, of hearsay.Span) {
	if n := s.context.NumRanges(); n <= hearsay.MaxSeenRanges {
		return s.spoken(0, len(s.order), n), hearsay.Span{}
	}
	first := at % len(s.order)
	if !up {
		first++
	}
	after, n := first, 0
	for {
		next := after
		if !up {
			next = first - 1
		}
		if next < 0 || next == len(s.order) {
			break
		}
		if n += len(s.context.Of(s.order[next].id)); n > hearsay.MaxSeenRanges {
			break
		}
		first, after = min(first, next), max(after, next+1)
	}
	of = hearsay.Span{From: s.order[first].id}
	if after < len(s.order) {
		of.To = s.order[after].id
	}
	return s.spoken(first, after, n), of
}

// spoken gives what was seen of some origins, n ranges or fewer.
func (s *seen) spoken(first, after, n int) []hearsay.SeenRange {
	list := make([]hearsay.SeenRange, 0, n)
	for _, o := range s.order[first:after] {
		for _, r := range s.context.Of(o.id) {
			list = append(list, hearsay.SeenRange{Origin: o.id, Range: r})
		}
	}
	return list
}

// byOrigin splits a list that ascends, and calls visit with the ranges of each
// origin in it. All of them have their storage together.
func byOrigin(list []hearsay.SeenRange, visit func(id clock.Origin, ranges []clock.Range)) {
	room := make([]clock.Range, 0, len(list))
	for len(list) > 0 {
		id, start := list[0].Origin, len(room)
		for len(list) > 0 && list[0].Origin == id {
			room = append(room, list[0].Range)
			list = list[1:]
		}
		visit(id, room[start:len(room):len(room)])
	}
}
