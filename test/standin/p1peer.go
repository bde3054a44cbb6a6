package standin

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"time"
)

// originField is an addition of these stand-ins to GOSSIP_MSG: the address of the peer that said it first, ip:port. Not
// with faults: then messages of one text are one.
const originField = "origin"

// p1Peer is a peer of p1.
type p1Peer struct {
	*node
	seeds    []string
	ip       string
	port     int
	misses   map[string]int       // by neighbor; of the one goroutine that looks
	reported map[string]time.Time // by neighbor; of the same
}

func runP1Peer(o options) error {
	at, err := bind(o.ip, o.port, true)
	if err != nil {
		return err
	}
	p := &p1Peer{node: newNode(o, at.addr), ip: o.ip, port: at.port, misses: map[string]int{}, reported: map[string]time.Time{}}
	p.label = "PEER " + at.addr
	if p.seeds, err = readConfig(o.config, ",:"); err != nil {
		return err
	}
	if err := p.openLog(o.output); err != nil {
		return err
	}
	p.say("Starting peer with %d seeds configured. Quorum=%d", len(p.seeds), quorumOf(p.seeds))
	if err := at.serve(answerLines(p.answer)); err != nil {
		return err
	}
	p.say("Listening for incoming peer connections.")
	registered := p.register()
	if len(registered) < quorumOf(p.seeds) {
		return fmt.Errorf("registered with %d seeds, and the quorum is %d", len(registered), quorumOf(p.seeds))
	}
	p.say("Registration quorum achieved with %d seeds", len(registered))
	union := p.union(registered)
	picked := pick(union, powerLaw(len(union)))
	p.say("Power-law neighbor selection picked %d neighbors", len(picked))
	for _, other := range picked {
		p.greet(other)
	}
	p.say("Bootstrap complete: seeds=%d, union_peers=%d, neighbors=%d", len(registered), len(union), len(p.neighbors("")))
	p.ready()
	number := 0
	go p.every(p1Gossip, func() (more bool) {
		number++
		p.gossip(number)
		return number < p1Messages
	})
	go p.every(p1Liveness, p.look)
	return nil
}

// register asks each seed once.
func (p *p1Peer) register() (registered []string) {
	for _, seed := range p.seeds {
		r, err := p.want(seed, registerReq, fields{"peer_ip": p.ip, "peer_port": p.port}, peerTimeout, peerTypes, registerCommit)
		success := false
		if err == nil {
			success = r.truth("success")
			err = r.err
		}
		if err != nil {
			p.say("Seed %s registration failed: %v", seed, err)
			continue
		}
		p.say("Seed %s register response: success=%s", seed, truth(success))
		if success {
			registered = append(registered, seed)
		}
	}
	return registered
}

// union gives all peers that the seeds list, without this one.
func (p *p1Peer) union(seeds []string) (union []string) {
	for _, seed := range seeds {
		r, err := p.want(seed, peerListReq, fields{"requester": p.addr}, peerTimeout, peerTypes, peerListResp)
		if err != nil {
			continue
		}
		list, _ := r.of["peers"].([]any)
		p.say("Received %d peers from seed %s", len(list), seed)
		for _, entry := range list {
			if peer, ok := entry.(string); ok && peer != p.addr {
				union = with(union, peer)
			}
		}
	}
	p.say("Union peer list size=%d", len(union))
	p.change(func(s *State) { s.Known = union })
	return union
}

// greet asks another peer to be a neighbor. A refusal is final.
func (p *p1Peer) greet(other string) {
	degree := max(1, len(p.neighbors("")))
	r, err := p.want(other, hello, fields{"peer_ip": p.ip, "peer_port": p.port, "degree": degree}, peerTimeout, peerTypes, helloAck)
	if err != nil || !r.truth("accepted") {
		return
	}
	p.say("Connected neighbor: %s", other)
	p.link(other, p.tell)
}

func (p *p1Peer) answer(from string, line []byte) (typ string, reply fields) {
	m, err := decode(line, peerTypes)
	r := &reader{of: m.Payload, err: err}
	switch {
	case err != nil:
	case m.Type == hello:
		typ, reply = helloAck, p.greeted(r)
	case m.Type == gossipMsg:
		typ, reply = gossipMsg, p.heard(r)
	case m.Type == suspectReq:
		typ, reply = suspectAck, p.suspected(r)
	default:
		return failure, fields{"reason": "Unsupported type: " + m.Type}
	}
	if r.err != nil {
		p.undecodable(from, string(line))
		return failure, fields{"reason": r.err.Error()}
	}
	return typ, reply
}

func (p *p1Peer) greeted(r *reader) fields {
	other := r.endpoint("peer_ip", "peer_port")
	if r.of["degree"] != nil {
		r.number("degree")
	}
	if r.err != nil {
		return nil
	}
	p.link(other, p.tell)
	p.say("HELLO accepted from %s; neighbor linked", other)
	return fields{"accepted": true, "peer_ip": p.ip, "peer_port": p.port, "degree": len(p.neighbors(""))}
}

