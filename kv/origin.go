package kv

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

const (
	nodeBytes    = 10             // of the NodeID in an origin
	forgetAfter  = 24 * time.Hour // that an origin is over, and has no live dot
	maxForgotten = 4096           // origins that are remembered as forgotten
	againSince   = time.Minute    // what was written in it is put again. A guess: others tell within it what they believe
)

// MaxSkip bounds the numbers that a process leaves out at its start, and from MaxReserved on the directory takes
// another origin. So of two processes that write under one origin, as its directory was set back or copied, each has
// numbers of its own, but for one pair in a million that have written a million values each.
const (
	MaxSkip     = 1 << 40
	MaxReserved = maxNumber - 2*MaxSkip
)

// NewOrigin is the origin of what one life of a node's data directory writes; of its next life, the one after an
// origin. Drawn is for lives that do not know of each other.
func NewOrigin(node hearsay.NodeID, after clock.Origin, drawn [4]byte) (origin clock.Origin) {
	copy(origin[copy(origin[:], node[:nodeBytes]):], binary.BigEndian.AppendUint16(nil, lifeOf(after)+1))
	copy(origin[len(origin)-len(drawn):], drawn[:])
	return origin
}

// lifeOf counts the lives of one directory.
func lifeOf(origin clock.Origin) uint16 { return binary.BigEndian.Uint16(origin[nodeBytes:]) }

// Writer is the node of an origin, as much of its NodeID as tells it.
type Writer [nodeBytes]byte

// WriterOf gives the one that a node is.
func WriterOf(node hearsay.NodeID) Writer { return Writer(node[:nodeBytes]) }

func writerOf(origin clock.Origin) Writer { return Writer(origin[:nodeBytes]) }

// WritersFull reports whether as many origins are known as may be: what another one writes is refused.
func (r *Replica) WritersFull() bool { return len(r.origins) >= r.cfg.MaxOrigins }

// Lives counts the origins of each node that are known.
func (r *Replica) Lives() map[Writer]int {
	lives := make(map[Writer]int)
	for _, o := range r.origins {
		lives[writerOf(o.id)]++
	}
	return lives
}

// Over is an origin that writes no more, and that has no live dot.
type Over struct {
	Origin clock.Origin
	Since  time.Time
	Seen   []clock.Range // what was seen of it, where it is forgotten: it has no entry in the clock any more
}

// Over gives what is to be saved of an origin that is over, and reports whether it is.
func (r *Replica) Over(id clock.Origin) (o Over, is bool) {
	at, is := r.placeOver(id)
	if is {
		o = r.over[at]
	}
	return o, is
}

func (r *Replica) placeOver(id clock.Origin) (at int, ok bool) {
	return slices.BinarySearchFunc(r.over, id, func(o Over, id clock.Origin) int { return o.Origin.Compare(id) })
}

// forgotten gives what was seen of an origin that is forgotten.
func (r *Replica) forgotten(id clock.Origin) []clock.Range {
	if at, ok := r.placeOver(id); ok {
		return r.over[at].Seen
	}
	return nil
}

// isOver reports whether an origin writes no more: its node is out, or has gone on under another.
func (r *Replica) isOver(id clock.Origin) bool {
	if id == r.cfg.Origin {
		return false
	}
	if r.cfg.Writes != nil && !r.cfg.Writes(writerOf(id)) {
		return true
	}
	at, ok := r.place(id) // lives of one node stand beside each other, in their order
	if ok {
		at++
	}
	for ; at < len(r.origins) && writerOf(r.origins[at].id) == writerOf(id); at++ {
		if lifeOf(r.origins[at].id) > lifeOf(id) {
			return true
		}
	}
	return false
}

// has reports whether a dot is not unseen, also where its origin is forgotten.
func (r *Replica) has(d clock.Dot) bool {
	return r.clock.Has(d) || clock.Cover(r.forgotten(d.Origin), []clock.Range{{Low: d.Counter, High: d.Counter}})
}

// Forget lets the entry of an origin in the clock go once it is over and has had no live dot for 24 hours. What was
// seen of it is remembered: one that still holds some of it live is told that it is gone, and one that knows of more
// brings the entry back. To be called once in a while, such as each minute.
func (r *Replica) Forget(now time.Time) (change Change) {
	r.giveUpUnused(&change, now)
	for _, o := range slices.Clone(r.origins) {
		at, noted := r.placeOver(o.id)
		switch over := len(o.live.blocks) == 0 && r.isOver(o.id); {
		case !over && noted:
			r.over = slices.Delete(r.over, at, at+1)
			change.Over = append(change.Over, o.id)
		case over && !noted:
			r.over = slices.Insert(r.over, at, Over{Origin: o.id, Since: now})
			change.Over = append(change.Over, o.id)
		case over && now.Sub(r.over[at].Since) >= r.cfg.Forget:
			r.over[at].Seen = slices.Clone(r.clock.Of(o.id))
			r.drain(&change, o.id)
			change.Over = append(change.Over, o.id)
		}
	}
	r.boundForgotten(&change)
	return change
}

