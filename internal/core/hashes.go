package core

import (
	"crypto/sha256"
	"hash"
	"net/netip"

	"hearsay"
	"hearsay/internal/canonical"
)

// FoundingHash stands for the ledger before its first ruling: the seats.
func FoundingHash(network hearsay.NetworkID, seats []hearsay.Seat) hearsay.Hash {
	b := append(make([]byte, 0, 512), "hearsay founding\x00"...)
	b = append(b, network[:]...)
	return sha256.Sum256(hearsay.AppendSeats(b, seats))
}

// TextHash stands for what a guest has said.
func TextHash(text []byte) hearsay.Hash { return sha256.Sum256(text) }

// RosterBuckets is into how many parts a roster is divided, by the first byte
// of the NodeID, so that a change of one stay costs the hash of one part.
const RosterBuckets = 256

// HashBucket is the hash of the stays of one part of a roster, ordered by
// NodeID. Of none it is zero.
func HashBucket(stays []hearsay.Stay) hearsay.Hash {
	if len(stays) == 0 {
		return hearsay.Hash{}
	}
	b := append(make([]byte, 0, 16+24*len(stays)), bucketPrefix...)
	for i := range stays {
		b = hearsay.AppendStay(b, stays[i])
	}
	return sha256.Sum256(b)
}

const bucketPrefix = "hearsay stays\x00"

// BucketDigest takes a HashBucket stay by stay. Its zero value has none.
type BucketDigest struct {
	digest hash.Hash
	stay   [24]byte // here, as Write lets it escape
}

// Add takes the next stay, in the order of NodeIDs.
func (d *BucketDigest) Add(s hearsay.Stay) {
	if d.digest == nil {
		d.digest = sha256.New()
		d.digest.Write([]byte(bucketPrefix))
	}
	d.digest.Write(hearsay.AppendStay(d.stay[:0], s))
}

// Sum gives the hash, and begins with the next part.
func (d *BucketDigest) Sum() (sum hearsay.Hash) {
	if d.digest != nil {
		d.digest.Sum(sum[:0])
		d.digest = nil
	}
	return sum
}

// HashRoster is the hash of a whole roster.
func HashRoster(network hearsay.NetworkID, buckets *[RosterBuckets]hearsay.Hash) hearsay.Hash {
	digest := sha256.New()
	digest.Write(append([]byte("hearsay roster\x00"), network[:]...))
	for i := range buckets {
		digest.Write(buckets[i][:])
	}
	return hearsay.Hash(digest.Sum(nil))
}

// HashSeeds is the hash of a configuration: the addresses of all seeds.
func HashSeeds(network hearsay.NetworkID, addrs []netip.AddrPort) hearsay.Hash {
	b := append(make([]byte, 0, 256), "hearsay seeds\x00"...)
	b = append(b, network[:]...)
	for _, addr := range addrs {
		b = canonical.AppendAddr(b, addr)
	}
	return sha256.Sum256(b)
}
