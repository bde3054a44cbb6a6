package wire

import (
	"encoding/binary"
	"fmt"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// Bucket is where on disk records of one type are kept.
type Bucket string

// The buckets.
const (
	BucketSelf     Bucket = "self"
	BucketContacts Bucket = "contacts"
	BucketEvidence Bucket = "evidence"
	BucketRumors   Bucket = "rumors"

	// Of the store.
	BucketValues Bucket = "values"
	BucketSeen   Bucket = "seen"
	BucketOver   Bucket = "over"
)

// The keys of BucketSelf.
const (
	keyIncarnation = "incarnation"
	keyNumbers     = "numbers"
	keyStore       = "store"
)

// AppendRecord appends r's key and value to k and v, and says in which bucket
// they belong. If drop, the key is to go, and there is no value.
func AppendRecord(k, v []byte, r core.Record) (bucket Bucket, key, value []byte, drop bool) {
	switch r := r.(type) {
	case *core.OwnIncarnation:
		return BucketSelf, append(k, keyIncarnation...), binary.BigEndian.AppendUint64(v, uint64(r.Incarnation)), false
	case *core.Contact:
		k = appendAddr(k, r.Addr)
		if r.Dropped {
			return BucketContacts, k, v, true
		}
		return BucketContacts, k, append(v, r.ID[:]...), false
	case *core.KeptEvidence:
		k = append(k, r.Hash[:]...)
		if r.Evidence == nil {
			return BucketEvidence, k, v, true
		}
		return BucketEvidence, k, appendEvidence(v, r.Evidence), false
	case *core.ReservedNumbers:
		return BucketSelf, append(k, keyNumbers...), binary.BigEndian.AppendUint64(v, r.Upto), false
	case *core.KeptRumor:
		k = binary.BigEndian.AppendUint64(k, r.Number)
		if r.Rumor == nil {
			return BucketRumors, k, v, true
		}
		v = appendKeptRumor(v, r.Rumor)
		return BucketRumors, k, binary.BigEndian.AppendUint64(v, uint64(r.Said)), false
	}
	if bucket, key, value, drop = appendStoreRecord(k, v, r); bucket != "" {
		return bucket, key, value, drop
	}
	return appendSeedRecord(k, v, r)
}

// DecodeRecord reads back what AppendRecord wrote. The error says what does
// not fit; it means that the disk holds what this program did not write.
func DecodeRecord(bucket Bucket, key, value []byte) (core.Record, error) {
	k, v := reader{bytes: key}, reader{bytes: value}
	var record core.Record
	switch bucket {
	case BucketSelf:
		switch string(k.take(len(key))) {
		case keyIncarnation:
			record = &core.OwnIncarnation{Incarnation: hearsay.Incarnation(v.uint64())}
		case keyNumbers:
			record = &core.ReservedNumbers{Upto: v.uint64()}
		case keyStore:
			record = &core.KeptStore{Origin: clock.Origin(v.id()), Reserved: v.uint64()}
		default:
			return nil, fmt.Errorf("bucket %s: unknown key %q", bucket, key)
		}
	case BucketContacts:
		record = &core.Contact{Addr: k.addr(), ID: v.id()}
	case BucketEvidence:
		evidence := &hearsay.Evidence{}
		readEvidence(&v, evidence)
		record = &core.KeptEvidence{Hash: k.hash(), Evidence: evidence}
	case BucketRumors:
		number := k.uint64()
		if number < 1 {
			k.fail(hearsay.DropMalformed)
		}
		kept := &core.KeptRumor{Number: number, Rumor: readKeptRumor(&v, number)}
		if v.left() >= 8 { // added later
			kept.Said = int64(v.uint64())
		}
		record = kept
	case BucketValues, BucketSeen, BucketOver:
		record = readStoreRecord(bucket, &k, &v)
	default:
		if record = readSeedRecord(bucket, &k, &v); record == nil {
			return nil, fmt.Errorf("bucket %q: unknown", bucket)
		}
	}
	switch {
	case k.failed:
		return nil, fmt.Errorf("bucket %s: key %x: %s", bucket, key, k.drop)
	case k.left() > 0:
		return nil, fmt.Errorf("bucket %s: key %x: %d bytes too long", bucket, key, k.left())
	case v.failed:
		return nil, fmt.Errorf("bucket %s: value of key %x: %s", bucket, key, v.drop)
	}
	return record, nil
}
