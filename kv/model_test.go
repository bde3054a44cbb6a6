package kv

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"time"

	"hearsay/clock"
	"hearsay/internal/core"
)

// model is a replica as a plain set of dots: no ranges, no sums, no indexes. A dot that has no entry is unseen; one
// without object is gone.
type model struct {
	dots map[clock.Dot]*core.Object
	held []heldUpdate
}

func newModel() *model { return &model{dots: make(map[clock.Dot]*core.Object)} }

func (m *model) seen(d clock.Dot) bool { _, ok := m.dots[d]; return ok }

// step takes one message.
func (m *model) step(now time.Time, update *core.Update, sync *core.Sync) {
	if update != nil {
		m.held = append(m.held, heldUpdate{Update: update, until: now.Add(holdFor)})
	} else {
		m.sync(sync)
	}
	for more := true; more; {
		more = false
		m.held = slices.DeleteFunc(m.held, func(u heldUpdate) bool {
			if now.After(u.until) {
				return true
			}
			if slices.ContainsFunc(u.Gone, func(d clock.Dot) bool { return !m.seen(d) }) {
				return false
			}
			m.take(u.Update)
			more = true
			return true
		})
	}
}

func (m *model) take(u *core.Update) {
	for _, d := range u.Gone {
		m.dots[d] = nil
	}
	for i := range u.Objects {
		if o := &u.Objects[i]; !m.seen(o.Dot) {
			m.dots[o.Dot] = o
		}
	}
}

func (m *model) sync(s *core.Sync) {
	objects := make(map[clock.Dot]*core.Object)
	for i := range s.Objects {
		objects[s.Objects[i].Dot] = &s.Objects[i]
	}
	for _, l := range s.Live {
		for number := l.Low; number <= l.High; number++ {
			d := clock.Dot{Origin: l.Origin, Counter: number}
			switch {
			case !slices.Contains(l.Live, number):
				m.dots[d] = nil
			case !m.seen(d):
				m.dots[d] = objects[d]
			}
		}
	}
	theirs := make(map[clock.Dot]bool)
	for _, h := range s.Clock {
		for _, r := range h.Seen {
			for number := r.Low; number <= r.High; number++ {
				theirs[clock.Dot{Origin: h.Origin, Counter: number}] = true
			}
		}
	}
	for _, o := range objects {
		for d, had := range m.dots {
			if had != nil && had.Key == o.Key && theirs[d] && objects[d] == nil && !slices.Contains(s.Beside, d) {
				m.dots[d] = nil
			}
		}
	}
}

// expire makes gone what is due.
func (m *model) expire(now time.Time, drift time.Duration) {
	for d, o := range m.dots {
		if o != nil && o.Expires != 0 && !now.Before(time.UnixMilli(o.Expires).Add(drift)) {
			m.dots[d] = nil
		}
	}
}

// live gives the live objects, by key, the winner first.
func (m *model) live() (list []*core.Object) {
	for _, o := range m.dots {
		if o != nil {
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(a, b *core.Object) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(b.Time, a.Time), core.CompareDots(b.Dot, a.Dot))
	})
	return list
}

