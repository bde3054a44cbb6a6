package hearsay

// LedgerProof is what one node holds that proves its ledger, the rulings
// apart.
type LedgerProof struct {
	Network  NetworkID
	Oldest   Epoch  // of the rulings that this node has at hand
	Founding []Seat // the seats before the first ruling, which covers the hash of them; nil on peers, which do not know
	Seats    []Seat // the seats now; a key is zero where this node has met no seed
	Heads    []Head // the newest of each seat
}
