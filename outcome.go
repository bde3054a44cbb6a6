package hearsay

// Outcome is what a seed answers to a node that asks to be in, reports a member or leaves. If it is pending, events
// about the same subject tell the rest: EventCaseOpened, then EventRuled or EventCaseAborted; or EventCaseRefused.
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