// differs says in what a replica is not what its model is, or "".
func (m *model) differs(r *Replica) string {
	n := uint64(0)
	var seen core.Sum
	for origin, rng := range r.clock.Ranges() {
		n += rng.High - rng.Low + 1
		seen = seen.Add(hashRange(origin, rng))
		for number := rng.Low; number <= rng.High; number++ {
			if !m.seen(clock.Dot{Origin: origin, Counter: number}) {
				return fmt.Sprintf("number %d of %v is seen", number, origin)
			}
		}
	}
	if n != uint64(len(m.dots)) || seen != r.seenSum {
		return fmt.Sprintf("%d dots are seen, want %d; sum %v, want %v", n, len(m.dots), r.seenSum, seen)
	}
	live, bytes := m.live(), 0
	sums := make(map[clock.Origin]core.Sum)
	for _, o := range live {
		sums[o.Dot.Origin] = sums[o.Dot.Origin].Add(hashObject(o))
		bytes += len(o.Key) + len(o.Value)
	}
	var keyed, expiring []*core.Object
	r.keys.from(keyPlace{}, func(o *object) bool { keyed = append(keyed, &o.Object); return true })
	if !reflect.DeepEqual(keyed, live) {
		return fmt.Sprintf("live are %v, want %v", dotsOf(keyed), dotsOf(live))
	}
	r.expires.from(expiry{}, func(o *object) bool { expiring = append(expiring, &o.Object); return true })
	ends := slices.DeleteFunc(slices.Clone(live), func(o *core.Object) bool { return o.Expires == 0 })
	slices.SortFunc(ends, func(a, b *core.Object) int {
		return cmp.Or(cmp.Compare(a.Expires, b.Expires), core.CompareDots(a.Dot, b.Dot))
	})
	if !slices.EqualFunc(expiring, ends, func(a, b *core.Object) bool { return a.Dot == b.Dot }) {
		return fmt.Sprintf("with an end are %v, want %v", dotsOf(expiring), dotsOf(ends))
	}
	total := seen
	for _, o := range r.origins {
		whole, count := o.live.sum(1, maxNumber)
		if o.sum != sums[o.id] || whole != o.sum || count != len(o.live.between(1, maxNumber)) {
			return fmt.Sprintf("sum of %v is %v, in blocks %v, want %v", o.id, o.sum, whole, sums[o.id])
		}
		total = total.Add(o.sum)
	}
	if objects, had := r.Len(); objects != len(live) || had != bytes || r.Hash() != total {
		return fmt.Sprintf("%d objects of %d bytes, want %d of %d; hash %v, want %v", objects, had, len(live), bytes, r.Hash(), total)
	}
	return ""
}

// lies says what of a message is not so by the model of its sender, or "".
func (m *model) lies(s *core.Sync) string {
	n := 0
	for _, h := range s.Clock {
		for _, r := range h.Seen {
			n += int(r.High - r.Low + 1)
			for number := r.Low; number <= r.High; number++ {
				if !m.seen(clock.Dot{Origin: h.Origin, Counter: number}) {
					return fmt.Sprintf("number %d of %v was not seen", number, h.Origin)
				}
			}
		}
	}
	if s.Asks && n != len(m.dots) {
		return fmt.Sprintf("the clock has %d dots, want %d", n, len(m.dots))
	}
	for _, l := range s.Live {
		for number := l.Low; number <= l.High; number++ {
			o, seen := m.dots[clock.Dot{Origin: l.Origin, Counter: number}]
			if live := slices.Contains(l.Live, number); !seen || live != (o != nil) {
				return fmt.Sprintf("number %d of %v: seen %t, live %t, told live %t", number, l.Origin, seen, o != nil, live)
			}
		}
	}
	for i := range s.Objects {
		if o := &s.Objects[i]; !reflect.DeepEqual(m.dots[o.Dot], o) {
			return fmt.Sprintf("object %v is %v", o, m.dots[o.Dot])
		}
	}
	return ""
}

// cut names a record of which a dot is live and another unseen, or is "".
func (m *model) cut() string {
	for _, o := range m.live() {
		for number := o.First; number <= o.Last; number++ {
			if !m.seen(clock.Dot{Origin: o.Dot.Origin, Counter: number}) {
				return fmt.Sprintf("%v is live, and number %d of its record %d to %d unseen", o.Dot, number, o.First, o.Last)
			}
		}
	}
	return ""
}

func dotsOf(objects []*core.Object) (dots []string) {
	for _, o := range objects {
		dots = append(dots, fmt.Sprintf("%x:%d %s", o.Dot.Origin[:2], o.Dot.Counter, o.Key))
	}
	return dots
}
