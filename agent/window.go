package agent

import (
	"context"
	"net/netip"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/wire"
)

// Why a peer declines what older peers ask of it. Its links and rumors are of
// its own protocol: who speaks only lines is no neighbor, and what it says is
// not taken, rather than taken and lost.
const (
	declineLink   = "links to peers that speak only lines are not made"
	declineRumor  = "rumors are taken over links of our own protocol only"
	reasonSuspect = "it is suspect here"
	reasonNobody  = "no living member at this address is known here"
)

// window is where a peer answers those who ask it by JSON lines.
type window struct {
	loop     *loop
	journal  *journal
	mentions *mentions
}

func newWindow(l *loop, j *journal) *window {
	return &window{loop: l, journal: j, mentions: newMentions(l.streams.known)}
}

// answer answers a line; see answering.
func (w *window) answer(ctx context.Context, request dialect.Request, from netip.AddrPort) dialect.Reply {
	switch r := request.(type) {
	case *dialect.Suspect:
		reply := w.look(ctx, from, func() dialect.Reply { return w.opinion(r) })
		if ack, ok := reply.(*dialect.SuspectAck); ok && w.mentions.may(from.Addr()) {
			w.journal.note(func(*phrases) string { return dialect.PhraseProbe(r.Peer, requester(r, from), ack.Alive) })
		}
		return reply
	case *dialect.Hello:
		return w.look(ctx, from, func() dialect.Reply {
			n := w.loop.node
			return &dialect.HelloAck{Peer: n.Self().Addr, Degree: len(n.Links()), Reason: declineLink}
		})
	case *dialect.Gossip:
		return &dialect.GossipAck{Reason: declineRumor}
	}
	return nil
}

// look makes a reply of what the node knows. Nil: not in time.
func (w *window) look(ctx context.Context, from netip.AddrPort, read func() dialect.Reply) dialect.Reply {
	replied := make(chan dialect.Reply, 1)
	if !w.loop.putFor(from.Addr(), func(time.Time) { replied <- read() }) {
		return nil
	}
	select {
	case reply := <-replied:
		return reply
	case <-ctx.Done():
		return nil
	}
}

// opinion is what this peer itself holds of an address, at once: nobody is
// probed because a stranger asks, and its own probes are what it knows by. Of
// an address where it knows nobody it cannot say that somebody is alive: the
// answer is no, with the reason besides.
func (w *window) opinion(r *dialect.Suspect) dialect.Reply {
	n := w.loop.node
	self := n.Self()
	// Who asks may take this address for a guest's: the facts say that it is not.
	// They are never taken for the answer to a ping, which has a number.
	notMe := &hearsay.Packet{From: self.ID, Body: &hearsay.NotMe{}}
	ack := &dialect.SuspectAck{Suspect: r.Peer, Confirmer: self.Addr, Facts: wire.AppendPacket(nil, w.loop.network, notMe)}
	switch n.StateAt(r.Peer) {
	case hearsay.StateAlive:
		ack.Alive = true
	case hearsay.StateSuspect:
		ack.Reason = reasonSuspect
	default:
		ack.Reason = reasonNobody
	}
	return ack
}

// requester is who asks: as it says, if it says so from there.
func requester(r *dialect.Suspect, from netip.AddrPort) netip.AddrPort {
	if r.Requester.Addr() == from.Addr() {
		return r.Requester
	}
	return from
}
