package kv

import (
	"hearsay/clock"
	"hearsay/internal/core"
)

// How ranges are halved. With 20,000 live dots of an origin, two rounds of 16 lead to lists of 80.
const (
	fanout       = 16        // parts of a range
	listMost     = blockSize // live dots that are listed, not halved
	comparedMost = 64        // ranges of an origin that are compared: where there are more, gaps come first
	rangeCost    = 16        // bytes of a range in a message, about
	besideCost   = 28        // of a sibling that is named
)

// compare begins to look for dots of an origin that only one holds live, if there are such among those that both have
// seen. Where the other has seen what this replica has not, that comes first.
func (a *answer) compare(o *origin, theirs *core.Holding) {
	seen := a.clock.Of(o.id)
	if len(theirs.Seen) > comparedMost || !clock.Cover(seen, theirs.Seen) {
		return
	}
	var sum core.Sum
	for _, r := range theirs.Seen {
		part, _ := o.live.sum(r.Low, r.High)
		sum = sum.Add(part)
	}
	if sum == theirs.Sum {
		return
	}
	for _, r := range theirs.Seen {
		a.open(o, r)
	}
}

// halve answers sums: with smaller ones where they differ from those here.
func (a *answer) halve() {
	for i := range a.m.Sums {
		s := &a.m.Sums[i]
		o := a.of(s.Origin)
		if o == nil || !clock.Cover(a.clock.Of(s.Origin), []clock.Range{s.Range}) {
			continue
		}
		if sum, _ := o.live.sum(s.Low, s.High); sum.Low != s.Sum {
			a.open(o, s.Range)
		}
	}
}

// open tells the live dots of a range: as a list, or by sums of parts in which equally many are live.
func (a *answer) open(o *origin, r clock.Range) {
	if len(a.reply.Sums) > core.MaxSums-fanout || len(a.reply.Live) >= core.MaxLiveRanges/2 || a.listed >= core.MaxLive/2 {
		return // in the next exchange
	}
	sum, n := o.live.sum(r.Low, r.High)
	if n <= listMost {
		l := core.LiveRange{SeenRange: core.SeenRange{Origin: o.id, Range: r}, Sum: sum.Low}
		for _, object := range o.live.between(r.Low, r.High) {
			l.Live = append(l.Live, object.Dot.Counter)
		}
		a.live(&l)
		return
	}
	part := core.SumRange{SeenRange: core.SeenRange{Origin: o.id, Range: r}}
	count := 0
	o.live.runs(r.Low, r.High, n > fanout*blockSize, func(sum core.Sum, more int, last *object) {
		part.Sum += sum.Low
		if count += more; count >= (n+fanout-1)/fanout && last.Dot.Counter < r.High {
			part.High = last.Dot.Counter
			a.reply.Sums = append(a.reply.Sums, part)
			part.Low, part.High, part.Sum, count = part.High+1, r.High, 0, 0
		}
	})
	a.reply.Sums = append(a.reply.Sums, part)
}

// named answers lists of live dots that are taken here by now: with those of them that are gone here; or, where a dot
// was written twice, with the objects here.
func (a *answer) named() {
	for i := range a.m.Live {
		l := &a.m.Live[i]
		o := a.of(l.Origin)
		if o == nil || !clock.Cover(a.clock.Of(o.id), []clock.Range{l.Range}) {
			continue // it was not taken
		}
		sum, n := o.live.sum(l.Low, l.High)
		switch {
		case n < len(l.Live):
			a.gone(o, l)
			a.corrected = append(a.corrected, o)
		case n == len(l.Live) && sum.Low != l.Sum:
			a.give(o, l.Range)
			a.corrected = append(a.corrected, o)
		}
	}
}

// gone tells which dots of a list are gone here, those beside each other in one range.
func (a *answer) gone(o *origin, l *core.LiveRange) {
	live := o.live.between(l.Low, l.High)
	before := false // the number before this is gone, too
	for _, number := range l.Live {
		if len(live) > 0 && live[0].Dot.Counter == number {
			live, before = live[1:], false
			continue
		}
		if before {
			a.reply.Live[len(a.reply.Live)-1].High = number
			continue
		}
		if len(a.reply.Live) >= core.MaxLiveRanges/2 {
			return
		}
		before = true
		one := clock.Range{Low: number, High: number}
		a.live(&core.LiveRange{SeenRange: core.SeenRange{Origin: o.id, Range: one}})
	}
}
