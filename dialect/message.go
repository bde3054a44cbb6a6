package dialect

import (
	"math"
	"net/netip"
	"slices"

	"hearsay"
)

// Request is what a line asks: one of the closed set of this file. It has the
// fields that an answer depends on; all others of the line are checked.
type Request interface {
	Work() Work // that it makes for a node
}

// Reply is what a request is answered with: one of the closed set of this
// file.
type Reply interface {
	answers() string // its type
	reply(*object)
}

// Work is what a request costs, by which it is bounded.
type Work uint8

// The kinds of work.
const (
	Little Work = iota
	Walk        // of the roster
	List        // a walk, and the longest reply
	Case        // the seeds look into something
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

// message says of a type of line which nodes answer it, and how its payload is read. If that
// fails, what it gives does not matter.
type message struct {
	of   hearsay.Role // 0: none, because it is a reply only
	read func(*fields) (Request, Reply)
}

// messages are all types of lines. What is not here is unknown.
var messages = map[string]message{
	typeRegister:       {hearsay.RoleSeed, readRegister},
	typeRegisterVote:   {hearsay.RoleSeed, Registration.readVote},
	typeRegisterCommit: {hearsay.RoleSeed, Registration.readCommit},
	typePeerList:       {hearsay.RoleSeed, readPeerList},
	typeDeadReport:     {hearsay.RoleSeed, readDeadReport},
	typeDeadVote:       {hearsay.RoleSeed, Death.readVote},
	typeDeadCommit:     {hearsay.RoleSeed, Death.readCommit},
	typeHello:          {hearsay.RolePeer, readHello},
	typeGossip:         {hearsay.RolePeer, readGossip},
	typeSuspect:        {hearsay.RolePeer, readSuspect},
	typePeers:          {}, typeHelloAck: {}, typeSuspectAck: {}, typeError: {},
}

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

// Register asks a seed to let a peer in: a REGISTER_REQ. An Outcome answers it.
type Register struct {
	Peer  netip.AddrPort
	Facts []byte // of a peer of ours, which takes the seed for an earlier program's; see the package
}

// Work is of Request.
func (*Register) Work() Work { return Case }

func readRegister(f *fields) (Request, Reply) {
	return &Register{Peer: f.endpoint(Registration.subject()), Facts: f.facts()}, nil
}

// DeadReport tells a seed that a peer is dead: a DEAD_REPORT. An Outcome answers it. A port of 0 stands for the one
// peer at that IP address: text may leave it out.
type DeadReport struct{ Peer netip.AddrPort }

// Work is of Request.
func (*DeadReport) Work() Work { return Case }

func readDeadReport(f *fields) (Request, Reply) {
	f.ip("self_ip", optional)
	f.integer("timestamp", optional, 0, math.MaxInt64)
	f.address("reporter", optional)
	return &DeadReport{Peer: f.endpoint(Death.subject())}, nil
}

// Outcome is what the seeds decided about a Register or a DeadReport: a
// REGISTER_COMMIT or SEED_DEAD_COMMIT.
type Outcome struct {
	Matter   Matter
	Peer     netip.AddrPort
	Success  bool
	Already  bool // of a success: it was so before, and nobody voted
	Unknown  bool // of a success about a death: no peer is known ever to have been in there
	Pending  bool // of a failure: it is being decided still
	YesVotes int
	Quorum   int
	Reason   string // why not, in words, if there is more to say than votes
}

func (r *Outcome) answers() string { return r.Matter.of(typeRegisterCommit, typeDeadCommit) }

func (r *Outcome) reply(o *object) {
	o.text("proposal_id", r.Matter.Proposal(r.Peer))
	o.boolean("success", r.Success)
	known := r.Success && r.Already
	if !known || r.Matter == Death {
		o.integer("yes_votes", int64(r.YesVotes))
	}
	o.integer("quorum", int64(r.Quorum))
	switch { // ours: the older programs have no such cases
	case r.Matter != Death || !r.Success:
	case r.Unknown:
		o.boolean("already", false)
		o.boolean("unknown", true)
	case r.Already:
		o.boolean("already", true)
	}
	o.textIf("error", r.Reason)
}

// Vote asks a seed what it thinks itself, whether the peer should come in or whether it is dead:
// a REGISTER_VOTE or SEED_DEAD_VOTE. An Opinion answers it.
type Vote struct {
	Matter   Matter
	Proposal string // to be given back
	Peer     netip.AddrPort
}

// Work is of Request.
func (*Vote) Work() Work { return Case }

const (
	actionRequest  = "REQUEST"
	actionResponse = "RESPONSE"
)

// readVote reads a request for a vote. To what is itself an answer there is
// nothing to say.
func (m Matter) readVote(f *fields) (Request, Reply) {
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

// Opinion answers a Vote.
type Opinion struct {
	Matter   Matter
	Proposal string
	Vote     bool
	Voter    netip.AddrPort // the seed itself
}

func (r *Opinion) answers() string { return r.Matter.of(typeRegisterVote, typeDeadVote) }

func (r *Opinion) reply(o *object) {
	o.text("action", actionResponse)
	o.text("proposal_id", r.Proposal)
	o.boolean("vote", r.Vote)
	o.address("voter", r.Voter)
}

// VoteAck answers what is an answer itself.
type VoteAck struct{ Matter Matter }

func (r *VoteAck) answers() string { return r.Matter.of(typeRegisterVote, typeDeadVote) }

func (*VoteAck) reply(o *object) {
	o.boolean("vote", false)
	o.boolean("ack_only", true)
}

// Commit tells a seed what a quorum of an older program has decided: a
// REGISTER_COMMIT or SEED_DEAD_COMMIT. A CommitAck answers it.
type Commit struct{ Matter Matter }

// Work is of Request.
func (*Commit) Work() Work { return Little }

const (
	decisionCommit = "COMMIT"
	decisionAbort  = "ABORT"
)

func (m Matter) readCommit(f *fields) (Request, Reply) {
	f.endpoint(m.subject())
	f.address("source_seed", optional)
	f.text("proposal_id", optional)
	if decision := f.text("decision", required); decision != decisionCommit && decision != decisionAbort {
		f.fail("decision", `want "`+decisionCommit+`" or "`+decisionAbort+`"`)
	}
	return &Commit{Matter: m}, nil
}

// CommitAck answers a Commit.
type CommitAck struct {
	Matter Matter
	Ack    bool
	Reason string // why it changed nothing
}

func (r *CommitAck) answers() string { return r.Matter.of(typeRegisterCommit, typeDeadCommit) }

func (r *CommitAck) reply(o *object) {
	o.boolean("ack", r.Ack)
	o.boolean("ack_only", true)
	o.textIf("error", r.Reason)
}

// PeerList asks a seed for all peers: a PEER_LIST_REQ. Peers answers it.
type PeerList struct{}

// Work is of Request.
func (*PeerList) Work() Work { return List }

func readPeerList(f *fields) (Request, Reply) {
	f.address("requester", optional)
	return &PeerList{}, nil
}

// Peers answers PeerList.
type Peers struct {
	Peers []netip.AddrPort // the requester included; in any order
	Seed  netip.AddrPort   // the seed itself
}

func (*Peers) answers() string { return typePeers }

func (r *Peers) reply(o *object) {
	peers := make([]string, len(r.Peers))
	for i, peer := range r.Peers {
		peers[i] = peer.String()
	}
	slices.Sort(peers) // as text: so the older programs sort
	o.texts("peers", peers)
	o.address("seed", r.Seed)
}

// Hello asks a peer for a link: a HELLO. A HelloAck answers it.
type Hello struct {
	Peer     netip.AddrPort // that asks
	Degree   int            // its links
	Spelling Spelling       // of text
}

// Work is of Request.
func (*Hello) Work() Work { return Walk }

func readHello(f *fields) (Request, Reply) {
	return &Hello{Peer: f.endpoint("peer_ip", "peer_port"), Degree: int(f.integer("degree", optional, 0, math.MaxInt32))}, nil
}

func (r *Hello) write(o *object) {
	o.endpoint("peer_ip", "peer_port", r.Peer)
	o.integer("degree", int64(r.Degree))
}

// HelloAck answers Hello.
type HelloAck struct {
	Accepted bool
	Peer     netip.AddrPort // the peer itself
	Degree   int            // its links
	Reason   string         // why it was not accepted: ours, the older programs give none
}

func (*HelloAck) answers() string { return typeHelloAck }

func (r *HelloAck) reply(o *object) {
	o.boolean("accepted", r.Accepted)
	o.endpoint("peer_ip", "peer_port", r.Peer)
	o.integer("degree", int64(r.Degree))
	o.textIf("reason", r.Reason)
}

// Gossip brings a peer a message that is not empty: a GOSSIP_MSG. A GossipAck answers it.
type Gossip struct {
	Text string
	// Origin is ours: the peer that has said it; the older programs say its IP only. Not valid: was not said. Text has it
	// in itself, in its short form without a port (0).
	Origin netip.AddrPort
	Number int64          // that it gave the message; not read, as the text has it
	Sender netip.AddrPort // not valid: was not said
}

// Work is of Request.
func (*Gossip) Work() Work { return Walk }

// readGossip reads a message, whose origin and number may be said beside it.
func readGossip(f *fields) (Request, Reply) {
	f.ip("origin_ip", optional)
	g := &Gossip{
		Text: f.anyText("message", optional), Origin: f.address(originKey, optional), Sender: f.address("sender", optional),
	}
	if g.Text == "" {
		return nil, &GossipAck{Reason: "empty_message"}
	}
	return g, nil
}

// originKey is ours: several peers of one host say the same text in the same second.
const originKey = "origin"

func (r *Gossip) write(o *object) {
	o.text("message", r.Text)
	ip := r.Origin.Addr()
	if !ip.IsValid() {
		if ip = OriginIn(r.Text); !ip.IsValid() {
			ip = r.Sender.Addr()
		}
	}
	o.text("origin_ip", ip.String())
	o.address(originKey, r.Origin)
	o.integer("msg_no", r.Number)
	o.address("sender", r.Sender)
}

// GossipAck answers Gossip.
type GossipAck struct {
	Accepted  bool
	Duplicate bool
	Reason    string // why it was not accepted
}

func (*GossipAck) answers() string { return typeGossip }

func (r *GossipAck) reply(o *object) {
	o.boolean("accepted", r.Accepted)
	if r.Accepted {
		o.boolean("duplicate", r.Duplicate)
	}
	o.textIf("reason", r.Reason)
}

// Suspect asks a peer whether it can reach another: a SUSPECT_REQ. A SuspectAck answers it, or a Failure: the peer
// cannot say.
type Suspect struct {
	Peer      netip.AddrPort
	Requester netip.AddrPort // not valid: was not said
}

// Work is of Request.
func (*Suspect) Work() Work { return Walk }

func readSuspect(f *fields) (Request, Reply) {
	return &Suspect{Peer: f.endpoint(Death.subject()), Requester: f.address("requester", optional)}, nil
}

// SuspectAck answers Suspect.
type SuspectAck struct {
	Suspect   netip.AddrPort
	Alive     bool
	Confirmer netip.AddrPort // the peer itself
	Reason    string         // why not alive: ours, the older programs give none
}

func (*SuspectAck) answers() string { return typeSuspectAck }

func (r *SuspectAck) reply(o *object) {
	o.address("suspect", r.Suspect)
	o.boolean("alive", r.Alive)
	o.address("confirmer", r.Confirmer)
	o.textIf("reason", r.Reason)
}

// Refusal answers what a seed cannot serve.
type Refusal struct{ Reason string }

func (*Refusal) answers() string { return typeRegisterCommit }

func (r *Refusal) reply(o *object) {
	o.boolean("success", false)
	o.text("error", r.Reason)
}

// Failure answers what a peer cannot serve, and what others serve.
type Failure struct {
	Reason string
	Facts  []byte // that a node of ours says so, and which; see the package
}

func (*Failure) answers() string { return typeError }

func (r *Failure) reply(o *object) {
	o.text("reason", r.Reason)
	o.facts(r.Facts)
}
