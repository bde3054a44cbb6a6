// Package store keeps what a node must not forget: on disk, and for the
// simulator in a memory that loses what a crash loses.
//
// A data directory holds one file, of one identity in one network:
//
//	hearsay.db                bbolt
//	  identity                made once, with the file
//	    format   -> "2"       version of this layout
//	    network  -> its name
//	    seed     -> 32 bytes  the Ed25519 private key is derived from them
//	    place    -> 41 bytes  where the file is, which a copy does not share
//	  self, contacts, evidence, rumors, and of the seeds' authority
//	  seed, pins, log, snapshots, rulings, heads, rivals
//	    key      -> value     as package wire encodes records
//
// Every value is followed by 4 bytes of checksum over bucket, key and value,
// big-endian: bbolt checks only its own meta pages.
package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"hearsay/internal/core"
	"hearsay/wire"
)

const checksumSize = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers where a value stands, too: a value under another key is as
// wrong as a changed one. Each part but the value has a length of its own or
// a name that no other begins with, so that no two places share bytes.
func checksum(bucket string, key, value []byte) uint32 {
	sum := crc32.Update(0, castagnoli, []byte(bucket))
	sum = crc32.Update(sum, castagnoli, key)
	return crc32.Update(sum, castagnoli, value)
}

// seal appends the checksum to value.
func seal(bucket string, key, value []byte) []byte {
	return binary.BigEndian.AppendUint32(value, checksum(bucket, key, value))
}

// unseal gives the value without its checksum, if it holds.
func unseal(bucket string, key, sealed []byte) ([]byte, error) {
	n := len(sealed) - checksumSize
	if n < 0 || binary.BigEndian.Uint32(sealed[n:]) != checksum(bucket, key, sealed[:n]) {
		return nil, fmt.Errorf("bucket %s: key %x: the checksum does not hold", bucket, key)
	}
	return sealed[:n:n], nil
}

// Batch is records on their way to the disk, encoded, so that the caller that made
// them may go on at once. They are carried out in order. The zero value is
// empty.
type Batch struct {
	changes []change
	bytes   []byte // the keys and sealed values of changes, end to end
}

// change sets a key, or drops it: then it has no value.
type change struct {
	bucket     wire.Bucket
	key, value int // lengths
	drop       bool
}

// Add encodes records behind what the batch holds.
func (b *Batch) Add(records []core.Record) {
	var k, v []byte // of the record before: a thousand need them but once
	for _, record := range records {
		bucket, key, value, drop := wire.AppendRecord(k[:0], v[:0], record)
		if !drop {
			value = seal(string(bucket), key, value)
		}
		b.changes = append(b.changes, change{bucket, len(key), len(value), drop})
		b.bytes = append(append(b.bytes, key...), value...)
		k, v = key, value
	}
}

// Size is how many bytes the keys and values in the batch take.
func (b *Batch) Size() int { return len(b.bytes) }

// Empty reports whether there is nothing to do.
func (b *Batch) Empty() bool { return len(b.changes) == 0 }

// Reset empties the batch and keeps its storage, unless that is large.
func (b *Batch) Reset() {
	const keepMax = 16 << 10 // bytes
	if cap(b.bytes) > keepMax {
		*b = Batch{}
		return
	}
	b.changes, b.bytes = b.changes[:0], b.bytes[:0]
}

// each hands over the changes in order, until do fails.
func (b *Batch) each(do func(c change, key, value []byte) error) error {
	rest := b.bytes
	for _, c := range b.changes {
		key, value := rest[:c.key], rest[c.key:c.key+c.value]
		rest = rest[c.key+c.value:]
		if err := do(c, key, value); err != nil {
			return err
		}
	}
	return nil
}
