package hearsay

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// KeyChange is what a key of the store is after a change.
type KeyChange struct {
	Key      string  `json:"key"`
	Value    []byte  `json:"value,omitempty"` // of the winner; read only
	Siblings int     `json:"siblings"`        // values that it has, the winner too; 0: it was deleted
	Context  Context `json:"context"`         // a write with it replaces these
}

// Revision is how far the changes of the store have come at one node. It means nothing to another node, nor to
// this one once its process has been started again: there changes may have been missed, and EventLagged says so.
type Revision struct {
	Life   uint64 // drawn when the process is started
	Number uint64 // of the newest change, since then
}

// ErrRevision is of a text that is no revision.
var ErrRevision = errors.New("not a revision; give one as it was read")

// String gives the revision's text.
func (r Revision) String() string { return fmt.Sprintf("%016x-%d", r.Life, r.Number) }

// MarshalText gives the form of String.
func (r Revision) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText takes the form of String.
func (r *Revision) UnmarshalText(text []byte) (err error) {
	life, number, _ := strings.Cut(string(text), "-")
	var got Revision
	if got.Life, err = strconv.ParseUint(life, 16, 64); err == nil {
		got.Number, err = strconv.ParseUint(number, 10, 64)
	}
	if err != nil || got.String() != string(text) {
		return fmt.Errorf("%.100q: %w", text, ErrRevision)
	}
	*r = got
	return nil
}
