package maelstrom

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file owns what is served from the store.

// put writes keys, all or none.
func (s *Session) put(now time.Time, what string, writes ...hearsay.Write) *failure {
	effects, err := s.node.Put(now, writes...)
	s.carryOut(now, effects)
	switch {
	case err == nil, errors.Is(err, hearsay.ErrKeyExists): // it is in the set
		return nil
	case errors.Is(err, hearsay.ErrKey), errors.Is(err, hearsay.ErrValueSize), errors.Is(err, hearsay.ErrWrite):
		return &failure{codeMalformed, what + ": " + err.Error()}
	}
	return &failure{codeAborted, what + ": " + err.Error()}
}

// held gives keys of a subject, most of them at most.
func (s *Session) held(now time.Time, of subject, most int) []*core.Object {
	return s.node.Gossip().Replica().List(now, string(of), "", most)
}

// readOf says what a read is about, where nobody has told this node: what is in
// the store.
func (s *Session) readOf(now time.Time) subject {
	for _, of := range [...]subject{subjectSet, subjectCounter} {
		if s.reads == "" && len(s.held(now, of, 1)) > 0 {
			return of
		}
	}
	return s.reads
}

// add adds to the set or to the counter.
func (s *Session) add(now time.Time, r *request) *failure {
	write, of := hearsay.Write{}, subjectSet
	var delta *int64
	switch {
	case r.Element != nil:
		write.Key, write.If = string(keyed(subjectSet, r.Element)), hearsay.IfAbsent
	case r.Delta == nil:
		return &failure{codeMalformed, "add: element is missing, or delta"}
	case json.Unmarshal(r.Delta, &delta) != nil || delta == nil:
		return &failure{codeMalformed, fmt.Sprintf("add: delta: %.20s: want an integer of 64 bits", r.Delta)}
	default:
		// A process that is started again has another NodeID, so it writes over nothing that it has not read.
		of, write.Key = subjectCounter, string(subjectCounter)+s.node.Self().ID.String()
		sum := big.NewInt(*delta)
		if o := s.node.Gossip().Replica().Get(now, write.Key); o != nil {
			sum.Add(sum, numberOf(o))
		}
		write.Value = []byte(sum.String())
	}
	fail := s.put(now, "add", write)
	if fail == nil {
		s.reads = of
	}
	return fail
}

// set gives all elements.
func (s *Session) set(now time.Time) json.RawMessage {
	var all values
	for _, o := range s.held(now, subjectSet, math.MaxInt) {
		if element := []byte(o.Key[len(subjectSet):]); json.Valid(element) {
			all.add(element)
		}
	}
	return all.array()
}

// count adds up what all nodes have counted.
func (s *Session) count(now time.Time) json.RawMessage {
	var sum big.Int
	for _, o := range s.held(now, subjectCounter, math.MaxInt) {
		sum.Add(&sum, numberOf(o))
	}
	return json.RawMessage(sum.String())
}

// numberOf gives the number in a value. Each member of the network may write
// anything: what is none counts as 0.
func numberOf(o *core.Object) *big.Int {
	if n, ok := new(big.Int).SetString(string(o.Value), 10); ok {
		return n
	}
	return new(big.Int)
}

// transact carries out a transaction. Its reads are of one moment, and its
// writes are one record, so others see all of them or none.
func (s *Session) transact(now time.Time, r *request, reply *answer) *failure {
	if r.Txn == nil {
		return &failure{codeMalformed, "txn: txn is missing"}
	}
	var writes []hearsay.Write
	places := make(map[string]int, len(r.Txn)) // of keys in writes
	for i, op := range r.Txn {
		var what string
		if len(op) != 3 || json.Unmarshal(op[0], &what) != nil {
			return &failure{codeMalformed, fmt.Sprintf(`txn: operation %d: want ["r", key, null] or ["w", key, value]`, i)}
		}
		key := string(keyed(subjectRegister, op[1]))
		place, written := places[key]
		switch {
		case what == "r" && written:
			op[2] = writes[place].Value
		case what == "r":
			op[2] = s.register(now, key)
		case what != "w":
			return &failure{codeNotSupported, fmt.Sprintf("txn: operation %d: %q: want r or w", i, what)}
		case written:
			writes[place].Value = op[2]
		default:
			places[key] = len(writes)
			writes = append(writes, hearsay.Write{Key: key, Value: op[2]})
		}
	}
	if len(writes) > 0 {
		if fail := s.put(now, "txn", writes...); fail != nil {
			return fail
		}
	}
	var err error
	if reply.Txn, err = json.Marshal(r.Txn); err != nil {
		panic("maelstrom: what was decoded cannot be encoded: " + err.Error())
	}
	return nil
}

// register gives the value of a key of transactions. One that is no JSON is
// none of ours.
func (s *Session) register(now time.Time, key string) json.RawMessage {
	if o := s.node.Gossip().Replica().Get(now, key); o != nil && json.Valid(o.Value) {
		return o.Value
	}
	return json.RawMessage("null")
}
