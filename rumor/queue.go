package rumor

import (
	"slices"
	"time"

	"hearsay"
)

// Limits per link.
const (
	maxLinks   = 64      // of a node: as many as link.bit has places
	queueBytes = 1 << 20 // waiting; what exceeds them is left to comparing

	// A link sends so many bytes a second and so many at once: a gigabit shared
	// by a few links; a burst fits the receiver's socket.
	linkRate  = 16 << 20
	linkBurst = 64 << 10

	packetRoom = hearsay.MTU - 40 // for items, beside an envelope of 26 bytes, kind, length and two counts
	itemExtra  = 16 + 1 + 4 + 1 + 3
)

// sizeOf is at most what a rumor takes in a packet: origin and count of a run,
// age, hops, length; number; data.
func sizeOf(e *entry) int { return itemExtra + uvarintLen(e.ID.Counter) + len(e.Data) }

// link is a neighbor in the overlay.
type link struct {
	id    hearsay.NodeID
	bit   uint64 // one that no other link has
	eager bool   // of the tree: payloads go over it; see Rumors.leads
	waits int    // rumors that it was the first to name and that have not come
	standing

	queue   queue
	quietAt time.Time // what does not fill a packet waits until then
	paid    time.Time // up to then the time for what was sent is spent
	due     time.Time // when what waits is sent; never if nothing does

	comparison
}

// queue is what waits to be sent over one link. Each origin has its own lane,
// and they take turns: an origin that says much waits behind itself.
type queue struct {
	lanes []lane // of origins with something to send, the next turn first
	bytes int
}

type lane struct {
	origin  *origin
	waiting []*entry
}

// keptLanes is how many lanes, and places in each, an idle queue has room for.
const keptLanes = 8

// put lets a rumor wait, and reports whether there is room for it.
func (q *queue) put(e *entry) bool {
	if q.bytes+sizeOf(e) > queueBytes {
		return false
	}
	q.bytes += sizeOf(e)
	for i := range q.lanes {
		if q.lanes[i].origin == e.origin {
			q.lanes[i].waiting = append(q.lanes[i].waiting, e)
			return true
		}
	}
	if n := len(q.lanes); n < cap(q.lanes) {
		q.lanes = q.lanes[:n+1] // its storage is used again
	} else {
		q.lanes = append(q.lanes, lane{})
	}
	last := &q.lanes[len(q.lanes)-1]
	last.origin, last.waiting = e.origin, append(last.waiting[:0], e)
	return true
}

// peek gives the rumor whose turn it is; nil if nothing waits.
func (q *queue) peek() *entry {
	if len(q.lanes) == 0 {
		return nil
	}
	return q.lanes[0].waiting[0]
}

// pop takes out what peek gave, and passes the turn on.
func (q *queue) pop() {
	turn := q.lanes[0]
	q.bytes -= sizeOf(turn.waiting[0])
	turn.waiting = slices.Delete(turn.waiting, 0, 1)
	last := len(q.lanes) - 1
	copy(q.lanes, q.lanes[1:])
	q.lanes[last] = turn
	if len(turn.waiting) > 0 {
		return
	}
	if cap(turn.waiting) > keptLanes {
		q.lanes[last] = lane{}
	}
	if q.lanes = q.lanes[:last]; last == 0 && cap(q.lanes) > keptLanes {
		q.lanes = nil
	}
}

// link finds a neighbor; nil if it is none.
func (r *Rumors) link(id hearsay.NodeID) *link {
	if i, found := r.findLink(id); found {
		return r.links[i]
	}
	return nil
}

func (r *Rumors) findLink(id hearsay.NodeID) (int, bool) {
	return slices.BinarySearchFunc(r.links, id, func(l *link, id hearsay.NodeID) int { return l.id.Compare(id) })
}

