package guest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/internal/core"
	"hearsay/node"
	"hearsay/quota"
)

// seed is how a seed's node answers JSON lines, of older peers and of people. What
// asks for a decision is put before the node as from the connection's own address,
// and the node's Outcome to that address is the answer.
type seed struct {
	*Host
	mentions *mentions
	listed   peerList // used in calls of Do only
}

// peerList is the list of peers that was given last. It is read only.
type peerList struct {
	peers []node.Listed
	epoch hearsay.Epoch
	made  time.Time
}

// listAge is how long one list is given to all while the epoch is the same: to make one is
// a copy of the roster, and only members that have moved since are not in it. A guess.
const listAge = time.Second

// peers gives the list of peers. It is called in the goroutine that owns the node.
func (s *seed) peers(now time.Time) []node.Listed {
	if epoch := s.Node.Seeded().Authority().Epoch; epoch != s.listed.epoch || now.Sub(s.listed.made) >= listAge {
		s.listed = peerList{peers: s.Node.Addresses().Peers(), epoch: epoch, made: now}
	}
	return s.listed.peers
}

// list gives a guest the peers that it can speak with: those of ours, which take what it says and never refuse a link,
// first, and the guests that speak as it does. A refusal is final for it, and would leave it with too few links. The
// order is another each time, as a list of text has no room for many. It is called in the goroutine that owns the node.
func (s *seed) list(now time.Time, speaks core.Dialect) (list []netip.AddrPort) {
	for _, dialect := range []core.Dialect{0, speaks} {
		begin := len(list)
		for _, one := range s.peers(now) {
			if one.Speaks == dialect {
				list = append(list, one.Addr)
			}
		}
		rand.Shuffle(len(list)-begin, func(i, j int) { list[begin+i], list[begin+j] = list[begin+j], list[begin+i] })
	}
	return list
}

// Of how many requests the log tells in a second, and at once. A guess.
const (
	mentionsMost     = 10  // of one source
	mentionsPerClass = 100 // of all sources of a class
)

var mentionShares = quota.PerSource(quota.PerSecond(mentionsMost, mentionsMost), quota.PerSecond(mentionsPerClass, mentionsPerClass))

// mentions bounds what the log tells of requests, which any stranger may make.
type mentions struct {
	mu       sync.Mutex
	sender   func(netip.Addr) quota.Sender
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

func newMentions(sender func(netip.Addr) quota.Sender) *mentions {
	return &mentions{sender: sender, requests: newQuota(mentionShares), repeated: make(map[netip.AddrPort]time.Time)}
}

// may reports whether the log has room for one more of a source.
func (m *mentions) may(source netip.Addr) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.requests.Take(time.Now(), m.sender(source), 1)
}

func newSeed(h *Host) *seed { return &seed{Host: h, mentions: newMentions(h.Sender)} }

// preparing puts, in the goroutine that owns the node, what was asked before the node, or gives the reply at once.
type preparing func(now time.Time) (*core.Effects, dialect.Reply)

