// Package follower is how a peer of a seeded network follows what its seeds rule: it believes rulings in the order of
// epochs, up to the newest head that a quorum of the seats has signed, and passes them on. How seeds come to
// rulings is package quorum's; what both have in common is package ledger's.
//
//	follower.go   the peer as its node drives it: asking, believing
//	seats.go      meeting seeds, and keeping the key and the life that sit in each seat
//	clocks.go     this peer's clock beside those of the seeds
//	rest.go       applying what is proven, a part of it in a step
//	gathering.go  a roster that comes whole
//	past.go       what was before its roster, and the seats by old rulings
//	founded.go    of which founding its ledger is
//	mismatch.go   what is wrong with nodes that answer as seeds
//	rivals.go     heads of another ledger
package follower
