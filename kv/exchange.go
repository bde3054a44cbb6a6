package kv

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// Digest is what this replica says of all its origins. It belongs to the caller, but for the ranges, which are as they
// are until the next change.
func (r *Replica) Digest() []core.Holding {
	list := make([]core.Holding, len(r.origins))
	for i, o := range r.origins {
		list[i] = core.Holding{Origin: o.id, Seen: r.clock.Of(o.id), Sum: o.sum}
	}
	return list
}

// Ask begins an exchange with another, about some ranges (see Lacks), at most 64 of them, or about all.
func (r *Replica) Ask(of ...core.SeenRange) *core.Sync {
	return &core.Sync{Asks: true, Clock: r.copied(), Of: of[:min(len(of), core.MaxOf)]}
}

// copied is the digest with ranges of its own: a message is sent after other changes.
func (r *Replica) copied() []core.Holding {
	list := r.Digest()
	for i := range list {
		list[i].Seen = slices.Clone(list[i].Seen)
	}
	return list
}

// Lacks gives what another has seen and this replica has not. One that lacks much shares it out among several that
// have it, with the Of of Ask, and so fetches nothing twice.
func (r *Replica) Lacks(theirs []core.Holding) (ranges []core.SeenRange) {
	for i := range theirs {
		h := &theirs[i]
		for _, lacking := range clock.Without(clock.Without(h.Seen, r.clock.Of(h.Origin)), r.forgotten(h.Origin)) {
			ranges = append(ranges, core.SeenRange{Origin: h.Origin, Range: lacking})
		}
	}
	return ranges
}

// Sync takes a message of an exchange, and answers it with so many bytes, about, and at least one record. The exchange
// is over where neither has anything to say.
func (r *Replica) Sync(now time.Time, m *core.Sync, budget int) (result Result) {
	if m.Parts != nil || !wellFormed(m) { // what is announced is gathered first: see Gather
		return Result{Refused: Malformed}
	}
	return r.sync(now, m, nil, budget)
}

// sync takes a message that is well-formed. Hashes are those of its objects, if they are known.
func (r *Replica) sync(now time.Time, m *core.Sync, hashes []core.Sum, budget int) (result Result) {
	if r.isTwin(m) {
		return Result{Twin: true}
	}
	r.revive(&result.Change, m)
	taken, hashes, refused := r.fitting(m, hashes)
	switch result.Refused = refused; {
	case taken == nil:
		return result // the other would say the same again, for ever; what lacks there it asks for
	case !r.complete(taken):
		result.Refused = Incomplete
	default:
		r.apply(&result.Change, now, taken, hashes)
		r.retry(&result.Change, now)
		result.Change.settle()
	}
	if result.Refused == Gaps && !result.Change.any() {
		return result // likewise
	}
	a := answer{Replica: r, m: m, budget: budget, reply: &core.Sync{}}
	a.named()
	if len(m.Sums) > 0 {
		a.halve()
	}
	if m.Asks {
		a.lacking()
	}
	if len(common(r.Lacks(m.Clock), m.Of)) > 0 || a.gives() {
		a.reply.Asks, a.reply.Clock = true, r.copied()
	}
	if a.reply.Asks || len(a.reply.Live)+len(a.reply.Sums) > 0 {
		a.finish()
		a.reply.Of = m.Of
		result.Reply = a.reply
	}
	return result
}

// common gives what of ranges is in others; no others: all.
func common(ranges, of []core.SeenRange) (both []core.SeenRange) {
	if len(of) == 0 {
		return ranges
	}
	for len(ranges) > 0 && len(of) > 0 {
		order := ranges[0].Origin.Compare(of[0].Origin)
		if order == 0 {
			if low, high := max(ranges[0].Low, of[0].Low), min(ranges[0].High, of[0].High); low <= high {
				both = append(both, core.SeenRange{Origin: of[0].Origin, Range: clock.Range{Low: low, High: high}})
			}
			if ranges[0].High < of[0].High {
				order = -1
			}
		}
		if order < 0 {
			ranges = ranges[1:]
		} else {
			of = of[1:]
		}
	}
	return both
}

