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

// Request is what a line asks: one of the closed set of this file. Each has
// Facts, what nodes of ours say besides; see the package.
type Request interface {
	kind() string
	request(*object)
}

// Register asks a seed to let a peer in.
type Register struct {
	Peer  netip.AddrPort
	Facts []byte
}

// Vote asks a seed what it thinks itself: whether the peer should come in, or
// whether it is dead.
type Vote struct {
	Matter   Matter
	Proposal string // to be given back
	Peer     netip.AddrPort
	Proposer netip.AddrPort // not valid: was not said
	Facts    []byte
}

// Commit tells a seed what a quorum of an older program has decided.
type Commit struct {
	Matter    Matter
	Proposal  string
	Committed bool // else aborted
	Peer      netip.AddrPort
	Source    netip.AddrPort // the seed that tells; not valid: was not said
	Facts     []byte
}

// PeerList asks a seed for all peers.
type PeerList struct {
	Requester netip.AddrPort // not valid: was not said
	Facts     []byte
}

// DeadReport tells a seed that a peer is dead.
type DeadReport struct {
	Peer      netip.AddrPort
	SelfIP    netip.Addr     // of who reports; not valid: was not said
	Timestamp int64          // Unix seconds; 0: was not said
	Reporter  netip.AddrPort // not valid: was not said
	Facts     []byte
}

// Hello asks a peer for a link.
type Hello struct {
	Peer   netip.AddrPort // who asks
	Degree int            // its links; 1 if not said
	Facts  []byte
}

// Gossip brings a peer a message. Origin and Number are taken from the text
// where they were not said; Text may say nothing of them either.
type Gossip struct {
	Text   string         // not empty
	Origin netip.Addr     // not valid: not known
	Number int64          // of the origin's messages; 0: not known
	Sender netip.AddrPort // who passes it on; not valid: was not said
	Facts  []byte
}

// Suspect asks a peer whether it can reach another.
type Suspect struct {
	Peer      netip.AddrPort
	Requester netip.AddrPort // not valid: was not said
	Facts     []byte
}

func (*Register) kind() string   { return typeRegister }
func (r *Vote) kind() string     { return r.Matter.of(typeRegisterVote, typeDeadVote) }
func (r *Commit) kind() string   { return r.Matter.of(typeRegisterCommit, typeDeadCommit) }
func (*PeerList) kind() string   { return typePeerList }
func (*DeadReport) kind() string { return typeDeadReport }
func (*Hello) kind() string      { return typeHello }
func (*Gossip) kind() string     { return typeGossip }
func (*Suspect) kind() string    { return typeSuspect }

// Words in fields.
const (
	actionRequest  = "REQUEST"
	actionResponse = "RESPONSE"
	decisionCommit = "COMMIT"
	decisionAbort  = "ABORT"
	reasonEmpty    = "empty_message"
)

// servedBy tells who answers a type of line; 0 is nobody, because it is a reply
// only. What is not here is unknown.
var servedBy = map[string]hearsay.Role{
	typeRegister: hearsay.RoleSeed, typeRegisterVote: hearsay.RoleSeed, typeRegisterCommit: hearsay.RoleSeed,
	typePeerList: hearsay.RoleSeed, typeDeadReport: hearsay.RoleSeed, typeDeadVote: hearsay.RoleSeed, typeDeadCommit: hearsay.RoleSeed,
	typeHello: hearsay.RolePeer, typeGossip: hearsay.RolePeer, typeSuspect: hearsay.RolePeer,
	typePeers: 0, typeHelloAck: 0, typeSuspectAck: 0, typeError: 0,
}

// ReadRequest takes apart a line that came to a node of this role, with or
// without its newline. It gives either the request or, where nobody else need
// be asked, the reply.
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
		return &Register{Peer: f.endpoint(Registration.subject()), Facts: f.facts()}, nil
	case typeRegisterVote:
		return f.vote(Registration)
	case typeDeadVote:
		return f.vote(Death)
	case typeRegisterCommit:
		return f.commit(Registration), nil
	case typeDeadCommit:
		return f.commit(Death), nil
	case typePeerList:
		return &PeerList{Requester: f.address("requester", optional), Facts: f.facts()}, nil
	case typeDeadReport:
		return &DeadReport{
			Peer: f.endpoint(Death.subject()), SelfIP: f.ip("self_ip", optional),
			Timestamp: f.integer("timestamp", optional, 0, math.MaxInt64), Reporter: f.address("reporter", optional), Facts: f.facts(),
		}, nil
	case typeHello:
		hello := &Hello{Peer: f.endpoint("peer_ip", "peer_port"), Degree: 1, Facts: f.facts()}
		if f.has("degree") {
			hello.Degree = int(f.integer("degree", required, 0, math.MaxInt32))
		}
		return hello, nil
	case typeGossip:
		return f.gossip()
	case typeSuspect:
		return &Suspect{Peer: f.endpoint(Death.subject()), Requester: f.address("requester", optional), Facts: f.facts()}, nil
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
	v := &Vote{Matter: m, Peer: f.endpoint(m.subject()), Proposer: f.address("proposer", optional), Facts: f.facts()}
	v.Proposal = f.proposal(m, v.Peer)
	return v, nil
}

