package hearsay

// LedgerProof is what one node holds that proves its ledger, the rulings
// apart.
type LedgerProof struct {
	Network  NetworkID
	Oldest   Epoch  // of the rulings that this node has at hand
	Founding []Seat // who sat where before the first ruling, which covers the hash of it; nil on peers, who do not know
	Seats    []Seat // who sits where now; a key is zero where this node has met nobody
	Heads    []Head // the newest of each seat
}
