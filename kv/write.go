package kv

import (
	"fmt"
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// Write is one write of one key. Its value is kept: the caller must not change it.
type Write = hearsay.Write

const maxSiblings = maxContext // of a key, to which a write may add one

// numbers are those of this replica's own dots.
type numbers struct {
	last     uint64 // used, or left out
	reserved uint64 // on disk, up to here
	earlier  uint64 // up to here they are of other processes on this directory, or on a copy of it

	since time.Time // Forget was called first
}

// reserve reserves numbers while half a block is left: so none is used that is not reserved durably, though a write
// may be read before it is durable itself.
func (n *numbers) reserve(change *Change, block uint64) {
	if n.last+block/2 > n.reserved {
		n.reserved = n.last + block
		change.Reserved = n.reserved
	}
}

// plan is what writes come to, before any is done.
type plan struct {
	puts []*Write
	gone []*object // no two are the same
}

// Put writes several keys as one record: all or none. The update is passed on to others once the Change is durable. It
// is nil if nothing changes, as where a key is deleted that has no value.
func (r *Replica) Put(now time.Time, writes ...Write) (*core.Update, Change, error) {
	p, err := r.plan(now, writes)
	if err != nil {
		return nil, Change{}, err
	}
	objects := make([]core.Object, len(p.puts))
	for i, w := range p.puts {
		objects[i] = core.Object{Key: w.Key, Value: w.Value}
		if w.TTL > 0 {
			objects[i].Expires = now.Add(w.TTL).UnixMilli()
		}
	}
	update, change := r.write(now, objects, p.gone)
	return update, change, nil
}

// write does what was found right: puts objects under new numbers, in the place of others.
func (r *Replica) write(now time.Time, objects []core.Object, gone []*object) (*core.Update, Change) {
	if len(objects) == 0 && len(gone) == 0 {
		return nil, Change{}
	}
	var change Change
	update := &core.Update{Objects: objects}
	latest := uint64(now.Add(r.cfg.Drift).UnixMilli()) << core.TimeBits
	for _, o := range gone {
		update.Gone = append(update.Gone, o.Dot)
		r.drop(&change, o)
		r.now = max(r.now, min(o.Time, latest)) // a value is not older than what it has replaced, but for a forged time
	}
	slices.SortFunc(update.Gone, core.CompareDots)
	if n := uint64(len(objects)); n > 0 {
		first := r.numbers.last + 1
		r.numbers.last += n
		r.numbers.reserve(&change, r.cfg.Reserve)
		r.now = max(r.now+1, uint64(now.UnixMilli())<<core.TimeBits)
		r.see(&change, r.cfg.Origin, clock.Range{Low: first, High: r.numbers.last})
		for i := range objects {
			o := &objects[i]
			o.Dot = clock.Dot{Origin: r.cfg.Origin, Counter: first + uint64(i)}
			o.Time, o.First, o.Last = r.now, first, r.numbers.last
			r.add(&change, o, hashObject(o))
		}
	}
	return update, change
}

// plan says what is wrong with writes, or what they come to.
func (r *Replica) plan(now time.Time, writes []Write) (p plan, err error) {
	if len(writes) == 0 || len(writes) > hearsay.MaxWrites {
		return p, fmt.Errorf("%d writes in one call; give 1 to %d: %w", len(writes), hearsay.MaxWrites, hearsay.ErrWrite)
	}
	keys, size, sizeOfKeys := make(map[string]bool), 0, 0
	for i := range writes {
		w := &writes[i]
		if err := w.Check(); err != nil {
			return p, err
		}
		if len(writes) > 1 {
			size += len(w.Key) + len(w.Value)
			sizeOfKeys += len(w.Key)
			if keys[w.Key] || size > hearsay.MaxRecord || sizeOfKeys > hearsay.MaxRecordKeys {
				return p, fmt.Errorf("key %.64q: a call writes each key once, and %d bytes at most, of these %d of keys: %w",
					w.Key, hearsay.MaxRecord, hearsay.MaxRecordKeys, hearsay.ErrWrite)
			}
			keys[w.Key] = true
		}
		if err := r.planOne(now, w, &p); err != nil {
			return p, fmt.Errorf("key %.64q: %w", w.Key, err)
		}
	}
	return p, r.fits(&p)
}

// planOne finds what one write replaces.
func (r *Replica) planOne(now time.Time, w *Write, p *plan) error {
	here, shown := r.all(w.Key), 0
	for _, o := range here {
		if !hidden(&o.Object, now) {
			shown++
		}
	}
	gone := here
	if w.Context != nil {
		dots, err := readContext(w.Context, w.Key)
		if err != nil {
			return err
		}
		if gone, err = r.named(dots, w.Key); err != nil {
			return err
		}
		same := len(gone) == shown && len(dots) == shown
		for _, o := range gone {
			same = same && !hidden(&o.Object, now)
		}
		if w.If == hearsay.IfUnchanged && !same {
			return hearsay.ErrKeyChanged
		}
	}
	switch {
	case w.If == hearsay.IfAbsent && shown > 0:
		return hearsay.ErrKeyExists
	case w.Context != nil && !w.Delete && len(here)-len(gone) >= maxSiblings:
		return fmt.Errorf("%d: %w", len(here), hearsay.ErrSiblings)
	}
	if !w.Delete {
		p.puts = append(p.puts, w)
	}
	p.gone = append(p.gone, gone...)
	return nil
}

// named gives the live dots of a context. One that is gone already was replaced by a write that saw it.
func (r *Replica) named(dots []clock.Dot, key string) (live []*object, err error) {
	for _, d := range dots {
		o := r.find(d)
		switch {
		case o != nil && o.Key != key:
			return nil, fmt.Errorf("it names a write of key %.64q: %w", o.Key, hearsay.ErrContext)
		case o != nil:
			live = append(live, o)
		case !r.has(d):
			return nil, fmt.Errorf("number %d of %v: %w", d.Counter, d.Origin, hearsay.ErrUnseen)
		}
	}
	return live, nil
}

// fits says whether there is room for what writes come to. What makes the store smaller always fits.
func (r *Replica) fits(p *plan) error {
	objects, bytes := len(p.puts)-len(p.gone), 0
	for _, w := range p.puts {
		bytes += len(w.Key) + len(w.Value)
	}
	for _, o := range p.gone {
		bytes -= costOf(&o.Object)
	}
	switch {
	case len(p.puts) == 0:
		return nil
	case objects > 0 && r.objects+objects > r.cfg.MaxObjects:
		return fmt.Errorf("%d values of %d: %w", r.objects, r.cfg.MaxObjects, hearsay.ErrStoreFull)
	case bytes > 0 && r.bytes+bytes > r.cfg.MaxBytes:
		return fmt.Errorf("%d bytes of %d: %w", r.bytes, r.cfg.MaxBytes, hearsay.ErrStoreFull)
	case r.of(r.cfg.Origin) == nil && len(r.origins) >= r.cfg.MaxOrigins:
		return fmt.Errorf("%d of %d: %w", len(r.origins), r.cfg.MaxOrigins, hearsay.ErrWriters)
	}
	return nil
}
