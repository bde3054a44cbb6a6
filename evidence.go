package hearsay

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"hearsay/internal/canonical"
)

// PublicKey is an Ed25519 public key.
type PublicKey [ed25519.PublicKeySize]byte

// IsZero reports whether there is no key.
func (k PublicKey) IsZero() bool { return k == PublicKey{} }

// Short gives the first eight of its hexadecimal digits.
func (k PublicKey) Short() string { return hex.EncodeToString(k[:4]) }

// NodeID derives the identity of the holder of this key.
func (k PublicKey) NodeID() NodeID {
	sum := sha256.Sum256(k[:])
	return NodeID(sum[:16])
}

// Signature is an Ed25519 signature.
type Signature [ed25519.SignatureSize]byte

// Signer signs for one identity and verifies for all. The agent hands the
// core an Ed25519 signer, the simulator a keyed hash.
type Signer interface {
	Public() PublicKey
	Sign(message []byte) Signature
	Verify(key PublicKey, message []byte, signature Signature) bool
}

// Hash is a SHA-256.
type Hash [sha256.Size]byte

// IsZero reports whether there is no hash.
func (h Hash) IsZero() bool { return h == Hash{} }

// String gives all 64 hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText gives the form of String.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText takes the form of String.
func (h *Hash) UnmarshalText(text []byte) error { return parseHex("hash", h[:], text) }

// parseHex fills out from hexadecimal digits, two a byte.
func parseHex(what string, out, text []byte) error {
	if len(text) != 2*len(out) {
		return fmt.Errorf("%s %q: want %d hexadecimal digits", what, text, 2*len(out))
	}
	if _, err := hex.Decode(out, text); err != nil {
		return fmt.Errorf("%s %q: %w", what, text, err)
	}
	return nil
}

// Round numbers one asking of the observers. It is drawn at random by the
// accuser, so that nobody can prepare statements for it.
type Round uint64

// Verdict is an observer's answer.
type Verdict uint8

// The verdicts.
const (
	VerdictReachable   Verdict = iota + 1
	VerdictUnreachable         // its own probes in the round failed, or most of those of the last rounds
	VerdictAbstains            // it is late or unhealthy itself
)

var verdictWords = [...]string{
	VerdictReachable: "reachable", VerdictUnreachable: "unreachable", VerdictAbstains: "abstains",
}

// String gives the verdict's word.
func (v Verdict) String() string { return word(verdictWords[:], int(v)) }

// MarshalText gives the form of String.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText takes the form of String.
func (v *Verdict) UnmarshalText(text []byte) error {
	return parseWord("verdict", verdictWords[:], text, (*uint8)(v))
}

// Statement is an observer's signed answer about a subject in one round.
//
//	accuser                 observer                  subject
//	   |--- WitnessReq -------->|                        |
//	   |                        |--- Ping (up to 9) ---->|
//	   |<------ Statement ------|                        |
type Statement struct {
	Subject     NodeID      `json:"subject"`
	Incarnation Incarnation `json:"incarnation"`
	Round       Round       `json:"round"`
	Observer    NodeID      `json:"observer"`
	Verdict     Verdict     `json:"verdict"`
	At          int64       `json:"at"` // Unix milliseconds, by the observer's clock
	Signature   Signature   `json:"signature"`
}

// Rule says by which rule evidence condemns.
type Rule uint8

// The rules.
const (
	RuleMajority Rule = iota + 1 // H of K observers against, in one round
	// the suspicion ran out: nobody says reachable; in an open network at least two (of two members: one)
	// against
	RuleTimeout
	// no evidence: only what seeds see themselves, each for four seconds, and none may reach it
	RuleTrial
	// the same, and a seed has opened the case itself: the member was silent to its own probes for 4 s as a
	// suspect, or for 24 s, whatever observers said
	RuleWatch
)

// Observed reports whether a removal by the rule rests on what observers have
// signed, so that there is evidence.
func (r Rule) Observed() bool { return r == RuleMajority || r == RuleTimeout }

