package rumor

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// Limits per link.
const (
	// A link sends so many bytes a second and so many at once: a gigabit shared by a few links; a burst fits the
	// receiver's socket.
	linkRate  = 16 << 20
	linkBurst = 64 << 10

	packetRoom = core.MTU - 40 // for items, beside an envelope of 26 bytes, kind, length and two counts
	itemExtra  = 16 + 1 + 4 + 1 + 3
)

// sizeOf is at most what a rumor takes in a packet: origin and count of a run, age, hops, length; number; data.
func sizeOf(e *entry) int {
	size := itemExtra + uvarintLen(e.ID.Counter) + len(e.Data)
	if !e.Guest.IsZero() {
		size += 1 + len(e.Guest)
	}
	return size
}

// links are the neighbors, and what goes to each at its rate.
type links struct {
	*shared
	list []*link // ascending by NodeID
	bits uint64  // those that they have; see link.bit
}

// link is a neighbor in the overlay.
type link struct {
	id    hearsay.NodeID
	bit   uint64 // one that no other link has
	eager bool   // of the tree: payloads go over it; see places.leads
	waits int    // rumors that it was the first to name and that have not come
	standing

	queue   queue
	quietAt time.Time // what does not fill a packet waits until then
	paid    time.Time // up to then the time for what was sent is spent
	due     time.Time // when what waits is sent; never if nothing does

	comparison
	lost
}

// of finds a neighbor; nil if it is none.
func (ls *links) of(id hearsay.NodeID) *link {
	if i, found := ls.find(id); found {
		return ls.list[i]
	}
	return nil
}

func (ls *links) find(id hearsay.NodeID) (int, bool) {
	return slices.BinarySearchFunc(ls.list, id, func(l *link, id hearsay.NodeID) int { return l.id.Compare(id) })
}

// Linked tells that id is a neighbor from now. Rumors go over at most 64 links: a bit for each (link.bit).
func (ls *links) Linked(now time.Time, id hearsay.NodeID) {
	i, found := ls.find(id)
	free := ^ls.bits & -^ls.bits // the lowest that is not taken
	if found || free == 0 {
		return
	}
	ls.bits |= free
	for _, e := range ls.rumors.store.all() {
		e.known &^= free // that was another link
		e.offered &^= free
	}
	l := &link{id: id, bit: free, eager: true, due: never}
	l.sayAt, l.answerAt, l.said = never, never, ls.random.Uint32()
	ls.list = slices.Insert(ls.list, i, l)
	if ls.cfg.Strategy == Tree {
		ls.rumors.places.owe(now, l)
	}
	ls.rumors.compare.meet(now)
	ls.flush(now)
}

// Unlinked tells that id is no neighbor any more.
func (ls *links) Unlinked(now time.Time, id hearsay.NodeID) {
	i, found := ls.find(id)
	if !found {
		return
	}
	gone := ls.list[i]
	ls.list = slices.Delete(ls.list, i, i+1)
	ls.bits &^= gone.bit
	ls.rumors.places.stand(now)
	ls.flush(now)
}

// Next gives the neighbors over which what is news goes on, but for the one that it came from: those of the
// tree, or all.
func (ls *links) Next(from hearsay.NodeID) (next []hearsay.NodeID) {
	for _, l := range ls.list {
		if l.id != from && (l.eager || ls.cfg.Strategy != Tree) {
			next = append(next, l.id)
		}
	}
	return next
}

// enqueue lets a rumor wait for a link, if its other end is not known to have it.
func (ls *links) enqueue(l *link, e *entry) {
	if e.known&l.bit == 0 && !l.queue.put(e) {
		ls.out.stats.RumorsUnsent++
	}
}

// flush ends a step: it sends what is to be sent by now.
func (ls *links) flush(now time.Time) {
	for _, l := range ls.list {
		if l.queue.bytes > 0 {
			ls.flushLink(now, l)
		}
	}
}

// flushLink sends at once over a link that has been quiet; over another, full packets, and the rest when it has waited.
// Both within the link's rate.
func (ls *links) flushLink(now time.Time, l *link) {
	l.due = never
	if l.paid.Before(now) {
		l.paid = now
	}
	quiet := !now.Before(l.quietAt)
	const burst = time.Second * linkBurst / linkRate
	for l.queue.bytes > 0 {
		if l.paid.Sub(now) > burst {
			l.due = l.paid.Add(-burst)
			return
		}
		if !quiet && l.queue.bytes < packetRoom {
			l.due = l.quietAt
			return
		}
		size := ls.sendPacket(now, l)
		l.paid = l.paid.Add(time.Second * time.Duration(size) / linkRate)
		l.quietAt = now.Add(ls.cfg.Gather)
	}
}

// sendPacket sends one packet of what waits for a link.
func (ls *links) sendPacket(now time.Time, l *link) (size int) {
	out := &ls.out
	addr, living := ls.directory.Addr(l.id)
	start, own := len(out.items), false
	for {
		e := l.queue.peek()
		if e == nil || size > 0 && size+sizeOf(e) > packetRoom || len(out.items)-start == core.MaxRumors {
			break
		}
		l.queue.pop()
		if e.known&l.bit != 0 {
			continue // it came from there meanwhile
		}
		e.known |= l.bit
		own = own || e.by == ls.self
		size += sizeOf(e)
		out.items = append(out.items, e.told(now))
	}
	if items := out.items[start:len(out.items):len(out.items)]; living && len(items) > 0 {
		out.stats.RumorPayloads += uint64(len(items))
		out.send(own, core.Packet{Addr: addr, Body: out.body(items, nil)})
	}
	return size
}
