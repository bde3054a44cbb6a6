package hearsay

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Life names one life of one seed: it is drawn with the data directory and
// kept in it. A seed that has lost its directory has another life, and does
// not vote until a quorum of the others has given it its seat again.
type Life [16]byte

// IsZero reports whether there is no life.
func (l Life) IsZero() bool { return l == Life{} }

// MarshalText gives 32 hexadecimal digits.
func (l Life) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, l[:]), nil }

// UnmarshalText takes the form of MarshalText.
func (l *Life) UnmarshalText(text []byte) error { return parseHex("life", l[:], text) }

// Seat is a slot of the configuration, and the key and life of the seed that has it.
type Seat struct {
	Slot uint8     `json:"slot"` // its place in the configuration, from 0
	Key  PublicKey `json:"key"`
	Life Life      `json:"-"` // zero: nobody has come yet
}

// MaxSeeds bounds the configuration. More than a handful of seeds only make
// every decision slower.
const MaxSeeds = 15

// RaftID names a life of a seat in the replicated log. It is never zero, and
// below the numbers that Raft keeps for itself.
func (s Seat) RaftID(network NetworkID) uint64 {
	b := append(make([]byte, 0, 64), "hearsay raft id\x00"...)
	b = append(append(b, network[:]...), s.Slot)
	b = append(b, s.Life[:]...)
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:8])>>1 | 1
}

// BallotVerdict is a seed's own answer to the question of a case.
type BallotVerdict uint8

// The verdicts.
const (
	BallotNo  BallotVerdict = iota + 1 // it must not be: what this seed saw speaks against it
	BallotYes                          // this seed has checked it itself
)

var ballotWords = [...]string{BallotNo: "no", BallotYes: "yes"}

// String gives the verdict's word.
func (v BallotVerdict) String() string { return word(ballotWords[:], int(v)) }

// MarshalText gives the form of String.
func (v BallotVerdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText takes the form of String.
func (v *BallotVerdict) UnmarshalText(text []byte) error {
	return parseWord("ballot", ballotWords[:], text, (*uint8)(v))
}

// MaxWhyLen bounds what an operator or a seed gives as the reason of something in words, in bytes.
const MaxWhyLen = 240

// Ballot is one seed's own verdict on one case, after its own check. It counts
// once it is an entry of the replicated log. What is signed is the ledger,
// the case and what it is about, the stay, the life, the verdict, and the
// reason.
//
//	leader                  seeds, each for itself
//	   |--- entry: case ------->|   its own check: probes, evidence
//	   |<------------ ballot ---|   proposed until it is an entry
//	   |--- entry: ballots ---->|   a quorum of equal ones: Ruling
type Ballot struct {
	Case      CaseID        `json:"case"`
	About     Hash          `json:"about"` // of what the case is about: the very card, evidence or seat (Ruling.About)
	Stay      Stay          `json:"stay"`
	Slot      uint8         `json:"slot"`
	Life      Life          `json:"-"`
	Verdict   BallotVerdict `json:"verdict"`
	Why       Why           `json:"why,omitzero"`
	At        int64         `json:"at"` // Unix milliseconds, by the seed's clock
	Signature Signature     `json:"signature"`
}

// AppendSigned appends the bytes that the seed's signature covers.
func (b *Ballot) AppendSigned(dst []byte, ledger LedgerID) []byte {
	dst = ledger.AppendSubject(dst, "hearsay ballot")
	dst = binary.BigEndian.AppendUint64(dst, uint64(b.Case))
	dst = append(dst, b.About[:]...)
	dst = AppendStay(dst, b.Stay)
	dst = append(dst, b.Slot)
	dst = append(dst, b.Life[:]...)
	dst = append(dst, byte(b.Verdict))
	return b.Why.AppendBinary(binary.BigEndian.AppendUint64(dst, uint64(b.At)))
}

// Sign makes b the word of the signer.
func (b *Ballot) Sign(ledger LedgerID, signer Signer) {
	var buf [256]byte
	b.Signature = signer.Sign(b.AppendSigned(buf[:0], ledger))
}

// Verify reports whether the holder of key signed b.
func (b *Ballot) Verify(ledger LedgerID, signer Signer, key PublicKey) bool {
	var buf [256]byte
	return signer.Verify(key, b.AppendSigned(buf[:0], ledger), b.Signature)
}
