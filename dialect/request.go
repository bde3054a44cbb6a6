package dialect

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"hearsay"
)

// Matter is what a vote is about.
type Matter uint8

// The matters.
const (
	Registration Matter = iota // that a peer comes in
	Death                      // that a peer goes out
)

// of gives the word of the matter among two.
func (m Matter) of(registration, death string) string {
	if m == Death {
		return death
	}
	return registration
}

// subject gives the two fields that name the peer it is about.
func (m Matter) subject() (ip, port string) {
	return m.of("peer_ip", "dead_ip"), m.of("peer_port", "dead_port")
}

// Proposal names the case about a peer as the older programs do.
func (m Matter) Proposal(peer netip.AddrPort) string {
	return m.of("reg:", "dead:") + peer.String()
}

// Request is what a line asks: one of the closed set of this file. It has the
// fields that an answer depends on; all others of the line are checked.
type Request interface{ request() }

// Register asks a seed to let a peer in.
type Register struct{ Peer netip.AddrPort }

// Vote asks a seed what it thinks itself: whether the peer should come in, or
// whether it is dead.
type Vote struct {
	Matter   Matter
	Proposal string // to be given back
	Peer     netip.AddrPort
}

// Commit tells a seed what a quorum of an older program has decided.
type Commit struct{ Matter Matter }

// PeerList asks a seed for all peers.
type PeerList struct{}

// DeadReport tells a seed that a peer is dead.
type DeadReport struct{ Peer netip.AddrPort }

// Hello asks a peer for a link.
type Hello struct{}

// Gossip brings a peer a message that is not empty.
type Gossip struct{}

// Suspect asks a peer whether it can reach another.
type Suspect struct {
	Peer      netip.AddrPort
	Requester netip.AddrPort // not valid: was not said
}

func (*Register) request()   {}
func (*Vote) request()       {}
func (*Commit) request()     {}
func (*PeerList) request()   {}
func (*DeadReport) request() {}
func (*Hello) request()      {}
func (*Gossip) request()     {}
func (*Suspect) request()    {}

// Words in fields.
const (
	actionRequest  = "REQUEST"
	actionResponse = "RESPONSE"
	decisionCommit = "COMMIT"
	decisionAbort  = "ABORT"
	reasonEmpty    = "empty_message"
)

// servedBy tells which nodes answer a type of line; 0 is none, because it is a reply
// only. What is not here is unknown.
var servedBy = map[string]hearsay.Role{
	typeRegister: hearsay.RoleSeed, typeRegisterVote: hearsay.RoleSeed, typeRegisterCommit: hearsay.RoleSeed,
	typePeerList: hearsay.RoleSeed, typeDeadReport: hearsay.RoleSeed, typeDeadVote: hearsay.RoleSeed, typeDeadCommit: hearsay.RoleSeed,
	typeHello: hearsay.RolePeer, typeGossip: hearsay.RolePeer, typeSuspect: hearsay.RolePeer,
	typePeers: 0, typeHelloAck: 0, typeSuspectAck: 0, typeError: 0,
}

// ReadRequest takes apart a line that came to a node of this role, with or
// without its newline. It gives either the request or, where the line alone
// decides it, the reply.
func ReadRequest(line []byte, role hearsay.Role) (Request, Reply) {
	kind, payload, err := readLine(line, RequestLineMax)
	if err != nil {
		return nil, BadInput(role, err.Error())
	}
	by, known := servedBy[kind]
	switch {
	case !known:
		return nil, BadInput(role, fmt.Sprintf("Unknown type: %q", kind))
	case by != role:
		return nil, &Failure{Reason: "Unsupported type: " + kind}
	}
	request, reply := payload.request(kind)
	if payload.err != nil {
		return nil, BadInput(role, payload.err.Error())
	}
	return request, reply
}

