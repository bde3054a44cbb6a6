package rumor

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
)

// This file is what goes over the tree and beside it, after Plumtree (Leitão
// 2007): payloads over eager links, names over lazy ones, and repair. Which links
// are eager is decided in place.go.

// Limits of the tree, per node.
const (
	maxMissing = 4096             // rumors named and not yet come
	maxWaits   = maxMissing / 4   // of them, those that one neighbor was the first to name: who makes them up leaves room for others
	maxNamers  = 4                // kept of one such rumor, to be asked in turn
	namesMost  = 48               // in one packet: the full ones fit a datagram
	namesLinks = 2                // told of one window while nothing gets lost
	offerLate  = time.Second      // that a name and the question for it take on their ways, at most. A guess
	troubleFor = 10 * time.Second // after a payload got lost, every name goes over every link
)

// tree is the state of the strategy besides which links are eager.
type tree struct {
	window     []*entry  // to be named over lazy links
	repaired   []*entry  // to be named over all links, when the step ends
	announceAt time.Time // never if there are none
	turn       int       // the place of the link to be told next
	missing    map[clock.Dot]*missing
	waiting    []waiting // for their payloads, in order of time
	trouble    time.Time // until then it is thought that payloads get lost

	place  place          // of this node
	parent hearsay.NodeID // the neighbor that it hangs on; zero if it is a root
}

