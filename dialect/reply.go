package dialect

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"hearsay"
)

// Reply is what a request is answered with: one of the closed set of this
// file. Most have Facts, as requests do.
type Reply interface {
	answers() string // its type
	reply(*object)
}

// Outcome is what the seeds decided about a Register or a DeadReport.
type Outcome struct {
	Matter   Matter
	Peer     netip.AddrPort
	Success  bool
	Already  bool // of a success: it was so before, and nobody voted
	Unknown  bool // of a success about a death: nobody is known ever to have been in there
	YesVotes int
	Quorum   int
	Reason   string // why not, in words, if there is more to say than votes
	Facts    []byte
}

// Opinion answers a Vote.
type Opinion struct {
	Matter   Matter
	Proposal string
	Vote     bool
	Voter    netip.AddrPort // the seed itself
	Facts    []byte
}

// VoteAck answers what is an answer itself.
type VoteAck struct{ Matter Matter }

// CommitAck answers a Commit.
type CommitAck struct {
	Matter Matter
	Ack    bool
	Reason string // why it changed nothing
	Facts  []byte
}

// Peers answers PeerList.
type Peers struct {
	Peers []netip.AddrPort // the requester included; in any order
	Seed  netip.AddrPort   // the seed itself
	Facts []byte
}

// HelloAck answers Hello.
type HelloAck struct {
	Accepted bool
	Peer     netip.AddrPort // the peer itself
	Degree   int            // its links
	Reason   string         // why it was not accepted: ours, the older programs give none
	Facts    []byte
}

// GossipAck answers Gossip.
type GossipAck struct {
	Accepted  bool
	Duplicate bool
	Reason    string // why it was not accepted
	Facts     []byte
}

// SuspectAck answers Suspect.
type SuspectAck struct {
	Suspect   netip.AddrPort
	Alive     bool
	Confirmer netip.AddrPort // the peer itself
	Reason    string         // why not alive: ours, the older programs give none
	Facts     []byte
}

// Refusal answers what a seed cannot serve.
type Refusal struct{ Reason string }

// Failure answers what a peer cannot serve, and what others serve.
type Failure struct{ Reason string }

// BadInput is the reply of a node of this role to what is no request.
func BadInput(role hearsay.Role, reason string) Reply {
	if role == hearsay.RoleSeed {
		return &Refusal{Reason: reason}
	}
	return &Failure{Reason: reason}
}

func (r *Outcome) answers() string   { return r.Matter.of(typeRegisterCommit, typeDeadCommit) }
func (r *Opinion) answers() string   { return r.Matter.of(typeRegisterVote, typeDeadVote) }
func (r *VoteAck) answers() string   { return r.Matter.of(typeRegisterVote, typeDeadVote) }
func (r *CommitAck) answers() string { return r.Matter.of(typeRegisterCommit, typeDeadCommit) }
func (*Peers) answers() string       { return typePeers }
func (*HelloAck) answers() string    { return typeHelloAck }
func (*GossipAck) answers() string   { return typeGossip }
func (*SuspectAck) answers() string  { return typeSuspectAck }
func (*Refusal) answers() string     { return typeRegisterCommit }
func (*Failure) answers() string     { return typeError }

// AppendReply appends the line of a reply that is given now.
func AppendReply(dst []byte, r Reply, now time.Time) []byte {
	return appendLine(dst, r.answers(), r.reply, now)
}

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
	o.facts(r.Facts)
}

func (r *Opinion) reply(o *object) {
	o.text("action", actionResponse)
	o.text("proposal_id", r.Proposal)
	o.boolean("vote", r.Vote)
	o.address("voter", r.Voter)
	o.facts(r.Facts)
}

func (*VoteAck) reply(o *object) {
	o.boolean("vote", false)
	o.boolean("ack_only", true)
}

func (r *CommitAck) reply(o *object) {
	o.boolean("ack", r.Ack)
	o.boolean("ack_only", true)
	o.textIf("error", r.Reason)
	o.facts(r.Facts)
}

func (r *Peers) reply(o *object) {
	peers := make([]string, len(r.Peers))
	for i, peer := range r.Peers {
		peers[i] = peer.String()
	}
	slices.Sort(peers) // as text: so the older programs sort
	o.texts("peers", peers)
	o.address("seed", r.Seed)
	o.facts(r.Facts)
}

func (r *HelloAck) reply(o *object) {
	o.boolean("accepted", r.Accepted)
	o.endpoint("peer_ip", "peer_port", r.Peer)
	o.integer("degree", int64(r.Degree))
	o.textIf("reason", r.Reason)
	o.facts(r.Facts)
}

func (r *GossipAck) reply(o *object) {
	o.boolean("accepted", r.Accepted)
	if r.Accepted {
		o.boolean("duplicate", r.Duplicate)
	}
	o.textIf("reason", r.Reason)
	o.facts(r.Facts)
}

func (r *SuspectAck) reply(o *object) {
	o.address("suspect", r.Suspect)
	o.boolean("alive", r.Alive)
	o.address("confirmer", r.Confirmer)
	o.textIf("reason", r.Reason)
	o.facts(r.Facts)
}

