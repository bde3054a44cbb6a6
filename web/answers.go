package web

import (
	"time"

	"hearsay"
)

// The answers as JSON, for the server and for clients written in Go. What else
// is answered is of the root package: hearsay.CaseFile, Stats, Event.

// Self is the answer of /v1/self.
type Self struct {
	ID          hearsay.NodeID      `json:"id"`
	Name        string              `json:"name"`
	Role        hearsay.Role        `json:"role"`
	Addr        string              `json:"addr"`
	HTTP        string              `json:"http"`
	Epoch       hearsay.Epoch       `json:"epoch"`
	Incarnation hearsay.Incarnation `json:"incarnation"`
	State       Standing            `json:"state"`
	Started     time.Time           `json:"started"`
	Version     string              `json:"version"`
	Troubles    []string            `json:"troubles"` // what an operator should see to, the weightiest first
}

// Members is the answer of /v1/members.
type Members struct {
	Epoch   hearsay.Epoch    `json:"epoch"`
	Members []hearsay.Member `json:"members"`
}

// membersHead is Members without the list.
type membersHead struct {
	Epoch hearsay.Epoch `json:"epoch"`
}

// Said is the answer of POST /v1/rumors.
type Said struct {
	ID RumorID `json:"id"`
}

// RumorID is a rumor's identity: the node that said it, and its number.
type RumorID struct {
	Origin hearsay.NodeID `json:"origin"`
	Number uint64         `json:"n"`
}

// Rumors is the answer of GET /v1/rumors, the newest last.
type Rumors struct {
	Rumors []Rumor `json:"rumors"`
}

// Rumor is one that the node holds. Text is what it says, or Data where that
// is not UTF-8.
type Rumor struct {
	RumorID
	// Guest is a member that speaks only an earlier program's protocol and has said this: the origin passes it on. All
	// ones: it is not known which. Nil: the origin has said it.
	Guest *hearsay.NodeID `json:"guest,omitempty"`
	// of the guest, or "a guest", if there is one; "" once the member is forgotten
	OriginName string         `json:"origin_name"`
	At         time.Time      `json:"at"` // when it came to this node, by its clock
	Text       *string        `json:"text,omitempty"`
	Data       []byte         `json:"data,omitempty"` // base64
	From       hearsay.NodeID `json:"from"`           // the node that passed it on; the node itself, if it said it
	FromName   string         `json:"from_name"`
	Hops       int            `json:"hops"` // from the origin, which is 0
}

// Keys is the answer of GET /v1/kv. Next is what the next page comes after, "" at the end. Changes that are watched
// from the Revision on miss none that the page lacks; of several pages the first one's counts.
type Keys struct {
	Revision hearsay.Revision  `json:"revision"`
	Keys     []hearsay.KeyInfo `json:"keys"`
	Next     string            `json:"next"`
}

// keysHead and keysTail are Keys without the list.
type keysHead struct {
	Revision hearsay.Revision `json:"revision"`
}

type keysTail struct {
	Next string `json:"next"`
}

// Values is the answer of GET /v1/kv/{key}?siblings=1: what a node holds of a key, the winner first.
type Values struct {
	Key      string            `json:"key"`
	Context  hearsay.Context   `json:"context"`
	Siblings []hearsay.Sibling `json:"siblings"`
}

// valuesHead is Values without the list.
type valuesHead struct {
	Key     string          `json:"key"`
	Context hearsay.Context `json:"context"`
}

// Topology is the answer of /v1/topology.
type Topology struct {
	Nodes []TopologyNode `json:"nodes"`
	Links []hearsay.Link `json:"links"`
}

// TopologyNode is a living member.
type TopologyNode struct {
	ID    hearsay.NodeID `json:"id"`
	Name  string         `json:"name"`
	Role  hearsay.Role   `json:"role"`
	State hearsay.State  `json:"state"`
}

// Status is the answer of a request that has nothing else to say.
type Status struct {
	Status string `json:"status"`
	Why    string `json:"why,omitempty"` // of one barred before: the reason, which stands
}
