package dialect

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"hearsay"
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

// ReadRequest takes apart a line that came to a node of this role, with or
// without its newline. It gives either the request or, where the line alone
// decides it, the reply.
func ReadRequest(line []byte, role hearsay.Role) (Request, Reply) {
	kind, payload, err := readLine(line, RequestLineMax)
	if err != nil {
		return nil, BadInput(role, err.Error())
	}
	message, known := messages[kind]
	switch {
	case !known:
		return nil, BadInput(role, fmt.Sprintf("Unknown type: %q", kind))
	case message.of != role:
		return nil, &Failure{Reason: "Unsupported type: " + kind}
	}
	request, reply := message.read(payload)
	if payload.err != nil {
		return nil, BadInput(role, payload.err.Error())
	}
	return request, reply
}

// BadInput is the reply of a node of this role to what is no request.
func BadInput(role hearsay.Role, reason string) Reply {
	if role == hearsay.RoleSeed {
		return &Refusal{Reason: reason}
	}
	return &Failure{Reason: reason}
}

// AppendReply appends the line of a reply that is given now.
func AppendReply(dst []byte, r Reply, now time.Time) []byte {
	return appendLine(dst, r.answers(), r.reply, now)
}

// AppendProbe appends the line with which a node asks a guest whether it answers. It is a PEER_LIST_REQ: the older
// peers know that type and do not serve it, so that they answer at once, log nothing and look at nobody.
func AppendProbe(dst []byte, requester netip.AddrPort, now time.Time) []byte {
	return appendLine(dst, typePeerList, func(o *object) { o.address("requester", requester) }, now)
}

// AppendHello appends the line of a request of this kind that is made now.
func AppendHello(dst []byte, r *Hello, now time.Time) []byte {
	return appendLine(dst, typeHello, r.write, now)
}

// AppendGossip appends the line of a request of this kind that is made now.
func AppendGossip(dst []byte, r *Gossip, now time.Time) []byte {
	return appendLine(dst, typeGossip, r.write, now)
}

// ReadProbed takes apart the line that came back for a probe: whatever it is, its sender lives. A node of ours has its
// facts in it; see the package.
func ReadProbed(line []byte) (facts []byte, err error) {
	_, payload, err := readLine(line, ReplyLineMax)
	if err == nil {
		facts, err = payload.facts(), payload.err
	}
	if err != nil {
		return nil, fmt.Errorf("reply to %s: %w", typePeerList, err)
	}
	return facts, nil
}
