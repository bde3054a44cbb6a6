package hearsay

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"hearsay/clock"
)

// MaxRumorData is the longest payload of a rumor, in bytes.
const MaxRumorData = 64 << 10

// ErrRumorSize is wrapped by errors about payloads that are empty or longer
// than MaxRumorData.
var ErrRumorSize = errors.New("a rumor carries 1 to 65536 bytes")

// Rumor is a message spread to everybody. Its identity is the origin and the
// number that the origin gave it, never the payload: two nodes that say the
// same in the same second say two rumors.
type Rumor struct {
	ID   clock.Dot     // the origin, and its number from 1
	Age  time.Duration // in the network, added up hop by hop, so that no clock but one's own is asked
	Hops uint8         // from the origin, which is 0
	Data []byte

	// Guest is a member that speaks only an earlier program's protocol and has said this: the origin passes it on.
	// AnyGuest if it is not known which. Zero: the origin has said it.
	Guest NodeID
}

// AnyGuest stands for a guest of which it is not known which it is.
var AnyGuest = NodeID{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// OriginOf is the origin of what a node says.
func OriginOf(id NodeID) clock.Origin { return clock.Origin(id) }

// Origin is the node that said the rumor.
func (r *Rumor) Origin() NodeID { return NodeID(r.ID.Origin) }

// rumorJSON is a rumor as JSON: the payload as text if it is UTF-8, else as
// base64.
type rumorJSON struct {
	Origin NodeID        `json:"origin"`
	Number uint64        `json:"n"`
	Guest  *NodeID       `json:"guest,omitempty"`
	Hops   uint8         `json:"hops"`
	Age    time.Duration `json:"age"` // nanoseconds
	Text   *string       `json:"text,omitempty"`
	Data   []byte        `json:"data,omitempty"`
}

// MarshalJSON gives origin, n, hops, age, and text or data.
func (r *Rumor) MarshalJSON() ([]byte, error) {
	j := rumorJSON{Origin: r.Origin(), Number: r.ID.Counter, Hops: r.Hops, Age: r.Age}
	if !r.Guest.IsZero() {
		j.Guest = &r.Guest
	}
	if utf8.Valid(r.Data) {
		text := string(r.Data)
		j.Text = &text
	} else {
		j.Data = r.Data
	}
	return json.Marshal(j)
}

// UnmarshalJSON takes the form of MarshalJSON.
func (r *Rumor) UnmarshalJSON(text []byte) error {
	var j rumorJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*r = Rumor{ID: clock.Dot{Origin: OriginOf(j.Origin), Counter: j.Number}, Hops: j.Hops, Age: j.Age, Data: j.Data}
	if j.Guest != nil {
		r.Guest = *j.Guest
	}
	if j.Text != nil {
		r.Data = []byte(*j.Text)
	}
	return nil
}

// CheckRumorData says what is wrong with a payload, if anything.
func CheckRumorData(data []byte) error {
	if len(data) == 0 || len(data) > MaxRumorData {
		return fmt.Errorf("%d bytes: %w", len(data), ErrRumorSize)
	}
	return nil
}
