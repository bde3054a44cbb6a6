package kv

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// Limits of what is written, besides those of the root package.
const (
	maxNumber = 1 << 62 // of a dot
	maxTime   = 1 << 62 // of a write: some two thousand years
	// when the time of a value is over, in ms: the end of the year 9999, as JSON has four digits for it (RFC 3339)
	maxExpires = 253_402_300_799_999
	maxKept    = 256 // siblings of a key: of more, which so many nodes have written at once, the oldest go everywhere
)

// Limits of what is seen. What many gaps cut up is not taken until an exchange has filled some.
const (
	maxGaps    = 1024 // ranges seen of one origin; half as many again by exchanges
	maxAllGaps = 4096 // of all origins: each message of an exchange names them
	fewGaps    = 8    // ranges that any origin may have, whatever others have
)

// Config is what a replica keeps to.
type Config struct {
	Origin     clock.Origin  // of its own writes (NewOrigin)
	MaxObjects int           // live dots that a write may lead to: keys, and each sibling once more
	MaxBytes   int           // of their keys and values. Of others an eighth more is taken, of both
	MaxOrigins int           // known at a time
	Skip       uint64        // numbers that are left out at the start, drawn where anything was saved: see MaxSkip
	Reserve    uint64        // numbers that are reserved at a time: twice as many as are written before they are durable
	Part       int           // bytes of a part of values; a record that is longer goes in parts. At most core.MaxPart
	Drift      time.Duration // that clocks of members differ by at most: an object is gone so long after it has expired
	Forget     time.Duration // after which an origin that is over, and has no live dot, is forgotten: see Replica.Forget
	// reports whether a node may write, as it is in; nil: all may
	Writes func(Writer) bool
}

// DefaultConfig is for a network of some hundred members with clocks that are synchronized.
func DefaultConfig(origin clock.Origin) Config {
	return Config{Origin: origin, MaxObjects: 4 << 20, MaxBytes: 1 << 30, MaxOrigins: 1024, Reserve: 4096, Part: core.MaxPart, Drift: time.Minute, Forget: forgetAfter}
}

// Replica is one replica. It is not safe for concurrent use.
type Replica struct {
	cfg     Config
	clock   clock.Context
	origins []*origin // those of the clock, ascending
	keys    index[keyPlace]
	expires index[expiry]
	objects int
	bytes   int // of keys and values
	seenSum core.Sum
	liveSum core.Sum
	now     uint64 // the latest hybrid time here
	numbers numbers
	held    heldUpdates
	over    []Over // by ascending origin
}

// object is a live dot.
type object struct {
	core.Object
	hash core.Sum
}

// origin is what is kept of one origin besides what was seen of it.
type origin struct {
	id   clock.Origin
	live index[uint64] // its live dots, by number
	sum  core.Sum      // of their hashes
}

// keyPlace is where an object is among keys: beside its siblings, the winner first.
type keyPlace struct {
	key  string
	time uint64
	dot  clock.Dot
}

func placeOfKey(o *object) keyPlace { return keyPlace{o.Key, o.Time, o.Dot} }

func comparePlace(o *object, k keyPlace) int {
	if order := strings.Compare(o.Key, k.key); order != 0 {
		return order
	}
	return cmp.Or(cmp.Compare(k.time, o.Time), core.CompareDots(k.dot, o.Dot))
}

// firstOf is before all objects of a key.
func firstOf(key string) keyPlace { return keyPlace{key: key, time: math.MaxUint64} }

// Change is what a call has changed: one transaction (see the package). What it points to never changes.
type Change struct {
	Gone     []*core.Object // were live until now
	Live     []*core.Object // are live now; one may replace a gone one of the same dot
	Clock    []clock.Origin // the entry of the clock is another: Seen has it
	Over     []clock.Origin // likewise whether they are over: Replica.Over has it
	Reserved uint64         // numbers of the own origin are reserved up to here; 0: as before
}

// any reports whether anything has changed.
func (c *Change) any() bool {
	return c.Reserved > 0 || len(c.Live)+len(c.Gone)+len(c.Clock)+len(c.Over) > 0
}

// settle leaves out what became live and gone again in one change.
func (c *Change) settle() {
	gone := make(map[*core.Object]bool, len(c.Gone))
	for _, o := range c.Gone {
		gone[o] = true
	}
	c.Live = slices.DeleteFunc(c.Live, func(o *core.Object) bool {
		again := gone[o]
		delete(gone, o)
		return again
	})
	c.Gone = slices.DeleteFunc(c.Gone, func(o *core.Object) bool { return !gone[o] })
}

// Saved is what was durable of a replica.
type Saved struct {
	Clock    *clock.Context
	Objects  []*core.Object // the live ones, in any order
	Reserved uint64
	Over     []Over
}

// New gives the replica of what was saved; the zero Saved is an empty one. The numbers that the life before reserved
// are not used again. The Change is durable before the first write. It panics if what was saved
// is not what transactions add up to.
func New(cfg Config, saved Saved) (*Replica, Change) {
	r := &Replica{
		cfg:     cfg,
		keys:    index[keyPlace]{of: placeOfKey, compare: comparePlace},
		expires: index[expiry]{of: expiryOf, compare: compareExpiry},
		over:    slices.Clone(saved.Over),
	}
	var change, loaded Change
	if saved.Clock != nil {
		for origin, seen := range saved.Clock.Ranges() {
			r.see(&loaded, origin, seen)
		}
	}
	for _, o := range saved.Objects {
		if !r.clock.Has(o.Dot) {
			panic("kv: an object is saved, and its dot is not in the clock")
		}
		r.add(&loaded, o, hashObject(o))
		r.now = max(r.now, o.Time)
	}
	last := saved.Reserved + cfg.Skip%MaxSkip
	r.numbers = numbers{last: last, reserved: last, earlier: last}
	r.numbers.reserve(&change, cfg.Reserve)
	return r, change
}

