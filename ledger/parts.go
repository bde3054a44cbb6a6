package ledger

import (
	"math/rand/v2"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// What one step does of what may be too much for one.
const (
	JoinsAStep    = 256 // members of a roster that a step looks at, at some 0.5 µs each
	VerifiesAStep = 4   // claims of a roster, at some 60 to 100 µs each

	// RestEach is the time between two such steps: half of it is left for all else.
	RestEach = time.Millisecond
)

// Cursor is a place in the parts of a roster.
type Cursor struct{ Part, Member int }

// OwnClaim reports whether a claim of a roster may be its subject's: the ruling proves
// the stays only. What a key has signed is verified once the stays are proven; a
// guest has signed nothing, but its address is its identity.
func OwnClaim(network hearsay.NetworkID, c *hearsay.Claim) bool {
	if c.Card.Key.IsZero() {
		return core.GuestDialect(network, c.Card.Addr, c.Subject) != 0
	}
	return c.Subject == c.Card.Key.NodeID()
}

// RosterPartsOf counts the messages that a roster of so many members takes.
func RosterPartsOf(members int) int {
	return max(1, (members+core.MaxRosterMembers-1)/core.MaxRosterMembers)
}

// RosterParts cuts a roster as of a ruling into messages. They begin anywhere:
// where there is no room for all of them, other ones get there the next time.
func RosterParts(random *rand.Rand, r *hearsay.Ruling, heads []hearsay.Head, all []Member) (parts []*core.RosterPart) {
	n, first := RosterPartsOf(len(all)), 0
	if n > 1 {
		first = random.IntN(n)
	}
	for i := range n {
		i = (first + i) % n
		part := &core.RosterPart{Ruling: r, Heads: heads, Part: uint16(i), Parts: uint16(n)}
		for _, m := range all[i*len(all)/n : (i+1)*len(all)/n] {
			part.Members = append(part.Members, core.RosterMember{Stay: m.Stay, Claim: m.Claim})
		}
		parts = append(parts, part)
	}
	return parts
}
