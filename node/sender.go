package node

import (
	"net/netip"
	"time"

	"hearsay"
	"hearsay/quota"
)

// Sender tells whose share what a packet asks for is taken from. This is the
// one place that decides it. A seat and a member are known by the address that
// the list of seeds or the roster has of them, and no more is proven: a node that shares the
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

// AliveAt reports at which addresses living members are that are neither suspects nor away, and how many living members
// there are besides this node.
func (n *Node) AliveAt(addrs []netip.AddrPort) (alive []bool, others int) {
	alive, others = make([]bool, len(addrs)), n.roster.CountOthers()
	asked := make(map[netip.AddrPort]int, len(addrs))
	for i, addr := range addrs {
		asked[addr] = i
	}
	for i := range others {
		id := n.roster.Other(i)
		addr, _ := n.roster.Addr(id)
		if at, is := asked[addr]; is && n.roster.Trusted(id) {
			alive[at] = true
		}
	}
	return alive, others
}

// Whereabouts tells where the roster has a living member other than this node.
func (n *Node) Whereabouts(id hearsay.NodeID) (netip.AddrPort, bool) { return n.roster.Addr(id) }

// Towards tells some of the addresses from which others must reach this node: contacts and members, at
// most so many of each.
func (n *Node) Towards(most int) []netip.AddrPort { return n.roster.Towards(most) }

// Unreached is for how long no member has reached this node.
func (n *Node) Unreached(now time.Time) time.Duration { return n.roster.Unreached(now) }

// unreachedFor is for how many seconds no member has pinged this node, though members answer it; 0: they
// ping it, or do not answer either.
func (n *Node) unreachedFor() float64 {
	unreached, most := n.roster.Unreached(n.stepped), max(unreachedPeriods*n.cfg.Detect.Period, unreachedLeast)
	if unreached < most || n.gone() || !n.detect.HeardSince(n.stepped.Add(-most/2)) {
		return 0
	}
	return unreached.Seconds()
}

// A member may be pinged by nobody for so many periods of the detector, and for so long at least, however short they
// are. Each is pinged once in a period in the mean: e^-20.
const (
	unreachedPeriods = 20
	unreachedLeast   = 20 * time.Second
)