// bring puts a request before the node, and waits for what it comes to. Nil:
// there is no answer in time.
func (s *seed) bring(ctx context.Context, from asker, prepare preparing) (*hearsay.Outcome, dialect.Reply) {
	answered, done := s.Await(from.AddrPort)
	defer done()
	replied := make(chan dialect.Reply, 1)
	open := s.Do(from.Addr(), func(now time.Time) {
		fx, reply := prepare(now)
		if reply != nil {
			replied <- reply
			return
		}
		s.CarryOut(fx)
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
func (s *seed) answer(ctx context.Context, request dialect.Request, from asker) dialect.Reply {
	switch r := request.(type) {
	case *dialect.Register:
		return s.decide(ctx, from, &dialect.Outcome{Matter: dialect.Registration, Peer: r.Peer}, s.register(r, from))
	case *dialect.DeadReport:
		return s.decide(ctx, from, &dialect.Outcome{Matter: dialect.Death, Peer: r.Peer}, s.report(r, from))
	case *dialect.Commit:
		return &dialect.CommitAck{Matter: r.Matter, Reason: "seeds decide among themselves, by signed ballots: this changes nothing"}
	case *dialect.Vote:
		_, reply := s.bring(ctx, from, func(time.Time) (*core.Effects, dialect.Reply) { return nil, s.opinion(r) })
		return reply
	case *dialect.PeerList:
		_, reply := s.bring(ctx, from, func(now time.Time) (*core.Effects, dialect.Reply) {
			peers := &dialect.Peers{Peers: s.list(now, from.speaks), Seed: s.Node.Self().Addr}
			return nil, peers
		})
		if peers, ok := reply.(*dialect.Peers); ok && s.mentions.may(from.Addr()) {
			s.Logger.Info(fmt.Sprintf(dialect.PhrasePeers, len(peers.Peers)), "to", from.String())
		}
		return reply
	}
	return nil
}

// decide brings a request for a decision before the node, and gives its answer.
func (s *seed) decide(ctx context.Context, from asker, outcome *dialect.Outcome, prepare preparing) dialect.Reply {
	a, reply := s.bring(ctx, from, prepare)
	if a == nil {
		return reply
	}
	outcome.Success, outcome.YesVotes, outcome.Quorum = a.Code == hearsay.OutcomeDone, int(a.Yes), int(a.Needed)
	outcome.Already = outcome.Success && a.Yes == 0
	if a.Code == hearsay.OutcomePending && outcome.Matter == dialect.Death {
		outcome.Success = s.holdsDead(ctx, from, outcome.Peer)
	}
	if !outcome.Success {
		outcome.Reason, outcome.Pending = a.Text, a.Code == hearsay.OutcomePending
	}
	return outcome
}

// holdsDead reports whether this seed's own probes of a peer fail: an older program that reports a peer is told so as
// long as the seeds decide, as its own seeds would have voted.
func (s *seed) holdsDead(ctx context.Context, from asker, peer netip.AddrPort) bool {
	_, reply := s.bring(ctx, from, func(time.Time) (*core.Effects, dialect.Reply) {
		return nil, &dialect.Opinion{Vote: s.Node.Addresses().Unheard(peer)}
	})
	opinion, ok := reply.(*dialect.Opinion)
	return ok && opinion.Vote
}

// repeats has the log tell of a peer that is in, and asks to be let in.
func (s *seed) repeats(peer, from netip.AddrPort) {
	if !s.mentions.again(peer, time.Now()) && s.mentions.may(from.Addr()) {
		s.Note(func(*Phrases) string { return fmt.Sprintf(dialect.PhraseRegistered, peer) })
	}
}

// register prepares a request for admission: of a guest, whose address is its identity.
func (s *seed) register(r *dialect.Register, from asker) preparing {
	return func(now time.Time) (*core.Effects, dialect.Reply) {
		authority := s.Node.Seeded().Authority()
		refuse := &dialect.Outcome{Matter: dialect.Registration, Peer: r.Peer, Quorum: authority.Quorum}
		if r.Peer.Addr() != from.Addr() {
			refuse.Reason = fmt.Sprintf("asks from %s and says that it is at %s", from.Addr(), r.Peer.Addr())
			return nil, refuse
		}
		if s.knows(r.Facts) {
			refuse.Reason = "this seed is hearsay's, and that is a peer of hearsay's, which has met an earlier program's seeds: start it again, and it joins by its own protocol"
			return nil, refuse
		}
		claim := guestClaim(s.Network, r.Peer, from.speaks, now)
		if m, in := s.Node.Addresses().MemberAt(r.Peer); in && (m.Stay.ID == claim.Subject || !m.Claim.Card.Key.IsZero()) {
			if !authority.Ready { // its stay may have been ended since
				refuse.Reason = "no quorum of seeds is heard"
				return nil, refuse
			}
			s.repeats(r.Peer, from.AddrPort)
			return nil, &dialect.Outcome{Matter: dialect.Registration, Peer: r.Peer, Success: true, Already: true, Quorum: refuse.Quorum}
		}
		return s.Node.Receive(now, &core.Packet{From: claim.Subject, Addr: from.AddrPort, Stream: true, Body: &core.Register{}, Claims: []hearsay.Claim{claim}}), nil
	}
}

// guestClaim is what stands for the word of an older peer.
func guestClaim(network hearsay.NetworkID, addr netip.AddrPort, speaks core.Dialect, now time.Time) hearsay.Claim {
	return hearsay.Claim{
		Subject: core.GuestID(network, addr, speaks), State: hearsay.StateAlive, Incarnation: core.NextIncarnation(0, now),
		Card: hearsay.Card{Name: addr.String(), Addr: addr, Role: hearsay.RolePeer},
	}
}

// report prepares a request for a removal: a word without evidence, whichever node says it.
func (s *seed) report(r *dialect.DeadReport, from asker) preparing {
	return func(now time.Time) (*core.Effects, dialect.Reply) {
		authority := s.Node.Seeded().Authority()
		refuse := &dialect.Outcome{Matter: dialect.Death, Peer: r.Peer, Quorum: authority.Quorum}
		peer, why := s.named(now, r.Peer)
		if why == "" && slices.ContainsFunc(authority.Seeds, func(s hearsay.SeedStatus) bool { return s.Addr == peer }) {
			why = "its address is a seed's, and no case is opened about seeds"
		}
		if why != "" {
			refuse.Reason = why
			return nil, refuse
		}
		m, in := s.Node.Addresses().MemberAt(peer)
		if !in {
			// Success also where nobody ever was: it is as the older peer wants it,
			// and its kind reports again until it hears that.
			ever := s.Node.Addresses().EverAt(peer)
			return nil, &dialect.Outcome{Matter: dialect.Death, Peer: r.Peer, Success: true, Already: ever, Unknown: !ever, Quorum: authority.Quorum}
		}
		return s.Node.Ask(now, from.AddrPort, m.Stay, node.AskedByGuest), nil
	}
}

// named gives the address of a peer that is reported: without a port the one peer at its IP address, or else why it is
// none.
func (s *seed) named(now time.Time, reported netip.AddrPort) (peer netip.AddrPort, why string) {
	if reported.Port() != 0 {
		return reported, ""
	}
	there := 0
	for _, one := range s.peers(now) {
		if one.Addr.Addr() == reported.Addr() {
			peer, there = one.Addr, there+1
		}
	}
	if there != 1 {
		return peer, fmt.Sprintf("it has no port, and %d peers are at that IP address", there)
	}
	return peer, ""
}

// opinion is what this seed itself thinks of a peer, for an older seed that
// asks.
func (s *seed) opinion(r *dialect.Vote) dialect.Reply {
	o := &dialect.Opinion{Matter: r.Matter, Proposal: r.Proposal, Voter: s.Node.Self().Addr}
	if r.Matter == dialect.Death {
		o.Vote = s.Node.Addresses().Unheard(r.Peer)
	} else {
		claim := guestClaim(s.Network, r.Peer, core.Lines, time.Now())
		_, in := s.Node.Addresses().MemberAt(r.Peer) // to an older program that one is it
		o.Vote = in || s.Node.Addresses().Welcome(&claim)
	}
	return o
}
