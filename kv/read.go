package kv

import (
	"strings"
	"time"

	"hearsay/internal/core"
)

// Get gives the winner among the values of a key, or nil: the latest by hybrid time, then of the greatest origin. It
// does not allocate.
func (r *Replica) Get(now time.Time, key string) *core.Object {
	at, in := r.keys.find(firstOf(key))
	for ; at < len(r.keys.blocks); at, in = at+1, 0 {
		for _, o := range r.keys.blocks[at].objects[in:] {
			if o.Key != key {
				return nil
			}
			if !hidden(&o.Object, now) {
				return &o.Object
			}
		}
	}
	return nil
}

// Siblings appends all values of a key to list, the winner first.
func (r *Replica) Siblings(now time.Time, key string, list []*core.Object) []*core.Object {
	r.keys.from(firstOf(key), func(o *object) bool {
		if o.Key == key && !hidden(&o.Object, now) {
			list = append(list, &o.Object)
		}
		return o.Key == key
	})
	return list
}

// all gives the live dots of a key, hidden ones too, the winner first.
func (r *Replica) all(key string) (list []*object) {
	r.keys.from(firstOf(key), func(o *object) bool {
		if o.Key == key {
			list = append(list, o)
		}
		return o.Key == key
	})
	return list
}

// List gives keys with a prefix that come after a key, in their order and most of them at most: the winner of each.
func (r *Replica) List(now time.Time, prefix, after string, most int) (list []*core.Object) {
	start := firstOf(max(prefix, after))
	r.keys.from(start, func(o *object) bool {
		switch {
		case !strings.HasPrefix(o.Key, prefix):
			return o.Key < prefix
		case o.Key == after && after != "", hidden(&o.Object, now), len(list) > 0 && list[len(list)-1].Key == o.Key:
			return true
		}
		if len(list) < most {
			list = append(list, &o.Object)
		}
		return len(list) < most
	})
	return list
}
