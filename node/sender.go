package node

import (
	"net/netip"

	"hearsay"
	"hearsay/quota"
)

// Sender tells whose share what a packet asks for is taken from. This is the
// one place that decides it. A seat and a member are known by the address that
// the list of seeds or the roster has of them, and no more is proven: whoever shares the
// IP address of one may use its name, and with that its share. By stream, which proves the IP
// address, the port may be another: a stream is dialled from any. By datagram
// nobody is a seat, since anybody may write a seed's address on one, and the port
// counts: many members may share an IP address. A seed that is not listed yet, as
// while the network is founded, says its place in the list in its hello; that must
// come from the IP address there. Everybody else is a stranger.
func (n *Node) Sender(p *hearsay.Packet) quota.Sender {
	addr, listed := n.roster.Addr(p.From)
	same := addr == p.Addr || p.Stream && addr.Addr() == p.Addr.Addr()
	if p.Stream {
		hello, _ := p.Body.(*hearsay.SeatHello)
		for slot, seed := range n.configured() {
			says := hello != nil && int(hello.Slot) == slot && seed.Addr.Addr() == p.Addr.Addr()
			if says || seed.Addr == p.Addr || listed && same && seed.Addr == addr {
				return quota.Sender{Class: quota.Seat, Addr: seed.Addr}
			}
		}
	}
	if listed && same {
		return quota.Sender{Class: quota.Member, Addr: addr}
	}
	return stranger(p.Addr)
}

// stranger is a sender that nothing is known of. On the loopback interface the
// port counts: all processes of a machine share the address.
func stranger(addr netip.AddrPort) quota.Sender {
	if addr.Addr().IsLoopback() {
		return quota.Sender{Addr: addr}
	}
	return quota.Sender{Addr: netip.AddrPortFrom(hearsay.Source(addr.Addr()), 0)}
}

// Addrs tells where all living members other than this node are reached.
func (n *Node) Addrs() []netip.AddrPort {
	addrs := make([]netip.AddrPort, n.roster.CountOthers())
	for i := range addrs {
		addrs[i], _ = n.roster.Addr(n.roster.Other(i))
	}
	return addrs
}

// Whereabouts tells where the roster has a living member other than this node.
func (n *Node) Whereabouts(id hearsay.NodeID) (netip.AddrPort, bool) { return n.roster.Addr(id) }