// forgetAtOnce takes a range of an origin that is over, and of which nothing is known here, nor live there.
func (r *Replica) forgetAtOnce(change *Change, now time.Time, l *core.LiveRange) {
	at, noted := r.placeOver(l.Origin)
	if !noted {
		r.over = slices.Insert(r.over, at, Over{Origin: l.Origin, Since: now})
	}
	r.over[at].Seen = []clock.Range{l.Range}
	change.Over = append(change.Over, l.Origin)
}

// giveUpUnused declares those numbers gone that earlier processes reserved and nobody has seen. Before, one may hold
// what was written under them by a process that this directory knows nothing of, as it was set back.
func (r *Replica) giveUpUnused(change *Change, now time.Time) {
	n := &r.numbers
	if n.since.IsZero() {
		n.since = now
	}
	if n.earlier > 0 && now.Sub(n.since) >= forgetAfter {
		r.see(change, r.cfg.Origin, clock.Range{Low: 1, High: n.earlier})
		n.earlier = 0
	}
}

// boundForgotten lets go of those that were forgotten first.
func (r *Replica) boundForgotten(change *Change) {
	for len(r.over) > maxForgotten {
		oldest := slices.MinFunc(r.over, func(a, b Over) int { return a.Since.Compare(b.Since) })
		at, _ := r.placeOver(oldest.Origin)
		r.over = slices.Delete(r.over, at, at+1)
		change.Over = append(change.Over, oldest.Origin)
	}
}

// drain drops an origin without a live dot from the clock.
func (r *Replica) drain(change *Change, id clock.Origin) {
	at, _ := r.place(id)
	for _, seen := range r.clock.Of(id) {
		r.seenSum = r.seenSum.Sub(hashRange(id, seen))
	}
	r.clock.Forget(id)
	r.origins = slices.Delete(r.origins, at, at+1)
	change.Clock = append(change.Clock, id)
}

// revive brings back the entries of those forgotten origins of which a message knows more, or that write again.
func (r *Replica) revive(change *Change, m *core.Sync) {
	for i := range m.Clock {
		r.reviveIf(change, m.Clock[i].Origin, m.Clock[i].Seen)
	}
	for i := range m.Live {
		r.reviveIf(change, m.Live[i].Origin, []clock.Range{m.Live[i].Range})
	}
}

func (r *Replica) reviveIf(change *Change, id clock.Origin, theirs []clock.Range) {
	seen := r.forgotten(id)
	if len(seen) == 0 || clock.Cover(seen, theirs) && r.isOver(id) || len(r.origins) >= r.cfg.MaxOrigins {
		return
	}
	at, _ := r.placeOver(id)
	r.over = slices.Delete(r.over, at, at+1)
	change.Over = append(change.Over, id)
	for _, s := range seen {
		r.see(change, id, s)
	}
}

// Renew goes on under another origin, as others know numbers of this process otherwise (Result.Twin). What it wrote
// in the last minute it puts again: where others believe such things, it may be gone. The origin is durable with the
// Change; the updates are passed on.
func (r *Replica) Renew(now time.Time, origin clock.Origin) (updates []*core.Update, change Change, err error) {
	if len(r.origins) >= r.cfg.MaxOrigins {
		return nil, change, fmt.Errorf("%d of %d: %w", len(r.origins), r.cfg.MaxOrigins, hearsay.ErrWriters)
	}
	var live []*object
	if o := r.of(r.cfg.Origin); o != nil {
		since := uint64(now.Add(-againSince).UnixMilli()) << core.TimeBits
		live = slices.DeleteFunc(o.live.between(r.numbers.earlier+1, maxNumber), func(o *object) bool { return o.Time < since })
	}
	r.cfg.Origin, r.numbers = origin, numbers{}
	for len(live) > 0 {
		n := 1
		for n < len(live) && live[n].First == live[0].First {
			n++
		}
		objects := make([]core.Object, n)
		for i, o := range live[:n] {
			objects[i] = core.Object{Key: o.Key, Value: o.Value, Expires: o.Expires}
		}
		update, one := r.write(now, objects, live[:n])
		updates = append(updates, update)
		change.Live, change.Gone = append(change.Live, one.Live...), append(change.Gone, one.Gone...)
		change.Reserved = max(one.Reserved, change.Reserved)
		live = live[n:]
	}
	if len(updates) > 0 {
		change.Clock = append(change.Clock, origin)
	}
	return updates, change, nil
}
