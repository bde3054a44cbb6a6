package overlay

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file owns the links that are drawn and agreed upon, and what may be
// asked of a node that agrees.

// Times and limits per node. All are guesses but for the bounds that follow
// from them.
const (
	helloWait = 500 * time.Millisecond // for the ack
	// between two Hellos while links are lacking; doubled after each that was refused or lost
	helloMin = 100 * time.Millisecond
	helloMax = 10 * time.Second // up to this
	// one link is asked after this often: an end forgotten by the other is found in this times the links
	confirmEvery = 10 * time.Second
	// one that the other end may not have is asked after this often, until it answers
	doubtEvery  = time.Second
	helloBurst  = 64                    // Hellos taken at once: many nodes may start at one time
	helloRefill = 50 * time.Millisecond // and one more for each of these
)

// drawn are the links of a random or power-law overlay besides those of ring 0.
type drawn struct {
	links []hearsay.NodeID // ascending; suspects among them are passed over

	asked   hearsay.NodeID // the node that has yet to answer a Hello; zero: none
	waits   time.Time      // until then
	askAt   time.Time      // when to ask the next, if links are lacking
	backoff time.Duration  // from then to the one after
	turn    hearsay.NodeID // whose link was asked after last
	turnAt  time.Time      // when to ask after the next

	doubts  []hearsay.NodeID // those whose other end may not have the link, the next to be asked first; no suspects
	doubtAt time.Time        // when to ask it

	credit   int // Hellos that may come in
	creditAt time.Time
}

func (d *drawn) begin(now time.Time) {
	d.askAt, d.backoff = now, helloMin
	d.turnAt = now.Add(confirmEvery)
	d.credit, d.creditAt = helloBurst, now
}

func (d *drawn) has(id hearsay.NodeID) bool { return has(d.links, id) }

// remove reports whether there was such a link.
func (d *drawn) remove(id hearsay.NodeID) bool {
	if d.asked == id {
		d.asked = hearsay.NodeID{}
	}
	d.sure(id)
	at, found := search(d.links, id)
	if found {
		d.links = slices.Delete(d.links, at, at+1)
	}
	return found
}

// doubt has the other end asked whether it has a link, unless that is going to
// happen: its answer was lost perhaps, or it has let go of this node. Else it
// would be found out in its turn, after minutes.
func (d *drawn) doubt(now time.Time, id hearsay.NodeID) {
	if !d.has(id) || slices.Contains(d.doubts, id) {
		return
	}
	if len(d.doubts) == 0 {
		d.doubtAt = now.Add(doubtEvery)
	}
	d.doubts = append(d.doubts, id)
}

// sure is told that the other end has a link, or that there is none.
func (d *drawn) sure(id hearsay.NodeID) {
	if at := slices.Index(d.doubts, id); at >= 0 {
		d.doubts = slices.Delete(d.doubts, at, at+1)
	}
}

// retry ends a backoff: there is somebody new to ask.
func (d *drawn) retry(now time.Time) {
	d.backoff = helloMin
	if at := now.Add(helloMin); at.Before(d.askAt) {
		d.askAt = at
	}
}

// spend takes one credit, if there is one.
func (d *drawn) spend(now time.Time) bool {
	if more := now.Sub(d.creditAt) / helloRefill; more > 0 {
		d.credit = int(min(helloBurst, time.Duration(d.credit)+more))
		d.creditAt = d.creditAt.Add(more * helloRefill)
	}
	if d.credit == 0 {
		return false
	}
	d.credit--
	return true
}

// agree makes the link, if there is room beside the two of ring 0. A suspect
// makes way.
func (o *Overlay) agree(now time.Time, id hearsay.NodeID) bool {
	d := &o.drawn
	at, found := search(d.links, id)
	if found {
		return true
	}
	if len(d.links) >= o.most()-2 {
		i := slices.IndexFunc(d.links, func(id hearsay.NodeID) bool { return has(o.suspects, id) })
		if i < 0 {
			return false
		}
		o.send(d.links[i], &core.Unlink{})
		d.links = slices.Delete(d.links, i, i+1)
		at, _ = search(d.links, id)
	}
	d.links = slices.Insert(d.links, at, id)
	o.touch(now)
	return true
}

// part ends the link, and reports whether there was one.
func (o *Overlay) part(now time.Time, id hearsay.NodeID) bool {
	if !o.drawn.remove(id) {
		return false
	}
	o.touch(now)
	return true
}

// lacking reports whether this node should have more links. What was told must
// be up to date.
func (o *Overlay) lacking() bool {
	return !o.outside && len(o.links) < min(o.least(), o.trusted())
}

// tickRandom asks for a link that is lacking, or after one that should be
// there. One Hello at a time is under way.
func (o *Overlay) tickRandom(now time.Time) {
	d := &o.drawn
	if !d.asked.IsZero() {
		if now.Before(d.waits) {
			return
		}
		if !d.has(d.asked) {
			o.send(d.asked, &core.Unlink{}) // it may have accepted
			o.backOff(now)
		}
		d.asked = hearsay.NodeID{}
	}
	switch {
	case o.lacking() && !now.Before(d.askAt):
		d.askAt = now.Add(d.backoff)
		if id, ok := o.draw(); ok {
			o.ask(now, id)
		}
	case len(d.doubts) > 0 && !now.Before(d.doubtAt):
		next := d.doubts[0]
		copy(d.doubts, d.doubts[1:]) // until it answers it is doubted
		d.doubts[len(d.doubts)-1], d.doubtAt = next, now.Add(doubtEvery)
		o.ask(now, next)
	case len(d.links) > 0 && !now.Before(d.turnAt):
		at, found := search(d.links, d.turn)
		if found {
			at++
		}
		d.turn, d.turnAt = d.links[at%len(d.links)], now.Add(o.confirmAfter())
		o.ask(now, d.turn)
	}
}

