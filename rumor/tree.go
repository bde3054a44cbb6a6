package rumor

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
)

// This file is the tree strategy: Plumtree (Leitão 2007). The eager links of
// all nodes together become a tree, since a payload that comes twice prunes the
// link over which it came later.

// Limits of the tree, per node.
const (
	maxMissing    = 4096 // rumors named and not yet come
	maxNamers     = 4    // kept of one such rumor, to be asked in turn
	namesMost     = 48   // in one packet: the full ones fit a datagram
	namesLinks    = 2    // told of one window while nothing gets lost
	troubleEach   = 5 * time.Second
	troubleEnough = 5 * time.Second // of trouble ahead: two grafts in five seconds
	troubleMost   = 30 * time.Second
)

// tree is the state of the strategy besides which links are eager.
type tree struct {
	window     []*entry  // to be named
	announceAt time.Time // never if there are none
	turn       int       // the place of the link to be told next
	missing    map[clock.Dot]*missing
	first      []waiting // for their payload, in order of time
	again      []waiting // for whom was asked, in order of time
	troubled   time.Time // so much trouble has there been; see trouble
}

// missing is a rumor that was named and has not come.
type missing struct {
	namers [maxNamers]hearsay.NodeID // not yet asked, the first to name it first
	n      int
}

type waiting struct {
	id  clock.Dot
	due time.Time
}

// pushTree passes on what is news: "eager push" and "lazy push" (section 3.4).
func (r *Rumors) pushTree(now time.Time, e *entry) {
	lazy := false
	for _, l := range r.links {
		if l.eager {
			r.enqueue(l, e)
		}
		lazy = lazy || !l.eager
	}
	if !lazy {
		return
	}
	r.tree.window = append(r.tree.window, e)
	if r.tree.announceAt == never {
		r.tree.announceAt = now.Add(r.between(r.cfg.AnnounceAfter, 2*r.cfg.AnnounceAfter))
	}
}

// judge makes a link eager or lazy by what came over it: "on receiving a
// duplicate the link becomes lazy, and the sender is told so". A packet has
// several rumors here; if two ways race, each wins some, so half are enough.
func (r *Rumors) judge(p *hearsay.Packet, l *link, fresh, stale int) {
	switch {
	case l == nil || fresh+stale == 0:
	case stale >= fresh:
		l.eager = false
		r.stats.Prunes++
		r.send(false, hearsay.Packet{Addr: p.Addr, Stream: p.Stream, Body: &hearsay.Prune{}})
	default:
		l.eager = true
	}
}

// Prune takes the word of a neighbor that it has another way.
func (r *Rumors) Prune(_ time.Time, p *hearsay.Packet, _ *hearsay.Prune) {
	if l := r.link(p.From); l != nil {
		l.eager = false
	} else {
		r.drops[hearsay.DropUnexpected]++
	}
}

// IHave takes names of rumors. In the monger strategy they answer those that
// were no news.
func (r *Rumors) IHave(now time.Time, p *hearsay.Packet, m *hearsay.IHave) {
	if r.stranger(p) {
		return
	}
	if r.cfg.Strategy == Monger {
		r.feedback(m)
		return
	}
	l := r.link(p.From)
	if l == nil || r.cfg.Strategy != Tree {
		r.drops[hearsay.DropUnexpected]++
		return
	}
	better := false
	for i, id := range m.IDs {
		if e := r.store.byID[id]; e != nil {
			e.known |= l.bit
			e.named = true
			better = better || i < len(m.Hops) && r.isBetter(e, l, m.Hops[i])
		} else if !r.seen.context.Has(id) {
			r.lack(now, id, l)
		}
	}
	if better {
		r.graft(l, nil)
	}
	r.flush(now)
}

// isBetter reports whether a link offers a much shorter way than the one by
// which a rumor came, and if so makes that one lazy: "optimization" (section
// 3.8). Names come later than payloads, so the way is compared when both are
// known.
func (r *Rumors) isBetter(e *entry, l *link, hops uint8) bool {
	parent := r.link(e.by)
	if r.cfg.OptimizeBy == 0 || l.eager || parent == nil || !parent.eager || int(e.Hops) <= int(hops)+1+r.cfg.OptimizeBy {
		return false
	}
	addr, living := r.directory.Addr(parent.id)
	if !living {
		return false
	}
	parent.eager = false
	r.stats.Prunes++
	r.send(false, hearsay.Packet{Addr: addr, Body: &hearsay.Prune{}})
	return true
}

// lack notes that a neighbor has named what this node has not.
func (r *Rumors) lack(now time.Time, id clock.Dot, l *link) {
	t := &r.tree
	m := t.missing[id]
	if m == nil {
		if !r.directory.Known(hearsay.NodeID(id.Origin)) {
			r.drops[hearsay.DropStranger]++
			return
		}
		if len(t.missing) >= maxMissing || len(t.first) >= 2*maxMissing {
			r.drops[hearsay.DropTableFull]++
			return
		}
		if t.missing == nil {
			t.missing = make(map[clock.Dot]*missing)
		}
		m = &missing{}
		t.missing[id] = m
		t.first = append(t.first, waiting{id, now.Add(r.cfg.GraftAfter)})
	}
	if m.n < maxNamers && !slices.Contains(m.namers[:m.n], l.id) {
		m.namers[m.n] = l.id
		m.n++
	}
}

