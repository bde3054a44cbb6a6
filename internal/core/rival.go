package core

import (
	"encoding/binary"

	"hearsay"
)

// Rival is what a seat has signed that cannot be together with the ledger of the
// node that keeps it: the proof of a fork, if a quorum of seats has such.
type Rival struct {
	Epoch hearsay.Epoch // of which the ledgers have other hashes
	Own   hearsay.Hash  // of the ledger here up to it; zero: this one is not so long
	Other hearsay.Hash  // of the ledger that the seat has signed
	Head  hearsay.Head  // what it has signed: of this epoch, or a later one of the same ledger
	Twin  hearsay.Head  // of the same seat and epoch as Head, with another hash; epoch 0: none is known
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
	return Rival{Epoch: hearsay.Epoch(c.Uint64()), Own: c.Hash(), Other: c.Hash(), Head: c.Head(), Twin: c.Head()}
}
