package hearsay

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
	dst = AppendStay(appendSubject(dst, "hearsay report", ledger), m.Stay)
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

// Outcome answers the three. Of what is pending events about the same subject tell a seed the rest: EventCaseOpened,
// then EventRuled or EventCaseAborted; or EventCaseRefused.
type Outcome struct {
	Kind   RulingKind // what was asked for: admit, remove or leave
	Stay   Stay       // whose; of an admission the one that was given, if it is done
	Code   OutcomeCode
	Yes    uint8  // ballots, if they have been counted
	Needed uint8  // of them
	Text   string // why, if it is not done; at most MaxWhyLen bytes
	Reason Reason // of a refusal, if it is one that a program tells apart; Text says it, too
}

// OutcomeCode is what a request came to.
type OutcomeCode uint8

// The codes.
const (
	OutcomePending OutcomeCode = iota + 1 // it is being decided
	OutcomeDone                           // it is so, now or already
	OutcomeRefused                        // it will not be
	OutcomeWait                           // not now: there is no quorum, or something must pass before
	OutcomeLost                           // no answer: the seed was not reached. Nobody sends this
)

var outcomeWords = [...]string{
	OutcomePending: "pending", OutcomeDone: "done", OutcomeRefused: "refused", OutcomeWait: "wait", OutcomeLost: "lost",
}

// String gives the code's word.
func (c OutcomeCode) String() string { return word(outcomeWords[:], int(c)) }

// MarshalText gives the form of String.
func (c OutcomeCode) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText takes the form of String.
func (c *OutcomeCode) UnmarshalText(text []byte) error {
	return parseWord("outcome", outcomeWords[:], text, (*uint8)(c))
}

func (*Register) message() {}
func (*Report) message()   {}
func (*Depart) message()   {}
func (*Outcome) message()  {}
