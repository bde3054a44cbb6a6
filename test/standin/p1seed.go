package standin

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	p1Gossip      = 5 * time.Second
	p1Liveness    = 4 * time.Second
	p1Report      = 20 * time.Second // between two reports of one peer
	p1Messages    = 10
	p1Misses      = 2
	seedTimeout   = 1800 * time.Millisecond
	peerTimeout   = 2 * time.Second
	gossipTimeout = 1500 * time.Millisecond
)

// p1Seed is a seed of p1.
type p1Seed struct {
	*node
	seeds []string
}

// topic is what seeds decide: that a peer is in, or dead.
type topic struct {
	word, title, prefix, vote, commit, ip, port string
}

var (
	registration = &topic{"registration", "Registration", "reg:", registerVote, registerCommit, "peer_ip", "peer_port"}
	death        = &topic{"dead-node", "Dead-node", "dead:", deadVote, deadCommit, "dead_ip", "dead_port"}
)

// replies are the types of replies to the requests that a seed serves.
var replies = map[string]string{
	registerReq: registerCommit, registerVote: registerVote, registerCommit: registerCommit, peerListReq: peerListResp,
	deadReport: deadCommit, deadVote: deadVote, deadCommit: deadCommit,
}

func runP1Seed(o options) error {
	at, err := bind(o.ip, o.port, true)
	if err != nil {
		return err
	}
	s := &p1Seed{node: newNode(o, at.addr)}
	s.label = "SEED " + at.addr
	if s.seeds, err = readConfig(o.config, ",:"); err != nil {
		return err
	}
	if err := s.openLog(o.output); err != nil {
		return err
	}
	s.say("Booting with %d seeds. Quorum=%d", len(s.seeds), quorumOf(s.seeds))
	if err := at.serve(answerLines(s.answer)); err != nil {
		return err
	}
	s.say("Listening for incoming connections.")
	s.ready()
	if !s.faults {
		go s.every(p1Liveness, s.readmit)
	}
	return nil
}

// answer gives the reply to a request.
func (s *p1Seed) answer(from string, line []byte) (string, fields) {
	m, err := decode(line, seedTypes)
	if err == nil && replies[m.Type] == "" {
		return failure, fields{"reason": "Unsupported type: " + m.Type}
	}
	var reply fields
	r := &reader{of: m.Payload, err: err}
	if err == nil {
		reply = s.serve(m.Type, r)
	}
	if r.err != nil {
		s.undecodable(from, string(line))
		s.say("Error handling a message from %s: %v", from, r.err)
		return registerCommit, fields{"success": false, "error": r.err.Error()}
	}
	return replies[m.Type], reply
}

func (s *p1Seed) serve(typ string, r *reader) fields {
	switch typ {
	case registerReq:
		return s.register(r)
	case deadReport:
		return s.report(r)
	case registerVote:
		return s.voteOn(registration, r)
	case deadVote:
		return s.voteOn(death, r)
	case registerCommit:
		return s.commit(registration, r)
	case deadCommit:
		return s.commit(death, r)
	}
	return s.list()
}

func (s *p1Seed) in(peer string) (in bool) {
	s.read(func(state *State) { in = slices.Contains(state.Known, peer) })
	return in
}

func (s *p1Seed) register(r *reader) fields {
	peer := r.endpoint("peer_ip", "peer_port")
	if r.err != nil {
		return nil
	}
	if s.in(peer) {
		s.say("Registration idempotent success for %s", peer)
		return fields{"proposal_id": registration.prefix + peer, "success": true, "quorum": quorumOf(s.seeds)}
	}
	s.say("Registration proposal received for %s; starting seed consensus", peer)
	return s.decide(registration, peer)
}

func (s *p1Seed) list() fields {
	peers := []string{}
	s.read(func(state *State) { peers = append(peers, state.Known...) })
	slices.Sort(peers)
	s.say("Serving PEER_LIST_RESP with %d peers", len(peers))
	return fields{"peers": peers, "seed": s.addr}
}

func (s *p1Seed) report(r *reader) fields {
	peer, reporter := r.endpoint("dead_ip", "dead_port"), r.text("reporter")
	r.text("self_ip")
	r.number("timestamp")
	if r.err != nil {
		return nil
	}
	s.say("Dead report received for %s from %s; starting seed consensus", peer, reporter)
	return s.decide(death, peer)
}

