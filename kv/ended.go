package kv

import "time"

// endedMost is how many values Ended looks at in one call.
const endedMost = 1024

// Ended gives keys, some maybe twice, of which the time of a value was over after one time and up to another. Where
// they are many it gives the first, and up to which time.
func (r *Replica) Ended(after, now time.Time) (keys []string, upto time.Time) {
	last := int64(0)
	r.expires.from(expiry{at: after.UnixMilli() + 1}, func(o *object) bool {
		if o.Expires > now.UnixMilli() || len(keys) >= endedMost && o.Expires != last {
			now = time.UnixMilli(min(o.Expires-1, now.UnixMilli()))
			return false
		}
		keys, last = append(keys, o.Key), o.Expires
		return true
	})
	return keys, now
}