// Linked tells that id is a neighbor from now. Beyond maxLinks it is not one
// for rumors.
func (r *Rumors) Linked(now time.Time, id hearsay.NodeID) {
	i, found := r.findLink(id)
	free := ^r.bits & -^r.bits // the lowest that is not taken
	if found || free == 0 {
		return
	}
	r.bits |= free
	for _, e := range r.store.all() {
		e.known &^= free // that was another link
		e.offered &^= free
	}
	l := &link{id: id, bit: free, eager: true, due: never}
	l.sayAt, l.answerAt, l.said = never, never, r.random.Uint32()
	r.links = slices.Insert(r.links, i, l)
	if r.cfg.Strategy == Tree {
		r.owe(now, l)
	}
	r.meet(now)
	r.flush(now)
}

// Unlinked tells that id is no neighbor any more.
func (r *Rumors) Unlinked(now time.Time, id hearsay.NodeID) {
	i, found := r.findLink(id)
	if !found {
		return
	}
	gone := r.links[i]
	r.links = slices.Delete(r.links, i, i+1)
	r.bits &^= gone.bit
	r.stand(now)
	r.flush(now)
}

// push lets a rumor wait for every link whose other end is not known to have
// it.
func (r *Rumors) push(e *entry) {
	for _, l := range r.links {
		r.enqueue(l, e)
	}
}

// enqueue lets a rumor wait for a link.
func (r *Rumors) enqueue(l *link, e *entry) {
	if e.known&l.bit == 0 && !l.queue.put(e) {
		r.stats.Unsent++
	}
}

// flush ends a step: it sends what is to be sent by now.
func (r *Rumors) flush(now time.Time) {
	for _, l := range r.links {
		if l.queue.bytes > 0 {
			r.flushLink(now, l)
		}
	}
}

// flushLink sends at once over a link that has been quiet; over another, full
// packets, and the rest when it has waited. Both within the link's rate.
func (r *Rumors) flushLink(now time.Time, l *link) {
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
		size := r.sendPacket(now, l)
		l.paid = l.paid.Add(time.Second * time.Duration(size) / linkRate)
		l.quietAt = now.Add(r.cfg.Gather)
	}
}

// sendPacket sends one packet of what waits for a link.
func (r *Rumors) sendPacket(now time.Time, l *link) (size int) {
	addr, living := r.directory.Addr(l.id)
	start, own := len(r.items), false
	for {
		e := l.queue.peek()
		if e == nil || size > 0 && size+sizeOf(e) > packetRoom || len(r.items)-start == hearsay.MaxRumors {
			break
		}
		l.queue.pop()
		if e.known&l.bit != 0 {
			continue // it came from there meanwhile
		}
		e.known |= l.bit
		own = own || e.by == r.self
		size += sizeOf(e)
		r.items = append(r.items, e.told(now))
	}
	if items := r.items[start:len(r.items):len(r.items)]; living && len(items) > 0 {
		r.stats.Payloads += uint64(len(items))
		r.send(own, hearsay.Packet{Addr: addr, Body: r.rumors(items, nil)})
	}
	return size
}

// told is a rumor as it is passed on.
func (e *entry) told(now time.Time) hearsay.Rumor {
	rumor := e.Rumor
	rumor.Age = e.age(now)
	if rumor.Hops < maxHops {
		rumor.Hops++
	}
	return rumor
}

// maxHops is where the count of hops stays.
const maxHops = 255

// rumors gives a body that is valid until the next step.
func (r *Rumors) rumors(items []hearsay.Rumor, missed []hearsay.SeenRange) *hearsay.Rumors {
	r.bodies = append(r.bodies, hearsay.Rumors{Items: items, Missed: missed})
	return &r.bodies[len(r.bodies)-1]
}

// send sends a packet. One that has or names a rumor of this node's own waits
// until that is on disk.
func (r *Rumors) send(own bool, p hearsay.Packet) {
	if own {
		r.out.Send = append(r.out.Send, p)
	} else {
		r.out.Now = append(r.out.Now, p)
	}
}
