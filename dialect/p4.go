package dialect

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// This file is about the JSON that nodes of p4 send each other over HTTP. They ignore what they do not know, but for
// the top level of a rumor, where nothing else may stand; so does this.

// P4Member is a member as GET /api/status and POST /api/sync_members have it.
type P4Member struct {
	ID          string            `json:"id"`
	Host        string            `json:"host"`
	Port        uint16            `json:"port"` // of HTTP
	IsAlive     bool              `json:"is_alive"`
	LastSeen    float64           `json:"last_seen"` // seconds since 1970
	VectorClock map[string]uint64 `json:"vector_clock"`
}

// UnmarshalJSON takes what is needed of a member of others. One that is senseless has no port, and does not spoil the
// rest.
func (m *P4Member) UnmarshalJSON(text []byte) error {
	var told struct {
		ID      string `json:"id"`
		Host    string `json:"host"`
		Port    uint16 `json:"port"`
		IsAlive bool   `json:"is_alive"`
	}
	if json.Unmarshal(text, &told) != nil {
		told.Port = 0
	}
	*m = P4Member{ID: told.ID, Host: told.Host, Port: told.Port, IsAlive: told.IsAlive}
	return nil
}

// P4Members is the body of POST /api/sync_members.
type P4Members struct {
	Members map[string]P4Member `json:"members"`
}

// P4Join is the body of POST /api/join: the node that joins, and where it serves.
type P4Join struct {
	NodeID string `json:"node_id"`
	Host   string `json:"host"`
	Port   uint16 `json:"port"`
}

// P4Ping is the body of POST /api/ping, P4Alive what answers it.
type P4Ping struct {
	Sender string `json:"sender"`
}

// P4Alive answers a ping.
type P4Alive struct {
	Status string  `json:"status"` // "alive"
	NodeID string  `json:"node_id"`
	Time   float64 `json:"timestamp"`
}

// P4Probe is the body of POST /api/indirect_ping, P4Probed what answers it.
type P4Probe struct {
	Target    string `json:"target"`
	Requester string `json:"requester"`
}

// P4Probed says whether the target has answered.
type P4Probed struct {
	Success bool `json:"success"`
}

// P4Status is what is needed of the answer of GET /api/status, but for the keys: there may be many.
type P4Status struct {
	NodeID  string              `json:"node_id"`
	Members map[string]P4Member `json:"members"`
}

// p4MembersMost is how many members of a status are taken note of. A guess.
const p4MembersMost = 4096

// P4ReadStatus reads the answer of GET /api/status, and calls data with each key and its value as they come: value is
// overwritten by the next. With an error it gives what came before.
func P4ReadStatus(r io.Reader, data func(key string, value []byte)) (s P4Status, err error) {
	s.Members = make(map[string]P4Member)
	var value json.RawMessage
	decoder := json.NewDecoder(r)
	err = readObject(decoder, func(name string) error {
		switch name {
		case "node_id":
			return decoder.Decode(&s.NodeID)
		case "members":
			return readObject(decoder, func(id string) error {
				var m P4Member
				err := decoder.Decode(&m)
				if err == nil && len(s.Members) < p4MembersMost {
					s.Members[id] = m
				}
				return err
			})
		case "local_data":
			return readObject(decoder, func(key string) error {
				value = value[:0]
				err := decoder.Decode(&value)
				if err == nil {
					data(key, value)
				}
				return err
			})
		}
		value = value[:0]
		return decoder.Decode(&value)
	})
	return s, err
}

// readObject reads a JSON object: field reads the value of each name.
func readObject(decoder *json.Decoder, field func(name string) error) error {
	token, err := decoder.Token()
	if err == nil && token != json.Delim('{') {
		return fmt.Errorf("status: %v: want a JSON object", token)
	}
	for err == nil && decoder.More() {
		var name json.Token
		if name, err = decoder.Token(); err == nil {
			err = field(name.(string)) // the decoder takes no other in an object
		}
	}
	if err == nil {
		_, err = decoder.Token()
	}
	return err
}

// The operations of a rumor.
const (
	P4Update = "update"      // of a key
	P4Failed = "node_failed" // of a member
)

// P4Data is what a rumor says.
type P4Data struct {
	Operation string          `json:"operation"`
	Key       *string         `json:"key,omitempty"`
	Value     json.RawMessage `json:"value,omitempty"`
	NodeID    string          `json:"node_id,omitempty"`
}

// P4Rumor is the body of POST /api/gossip. It has these keys, and no other.
type P4Rumor struct {
	ID          string   `json:"id"`
	Data        P4Data   `json:"data"`
	Timestamp   float64  `json:"timestamp"`
	Sender      string   `json:"sender_id"`
	Excitement  int      `json:"excitement_level"`
	Propagation int      `json:"propagation_count"`
	Seen        []string `json:"recipients_seen"`
}

// UnmarshalJSON takes what is needed of a rumor of others.
func (r *P4Rumor) UnmarshalJSON(text []byte) error {
	var told struct {
		ID     string   `json:"id"`
		Data   P4Data   `json:"data"`
		Sender string   `json:"sender_id"`
		Seen   []string `json:"recipients_seen"`
	}
	if err := json.Unmarshal(text, &told); err != nil {
		return err
	}
	*r = P4Rumor{ID: told.ID, Data: told.Data, Sender: told.Sender, Seen: told.Seen}
	return nil
}

// What a rumor's excitement is. One that begins at a node of p4 has 10; all guests are told ours by our nodes, so they
// pass it on for one round with P4Hot, and not with P4Cold.
const (
	P4Hot  = 4
	P4Cold = 2
)

const p4IDMax = 128 // bytes of the id of a rumor

// P4RumorTakes is what a rumor must have.
const P4RumorTakes = `"id" and "data" of an operation, "update" with "key" and "value", or "node_failed"`

// Check says what is wrong with a rumor, if anything.
func (r *P4Rumor) Check() error {
	switch {
	case r.ID == "" || len(r.ID) > p4IDMax:
		return fmt.Errorf("id: want 1 to %d bytes", p4IDMax)
	case r.Data.Operation == P4Failed:
		return nil
	case r.Data.Operation != P4Update:
		return fmt.Errorf("data.operation %.64q: want update or node_failed", r.Data.Operation)
	case r.Data.Key == nil || r.Data.Value == nil:
		return errors.New(`data: want "key" and "value"`)
	}
	return nil
}

// p4Tag ends the ids of our rumors, which are UUIDs as those of others: one that comes back is known by it.
const p4Tag = "-686561727361" // hearsa

// P4RumorID gives the id of our rumor of a key in a version, the same on all our nodes.
func P4RumorID(key string, version []byte) string {
	h := sha256.Sum256(append(append([]byte(key), 0), version...))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80 // RFC 9562, section 5.8: the rest is the program's affair
	return fmt.Sprintf("%x-%x-%x-%x%s", h[:4], h[4:6], h[6:8], h[8:10], p4Tag)
}

// P4IsOurs reports whether a rumor was begun by a node of ours.
func P4IsOurs(id string) bool { return strings.HasSuffix(id, p4Tag) }
