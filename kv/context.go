package kv

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

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

// Errors about contexts.
var (
	ErrContext = errors.New("not a context of this key; give one that was read with it, unchanged")
	// ErrUnseen is wrapped where a context names a write that has not come here yet: it may do so within a second.
	ErrUnseen = errors.New("the context names a write that this node has not seen")
)

// Context gives the context of a key, as of now.
func (r *Replica) Context(now time.Time, key string) []byte {
	var dots []clock.Dot
	for _, o := range r.Siblings(now, key, nil) {
		dots = append(dots, o.Dot)
	}
	return appendContext(nil, key, dots[:min(len(dots), maxContext)])
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
		return nil, fmt.Errorf("version %d: %w", version, ErrContext)
	}
	if !slices.Equal(r.Take(keyCheck), checkOf(key)) {
		return nil, fmt.Errorf("it is of another key, or cut off: %w", ErrContext)
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
		return nil, fmt.Errorf("%d bytes: %w", len(b), ErrContext)
	}
	return dots, nil
}
