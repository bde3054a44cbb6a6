package rumor

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// Limits per node.
const (
	maxRanges  = 1024    // ranges of what was seen of one origin: gaps that loss has left, or that a liar makes
	allRanges  = 1 << 17 // of all origins, where they share it: 2 MiB, as much as 128 that are full. A guess
	someRanges = 16      // of one origin, however many there are: those of one behind loss. A guess
)

// What was seen of one origin fits a list.
const _ = uint(core.MaxSeenRanges - 2*maxRanges)

// seen is every rumor that this node has ever seen, by name. It decides that each is delivered once.
type seen struct {
	*shared
	context clock.Context
	missed  clock.Context // of these, what it never got: others say that nobody holds it any more. They may lie
	late    clock.Context // of these, what came all the same
	origins map[clock.Origin]*origin
	order   []*origin // the same, ascending
	changed []*origin // their part of sum is old
	sum     uint64
}

// Context is what this node has seen, by name. It is read only, and as it is until the next step.
func (s *seen) Context() *clock.Context { return &s.context }

// origin is what is kept of one origin besides what was seen of it.
type origin struct {
	id      clock.Origin
	part    uint64        // of seen.sum
	changed bool          // listed in seen.changed
	paid    time.Time     // up to then the time for its rumors is spent
	held    []clock.Range // of its numbers, while give runs; else nil
	theirs  []clock.Range // what another has seen of it, while a Seen is taken; else nil
}

// pay spends the time of an origin for one rumor, and reports whether it has that.
func (o *origin) pay(now time.Time, cost time.Duration) bool {
	if o.paid.Before(now) {
		o.paid = now
	}
	if o.paid.Sub(now) > rateBurst {
		return false
	}
	o.paid = o.paid.Add(cost)
	return true
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

// most bounds the ranges of one origin. Where all together are too many, each has its share, whatever the others use of
// theirs: members are as many as an attacker makes, and anybody may use their names. One that had more before gives
// half of it up with each number that comes; so all of them together have some times allRanges at most: of the k-th
// origin that was filled, its share of then is left.
func (s *seen) most() int {
	if s.context.NumRanges() < allRanges { // many origins that have few take nothing from one that needs more
		return maxRanges
	}
	return max(someRanges, min(maxRanges, allRanges/max(1, len(s.origins))))
}

// makeRoom sees to it that one number more fits. It lets go of what was not seen between the older half of the ranges
// of its origin: that may come late all the same. Else a sender of made-up numbers with gaps would have others refuse
// what the origin says.
func (s *seen) makeRoom(id clock.Dot) {
	ranges, above, below := s.context.Of(id.Origin), id, id
	above.Counter++
	below.Counter--
	if len(ranges) < s.most() || s.context.Has(above) || s.context.Has(below) {
		return // it fits, or touches what was seen
	}
	older := ranges[:len(ranges)/2]
	s.letGo(id.Origin, clock.Without([]clock.Range{{Low: older[0].Low, High: older[len(older)-1].High}}, ranges))
}

// letGo counts as seen what nobody can give of one origin, and reports whether there was such. So many numbers as a
// life leaves out are not counted as rumors that were missed.
func (s *seen) letGo(id clock.Origin, lost []clock.Range) bool {
	had := s.context.Of(id)
	unseen := clock.Without(lost, had)
	// Where all of it does not fit, a part does that cannot make too many. What makes it fewer always fits.
	if most := 2 * s.most(); clock.UnionSize(had, unseen) > max(most, len(had)) {
		s.out.stats.Drops[hearsay.DropTableFull]++
		unseen = unseen[:max(0, min(len(unseen), most-len(had)))]
	}
	if len(unseen) == 0 {
		return false
	}
	s.miss(s.of(id), unseen)
	for _, u := range unseen {
		if count := u.High - u.Low + 1; count < leastLeap {
			s.out.stats.RumorsMissed += count
		}
	}
	return true
}

// miss counts ranges as seen that never came. If there are too many, the older half is believed to be gone for good.
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

// forgetBelow takes the ranges of an origin out of a set that begin below a number.
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

// came reports whether a rumor was here: one that is only said to be gone may come yet.
func (s *seen) came(id clock.Dot) bool {
	return s.context.Has(id) && (!s.missed.Has(id) || s.late.Has(id))
}

// Forget drops what was seen of an origin that is no member any more.
func (s *seen) Forget(member hearsay.NodeID) {
	id := hearsay.OriginOf(member)
	o := s.origins[id]
	if o == nil {
		return
	}
	s.Hash()
	s.sum -= o.part
	s.context.Forget(id)
	s.missed.Forget(id)
	s.late.Forget(id)
	delete(s.origins, id)
	at := s.place(id)
	s.order = slices.Delete(s.order, at, at+1)
}

// Hash is equal on two nodes that have seen the same rumors: the sum over origins of a mix of each one's ranges. Only
// what has changed is reckoned anew.
func (s *seen) Hash() uint64 {
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

// mix is the finalizer of splitmix64 (Steele, Lea and Flood 2014) over the next of its states.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// ranges gives what was seen, in the order of origins, at most core.MaxSeenRanges, and of which origins: whole ones,
// as many as there is room for. A part goes up or down from the at-th origin, so that each origin is in one for some
// draw of at, the first and the last too.
func (s *seen) ranges(at int, up bool) (list []core.SeenRange, of core.Span) {
	if n := s.context.NumRanges(); n <= core.MaxSeenRanges {
		return s.spoken(0, len(s.order), n), core.Span{}
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
		if n += len(s.context.Of(s.order[next].id)); n > core.MaxSeenRanges {
			break
		}
		first, after = min(first, next), max(after, next+1)
	}
	of = core.Span{From: s.order[first].id}
	if after < len(s.order) {
		of.To = s.order[after].id
	}
	return s.spoken(first, after, n), of
}

// spoken gives what was seen of some origins, n ranges or fewer.
func (s *seen) spoken(first, after, n int) []core.SeenRange {
	list := make([]core.SeenRange, 0, n)
	for _, o := range s.order[first:after] {
		for _, r := range s.context.Of(o.id) {
			list = append(list, core.SeenRange{Origin: o.id, Range: r})
		}
	}
	return list
}

// byOrigin splits a list that ascends, and calls visit with the ranges of each origin in it. All of them have their
// storage together.
func byOrigin(list []core.SeenRange, visit func(id clock.Origin, ranges []clock.Range)) {
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