// missingAt is when the next wait for a payload is over.
func (r *Rumors) missingAt() time.Time {
	at := never
	if len(r.tree.first) > 0 {
		at = r.tree.first[0].due
	}
	if len(r.tree.again) > 0 {
		at = soonest(at, r.tree.again[0].due)
	}
	return at
}

// tickTree names what is to be named, and asks for what did not come.
func (r *Rumors) tickTree(now time.Time) {
	t := &r.tree
	if !now.Before(t.announceAt) {
		r.announce(now)
	}
	var due []clock.Dot
	t.first, due = r.overdue(now, t.first, due)
	t.again, due = r.overdue(now, t.again, due)
	if len(due) == 0 {
		return
	}
	asked := make([][]clock.Dot, len(r.links))
	for _, id := range due {
		m := t.missing[id]
		i := r.nextNamer(m)
		if i < 0 {
			delete(t.missing, id) // nobody is left to ask; comparing finds it
			continue
		}
		asked[i] = append(asked[i], id)
		t.again = append(t.again, waiting{id, now.Add(r.cfg.GraftAgain)})
	}
	for i, ids := range asked {
		for part := range slices.Chunk(ids, namesMost) {
			r.trouble(now)
			r.graft(r.links[i], part)
		}
	}
}

// overdue takes from a list what is due, and appends to due what of it is
// still missing.
func (r *Rumors) overdue(now time.Time, list []waiting, due []clock.Dot) ([]waiting, []clock.Dot) {
	n := 0
	for n < len(list) && !now.Before(list[n].due) {
		if r.tree.missing[list[n].id] != nil {
			due = append(due, list[n].id)
		}
		n++
	}
	if list = slices.Delete(list, 0, n); len(list) == 0 {
		list = nil
	}
	return list, due
}

// nextNamer takes out who is to be asked for a missing rumor, and gives the
// place of its link; -1 if nobody is left.
func (r *Rumors) nextNamer(m *missing) int {
	for m.n > 0 {
		id := m.namers[0]
		copy(m.namers[:], m.namers[1:])
		m.n--
		if i, found := r.findLink(id); found {
			return i
		}
	}
	return -1
}

// graft makes a link eager, at both ends, and asks for rumors.
func (r *Rumors) graft(l *link, ids []clock.Dot) {
	addr, living := r.directory.Addr(l.id)
	if !living {
		return
	}
	l.eager = true
	r.stats.Grafts++
	r.send(false, hearsay.Packet{Addr: addr, Body: &hearsay.Graft{IDs: ids}})
}

// Graft gives what a neighbor lacks, and makes the link eager.
func (r *Rumors) Graft(now time.Time, p *hearsay.Packet, m *hearsay.Graft) {
	l := r.link(p.From)
	if l == nil {
		r.drops[hearsay.DropUnexpected]++
		return
	}
	l.eager = r.cfg.Strategy == Tree
	if len(m.IDs) > 0 {
		r.trouble(now)
	}
	for _, id := range m.IDs {
		if e := r.store.byID[id]; e != nil && e.age(now) < r.cfg.KeepFor {
			e.known &^= l.bit // it was sent and lost
			r.enqueue(l, e)
		}
	}
	r.flush(now)
}

// mend makes all links eager when one that was is gone: the tree may have
// fallen into two. What is too much is pruned with the next rumor.
func (r *Rumors) mend() {
	for _, l := range r.links {
		if !l.eager {
			r.graft(l, nil)
		}
	}
}

// trouble counts that a payload got lost.
func (r *Rumors) trouble(now time.Time) {
	t := &r.tree
	if t.troubled.Before(now) {
		t.troubled = now
	}
	t.troubled = soonest(t.troubled.Add(troubleEach), now.Add(troubleMost))
}

// announce names what came in the last window: over every lazy link if
// payloads get lost, else over one, or two if there is more than one rumor to
// name, and nothing that another has named to this node.
func (r *Rumors) announce(now time.Time) {
	t := &r.tree
	lossy := t.troubled.Sub(now) > troubleEnough
	most := min(len(t.window), namesLinks)
	if lossy {
		most = len(r.links)
	}
	slices.SortStableFunc(t.window, func(a, b *entry) int { return a.ID.Origin.Compare(b.ID.Origin) }) // as runs they are short
	turn := t.turn
	for i := range r.links {
		l := r.links[(turn+i)%len(r.links)]
		if most > 0 && !l.eager && r.announceTo(l, lossy) {
			most--
			t.turn = (turn + i + 1) % len(r.links)
		}
	}
	clear(t.window)
	if t.window = t.window[:0]; cap(t.window) > keptItems {
		t.window = nil
	}
	t.announceAt = never
}

// announceTo names to one neighbor what it is not known to have, and reports
// whether there was any.
func (r *Rumors) announceTo(l *link, lossy bool) bool {
	addr, living := r.directory.Addr(l.id)
	if !living {
		return false
	}
	start, own := len(r.dots), false
	var hops []uint8
	for _, e := range r.tree.window {
		if e.known&l.bit == 0 && !e.evicted && (lossy || !e.named) {
			r.dots = append(r.dots, e.ID)
			hops = append(hops, e.Hops)
			own = own || e.by == r.self
		}
	}
	ids := r.dots[start:len(r.dots):len(r.dots)]
	r.stats.Names += uint64(len(ids))
	for from := 0; from < len(ids); from += namesMost {
		to := min(from+namesMost, len(ids))
		r.send(own, hearsay.Packet{Addr: addr, Body: &hearsay.IHave{IDs: ids[from:to], Hops: hops[from:to]}})
	}
	return len(ids) > 0
}
