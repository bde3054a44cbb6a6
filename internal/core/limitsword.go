package core

import (
	"encoding/binary"

	"hearsay"
)

// Limits gives the next limits.
func (c *Canonical) Limits() hearsay.Limits {
	l := hearsay.Limits{Members: c.Uint32(), MembersOfSource: c.Uint32(), Admissions: c.Uint32(), SourceAdmissions: c.Uint32()}
	if !l.Valid() {
		c.Fail()
	}
	return l
}

// LimitsWord is one seat's signed word for limits: an entry of the replicated log. The
// newest of a seat counts, as long as that life has it.
type LimitsWord struct {
	Slot      uint8
	Life      hearsay.Life
	Limits    hearsay.Limits
	At        int64 // Unix milliseconds, by the seed's clock
	Signature hearsay.Signature
}

// AppendSigned appends the bytes that the seed's signature covers.
func (w *LimitsWord) AppendSigned(dst []byte, ledger hearsay.LedgerID) []byte {
	return w.appendUnsigned(ledger.AppendSubject(dst, "hearsay limits"))
}

func (w *LimitsWord) appendUnsigned(dst []byte) []byte {
	dst = append(append(dst, w.Slot), w.Life[:]...)
	return binary.BigEndian.AppendUint64(w.Limits.AppendBinary(dst), uint64(w.At))
}

// Sign makes w the word of the signer.
func (w *LimitsWord) Sign(ledger hearsay.LedgerID, signer hearsay.Signer) {
	var buf [signedRoom]byte
	w.Signature = signer.Sign(w.AppendSigned(buf[:0], ledger))
}

// Verify reports whether the holder of key signed w.
func (w *LimitsWord) Verify(ledger hearsay.LedgerID, signer hearsay.Signer, key hearsay.PublicKey) bool {
	var buf [signedRoom]byte
	return signer.Verify(key, w.AppendSigned(buf[:0], ledger), w.Signature)
}

// AppendBinary appends the canonical bytes.
func (w *LimitsWord) AppendBinary(dst []byte) []byte {
	return append(w.appendUnsigned(dst), w.Signature[:]...)
}

// LimitsWord gives the next word of this kind.
func (c *Canonical) LimitsWord() LimitsWord {
	return LimitsWord{Slot: c.Byte(), Life: c.Life(), Limits: c.Limits(), At: int64(c.Uint64()), Signature: c.Signature()}
}
