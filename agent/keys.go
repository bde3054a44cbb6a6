package agent

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/kv"
)

const (
	unseenFor  = time.Second           // a write is waited for that a context names and that has not come here
	unseenLook = 20 * time.Millisecond // between two looks. A guess: an update takes a few milliseconds

	keyPageCount = 256 // keys listed in one turn of the loop; guess: some 100 microseconds
)

// Put gives a key a value, up to hearsay.MaxValue bytes, which are copied. A context, as Get gives it, says what the
// caller has read: exactly that is replaced, and what others wrote meanwhile stays beside it, as a sibling. With nil
// all is replaced that this node holds. It returns once the value is, with a data directory, durable, and on its
// way to all peers. At a seed it is refused with hearsay.ErrSeedStore, while the disk is full with
// hearsay.ErrDiskFull. A write for which the caller does not wait until then may still be done, and so may one during
// which the disk got full.
func (a *Agent) Put(ctx context.Context, key string, value, context []byte) error {
	_, err := a.Write(ctx, hearsay.Write{Key: key, Value: value, Context: context})
	return err
}

// Delete takes a key's values away: those that the context names or, with nil, all that this node holds.
func (a *Agent) Delete(ctx context.Context, key string, context []byte) error {
	_, err := a.Write(ctx, hearsay.Write{Key: key, Delete: true, Context: context})
	return err
}

// Write does up to hearsay.MaxWrites writes, all or none, also on each other node, and gives the context with which
// each can be replaced. Values are copied. It returns as Put does. A context may name a write of another node that has
// not come here yet: after a second it is refused with hearsay.ErrUnseen.
func (a *Agent) Write(ctx context.Context, writes ...hearsay.Write) (contexts [][]byte, err error) {
	writes = slices.Clone(writes)
	for i := range writes {
		writes[i].Value = bytes.Clone(writes[i].Value)
	}
	look := time.NewTicker(unseenLook)
	defer look.Stop()
	for until := time.Now().Add(unseenFor); ; {
		contexts, err = a.write(ctx, writes)
		if !errors.Is(err, hearsay.ErrUnseen) || time.Now().After(until) {
			break
		}
		select {
		case <-look.C:
			continue
		case <-ctx.Done():
		case <-a.done:
		}
		break
	}
	if err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	return contexts, nil
}

// write does once what Write does.
func (a *Agent) write(ctx context.Context, writes []hearsay.Write) ([][]byte, error) {
	contexts := make([][]byte, len(writes))
	err := a.durably(ctx, func(now time.Time) (*core.Effects, error) {
		fx, err := a.loop.node.Put(now, writes...)
		for i := range writes {
			if err == nil {
				contexts[i] = a.loop.node.Gossip().Replica().ContextAfter(&writes[i])
			}
		}
		return fx, err
	})
	if err != nil {
		return nil, err
	}
	return contexts, nil
}

// Get gives what this node holds of a key: no values if it is absent. They are read only.
func (a *Agent) Get(key string) (hearsay.Stored, error) {
	stored, _, err := a.get(key, nil)
	if err != nil {
		return stored, fmt.Errorf("get: %w", err)
	}
	return stored, nil
}

// GetNewer is Get, as soon as the key is newer here than a context says that was read of it, also at another node; with
// nil as soon as it has a value. If ctx ends before, it gives what there is, and the error of ctx.
func (a *Agent) GetNewer(ctx context.Context, key string, context []byte) (hearsay.Stored, error) {
	w := watcher{prefix: key, whole: true, at: a.Revision().Number}
	for {
		stored, newer, err := a.get(key, context)
		if err != nil || newer {
			return stored, err
		}
		taken, lagged, wait := a.changes.take(&w)
		switch {
		case wait == nil && !lagged && len(taken) == 0:
			return stored, a.ended()
		case wait != nil && !comes(ctx, wait, untilExpires(&stored)):
			a.changes.rest(&w)
		}
		if ctx.Err() != nil {
			return stored, fmt.Errorf("get: not newer in time: %w", ctx.Err())
		}
	}
}

// untilExpires is how long values stay what they are without a change; 0: for ever.
func untilExpires(stored *hearsay.Stored) (d time.Duration) {
	for i := range stored.Siblings {
		if at := stored.Siblings[i].Expires; at != nil {
			if left := max(time.Millisecond, time.Until(*at)); d == 0 || left < d {
				d = left
			}
		}
	}
	return d
}

// get gives what this node holds of a key, and whether that is newer than a context, nil for that of no value.
func (a *Agent) get(key string, context []byte) (stored hearsay.Stored, newer bool, err error) {
	stored.Key = key
	if err := hearsay.CheckKey(key); err != nil {
		return stored, false, err
	}
	var wrong error
	err = a.replica(func(r *kv.Replica, now time.Time) {
		stored.Context = r.Context(now, key)
		for _, o := range r.Siblings(now, key, nil) {
			s := hearsay.Sibling{Value: o.Value, Origin: o.Dot.Origin, At: o.At()}
			if o.Expires != 0 {
				at := time.UnixMilli(o.Expires).UTC()
				s.Expires = &at
			}
			stored.Siblings = append(stored.Siblings, s)
		}
		if newer = len(stored.Siblings) > 0; context != nil {
			newer, wrong = r.Newer(now, key, context)
		}
	})
	return stored, newer, cmp.Or(err, wrong)
}

// Keys lists keys with a prefix, "" for all, in the order of their bytes: at most limit of them that come after a key,
// "" for the first ones. In a long list a key that changes meanwhile is as it is when its part is listed.
func (a *Agent) Keys(prefix, after string, limit int) (keys []hearsay.KeyInfo, err error) {
	for more := true; more && len(keys) < limit && err == nil; {
		most := min(keyPageCount, limit-len(keys))
		before := len(keys)
		err = a.replica(func(r *kv.Replica, now time.Time) {
			for _, o := range r.List(now, prefix, after, most) {
				count := len(r.Siblings(now, o.Key, nil))
				keys = append(keys, hearsay.KeyInfo{Key: o.Key, Size: len(o.Value), Siblings: count, At: o.At(), Context: r.Context(now, o.Key)})
			}
		})
		if more = len(keys)-before == most; more {
			after = keys[len(keys)-1].Key
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	return keys, nil
}

// replica has the store be read, in a turn of the loop.
func (a *Agent) replica(read func(r *kv.Replica, now time.Time)) (err error) {
	a.ask(func(now time.Time) {
		if r := a.loop.node.Gossip().Replica(); r != nil {
			read(r, now)
		} else {
			err = hearsay.ErrSeedStore
		}
	})
	return err
}
