package sim

import (
	"math"
	"net/netip"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file holds nodes to the bounds of what they send and hold, to packets
// that can be read, and to deadlines that move on.

// Bounds that the checker holds nodes to.
const (
	packetsPerStep = 1024 // that one step may send (guess: a roster of 10,000 in packets of tens of claims, and room)
	recordsPerStep = 4096 // that one step may persist
	ticksPerMoment = 64   // of one node at one time
)

// bounds looks at how much one step wants.
func (c *checker) bounds(m *machine, e *core.Effects, now time.Duration) {
	if n := len(e.Now) + len(e.Send); n > packetsPerStep {
		c.violate(now, m, RuleBounds, "one step sends %d packets, at most %d", n, packetsPerStep)
	}
	if n := len(e.Persist); n > recordsPerStep {
		c.violate(now, m, RuleBounds, "one step persists %d records, at most %d", n, recordsPerStep)
	}
}

// sent looks at a packet as it goes out.
func (c *checker) sent(m *machine, p *core.Packet, f *flight, now time.Duration) {
	if c.isSeed(m) {
		c.ballots.takesPart(m, p, now)
	}
	if f.stream && len(f.bytes) > core.MaxStreamPacket {
		c.violate(now, m, RuleBounds, "a packet of %d bytes by stream, at most %d", len(f.bytes), core.MaxStreamPacket)
	}
	if ping, ok := p.Body.(*core.Ping); ok && !ping.Target.IsZero() {
		if f.stream && !p.Stream {
			c.violate(now, m, RuleBounds, "a ping of %d bytes does not fit a datagram", len(f.bytes))
		}
		c.pings(m, ping, p.Addr, now)
	}
}

// pings notes that a node sends a ping, which comes to somebody or to nobody. One
// to a member that the node has never listed is a look whether its address answers,
// of which there are as many as members: it counts only if the node examines it.
func (c *checker) pings(m *machine, ping *core.Ping, addr netip.AddrPort, now time.Duration) {
	v := &c.views[m.index]
	if number, known := c.numbers[ping.Target]; known && *v.of(number) == 0 && !v.asked[ping.Target] {
		return
	}
	v.keep(pinged{seq: ping.Seq, subject: ping.Target, addr: addr, sent: now, answered: math.MaxInt64})
}

// undecodable is told that a packet which m sent could not be read.
func (c *checker) undecodable(m *machine, drop hearsay.Drop, f *flight, now time.Duration) {
	c.violate(now, m, RuleDecode, "sends n%d %d bytes that cannot be read: %s", f.to+1, len(f.bytes), drop)
}

// roster checks what a node holds of everybody, and its tables and queues.
func (c *checker) roster(m *machine, members []hearsay.Member, links int, stats hearsay.Stats, now time.Duration) {
	for i := range members {
		one := &members[i]
		c.holds(m, one.ID, seenAs(one.State, one.Incarnation), now)
	}
	if stats.NewsWaiting > len(c.identities) {
		c.violate(now, m, RuleBounds, "%d claims wait to be told, of %d identities", stats.NewsWaiting, len(c.identities))
	}
	if links > c.linksMost {
		c.violate(now, m, RuleBounds, "%d links, at most %d", links, c.linksMost)
	}
	if keep := &c.gossip.keep; stats.RumorsHeld > keep.KeepCount || stats.RumorsHeldBytes > keep.KeepBytes {
		c.violate(now, m, RuleBounds, "holds %d rumors of %d bytes, at most %d of %d",
			stats.RumorsHeld, stats.RumorsHeldBytes, keep.KeepCount, keep.KeepBytes)
	}
}

// ticked is told that a node was called at its deadline, and reports whether
// time can go on.
func (c *checker) ticked(m *machine, now time.Duration) bool {
	v := &c.views[m.index]
	if v.tickedAt != now {
		v.tickedAt, v.ticks = now, 0
	}
	if v.ticks++; v.ticks > ticksPerMoment {
		c.violate(now, m, RuleProgress, "was called %d times at this moment, and its deadline is still now", v.ticks)
		return false
	}
	return true
}