var ruleWords = [...]string{RuleMajority: "majority", RuleTimeout: "timeout", RuleTrial: "trial", RuleWatch: "watch"}

// String gives the rule's word.
func (r Rule) String() string { return word(ruleWords[:], int(r)) }

// MarshalText gives the form of String.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText takes the form of String.
func (r *Rule) UnmarshalText(text []byte) error {
	return parseWord("rule", ruleWords[:], text, (*uint8)(r))
}

// Evidence is why a member was condemned: the statements of one round.
// A node that is told of a death fetches it and counts for itself.
type Evidence struct {
	Subject     NodeID      `json:"subject"`
	Incarnation Incarnation `json:"incarnation"`
	Round       Round       `json:"round"`
	Rule        Rule        `json:"rule"`
	Accuser     NodeID      `json:"accuser"`
	Suspected   int64       `json:"suspected"` // Unix milliseconds, by the accuser's clock: when the suspicion began
	Condemned   int64       `json:"condemned"` // Unix milliseconds, by the accuser's clock
	Observers   uint8       `json:"observers"` // K, by the accuser's roster
	Needed      uint8       `json:"needed"`    // H
	Statements  []Statement `json:"statements"`
}

// Against counts the statements that say unreachable.
func (e *Evidence) Against() int { return e.count(VerdictUnreachable) }

// Reachable counts the statements that say reachable.
func (e *Evidence) Reachable() int { return e.count(VerdictReachable) }

func (e *Evidence) count(v Verdict) int {
	n := 0
	for i := range e.Statements {
		if e.Statements[i].Verdict == v {
			n++
		}
	}
	return n
}

// Hash is the SHA-256 of the canonical bytes.
func (e *Evidence) Hash(network NetworkID) Hash {
	b := append(make([]byte, 0, 128+len(e.Statements)*128), "hearsay evidence\x00"...)
	b = append(b, network[:]...)
	b = append(b, e.Subject[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Incarnation))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Round))
	b = append(b, byte(e.Rule))
	b = append(b, e.Accuser[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Suspected))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Condemned))
	b = append(b, e.Observers, e.Needed, byte(len(e.Statements)))
	for i := range e.Statements {
		b = e.Statements[i].appendUnsigned(b)
		b = append(b, e.Statements[i].Signature[:]...)
	}
	return sha256.Sum256(b)
}

// AppendSigned appends the bytes that the subject's signature of a claim
// covers: network, key, incarnation, stays or leaves, role, address, name.
// Every field but the last has a fixed size, so no two claims share bytes.
func (c *Claim) AppendSigned(dst []byte, network NetworkID) []byte {
	dst = LedgerID{Network: network}.AppendSubject(dst, "hearsay claim")
	dst = append(dst, c.Card.Key[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.Incarnation))
	dst = append(dst, byte(c.signedState()), byte(c.Card.Role))
	dst = canonical.AppendAddr(dst, c.Card.Addr)
	return append(dst, c.Card.Name...)
}

// Sign makes c the word of the signer: it sets key, subject and signature.
func (c *Claim) Sign(network NetworkID, signer Signer) {
	c.Card.Key = signer.Public()
	c.Subject = c.Card.Key.NodeID()
	var buf [256]byte
	c.Card.Signature = signer.Sign(c.AppendSigned(buf[:0], network))
}

// Verify reports whether the subject itself signed the card and incarnation.
func (c *Claim) Verify(network NetworkID, signer Signer) bool {
	var buf [256]byte
	return c.Subject == c.Card.Key.NodeID() &&
		signer.Verify(c.Card.Key, c.AppendSigned(buf[:0], network), c.Card.Signature)
}

// AppendSigned appends the bytes that the observer's signature covers.
func (s *Statement) AppendSigned(dst []byte, ledger LedgerID) []byte {
	return s.appendUnsigned(ledger.AppendSubject(dst, "hearsay statement"))
}

