package core

import (
	"hearsay"
	"hearsay/internal/canonical"
)

// Canonical takes values off the front of canonical bytes. The first failure
// stays, and from then on every value is zero, so callers look once, at the
// end.
type Canonical struct{ canonical.Reader }

// NewCanonical reads b, which must stay as it is.
func NewCanonical(b []byte) *Canonical { return &Canonical{canonical.NewReader(b)} }

// Drop is why a packet of these bytes is to be dropped, if they failed.
func (c *Canonical) Drop() hearsay.Drop {
	switch c.Fault() {
	case canonical.Truncated:
		return hearsay.DropTruncated
	case canonical.Oversized:
		return hearsay.DropOversized
	}
	return hearsay.DropMalformed
}

// NodeID gives the next identity.
func (c *Canonical) NodeID() (id hearsay.NodeID) { copy(id[:], c.Take(len(id))); return id }

// Hash gives the next hash.
func (c *Canonical) Hash() (h hearsay.Hash) { copy(h[:], c.Take(len(h))); return h }

// Key gives the next public key.
func (c *Canonical) Key() (k hearsay.PublicKey) { copy(k[:], c.Take(len(k))); return k }

// Signature gives the next signature.
func (c *Canonical) Signature() (s hearsay.Signature) { copy(s[:], c.Take(len(s))); return s }

// Life gives the next life.
func (c *Canonical) Life() (l hearsay.Life) { copy(l[:], c.Take(len(l))); return l }

// Why gives the next reason.
func (c *Canonical) Why() (w hearsay.Why) {
	w.ReadBinary(&c.Reader)
	return w
}

// Stay gives the next stay.
func (c *Canonical) Stay() hearsay.Stay {
	return hearsay.Stay{ID: c.NodeID(), Epoch: hearsay.Epoch(c.Uint64())}
}

// Seats gives the next list of seats: distinct slots in ascending order.
func (c *Canonical) Seats() []hearsay.Seat {
	n := c.Number(uint32(c.Byte()), hearsay.MaxSeeds)
	var seats []hearsay.Seat
	for range n {
		seat := hearsay.Seat{Slot: c.Byte(), Key: c.Key(), Life: c.Life()}
		if c.Failed() || seat.Slot >= hearsay.MaxSeeds || len(seats) > 0 && seat.Slot <= seats[len(seats)-1].Slot {
			c.Fail()
			return nil
		}
		seats = append(seats, seat)
	}
	return seats
}

// Claim gives the next claim of alive with its card.
func (c *Canonical) Claim() hearsay.Claim {
	claim := hearsay.Claim{Subject: c.NodeID(), State: hearsay.StateAlive, Incarnation: hearsay.Incarnation(c.Uint64())}
	claim.Card = hearsay.Card{Key: c.Key(), Signature: c.Signature(), Role: hearsay.Role(c.Byte()), Addr: c.Addr(), Name: c.Text()}
	guest := claim.Card.Key.IsZero()
	if !c.Failed() && (!guest && claim.Card.Key.Weak() || claim.Card.Role < hearsay.RolePeer || claim.Card.Role > hearsay.RoleSeed || hearsay.CheckName(claim.Card.Name) != nil) {
		c.Fail()
	}
	if c.Failed() {
		return hearsay.Claim{}
	}
	return claim
}

// Evidence gives the next evidence.
func (c *Canonical) Evidence() *hearsay.Evidence {
	e := &hearsay.Evidence{
		Subject: c.NodeID(), Incarnation: hearsay.Incarnation(c.Uint64()), Round: hearsay.Round(c.Uint64()), Rule: hearsay.Rule(c.Byte()),
		Accuser: c.NodeID(), Suspected: int64(c.Uint64()), Condemned: int64(c.Uint64()), Observers: c.Byte(), Needed: c.Byte(),
	}
	n := c.Number(uint32(c.Byte()), MaxStatements)
	if e.Rule < hearsay.RuleMajority || e.Rule > hearsay.RuleTimeout {
		c.Fail()
		n = 0
	}
	for range n {
		s := hearsay.Statement{Subject: e.Subject, Incarnation: e.Incarnation, Round: e.Round}
		s.Observer, s.Verdict, s.At, s.Signature = c.NodeID(), hearsay.Verdict(c.Byte()), int64(c.Uint64()), c.Signature()
		if c.Failed() || s.Verdict < hearsay.VerdictReachable || s.Verdict > hearsay.VerdictAbstains {
			c.Fail()
			break
		}
		e.Statements = append(e.Statements, s)
	}
	if c.Failed() {
		return nil
	}
	return e
}

// Ballot gives the next ballot.
func (c *Canonical) Ballot() hearsay.Ballot {
	b := hearsay.Ballot{
		Case: hearsay.CaseID(c.Uint64()), About: c.Hash(), Stay: c.Stay(), Slot: c.Byte(), Life: c.Life(), Verdict: hearsay.BallotVerdict(c.Byte()),
		At: int64(c.Uint64()), Signature: c.Signature(), Why: c.Why(),
	}
	if b.Slot >= hearsay.MaxSeeds || b.Verdict < hearsay.BallotNo || b.Verdict > hearsay.BallotYes {
		c.Fail()
	}
	if c.Failed() {
		return hearsay.Ballot{}
	}
	return b
}

// Ballots gives the next list of ballots.
func (c *Canonical) Ballots() []hearsay.Ballot {
	n := c.Number(uint32(c.Byte()), hearsay.MaxSeeds)
	var ballots []hearsay.Ballot
	for i := 0; i < n && !c.Failed(); i++ {
		ballots = append(ballots, c.Ballot())
	}
	if c.Failed() {
		return nil
	}
	return ballots
}

// Ruling gives the next ruling.
func (c *Canonical) Ruling() *hearsay.Ruling {
	r := &hearsay.Ruling{Epoch: hearsay.Epoch(c.Uint64()), Kind: hearsay.RulingKind(c.Byte()), Stay: c.Stay(), Key: c.Key()}
	if r.Kind < hearsay.RulingAdmit || r.Kind > hearsay.RulingRecover {
		c.Fail()
	}
	if r.Kind == hearsay.RulingAdmit {
		r.Claim = c.Claim()
	}
	r.Seats, r.Case, r.Rule = c.Seats(), hearsay.CaseID(c.Uint64()), hearsay.Rule(c.Byte())
	if r.Rule > hearsay.RuleWatch {
		c.Fail()
	}
	r.Ballots = c.Ballots()
	if r.Kind == hearsay.RulingLeave {
		r.Leave = c.Signature()
	}
	r.Evidence, r.At, r.Previous, r.Roster = c.Hash(), int64(c.Uint64()), c.Hash(), c.Hash()
	if c.Failed() {
		return nil
	}
	return r
}
