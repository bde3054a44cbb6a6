package maelstrom

import (
	"bytes"
	"encoding/json"
)

// subject is what a value belongs to. It is the first byte of a rumor's
// payload; the value as JSON follows.
type subject byte

const (
	subjectBroadcast subject = 'b'
	subjectSet       subject = 's'
)

// values are what was delivered of one subject: a set that only grows, in
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

func (v *values) empty() bool { return len(v.has) == 0 }

// array gives all values.
func (v *values) array() json.RawMessage {
	if len(v.has) == 0 {
		return json.RawMessage("[]")
	}
	return append(bytes.Clone(v.list), ']')
}

// payloadOf gives the payload of a rumor about a value, which is valid JSON.
func payloadOf(of subject, value json.RawMessage) []byte {
	b := bytes.NewBuffer([]byte{byte(of)})
	if err := json.Compact(b, value); err != nil {
		panic("maelstrom: a value was decoded and is not JSON: " + err.Error())
	}
	return b.Bytes()
}

// valueOf takes a payload apart. Each member of the network may say anything, so
// it may be none of ours.
func valueOf(payload []byte) (of subject, value []byte, ok bool) {
	if len(payload) == 0 {
		return 0, nil, false
	}
	of, value = subject(payload[0]), payload[1:]
	return of, value, (of == subjectBroadcast || of == subjectSet) && json.Valid(value)
}
