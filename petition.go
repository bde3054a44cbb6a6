package hearsay

// What a node asks of the seeds. Register and Report go as lines of JSON that
// the earlier programs understand too (package dialect), with the whole packet
// among their facts; Depart by stream.

// Register asks a seed for admission. The packet carries the sender's own claim.
//
//	A                        seed
//	|--- Register ------------>|   a case: each seed checks for itself
//	|<------------- Outcome ---|   when it is ruled, or before the asker loses patience
type Register struct{}

// Report asks a seed for a removal, and carries the evidence.
type Report struct {
	Stay      Stay
	Evidence  *Evidence // nil: none
	Signature Signature // the sender's; zero: nobody stands for it, as when an operator asks
}

// AppendSigned appends the bytes that the signature covers. Every field has a
// fixed size.
func (m *Report) AppendSigned(dst []byte, ledger LedgerID) []byte {
	evidence := Hash{}
	if m.Evidence != nil {
		evidence = m.Evidence.Hash(ledger.Network)
	}
	dst = appendStay(appendSubject(dst, "hearsay report", ledger), m.Stay)
	return append(dst, evidence[:]...)
}

// Sign makes m the word of the signer.
func (m *Report) Sign(ledger LedgerID, signer Signer) {
	var buf [maxSubject + 56]byte
	m.Signature = signer.Sign(m.AppendSigned(buf[:0], ledger))
}

// Verify reports whether the holder of key signed m.
func (m *Report) Verify(ledger LedgerID, signer Signer, key PublicKey) bool {
	var buf [maxSubject + 56]byte
	return signer.Verify(key, m.AppendSigned(buf[:0], ledger), m.Signature)
}

// Depart tells a seed that the sender's stay is over.
type Depart struct{ Leave Leave }

// Outcome answers the three.
type Outcome struct {
	Kind   RulingKind // what was asked for: admit, remove or leave
	Stay   Stay       // whose; of an admission the one that was given, if it is done
	Code   OutcomeCode
	Yes    uint8  // ballots, if they have been counted
	Needed uint8  // of them
	Text   string // why, if it is not done; at most MaxWhyLen bytes
}

// OutcomeCode is what a request came to.
type OutcomeCode uint8

// The codes.
const (
	OutcomePending OutcomeCode = iota + 1 // it is being decided
	OutcomeDone                           // it is so, now or already
	OutcomeRefused                        // it will not be
	OutcomeWait                           // not now: there is no quorum, or something must pass before
	OutcomeLost                           // no answer: the seed was not reached. Nobody sends this, a driver says it
)

var outcomeWords = [...]string{
	OutcomePending: "pending", OutcomeDone: "done", OutcomeRefused: "refused", OutcomeWait: "wait", OutcomeLost: "lost",
}

// String gives the code's word.
func (c OutcomeCode) String() string { return word(outcomeWords[:], int(c)) }

func (*Register) message() {}
func (*Report) message()   {}
func (*Depart) message()   {}
func (*Outcome) message()  {}