func (s *Statement) appendUnsigned(dst []byte) []byte {
	dst = append(dst, s.Subject[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Incarnation))
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Round))
	dst = append(dst, s.Observer[:]...)
	dst = append(dst, byte(s.Verdict))
	return binary.BigEndian.AppendUint64(dst, uint64(s.At))
}

// Sign makes s the word of the signer.
func (s *Statement) Sign(ledger LedgerID, signer Signer) {
	s.Observer = signer.Public().NodeID()
	var buf [192]byte
	s.Signature = signer.Sign(s.AppendSigned(buf[:0], ledger))
}

// Verify reports whether the holder of key signed s.
func (s *Statement) Verify(ledger LedgerID, signer Signer, key PublicKey) bool {
	var buf [192]byte
	return s.Observer == key.NodeID() &&
		signer.Verify(key, s.AppendSigned(buf[:0], ledger), s.Signature)
}

// CaseFile is all that one node can tell of one member.
type CaseFile struct {
	Member  Member `json:"member"`
	Verdict string `json:"verdict"` // a state's word; of one never in "barred", "refused" or "unknown"
	Summary string `json:"summary"` // one paragraph that a person can read
	// by rule what would have changed the outcome, or can: which answer, by when
	Nearest string `json:"nearest,omitempty"`
	Steps   []Step `json:"steps"` // oldest first

	Promises []Promise `json:"promises,omitempty"` // what Nearest says of times, for programs
}

// Promise is what comes of a case by some time, if the member goes on not answering and nothing
// else fails meanwhile.
type Promise struct {
	What PromiseKind `json:"what"`
	By   time.Time   `json:"by"` // about, by the clock of the node that tells it

	// when what was promised before was given up: a case about the same came to nothing then, a quorum of seeds was heard
	// again, or the member was suspect no more; zero: nothing was
	Again time.Time `json:"again,omitzero"`

	// of an open case: one answer to any seed that has not voted to remove the member keeps it in
	AnySeed bool `json:"any_seed,omitempty"`
}

// PromiseKind is what is promised.
type PromiseKind uint8

// The kinds.
const (
	PromiseBrought PromiseKind = iota + 1 // a case about it is opened
	PromiseRemoved                        // it is out by a ruling
	PromiseDecided                        // the open case has ended, either way
)

var promiseWords = [...]string{PromiseBrought: "brought", PromiseRemoved: "removed", PromiseDecided: "decided"}

// String gives the kind's word.
func (k PromiseKind) String() string { return word(promiseWords[:], int(k)) }

// MarshalText gives the form of String.
func (k PromiseKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText takes the form of String.
func (k *PromiseKind) UnmarshalText(text []byte) error {
	return parseWord("promise", promiseWords[:], text, (*uint8)(k))
}

// Step is one thing that happened in a case.
type Step struct {
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"` // an EventKind's word
	By     string    `json:"by"`   // the name of the node that did or said it
	Text   string    `json:"text"`
	Detail string    `json:"detail,omitempty"`
}

// MarshalText gives 16 hexadecimal digits: a round is a name, not a number to
// reckon with, and JavaScript would round it.
func (r Round) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%016x", uint64(r)), nil
}

// UnmarshalText takes the form of MarshalText.
func (r *Round) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 64)
	*r = Round(n)
	return err
}

// MarshalText gives the form of String.
func (k PublicKey) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, k[:]), nil }

// MarshalText gives 128 hexadecimal digits.
func (s Signature) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s[:]), nil }

// UnmarshalText takes the form of MarshalText.
func (k *PublicKey) UnmarshalText(text []byte) error { return parseHex("public key", k[:], text) }

// UnmarshalText takes the form of MarshalText.
func (s *Signature) UnmarshalText(text []byte) error { return parseHex("signature", s[:], text) }

// Title says for a log what evidence against a member rests on.
func (e *Evidence) Title() string {
	switch {
	case e.Against() >= int(e.Needed):
		return EventCondemned.Title()
	case e.Against() > 0:
		return "The suspicion of a member ran out: the observers that said whether they reach it do not"
	}
	return "The suspicion of a member ran out: no observer said whether it reaches the member"
}
