package core

import (
	"encoding/binary"
	"time"

	"hearsay"
)

// AwayFor is how long a member that has said that it is away (Away) is probed by nobody, from when the first
// one has heard that. A guess: a service that is restarted, or a machine's process that is replaced, is back
// by then; and one that is not is found dead ten seconds later than it could be.
const AwayFor = 10 * time.Second

// Away is a member's signed word that its process ends, and is to be started again at once, with its data. It
// ends nothing: its stay goes on. A node that hears it accuses and examines nobody of that incarnation while
// it holds, and answers accusers with it; a seed opens no case and votes for no removal. The next incarnation
// of the member ends it. It counts once for each incarnation, and of one member twice at once and then once a
// minute: words that were signed in advance keep a dead member in no longer.
//
//	A                        B                        C
//	|--- Away ---------------->|                        |   again until answered: then A ends
//	|<---------------- Away ---|--- Away -------------->|   B over its own links, once
//	                           |<--- suspect(A) --------|   had C not heard of it
//	                           |--- Away -------------->|
type Away struct {
	Stay        hearsay.Stay // in an open network of epoch 0
	Incarnation hearsay.Incarnation
	Signature   hearsay.Signature

	// Left is how long it holds yet where it comes from, at most AwayFor. It is not signed: nobody gives a word
	// more than AwayFor from when it has first heard it, and one that came with too little holds longer if it
	// comes with more.
	Left time.Duration
}

// AppendSigned appends the bytes that the member's signature covers.
func (m *Away) AppendSigned(dst []byte, ledger hearsay.LedgerID) []byte {
	dst = hearsay.AppendStay(ledger.AppendSubject(dst, "hearsay away"), m.Stay)
	return binary.BigEndian.AppendUint64(dst, uint64(m.Incarnation))
}

// Sign makes m the word of the signer.
func (m *Away) Sign(ledger hearsay.LedgerID, signer hearsay.Signer) {
	var buf [signedRoom]byte
	m.Signature = signer.Sign(m.AppendSigned(buf[:0], ledger))
}

// Verify reports whether the holder of key, and nobody else, signed m.
func (m *Away) Verify(ledger hearsay.LedgerID, signer hearsay.Signer, key hearsay.PublicKey) bool {
	var buf [signedRoom]byte
	return m.Stay.ID == key.NodeID() && signer.Verify(key, m.AppendSigned(buf[:0], ledger), m.Signature)
}

func (*Away) message() {}
