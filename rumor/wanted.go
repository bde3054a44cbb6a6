package rumor

import (
	"cmp"
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// Limits per node.
const (
	maxMissing = 4096 // rumors named and not yet come
	// of them, those that one neighbor was the first to name: one that makes them up leaves room for others
	maxWaits  = maxMissing / 4
	maxNamers = 4 // kept of one such rumor, to be asked in turn
)

// wanted are the rumors that neighbors have named and that have not come, and when which neighbor is asked for them.
type wanted struct {
	*shared
	missing map[clock.Dot]*missing
	waiting []waiting // for their payloads, in order of time
}

// missing is a rumor that was named and has not come.
type missing struct {
	namers []namer        // not yet asked, at most maxNamers
	first  hearsay.NodeID // the neighbor that named it first
	asked  uint64         // the links over which it was asked for; see link.bit
	due    time.Time
}

// namer is a neighbor that has named a rumor.
type namer struct {
	id   hearsay.NodeID
	hops uint8 // from the origin
}

type waiting struct {
	id  clock.Dot
	due time.Time
}

// compare orders what waits. What is due at the same time stays in its order.
func (w waiting) compare(due time.Time) int { return cmp.Or(w.due.Compare(due), -1) }

// named notes that a neighbor has named what this node has not. What the other had to ask for is asked for at once.
func (w *wanted) named(now time.Time, id clock.Dot, l *link, hops uint8, late bool) {
	m := w.missing[id]
	if m == nil {
		if !w.directory.Known(hearsay.NodeID(id.Origin)) {
			w.out.stats.Drops[hearsay.DropStranger]++
			return
		}
		if l.waits >= maxWaits || len(w.missing) >= maxMissing || len(w.waiting) >= 2*maxMissing {
			w.out.stats.Drops[hearsay.DropTableFull]++
			return
		}
		if w.missing == nil {
			w.missing = make(map[clock.Dot]*missing)
		}
		m = &missing{first: l.id}
		w.missing[id] = m
		l.waits++
		w.wait(id, m, now.Add(w.between(w.cfg.GraftAfter, 2*w.cfg.GraftAfter)))
	}
	if len(m.namers) < maxNamers && !slices.ContainsFunc(m.namers, func(n namer) bool { return n.id == l.id }) {
		m.namers = append(m.namers, namer{l.id, hops})
	}
	if late && m.asked == 0 {
		w.wait(id, m, now)
	}
}

// wait sets when a missing rumor is asked for next.
func (w *wanted) wait(id clock.Dot, m *missing, due time.Time) {
	i, _ := slices.BinarySearchFunc(w.waiting, due, waiting.compare)
	w.waiting = slices.Insert(w.waiting, i, waiting{id, due})
	m.due = due
}

// due is when the next wait for a payload is over.
func (w *wanted) due() time.Time {
	if len(w.waiting) == 0 {
		return never
	}
	return w.waiting[0].due
}

// arrived ends the wait for a rumor.
func (w *wanted) arrived(e *entry) {
	if e.by == w.self {
		return
	}
	if m := w.missing[e.ID]; m != nil {
		e.asked = m.asked
		w.stop(e.ID, m)
	}
}

func (w *wanted) stop(id clock.Dot, m *missing) {
	delete(w.missing, id)
	if l := w.rumors.links.of(m.first); l != nil {
		l.waits = max(0, l.waits-1) // it may be another link with the same neighbor
	}
}

// askOverdue asks for what has been waited for long enough, each of a neighbor that named it and was not asked yet. In
// Plumtree that makes the link eager. Here the tree stays as it is: a packet was lost, which is no fault of the tree.
func (w *wanted) askOverdue(now time.Time) {
	links := w.rumors.links.list
	n, _ := slices.BinarySearchFunc(w.waiting, now, waiting.compare)
	if n == 0 {
		return
	}
	overdue := slices.Clone(w.waiting[:n])
	if w.waiting = slices.Delete(w.waiting, 0, n); len(w.waiting) == 0 {
		w.waiting = nil
	}
	asked := make([][]clock.Dot, len(links))
	for _, o := range overdue {
		m := w.missing[o.id]
		if m == nil || !m.due.Equal(o.due) {
			continue // it has come, or another time was set
		}
		i := w.nextNamer(m)
		if i < 0 {
			w.stop(o.id, m) // nobody is left to ask; comparing finds it
			continue
		}
		m.asked |= links[i].bit
		asked[i] = append(asked[i], o.id)
		w.wait(o.id, m, now.Add(w.cfg.GraftAgain))
		w.rumors.tree.lose(now)
	}
	for i, ids := range asked {
		for few := range slices.Chunk(ids, namesMost) {
			w.tell(links[i].id, &core.Graft{IDs: few}, &w.out.stats.RumorGrafts)
		}
	}
}

// nextNamer takes out the neighbor that is to be asked for a missing rumor, of those not yet asked the one nearest to
// the origin, and gives the place of its link; -1 if nobody is left.
func (w *wanted) nextNamer(m *missing) int {
	for len(m.namers) > 0 {
		nearest := slices.MinFunc(m.namers, func(a, b namer) int { return cmp.Compare(a.hops, b.hops) })
		m.namers = slices.DeleteFunc(m.namers, func(n namer) bool { return n == nearest })
		if i, found := w.rumors.links.find(nearest.id); found {
			return i
		}
	}
	return -1
}
