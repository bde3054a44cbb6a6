package guest

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"hearsay"
	"hearsay/dialect"
)

// reasonOpen is why a peer of an open network takes no link and no message: nobody lets guests in there.
const reasonOpen = "an open network has no such members: that takes seeds"

// Why a peer does not vouch for another.
const (
	reasonSilent  = "it does not answer this peer's own probes"
	reasonOut     = "the member at this address is out: dead, or it has left"
	reasonSuspect = "others say that it is silent, and this peer's own probes have not found so"
	reasonNobody  = "no member at this address is known here"
)

// peer is how a peer's node answers JSON lines.
type peer struct {
	*Host
	mentions *mentions
	links    *Links // nil: of an open network
	abroad   atomic.Pointer[Abroad]
}

func newPeer(h *Host, links *Links) *peer {
	return &peer{Host: h, mentions: newMentions(h.Sender), links: links}
}

// answer answers a line; see answering.
func (p *peer) answer(ctx context.Context, request dialect.Request, from asker) dialect.Reply {
	switch r := request.(type) {
	case *dialect.Suspect:
		var reply dialect.Reply
		if abroad := p.abroad.Load(); abroad != nil {
			reply = abroad.opinion(ctx, r, from.AddrPort)
		}
		if reply == nil {
			reply = p.look(ctx, from, func(time.Time) dialect.Reply { return p.opinion(r) })
		}
		if ack, ok := reply.(*dialect.SuspectAck); ok && p.mentions.may(from.Addr()) {
			p.Note(func(*Phrases) string { return dialect.PhraseProbe(r.Peer, requester(r, from.AddrPort), ack.Alive) })
		}
		return reply
	case *dialect.Hello:
		return p.look(ctx, from, func(now time.Time) dialect.Reply {
			if p.links == nil {
				return &dialect.HelloAck{Peer: p.Node.Self().Addr, Degree: len(p.Node.Gossip().Links()), Reason: reasonOpen}
			}
			return p.links.hello(now, r, from)
		})
	case *dialect.Gossip:
		if p.links == nil {
			return &dialect.GossipAck{Reason: reasonOpen}
		}
		reply := p.look(ctx, from, func(now time.Time) dialect.Reply { return p.links.gossip(now, r, from) })
		if ack, ok := reply.(*dialect.GossipAck); ok && ack.Duplicate && p.mentions.may(from.Addr()) {
			sender := r.Sender
			if !sender.IsValid() {
				sender = from.AddrPort
			}
			p.Note(func(*Phrases) string { return dialect.PhraseDuplicate(r.Text, sender) })
		}
		return reply
	}
	return nil
}

// look makes a reply of what the node knows. Nil: not in time.
func (p *peer) look(ctx context.Context, from asker, read func(now time.Time) dialect.Reply) dialect.Reply {
	replied := make(chan dialect.Reply, 1)
	if !p.Do(from.Addr(), func(now time.Time) { replied <- read(now) }) {
		return nil
	}
	select {
	case reply := <-replied:
		return reply
	case <-ctx.Done():
		return nil
	}
}

// opinion is what this peer itself holds of an address, at once: it probes no
// node because a stranger asks, and knows what its own probes have found. What it
// cannot know it does not say: to an older peer alive=false is a vote for a death,
// and a failure is none.
func (p *peer) opinion(r *dialect.Suspect) dialect.Reply {
	ack := &dialect.SuspectAck{Suspect: r.Peer, Confirmer: p.Node.Self().Addr}
	switch state, own := p.Node.Addresses().StateAt(r.Peer); {
	case state == hearsay.StateAlive:
		ack.Alive = true
	case state == hearsay.StateSuspect && own:
		ack.Reason = reasonSilent
	case state == hearsay.StateSuspect:
		return &dialect.Failure{Reason: reasonSuspect}
	case state == 0:
		return &dialect.Failure{Reason: reasonNobody}
	default:
		ack.Reason = reasonOut
	}
	return ack
}

// requester is the asker's address: as it says, if it says so from there.
func requester(r *dialect.Suspect, from netip.AddrPort) netip.AddrPort {
	if r.Requester.Addr() == from.Addr() {
		return r.Requester
	}
	return from
}
