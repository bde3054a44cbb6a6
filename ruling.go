package hearsay

import (
	"crypto/sha256"
	"encoding/binary"
)

// Epoch numbers the changes of a roster in a seeded network. Epoch 0 is the
// founding: nobody is in.
type Epoch uint64

// Stay is one membership of one node: it begins with the epoch that admitted
// it, and never comes back once it is over. Reports, cases, ballots and leaves
// name a stay, so that nothing old counts for a new one.
type Stay struct {
	ID    NodeID `json:"id"`
	Epoch Epoch  `json:"epoch,omitzero"` // 0: not admitted yet
}

// CaseID numbers a case: the index of the log entry that opened it times
// CasesAnEntry, plus its place in the entry. Entries gather cases, so that a
// thousand nodes that join together are no thousand writes.
type CaseID uint64

// CasesAnEntry bounds what one log entry gathers.
const CasesAnEntry = 1 << 10

// Index is the log entry that opened the case.
func (c CaseID) Index() uint64 { return uint64(c) / CasesAnEntry }

// RulingKind is what a ruling changes.
type RulingKind uint8

// The kinds.
const (
	RulingAdmit   RulingKind = iota + 1 // a quorum of seeds admitted a node: a stay begins
	RulingRemove                        // a quorum of seeds found a member unreachable: its stay is over
	RulingLeave                         // a member said so itself, signed: its stay is over
	RulingSeat                          // a quorum of seeds gave a seat to a new life of its seed
	RulingRecover                       // the quorum was lost for ever: one seed began anew, with these seats
	NumRulingKinds
)

var rulingWords = [...]string{
	RulingAdmit: "admit", RulingRemove: "remove", RulingLeave: "leave", RulingSeat: "seat", RulingRecover: "recover",
}

// String gives the kind's word.
func (k RulingKind) String() string { return word(rulingWords[:], int(k)) }

// MarshalText gives the form of String.
func (k RulingKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText takes the form of String.
func (k *RulingKind) UnmarshalText(text []byte) error {
	return parseWord("ruling", rulingWords[:], text, (*uint8)(k))
}

// Ruling is a numbered change of the roster or of the seats, and the proof
// that it was decided as it must be. Its hash covers the one before, so that
// one hash stands for the whole ledger up to it.
type Ruling struct {
	Epoch Epoch      `json:"epoch"`
	Kind  RulingKind `json:"kind"`
	Stay  Stay       `json:"stay,omitzero"` // admit, remove, leave: an admitted stay has the ruling's own epoch
	Key   PublicKey  `json:"key,omitzero"`  // admit, remove, leave: of the node; zero for a guest
	// admit: as the node signed it; the card of a guest has no key and no signature
	Claim    Claim     `json:"-"`
	Seats    []Seat    `json:"seats,omitempty"`   // seat: the one that changed; recover: all of them
	Case     CaseID    `json:"case"`              // that decided it, or the place of the leave in the log
	Rule     Rule      `json:"rule,omitzero"`     // remove: by which the case was tried
	Ballots  []Ballot  `json:"ballots"`           // admit, remove, seat: those that counted, in the order of the log
	Leave    Signature `json:"leave,omitzero"`    // leave: the member's own
	Evidence Hash      `json:"evidence,omitzero"` // remove: of what was reported; zero if nothing was
	// Unix milliseconds, by the clock of the seed that wrote the last entry to it
	At       int64 `json:"at"`
	Previous Hash  `json:"previous"` // of the ruling before; of the first, the founding's
	Roster   Hash  `json:"roster"`   // of all stays after it
}

// Hash is the SHA-256 of the canonical bytes.
func (r *Ruling) Hash(network NetworkID) Hash {
	b := append(make([]byte, 0, 1024), "hearsay ruling\x00"...)
	b = append(b, network[:]...)
	return sha256.Sum256(r.AppendBinary(b))
}

// About is the hash of what a case is about, as far as its ruling has that too:
// so each node that has a ruling can see that its ballots are about nothing else. Of
// an admission it is the claim, of a removal the stay, the rule and the
// evidence, of a seat the life that is to have it.
func (r *Ruling) About(network NetworkID) Hash {
	b := append(make([]byte, 0, 512), "hearsay about\x00"...)
	b = append(append(b, network[:]...), byte(r.Kind))
	switch r.Kind {
	case RulingAdmit:
		b = r.Claim.AppendBinary(b)
	case RulingRemove:
		b = append(AppendStay(b, r.Stay), byte(r.Rule))
		b = append(b, r.Evidence[:]...)
	case RulingSeat:
		b = AppendSeats(b, r.Seats)
	}
	return sha256.Sum256(b)
}

// Head is one seed's signature that the ledger up to an epoch has this hash.
// Heads of a quorum of seats are what makes others believe it.
type Head struct {
	Founding  Hash      `json:"founding"` // of the ledger (LedgerID)
	Epoch     Epoch     `json:"epoch"`
	Hash      Hash      `json:"hash"`
	Slot      uint8     `json:"slot"`
	Signature Signature `json:"signature"`
}

// AppendSigned appends the bytes that the seed's signature covers.
func (h *Head) AppendSigned(dst []byte, network NetworkID) []byte {
	dst = LedgerID{network, h.Founding}.AppendSubject(dst, "hearsay head")
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.Epoch))
	dst = append(dst, h.Hash[:]...)
	return append(dst, h.Slot)
}

// Sign makes h the word of the signer.
func (h *Head) Sign(network NetworkID, signer Signer) {
	var buf [128]byte
	h.Signature = signer.Sign(h.AppendSigned(buf[:0], network))
}

// Verify reports whether the holder of key signed h.
func (h *Head) Verify(network NetworkID, signer Signer, key PublicKey) bool {
	var buf [128]byte
	return signer.Verify(key, h.AppendSigned(buf[:0], network), h.Signature)
}

// QuorumOf is how many of n seeds decide: floor(n/2)+1.
func QuorumOf(n int) int { return n/2 + 1 }
