package rumor

import (
	"bytes"
	"cmp"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/quota"
)

// Limits per node.
const (
	maxRanges  = 1024    // ranges of what was seen of one origin: gaps that loss has left, or that a liar makes
	allRanges  = 1 << 17 // of all origins, where they share it: 2 MiB, as much as 128 that are full. A guess
	someRanges = 16      // of one origin, however many there are: those of one behind loss. A guess
	maxAhead   = 1 << 40 // a number beyond the highest seen of its origin: a thousand lives of which nobody heard
	maxForgot  = 1 << 34 // a number of this node's own that only others know, beyond its last: sixteen lives that its directory has forgotten
	maxNumber  = 1 << 62 // and at all
	blockSize  = 1024    // numbers reserved at a time
	keptItems  = 64      // storage kept between steps
	keptEvents = 8       // the same, of events: a full packet has fewer

	// One origin may have so many rumors a second told, and so many more at
	// once; one of more than 1 KiB counts once for each. They are four times
	// what a whole network must sustain, so nobody who means well comes near.
	rateEach  = time.Second / 10_000
	rateBurst = 2 * time.Second
	rateUnit  = 1 << 10 // bytes
)

// What was seen of one origin fits a list.
const _ = uint(hearsay.MaxSeenRanges - 2*maxRanges)

// never is later than any time that comes.
var never = time.Unix(1<<36, 0)

// Directory is what this node knows of members.
type Directory struct {
	Addr    func(hearsay.NodeID) (netip.AddrPort, bool) // where a living member other than this node is reached
	Known   func(hearsay.NodeID) bool                   // whether it is a member in any state; this node is
	Trusted func(hearsay.NodeID) bool                   // whether it is a living member and no suspect
	Draw    func() (hearsay.NodeID, bool)               // a living member other than this node, at random

	Sender func(*hearsay.Packet) quota.Sender // whose share a packet uses of what is given; nil: that of a stranger
	Secret uint64                             // decides which senders share a slot: see quota.New
}

// Rumors is one node's part in telling them. What it wants done goes to out.
type Rumors struct {
	cfg       Config
	self      hearsay.NodeID
	directory Directory
	random    *rand.Rand
	drops     *hearsay.Drops
	out       *hearsay.Effects

	numbers numbers
	seen    seen
	store   store
	links   []*link // ascending by NodeID
	bits    uint64  // those that links have; see link.bit
	tree    tree
	monger  monger
	compare compare

	items  []hearsay.Rumor // storage of one step's packets
	bodies []hearsay.Rumors
	dots   []clock.Dot
	room   []byte // for the payloads of the packet that is being taken
	coming int    // bytes of payloads in it, not yet looked at
	stats  Stats
}

// Stats are the figures of rumors.
type Stats struct {
	Said       uint64 // by this node
	Delivered  uint64 // also of this node's own
	Duplicates uint64 // payloads that came again
	Conflicts  uint64 // payloads under a name that is taken
	Payloads   uint64 // sent
	Names      uint64 // sent, in packets of IHave
	Grafts     uint64 // sent
	Places     uint64 // sent
	Compares   uint64 // hashes sent
	Exchanges  uint64 // lists of ranges sent because hashes differed
	Unsent     uint64 // payloads that a link's queue had no room for
	Missed     uint64 // numbers counted as seen because nobody holds them any more
	Held       int    // in the store
	HeldBytes  int    // of payload
}

