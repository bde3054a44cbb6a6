package dialect

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Limits of one line. The older programs are not known to have any.
const (
	// RequestLineMax is the longest request, in bytes with its newline. The
	// text of a message may be long. A line of this length is taken apart within
	// a millisecond, whatever is in it (TestEveryLineIsCheap).
	RequestLineMax = 8 << 10

	// ReplyLineMax is the longest reply. The largest is a list of peers: of
	// 10,000 in the longest spelling 500 KiB.
	ReplyLineMax = 1 << 20

	depthMax  = 16  // objects and arrays within each other; those of the protocol are 3 deep
	stringMax = 256 // bytes of a name of a case, a type, an address
)

// The types of lines.
const (
	typeRegister       = "REGISTER_REQ"
	typeRegisterVote   = "REGISTER_VOTE"
	typeRegisterCommit = "REGISTER_COMMIT"
	typePeerList       = "PEER_LIST_REQ"
	typePeers          = "PEER_LIST_RESP"
	typeHello          = "HELLO"
	typeHelloAck       = "HELLO_ACK"
	typeGossip         = "GOSSIP_MSG"
	typeSuspect        = "SUSPECT_REQ"
	typeSuspectAck     = "SUSPECT_ACK"
	typeDeadReport     = "DEAD_REPORT"
	typeDeadVote       = "SEED_DEAD_VOTE"
	typeDeadCommit     = "SEED_DEAD_COMMIT"
	typeError          = "ERROR"
)

// readLine takes a line apart. Keys are exact: encoding/json would match
// those of a struct in any case.
func readLine(line []byte, most int) (kind string, payload *fields, err error) {
	if len(line) > most {
		return "", nil, fmt.Errorf("line longer than %d bytes", most)
	}
	if tooDeep(line) {
		return "", nil, fmt.Errorf("bad JSON: nested deeper than %d", depthMax)
	}
	top := fields{}
	if err := json.Unmarshal(line, &top.values); err != nil {
		return "", nil, fmt.Errorf("bad JSON: %s", plain(err))
	}
	kind = top.text("type", required)
	if ts, there := top.raw("ts", optional); there {
		if _, err := strconv.ParseFloat(string(ts), 64); err != nil {
			top.fail("ts", "want a number, Unix seconds")
		}
	}
	payload = &fields{}
	if raw, there := top.raw("payload", required); there {
		if err := json.Unmarshal(raw, &payload.values); err != nil {
			top.fail("payload", "want an object")
		}
	}
	return kind, payload, top.err
}

// plain says in a few words what encoding/json found wrong.
func plain(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return "want an object, not " + wrong.Value
	}
	return err.Error()
}

// tooDeep looks at nesting before the line is decoded.
func tooDeep(line []byte) bool {
	depth, quoted, escaped := 0, false, false
	for _, c := range line {
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			if depth++; depth > depthMax {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// appendLine appends a line whose payload is what write writes.
func appendLine(dst []byte, kind string, write func(*object), now time.Time) []byte {
	line := object{b: append(dst, '{')}
	line.text("type", kind)
	line.key("payload")
	payload := object{b: append(line.b, '{')}
	write(&payload)
	line.b = append(payload.b, '}')
	line.key("ts")
	const microseconds = 6 // digits
	line.b = strconv.AppendFloat(line.b, float64(now.UnixMicro())/1e6, 'f', microseconds, 64)
	return append(line.b, '}', '\n')
}
