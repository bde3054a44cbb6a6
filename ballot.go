package hearsay

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
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

// GuestID names a node that speaks only another program's protocol: it has no
// key, so all that tells it from others is its address.
func GuestID(network NetworkID, addr netip.AddrPort) NodeID {
	b := append(make([]byte, 0, 64), "hearsay guest\x00"...)
	b = appendAddr(append(b, network[:]...), addr)
	sum := sha256.Sum256(b)
	return NodeID(sum[:16])
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
	dst = appendSubject(dst, "hearsay ballot", ledger)
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

// Leave is a member's signed word that its stay is over.
type Leave struct {
	Stay      Stay
	Signature Signature
}

// AppendSigned appends the bytes that the member's signature covers.
func (l *Leave) AppendSigned(dst []byte, ledger LedgerID) []byte {
	return AppendStay(appendSubject(dst, "hearsay leave", ledger), l.Stay)
}

// Sign makes l the word of the signer.
func (l *Leave) Sign(ledger LedgerID, signer Signer) {
	var buf [maxSubject + 24]byte
	l.Signature = signer.Sign(l.AppendSigned(buf[:0], ledger))
}

// Verify reports whether the holder of key, and nobody else, signed l.
func (l *Leave) Verify(ledger LedgerID, signer Signer, key PublicKey) bool {
	var buf [maxSubject + 24]byte
	return l.Stay.ID == key.NodeID() &&
		signer.Verify(key, l.AppendSigned(buf[:0], ledger), l.Signature)
}

// Sign makes m the word of the signer: it sets key and signature.
func (m *SeatHello) Sign(network NetworkID, signer Signer) {
	m.Key = signer.Public()
	m.Signature = signer.Sign(m.AppendSigned(nil, network))
}

// Verify reports whether the holder of m's key signed it.
func (m *SeatHello) Verify(network NetworkID, signer Signer) bool {
	return signer.Verify(m.Key, m.AppendSigned(nil, network), m.Signature)
}

// Sign makes m the word of the signer.
func (m *Raft) Sign(network NetworkID, signer Signer) {
	m.Signature = signer.Sign(m.AppendSigned(nil, network))
}

// Verify reports whether the holder of key signed m.
func (m *Raft) Verify(network NetworkID, signer Signer, key PublicKey) bool {
	return signer.Verify(key, m.AppendSigned(make([]byte, 0, m.Room()), network), m.Signature)
}

// HashSeeds is the hash of a configuration: the addresses of all seeds.
func HashSeeds(network NetworkID, addrs []netip.AddrPort) Hash {
	b := append(make([]byte, 0, 256), "hearsay seeds\x00"...)
	b = append(b, network[:]...)
	for _, addr := range addrs {
		b = appendAddr(b, addr)
	}
	return sha256.Sum256(b)
}
