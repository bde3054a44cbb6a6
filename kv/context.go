package kv

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/canonical"
	"hearsay/internal/core"
)

// A context is what a client has read of a key: the dots of its values. A put with it replaces these.
//
//	1 byte    version: 1
//	4 bytes   of the hash of the key
//	24 bytes  for each dot, ascending: origin and number
const (
	contextVersion = 1
	keyCheck       = 4
	maxContext     = 64 // dots of a context, the first of a key's siblings
)

// Context gives the context of a key, as of now.
func (r *Replica) Context(now time.Time, key string) []byte {
	var dots []clock.Dot
	for _, o := range r.Siblings(now, key, nil) {
		dots = append(dots, o.Dot)
	}
	return appendContext(nil, key, dots[:min(len(dots), maxContext)])
}

// ContextAfter gives the context of a write that was just done here. It names that value alone: a writer has not read
// what others have written meanwhile, and so does not replace it with what it writes next.
func (r *Replica) ContextAfter(w *Write) []byte {
	var dots []clock.Dot
	for _, o := range r.all(w.Key) {
		if d := o.Dot; !w.Delete && d.Origin == r.cfg.Origin && (len(dots) == 0 || dots[0].Counter < d.Counter) {
			dots = []clock.Dot{d}
		}
	}
	return appendContext(nil, w.Key, dots)
}

func appendContext(b []byte, key string, dots []clock.Dot) []byte {
	slices.SortFunc(dots, core.CompareDots)
	b = append(append(b, contextVersion), checkOf(key)...)
	for _, d := range dots {
		b = binary.BigEndian.AppendUint64(append(b, d.Origin[:]...), d.Counter)
	}
	return b
}

func checkOf(key string) []byte {
	h := sha256.Sum256(append([]byte{ofKey}, key...))
	return h[:keyCheck]
}

// readContext gives the dots of a context. Each context has one form.
func readContext(b []byte, key string) ([]clock.Dot, error) {
	r := canonical.NewReader(b)
	if version := r.Byte(); version != contextVersion {
		return nil, fmt.Errorf("version %d: %w", version, hearsay.ErrContext)
	}
	if !slices.Equal(r.Take(keyCheck), checkOf(key)) {
		return nil, fmt.Errorf("it is of another key, or cut off: %w", hearsay.ErrContext)
	}
	n := r.Number(uint32(r.Left()/24), maxContext)
	dots := make([]clock.Dot, n)
	for i := range dots {
		d := &dots[i]
		copy(d.Origin[:], r.Take(len(d.Origin)))
		if d.Counter = r.Uint64(); d.Counter == 0 || d.Counter > maxNumber || i > 0 && core.CompareDots(dots[i-1], *d) >= 0 {
			r.Fail()
		}
	}
	if r.Failed() || r.Left() > 0 {
		return nil, fmt.Errorf("%d bytes: %w", len(b), hearsay.ErrContext)
	}
	return dots, nil
}
