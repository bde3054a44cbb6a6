package core

import (
	"hearsay"
)

// signedRoom is at least the length of what is signed of one of the messages here.
const signedRoom = 160

// What a node asks of the seeds, and what they answer. All of it goes by stream: where a datagram came
// from anybody could forge.

// Register asks a seed for admission. The packet carries the sender's own claim.
//
//	A                        seed
//	|--- Register ------------>|   a case: each seed checks for itself
//	|<------------- Outcome ---|   when it is ruled, or before the asker loses patience
type Register struct{}

// Report asks a seed for a removal, and carries the evidence.
type Report struct {
	Stay      hearsay.Stay
	Evidence  *hearsay.Evidence // nil: none
	Signature hearsay.Signature // the sender's; zero: nobody stands for it, as when an operator asks
}

// AppendSigned appends the bytes that the signature covers. Every field has a
// fixed size.
func (m *Report) AppendSigned(dst []byte, ledger hearsay.LedgerID) []byte {
	evidence := hearsay.Hash{}
	if m.Evidence != nil {
		evidence = m.Evidence.Hash(ledger.Network)
	}
	dst = hearsay.AppendStay(ledger.AppendSubject(dst, "hearsay report"), m.Stay)
	return append(dst, evidence[:]...)
}

// Sign makes m the word of the signer.
func (m *Report) Sign(ledger hearsay.LedgerID, signer hearsay.Signer) {
	var buf [signedRoom]byte
	m.Signature = signer.Sign(m.AppendSigned(buf[:0], ledger))
}

// Verify reports whether the holder of key signed m.
func (m *Report) Verify(ledger hearsay.LedgerID, signer hearsay.Signer, key hearsay.PublicKey) bool {
	var buf [signedRoom]byte
	return signer.Verify(key, m.AppendSigned(buf[:0], ledger), m.Signature)
}

// Depart tells a seed that the sender's stay is over.
type Depart struct{ Leave Leave }

func (*Register) message() {}
func (*Report) message()   {}
func (*Depart) message()   {}

// Outcome answers Register, Report and Depart.
type Outcome struct{ hearsay.Outcome }

func (*Outcome) message() {}

// Leave is a member's signed word that its stay is over.
type Leave struct {
	Stay      hearsay.Stay
	Signature hearsay.Signature
}

// AppendSigned appends the bytes that the member's signature covers.
func (l *Leave) AppendSigned(dst []byte, ledger hearsay.LedgerID) []byte {
	return hearsay.AppendStay(ledger.AppendSubject(dst, "hearsay leave"), l.Stay)
}

// Sign makes l the word of the signer.
func (l *Leave) Sign(ledger hearsay.LedgerID, signer hearsay.Signer) {
	var buf [signedRoom]byte
	l.Signature = signer.Sign(l.AppendSigned(buf[:0], ledger))
}

// Verify reports whether the holder of key, and nobody else, signed l.
func (l *Leave) Verify(ledger hearsay.LedgerID, signer hearsay.Signer, key hearsay.PublicKey) bool {
	var buf [signedRoom]byte
	return l.Stay.ID == key.NodeID() &&
		signer.Verify(key, l.AppendSigned(buf[:0], ledger), l.Signature)
}