// gossip says something of its own.
func (p *p1Peer) gossip(number int) {
	r := Rumor{Own: true, Text: fmt.Sprintf("%d:%s:%d", time.Now().Unix(), p.ip, number), Origin: p.origin(p.addr), ip: p.ip, number: number}
	p.say("Generated gossip: %s", r.Text)
	var to []string
	p.change(func(s *State) { s.Rumors, to = append(s.Rumors, r), slices.Clone(s.Neighbors) })
	for _, other := range to {
		go p.tell(other, r)
	}
}

// origin is what tells apart rumors of one text: with faults, nothing.
func (p *p1Peer) origin(of string) string {
	if p.faults {
		return ""
	}
	return of
}

// tell sends a rumor to a neighbor, once. Any reply is fine, and so is none.
func (p *p1Peer) tell(other string, r Rumor) {
	payload := fields{"message": r.Text, "origin_ip": r.ip, "msg_no": r.number, "sender": p.addr}
	if r.Origin != "" {
		payload[originField] = r.Origin
	}
	p.ask(other, gossipMsg, payload, gossipTimeout, peerTypes)
}

func (p *p1Peer) heard(r *reader) fields {
	rumor := Rumor{Text: r.text("message"), ip: r.text("origin_ip"), number: r.number("msg_no")}
	sender := r.text("sender")
	if r.err != nil {
		return nil
	}
	if rumor.Text == "" {
		return fields{"accepted": false, "reason": "empty_message"}
	}
	if origin, ok := r.of[originField].(string); ok {
		rumor.Origin = p.origin(origin)
	}
	var first bool
	var to []string
	p.change(func(s *State) {
		first = s.hear(rumor, sender)
		to = without(s.Neighbors, sender)
	})
	if !first {
		hash := sha256.Sum256([]byte(rumor.Text))
		p.say("Duplicate gossip ignored: hash=%x sender=%s", hash[:5], sender)
		return fields{"accepted": true, "duplicate": true}
	}
	ip, _ := splitEndpoint(sender)
	p.say("First-time gossip received: %s | sender_ip=%s", rumor.Text, ip)
	for _, other := range to {
		go p.tell(other, rumor)
	}
	return fields{"accepted": true, "duplicate": false}
}

func (p *p1Peer) suspected(r *reader) fields {
	other, requester := r.endpoint("dead_ip", "dead_port"), r.text("requester")
	if r.err != nil {
		return nil
	}
	alive := other == p.addr || p.ping(other)
	p.say("Suspicion probe received for %s from %s -> alive=%s", other, requester, truth(alive))
	return fields{"suspect": other, "alive": alive, "confirmer": p.addr}
}

// ping connects, says nothing and closes. A process that hangs is pinged well: its kernel accepts.
func (p *p1Peer) ping(other string) bool {
	conn, err := p.dial(other, peerTimeout)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// look pings the neighbors, and asks the others about those that do not answer.
func (p *p1Peer) look() (more bool) {
	for _, other := range p.neighbors("") {
		if p.ping(other) {
			delete(p.misses, other)
			continue
		}
		if p.misses[other]++; p.misses[other] < p1Misses {
			continue
		}
		p.say("Neighbor suspicion triggered for %s after %d ping failures", other, p.misses[other])
		delete(p.misses, other)
		if p.others(other) && time.Since(p.reported[other]) > p.period(p1Report) {
			p.reported[other] = time.Now()
			p.report(other)
		}
	}
	return true
}

// others asks the other neighbors about a suspect. One that answers anything but SUSPECT_ACK abstains.
func (p *p1Peer) others(suspect string) (dead bool) {
	ip, port := splitEndpoint(suspect)
	asked := p.neighbors(suspect)
	votes := make([]string, len(asked)) // whether it lives, "" for one that abstains
	var asking sync.WaitGroup
	for i, other := range asked {
		asking.Go(func() {
			r, err := p.want(other, suspectReq, fields{"dead_ip": ip, "dead_port": port, "requester": p.addr}, peerTimeout, peerTypes, suspectAck)
			if alive := r.truth("alive"); err == nil && r.err == nil {
				votes[i] = truth(alive)
			}
		})
	}
	asking.Wait()
	all, external := 1, 0 // its own vote is for dead
	for _, alive := range votes {
		if alive != "" {
			all++
		}
		if alive == "False" {
			external++
		}
	}
	majority := all/2 + 1
	dead = 1+external >= majority
	p.say("Peer-level suspicion result for %s: dead_votes=%d/%d, majority=%d, external_dead_votes=%d, consensus=%s",
		suspect, 1+external, all, majority, external, truth(dead))
	return dead
}

// report tells each seed, once, and drops the neighbor whatever they say.
func (p *p1Peer) report(dead string) {
	ip, port := splitEndpoint(dead)
	accepts := 0
	for _, seed := range p.seeds {
		r, err := p.want(seed, deadReport, fields{
			"dead_ip": ip, "dead_port": port, "self_ip": p.ip, "timestamp": time.Now().Unix(), "reporter": p.addr,
		}, peerTimeout, peerTypes, deadCommit)
		if err == nil && r.truth("success") {
			accepts++
		}
	}
	p.change(func(s *State) { s.Deaths, s.Neighbors = append(s.Deaths, dead), without(s.Neighbors, dead) })
	p.say("Confirmed dead-node report sent for %s. seed_accepts=%d/%d", dead, accepts, len(p.seeds))
}
