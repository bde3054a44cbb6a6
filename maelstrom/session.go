package maelstrom

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/node"
	"hearsay/wire"
)

// networkName is that of every cluster: they never meet.
const networkName = "maelstrom"

// Session is one process of Maelstrom. It is not safe for concurrent use. The
// lines that its methods give are valid until the next call.
type Session struct {
	cfg     Config
	signer  hearsay.Signer
	random  *rand.Rand
	network hearsay.NetworkID
	decoder *wire.Decoder
	packet  core.Packet // the one being received

	node    *node.Node // nil before init
	name    string     // the node id that init gave
	nodes   []string   // of the cluster, in the order of init
	places  map[string]int
	outbox  []batch // by place
	joinAt  time.Time
	readyBy time.Time
	moved   time.Time // when a member or a link last came or went
	ready   func()    // answers init; nil once it did

	broadcasts values
	reads      subject // what a read is about; empty: nobody has said

	out   []byte
	drops hearsay.Drops
}

// New makes a session that waits for init. Signer is its identity: it
// must be new with each process. Random is for it alone.
func New(cfg Config, signer hearsay.Signer, random *rand.Rand) *Session {
	network := hearsay.NetworkIDOf(networkName)
	return &Session{cfg: cfg, signer: signer, random: random, network: network, decoder: wire.NewDecoder(network)}
}

// Line takes a line that came in, without its end.
func (s *Session) Line(now time.Time, line []byte) []byte {
	s.out = s.out[:0]
	var e envelope
	var h head
	if json.Unmarshal(line, &e) != nil || json.Unmarshal(e.Body, &h) != nil {
		s.drops[hearsay.DropMalformed]++ // there is nothing to answer to
	} else {
		s.take(now, &e, &h)
	}
	s.pass(now) // after what has come: an answer that waited was in time
	return s.finish(now)
}

// Tick lets time pass. It may be called at any time; it must be called at
// Deadline.
func (s *Session) Tick(now time.Time) []byte {
	s.out = s.out[:0]
	s.pass(now)
	return s.finish(now)
}

// Deadline is when Tick must be called next; there is none before init.
func (s *Session) Deadline() (at time.Time, ok bool) {
	if s.node == nil {
		return time.Time{}, false
	}
	at = s.node.Deadline()
	if !s.joinAt.IsZero() && s.joinAt.Before(at) {
		at = s.joinAt
	}
	if s.ready != nil {
		if ready := s.readyAt(); ready.Before(at) {
			at = ready
		}
	}
	for place := range s.outbox {
		if box := &s.outbox[place]; box.bytes > 0 && box.due.Before(at) {
			at = box.due
		}
	}
	return at, true
}

// take routes a message.
func (s *Session) take(now time.Time, e *envelope, h *head) {
	switch {
	case s.node != nil && e.Dest != s.name:
		s.drops[hearsay.DropMisdirected]++
		return
	case h.Type == typePackets:
		s.takePackets(now, e)
		return
	case h.InReplyTo != nil:
		s.drops[hearsay.DropUnexpected]++ // this node asks nobody
		return
	}
	var r request
	reply, fail := answer{Type: h.Type + "_ok"}, (*failure)(nil)
	switch err := json.Unmarshal(e.Body, &r); {
	case err != nil:
		fail = &failure{codeMalformed, h.Type + ": " + err.Error()}
	case h.Type == "init":
		if fail = s.begin(now, &r); fail == nil {
			s.ready = func() { s.answer(e, h, reply) }
			return
		}
	case s.node == nil:
		fail = &failure{codeUnavailable, h.Type + ": this node has had no init yet"}
	default:
		fail = s.serve(now, h.Type, &r, &reply)
	}
	if fail != nil {
		reply = answer{Type: "error", Code: fail.code, Text: fail.text}
	}
	s.answer(e, h, reply)
}

// serve does what a client asks.
func (s *Session) serve(now time.Time, what string, r *request, reply *answer) *failure {
	switch what {
	case "topology":
		s.reads = subjectBroadcast
		return nil
	case "broadcast":
		return s.say(now, r.Message)
	case "add":
		return s.add(now, r)
	case "read":
		return s.read(now, r, reply)
	case "txn":
		return s.transact(now, r, reply)
	case "echo":
		if r.Echo == nil {
			return &failure{codeMalformed, "echo: echo is missing"}
		}
		reply.Echo = r.Echo
		return nil
	}
	return &failure{codeNotSupported, fmt.Sprintf("%q: want one of init, topology, broadcast, add, read, txn, echo", what)}
}

// read answers with what was delivered here, or is in the store.
func (s *Session) read(now time.Time, r *request, reply *answer) *failure {
	if r.Key != nil {
		return &failure{codeNotSupported, "read: a key is for lin-kv, and nothing here is linearizable; want txn"}
	}
	switch s.readOf(now) {
	case subjectBroadcast:
		reply.Messages = s.broadcasts.array()
	case subjectSet:
		reply.Value = s.set(now)
	case subjectCounter:
		reply.Value = s.count(now)
	default: // a set and a counter are read in the same way, and their answers differ
		return &failure{codeUnavailable, "read: nothing was added yet"}
	}
	return nil
}

// say tells everybody a value.
func (s *Session) say(now time.Time, value json.RawMessage) *failure {
	if value == nil {
		return &failure{codeMalformed, "broadcast: message is missing"}
	}
	_, effects, err := s.node.Say(now, hearsay.NodeID{}, keyed(subjectBroadcast, value))
	s.carryOut(now, effects)
	if err != nil {
		return &failure{codeMalformed, "broadcast: message: " + err.Error()}
	}
	s.reads = subjectBroadcast
	return nil
}

// pass has the node do what is due.
func (s *Session) pass(now time.Time) {
	if s.node == nil {
		return
	}
	if !s.joinAt.IsZero() && !now.Before(s.joinAt) {
		s.join(now)
	}
	if !now.Before(s.node.Deadline()) {
		s.carryOut(now, s.node.Tick(now))
	}
}

// finish ends a step: init is answered if it is time, and what is in the outbox
// goes.
func (s *Session) finish(now time.Time) []byte {
	if s.ready != nil && !now.Before(s.readyAt()) {
		s.ready()
		s.ready = nil
	}
	for place := range s.outbox {
		if box := &s.outbox[place]; box.bytes > 0 && !now.Before(box.due) {
			s.flush(now, place)
		}
	}
	return s.out
}

// answer answers a request, if the one that asks wants to hear.
func (s *Session) answer(e *envelope, h *head, a answer) {
	if h.MsgID == nil {
		return
	}
	a.InReplyTo = *h.MsgID
	body, err := json.Marshal(a)
	s.emit(e.Dest, e.Src, body, err)
}

// emit writes a line with a body that was made here.
func (s *Session) emit(from, to string, body []byte, err error) {
	var line []byte
	if err == nil {
		line, err = json.Marshal(envelope{Src: from, Dest: to, Body: body})
	}
	if err != nil {
		panic("maelstrom: what was made here cannot be encoded: " + err.Error())
	}
	s.out = append(append(s.out, line...), '\n')
}
