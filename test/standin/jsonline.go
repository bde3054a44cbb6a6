package standin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

const (
	lineBytes   = 1 << 20 // of one request
	lineTimeout = 5 * time.Second
)

// Types of messages of p1.
const (
	registerReq    = "REGISTER_REQ"
	registerVote   = "REGISTER_VOTE"
	registerCommit = "REGISTER_COMMIT"
	peerListReq    = "PEER_LIST_REQ"
	peerListResp   = "PEER_LIST_RESP"
	deadReport     = "DEAD_REPORT"
	deadVote       = "SEED_DEAD_VOTE"
	deadCommit     = "SEED_DEAD_COMMIT"
	failure        = "ERROR"
	hello          = "HELLO"
	helloAck       = "HELLO_ACK"
	gossipMsg      = "GOSSIP_MSG"
	suspectReq     = "SUSPECT_REQ"
	suspectAck     = "SUSPECT_ACK"
)

// A seed knows these types only: any other is an error to it, in a reply too. A peer knows all.
var (
	seedTypes = []string{registerReq, registerVote, registerCommit, peerListReq, peerListResp, deadReport, deadVote, deadCommit, failure}
	peerTypes = slices.Concat(seedTypes, []string{hello, helloAck, gossipMsg, suspectReq, suspectAck})
)

// message is a request or a reply of p1.
type message struct {
	Type    string  `json:"type"`
	Payload fields  `json:"payload"`
	TS      float64 `json:"ts"`
}

// fields are what a message says. Only what is asked for is looked at.
type fields map[string]any

// decode reads a message. All that has come must be one JSON object, with a type that is known.
func decode(buffer []byte, known []string) (m message, err error) {
	if !utf8.Valid(buffer) {
		return m, errors.New("not UTF-8")
	}
	var raw struct {
		Type    *string
		Payload *json.RawMessage
	}
	if err := json.Unmarshal(buffer, &raw); err != nil {
		return m, err
	}
	if raw.Type == nil || raw.Payload == nil {
		return m, errors.New("no type, or no payload")
	}
	if !slices.Contains(known, *raw.Type) {
		return m, fmt.Errorf("%q is no type of messages", *raw.Type)
	}
	decoder := json.NewDecoder(bytes.NewReader(*raw.Payload))
	decoder.UseNumber()
	m.Type = *raw.Type
	if err := decoder.Decode(&m.Payload); err != nil || m.Payload == nil {
		return m, fmt.Errorf("payload of %s: want an object", m.Type)
	}
	return m, nil
}

// reader takes fields out of a message, and keeps the first error.
type reader struct {
	of  fields
	err error
}

func (r *reader) fail(name, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("field %s: want %s", name, want)
	}
}

func (r *reader) text(name string) string {
	s, ok := r.of[name].(string)
	if !ok {
		r.fail(name, "a string")
	}
	return s
}

func (r *reader) number(name string) int {
	n, _ := r.of[name].(json.Number)
	i, err := strconv.Atoi(string(n))
	if err != nil {
		r.fail(name, "a whole number")
	}
	return i
}

func (r *reader) truth(name string) bool {
	b, ok := r.of[name].(bool)
	if !ok {
		r.fail(name, "true or false")
	}
	return b
}

// endpoint takes an address of two fields.
func (r *reader) endpoint(ip, port string) string {
	host, number := r.text(ip), r.number(port)
	if number < 1 || number > 65535 {
		r.fail(port, "a port from 1 to 65535")
	}
	return endpoint(host, number)
}

// ask sends one request over a connection of its own, and reads the one reply.
func (n *node) ask(to, typ string, payload fields, timeout time.Duration, known []string) (message, error) {
	conn, err := n.dial(to, timeout)
	if err != nil {
		return message{}, err
	}
	defer conn.Close()
	if err := writeLine(conn, message{typ, payload, seconds()}); err != nil {
		return message{}, err
	}
	line, err := readLine(conn)
	if err != nil {
		return message{}, err
	}
	return decode(line, known)
}

// want asks for a reply of a type; another one is an error.
func (n *node) want(to, typ string, payload fields, timeout time.Duration, known []string, reply string) (*reader, error) {
	m, err := n.ask(to, typ, payload, timeout, known)
	if err == nil && m.Type != reply {
		err = fmt.Errorf("answered %s to %s", m.Type, typ)
	}
	return &reader{of: m.Payload}, err
}

func writeLine(conn net.Conn, m message) error {
	line, err := json.Marshal(m)
	if err == nil {
		_, err = conn.Write(append(line, '\n'))
	}
	return err
}

// readLine reads until there is a newline in what has come, or its sender has closed, and gives all that has come.
func readLine(from io.Reader) (all []byte, err error) {
	part := make([]byte, 4096)
	for !bytes.ContainsRune(all, '\n') && len(all) < lineBytes {
		some, err := from.Read(part)
		all = append(all, part[:some]...)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// answerLines gives what handles connections of which each is one request and one reply. A connection that is closed
// without a request is a probe.
func answerLines(answer func(from string, line []byte) (typ string, payload fields)) func(net.Conn) {
	return func(conn net.Conn) {
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(lineTimeout))
		line, err := readLine(conn)
		if err != nil || len(line) == 0 {
			return
		}
		typ, payload := answer(conn.RemoteAddr().String(), line)
		writeLine(conn, message{typ, payload, seconds()})
	}
}

// say writes a line of the log as p1 does.
func (n *node) say(format string, args ...any) {
	n.write(fmt.Sprintf("[%s] [%s] ", time.Now().Format(time.DateTime), n.label) + fmt.Sprintf(format, args...))
}

// truth is a boolean as p1 logs it.
func truth(b bool) string {
	if b {
		return "True"
	}
	return "False"
}
