package dialect

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"hearsay"
)

// Reply is what a request is answered with: one of the closed set of this
// file.
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
	Unknown  bool // of a success about a death: no peer is known ever to have been in there
	YesVotes int
	Quorum   int
	Reason   string // why not, in words, if there is more to say than votes
}

// Opinion answers a Vote.
type Opinion struct {
	Matter   Matter
	Proposal string
	Vote     bool
	Voter    netip.AddrPort // the seed itself
}

// VoteAck answers what is an answer itself.
type VoteAck struct{ Matter Matter }

// CommitAck answers a Commit.
type CommitAck struct {
	Matter Matter
	Ack    bool
	Reason string // why it changed nothing
}

// Peers answers PeerList.
type Peers struct {
	Peers []netip.AddrPort // the requester included; in any order
	Seed  netip.AddrPort   // the seed itself
}

// HelloAck answers Hello.
type HelloAck struct {
	Accepted bool
	Peer     netip.AddrPort // the peer itself
	Degree   int            // its links
	Reason   string         // why it was not accepted: ours, the older programs give none
}

// GossipAck answers Gossip.
type GossipAck struct {
	Accepted  bool
	Duplicate bool
	Reason    string // why it was not accepted
}

// SuspectAck answers Suspect.
type SuspectAck struct {
	Suspect   netip.AddrPort
	Alive     bool
	Confirmer netip.AddrPort // the peer itself
	Reason    string         // why not alive: ours, the older programs give none
	Facts     []byte         // that a node of ours says so, and which; see the package
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
}

func (r *Opinion) reply(o *object) {
	o.text("action", actionResponse)
	o.text("proposal_id", r.Proposal)
	o.boolean("vote", r.Vote)
	o.address("voter", r.Voter)
}

func (*VoteAck) reply(o *object) {
	o.boolean("vote", false)
	o.boolean("ack_only", true)
}

func (r *CommitAck) reply(o *object) {
	o.boolean("ack", r.Ack)
	o.boolean("ack_only", true)
	o.textIf("error", r.Reason)
}

func (r *Peers) reply(o *object) {
	peers := make([]string, len(r.Peers))
	for i, peer := range r.Peers {
		peers[i] = peer.String()
	}
	slices.Sort(peers) // as text: so the older programs sort
	o.texts("peers", peers)
	o.address("seed", r.Seed)
}

func (r *HelloAck) reply(o *object) {
	o.boolean("accepted", r.Accepted)
	o.endpoint("peer_ip", "peer_port", r.Peer)
	o.integer("degree", int64(r.Degree))
	o.textIf("reason", r.Reason)
}

func (r *GossipAck) reply(o *object) {
	o.boolean("accepted", r.Accepted)
	if r.Accepted {
		o.boolean("duplicate", r.Duplicate)
	}
	o.textIf("reason", r.Reason)
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

// ReadSuspectAck takes apart the line that came back for a Suspect. A Refusal and
// a Failure come as *RefusedError; every other error is of an answer that
// cannot be understood.
func ReadSuspectAck(line []byte) (*SuspectAck, error) {
	kind, payload, err := readLine(line, ReplyLineMax)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reply to %s: %w", typeSuspect, err)
	case kind == typeError:
		return nil, &RefusedError{payload.anyText("reason", optional)}
	case kind == typeRegisterCommit && payload.has("error"):
		return nil, &RefusedError{payload.anyText("error", optional)}
	case kind != typeSuspectAck:
		return nil, fmt.Errorf("reply to %s: it is of type %s, want %s", typeSuspect, short(kind), typeSuspectAck)
	}
	ack := &SuspectAck{
		Suspect: payload.address("suspect", optional), Alive: payload.boolean("alive", required),
		Confirmer: payload.address("confirmer", optional), Reason: payload.anyText("reason", optional), Facts: payload.facts(),
	}
	if payload.err != nil {
		return nil, fmt.Errorf("reply to %s: %w", typeSuspect, payload.err)
	}
	return ack, nil
}

// short quotes the beginning of what others wrote.
func short(text string) string {
	const shown = 80 // bytes
	if len(text) > shown {
		return fmt.Sprintf("%q…", text[:shown])
	}
	return fmt.Sprintf("%q", text)
}
