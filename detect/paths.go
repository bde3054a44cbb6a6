package detect

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file finds out whether datagrams get through. Firewalls and meshes exist that carry streams and drop all
// datagrams, to and from one member or between two sites. Its stream pings keep such a member alive, so all else must
// come to it by stream, too. A member that has answered a ping by stream, and no datagram, is sent some more. If it
// answers none of them it is probed once more, next. If that comes to the same, all that goes to it goes by stream
// until it answers a datagram. Each probe begins with one, so that is noticed within a lap.
//
// If several probes in a row come to that, it is this node to which datagrams do not come. Then it sends everything by
// stream, and says so to its neighbors and to each member that it probes (core.Deaf).

const (
	// streamedMost is how many members are known to be reached by stream only; the oldest make room. A guess: some times
	// the links of a node, as two sites may have nothing but streams between them.
	streamedMost = 256

	// morePings is how many more datagrams are sent to a member that has answered by stream: where a tenth of all is lost
	// each way, all four are in one of 770 probes.
	morePings = 3

	// deafAfter is after how many such probes in a row, each of another member, this node takes itself for the one that
	// gets no datagrams. They must not all be of one source, if there are members elsewhere: one host can have many
	// members that answer by stream only.
	deafAfter = 3
)

// paths is what is known of datagrams.
type paths struct {
	*shared
	streamed []netip.AddrPort // the members that are reached by stream only, the newest last
	doubted  hearsay.NodeID   // the last probe of it was answered by stream only, for the first time
	again    bool             // it is probed next
	latest   hearsay.NodeID   // the last probe that was answered by stream only was of it
	// probes in a row, each of another member than the one before, that were answered by stream only
	inRow  int
	since  time.Time  // when the first of these began
	source netip.Addr // of the first of these (core.Source)
	mixed  bool       // there was one of another source since
	deaf   bool       // they are so many that it is this node
}

// byStream notes that a member, of so many, whose probe began at a time, has answered by stream, and no datagram. Two
// probes of the same one tell of that one, unless there is no other. Elsewhere reports whether there are members of
// another source.
func (p *paths) byStream(id hearsay.NodeID, addr netip.AddrPort, began time.Time, members int, elsewhere func(netip.Addr) bool) {
	source := core.Source(addr.Addr())
	if p.inRow == 0 {
		p.since, p.source, p.mixed = began, source, false
	}
	p.mixed = p.mixed || source != p.source
	if id != p.latest || members == 1 {
		p.latest = id
		p.inRow++
	}
	if !p.deaf && p.inRow >= deafAfter {
		p.deaf = p.mixed || !elsewhere(source)
	}
	if again := p.doubted; again != id {
		p.doubted, p.again = id, true
		return
	}
	p.doubted = hearsay.NodeID{}
	p.add(addr)
}

// byDatagram notes that a member has answered a datagram.
func (p *paths) byDatagram(id hearsay.NodeID, addr netip.AddrPort) {
	p.inRow, p.latest, p.deaf = 0, hearsay.NodeID{}, false
	if p.doubted == id {
		p.doubted, p.again = hearsay.NodeID{}, false
	}
	p.streamed = slices.DeleteFunc(p.streamed, func(a netip.AddrPort) bool { return a == addr })
}

// takeDoubted gives the member that is to be probed once more, if there is one.
func (p *paths) takeDoubted() (id hearsay.NodeID, again bool) {
	again, p.again = p.again, false
	return p.doubted, again
}

func (p *paths) add(addr netip.AddrPort) {
	if slices.Contains(p.streamed, addr) {
		return
	}
	if len(p.streamed) >= streamedMost {
		p.streamed = slices.Delete(p.streamed, 0, 1)
	}
	p.streamed = append(p.streamed, addr)
}

// Streamed is how many members are reached by stream only.
func (p *paths) Streamed() int { return len(p.streamed) }

// IsStreamed reports whether a member's address is reached by stream only.
func (p *paths) IsStreamed(addr netip.AddrPort) bool { return slices.Contains(p.streamed, addr) }

// Deaf takes the word of a member that it gets no datagrams. It must have come by stream from the IP address that the
// roster has of the member.
func (p *paths) Deaf(addr netip.AddrPort) { p.add(addr) }

// IsDeaf reports whether datagrams do not come to this node, and since when.
func (p *paths) IsDeaf() (since time.Time, deaf bool) {
	return p.since, p.deaf
}

// Streams reports whether a packet that would go as a datagram must go by stream. The first ping of a probe need not:
// it shows whether datagrams get through again. Nor does an answer to where a datagram came from, which nobody has
// proven, unless a member is there that is reached by stream only.
func (p *paths) Streams(packet *core.Packet) bool {
	deaf := p.deaf && !packet.Answer
	if len(p.streamed) == 0 && !deaf {
		return false
	}
	switch m := packet.Body.(type) {
	case *core.Ack:
		return false // it goes back the way the ping came, or both ends would wait for a datagram of the other
	case *core.Ping:
		if m.Seq == p.detector.probes.current.seq || m.Seq == p.detector.probes.last.seq {
			return false
		}
		addr, listed := p.directory.Addr(m.Target)
		deaf = deaf && listed && addr == packet.Addr // streams are not dialled to addresses that are only named
	}
	return deaf || p.IsStreamed(packet.Addr)
}
