package kv

import (
	"crypto/sha256"
	"encoding/binary"

	"hearsay/clock"
	"hearsay/internal/core"
)

// What is hashed begins with one of these.
const (
	ofObject = iota + 1
	ofEdge
	ofKey
)

// hashObject is the hash of a live dot with all that is known of it.
func hashObject(o *core.Object) core.Sum { return hashWith(o, sha256.Sum256(o.Value)) }

// hashWith is the same where the hash of the value is known.
func hashWith(o *core.Object, value [sha256.Size]byte) core.Sum {
	b := make([]byte, 0, 1+16+5*8+sha256.Size+256) // on the stack, unless the key is long
	b = append(append(b, ofObject), o.Dot.Origin[:]...)
	for _, n := range [...]uint64{o.Dot.Counter, o.Time, uint64(o.Expires), o.First, o.Last} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return sumOf(append(append(b, value[:]...), o.Key...))
}

// hashRange is the hash of a range of seen dots: the difference of those of its edges. So those of two ranges that
// touch add up to that of both together, and what was seen has one hash, however it came.
func hashRange(origin clock.Origin, r clock.Range) core.Sum {
	return hashEdge(origin, r.High+1).Sub(hashEdge(origin, r.Low))
}

func hashEdge(origin clock.Origin, number uint64) core.Sum {
	var b [1 + 16 + 8]byte
	b[0] = ofEdge
	copy(b[1:], origin[:])
	binary.BigEndian.PutUint64(b[17:], number)
	return sumOf(b[:])
}

func sumOf(b []byte) core.Sum {
	h := sha256.Sum256(b)
	return core.Sum{High: binary.BigEndian.Uint64(h[:8]), Low: binary.BigEndian.Uint64(h[8:16])}
}

// less orders hashes.
func less(a, b core.Sum) bool { return a.High < b.High || a.High == b.High && a.Low < b.Low }
