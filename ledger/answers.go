package ledger

import (
	"time"

	"hearsay/quota"
)

// What answers requests for the ledger in a second is bounded in bytes (see quota.Divide): a request has
// 48, its answer up to 128 KiB, or a whole roster, which is given to its end once it was begun. Strangers
// are newcomers, and have the least: about 30 answers of 256 rulings (69 KiB). Members that start together
// all need a roster. Guesses. A short answer counts as answerLeast bytes.
const (
	StrangersAnswerBytes = 2 << 20
	membersAnswerBytes   = 16 << 20
	seatsAnswerBytes     = 16 << 20
	answerLeast          = 8 << 10
)

var answerShares = quota.Divide(StrangersAnswerBytes, membersAnswerBytes, seatsAnswerBytes)

// Answers counts the bytes that answer requests for the ledger.
type Answers struct{ bytes *quota.Quota }

// NewAnswers makes the count of one node; secret: see quota.New.
func NewAnswers(secret uint64) Answers { return Answers{quota.New(secret, answerShares)} }

// Affords reports whether a sender may be answered. The answer is counted when its
// length is known: see Sent.
func (a Answers) Affords(now time.Time, from quota.Sender) bool { return a.bytes.Take(now, from, 0) }

// Sent counts an answer of so many bytes.
func (a Answers) Sent(now time.Time, from quota.Sender, n int) {
	a.bytes.Take(now, from, max(n, answerLeast))
}
