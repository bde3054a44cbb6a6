package wire

import (
	"encoding/binary"
	"math"
	"time"

	"hearsay"
)

// maxAge bounds the age of a death or leave: far longer than anybody
// remembers one.
const maxAge = 365 * 24 * time.Hour

// The head of a claim.
const (
	headState     = 0b0000_0111
	headRole      = 0b0001_1000
	headRoleShift = 3
	headReserved  = 0b1110_0000
)

// Which fields a claim has follows from its state.
func hasBy(s hearsay.State) bool       { return s == hearsay.StateSuspect || s == hearsay.StateDead }
func hasEvidence(s hearsay.State) bool { return s == hearsay.StateDead }
func hasAge(s hearsay.State) bool      { return s == hearsay.StateDead || s == hearsay.StateLeft }

// appendClaim leaves a gap of 2 bytes for the length of a claim with a card,
// which takes at least 128 with any real incarnation.
func appendClaim(dst []byte, c *hearsay.Claim) []byte {
	at, bare, gap := len(dst), c.Bare(), 2
	if bare {
		gap = 1
	}
	dst = append(dst, 0, 0)[:at+gap]
	dst = append(dst, headOf(c, bare))
	dst = append(dst, c.Subject[:]...)
	dst = binary.AppendUvarint(dst, uint64(c.Incarnation))
	if hasBy(c.State) {
		dst = append(dst, c.By[:]...)
	}
	if hasEvidence(c.State) {
		dst = append(dst, c.Evidence[:]...)
	}
	if hasAge(c.State) {
		age := min(max(0, c.Age), maxAge)
		dst = binary.AppendUvarint(dst, uint64(age/time.Second))
	}
	if !bare {
		dst = append(dst, c.Card.Key[:]...)
		dst = append(dst, c.Card.Signature[:]...)
		dst = appendAddr(dst, c.Card.Addr)
		dst = append(dst, byte(min(len(c.Card.Name), math.MaxUint8)))
		dst = append(dst, c.Card.Name...)
	}
	return closeSized(dst, at, gap)
}

// headOf gives the head of c. A state or role that does not exist becomes
// another that does not, rather than one that does.
func headOf(c *hearsay.Claim, bare bool) byte {
	const noRole = headRole >> headRoleShift
	head := min(byte(c.State), headState)
	switch {
	case bare:
	case c.Card.Role == 0:
		head |= noRole << headRoleShift
	default:
		head |= min(byte(c.Card.Role), noRole) << headRoleShift
	}
	return head
}

// readClaim reads into c, which is zero.
func (d *Decoder) readClaim(r *reader, c *hearsay.Claim) {
	head := r.byte()
	c.State = hearsay.State(head & headState)
	role := hearsay.Role(head & headRole >> headRoleShift)
	if head&headReserved != 0 || c.State < hearsay.StateAlive || c.State > hearsay.StateLeft || role > hearsay.RoleSeed {
		r.fail(hearsay.DropMalformed)
		return
	}
	c.Subject = r.id()
	c.Incarnation = hearsay.Incarnation(r.uvarint())
	if hasBy(c.State) {
		c.By = r.id()
	}
	if hasEvidence(c.State) {
		c.Evidence = r.hash()
	}
	if hasAge(c.State) {
		seconds := r.uvarint()
		if seconds > uint64(maxAge/time.Second) {
			r.fail(hearsay.DropMalformed)
			return
		}
		c.Age = time.Duration(seconds) * time.Second
	}
	if role != 0 {
		c.Card.Role = role
		d.readCard(r, c)
	}
}

func (d *Decoder) readCard(r *reader, c *hearsay.Claim) {
	c.Card.Key = r.key()
	c.Card.Signature = r.signature()
	c.Card.Addr = r.addr()
	name := r.take(int(r.byte()))
	if r.failed {
		return
	}
	var ok bool
	if c.Card.Name, ok = d.name(c.Subject, name); !ok || c.Card.Key.Weak() {
		r.fail(hearsay.DropMalformed)
	}
}

// name gives b as a string: the one it made before, if the subject bore the
// same name then. Not ok is a name that breaks the rules.
func (d *Decoder) name(subject hearsay.NodeID, b []byte) (string, bool) {
	if d.names == nil {
		d.names = new([256]string)
	}
	kept := &d.names[subject[0]] // ids are hashes: one byte spreads them well
	if string(b) == *kept && len(b) > 0 {
		return *kept, true
	}
	name := string(b)
	if hearsay.CheckName(name) != nil {
		return "", false
	}
	*kept = name
	return name, true
}
