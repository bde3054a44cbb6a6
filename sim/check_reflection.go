package sim

import (
	"net/netip"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/testkit"
	"hearsay/wire"
)

// This file holds nodes to the rule of reflection: to an address that never spoke
// go few more bytes than those that named it.

// mentions is what went to addresses at which nobody is, by address.
type mentions struct {
	named map[netip.AddrPort]int // bytes of the packets of strangers that named it
	got   map[netip.AddrPort]int // bytes that nodes sent there
}

// nowhere are the addresses that strangers name: no machine has one of them.
func nowhere(number int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + number%250)}), port)
}

// invent has a stranger tell a node of a member that is made up, at an address at
// which nobody is.
func (w *World) invent(to *machine) {
	key := testkit.NewSigner(w.config.Seed, firstPuppet+len(w.check.mentions.named), 1)
	claim := hearsay.Claim{State: hearsay.StateAlive, Incarnation: hearsay.Incarnation(epoch.Add(w.now).UnixMilli())}
	claim.Card = hearsay.Card{Name: "nobody", Addr: nowhere(len(w.check.mentions.named)), Role: hearsay.RolePeer}
	claim.Sign(w.id, key)
	p := core.Packet{From: key.Public().NodeID(), Addr: to.addr, Body: naming(to), Claims: []hearsay.Claim{claim}}
	number := w.network.takeFlight()
	f := &w.network.flights[number]
	f.from, f.to, f.stream = to.index, to.index, false // the source is forged
	f.bytes = wire.AppendPacket(f.bytes[:0], w.id, &p)
	w.check.names(claim.Card.Addr, len(f.bytes))
	w.counts.Invented++
	w.network.dispatch(number)
}

// names is told that a stranger has named an address.
func (c *checker) names(addr netip.AddrPort, bytes int) {
	if c.mentions.named == nil {
		c.mentions = mentions{named: make(map[netip.AddrPort]int), got: make(map[netip.AddrPort]int)}
	}
	c.mentions.named[addr] += bytes
}

// reflects looks at a packet to an address at which there is no machine.
func (w *World) reflects(m *machine, p *core.Packet) {
	r := &w.check.mentions
	named, is := r.named[p.Addr]
	if !is || r.got[p.Addr] > reflectMost*named { // it was said
		return
	}
	if r.got[p.Addr] += len(wire.AppendPacket(nil, w.id, p)); r.got[p.Addr] > reflectMost*named {
		w.check.violate(w.now, m, RuleReflection, "sends to %v, which never spoke: %d bytes went there, and %d named it", p.Addr, r.got[p.Addr], named)
	}
}