// apply takes what another says of dots: in the ranges that it names all are gone but the live ones.
func (r *Replica) apply(change *Change, now time.Time, m *core.Sync, hashes []core.Sum) {
	objects := m.Objects
	for i := range m.Live {
		l := &m.Live[i]
		forgotten := len(r.forgotten(l.Origin)) > 0
		if !forgotten && len(l.Live) == 0 && r.of(l.Origin) == nil && r.isOver(l.Origin) {
			r.forgetAtOnce(change, now, l)
			continue
		}
		live := l.Live
		for _, o := range r.liveIn(l.SeenRange) {
			for len(live) > 0 && live[0] < o.Dot.Counter {
				live = live[1:]
			}
			if len(live) == 0 || live[0] != o.Dot.Counter {
				r.drop(change, o)
			}
		}
		n := 0
		for ; n < len(objects) && objects[n].Dot.Origin == l.Origin && objects[n].Dot.Counter <= l.High; n++ {
			switch at := len(m.Objects) - len(objects) + n; {
			case forgotten:
			case hashes != nil:
				r.merge(change, now, &objects[n], hashes[at])
			default:
				r.merge(change, now, &objects[n], hashObject(&objects[n]))
			}
		}
		objects = objects[n:]
		if !forgotten {
			r.see(change, l.Origin, l.Range)
		}
	}
	for _, key := range keysOf(m.Objects) {
		if len(m.Beside) < core.MaxBeside { // else perhaps not all siblings are named
			r.replaced(change, m, key)
		}
		r.bound(change, key)
	}
}

