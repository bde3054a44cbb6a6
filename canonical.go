package hearsay

import (
	"encoding/binary"
	"net/netip"
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
	dst = appendAddr(dst, c.Card.Addr)
	return AppendText(dst, c.Card.Name)
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

// AppendText appends at most 255 bytes of text, with their number in front.
func AppendText(dst []byte, text string) []byte {
	text = text[:min(len(text), 255)]
	return append(append(dst, byte(len(text))), text...)
}

// Canonical takes values off the front of canonical bytes. The first failure
// stays, and from then on every value is zero, so callers look once, at the
// end.
type Canonical struct {
	bytes  []byte
	failed bool
	drop   Drop // why, once failed
}

// NewCanonical reads b, which must stay as it is.
func NewCanonical(b []byte) *Canonical { return &Canonical{bytes: b} }

// Left is how many bytes are still to be taken.
func (c *Canonical) Left() int { return len(c.bytes) }

// Failed reports whether the bytes were not canonical.
func (c *Canonical) Failed() bool { return c.failed }

// Drop is why a packet of these bytes is to be dropped, if they failed: they
// end too early, a list in them is longer than its limit, or they are
// malformed.
func (c *Canonical) Drop() Drop { return c.drop }

// Fail makes the bytes not canonical.
func (c *Canonical) Fail() { c.failFor(DropMalformed) }

func (c *Canonical) failFor(drop Drop) {
	if !c.failed {
		c.drop = drop
	}
	c.failed, c.bytes = true, nil
}

// number fails if n elements are more than a list may have, and then gives 0.
func (c *Canonical) number(n uint32, limit int) int {
	if uint64(n) > uint64(limit) {
		c.failFor(DropOversized)
		return 0
	}
	return int(n)
}

// Take gives the next n bytes, or none.
func (c *Canonical) Take(n int) []byte {
	if n < 0 || n > len(c.bytes) {
		c.failFor(DropTruncated)
		return nil
	}
	b := c.bytes[:n:n]
	c.bytes = c.bytes[n:]
	return b
}

// Byte gives the next byte.
func (c *Canonical) Byte() byte {
	if b := c.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// Uint64 gives the next 8 bytes as a number.
func (c *Canonical) Uint64() uint64 {
	if b := c.Take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Uint32 gives the next 4 bytes as a number.
func (c *Canonical) Uint32() uint32 {
	if b := c.Take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// Text gives the next text.
func (c *Canonical) Text() string { return string(c.Take(int(c.Byte()))) }

// NodeID gives the next identity.
func (c *Canonical) NodeID() (id NodeID) { copy(id[:], c.Take(len(id))); return id }

// Hash gives the next hash.
func (c *Canonical) Hash() (h Hash) { copy(h[:], c.Take(len(h))); return h }

// Key gives the next public key.
func (c *Canonical) Key() (k PublicKey) { copy(k[:], c.Take(len(k))); return k }

// Signature gives the next signature.
func (c *Canonical) Signature() (s Signature) { copy(s[:], c.Take(len(s))); return s }

// Life gives the next life.
func (c *Canonical) Life() (l Life) { copy(l[:], c.Take(len(l))); return l }

// Stay gives the next stay.
func (c *Canonical) Stay() Stay { return Stay{ID: c.NodeID(), Epoch: Epoch(c.Uint64())} }

// Seats gives the next list of seats: distinct slots in ascending order.
func (c *Canonical) Seats() []Seat {
	n := c.number(uint32(c.Byte()), MaxSeeds)
	var seats []Seat
	for range n {
		seat := Seat{Slot: c.Byte(), Key: c.Key(), Life: c.Life()}
		if c.failed || seat.Slot >= MaxSeeds || len(seats) > 0 && seat.Slot <= seats[len(seats)-1].Slot {
			c.Fail()
			return nil
		}
		seats = append(seats, seat)
	}
	return seats
}

// Addr gives the next address: one at which somebody can be reached.
func (c *Canonical) Addr() netip.AddrPort {
	ip, port := c.Take(16), c.Take(2)
	if c.failed {
		return netip.AddrPort{}
	}
	addr := netip.AddrPortFrom(netip.AddrFrom16([16]byte(ip)).Unmap(), binary.BigEndian.Uint16(port))
	if addr.Port() == 0 || addr.Addr().IsUnspecified() || addr.Addr().IsMulticast() {
		c.Fail()
	}
	return addr
}

// Claim gives the next claim of alive with its card.
func (c *Canonical) Claim() Claim {
	claim := Claim{Subject: c.NodeID(), State: StateAlive, Incarnation: Incarnation(c.Uint64())}
	claim.Card = Card{Key: c.Key(), Signature: c.Signature(), Role: Role(c.Byte()), Addr: c.Addr(), Name: c.Text()}
	guest := claim.Card.Key.IsZero()
	if !c.failed && (!guest && claim.Card.Key.Weak() || claim.Card.Role < RolePeer || claim.Card.Role > RoleSeed || CheckName(claim.Card.Name) != nil) {
		c.Fail()
	}
	if c.failed {
		return Claim{}
	}
	return claim
}

// Evidence gives the next evidence.
func (c *Canonical) Evidence() *Evidence {
	e := &Evidence{
		Subject: c.NodeID(), Incarnation: Incarnation(c.Uint64()), Round: Round(c.Uint64()), Rule: Rule(c.Byte()),
		Accuser: c.NodeID(), Suspected: int64(c.Uint64()), Condemned: int64(c.Uint64()), Observers: c.Byte(), Needed: c.Byte(),
	}
	n := c.number(uint32(c.Byte()), MaxStatements)
	if e.Rule < RuleMajority || e.Rule > RuleTimeout {
		c.Fail()
		n = 0
	}
	for range n {
		s := Statement{Subject: e.Subject, Incarnation: e.Incarnation, Round: e.Round}
		s.Observer, s.Verdict, s.At, s.Signature = c.NodeID(), Verdict(c.Byte()), int64(c.Uint64()), c.Signature()
		if c.failed || s.Verdict < VerdictReachable || s.Verdict > VerdictAbstains {
			c.Fail()
			break
		}
		e.Statements = append(e.Statements, s)
	}
	if c.failed {
		return nil
	}
	return e
}

// Ballot gives the next ballot.
func (c *Canonical) Ballot() Ballot {
	b := Ballot{
		Case: CaseID(c.Uint64()), About: c.Hash(), Stay: c.Stay(), Slot: c.Byte(), Life: c.Life(), Verdict: BallotVerdict(c.Byte()),
		At: int64(c.Uint64()), Signature: c.Signature(), Why: c.Why(),
	}
	if b.Slot >= MaxSeeds || b.Verdict < BallotNo || b.Verdict > BallotYes {
		c.Fail()
	}
	if c.failed {
		return Ballot{}
	}
	return b
}

// Ballots gives the next list of ballots.
func (c *Canonical) Ballots() []Ballot {
	n := c.number(uint32(c.Byte()), MaxSeeds)
	var ballots []Ballot
	for i := 0; i < n && !c.failed; i++ {
		ballots = append(ballots, c.Ballot())
	}
	if c.failed {
		return nil
	}
	return ballots
}

// Ruling gives the next ruling.
func (c *Canonical) Ruling() *Ruling {
	r := &Ruling{Epoch: Epoch(c.Uint64()), Kind: RulingKind(c.Byte()), Stay: c.Stay(), Key: c.Key()}
	if r.Kind < RulingAdmit || r.Kind > RulingRecover {
		c.Fail()
	}
	if r.Kind == RulingAdmit {
		r.Claim = c.Claim()
	}
	r.Seats, r.Case, r.Rule = c.Seats(), CaseID(c.Uint64()), Rule(c.Byte())
	if r.Rule > RuleWatch {
		c.Fail()
	}
	r.Ballots = c.Ballots()
	if r.Kind == RulingLeave {
		r.Leave = c.Signature()
	}
	r.Evidence, r.At, r.Previous, r.Roster = c.Hash(), int64(c.Uint64()), c.Hash(), c.Hash()
	if c.failed {
		return nil
	}
	return r
}
