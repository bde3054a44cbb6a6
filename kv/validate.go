package kv

import (
	"slices"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// maxGiven is how many objects a message of an exchange has, and one record more: taking one takes two microseconds,
// beside others three.
const maxGiven = core.MaxObjects - hearsay.MaxWrites

// wellFormed reports whether a replica can have sent a message.
func wellFormed(m *core.Sync) bool {
	ranges := 0
	for i := range m.Clock {
		h := &m.Clock[i]
		if ranges += len(h.Seen); len(h.Seen) == 0 || ranges > core.MaxClockRanges || !clock.Ascend(h.Seen) ||
			h.Seen[len(h.Seen)-1].High > maxNumber || i > 0 && m.Clock[i-1].Origin.Compare(h.Origin) >= 0 {
			return false
		}
	}
	live, sums := make([]core.SeenRange, len(m.Live)), make([]core.SeenRange, len(m.Sums))
	for i := range m.Live {
		live[i] = m.Live[i].SeenRange
	}
	for i := range m.Sums {
		sums[i] = m.Sums[i].SeenRange
	}
	if len(m.Of) > core.MaxOf || len(live) > core.MaxLiveRanges || len(sums) > core.MaxSums || len(m.Beside) > core.MaxBeside || len(m.Objects) > maxGiven+hearsay.MaxWrites ||
		!core.RangesAscend(m.Of) || !bounded(live) || !bounded(sums) || !slices.IsSortedFunc(m.Beside, core.CompareDots) {
		return false
	}
	return (m.Asks || len(m.Objects)+len(m.Clock) == 0) && wellFormedLive(m)
}

func bounded(ranges []core.SeenRange) bool {
	return core.RangesAscend(ranges) && !slices.ContainsFunc(ranges, func(r core.SeenRange) bool { return r.High > maxNumber })
}

// wellFormedLive reports whether the live numbers of a message ascend, and its objects are of these, in their order.
func wellFormedLive(m *core.Sync) bool {
	objects, numbers := m.Objects, 0
	for i := range m.Live {
		l := &m.Live[i]
		if numbers += len(l.Live); numbers > core.MaxLive {
			return false
		}
		for j, number := range l.Live {
			if number < l.Low || number > l.High || j > 0 && l.Live[j-1] >= number {
				return false
			}
			if len(objects) > 0 && objects[0].Dot == (clock.Dot{Origin: l.Origin, Counter: number}) {
				if !valid(&objects[0]) {
					return false
				}
				objects = objects[1:]
			}
		}
	}
	return len(objects) == 0
}

// isTwin reports whether a message tells of dots of this replica's process that it has not written, or has written
// otherwise.
func (r *Replica) isTwin(m *core.Sync) bool {
	if h := holding(m.Clock, r.cfg.Origin); h != nil && slices.ContainsFunc(h.Seen, func(seen clock.Range) bool { return r.unwritten(h.Origin, seen) }) {
		return true
	}
	for i := range m.Live {
		l := &m.Live[i]
		if r.unwritten(l.Origin, l.Range) || l.Origin == r.cfg.Origin && l.Low > r.numbers.earlier && len(l.Live) <= listMost && r.sumsOtherwise(l) {
			return true
		}
	}
	return slices.ContainsFunc(m.Objects, func(o core.Object) bool { return r.isRewritten(&o) })
}

// unwritten reports whether a range of an origin has numbers of this process that it has not written.
func (r *Replica) unwritten(origin clock.Origin, of clock.Range) bool {
	of.Low = max(of.Low, r.numbers.earlier+1)
	return origin == r.cfg.Origin && of.Low <= of.High && !clock.Cover(r.clock.Of(origin), []clock.Range{of})
}

// sumsOtherwise reports whether all that is told live is live here, and not the same.
func (r *Replica) sumsOtherwise(l *core.LiveRange) bool {
	sum := uint64(0)
	for _, number := range l.Live {
		o := r.find(clock.Dot{Origin: l.Origin, Counter: number})
		if o == nil {
			return false
		}
		sum += o.hash.Low
	}
	return sum != l.Sum
}

// isRewritten reports whether an object is another than this process's under its dot.
func (r *Replica) isRewritten(o *core.Object) bool {
	had := r.find(o.Dot)
	return had != nil && o.Dot.Origin == r.cfg.Origin && o.Dot.Counter > r.numbers.earlier && had.hash != hashObject(o)
}

// fitting gives what of a message is taken, with the hashes of its objects: all but the origins that would have too
// many gaps. It is nothing where there is no room for its objects, or for origins that are unknown here: a member that
// makes up many of these at a time would else use up the last places, and have all others pass them on.
func (r *Replica) fitting(m *core.Sync, hashes []core.Sum) (*core.Sync, []core.Sum, Refusal) {
	objects, bytes := 0, 0
	for i := range m.Objects {
		if o := &m.Objects[i]; r.find(o.Dot) == nil {
			objects++
			bytes += costOf(o)
		}
	}
	if objects > 0 && !r.room(objects, bytes) {
		return nil, nil, Full
	}
	cut, unknown := make(map[clock.Origin]bool), 0 // those with too many gaps
	for rest := m.Live; len(rest) > 0; {
		id, ranges := rest[0].Origin, []clock.Range(nil)
		for ; len(rest) > 0 && rest[0].Origin == id; rest = rest[1:] {
			ranges = append(ranges, rest[0].Range)
		}
		if len(r.forgotten(id)) > 0 {
			continue
		}
		if r.of(id) == nil {
			unknown++
		}
		if !r.fitsGaps(id, ranges, maxGaps+maxGaps/2) {
			cut[id] = true
		}
	}
	switch {
	case unknown > 0 && len(r.origins)+unknown > r.cfg.MaxOrigins:
		return nil, nil, Origins
	case len(cut) == 0:
		return m, hashes, Taken
	}
	taken, kept := *m, []core.Sum(nil)
	taken.Live = slices.DeleteFunc(slices.Clone(m.Live), func(l core.LiveRange) bool { return cut[l.Origin] })
	taken.Objects = nil
	for i := range m.Objects {
		if cut[m.Objects[i].Dot.Origin] {
			continue
		}
		taken.Objects = append(taken.Objects, m.Objects[i])
		if hashes != nil {
			kept = append(kept, hashes[i])
		}
	}
	return &taken, kept, Gaps
}

// complete reports whether a message has each object that lacks here, and leaves no record cut.
func (r *Replica) complete(m *core.Sync) bool {
	objects := m.Objects
	whole := clock.Dot{} // the first of a record of which all is there
	last := uint64(0)
	for i := range m.Live {
		l := &m.Live[i]
		if len(r.forgotten(l.Origin)) > 0 {
			for len(objects) > 0 && objects[0].Dot.Origin == l.Origin {
				objects = objects[1:]
			}
			continue
		}
		for _, number := range l.Live {
			d := clock.Dot{Origin: l.Origin, Counter: number}
			if len(objects) == 0 || objects[0].Dot != d {
				if !r.clock.Has(d) {
					return false
				}
				continue
			}
			o := &objects[0]
			objects = objects[1:]
			record := clock.Dot{Origin: l.Origin, Counter: o.First}
			if o.First == o.Last || record == whole && o.Last == last {
				continue
			}
			whole, last = record, o.Last
			left := clock.Without([]clock.Range{{Low: o.First, High: o.Last}}, r.clock.Of(l.Origin))
			for j := i; j < len(m.Live) && m.Live[j].Origin == l.Origin && m.Live[j].Low <= o.Last; j++ {
				left = clock.Without(left, []clock.Range{m.Live[j].Range})
			}
			for j := i - 1; j >= 0 && m.Live[j].Origin == l.Origin && m.Live[j].High >= o.First; j-- {
				left = clock.Without(left, []clock.Range{m.Live[j].Range})
			}
			if len(left) > 0 {
				return false
			}
		}
	}
	return true
}
