package node

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/internal/core"
	"hearsay/roster"
	"hearsay/wire"
)

// Anybody can write another's address on a datagram. So what goes back to where
// a datagram came from, in the step that takes it, is at most three times as long
// as the datagram was (as QUIC has it: RFC 9000, section 8.1). What is longer goes
// by stream, which proves the address, to where the roster has the member that
// the datagram names; a stranger does not get it.

const (
	replyFactor = 3
	// replySmall is the size of a datagram, in bytes, that no answer without
	// claims of a detector exceeds: so these need not be measured. An envelope of
	// 26 bytes, a kind and a number.
	replySmall = 40
)

// replies is what may yet go back in this step.
type replies struct {
	to    *core.Packet // the datagram; nil: it was none
	room  int          // bytes
	bytes []byte       // storage, for measuring
}

// begin opens a step that takes a packet, or none.
func (r *replies) begin(p *core.Packet) {
	r.to, r.room = nil, 0
	if p != nil && !p.Stream {
		r.to, r.room = p, replyFactor*p.Size
	}
}

// rides reports whether claims may ride on an answer: it is the size of its
// question, and what rides may be ten times that.
func (r *replies) rides(p *core.Packet) bool { return !p.Answer || p.Stream }

// outgoing completes the packets of a step.
type outgoing struct {
	network hearsay.NetworkID
	id      hearsay.NodeID
	signer  hearsay.Signer
	roster  *roster.Roster
	detect  *detect.Detector
	gossip  *Gossip
	seeded  *Seeded
	stats   *hearsay.Stats
	replies replies
	rare    bool // this node pings its links only: each ping tells by hashes what it holds
}

// complete gives the packets that go out, of those of a step.
func (o *outgoing) complete(now time.Time, packets []core.Packet) []core.Packet {
	for i := range packets {
		o.dress(now, &packets[i])
		o.reroute(&packets[i])
		o.limit(&packets[i])
	}
	return o.fit(packets)
}

// fit sees to it that the packets of a step stay within what may go back.
func (o *outgoing) fit(packets []core.Packet) []core.Packet {
	if o.replies.to == nil {
		return packets
	}
	return slices.DeleteFunc(packets, func(p core.Packet) bool { return p.Answer && !p.Stream && !p.Addr.IsValid() })
}

// limit takes the size of an answer to a datagram from what may go back. An
// answer that does not fit goes by stream to the member, if there is one, and else
// has its address taken away: then it goes nowhere.
func (o *outgoing) limit(p *core.Packet) {
	r := &o.replies
	if !p.Answer || p.Stream || r.to == nil || p.Addr != r.to.Addr {
		return
	}
	size := replySmall
	if !small(p) {
		r.bytes = wire.AppendPacket(r.bytes[:0], o.network, p)
		size = len(r.bytes)
	}
	if size <= r.room {
		r.room -= size
		return
	}
	if _, about := p.Body.(*core.NotMe); about && len(p.Claims) > 0 {
		p.Claims = nil // it says enough: who is there introduces itself when it is asked
		o.limit(p)
		return
	}
	addr, listed := o.roster.Addr(r.to.From)
	if p.Addr, p.Stream = addr, listed; !listed {
		o.stats.Drops[hearsay.DropStranger]++
	}
}

// small reports whether a packet is one of the detector's, without claims.
func small(p *core.Packet) bool {
	if len(p.Claims) > 0 {
		return false
	}
	switch p.Body.(type) {
	case *core.Ack, *core.Nack, *core.NotMe:
		return true
	}
	return false
}

// dress completes a packet that goes out: who sends it, and the claims that
// ride along.
func (o *outgoing) dress(now time.Time, p *core.Packet) {
	p.From = o.id
	switch m := p.Body.(type) {
	case *core.Ping:
		m.Hash = o.roster.Hash()
		if m.Extra > 0 { // it is as long as it is to be
			return
		}
		if o.gossip.speaksWith(m.Target) {
			m.Rumors = o.gossip.rumors.PingHash(now, o.rare)
			m.Store = o.gossip.storeHash(now, o.rare)
		}
		o.roster.Confront(p, m.Target)
		// others have not proven that they are there
		if addr, listed := o.roster.Addr(m.Target); listed && addr == p.Addr {
			o.roster.Ride(p)
		}
	case *core.Ack, *core.Nack, *core.RelayReq:
		if o.replies.rides(p) {
			o.roster.Ride(p)
		}
	case *core.NotMe, *core.Register:
		o.roster.Introduce(p)
	case *core.Report:
		m.Sign(o.seeded.ledgerID(), o.signer)
	}
}

// reroute has a packet go by stream if a datagram would be lost.
func (o *outgoing) reroute(p *core.Packet) { p.Stream = p.Stream || o.detect.Streams(p) }
