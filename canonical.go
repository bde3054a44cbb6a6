package hearsay

import (
	"encoding/binary"

	"hearsay/internal/canonical"
)

// The canonical bytes of what seeds sign, log and keep: numbers are big-endian
// and of a fixed size, and there is one way to write each value. Hashes are
// made of them, log entries and ledger records are.

// AppendStay appends the canonical bytes of a stay.
func AppendStay(dst []byte, s Stay) []byte {
	return binary.BigEndian.AppendUint64(append(dst, s.ID[:]...), uint64(s.Epoch))
}

// AppendSeats appends the canonical bytes of seats.
func AppendSeats(dst []byte, seats []Seat) []byte {
	dst = append(dst, byte(len(seats)))
	for i := range seats {
		dst = append(dst, seats[i].Slot)
		dst = append(dst, seats[i].Key[:]...)
		dst = append(dst, seats[i].Life[:]...)
	}
	return dst
}

// AppendBinary appends the canonical bytes of a claim of alive with its card.
func (c *Claim) AppendBinary(dst []byte) []byte {
	dst = append(dst, c.Subject[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.Incarnation))
	dst = append(dst, c.Card.Key[:]...)
	dst = append(dst, c.Card.Signature[:]...)
	dst = append(dst, byte(c.Card.Role))
	dst = canonical.AppendAddr(dst, c.Card.Addr)
	return canonical.AppendText(dst, c.Card.Name)
}

// AppendBinary appends the canonical bytes.
func (e *Evidence) AppendBinary(dst []byte) []byte {
	dst = append(dst, e.Subject[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Incarnation))
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Round))
	dst = append(dst, byte(e.Rule))
	dst = append(dst, e.Accuser[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Suspected))
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Condemned))
	dst = append(dst, e.Observers, e.Needed, byte(len(e.Statements)))
	for i := range e.Statements {
		s := &e.Statements[i]
		dst = append(dst, s.Observer[:]...)
		dst = append(dst, byte(s.Verdict))
		dst = binary.BigEndian.AppendUint64(dst, uint64(s.At))
		dst = append(dst, s.Signature[:]...)
	}
	return dst
}

// AppendBinary appends the canonical bytes.
func (b *Ballot) AppendBinary(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(b.Case))
	dst = append(dst, b.About[:]...)
	dst = AppendStay(dst, b.Stay)
	dst = append(dst, b.Slot)
	dst = append(dst, b.Life[:]...)
	dst = append(dst, byte(b.Verdict))
	dst = binary.BigEndian.AppendUint64(dst, uint64(b.At))
	return b.Why.AppendBinary(append(dst, b.Signature[:]...))
}

// AppendBinary appends the canonical bytes: what the ruling's hash covers.
func (r *Ruling) AppendBinary(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Epoch))
	dst = append(dst, byte(r.Kind))
	dst = AppendStay(dst, r.Stay)
	dst = append(dst, r.Key[:]...)
	if r.Kind == RulingAdmit {
		dst = r.Claim.AppendBinary(dst)
	}
	dst = AppendSeats(dst, r.Seats)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Case))
	dst = append(dst, byte(r.Rule), byte(len(r.Ballots)))
	for i := range r.Ballots {
		dst = r.Ballots[i].AppendBinary(dst)
	}
	if r.Kind == RulingLeave {
		dst = append(dst, r.Leave[:]...)
	}
	dst = append(dst, r.Evidence[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.At))
	dst = append(dst, r.Previous[:]...)
	return append(dst, r.Roster[:]...)
}

// AppendBinary appends the canonical bytes.
func (h *Head) AppendBinary(dst []byte) []byte {
	dst = append(dst, h.Founding[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.Epoch))
	dst = append(dst, h.Hash[:]...)
	dst = append(dst, h.Slot)
	return append(dst, h.Signature[:]...)
}
