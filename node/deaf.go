package node

import (
	"time"

	"hearsay"
	"hearsay/quota"
)

// This file has a node to which datagrams do not come (detect/paths.go) tell so to its links, and to
// each member that answers its probes, and has all packets go by stream that would be lost otherwise.

// noteDeaf looks whether datagrams come to this node.
func (n *Node) noteDeaf(now time.Time) {
	_, deaf := n.detect.IsDeaf()
	if deaf == n.deaf {
		return
	}
	if n.deaf = deaf; !deaf {
		n.out.Events = append(n.out.Events, hearsay.Event{At: now, Kind: hearsay.EventHears, Subject: n.id})
		return
	}
	n.out.Events = append(n.out.Events, hearsay.Event{At: now, Kind: hearsay.EventDeaf, Subject: n.id})
	for _, id := range n.overlay.Links() {
		n.sayDeaf(id)
	}
}

// sayDeaf tells a member that this node wants everything by stream, if it does.
func (n *Node) sayDeaf(id hearsay.NodeID) {
	if addr, listed := n.roster.Addr(id); listed && n.deaf {
		n.out.Now = append(n.out.Now, hearsay.Packet{Addr: addr, Stream: true, Body: &hearsay.Deaf{}})
	}
}

// takeDeaf takes such a word from a member, by stream, which proves the IP address.
func (n *Node) takeDeaf(p *hearsay.Packet) {
	addr, listed := n.roster.Addr(p.From)
	switch {
	case !p.Stream:
		n.drops[hearsay.DropUnexpected]++
	case !listed || n.Sender(p).Class == quota.Stranger:
		n.drops[hearsay.DropStranger]++
	default:
		n.detect.Deaf(addr)
	}
}

// isDeaf reports whether no datagrams come to this node.
func (n *Node) isDeaf() bool { return n.deaf }

// deafFor is for how many seconds no datagrams have come to this node; 0: they do.
func (n *Node) deafFor() float64 {
	if since, deaf := n.detect.IsDeaf(); deaf {
		return n.stepped.Sub(since).Seconds()
	}
	return 0
}
