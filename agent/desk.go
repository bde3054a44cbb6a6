package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/quota"
	"hearsay/wire"
)

// desk is where a seed answers those who ask it by JSON lines. What asks for a
// decision is handed to the node as a packet from the connection's own address,
// and the node's Outcome to that address is the answer. Requests without facts
// are of older peers, and of people.
type desk struct {
	network  hearsay.NetworkID
	signer   hearsay.Signer
	loop     *loop
	logger   *slog.Logger
	mentions *mentions
	listed   peerList // of the loop

	mu      sync.Mutex
	waiting map[netip.AddrPort]chan *answer
}

// peerList is the list of peers that was given last. It is read only.
type peerList struct {
	peers []netip.AddrPort
	epoch hearsay.Epoch
	made  time.Time
}

// listAge is how long one list is given to all while the epoch is the same: to make one is
// a copy of the roster, and only members that have moved since are not in it. A guess.
const listAge = time.Second

// peers gives the list of peers. It is called in the loop.
func (d *desk) peers(now time.Time) []netip.AddrPort {
	if epoch := d.loop.node.Authority().Epoch; epoch != d.listed.epoch || now.Sub(d.listed.made) >= listAge {
		d.listed = peerList{peers: d.loop.node.Peers(), epoch: epoch, made: now}
	}
	return d.listed.peers
}

// answer is an Outcome of the node, and the packet that carries it.
type answer struct {
	hearsay.Outcome
	facts []byte
}

// Of how many requests the log tells in a second, and at once. A guess.
const (
	mentionsMost     = 10  // of one source
	mentionsPerClass = 100 // of all sources of a class
)

var mentionShares = perSource(quota.PerSecond(mentionsMost, mentionsMost), quota.PerSecond(mentionsPerClass, mentionsPerClass))

// mentions bounds what the log tells of requests, which anybody may make.
type mentions struct {
	mu       sync.Mutex
	known    *acquaintances
	requests *quota.Quota
	repeated map[netip.AddrPort]time.Time // when a peer that is in last asked to be let in
}

// A peer that is in and goes on asking to be let in, as one does whose list of seeds is another,
// is told of once. It asks every few seconds. Guesses.
const (
	repeatedFor  = time.Minute // since it last asked
	repeatedMost = 1024        // peers
)

// again reports whether a peer that is in has asked to be let in just before, too.
func (m *mentions) again(peer netip.AddrPort, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	last, known := m.repeated[peer]
	remember(m.repeated, peer, now, repeatedMost)
	return known && now.Sub(last) < repeatedFor
}

func newMentions(known *acquaintances) *mentions {
	return &mentions{known: known, requests: newQuota(mentionShares), repeated: make(map[netip.AddrPort]time.Time)}
}

// may reports whether the log has room for one more of a source.
func (m *mentions) may(source netip.Addr) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.requests.Take(time.Now(), m.known.sender(source), 1)
}

func newDesk(network hearsay.NetworkID, signer hearsay.Signer, l *loop, logger *slog.Logger) *desk {
	return &desk{
		network: network, signer: signer, loop: l, logger: logger,
		mentions: newMentions(l.streams.known), waiting: make(map[netip.AddrPort]chan *answer),
	}
}

// deliver gives who waits at an address the answer. It reports whether
// somebody does.
func (d *desk) deliver(to netip.AddrPort, a *answer) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	waiting, ok := d.waiting[to]
	if ok {
		delete(d.waiting, to)
		waiting <- a // of capacity 1, and this is the one
	}
	return ok
}

// preparing makes, in the loop, of what was asked a packet for the node, or
// the reply.
type preparing func(now time.Time) (*hearsay.Packet, dialect.Reply)