// opinion is this seed's own: one that can be registered has an address, and one that is dead does not answer. With
// faults a seed believes that a peer of its list is dead.
func (s *p1Seed) opinion(about *topic, peer string) bool {
	switch {
	case about == registration:
		host, _ := splitEndpoint(peer)
		return net.ParseIP(host) != nil || host == "localhost"
	case s.faults:
		return s.in(peer)
	}
	return !s.answers(peer)
}

// answers asks a peer something that it does not serve: its answer is an error, without a line in its log.
func (s *p1Seed) answers(peer string) bool {
	_, err := s.ask(peer, peerListReq, fields{"requester": s.addr}, seedTimeout/2, peerTypes)
	return err == nil
}

// decide asks the other seeds for their votes, all at once, and tells them what has come of it.
func (s *p1Seed) decide(about *topic, peer string) fields {
	ip, port := splitEndpoint(peer)
	base := func(more fields) fields {
		more["proposal_id"], more[about.ip], more[about.port] = about.prefix+peer, ip, port
		return more
	}
	var yes atomic.Int32
	if s.opinion(about, peer) {
		yes.Add(1)
	}
	var votes sync.WaitGroup
	others := without(s.seeds, s.addr)
	for _, other := range others {
		votes.Go(func() {
			r, err := s.want(other, about.vote, base(fields{"action": "REQUEST", "proposer": s.addr}), seedTimeout, seedTypes, about.vote)
			if err == nil && r.truth("vote") {
				yes.Add(1)
			}
		})
	}
	votes.Wait()
	success, decision := int(yes.Load()) >= quorumOf(s.seeds), "ABORT"
	if success {
		decision = "COMMIT"
		s.apply(about, peer)
	}
	s.say("%s consensus %s for %s. yes_votes=%d, quorum=%d", about.title, decision, peer, yes.Load(), quorumOf(s.seeds))
	for _, other := range others {
		go s.ask(other, about.commit, base(fields{"decision": decision, "source_seed": s.addr, "ack_only": true}), seedTimeout, seedTypes)
	}
	return fields{"proposal_id": about.prefix + peer, "success": success, "yes_votes": yes.Load(), "quorum": quorumOf(s.seeds)}
}

func (s *p1Seed) voteOn(about *topic, r *reader) fields {
	if r.text("action") == "RESPONSE" {
		return fields{"vote": false, "ack_only": true}
	}
	id, peer := r.text("proposal_id"), r.endpoint(about.ip, about.port)
	r.text("proposer")
	if r.err != nil {
		return nil
	}
	vote := s.opinion(about, peer)
	s.say("Vote on %s proposal %s for %s: vote=%s", about.word, id, peer, truth(vote))
	return fields{"action": "RESPONSE", "proposal_id": id, "vote": vote, "voter": s.addr}
}

// commit obeys a decision of another seed, if this one is of the same opinion. With faults it obeys anybody.
func (s *p1Seed) commit(about *topic, r *reader) fields {
	decision, peer, source := r.text("decision"), r.endpoint(about.ip, about.port), r.text("source_seed")
	r.text("proposal_id")
	if r.err != nil {
		return nil
	}
	refused := fields{"ack": false, "ack_only": true}
	switch {
	case decision != "COMMIT" || s.faults:
	case !slices.Contains(s.seeds, source):
		refused["error"] = fmt.Sprintf("%s is no seed here", source)
		return refused
	case s.in(peer) == (about == registration): // nothing is new
	case s.answers(peer) != (about == registration):
		refused["error"] = fmt.Sprintf("this seed finds %s otherwise", peer)
		return refused
	}
	if decision == "COMMIT" {
		s.apply(about, peer)
	}
	return fields{"ack": true, "ack_only": true}
}

func (s *p1Seed) apply(about *topic, peer string) {
	s.change(func(state *State) {
		if about == registration {
			state.Known, state.Gone = with(state.Known, peer), without(state.Gone, peer)
			return
		}
		if slices.Contains(state.Known, peer) {
			state.Known, state.Gone = without(state.Known, peer), with(state.Gone, peer)
		}
	})
}

// readmit registers peers again that were removed, and that answer.
func (s *p1Seed) readmit() (more bool) {
	var gone []string
	s.read(func(state *State) { gone = slices.Clone(state.Gone) })
	for _, peer := range gone {
		if s.answers(peer) {
			s.say("Registration proposal received for %s; starting seed consensus", peer)
			s.decide(registration, peer)
		}
	}
	return true
}