// New makes the rumors of a node. Records are what earlier lives kept: what
// they said and is still held is told again, here and to nodes that lack it.
func New(cfg Config, self hearsay.NodeID, directory Directory, random *rand.Rand,
	records []hearsay.Record, drops *hearsay.Drops, out *hearsay.Effects, now time.Time,
) *Rumors {
	r := &Rumors{cfg: cfg, self: self, directory: directory, random: random, drops: drops, out: out}
	r.compare.at, r.compare.last = never, now
	r.compare.gives, r.compare.seenStrangers = quota.New(directory.Secret, giveShares), quota.New(directory.Secret, seenShares)
	r.tree.place.root = self
	r.tree.announceAt, r.monger.cycleAt, r.monger.pollAt = never, never, never
	if cfg.Strategy == Monger && cfg.Style.Pulls() {
		r.monger.pollAt = now.Add(r.between(0, cfg.Poll))
	}
	r.numbers.earlier = len(records) > 0
	var kept []*hearsay.KeptRumor
	for _, record := range records {
		switch record := record.(type) {
		case *hearsay.ReservedNumbers:
			r.numbers.last = max(r.numbers.last, record.Upto)
		case *hearsay.KeptRumor:
			if record.Rumor != nil {
				kept = append(kept, record)
			}
		}
	}
	slices.SortFunc(kept, func(a, b *hearsay.KeptRumor) int { return cmp.Compare(a.Number, b.Number) })
	for _, record := range kept {
		rumor := *record.Rumor
		// Others may have forgotten that they heard it, so it must not come back
		// younger than it is.
		if rumor.Age = 0; record.Said > 0 {
			rumor.Age = max(0, now.Sub(time.UnixMilli(record.Said)))
		}
		if rumor.Origin() == self { // a torn disk may have kept it and not the reservation
			r.numbers.last = max(r.numbers.last, rumor.ID.Counter)
		}
		if rumor.Age >= cfg.KeepFor { // or the clock has jumped: others give it then, if they have it
			out.Persist = append(out.Persist, &hearsay.KeptRumor{Number: record.Number})
			continue
		}
		r.deliver(now, &entry{Rumor: rumor, origin: r.seen.of(rumor.ID.Origin), by: self, at: now, past: true})
	}
	return r
}

// Begin starts a step: what the last one handed out is void.
func (r *Rumors) Begin() {
	if clear(r.items); cap(r.items) > keptItems {
		r.items = nil
	}
	if cap(r.bodies) > keptItems {
		r.bodies = nil
	}
	if cap(r.dots) > keptItems {
		r.dots = nil
	}
	r.items, r.bodies, r.dots = r.items[:0], r.bodies[:0], r.dots[:0]
}

// Say tells everybody a message of this node's own. The data are copied. The
// error says what is wrong with them.
func (r *Rumors) Say(now time.Time, data []byte) (clock.Dot, error) {
	if err := hearsay.CheckRumorData(data); err != nil {
		return clock.Dot{}, err
	}
	number, o := r.next(), r.seen.of(hearsay.OriginOf(r.self))
	e := &entry{origin: o, by: r.self, at: now}
	e.ID, e.Data = clock.Dot{Origin: o.id, Counter: number}, bytes.Clone(data)
	r.out.Persist = append(r.out.Persist, &hearsay.KeptRumor{Number: number, Said: now.UnixMilli(), Rumor: &e.Rumor})
	r.deliver(now, e)
	r.stats.Said++
	r.flush(now)
	return e.ID, nil
}

// Rumors takes rumors by their whole.
func (r *Rumors) Rumors(now time.Time, p *hearsay.Packet, m *hearsay.Rumors) {
	if r.stranger(p) || !r.accepts(now, p.From) {
		return
	}
	l := r.link(p.From)
	r.answered(p.From, l, m)
	r.out.Events = slices.Grow(r.out.Events, min(len(m.Items), keptEvents))
	again := len(r.dots)
	for i := range m.Items {
		r.coming += len(m.Items[i].Data)
	}
	for i := range m.Items {
		if rumor := &m.Items[i]; r.take(now, p.From, l, rumor) {
			r.dots = append(r.dots, rumor.ID)
		}
		r.coming -= len(m.Items[i].Data)
	}
	r.room = nil
	switch r.cfg.Strategy {
	case Tree:
		r.nameRepaired(now)
	case Monger:
		r.tellStale(p, r.dots[again:len(r.dots):len(r.dots)])
	}
	if len(m.Missed) > 0 {
		r.miss(now, p, l, m.Missed)
	}
	r.flush(now)
}