// bring puts a request before the node, and waits for what it comes to. Nil:
// there is no answer in time.
func (d *desk) bring(ctx context.Context, from netip.AddrPort, prepare preparing) (*answer, dialect.Reply) {
	answered, replied := make(chan *answer, 1), make(chan dialect.Reply, 1)
	d.mu.Lock()
	d.waiting[from] = answered
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		if d.waiting[from] == answered { // else another connection from there waits since
			delete(d.waiting, from)
		}
		d.mu.Unlock()
	}()
	open := d.loop.putFor(from.Addr(), func(now time.Time) {
		p, reply := prepare(now)
		if reply != nil {
			replied <- reply
			return
		}
		p.Addr, p.Stream = from, true
		d.loop.carryOut(d.loop.node.Receive(now, p))
	})
	if !open {
		return nil, nil
	}
	select {
	case a := <-answered:
		return a, nil
	case reply := <-replied:
		return nil, reply
	case <-ctx.Done():
		return nil, nil
	}
}

// answer answers a line; see answering.
func (d *desk) answer(ctx context.Context, request dialect.Request, from netip.AddrPort) dialect.Reply {
	switch r := request.(type) {
	case *dialect.Register:
		return d.decide(ctx, r, from, &dialect.Outcome{Matter: dialect.Registration, Peer: r.Peer}, d.register(r, from))
	case *dialect.DeadReport:
		return d.decide(ctx, r, from, &dialect.Outcome{Matter: dialect.Death, Peer: r.Peer}, d.report(r))
	case *dialect.Commit:
		return &dialect.CommitAck{Matter: r.Matter, Reason: "seeds decide among themselves, by signed ballots: this changes nothing"}
	case *dialect.Vote:
		_, reply := d.bring(ctx, from, func(time.Time) (*hearsay.Packet, dialect.Reply) { return nil, d.opinion(r) })
		return reply
	case *dialect.PeerList:
		_, reply := d.bring(ctx, from, func(now time.Time) (*hearsay.Packet, dialect.Reply) {
			peers := &dialect.Peers{Peers: d.peers(now), Seed: d.loop.node.Self().Addr}
			return nil, peers
		})
		if peers, ok := reply.(*dialect.Peers); ok && d.mentions.may(from.Addr()) {
			d.logger.Info(dialect.PhrasePeers(len(peers.Peers)), "to", from.String())
		}
		return reply
	}
	return nil
}

// decide brings a request for a decision before the node, and gives its answer:
// in words and, to who asked with facts, in facts.
func (d *desk) decide(ctx context.Context, r dialect.Request, from netip.AddrPort, outcome *dialect.Outcome, prepare preparing) dialect.Reply {
	a, reply := d.bring(ctx, from, prepare)
	if a == nil {
		return reply
	}
	outcome.Success, outcome.YesVotes, outcome.Quorum = a.Code == hearsay.OutcomeDone, int(a.Yes), int(a.Needed)
	outcome.Already = outcome.Success && a.Yes == 0
	if !outcome.Success {
		outcome.Reason = a.Text
	}
	if len(dialect.FactsOf(r)) > 0 {
		outcome.Facts = a.facts
	}
	if outcome.Already && outcome.Matter == dialect.Registration && !d.mentions.again(outcome.Peer, time.Now()) && d.mentions.may(from.Addr()) {
		d.logger.Info(dialect.PhraseRegistered(outcome.Peer))
	}
	return outcome
}

// read gives the packet among the facts of a request, if it is one of this
// network.
func (d *desk) read(facts []byte) (*hearsay.Packet, bool) {
	if len(facts) == 0 {
		return nil, false
	}
	p := &hearsay.Packet{}
	_, ok := wire.NewDecoder(d.network).Decode(facts, p)
	return p, ok
}

// proveNothing is why a request with facts is refused that are not what they
// should be. It is not taken for one without: those are counted more strictly (see
// lineServer.refuse), and a node of another network is no guest of this one.
const proveNothing = "its facts are not of this network, or not signed by who asks"