func (o *Overlay) deadlineRandom() time.Time {
	d := &o.drawn
	if !d.asked.IsZero() {
		return d.waits
	}
	at := o.never
	if o.lacking() {
		at = d.askAt
	}
	if len(d.links) > 0 && d.turnAt.Before(at) {
		at = d.turnAt
	}
	if len(d.doubts) > 0 && d.doubtAt.Before(at) {
		at = d.doubtAt
	}
	return at
}

// backOff puts the next Hello off.
func (o *Overlay) backOff(now time.Time) {
	d := &o.drawn
	d.backoff = min(2*d.backoff, helloMax)
	d.askAt = now.Add(d.backoff)
}

// draw gives a member that is neither neighbor nor suspect, if there is one.
func (o *Overlay) draw() (drawn hearsay.NodeID, ok bool) {
	count := o.directory.Count()
	start := o.random.IntN(max(1, count))
	for i := range count {
		id := o.directory.Other((start + i) % count)
		if !o.Linked(id) && !has(o.suspects, id) {
			return id, true
		}
	}
	return drawn, false
}

func (o *Overlay) ask(now time.Time, id hearsay.NodeID) {
	o.drawn.asked, o.drawn.waits = id, now.Add(helloWait)
	o.send(id, &core.Hello{Degree: o.degree()})
}

// send goes where the member is known to be, wherever a packet in its name
// came from.
func (o *Overlay) send(id hearsay.NodeID, m core.Message) {
	if addr, ok := o.directory.Addr(id); ok {
		o.out.Now = append(o.out.Now, core.Packet{Addr: addr, Body: m})
	}
}

// admitted reports whether a packet about a link may be looked at: both are in,
// and it comes not more often than is bearable.
func (o *Overlay) admitted(now time.Time, p *core.Packet) bool {
	switch {
	case o.outside || !o.lists(p.From):
		o.stats.Drops[hearsay.DropStranger]++
	case !o.drawn.spend(now):
		o.stats.Drops[hearsay.DropRate]++
	default:
		return true
	}
	return false
}

// Hello is asked for a link, or after it. A ring overlay has the links that
// it has.
func (o *Overlay) Hello(now time.Time, p *core.Packet, _ *core.Hello) {
	if !o.admitted(now, p) {
		return
	}
	accepted := o.Linked(p.From)
	if o.cfg.Kind != KindRing && (accepted || o.drawn.has(p.From) || o.attracts()) {
		had := o.drawn.has(p.From)
		if o.agree(now, p.From) {
			accepted = true
			if !had { // the answer may be lost, and the word that it came too late
				o.doubt(now, p.From)
			}
		}
	}
	o.send(p.From, &core.HelloAck{Accepted: accepted, Degree: o.degree()})
}

// HelloAck is the answer to a Hello.
func (o *Overlay) HelloAck(now time.Time, p *core.Packet, m *core.HelloAck) {
	d := &o.drawn
	if d.asked.IsZero() || p.From != d.asked {
		o.unexpected(now, p, m)
		return
	}
	d.asked = hearsay.NodeID{}
	switch {
	case !m.Accepted:
		if !o.part(now, p.From) {
			o.refused(now, m)
		}
	case o.agree(now, p.From):
		d.backoff = helloMin
		d.sure(p.From)
	default:
		o.send(p.From, &core.Unlink{}) // others were faster, and there is no room
	}
}

// unexpected is an ack that was not waited for, or not any more. It makes no
// link; but its sender may believe that there is one.
func (o *Overlay) unexpected(now time.Time, p *core.Packet, m *core.HelloAck) {
	o.stats.Drops[hearsay.DropUnexpected]++
	if m.Accepted && !o.outside && o.lists(p.From) && !o.Linked(p.From) && !o.drawn.has(p.From) && o.drawn.spend(now) {
		o.send(p.From, &core.Unlink{})
	}
}

// Doubt is told that others have held this node dead, and so may have let go of
// their ends of its links.
func (o *Overlay) Doubt(now time.Time) {
	for _, id := range o.drawn.links {
		o.doubt(now, id)
	}
}

// doubt doubts a link, but not with a suspect: there is no asking it.
func (o *Overlay) doubt(now time.Time, id hearsay.NodeID) {
	if !has(o.suspects, id) {
		o.drawn.doubt(now, id)
	}
}

// Disown is told that a member speaks as a neighbor does. It has its end of the
// link then; if that is all that there is of it, it is to be let go.
func (o *Overlay) Disown(now time.Time, id hearsay.NodeID) {
	o.drawn.sure(id)
	if o.cfg.Kind == KindRing || o.Linked(id) || o.drawn.has(id) || o.drawn.asked == id || has(o.suspects, id) {
		return
	}
	if o.lists(id) && o.drawn.spend(now) {
		o.send(id, &core.Unlink{})
	}
}

// Unlink ends a link that was drawn. Those of ring 0 stay.
func (o *Overlay) Unlink(now time.Time, p *core.Packet, _ *core.Unlink) {
	if !o.part(now, p.From) {
		o.stats.Drops[hearsay.DropUnexpected]++
	}
}