// request reads the payload of a request. If it fails, what it gives does not
// matter.
func (f *fields) request(kind string) (Request, Reply) {
	switch kind {
	case typeRegister:
		return &Register{Peer: f.endpoint(Registration.subject())}, nil
	case typeRegisterVote:
		return f.vote(Registration)
	case typeDeadVote:
		return f.vote(Death)
	case typeRegisterCommit:
		return f.commit(Registration), nil
	case typeDeadCommit:
		return f.commit(Death), nil
	case typePeerList:
		f.address("requester", optional)
		return &PeerList{}, nil
	case typeDeadReport:
		f.ip("self_ip", optional)
		f.integer("timestamp", optional, 0, math.MaxInt64)
		f.address("reporter", optional)
		return &DeadReport{Peer: f.endpoint(Death.subject())}, nil
	case typeHello:
		f.endpoint("peer_ip", "peer_port")
		f.integer("degree", optional, 0, math.MaxInt32)
		return &Hello{}, nil
	case typeGossip:
		return f.gossip()
	case typeSuspect:
		return &Suspect{Peer: f.endpoint(Death.subject()), Requester: f.address("requester", optional)}, nil
	}
	panic("dialect: no reader for " + kind) // servedBy has it
}

// vote reads a request for a vote. To what is itself an answer there is
// nothing to say.
func (f *fields) vote(m Matter) (Request, Reply) {
	switch f.text("action", required) {
	case actionRequest:
	case actionResponse:
		return nil, &VoteAck{Matter: m}
	default:
		f.fail("action", `want "`+actionRequest+`" or "`+actionResponse+`"`)
	}
	v := &Vote{Matter: m, Peer: f.endpoint(m.subject()), Proposal: f.text("proposal_id", optional)}
	f.address("proposer", optional)
	if v.Proposal == "" {
		v.Proposal = m.Proposal(v.Peer)
	}
	return v, nil
}

func (f *fields) commit(m Matter) *Commit {
	f.endpoint(m.subject())
	f.address("source_seed", optional)
	f.text("proposal_id", optional)
	if decision := f.text("decision", required); decision != decisionCommit && decision != decisionAbort {
		f.fail("decision", `want "`+decisionCommit+`" or "`+decisionAbort+`"`)
	}
	return &Commit{Matter: m}
}

// gossip reads a message, whose origin and number may be said beside it.
func (f *fields) gossip() (Request, Reply) {
	text := f.anyText("message", optional)
	f.ip("origin_ip", optional)
	f.integer("msg_no", optional, 0, math.MaxInt64)
	f.address("sender", optional)
	if text == "" {
		return nil, &GossipAck{Reason: reasonEmpty}
	}
	return &Gossip{}, nil
}

// AppendSuspect appends the line of a request of this kind that is made now.
func AppendSuspect(dst []byte, r *Suspect, now time.Time) []byte {
	return appendLine(dst, typeSuspect, func(o *object) {
		ip, port := Death.subject()
		o.endpoint(ip, port, r.Peer)
		o.address("requester", r.Requester)
	}, now)
}

// OpensCase reports whether a request makes a seed look into something: these
// are what one source may not ask often.
func OpensCase(r Request) bool {
	switch r.(type) {
	case *Register, *Vote, *DeadReport:
		return true
	}
	return false
}

// Text gives the text of a message as the older programs write it:
// <Unix seconds>:<IP>:<number of the message>.
func Text(at time.Time, origin netip.Addr, number int64) string {
	return fmt.Sprintf("%d:%s:%d", at.Unix(), origin, number)
}

// IsText reports whether a text has the form of Text.
func IsText(text string) bool {
	first, last := strings.IndexByte(text, ':'), strings.LastIndexByte(text, ':')
	if first < 0 || last <= first {
		return false
	}
	const bits = 63 // so that it has no sign
	_, err := strconv.ParseUint(text[:first], 10, bits)
	_, wrong := strconv.ParseUint(text[last+1:], 10, bits)
	_, ok := parseIP(text[first+1 : last])
	return ok && err == nil && wrong == nil
}
