package guest

import (
	"context"
	"net/netip"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/internal/core"
	"hearsay/wire"
)

// Why a peer declines what older peers ask of it. Its links and rumors are of
// its own protocol: a peer that speaks only lines is no neighbor, and what it says is
// not taken, rather than taken and lost.
const (
	declineLink   = "links to peers that speak only lines are not made"
	declineRumor  = "rumors are taken over links of our own protocol only"
	reasonSuspect = "it is suspect here"
	reasonNobody  = "no living member at this address is known here"
)

// peer is how a peer's node answers JSON lines.
type peer struct {
	*Host
	mentions *mentions
}

func newPeer(h *Host) *peer { return &peer{h, newMentions(h.Sender)} }

// answer answers a line; see answering.
func (p *peer) answer(ctx context.Context, request dialect.Request, from netip.AddrPort) dialect.Reply {
	switch r := request.(type) {
	case *dialect.Suspect:
		reply := p.look(ctx, from, func() dialect.Reply { return p.opinion(r) })
		if ack, ok := reply.(*dialect.SuspectAck); ok && p.mentions.may(from.Addr()) {
			p.Note(func(*Phrases) string { return dialect.PhraseProbe(r.Peer, requester(r, from), ack.Alive) })
		}
		return reply
	case *dialect.Hello:
		return p.look(ctx, from, func() dialect.Reply {
			n := p.Node
			return &dialect.HelloAck{Peer: n.Self().Addr, Degree: len(n.Gossip().Links()), Reason: declineLink}
		})
	case *dialect.Gossip:
		return &dialect.GossipAck{Reason: declineRumor}
	}
	return nil
}

// look makes a reply of what the node knows. Nil: not in time.
func (p *peer) look(ctx context.Context, from netip.AddrPort, read func() dialect.Reply) dialect.Reply {
	replied := make(chan dialect.Reply, 1)
	if !p.Do(from.Addr(), func(time.Time) { replied <- read() }) {
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
// node because a stranger asks, and knows what its own probes have found. Of
// an address where it knows no member it cannot say that one is alive: the
// answer is no, with the reason besides.
func (p *peer) opinion(r *dialect.Suspect) dialect.Reply {
	n := p.Node
	self := n.Self()
	// The asker may take this address for a guest's: the facts say that it is not.
	// They are never taken for the answer to a ping, which has a number.
	notMe := &core.Packet{From: self.ID, Body: &core.NotMe{}}
	ack := &dialect.SuspectAck{Suspect: r.Peer, Confirmer: self.Addr, Facts: wire.AppendPacket(nil, p.Network, notMe)}
	switch n.Addresses().StateAt(r.Peer) {
	case hearsay.StateAlive:
		ack.Alive = true
	case hearsay.StateSuspect:
		ack.Reason = reasonSuspect
	default:
		ack.Reason = reasonNobody
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