// keysOf gives the keys of objects, each once: to look at the siblings of one for each object would take seconds.
func keysOf(objects []core.Object) []string {
	keys := make([]string, len(objects))
	for i := range objects {
		keys[i] = objects[i].Key
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// liveIn gives the live dots in a range.
func (r *Replica) liveIn(in core.SeenRange) []*object {
	if o := r.of(in.Origin); o != nil {
		return o.live.between(in.Low, in.High)
	}
	return nil
}

// replaced makes gone what a sender has seen of a key and does not hold live.
func (r *Replica) replaced(change *Change, m *core.Sync, key string) {
	for _, o := range r.all(key) {
		if !seenIn(m.Clock, o.Dot) {
			continue
		}
		if _, ok := slices.BinarySearchFunc(m.Beside, o.Dot, core.CompareDots); ok {
			continue
		}
		if _, ok := slices.BinarySearchFunc(m.Objects, o.Dot, func(o core.Object, d clock.Dot) int { return core.CompareDots(o.Dot, d) }); ok {
			continue
		}
		r.drop(change, o)
	}
}

// holding gives what a digest says of an origin, or nil.
func holding(digest []core.Holding, id clock.Origin) *core.Holding {
	at, ok := slices.BinarySearchFunc(digest, id, func(h core.Holding, id clock.Origin) int { return h.Origin.Compare(id) })
	if !ok {
		return nil
	}
	return &digest[at]
}

// seenIn reports whether a dot is in a digest.
func seenIn(digest []core.Holding, d clock.Dot) bool {
	h := holding(digest, d.Origin)
	if h == nil {
		return false
	}
	at, _ := slices.BinarySearchFunc(h.Seen, d.Counter, func(r clock.Range, number uint64) int {
		switch {
		case r.High < number:
			return -1
		case r.Low > number:
			return 1
		}
		return 0
	})
	return at < len(h.Seen) && h.Seen[at].Low <= d.Counter
}

// answer makes the answer to a message.
type answer struct {
	*Replica
	m      *core.Sync
	budget int // bytes left
	listed int // numbers in Live
	reply  *core.Sync
	record clock.Dot       // the first of the record that was begun, and is given whole
	last   uint64          // its last number
	beside map[string]bool // keys with siblings that are named
	// the origins of whose dots the other held some live wrongly: they are compared once it has taken that
	corrected []*origin
}

// lacking gives what the other lacks, or else, where both have seen the same of an origin, halves it.
func (a *answer) lacking() {
	for _, o := range a.origins {
		h := holding(a.m.Clock, o.id)
		var theirs []clock.Range
		if h != nil {
			theirs = h.Seen
		}
		lacks := clock.Without(a.clock.Of(o.id), theirs)
		if len(a.m.Of) > 0 {
			lacks = a.whole(o, lacks)
		}
		for _, l := range lacks {
			if !a.give(o, l) {
				return
			}
		}
		if h != nil && len(a.m.Sums) == 0 && len(a.m.Of) == 0 && !slices.Contains(a.corrected, o) {
			a.compare(o, h)
		}
	}
	a.forgottenGone()
}

// forgottenGone tells that all is gone that the other holds live of an origin which is forgotten here.
func (a *answer) forgottenGone() {
	for i := range a.m.Clock {
		h := &a.m.Clock[i]
		if h.Sum == (core.Sum{}) || len(a.m.Of) > 0 {
			continue
		}
		for _, seen := range clock.Common(h.Seen, a.forgotten(h.Origin)) {
			if len(a.reply.Live) < core.MaxLiveRanges/2 {
				a.live(&core.LiveRange{SeenRange: core.SeenRange{Origin: h.Origin, Range: seen}})
			}
		}
	}
}

// whole gives what of the lacking ranges of an origin is asked for, and the rest of the records that this would cut.
func (a *answer) whole(o *origin, lacks []clock.Range) []clock.Range {
	var of clock.Context
	for _, asked := range a.m.Of {
		if asked.Origin != o.id {
			continue
		}
		for _, l := range clock.Common(lacks, []clock.Range{asked.Range}) {
			for _, edge := range [...]uint64{l.Low, l.High} {
				// A live dot of a record that has an edge in it is at most so far from it.
				low, high := max(edge, hearsay.MaxWrites)-hearsay.MaxWrites+1, edge+hearsay.MaxWrites
				for _, near := range o.live.between(low, high) {
					if near.First <= edge && edge <= near.Last {
						l.Low, l.High = min(l.Low, near.First), max(l.High, near.Last)
						break
					}
				}
			}
			of.AddRange(o.id, l)
		}
	}
	return clock.Common(lacks, of.Of(o.id))
}

// give gives a range, with the objects in it, and reports whether all of it fitted.
func (a *answer) give(o *origin, lacks clock.Range) bool {
	l := core.LiveRange{SeenRange: core.SeenRange{Origin: o.id, Range: lacks}}
	if inRecord := a.record.Origin == o.id && lacks.Low <= a.last; len(a.reply.Live) >= core.MaxLiveRanges/2 && !inRecord {
		return false
	}
	all := true
	o.live.from(lacks.Low, func(object *object) bool {
		if object.Dot.Counter > lacks.High {
			return false
		}
		if record := (clock.Dot{Origin: o.id, Counter: object.First}); record != a.record {
			if all = a.begin(o, object); !all {
				l.High = object.First - 1 // less than Low: nothing of the range is left
				return false
			}
			a.record, a.last = record, object.Last
		}
		a.put(&l, object)
		return true
	})
	if l.Low <= l.High {
		a.live(&l)
	}
	return all
}

// begin reports whether the whole record of an object fits. The first always does.
func (a *answer) begin(o *origin, first *object) bool {
	size, values, n := 0, 0, 0
	add := func(o *object) { size, values, n = size+o.Size(), values+len(o.Value), n+1 }
	if first.First == first.Last {
		add(first)
	} else {
		for _, other := range o.live.between(first.First, first.Last) {
			add(other)
		}
	}
	long := size > a.cfg.Part && values > 0
	if a.reply.Parts != nil || len(a.reply.Objects) > 0 && (long || size > a.budget || len(a.reply.Objects)+n > maxGiven || len(a.reply.Live) >= core.MaxLiveRanges/2) {
		return false
	}
	if a.budget -= size; long {
		a.reply.Parts = &core.Parts{}
	}
	return true
}

// gives reports whether the reply has objects, or announces some.
func (a *answer) gives() bool { return a.reply.Parts != nil || len(a.reply.Objects) > 0 }

// put gives an object in a range. Where its key has siblings all of them are named, so that the other keeps them.
func (a *answer) put(l *core.LiveRange, o *object) {
	l.Live = append(l.Live, o.Dot.Counter)
	l.Sum += o.hash.Low
	if a.reply.Parts != nil {
		a.part(o)
	} else {
		a.reply.Objects = append(a.reply.Objects, o.Object)
	}
	if a.beside[o.Key] || a.alone(o.Key) {
		return
	}
	if a.beside == nil {
		a.beside = make(map[string]bool)
	}
	a.beside[o.Key] = true
	for _, sibling := range a.all(o.Key) {
		if len(a.reply.Beside) < core.MaxBeside {
			a.budget -= besideCost
			a.reply.Beside = append(a.reply.Beside, sibling.Dot)
		}
	}
}

// alone reports whether a key has one live dot.
func (r *Replica) alone(key string) bool {
	n := 0
	r.keys.from(firstOf(key), func(o *object) bool {
		if o.Key == key {
			n++
		}
		return n == 1 && o.Key == key
	})
	return n == 1
}

func (a *answer) live(l *core.LiveRange) {
	a.reply.Live = append(a.reply.Live, *l)
	a.budget -= rangeCost + len(l.Live)
	a.listed += len(l.Live)
}

// finish brings a message in order.
func (a *answer) finish() {
	slices.SortFunc(a.reply.Live, func(x, y core.LiveRange) int { return compareRanges(x.SeenRange, y.SeenRange) })
	slices.SortFunc(a.reply.Sums, func(x, y core.SumRange) int { return compareRanges(x.SeenRange, y.SeenRange) })
	slices.SortFunc(a.reply.Objects, func(x, y core.Object) int { return core.CompareDots(x.Dot, y.Dot) })
	slices.SortFunc(a.reply.Beside, core.CompareDots)
}

func compareRanges(a, b core.SeenRange) int {
	return core.CompareDots(clock.Dot{Origin: a.Origin, Counter: a.Low}, clock.Dot{Origin: b.Origin, Counter: b.Low})
}
