package hearsay

// LinkKind is why two members are linked.
type LinkKind uint8

// The kinds.
const (
	LinkRing   LinkKind = iota + 1 // neighbors on a ring: computed from the roster
	LinkRandom                     // drawn, and agreed upon by the two
)

var linkWords = [...]string{"unknown", LinkRing: "ring", LinkRandom: "random"}

// String gives the kind's word.
func (k LinkKind) String() string { return word(linkWords[:], int(k)) }

// MarshalText gives the form of String.
func (k LinkKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText takes the form of String.
func (k *LinkKind) UnmarshalText(text []byte) error {
	return parseWord("link", linkWords[:], text, (*uint8)(k))
}

// Link is a link of the overlay between two members, A before B.
type Link struct {
	A    NodeID   `json:"a"`
	B    NodeID   `json:"b"`
	Kind LinkKind `json:"kind"`
}

// LinkOf is the link between two members.
func LinkOf(a, b NodeID, kind LinkKind) Link {
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	return Link{A: a, B: b, Kind: kind}
}