func (r *Refusal) reply(o *object) {
	o.boolean("success", false)
	o.text("error", r.Reason)
}

func (r *Failure) reply(o *object) { o.text("reason", r.Reason) }

// A RefusedError is the other end's word that it cannot serve a request.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "refused: " + short(e.Reason) }

// ReadReply takes apart the line that came back for a request. A Refusal and
// a Failure come as *RefusedError; every other error is of an answer that
// cannot be understood.
func ReadReply(line []byte, to Request) (Reply, error) {
	kind, payload, err := readLine(line, ReplyLineMax)
	if err != nil {
		return nil, fmt.Errorf("reply to %s: %w", to.kind(), err)
	}
	if kind == typeError {
		return nil, &RefusedError{payload.anyText("reason", optional)}
	}
	refused := kind == typeRegisterCommit && payload.has("error") && !payload.has("proposal_id") && !payload.has("ack_only")
	if refused {
		return nil, &RefusedError{payload.anyText("error", optional)}
	}
	if want := replyTo(to); kind != want {
		return nil, fmt.Errorf("reply to %s: it is of type %s, want %s", to.kind(), short(kind), want)
	}
	reply := payload.reply(to)
	if payload.err != nil {
		return nil, fmt.Errorf("reply to %s: %w", to.kind(), payload.err)
	}
	return reply, nil
}

// replyTo gives the type of the reply to a request.
func replyTo(r Request) string {
	switch r.kind() {
	case typeRegister:
		return typeRegisterCommit
	case typeDeadReport:
		return typeDeadCommit
	case typePeerList:
		return typePeers
	case typeHello:
		return typeHelloAck
	case typeSuspect:
		return typeSuspectAck
	}
	return r.kind()
}

// reply reads the payload of the reply to a request. If it fails, what it
// gives does not matter.
func (f *fields) reply(to Request) Reply {
	switch to := to.(type) {
	case *Register:
		return f.outcome(Registration, to.Peer)
	case *DeadReport:
		return f.outcome(Death, to.Peer)
	case *Vote:
		return &Opinion{
			Matter: to.Matter, Proposal: f.text("proposal_id", required), Vote: f.boolean("vote", required),
			Voter: f.address("voter", optional), Facts: f.facts(),
		}
	case *Commit:
		return &CommitAck{Matter: to.Matter, Ack: f.boolean("ack", required), Reason: f.anyText("error", optional), Facts: f.facts()}
	case *PeerList:
		return &Peers{Peers: f.addresses("peers"), Seed: f.address("seed", optional), Facts: f.facts()}
	case *Hello:
		return &HelloAck{
			Accepted: f.boolean("accepted", required), Peer: f.endpoint("peer_ip", "peer_port"),
			Degree: int(f.integer("degree", optional, 0, math.MaxInt32)), Reason: f.anyText("reason", optional), Facts: f.facts(),
		}
	case *Gossip:
		return &GossipAck{
			Accepted: f.boolean("accepted", required), Duplicate: f.boolean("duplicate", optional),
			Reason: f.anyText("reason", optional), Facts: f.facts(),
		}
	case *Suspect:
		return &SuspectAck{
			Suspect: f.address("suspect", optional), Alive: f.boolean("alive", required),
			Confirmer: f.address("confirmer", optional), Reason: f.anyText("reason", optional), Facts: f.facts(),
		}
	}
	panic(fmt.Sprintf("dialect: %T is no request", to))
}

// outcome reads what the seeds decided about a peer. One of a registration
// that says that it was so before has no votes.
func (f *fields) outcome(m Matter, peer netip.AddrPort) *Outcome {
	success, already := f.boolean("success", required), !f.has("yes_votes")
	if m == Death {
		already = f.boolean("already", optional)
	}
	unknown := m == Death && success && f.boolean("unknown", optional)
	return &Outcome{
		Matter: m, Peer: peer, Success: success, Already: success && already && !unknown, Unknown: unknown,
		YesVotes: int(f.integer("yes_votes", optional, 0, math.MaxInt32)), Quorum: int(f.integer("quorum", optional, 0, math.MaxInt32)),
		Reason: f.anyText("error", optional), Facts: f.facts(),
	}
}

// addresses reads a list of "ip:port".
func (f *fields) addresses(key string) []netip.AddrPort {
	raw, there := f.raw(key, required)
	if !there {
		return nil
	}
	var texts []string
	if json.Unmarshal(raw, &texts) != nil {
		f.fail(key, `want a list of "ip:port"`)
	}
	addrs := make([]netip.AddrPort, len(texts))
	for i, text := range texts {
		addr, ok := parseAddress(text)
		if !ok {
			f.fail(key, fmt.Sprintf(`%s: want "ip:port"`, short(text)))
		}
		addrs[i] = addr
	}
	return addrs
}

// short quotes the beginning of what others wrote.
func short(text string) string {
	const shown = 80 // bytes
	if len(text) > shown {
		return fmt.Sprintf("%q…", text[:shown])
	}
	return fmt.Sprintf("%q", text)
}
