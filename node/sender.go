package node

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
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
func (a *Addresses) Sender(p *core.Packet) quota.Sender {
	addr, listed := a.roster.Addr(p.From)
	same := addr == p.Addr || p.Stream && addr.Addr() == p.Addr.Addr()
	if p.Stream {
		hello, _ := p.Body.(*core.SeatHello)
		for slot, seed := range a.seeded.seeds() {
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

// dropAccusations drops the suspicions of others that a packet brings from where none of the members is: who has them
// names another as the accuser, and nobody has signed them. One of this node itself counts: it must be able to refute
// it. Of a roster that this node has asked for all counts. It reports whether there were any.
func (n *Node) dropAccusations(p *core.Packet) (dropped bool) {
	forged := func(c hearsay.Claim) bool { return c.State == hearsay.StateSuspect && c.Subject != n.id }
	if _, asked := p.Body.(*core.Roster); asked || !slices.ContainsFunc(p.Claims, forged) || n.addresses.Sender(p).Class != quota.Stranger {
		return false
	}
	before := len(p.Claims)
	p.Claims = slices.DeleteFunc(slices.Clone(p.Claims), forged)
	n.stats.Drops[hearsay.DropStranger] += uint64(before - len(p.Claims))
	return true
}

// stranger is a sender that nothing is known of. On the loopback interface the
// port counts: all processes of a machine share the address.
func stranger(addr netip.AddrPort) quota.Sender {
	if addr.Addr().IsLoopback() {
		return quota.Sender{Addr: addr}
	}
	return quota.Sender{Addr: netip.AddrPortFrom(core.Source(addr.Addr()), 0)}
}

// Unreached is for how long no member has reached this node, since it was cut off, or without its address, last.
func (a *Addresses) Unreached(now time.Time) time.Duration {
	return min(a.roster.Unreached(now), now.Sub(a.silent.cutOff))
}

// unreachedFor is for how many seconds no member has pinged this node, though members answer it; 0: they
// ping it, or do not answer either. Before it lists others nobody is to reach it.
func (n *Node) unreachedFor() float64 {
	unreached, most := min(n.addresses.Unreached(n.stepped), n.stepped.Sub(n.silent.alone)), max(unreachedPeriods*n.cfg.Detect.Longest(), unreachedLeast)
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
