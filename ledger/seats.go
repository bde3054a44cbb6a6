package ledger

import (
	"net/netip"
	"slices"

	"hearsay"
	"hearsay/internal/core"
)

// ProvenSeat gives the seat that a ruling gives by the ballots of a quorum of
// these keys. It needs no heads: ballots are about nothing but the seat.
func ProvenSeat(ledger hearsay.LedgerID, signer hearsay.Signer, r *hearsay.Ruling, keys []hearsay.PublicKey) (seat hearsay.Seat, ok bool) {
	if r == nil || r.Kind != hearsay.RulingSeat || len(r.Seats) != 1 || int(r.Seats[0].Slot) >= len(keys) {
		return seat, false
	}
	if len(r.Ballots) != hearsay.QuorumOf(len(keys)) {
		return seat, false // with these it was decided, so each of them must hold
	}
	about := r.About(ledger.Network)
	var counted []uint8
	for i := range r.Ballots {
		b := &r.Ballots[i]
		if b.About != about || b.Case != r.Case || b.Verdict != hearsay.BallotYes || int(b.Slot) >= len(keys) || slices.Contains(counted, b.Slot) {
			return seat, false
		}
		if key := keys[b.Slot]; key.IsZero() || !b.Verify(ledger, signer, key) {
			return seat, false
		}
		counted = append(counted, b.Slot)
	}
	return r.Seats[0], true
}

// Seed is a configured seed.
type Seed struct {
	Addr netip.AddrPort
	Key  hearsay.PublicKey // zero: that of the first seed that is met there
}

// Addrs gives the addresses of a list of seeds.
func Addrs(seeds []Seed) []netip.AddrPort {
	addrs := make([]netip.AddrPort, len(seeds))
	for i := range seeds {
		addrs[i] = seeds[i].Addr
	}
	return addrs
}

// HashSeeds stands for a list of seeds: a ledger belongs to one list.
func HashSeeds(network hearsay.NetworkID, seeds []Seed) hearsay.Hash {
	return core.HashSeeds(network, Addrs(seeds))
}