// Seen gives all that the replica has seen, as it is until the next change. It is read only.
func (r *Replica) Seen() *clock.Context { return &r.clock }

// Len counts live dots, and the bytes of their keys and values.
func (r *Replica) Len() (objects, bytes int) { return r.objects, r.bytes }

// Hash is equal on replicas that have seen the same and hold the same live.
func (r *Replica) Hash() core.Sum { return r.seenSum.Add(r.liveSum) }

// place is where an origin is, or would be.
func (r *Replica) place(id clock.Origin) (at int, ok bool) {
	return slices.BinarySearchFunc(r.origins, id, func(o *origin, id clock.Origin) int { return o.id.Compare(id) })
}

// of gives what is kept of an origin, or nil.
func (r *Replica) of(id clock.Origin) *origin {
	if at, ok := r.place(id); ok {
		return r.origins[at]
	}
	return nil
}

// find gives the object of a dot, or nil if that is not live.
func (r *Replica) find(d clock.Dot) *object {
	if o := r.of(d.Origin); o != nil {
		return o.live.get(d.Counter)
	}
	return nil
}

// see takes dots into the clock, and nothing else: those that do not become live now are gone.
func (r *Replica) see(change *Change, id clock.Origin, seen clock.Range) {
	unseen := clock.Without([]clock.Range{seen}, r.clock.Of(id))
	if len(unseen) == 0 {
		return
	}
	if at, ok := r.place(id); !ok {
		live := index[uint64]{
			of:      func(o *object) uint64 { return o.Dot.Counter },
			compare: func(o *object, number uint64) int { return cmp.Compare(o.Dot.Counter, number) },
		}
		r.origins = slices.Insert(r.origins, at, &origin{id: id, live: live})
	}
	for _, u := range unseen {
		r.seenSum = r.seenSum.Add(hashRange(id, u))
	}
	r.clock.AddRange(id, seen)
	if !slices.Contains(change.Clock, id) {
		change.Clock = append(change.Clock, id)
	}
}

// add makes a seen dot live.
func (r *Replica) add(change *Change, added *core.Object, hash core.Sum) {
	o := &object{*added, hash}
	of := r.of(o.Dot.Origin)
	of.live.insert(o)
	of.sum = of.sum.Add(hash)
	r.liveSum = r.liveSum.Add(hash)
	r.keys.insert(o)
	if o.Expires != 0 {
		r.expires.insert(o)
	}
	r.objects++
	r.bytes += costOf(added)
	change.Live = append(change.Live, &o.Object)
}

// drop makes a live dot gone.
func (r *Replica) drop(change *Change, o *object) {
	of := r.of(o.Dot.Origin)
	of.live.remove(o)
	of.sum = of.sum.Sub(o.hash)
	r.liveSum = r.liveSum.Sub(o.hash)
	r.keys.remove(o)
	if o.Expires != 0 {
		r.expires.remove(o)
	}
	r.objects--
	r.bytes -= costOf(&o.Object)
	change.Gone = append(change.Gone, &o.Object)
}

// merge takes an object that another holds live.
func (r *Replica) merge(change *Change, now time.Time, o *core.Object, hash core.Sum) {
	if r.clock.Has(o.Dot) {
		had := r.find(o.Dot)
		if had == nil || !less(had.hash, hash) {
			return // gone; or the same; or of two that were written under one dot the lesser
		}
		r.drop(change, had)
	}
	r.see(change, o.Dot.Origin, clock.Range{Low: o.Dot.Counter, High: o.Dot.Counter})
	r.add(change, o, hash)
	// A time that is far ahead is forged, or of a wrong clock.
	if o.Time>>core.TimeBits <= uint64(now.Add(r.cfg.Drift).UnixMilli()) {
		r.now = max(r.now, o.Time)
	}
}

// bound makes the oldest siblings of a key gone where it has more than are kept. Those that stay are the same ones
// everywhere: what goes here has as many before it here, and so where all are.
func (r *Replica) bound(change *Change, key string) {
	n := 0
	var over []*object
	r.keys.from(firstOf(key), func(o *object) bool {
		if o.Key != key {
			return false
		}
		if n++; n > maxKept {
			over = append(over, o)
		}
		return true
	})
	for _, o := range over {
		r.drop(change, o)
	}
}

// costOf is what an object counts against MaxBytes.
func costOf(o *core.Object) int { return len(o.Key) + len(o.Value) }

// valid reports whether an object can be one at all.
func valid(o *core.Object) bool {
	return hearsay.CheckKey(o.Key) == nil && len(o.Value) <= hearsay.MaxValue && o.Time < maxTime && 0 <= o.Expires && o.Expires <= maxExpires &&
		1 <= o.First && o.First <= o.Dot.Counter && o.Dot.Counter <= o.Last && o.Last <= maxNumber && o.Last-o.First < hearsay.MaxWrites
}

// room reports whether so many objects and bytes of others are still taken.
func (r *Replica) room(objects, bytes int) bool {
	most, mostBytes := r.cfg.MaxObjects, r.cfg.MaxBytes
	return r.objects+objects <= most+most/8 && r.bytes+bytes <= mostBytes+mostBytes/8
}
