package kv

import (
	"cmp"
	"time"

	"hearsay/clock"
	"hearsay/internal/core"
)

// expireMost is how many objects become gone at a time.
const expireMost = 1024

// expiry is where an object is among those with an end.
type expiry struct {
	at  int64 // Unix milliseconds
	dot clock.Dot
}

func expiryOf(o *object) expiry { return expiry{o.Expires, o.Dot} }

func compareExpiry(o *object, k expiry) int {
	return cmp.Or(cmp.Compare(o.Expires, k.at), core.CompareDots(o.Dot, k.dot))
}

// hidden reports whether the time of an object is over: no client reads it any more.
func hidden(o *core.Object, now time.Time) bool {
	return o.Expires != 0 && o.Expires <= now.UnixMilli()
}

// NextExpiry is when an object becomes gone next: the drift of clocks after its end, so that by then it is hidden
// everywhere. It is zero if none will.
func (r *Replica) NextExpiry() time.Time {
	if len(r.expires.blocks) == 0 {
		return time.Time{}
	}
	return time.UnixMilli(r.expires.blocks[0].objects[0].Expires).Add(r.cfg.Drift)
}

// Expire makes gone what is due, some at a time. Each replica does that by its own clock, and tells nobody: one whose
// clock is ahead by more than the drift has others lose objects that early.
func (r *Replica) Expire(now time.Time) (change Change) {
	for range expireMost {
		if next := r.NextExpiry(); next.IsZero() || now.Before(next) {
			break
		}
		r.drop(&change, r.expires.blocks[0].objects[0])
	}
	return change
}