func (f *fields) commit(m Matter) *Commit {
	c := &Commit{Matter: m, Peer: f.endpoint(m.subject()), Source: f.address("source_seed", optional), Facts: f.facts()}
	c.Proposal = f.proposal(m, c.Peer)
	switch f.text("decision", required) {
	case decisionCommit:
		c.Committed = true
	case decisionAbort:
	default:
		f.fail("decision", `want "`+decisionCommit+`" or "`+decisionAbort+`"`)
	}
	return c
}

// proposal reads the name of a case, or gives the one that it should have.
func (f *fields) proposal(m Matter, peer netip.AddrPort) string {
	if name := f.text("proposal_id", optional); name != "" {
		return name
	}
	return m.Proposal(peer)
}

func (f *fields) gossip() (Request, Reply) {
	g := &Gossip{
		Text: f.anyText("message", optional), Origin: f.ip("origin_ip", optional),
		Number: f.integer("msg_no", optional, 0, math.MaxInt64), Sender: f.address("sender", optional), Facts: f.facts(),
	}
	if g.Text == "" {
		return nil, &GossipAck{Reason: reasonEmpty}
	}
	if _, origin, number, ok := ParseText(g.Text); ok {
		if !g.Origin.IsValid() {
			g.Origin = origin
		}
		if g.Number == 0 {
			g.Number = number
		}
	}
	return g, nil
}

// AppendRequest appends the line of a request that is made now.
func AppendRequest(dst []byte, r Request, now time.Time) []byte {
	return appendLine(dst, r.kind(), r.request, now)
}

func (r *Register) request(o *object) {
	o.endpoint("peer_ip", "peer_port", r.Peer)
	o.facts(r.Facts)
}

func (r *Vote) request(o *object) {
	o.text("action", actionRequest)
	o.text("proposal_id", r.Proposal)
	ip, port := r.Matter.subject()
	o.endpoint(ip, port, r.Peer)
	o.address("proposer", r.Proposer)
	o.facts(r.Facts)
}

func (r *Commit) request(o *object) {
	decision := decisionAbort
	if r.Committed {
		decision = decisionCommit
	}
	o.text("proposal_id", r.Proposal)
	o.text("decision", decision)
	ip, port := r.Matter.subject()
	o.endpoint(ip, port, r.Peer)
	o.address("source_seed", r.Source)
	o.boolean("ack_only", true)
	o.facts(r.Facts)
}

func (r *PeerList) request(o *object) {
	o.address("requester", r.Requester)
	o.facts(r.Facts)
}

func (r *DeadReport) request(o *object) {
	o.endpoint("dead_ip", "dead_port", r.Peer)
	if r.SelfIP.IsValid() {
		o.text("self_ip", r.SelfIP.String())
	}
	o.integer("timestamp", r.Timestamp)
	o.address("reporter", r.Reporter)
	o.facts(r.Facts)
}

func (r *Hello) request(o *object) {
	o.endpoint("peer_ip", "peer_port", r.Peer)
	o.integer("degree", int64(r.Degree))
	o.facts(r.Facts)
}

func (r *Gossip) request(o *object) {
	o.text("message", r.Text)
	if r.Origin.IsValid() {
		o.text("origin_ip", r.Origin.String())
	}
	o.integer("msg_no", r.Number)
	o.address("sender", r.Sender)
	o.facts(r.Facts)
}

func (r *Suspect) request(o *object) {
	o.endpoint("dead_ip", "dead_port", r.Peer)
	o.address("requester", r.Requester)
	o.facts(r.Facts)
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

// FactsOf gives what a node of ours said besides; nil: it is none of ours, or
// had nothing to say.
func FactsOf(r Request) []byte {
	switch r := r.(type) {
	case *Register:
		return r.Facts
	case *Vote:
		return r.Facts
	case *Commit:
		return r.Facts
	case *PeerList:
		return r.Facts
	case *DeadReport:
		return r.Facts
	case *Hello:
		return r.Facts
	case *Gossip:
		return r.Facts
	case *Suspect:
		return r.Facts
	}
	panic(fmt.Sprintf("dialect: %T is no request", r))
}

// Text gives the text of a message as the older programs write it:
// <Unix seconds>:<IP>:<number of the message>.
func Text(at time.Time, origin netip.Addr, number int64) string {
	return fmt.Sprintf("%d:%s:%d", at.Unix(), origin, number)
}

// ParseText reads the form of Text.
func ParseText(text string) (at time.Time, origin netip.Addr, number int64, ok bool) {
	first, last := strings.IndexByte(text, ':'), strings.LastIndexByte(text, ':')
	if first < 0 || last <= first {
		return at, origin, 0, false
	}
	const bits = 63 // so that it has no sign
	seconds, err := strconv.ParseUint(text[:first], 10, bits)
	n, wrong := strconv.ParseUint(text[last+1:], 10, bits)
	origin, ok = parseIP(text[first+1 : last])
	return time.Unix(int64(seconds), 0), origin, int64(n), ok && err == nil && wrong == nil
}

// DeathText gives the text of a report as the older programs write it.
func DeathText(dead netip.AddrPort, at time.Time, self netip.Addr) string {
	return fmt.Sprintf("Dead Node:%s:%d:%d:%s", dead.Addr(), dead.Port(), at.Unix(), self)
}
