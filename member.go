package hearsay

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"time"
	"unicode"
	"unicode/utf8"
)

// NodeID names one identity for ever: the first 16 bytes of the SHA-256 of its
// Ed25519 public key. Two nodes of one name have two NodeIDs.
type NodeID [16]byte

// IsZero reports whether id names nobody.
func (id NodeID) IsZero() bool { return id == NodeID{} }

// String gives all 32 hexadecimal digits.
func (id NodeID) String() string { return hex.EncodeToString(id[:]) }

// Short gives the first 8 hexadecimal digits: enough for a person to tell
// members apart, not enough to name one in a protocol.
func (id NodeID) Short() string { return hex.EncodeToString(id[:4]) }

// Compare orders identities by their bytes.
func (id NodeID) Compare(other NodeID) int { return bytes.Compare(id[:], other[:]) }

// MarshalText gives the form of String.
func (id NodeID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText takes the form of String.
func (id *NodeID) UnmarshalText(text []byte) error { return parseHex("node id", id[:], text) }

// NetworkID is what every packet carries to say which network it belongs to:
// the first 8 bytes of the SHA-256 of the network's name.
type NetworkID [8]byte

// NetworkIDOf derives the id of the network with this name.
func NetworkIDOf(name string) NetworkID {
	sum := sha256.Sum256([]byte("hearsay network\x00" + name))
	return NetworkID(sum[:8])
}

// String gives all 16 hexadecimal digits.
func (id NetworkID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText gives the form of String.
func (id NetworkID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText takes the form of String.
func (id *NetworkID) UnmarshalText(text []byte) error { return parseHex("network id", id[:], text) }

// UnmarshalJSON takes the form of String, or a list of numbers, as ledgers have
// it that were saved before there was one.
func (id *NetworkID) UnmarshalJSON(text []byte) error {
	var digits string
	if json.Unmarshal(text, &digits) == nil {
		return id.UnmarshalText([]byte(digits))
	}
	var numbers []uint16
	if err := json.Unmarshal(text, &numbers); err != nil || len(numbers) != len(id) {
		return fmt.Errorf("network id %.64s: want %d hexadecimal digits", text, 2*len(id))
	}
	for i, n := range numbers {
		if n > math.MaxUint8 {
			return fmt.Errorf("network id %.64s: %d is no byte", text, n)
		}
		id[i] = byte(n)
	}
	return nil
}

// MaxNameLen is the longest name of a member, in bytes of UTF-8.
const MaxNameLen = 64

// CheckName says what is wrong with a member's name, if anything: it must be
// 1 to MaxNameLen bytes of UTF-8, plain characters (IsPlain) without spaces or slashes,
// and not "." or "..", so that it can stand in a log line, on a terminal and in a URL.
func CheckName(name string) error {
	if name == "" {
		return fmt.Errorf("name \"\": want 1 to %d bytes", MaxNameLen)
	}
	if len(name) > MaxNameLen {
		return fmt.Errorf("name %s...: it has %d bytes; want at most %d", quotePlain(name[:MaxNameLen/2]), len(name), MaxNameLen)
	}
	if name == "." || name == ".." {
		return fmt.Errorf("name %q: it stands for a directory, in a URL too; want another", name)
	}
	if !utf8.ValidString(name) {
		return fmt.Errorf("name %q: not valid UTF-8; want a name that is", name)
	}
	for _, r := range name {
		if r == '/' || unicode.IsSpace(r) || !IsPlain(r) {
			return fmt.Errorf("name %s: the character %+q is not allowed; want no space, no / and nothing that cannot be seen", quotePlain(name), r)
		}
	}
	return nil
}

// CheckWhy says what is wrong with the reason that an operator gives, if anything: it
// must be at most MaxWhyLen bytes of UTF-8, one line of plain characters.
func CheckWhy(why string) error {
	if len(why) > MaxWhyLen {
		return fmt.Errorf("%d bytes; want at most %d", len(why), MaxWhyLen)
	}
	if !utf8.ValidString(why) {
		return fmt.Errorf("%q: not valid UTF-8", why)
	}
	for _, r := range why {
		if !IsPlain(r) {
			return fmt.Errorf("%s: the character %+q is not allowed; want one line of text", quotePlain(why), r)
		}
	}
	return nil
}

// Role is what a node is for.
type Role uint8

// The roles. A peer carries gossip; a seed is a node of the membership
// authority.
const (
	RolePeer Role = iota + 1
	RoleSeed
)

var roleWords = [...]string{"unknown", RolePeer: "peer", RoleSeed: "seed"}

// String gives the role's word.
func (r Role) String() string { return word(roleWords[:], int(r)) }

// MarshalText gives the form of String.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText takes the form of String.
func (r *Role) UnmarshalText(text []byte) error {
	return parseWord("role", roleWords[:], text, (*uint8)(r))
}

// State is what is claimed of a member. The order of the values is the order
// in which claims of one incarnation win.
type State uint8

// The states.
const (
	StateAlive   State = iota + 1 // by the member's own word
	StateSuspect                  // some detector saw it unreachable; reversible
	StateDead                     // condemned by its observers
	StateLeft                     // gone by its own word
)

var stateWords = [...]string{"unknown", StateAlive: "alive", StateSuspect: "suspect", StateDead: "dead", StateLeft: "left"}

// String gives the state's word.
func (s State) String() string { return word(stateWords[:], int(s)) }

// Living reports whether a member in this state is in the network: alive or
// suspect.
func (s State) Living() bool { return s == StateAlive || s == StateSuspect }

// MarshalText gives the form of String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the form of String.
func (s *State) UnmarshalText(text []byte) error {
	return parseWord("state", stateWords[:], text, (*uint8)(s))
}

// Incarnation is a member's own number: only the member raises it, to refute
// or to rejoin, and it is never used again, also not after a restart. It is
// max(last+1, Unix time in milliseconds). It orders what one member says, and is no time: after
// a clock that was ahead it stays ahead, and a node whose clock is behind believes it all the same.
type Incarnation uint64

// MaxIncarnation is the highest that is believed: the largest whole number that all readers of JSON keep as it is. No
// clock comes to it, and a member that refutes what is said of it never runs out of higher ones.
const MaxIncarnation Incarnation = 1<<53 - 1

// Member is a copy of what one node knows of one member.
type Member struct {
	ID          NodeID         `json:"id"`
	Name        string         `json:"name"`
	Addr        netip.AddrPort `json:"addr"` // UDP and TCP
	Role        Role           `json:"role"`
	State       State          `json:"state"`
	Incarnation Incarnation    `json:"incarnation"`
	Since       time.Time      `json:"since"` // when it came into State, by the clock of the node asked
	// it has said that it is away and back soon (Away): until then nobody holds its silence against it
	AwayUntil time.Time `json:"away_until,omitzero"`
	// of the node asked itself, alone: it lives and is no member, as the seeds have removed it, or not admitted it yet
	Outside bool   `json:"outside,omitempty"`
	Dialect string `json:"dialect"` // "" for a node that speaks our own protocol
}

// word gives the i-th of words, or says that there is none.
func word(words []string, i int) string {
	if i < len(words) && words[i] != "" {
		return words[i]
	}
	return fmt.Sprintf("unknown(%d)", i)
}

// parseWord finds text among words.
func parseWord(what string, words []string, text []byte, out *uint8) error {
	for i, w := range words {
		if w != "" && w == string(text) {
			*out = uint8(i)
			return nil
		}
	}
	return fmt.Errorf("%s %q: want one of %q", what, text, words[1:])
}
