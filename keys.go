package hearsay

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"hearsay/clock"
)

// Limits of the store.
const (
	MaxKey        = 1024              // bytes of a key, which is UTF-8
	MaxValue      = 1 << 20           // bytes of a value
	MaxWrites     = 256               // writes of one call
	MaxRecord     = MaxValue + 16<<10 // bytes of their keys and values, if they are several
	MaxRecordKeys = 128 << 10         // bytes of their keys: they go in one packet
)

// Condition is when a write is done at all.
type Condition uint8

// The conditions.
const (
	Always      Condition = iota
	IfAbsent              // the key has no value here: create only
	IfUnchanged           // the context names exactly the values that the key has here: compare and set
)

// Write is one write of one key of the store.
type Write struct {
	Key     string
	Value   []byte
	Delete  bool          // no value takes the place of those that go
	TTL     time.Duration // after which the value is gone everywhere; 0: never
	Context Context       // replaces exactly the values that it names; nil: all that are here
	If      Condition
}

// Context names values of one key: those that were read, or the one that was written. What its bytes mean is the
// nodes' affair; two of one key are equal if they name the same values.
type Context []byte

// String gives a context as it stands in headers and JSON; in quotes it is the key's ETag.
func (c Context) String() string { return base64.RawURLEncoding.EncodeToString(c) }

// MarshalText gives the form of String.
func (c Context) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText takes the form of String. What the bytes mean the node says.
func (c *Context) UnmarshalText(text []byte) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("context %.100q: %w", text, ErrContext)
	}
	*c = b
	return nil
}

// Stored is what a node holds of a key.
type Stored struct {
	Key      string
	Context  Context   // a write with it replaces the siblings, and nothing else
	Siblings []Sibling // the winner, which is the same on all nodes, first; none: the key is absent
}

// Sibling is one of several values of a key that were written concurrently, or the only one.
type Sibling struct {
	Value   []byte       `json:"value"` // read only; base64 in JSON
	Origin  clock.Origin `json:"origin"`
	At      time.Time    `json:"at"` // by the clock of the node that wrote it
	Expires *time.Time   `json:"expires,omitempty"`
}

// Value gives the winner among the values, and whether there is one.
func (s *Stored) Value() ([]byte, bool) {
	if len(s.Siblings) == 0 {
		return nil, false
	}
	return s.Siblings[0].Value, true
}

// KeyInfo is a key in a list.
type KeyInfo struct {
	Key      string    `json:"key"`
	Size     int       `json:"size"`     // bytes of the winner
	Siblings int       `json:"siblings"` // values that it has, the winner too
	At       time.Time `json:"at"`       // as that of the winner
	Context  Context   `json:"context"`  // of its values
}

// Errors about the store. Nothing is written where one is returned.
var (
	ErrKey        = errors.New("a key is 1 to 1024 bytes of UTF-8")
	ErrValueSize  = errors.New("a value has at most 1048576 bytes")
	ErrWrite      = errors.New("no such write")
	ErrKeyExists  = errors.New("the key has a value")
	ErrKeyChanged = errors.New("the key has other values than the context names; read it again")
	ErrStoreFull  = errors.New("the store is full; delete keys, or allow more")
	ErrSiblings   = errors.New("the key has too many values; read it, and write with the context of that")
	ErrWriters    = errors.New("the store knows as many writers as it may; allow more, or start fewer with an empty directory")
	ErrContext    = errors.New("not a context of this key; give one that was read with it, unchanged")
	ErrUnseen     = errors.New("the context names a write that this node has not seen")
)

// CheckKey says what is wrong with a key, if anything.
func CheckKey(key string) error {
	if len(key) == 0 || len(key) > MaxKey || !utf8.ValidString(key) {
		return fmt.Errorf("key %.64q of %d bytes: %w", key, len(key), ErrKey)
	}
	return nil
}

// Check says what is wrong with a write by itself, if anything.
func (w *Write) Check() error {
	if err := CheckKey(w.Key); err != nil {
		return err
	}
	var err error
	switch {
	case len(w.Value) > MaxValue:
		err = fmt.Errorf("a value of %d bytes: %w", len(w.Value), ErrValueSize)
	case w.TTL < 0 || w.TTL > 0 && w.TTL < time.Millisecond:
		err = fmt.Errorf("a TTL of %v; give a millisecond or more, or none: %w", w.TTL, ErrWrite)
	case w.Delete && (len(w.Value) > 0 || w.TTL > 0):
		err = fmt.Errorf("a delete has neither value nor TTL: %w", ErrWrite)
	case w.Delete && w.If == IfAbsent, w.If == IfUnchanged && w.Context == nil:
		err = fmt.Errorf("nothing to compare with, or to delete: %w", ErrWrite)
	}
	if err != nil {
		return fmt.Errorf("key %.64q: %w", w.Key, err)
	}
	return nil
}
