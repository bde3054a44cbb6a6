package kv

import (
	"bytes"
	"time"
)

// Newer reports whether a key is another here than a context says, by what was written after what that names. Where it
// names a write that has not come here, the key here is older.
func (r *Replica) Newer(now time.Time, key string, context []byte) (bool, error) {
	dots, err := readContext(context, key)
	if err != nil {
		return false, err
	}
	for _, d := range dots {
		if !r.has(d) {
			return false, nil
		}
	}
	return !bytes.Equal(context, r.Context(now, key)), nil
}
