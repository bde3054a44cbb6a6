package store

import (
	"encoding/binary"
	"fmt"
	"slices"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/wire"

	bolt "go.etcd.io/bbolt"
)

// Before gives the rulings on disk right before an epoch, oldest first: as many
// as take this many bytes there, at least one and at most limit, and no more than
// follow each other without a gap.
func (d *Disk) Before(epoch hearsay.Epoch, limit, bytes int) (found []*hearsay.Ruling, err error) {
	err = guard(func() error {
		return d.db.View(func(tx *bolt.Tx) error {
			bucket := tx.Bucket([]byte(wire.BucketLedger))
			if bucket == nil {
				return nil // of a peer, or an earlier version
			}
			return before(epoch, limit, bytes, &found, func(key []byte) []byte { return bucket.Get(key) })
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the ledger in %s: %w", d.path, err)
	}
	return found, nil
}

// before collects the rulings right before an epoch from where get finds them.
func before(epoch hearsay.Epoch, limit, bytes int, found *[]*hearsay.Ruling, get func(key []byte) []byte) error {
	for epoch > 1 && len(*found) < limit {
		epoch--
		key := binary.BigEndian.AppendUint64(nil, uint64(epoch))
		sealed := get(key)
		if bytes -= len(sealed); sealed == nil || bytes < 0 && len(*found) > 0 {
			break
		}
		record, err := decode(wire.BucketLedger, key, sealed)
		if err != nil {
			return err
		}
		*found = append(*found, record.(*core.KeptRuling).Ruling)
	}
	slices.Reverse(*found)
	return nil
}

// Rulings gives the rulings on disk of the epochs after one, in order, at most
// limit of them, and no more than follow each other without a gap.
func (d *Disk) Rulings(after hearsay.Epoch, limit int) (found []*core.KeptRuling, err error) {
	first := binary.BigEndian.AppendUint64(nil, uint64(after)+1)
	err = guard(func() error {
		return d.db.View(func(tx *bolt.Tx) error {
			bucket := tx.Bucket([]byte(wire.BucketLedger))
			if bucket == nil {
				return nil // of a peer, or an earlier version
			}
			cursor := bucket.Cursor()
			for key, sealed := cursor.Seek(first); key != nil && len(found) < limit; key, sealed = cursor.Next() {
				record, err := decode(wire.BucketLedger, key, sealed)
				if err != nil {
					return err
				}
				kept := record.(*core.KeptRuling)
				if after++; kept.Ruling.Epoch != after {
					return nil
				}
				found = append(found, kept)
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the ledger in %s: %w", d.path, err)
	}
	return found, nil
}
