package rumor

import (
	"bytes"
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

const (
	keptEvents = 8 // storage kept between steps; a full packet has fewer rumors

	// One origin may have so many rumors a second told, and so many more at once; one of more than 1 KiB counts once for
	// each. They are four times what a whole network must sustain, so no honest node comes near.
	rateEach  = time.Second / 10_000
	rateBurst = 2 * time.Second
	rateUnit  = 1 << 10 // bytes
)

// intake takes rumors, this node's own and others', and delivers each once.
type intake struct {
	*shared
	room   []byte // for the payloads of the packet that is being taken
	coming int    // bytes of payloads in it, not yet looked at
}

// Say tells everybody a message of this node's own, or what a guest has said; zero if that was heard before. The data
// are copied. The error says what is wrong with them.
func (in *intake) Say(now time.Time, guest hearsay.NodeID, data []byte) (clock.Dot, error) {
	if err := hearsay.CheckRumorData(data); err != nil {
		return clock.Dot{}, err
	}
	if !guest.IsZero() && in.rumors.guests.heard(now, guest, data) {
		return clock.Dot{}, nil
	}
	number, o := in.rumors.numbers.take(), in.rumors.seen.of(hearsay.OriginOf(in.self))
	e := &entry{origin: o, by: in.self, at: now}
	e.ID, e.Data, e.Guest = clock.Dot{Origin: o.id, Counter: number}, bytes.Clone(data), guest
	in.out.Persist = append(in.out.Persist, &core.KeptRumor{Number: number, Said: now.UnixMilli(), Rumor: &e.Rumor})
	in.deliver(now, e)
	in.out.stats.RumorsSaid++
	in.rumors.links.flush(now)
	return e.ID, nil
}

// Rumors takes rumors by their whole.
func (in *intake) Rumors(now time.Time, p *core.Packet, m *core.Rumors) {
	r := in.rumors
	if in.stranger(p) || !r.monger.accepts(now, p.From) {
		return
	}
	l := r.links.of(p.From)
	r.exchange.answered(p.From, l, m)
	in.out.Events = slices.Grow(in.out.Events, min(len(m.Items), keptEvents))
	again := len(in.out.dots)
	for i := range m.Items {
		in.coming += len(m.Items[i].Data)
	}
	for i := range m.Items {
		if rumor := &m.Items[i]; in.take(now, p.From, l, rumor) {
			in.out.dots = append(in.out.dots, rumor.ID)
		}
		in.coming -= len(m.Items[i].Data)
	}
	in.room = nil
	switch in.cfg.Strategy {
	case Tree:
		r.tree.nameRepaired(now)
	case Monger:
		r.monger.tellStale(p, in.out.dots[again:len(in.out.dots):len(in.out.dots)])
	}
	if len(m.Missed) > 0 {
		r.gone.told(now, p, l, m.Missed)
	}
	r.links.flush(now)
}

// take delivers a rumor if it has not been seen, and reports whether it was here already, the same.
func (in *intake) take(now time.Time, from hearsay.NodeID, l *link, rumor *hearsay.Rumor) (again bool) {
	if in.rumors.seen.came(rumor.ID) {
		return in.takeAgain(now, from, l, rumor)
	}
	if reason, ok := in.check(now, rumor); !ok {
		in.out.stats.Drops[reason]++
		return false
	}
	e := &entry{Rumor: *rumor, origin: in.rumors.seen.of(rumor.ID.Origin), by: from, at: now}
	e.Data = in.keep(rumor.Data)
	if l != nil {
		e.known = l.bit
	}
	in.deliver(now, e)
	return false
}

// keep copies a payload, since what came belongs to the packet. Those of one datagram share their storage: they also go
// about the same time.
func (in *intake) keep(data []byte) []byte {
	if cap(in.room)-len(in.room) < len(data) {
		in.room = make([]byte, 0, max(len(data), min(in.coming, core.MTU)))
	}
	start := len(in.room)
	in.room = append(in.room, data...)
	return in.room[start:len(in.room):len(in.room)]
}

// takeAgain takes a rumor that was seen before, and reports whether it is held, and the same.
func (in *intake) takeAgain(now time.Time, from hearsay.NodeID, l *link, rumor *hearsay.Rumor) (same bool) {
	in.out.stats.RumorDuplicates++
	e := in.rumors.store.byID[rumor.ID]
	if e == nil {
		return false
	}
	if !bytes.Equal(e.Data, rumor.Data) || e.Guest != rumor.Guest {
		in.out.stats.RumorConflicts++
		in.out.stats.Drops[hearsay.DropUnexpected]++
		if !e.conflict {
			e.conflict = true
			in.out.Events = append(in.out.Events, hearsay.Event{
				At: now, Kind: hearsay.EventRumorConflict, Subject: e.Origin(), By: from,
				Text: "another payload under a number that is taken", Rumor: &e.Rumor,
			})
		}
		return false
	}
	if l != nil {
		e.known |= l.bit
	}
	return true
}

// check says whether a rumor that was not seen is taken, or why not. What is refused here is not seen, and may come
// again.
func (in *intake) check(now time.Time, rumor *hearsay.Rumor) (reason hearsay.Drop, ok bool) {
	seen, id := &in.rumors.seen, rumor.ID
	switch {
	case !in.directory.Known(rumor.Origin()):
		return hearsay.DropStranger, false
	case !rumor.Guest.IsZero() && rumor.Guest != hearsay.AnyGuest && (in.directory.Guest == nil || !in.directory.Guest(rumor.Guest)):
		return hearsay.DropStranger, false
	case hearsay.CheckRumorData(rumor.Data) != nil:
		return hearsay.DropOversized, false
	case id.Counter < 1 || id.Counter > maxNumber:
		return hearsay.DropFarFuture, false
	case rumor.Age >= in.cfg.KeepFor:
		// no node gives it any more (see give): made up, so that no node can deny it
		return hearsay.DropUnexpected, false
	case id.Counter > in.farthest(id.Origin):
		return hearsay.DropFarFuture, false
	case in.isForged(id):
		return hearsay.DropUnexpected, false
	}
	if !seen.missed.Has(id) {
		seen.makeRoom(id)
	} else if len(seen.late.Of(id.Origin)) >= seen.most() {
		return hearsay.DropTableFull, false
	}
	if !seen.of(id.Origin).pay(now, rateEach*time.Duration(1+len(rumor.Data)/rateUnit)) {
		return hearsay.DropRate, false
	}
	return 0, true
}

// farthest is the highest number that is believed of an origin by those that were seen. Of an origin of which nothing
// was seen any may be the first: it may have said millions before this node came.
func (in *intake) farthest(id clock.Origin) uint64 {
	ranges := in.rumors.seen.context.Of(id)
	switch n := len(ranges); {
	case id == hearsay.OriginOf(in.self):
		return min(maxNumber, in.rumors.numbers.last+maxForgot)
	case n > 0:
		return min(maxNumber, ranges[n-1].High+maxAhead)
	}
	return maxNumber
}

// isForged reports whether a rumor that was not seen has a number of this life of this node, which has not said it. One
// of an earlier life may come, also of one that the disk does not know, or of one on a copy of the disk.
func (in *intake) isForged(id clock.Dot) bool {
	if id.Origin != hearsay.OriginOf(in.self) || !in.rumors.numbers.mine(id.Counter) {
		return false
	}
	seen := &in.rumors.seen
	seen.makeRoom(id) // others hold it for ours: the number is gone
	seen.add(seen.of(id.Origin), clock.Range{Low: id.Counter, High: id.Counter})
	return true
}

// deliver counts a rumor as seen, keeps it, tells the application, and lets the strategy tell others.
func (in *intake) deliver(now time.Time, e *entry) {
	r := in.rumors
	if r.seen.missed.Has(e.ID) {
		r.seen.late.Add(e.ID)
	}
	r.seen.add(e.origin, clock.Range{Low: e.ID.Counter, High: e.ID.Counter})
	if e.again = r.guests.again(now, e); e.again { // a guest has said it to another member, too
		in.out.stats.RumorDuplicates++
	} else {
		in.out.Events = append(in.out.Events, e.event())
		in.out.stats.RumorsDelivered++
	}
	r.wanted.arrived(e)
	r.store.add(e)
	r.store.evict(now)
	if e.Age >= in.cfg.PushFor {
		r.exchange.gained = true
		r.compare.hurry(now) // others may want it as this node did
		return
	}
	r.compare.changed(now, e)
	switch in.cfg.Strategy {
	case Tree:
		r.tree.push(now, e)
	case Monger:
		r.monger.kindle(now, e)
	case Flood:
		for _, l := range r.links.list {
			r.links.enqueue(l, e)
		}
	}
}
