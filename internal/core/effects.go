package core

import (
	"net/netip"

	"hearsay"
)

// Effects is all that a step of the core asks of the world. A driver sends
// Now at once. Then it carries out Persist, Send and Events in this order, in
// a queue that may run beside the loop; if persisting fails, it drops what was to follow, and stops
// once the node has left without its disk (node.LoseDisk). A call
// of the application is answered only after the Effects of its step were
// carried out. Read is carried out beside the loop, at any time: what it asks for
// is on disk already.
//
// Everything in it belongs to the core and is valid until the next step.
type Effects struct {
	Now     []Packet        // promise nothing durable: sent at once
	Persist []Record        // make durable, all of it, before what follows
	Send    []Packet        // then send
	Events  []hearsay.Event // then tell the application

	// Read is what to read of the ledger on disk. Each is answered by one call
	// of Node.Older, with nothing if it cannot be read.
	Read []OlderRead

	pings arena[Ping]
	acks  arena[Ack]
	news  arena[News]
}

// OlderRead asks for rulings on disk: those right before an epoch, as many as
// fit a message (MaxOlderBytes).
type OlderRead struct{ Before hearsay.Epoch }

// arena is storage for the bodies of one step's packets, so that a step on
// the hot path allocates nothing. Growing leaves earlier values where they
// were.
type arena[T any] []T

func (a *arena[T]) put(v T) *T {
	*a = append(*a, v)
	return &(*a)[len(*a)-1]
}

// Empty reports whether there is nothing to do.
func (e *Effects) Empty() bool {
	return len(e.Now) == 0 && len(e.Persist) == 0 && len(e.Send) == 0 && len(e.Events) == 0 && len(e.Read) == 0
}

// How much storage is kept between steps: a step in which everybody joins has hundreds
// of packets and events, and most have a packet or two.
const (
	keptPackets = 4 // and bodies of them, and records
	keptEvents  = 1 // 248 bytes each: a rumor
)

// Reset forgets everything and keeps the storage, but for what is rarely
// needed.
func (e *Effects) Reset() {
	e.Now, e.Persist, e.Send = kept(e.Now, keptPackets), kept(e.Persist, keptPackets), kept(e.Send, keptPackets)
	e.Events, e.Read = kept(e.Events, keptEvents), nil // there seldom is any
	e.pings, e.acks, e.news = kept(e.pings, keptPackets), kept(e.acks, keptPackets), kept(e.news, keptPackets)
}

// kept empties a list and keeps its storage, if that is no longer than most. What it pointed
// to is let go: the claims of one packet may be many.
func kept[L ~[]T, T any](list L, most int) L {
	if cap(list) > most {
		return nil
	}
	clear(list)
	return list[:0]
}

// Ping sends a ping now, by datagram.
func (e *Effects) Ping(addr netip.AddrPort, seq uint64, target hearsay.NodeID) {
	e.Now = append(e.Now, Packet{Addr: addr, Body: e.pings.put(Ping{Seq: seq, Target: target})})
}

// LongPing sends a ping now, by datagram, that so many bytes are added to.
func (e *Effects) LongPing(addr netip.AddrPort, seq uint64, target hearsay.NodeID, extra int) {
	e.Now = append(e.Now, Packet{Addr: addr, Body: e.pings.put(Ping{Seq: seq, Target: target, Extra: extra})})
}

// PingByStream sends a ping now, by stream.
func (e *Effects) PingByStream(addr netip.AddrPort, seq uint64, target hearsay.NodeID) {
	e.Now = append(e.Now, Packet{Addr: addr, Stream: true, Body: e.pings.put(Ping{Seq: seq, Target: target})})
}

// Ack answers the packet to, now and the way it came.
func (e *Effects) Ack(to *Packet, seq uint64) {
	e.Now = append(e.Now, to.Reply(e.acks.put(Ack{Seq: seq})))
}

// News sends claims and nothing else, after what must be durable is. The
// claims must stay as they are until the next step.
func (e *Effects) News(addr netip.AddrPort, claims []hearsay.Claim) {
	e.Send = append(e.Send, Packet{Addr: addr, Body: e.news.put(News{}), Claims: claims})
}

// Packet is a message on its way, in or out.
type Packet struct {
	From hearsay.NodeID // the sender: of an incoming packet, as its envelope says
	Addr netip.AddrPort // the other end: where it goes, or where it came from
	// by stream; what exceeds the MTU goes by stream anyway. An answer to a stream goes back on it
	Stream bool
	Answer bool // of an outgoing packet: Addr is where another came from, and its sender may not be there
	Fresh  bool // of one by stream: by a new one, as nothing came back on that to Addr, which is given up
	Size   int  // of an incoming packet: its bytes
	Body   Message
	Claims []hearsay.Claim // news that rides along
}

// Reply makes a packet that goes back to where p came from, the way it came.
func (p *Packet) Reply(body Message) Packet {
	return Packet{Addr: p.Addr, Stream: p.Stream, Answer: true, Body: body}
}

// MTU is the largest datagram, in bytes (what exceeds it goes by
// stream): safe on Ethernet with any tunnel in between.
const MTU = 1400

// Record is one change to what a node keeps on disk: one of the closed set
// below. Each says which key it sets or drops.
type Record interface{ record() }

// OwnIncarnation is the newest incarnation that this node may have used.
// There is one.
type OwnIncarnation struct{ Incarnation hearsay.Incarnation }

// Contact is an address at which the network may be found again, keyed by
// the address.
type Contact struct {
	Addr    netip.AddrPort
	ID      hearsay.NodeID // the node that was last seen there; zero if none yet
	Dropped bool           // the key goes
}

// KeptEvidence is the evidence of a death, keyed by its hash.
type KeptEvidence struct {
	Hash     hearsay.Hash
	Evidence *hearsay.Evidence // nil: the key goes
}

func (*OwnIncarnation) record() {}
func (*Contact) record()        {}
func (*KeptEvidence) record()   {}
