package maelstrom

import (
	"bytes"
	"encoding/json"
)

// subject is what a value belongs to. Payloads of rumors and keys of the store
// begin with it.
type subject string

const (
	subjectBroadcast subject = "b" // a rumor; the value follows as JSON
	subjectSet       subject = "s" // a key for each element, which follows as JSON
	subjectCounter   subject = "c" // a key for each node, whose NodeID follows
	subjectRegister  subject = "r" // a key for each key of transactions, which follows as JSON
)

// values are what was delivered of broadcasts: a set that only grows, in
// order of delivery.
type values struct {
	has  map[string]struct{}
	list []byte // an array of JSON without its last bracket
}

// add takes a value in, unless it is there.
func (v *values) add(value []byte) {
	if _, found := v.has[string(value)]; found {
		return
	}
	if v.has == nil {
		v.has = make(map[string]struct{})
		v.list = append(v.list, '[')
	} else {
		v.list = append(v.list, ',')
	}
	v.has[string(value)] = struct{}{}
	v.list = append(v.list, value...)
}

// array gives all values.
func (v *values) array() json.RawMessage {
	if len(v.has) == 0 {
		return json.RawMessage("[]")
	}
	return append(bytes.Clone(v.list), ']')
}

// keyed gives a subject with a value, which is valid JSON.
func keyed(of subject, value json.RawMessage) []byte {
	b := bytes.NewBufferString(string(of))
	if err := json.Compact(b, value); err != nil {
		panic("maelstrom: a value was decoded and is not JSON: " + err.Error())
	}
	return b.Bytes()
}

// valueOf gives the value of a rumor. Each member of the network may say
// anything, so it may be none of ours.
func valueOf(payload []byte) (value []byte, ok bool) {
	value, ok = bytes.CutPrefix(payload, []byte(subjectBroadcast))
	return value, ok && json.Valid(value)
}
