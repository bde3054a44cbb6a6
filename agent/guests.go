package agent

import (
	"context"
	"errors"
	"net/netip"
	"sync"

	"hearsay"
	"hearsay/dialect"
	"hearsay/wire"
)

// The limits on guests: members that speak only the older programs' lines.
const (
	guestAsksMax  = asksMax // questions under way at a time; more pings are lost, as on the network
	guestPingsMax = 64      // pings that one question answers
	guestAddrsMax = 1 << 13 // addresses remembered at which a guest is or was
)

// guests asks those who do not understand a ping a question that they do: a
// guest that answers it in time is alive, and one that merely accepts
// connections is not. The answer is handed to the node as that of all pings
// that it got meanwhile.
type guests struct {
	network hearsay.NetworkID
	own     netip.AddrPort
	asker   *asker
	hand    func(*hearsay.Packet)

	// Of the loop: where guests are, or were until lately. They are sent
	// nothing of ours.
	addrs map[netip.AddrPort]struct{}

	ctx    context.Context // ends with close
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu     sync.Mutex
	asking map[netip.AddrPort][]uint64 // by guest that is asked, the pings that wait for it
}

func newGuests(network hearsay.NetworkID, own netip.AddrPort, asker *asker, hand func(*hearsay.Packet)) *guests {
	g := &guests{
		network: network, own: own, asker: asker, hand: hand,
		addrs: make(map[netip.AddrPort]struct{}), asking: make(map[netip.AddrPort][]uint64),
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

// close gives up all questions, and returns when nothing runs any more.
func (g *guests) close() {
	g.cancel()
	g.wait.Wait()
}

// takes reports whether a packet is to a guest, and sees to it. A ping to
// somebody else is to who has come to a guest's address: it must answer before
// it is in.
func (g *guests) takes(p *hearsay.Packet) bool {
	if ping, ok := p.Body.(*hearsay.Ping); ok && !ping.Target.IsZero() {
		if ping.Target != hearsay.GuestID(g.network, p.Addr) {
			return false
		}
		g.met(p.Addr)
		g.ask(p.Addr, ping)
		return true
	}
	_, guest := g.addrs[p.Addr]
	return guest
}

// met remembers that a guest is at an address.
func (g *guests) met(addr netip.AddrPort) {
	if _, known := g.addrs[addr]; !known && len(g.addrs) >= guestAddrsMax {
		clear(g.addrs) // those who are still here are met again at the next ping
	}
	g.addrs[addr] = struct{}{}
}

// note learns from what happened who is where.
func (g *guests) note(e *hearsay.Event) {
	switch {
	case e.Kind == hearsay.EventRuled && e.Ruling.Kind == hearsay.RulingAdmit && e.Ruling.Key.IsZero():
		g.met(e.Ruling.Claim.Card.Addr)
	case e.Kind == hearsay.EventRuled && e.Ruling.Kind == hearsay.RulingAdmit:
		delete(g.addrs, e.Ruling.Claim.Card.Addr)
	case e.Kind == hearsay.EventMemberMoved:
		delete(g.addrs, e.Addr) // only who has a key can say so
	}
}

// ask asks a guest whether it answers, unless it is being asked.
func (g *guests) ask(to netip.AddrPort, ping *hearsay.Ping) {
	g.mu.Lock()
	defer g.mu.Unlock()
	pings, asking := g.asking[to]
	if len(pings) >= guestPingsMax || !asking && len(g.asking) >= guestAsksMax {
		return
	}
	g.asking[to] = append(pings, ping.Seq)
	if asking {
		return
	}
	id := ping.Target
	g.wait.Go(func() {
		answer := g.answers(id, to)
		g.mu.Lock()
		pings := g.asking[to]
		delete(g.asking, to)
		g.mu.Unlock()
		for _, seq := range pings {
			if p := answer(seq); p != nil {
				g.hand(p)
			}
		}
	})
}

// answers asks a guest about itself, and gives what answers a ping: its Ack if
// it answers in time, whatever it says. But one that has facts is no guest: a
// node of ours has come to its address. Nil is silence.
func (g *guests) answers(id hearsay.NodeID, to netip.AddrPort) func(seq uint64) *hearsay.Packet {
	reply, err := g.asker.ask(g.ctx, to, &dialect.Suspect{Peer: to, Requester: g.own})
	refused := (*dialect.RefusedError)(nil)
	ack, _ := reply.(*dialect.SuspectAck)
	return func(seq uint64) *hearsay.Packet {
		switch {
		case err != nil && !errors.As(err, &refused):
			return nil
		case ack == nil || len(ack.Facts) == 0:
			return &hearsay.Packet{From: id, Addr: to, Body: &hearsay.Ack{Seq: seq}}
		}
		p := &hearsay.Packet{}
		if _, ok := wire.NewDecoder(g.network).Decode(ack.Facts, p); !ok {
			return nil // of another network, which has nobody of this one
		}
		return &hearsay.Packet{From: p.From, Addr: to, Body: &hearsay.NotMe{Seq: seq}}
	}
}