// take delivers a rumor if it has not been seen, and reports whether it was
// here already, the same.
func (r *Rumors) take(now time.Time, from hearsay.NodeID, l *link, rumor *hearsay.Rumor) (again bool) {
	if r.seen.came(rumor.ID) {
		return r.takeAgain(now, from, l, rumor)
	}
	if reason, ok := r.check(now, rumor); !ok {
		r.drops[reason]++
		return false
	}
	e := &entry{Rumor: *rumor, origin: r.seen.of(rumor.ID.Origin), by: from, at: now}
	e.Data = r.keep(rumor.Data)
	if l != nil {
		e.known = l.bit
	}
	r.deliver(now, e)
	return false
}

// keep copies a payload, since what came belongs to the packet. Those of one
// datagram share their storage: they also go about the same time.
func (r *Rumors) keep(data []byte) []byte {
	if cap(r.room)-len(r.room) < len(data) {
		r.room = make([]byte, 0, max(len(data), min(r.coming, hearsay.MTU)))
	}
	start := len(r.room)
	r.room = append(r.room, data...)
	return r.room[start:len(r.room):len(r.room)]
}

// takeAgain takes a rumor that was seen before, and reports whether it is held,
// and the same.
func (r *Rumors) takeAgain(now time.Time, from hearsay.NodeID, l *link, rumor *hearsay.Rumor) (same bool) {
	r.stats.Duplicates++
	e := r.store.byID[rumor.ID]
	if e == nil {
		return false
	}
	if !bytes.Equal(e.Data, rumor.Data) {
		r.stats.Conflicts++
		r.drops[hearsay.DropUnexpected]++
		if !e.conflict {
			e.conflict = true
			r.out.Events = append(r.out.Events, hearsay.Event{
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

// check says whether a rumor that was not seen is taken, or why not. What is
// refused here is not seen, and may come again.
func (r *Rumors) check(now time.Time, rumor *hearsay.Rumor) (reason hearsay.Drop, ok bool) {
	switch {
	case !r.directory.Known(rumor.Origin()):
		return hearsay.DropStranger, false
	case hearsay.CheckRumorData(rumor.Data) != nil:
		return hearsay.DropOversized, false
	case rumor.ID.Counter < 1 || rumor.ID.Counter > maxNumber:
		return hearsay.DropFarFuture, false
	case rumor.Age >= r.cfg.KeepFor: // nobody gives it any more (see give): made up, so that it is passed on to nobody who could deny it
		return hearsay.DropUnexpected, false
	}
	ranges := r.seen.context.Of(rumor.ID.Origin)
	if reason, ok := r.near(rumor.ID, ranges); !ok {
		return reason, false
	}
	missed := r.seen.missed.Has(rumor.ID)
	if missed && len(r.seen.late.Of(rumor.ID.Origin)) >= r.seen.most() {
		return hearsay.DropTableFull, false
	}
	if len(ranges) >= r.seen.most() && !missed && !r.touches(rumor.ID) {
		r.makeRoom(rumor.ID.Origin)
	}
	o := r.seen.of(rumor.ID.Origin)
	cost := rateEach * time.Duration(1+len(rumor.Data)/rateUnit)
	if o.paid.Before(now) {
		o.paid = now
	}
	if o.paid.Sub(now) > rateBurst {
		return hearsay.DropRate, false
	}
	o.paid = o.paid.Add(cost)
	return 0, true
}

// touches reports whether a neighboring number was seen.
func (r *Rumors) touches(id clock.Dot) bool {
	above, below := id, id
	above.Counter++
	below.Counter--
	return r.seen.context.Has(above) || r.seen.context.Has(below)
}

// makeRoom lets go of what was not seen between the older half of the ranges of an origin: it may come
// late all the same. Else a sender of made-up numbers with gaps would have others refuse what the origin says.
func (r *Rumors) makeRoom(id clock.Origin) {
	ranges := r.seen.context.Of(id)
	older := ranges[:len(ranges)/2]
	r.letGo(id, clock.Without([]clock.Range{{Low: older[0].Low, High: older[len(older)-1].High}}, ranges))
}

// near checks how far a number is from those seen. Of an origin of which
// nothing was seen any may be the first: it may have said millions before this
// node came.
func (r *Rumors) near(id clock.Dot, ranges []clock.Range) (reason hearsay.Drop, ok bool) {
	if id.Origin != hearsay.OriginOf(r.self) {
		if n := len(ranges); n > 0 && id.Counter > ranges[n-1].High+maxAhead {
			return hearsay.DropFarFuture, false
		}
		return 0, true
	}
	switch {
	case id.Counter > r.numbers.last+maxForgot:
		return hearsay.DropFarFuture, false
	case !r.numbers.mine(id.Counter):
		return 0, true // of an earlier life, also of one that the disk does not know, or of one on a copy of the disk
	}
	if len(ranges) >= r.seen.most() && !r.touches(id) {
		r.makeRoom(id.Origin)
	}
	// Nobody has said this: it is forged. Others hold it for ours, so the number is gone.
	r.seen.add(r.seen.of(id.Origin), clock.Range{Low: id.Counter, High: id.Counter})
	return hearsay.DropUnexpected, false
}

// deliver counts a rumor as seen, keeps it, tells the application, and lets
// the strategy tell others.
func (r *Rumors) deliver(now time.Time, e *entry) {
	if r.seen.missed.Has(e.ID) {
		r.seen.late.Add(e.ID)
	}
	r.seen.add(e.origin, clock.Range{Low: e.ID.Counter, High: e.ID.Counter})
	r.out.Events = append(r.out.Events, e.event())
	r.stats.Delivered++
	r.arrived(e)
	r.store.add(e)
	r.evict(now)
	if e.Age >= r.cfg.PushFor {
		r.hurry(now) // others may want it as this node did
		return
	}
	r.changed(now, e)
	switch r.cfg.Strategy {
	case Tree:
		r.pushTree(now, e)
	case Monger:
		r.kindle(now, e)
	case Flood:
		r.push(e)
	}
}

// stranger refuses packets of who is no member.
func (r *Rumors) stranger(p *hearsay.Packet) bool {
	if r.directory.Known(p.From) {
		return false
	}
	r.drops[hearsay.DropStranger]++
	return true
}

// Tick lets time pass.
func (r *Rumors) Tick(now time.Time) {
	r.evict(now)
	switch r.cfg.Strategy {
	case Tree:
		r.tickTree(now)
	case Monger:
		r.tickMonger(now)
	}
	r.tickCompare(now)
	r.flush(now)
}

// Deadline is when Tick must be called next.
func (r *Rumors) Deadline() time.Time {
	at := soonest(r.expiry(), r.compare.at)
	at = soonest(at, soonest(r.monger.cycleAt, r.monger.pollAt))
	at = soonest(at, soonest(r.tree.announceAt, r.missingAt()))
	for _, l := range r.links {
		at = soonest(at, soonest(l.due, soonest(l.sayAt, l.answerAt)))
	}
	return at
}

// Forget drops what was seen of an origin that is no member any more.
func (r *Rumors) Forget(id hearsay.NodeID) { r.seen.forget(hearsay.OriginOf(id)) }

// Hash is equal on two nodes that have seen the same rumors.
func (r *Rumors) Hash() uint64 { return r.seen.hash() }

// Context is what this node has seen, by name. It is read only, and as it is
// until the next step.
func (r *Rumors) Context() *clock.Context { return &r.seen.context }

// Stats gives the figures.
func (r *Rumors) Stats() Stats {
	s := r.stats
	s.Held, s.HeldBytes = len(r.store.all()), r.store.bytes
	return s
}

// between draws a duration.
func (r *Rumors) between(low, high time.Duration) time.Duration {
	return low + time.Duration(r.random.Int64N(int64(max(1, high-low))))
}

func soonest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// uvarintLen is how many bytes a number takes in a packet.
func uvarintLen(n uint64) int { return (bits.Len64(n|1) + 6) / 7 }
