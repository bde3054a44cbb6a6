package hearsay

import (
	"net/netip"
	"time"
)

// Card is what a member says of itself, signed by itself: its key, its name and where
// it can be reached. What was signed is the card, the incarnation, and whether
// the member stays or leaves.
type Card struct {
	Key       PublicKey
	Name      string
	Addr      netip.AddrPort
	Role      Role
	Signature Signature
}

// Claim is what is said of a member. A claim of alive or left is the member's
// own word; suspect and dead are said by others, of an incarnation that the
// member itself has signed.
//
// A bare claim carries no card: it is enough for a node that holds the card of
// that incarnation.
type Claim struct {
	Subject     NodeID
	State       State
	Incarnation Incarnation
	By          NodeID        // suspect: the accuser; dead: the member that condemned it
	Evidence    Hash          // dead: the hash of the evidence, to be fetched from the node that says it
	Age         time.Duration // dead, left: how long it has been so; whole seconds
	Card        Card
}

// Bare reports whether the claim comes without the subject's card.
func (c *Claim) Bare() bool { return c.Card.Key.IsZero() }

// Supersedes reports whether c wins over o, another claim about the same
// subject: the higher incarnation, which only the subject can raise; within
// one incarnation left over dead over suspect over alive (SWIM, section 4.2;
// left is ours).
func (c *Claim) Supersedes(o *Claim) bool {
	if c.Incarnation != o.Incarnation {
		return c.Incarnation > o.Incarnation
	}
	return c.State > o.State
}

// signedState is the state that the subject's own signature stands for.
func (c *Claim) signedState() State {
	if c.State == StateLeft {
		return StateLeft
	}
	return StateAlive
}

// Member gives the member that the claim describes, in its state since then.
func (c *Claim) Member(since time.Time) Member {
	return Member{
		ID: c.Subject, Name: c.Card.Name, Addr: c.Card.Addr, Role: c.Card.Role,
		State: c.State, Incarnation: c.Incarnation, Since: since,
	}
}

// WireSizeMax is at least the number of bytes that the claim takes in a
// packet: what a protocol reckons with when it fills one. Package wire has
// the layout.
func (c *Claim) WireSizeMax() int {
	const (
		claim  = 2 + 1 + 16 + 10      // length, head, subject, incarnation
		by     = 16                   // suspect, dead
		proof  = 32                   // dead
		age    = 5                    // dead, left
		carded = 32 + 64 + 1 + 18 + 1 // key, signature, address, length of the name
	)
	size := claim
	switch c.State {
	case StateSuspect:
		size += by
	case StateDead:
		size += by + proof + age
	case StateLeft:
		size += age
	}
	if !c.Bare() {
		size += carded + len(c.Card.Name)
	}
	return size
}
