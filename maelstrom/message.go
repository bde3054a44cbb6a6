package maelstrom

import "encoding/json"

// This file owns the form of what Maelstrom carries.

// envelope is one line.
type envelope struct {
	Src  string          `json:"src"`
	Dest string          `json:"dest"`
	Body json.RawMessage `json:"body"`
}

// head is what every body has.
type head struct {
	Type      string `json:"type"`
	MsgID     *int64 `json:"msg_id"`      // absent: no answer is wanted
	InReplyTo *int64 `json:"in_reply_to"` // of an answer
}

// request is a body from a client.
type request struct {
	NodeID  string              `json:"node_id"`  // of init
	NodeIDs []string            `json:"node_ids"` // of init
	Message json.RawMessage     `json:"message"`  // of broadcast
	Element json.RawMessage     `json:"element"`  // of add to a set
	Delta   json.RawMessage     `json:"delta"`    // of add to a counter
	Key     json.RawMessage     `json:"key"`      // of read from a map
	Txn     [][]json.RawMessage `json:"txn"`      // of txn: function, key, value of each operation
	Echo    json.RawMessage     `json:"echo"`     // of echo
}

// answer is a body to a client.
type answer struct {
	Type      string          `json:"type"`
	InReplyTo int64           `json:"in_reply_to"`
	Messages  json.RawMessage `json:"messages,omitempty"` // of read, about broadcasts
	Value     json.RawMessage `json:"value,omitempty"`    // of read, about a set or a counter
	Txn       json.RawMessage `json:"txn,omitempty"`      // of txn
	Echo      json.RawMessage `json:"echo,omitempty"`     // of echo
	Code      code            `json:"code,omitempty"`     // of error
	Text      string          `json:"text,omitempty"`     // of error
}

// code is an error code of Maelstrom (doc/protocol.md, "Errors").
type code int

const (
	codeNotSupported code = 10 // this node does no such thing
	codeUnavailable  code = 11 // not now
	codeMalformed    code = 12 // the request makes no sense
	codeAborted      code = 14 // for another reason, and it has not been done
)

// failure is an error that a client is told.
type failure struct {
	code code
	text string
}

// typePackets is the type of a body that carries packets.
const typePackets = "hearsay"

// packets is a body between nodes: packets as package wire writes them, which
// JSON has in base64.
type packets struct {
	Type      string   `json:"type"`
	Datagrams [][]byte `json:"datagrams,omitempty"`
	Streams   [][]byte `json:"streams,omitempty"`
}