// register prepares a request for admission. Who has facts proves by its
// signature who it is. An older peer has none: it is a guest, and its address is
// its identity.
func (d *desk) register(r *dialect.Register, from netip.AddrPort) preparing {
	if p, ok := d.read(r.Facts); ok && d.proves(p) {
		return func(time.Time) (*hearsay.Packet, dialect.Reply) { return p, nil }
	}
	return func(now time.Time) (*hearsay.Packet, dialect.Reply) {
		authority := d.loop.node.Authority()
		refuse := &dialect.Outcome{Matter: dialect.Registration, Peer: r.Peer, Quorum: authority.Quorum}
		if len(r.Facts) > 0 {
			refuse.Reason = proveNothing
			return nil, refuse
		}
		if r.Peer.Addr() != from.Addr() {
			refuse.Reason = fmt.Sprintf("asks from %s and says that it is at %s", from.Addr(), r.Peer.Addr())
			return nil, refuse
		}
		if _, in := d.loop.node.MemberAt(r.Peer); in {
			if !authority.Ready { // its stay may have been ended since
				refuse.Reason = "no quorum of seeds is heard"
				return nil, refuse
			}
			return nil, &dialect.Outcome{Matter: dialect.Registration, Peer: r.Peer, Success: true, Already: true, Quorum: refuse.Quorum}
		}
		claim := guestClaim(d.network, r.Peer, now)
		return &hearsay.Packet{From: claim.Subject, Body: &hearsay.Register{}, Claims: []hearsay.Claim{claim}}, nil
	}
}

// proves reports whether a packet is a registration that its sender has
// signed.
func (d *desk) proves(p *hearsay.Packet) bool {
	_, registers := p.Body.(*hearsay.Register)
	return registers && len(p.Claims) > 0 && p.Claims[0].Subject == p.From && p.Claims[0].Verify(d.network, d.signer)
}

// guestClaim is what stands for the word of an older peer.
func guestClaim(network hearsay.NetworkID, addr netip.AddrPort, now time.Time) hearsay.Claim {
	return hearsay.Claim{
		Subject: hearsay.GuestID(network, addr), State: hearsay.StateAlive, Incarnation: hearsay.NextIncarnation(0, now),
		Card: hearsay.Card{Name: addr.String(), Addr: addr, Role: hearsay.RolePeer},
	}
}

// report prepares a request for a removal. Without facts it is a word without
// evidence, whichever node says it.
func (d *desk) report(r *dialect.DeadReport) preparing {
	p, ok := d.read(r.Facts)
	if ok {
		_, ok = p.Body.(*hearsay.Report)
	}
	return func(time.Time) (*hearsay.Packet, dialect.Reply) {
		authority := d.loop.node.Authority()
		refuse := &dialect.Outcome{Matter: dialect.Death, Peer: r.Peer, Quorum: authority.Quorum, Reason: proveNothing}
		switch {
		case ok && d.loop.node.Proves(p):
			return p, nil
		case len(r.Facts) > 0:
			return nil, refuse
		}
		if slices.ContainsFunc(authority.Seeds, func(s hearsay.SeedStatus) bool { return s.Addr == r.Peer }) {
			refuse.Reason = "its address is a seed's, and no case is opened about seeds"
			return nil, refuse
		}
		m, in := d.loop.node.MemberAt(r.Peer)
		if !in {
			// Success also where nobody ever was: it is as the older peer wants it,
			// and its kind reports again until it hears that.
			ever := d.loop.node.EverAt(r.Peer)
			return nil, &dialect.Outcome{Matter: dialect.Death, Peer: r.Peer, Success: true, Already: ever, Unknown: !ever, Quorum: authority.Quorum}
		}
		return &hearsay.Packet{Body: &hearsay.Report{Stay: m.Stay}}, nil
	}
}

// opinion is what this seed itself thinks of a peer, for an older seed that
// asks.
func (d *desk) opinion(r *dialect.Vote) dialect.Reply {
	o := &dialect.Opinion{Matter: r.Matter, Proposal: r.Proposal, Voter: d.loop.node.Self().Addr}
	if r.Matter == dialect.Death {
		o.Vote = d.loop.node.Unheard(r.Peer)
	} else {
		claim := guestClaim(d.network, r.Peer, time.Now())
		_, in := d.loop.node.MemberAt(r.Peer) // to an older program that one is it
		o.Vote = in || d.loop.node.Welcome(&claim)
	}
	return o
}
