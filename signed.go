package hearsay

// What is signed here, and for which world it counts. A signature is over a tag of its type, the network, the
// founding that the sentence is about, and the sentence: so what was signed in one founding of a network
// counts in no other, though names, keys and epochs are the same. One function writes what comes first,
// LedgerID.AppendSubject. Report, Leave, Away, LimitsWord, Raft and SeatHello are types of internal/core.
//
//	type       founding                  sent again elsewhere
//	Statement  the ledger's              refused; the round is drawn, so in the same ledger it is of that round only
//	Report     the ledger's              refused; in the same ledger its stay is over, or the evidence is tried again
//	Leave      the ledger's              refused; in the same ledger that stay is over already
//	Away       the ledger's              refused; in the same ledger it is of one incarnation, and counts once
//	Ballot     the ledger's              refused; it names the case and the life besides
//	LimitsWord the ledger's              refused; it names the life, and a newer one of that seat counts
//	Head       its own, sent along       refused where another founding is followed
//	Raft       of the log, not sent      refused; it names the lives of both ends besides
//	SeatHello  its own; zero: in none    it names a founding, and is new only with the nonce of the asker
//	Claim      none                      harmless: see below
//
// In an open network the founding is zero: there is one such world for each name, and what is signed there
// names members by incarnations, which are never used twice.
//
// A claim is signed before its node can know of a founding, as it asks to be in with it. It says where a key
// is reached, and an old one tells a node no more than that: only a higher incarnation of the same key counts,
// incarnations are taken from the clock and kept on disk, and seeds admit only a node that answers at the
// address now. It admits, moves back, removes nobody.

// LedgerID names one ledger. An open network has none: its founding is zero.
type LedgerID struct {
	Network NetworkID

	// Founding is the hash of the seats when the ledger began (FoundingHash),
	// or, if it was begun anew from one seed's word, of that ruling (RulingRecover):
	// what the lost seeds have signed since is about epochs that come again.
	Founding Hash
}

// AppendSubject begins the bytes of a signed sentence: of which type it is, and which
// ledger it is about. No tag is the beginning of another, as each ends with a zero.
func (l LedgerID) AppendSubject(dst []byte, tag string) []byte {
	dst = append(append(dst, tag...), 0)
	dst = append(dst, l.Network[:]...)
	return append(dst, l.Founding[:]...)
}
