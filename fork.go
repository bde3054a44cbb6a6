package hearsay

// Fork is what a node tells of rivals of its ledger.
type Fork struct {
	// of which the ledgers have other hashes; 0: only the logs of seeds are known to differ
	Epoch  Epoch  `json:"epoch"`
	Own    Hash   `json:"own,omitzero"`   // the hash of the ledger here up to it
	Other  Hash   `json:"other"`          // that of the other
	Ours   []int  `json:"ours"`           // slots of the seats that have signed the ledger here
	Theirs []int  `json:"theirs"`         // slots of those that have signed another, or another log
	Twice  []int  `json:"twice"`          // slots of those that have signed two hashes of one epoch
	Proven bool   `json:"proven"`         // a quorum of seats has signed another ledger: this node follows neither
	Text   string `json:"text,omitempty"` // the same in a sentence, and what would be right
}
