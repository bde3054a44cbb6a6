package store

import (
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"hearsay"
	"hearsay/wire"
)

// Rulings gives the rulings on disk of the epochs after one, in order, at most
// limit of them, and no more than follow each other without a gap.
func (d *Disk) Rulings(after hearsay.Epoch, limit int) (found []*hearsay.KeptRuling, err error) {
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
				kept := record.(*hearsay.KeptRuling)
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