// missing is a rumor that was named and has not come.
type missing struct {
	namers []namer        // not yet asked, at most maxNamers
	first  hearsay.NodeID // who named it first
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

// pushTree passes on what is news: "eager push" and "lazy push" (section 3.4).
// What this node had to ask for, those above it in the tree have, and those
// below it lack: so it is named over all links, at once, for them to ask at once,
// and spreads to all that lack it by the shortest ways.
func (r *Rumors) pushTree(now time.Time, e *entry) {
	lazy := false
	for _, l := range r.links {
		if l.eager && e.asked == 0 {
			r.enqueue(l, e)
		}
		lazy = lazy || !l.eager
	}
	if e.asked != 0 {
		r.tree.repaired = append(r.tree.repaired, e)
		return
	}
	if !lazy {
		return
	}
	r.tree.window = append(r.tree.window, e)
	if r.tree.announceAt == never {
		r.tree.announceAt = now.Add(r.between(r.cfg.AnnounceAfter, 2*r.cfg.AnnounceAfter))
	}
}

// IHave takes names of rumors. In the monger strategy they answer those that
// were no news.
func (r *Rumors) IHave(now time.Time, p *hearsay.Packet, message *hearsay.IHave) {
	if r.stranger(p) {
		return
	}
	if r.cfg.Strategy == Monger {
		r.feedback(message)
		return
	}
	l := r.link(p.From)
	if l == nil {
		r.drops[hearsay.DropUnexpected]++
		return
	}
	if r.cfg.Strategy == Flood {
		return // the payload comes, too, or comparing finds what lacks
	}
	if message.Late {
		r.tree.trouble = now.Add(troubleFor)
	} else if l.eager && l.heard != 0 && l.sayAt == never && !l.isOutside() {
		r.owe(now, l) // names go over lazy links: the other end has misheard
	}
	for i, id := range message.IDs {
		hops := uint8(maxHops)
		if i < len(message.Hops) {
			hops = message.Hops[i]
		}
		if e := r.store.byID[id]; e != nil {
			e.known |= l.bit
			e.named = true
		} else if !r.seen.came(id) {
			if m := r.lack(now, id, l, hops); m != nil && m.asked == 0 && message.Late {
				r.wait(id, m, now)
			}
		}
	}
	r.askOverdue(now)
	r.flush(now)
}

// isRepair reports whether a rumor came here other than at once along the tree:
// then its way says nothing about the tree.
func (e *entry) isRepair(after time.Duration) bool { return e.asked != 0 || e.Age >= after }

// lack notes that a neighbor has named what this node has not.
func (r *Rumors) lack(now time.Time, id clock.Dot, l *link, hops uint8) *missing {
	t := &r.tree
	m := t.missing[id]
	if m == nil {
		if !r.directory.Known(hearsay.NodeID(id.Origin)) {
			r.drops[hearsay.DropStranger]++
			return nil
		}
		if l.waits >= maxWaits || len(t.missing) >= maxMissing || len(t.waiting) >= 2*maxMissing {
			r.drops[hearsay.DropTableFull]++
			return nil
		}
		if t.missing == nil {
			t.missing = make(map[clock.Dot]*missing)
		}
		m = &missing{first: l.id}
		t.missing[id] = m
		l.waits++
		r.wait(id, m, now.Add(r.between(r.cfg.GraftAfter, 2*r.cfg.GraftAfter)))
	}
	if len(m.namers) < maxNamers && !slices.ContainsFunc(m.namers, func(n namer) bool { return n.id == l.id }) {
		m.namers = append(m.namers, namer{l.id, hops})
	}
	return m
}

// wait sets when a missing rumor is asked for next.
func (r *Rumors) wait(id clock.Dot, m *missing, due time.Time) {
	t := &r.tree
	i, _ := slices.BinarySearchFunc(t.waiting, due, func(w waiting, due time.Time) int {
		if w.due.After(due) {
			return 1
		}
		return -1 // those of the same time stay in their order
	})
	t.waiting = slices.Insert(t.waiting, i, waiting{id, due})
	m.due = due
}

// missingAt is when the next wait for a payload is over.
func (r *Rumors) missingAt() time.Time {
	if len(r.tree.waiting) == 0 {
		return never
	}
	return r.tree.waiting[0].due
}

// arrived ends the wait for a rumor.
func (r *Rumors) arrived(e *entry) {
	if e.by == r.self {
		return
	}
	if m := r.tree.missing[e.ID]; m != nil {
		e.asked = m.asked
		r.stopWaiting(e.ID, m)
	}
}

func (r *Rumors) stopWaiting(id clock.Dot, m *missing) {
	delete(r.tree.missing, id)
	if l := r.link(m.first); l != nil {
		l.waits = max(0, l.waits-1) // it may be another link with the same neighbor
	}
}

// tickTree names what is to be named, and asks for what did not come.
func (r *Rumors) tickTree(now time.Time) {
	if !now.Before(r.tree.announceAt) {
		r.announce(now)
	}
	r.askOverdue(now)
	r.tickPlaces(now)
}

// askOverdue asks for what has been waited for long enough, each of one who
// named it and was not asked yet. In Plumtree that makes the link eager. Here
// the tree stays as it is: a packet was lost, which is no fault of the tree.
func (r *Rumors) askOverdue(now time.Time) {
	t := &r.tree
	n := 0
	for n < len(t.waiting) && !now.Before(t.waiting[n].due) {
		n++
	}
	if n == 0 {
		return
	}
	overdue := slices.Clone(t.waiting[:n])
	if t.waiting = slices.Delete(t.waiting, 0, n); len(t.waiting) == 0 {
		t.waiting = nil
	}
	asked := make([][]clock.Dot, len(r.links))
	for _, w := range overdue {
		m := t.missing[w.id]
		if m == nil || !m.due.Equal(w.due) {
			continue // it has come, or another time was set
		}
		i := r.nextNamer(m)
		if i < 0 {
			r.stopWaiting(w.id, m) // nobody is left to ask; comparing finds it
			continue
		}
		m.asked |= r.links[i].bit
		asked[i] = append(asked[i], w.id)
		r.wait(w.id, m, now.Add(r.cfg.GraftAgain))
		t.trouble = now.Add(troubleFor)
	}
	for i, ids := range asked {
		for part := range slices.Chunk(ids, namesMost) {
			r.ask(r.links[i], part)
		}
	}
}

// nameRepaired names over all links what this node had to ask for.
func (r *Rumors) nameRepaired(now time.Time) {
	t := &r.tree
	if len(t.repaired) == 0 {
		return
	}
	for _, l := range r.links {
		r.name(now, l, t.repaired, late)
	}
	clear(t.repaired)
	t.repaired = t.repaired[:0]
}

// nextNamer takes out who is to be asked for a missing rumor, of those not yet
// asked the one nearest to the origin, and gives the place of its link; -1 if
// nobody is left.
func (r *Rumors) nextNamer(m *missing) int {
	for len(m.namers) > 0 {
		nearest := 0
		for i := range m.namers {
			if m.namers[i].hops < m.namers[nearest].hops {
				nearest = i
			}
		}
		id := m.namers[nearest].id
		m.namers = slices.Delete(m.namers, nearest, nearest+1)
		if i, found := r.findLink(id); found {
			return i
		}
	}
	return -1
}

// ask asks a neighbor for rumors.
func (r *Rumors) ask(l *link, ids []clock.Dot) {
	addr, living := r.directory.Addr(l.id)
	if !living {
		return
	}
	r.stats.Grafts++
	r.send(false, hearsay.Packet{Addr: addr, Body: &hearsay.Graft{IDs: ids}})
}

// offerLasts is how long a neighbor has to ask for what was named to it: until
// it has asked all others that named it, and for as long as packets may be late.
func (r *Rumors) offerLasts() time.Duration {
	return 2*r.cfg.GraftAfter + (maxNamers+1)*r.cfg.GraftAgain + offerLate
}

// Graft gives what a neighbor asks for, of what was named to it lately, and each
// once: anybody may ask in its name, and a few bytes ask for much.
func (r *Rumors) Graft(now time.Time, p *hearsay.Packet, m *hearsay.Graft) {
	l := r.link(p.From)
	if l == nil {
		r.drops[hearsay.DropUnexpected]++
		return
	}
	r.tree.trouble = now.Add(troubleFor)
	for _, id := range m.IDs {
		e := r.store.byID[id]
		if e == nil || e.age(now) >= r.cfg.KeepFor {
			continue
		}
		if e.offered&l.bit == 0 || now.Sub(e.offeredAt) > r.offerLasts() {
			r.drops[hearsay.DropUnexpected]++
			continue
		}
		e.offered &^= l.bit
		e.known &^= l.bit // it was sent and lost
		r.enqueue(l, e)
	}
	r.flush(now)
}

// announce names what came in the last window: over every lazy link if
// payloads get lost, else over one, or two if there is more than one rumor to
// name, and nothing that another has named to this node.
func (r *Rumors) announce(now time.Time) {
	t := &r.tree
	why, most := beside, min(len(t.window), namesLinks)
	if now.Before(t.trouble) {
		why, most = always, len(r.links)
	}
	slices.SortStableFunc(t.window, func(a, b *entry) int { return a.ID.Origin.Compare(b.ID.Origin) }) // as runs they are short
	turn := t.turn
	for i := range r.links {
		l := r.links[(turn+i)%len(r.links)]
		if most > 0 && !l.eager && r.name(now, l, t.window, why) {
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

// naming is why rumors are named.
type naming uint8

const (
	beside naming = iota // the tree, to who may have lost a payload; not what others have named to this node
	always               // the same, where payloads get lost
	late                 // this node had to ask
)

// name names to one neighbor those of entries that it is not known to have,
// and reports whether there was any.
func (r *Rumors) name(now time.Time, l *link, entries []*entry, why naming) bool {
	addr, living := r.directory.Addr(l.id)
	if !living {
		return false
	}
	start, own := len(r.dots), false
	var hops []uint8
	for _, e := range entries {
		if e.known&l.bit == 0 && !e.evicted && (why != beside || !e.named) {
			r.dots = append(r.dots, e.ID)
			hops = append(hops, e.Hops)
			if why != late && e.isRepair(r.cfg.GraftAfter) {
				hops[len(hops)-1] = maxHops // this is no way of the tree
			}
			own = own || e.by == r.self
			e.offered |= l.bit
			e.offeredAt = now
		}
	}
	ids := r.dots[start:len(r.dots):len(r.dots)]
	r.stats.Names += uint64(len(ids))
	for from := 0; from < len(ids); from += namesMost {
		to := min(from+namesMost, len(ids))
		r.send(own, hearsay.Packet{Addr: addr, Body: &hearsay.IHave{IDs: ids[from:to], Hops: hops[from:to], Late: why == late}})
	}
	return len(ids) > 0
}
