package hearsay

import "encoding/binary"

// Rival is what a seat has signed that cannot be together with the ledger of the
// node that keeps it: the proof of a fork, if a quorum of seats has such.
type Rival struct {
	Epoch Epoch // of which the ledgers have other hashes
	Own   Hash  // of the ledger here up to it; zero: this one is not so long
	Other Hash  // of the ledger that the seat has signed
	Head  Head  // what it has signed: of this epoch, or a later one of the same ledger
	Twin  Head  // of the same seat and epoch as Head, with another hash; epoch 0: none is known
}

// KeptRival is what a seat has signed against the ledger here, keyed by the slot.
type KeptRival struct {
	Slot    uint8
	Rival   Rival
	Dropped bool // the key goes
}

func (*KeptRival) record() {}

// AppendBinary appends the canonical bytes.
func (r *Rival) AppendBinary(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Epoch))
	dst = append(append(dst, r.Own[:]...), r.Other[:]...)
	return r.Twin.AppendBinary(r.Head.AppendBinary(dst))
}

// Rival gives the next value of this kind.
func (c *Canonical) Rival() Rival {
	return Rival{Epoch: Epoch(c.Uint64()), Own: c.Hash(), Other: c.Hash(), Head: c.Head(), Twin: c.Head()}
}

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
