package core

import (
	"bytes"

	"hearsay"
	"hearsay/clock"
)

// Message is the body of a packet: one of the closed set in this package. Each is
// documented with its exchange; a packet of any kind may carry claims besides.
type Message interface{ message() }

// Ping asks its target for a sign of life. Target zero means the node at
// the address. Hash is the sender's roster in 8 bytes: if it differs from the
// receiver's own, the receiver begins an exchange (Digest). Rumors is likewise
// of all rumors that the sender has ever seen, and zero in most pings while
// nothing is said (Heard).
//
//	A                        B
//	|--- Ping ---------------->|   over the round-robin list, one a period
//	|<------------- Ack -------|   the same Seq
//
// A ping to a member that the sender holds suspect or dead always carries
// that claim: the suspect is told first (Lifeguard, section IV.C).
type Ping struct {
	Seq    uint64         // drawn: it proves that an answer answers
	Target hearsay.NodeID // of one that has come in: its first 8 bytes, which are all that is sent; see For
	Hash   uint64
	Rumors uint64 // hash of the rumors seen; zero: it tells none
	Store  uint64 // hash of the store, likewise
	Extra  int    // bytes that are added, to see whether what is long gets through
}

// PingTarget is how much of its target's identity a ping carries, in bytes. That shows by
// accident that another node is at an address now; it proves nothing, as packets are not
// signed, and so need not withstand identities that are made up.
const PingTarget = 8

// For reports whether a ping is for a node, or for any that is at its address.
func (p *Ping) For(id hearsay.NodeID) bool { return p.Target.IsZero() || p.Names(id) }

// Names reports whether a ping is for a node, and for no other.
func (p *Ping) Names(id hearsay.NodeID) bool {
	return bytes.Equal(p.Target[:PingTarget], id[:PingTarget])
}

// Ack answers Ping; from a relay it answers RelayReq.
type Ack struct{ Seq uint64 }

// NotMe answers a Ping whose target is another identity than the receiver's:
// the node that was meant is no longer at this address. It carries the answerer's
// own claim.
type NotMe struct{ Seq uint64 }

// RelayReq asks the receiver to ping the target in the sender's place.
//
//	A                        R                        B
//	|--- RelayReq ------------>|--- Ping --------------->|
//	|<---------------- Ack ----|<-------------- Ack -----|
//	|<--------------- Nack ----|   when B did not answer R in time
//
// The relay pings the address that it knows itself: nobody can make it ping
// elsewhere.
type RelayReq struct {
	Seq    uint64
	Target hearsay.NodeID
}

// Nack is a relay's word that it is well but the target did not answer it in
// time (Lifeguard, section IV.A).
type Nack struct{ Seq uint64 }

// Join is the first word to a member, by stream; it carries the sender's own
// claim. The roster comes back the same way, in as many packets as it needs. If it
// is for one identity, no other at the same address takes it.
//
//	A                        B
//	|--- Join ---------------->|   A's claim becomes news
//	|<------- Roster{More} ----|
//	|<------- Roster{} --------|
type Join struct{ Target hearsay.NodeID } // zero: any node that is there

// Roster carries claims about all members, those that died or left too.
type Roster struct{ More bool }

// News carries claims and nothing else.
type News struct{}

// Digest opens an exchange: the sender's living members, hashed into 2^Bits
// buckets by the first bits of their NodeIDs.
//
//	A                        B
//	|--- Ping{Hash} ---------->|   B's hash differs
//	|<--------------- Digest --|
//	|--- Entries ------------->|   the buckets that differ, opened
//	|<----- Want, its claims --|   what B lacks, and what A lacks
//	|--- News ---------------->|   what B wanted
type Digest struct {
	Bits   uint8 // at most MaxDigestBits
	Hashes []uint64
}

// MaxDigestBits bounds a digest to 128 buckets: 1 KiB, within the MTU.
const MaxDigestBits = 7

// Entries opens the buckets of a Digest that differ.
type Entries struct {
	Bits    uint8
	Buckets []uint8 // ascending
	Items   []Entry // all living members of those buckets
}

// Entry is a living member and the incarnation that the sender knows.
type Entry struct {
	ID          hearsay.NodeID
	Incarnation hearsay.Incarnation
}

// Want asks for the claims about these members.
type Want struct{ IDs []hearsay.NodeID }

// WitnessReq asks an observer to probe the subject now; see Statement.
type WitnessReq struct {
	Subject     hearsay.NodeID
	Incarnation hearsay.Incarnation
	Round       hearsay.Round
}

// EvidenceReq asks for the evidence behind a claim of dead.
//
//	A                        B
//	|<- any{claims: X dead} ---|
//	|--- EvidenceReq --------->|
//	|<------------ Evidence ---|   A counts for itself before it believes
type EvidenceReq struct{ Hash hearsay.Hash }

// Rumors carries rumors by their whole: over an eager link, or because the
// receiver lacks them.
//
//	A                        B                         (Plumtree, section 3.4)
//	|--- Rumors -------------->|   eager: the link is one of the tree (Place)
//	|--- IHave --------------->|   lazy: the names only
//	|<-------------- Graft ----|   B has waited, and asks
//	|--- Rumors -------------->|
//
// Missed, if set, says what the sender no longer holds though others may
// have seen it: a node that lacks it will not get it any more, and counts it as
// seen.
type Rumors struct {
	Items  []hearsay.Rumor
	Missed []SeenRange // as RangesAscend wants them
}

// IHave names rumors that the sender holds. Hops, if given, is how far each
// was from its origin there. Late says that the sender had to ask for them
// itself: a node that lacks them need not wait for another way.
type IHave struct {
	IDs  []clock.Dot
	Hops []uint8 // none, or as many as IDs
	Late bool
}

// Graft asks for rumors that IHave named, and leaves the link as it is: a
// packet was lost, and the tree is whole.
type Graft struct{ IDs []clock.Dot }

// Place tells a neighbor where the sender stands in the tree: how far from which
// root, and whether it hangs on the receiver. The links between nodes and those
// that they hang on are the tree.
//
//	A                        B
//	|--- Place --------------->|   A stands elsewhere, or B is new to it; again until answered
//	|<------- Place{Answer} ---|
type Place struct {
	Root   hearsay.NodeID // zero, with no hops: the sender is in no tree, as it tells rumors otherwise
	Hops   uint8          // 0: the sender is the root
	Parent bool           // it hangs on the receiver
	Answer bool           // nothing new: the receiver need not answer
	Number uint32         // of what the sender has said last over this link, not 0
	Heard  uint32         // of the last that it has from the receiver; 0: none
}

// Heard is the hash of all rumors that the sender has ever seen, to one
// neighbor at a time, or to a node that has pinged with another hash.
//
//	A                        B
//	|--- Heard --------------->|   B's hash differs
//	|<----- Seen{Answer} ------|
//	|--- Rumors -------------->|   what B lacks and A holds
//	|--- Seen ---------------->|   if A lacks something
//	|<------------- Rumors ----|   what A lacks and B holds
type Heard struct{ Hash uint64 }

// Seen is which rumors of some origins the sender has ever seen, as ranges of
// numbers. Answer asks for the receiver's own in return.
type Seen struct {
	Ranges []SeenRange // as RangesAscend wants them
	Of     Span        // of which origins: all of them, as long as that fits
	Answer bool
}

// SeenRange is a range of numbers of one origin, both ends included.
type SeenRange struct {
	Origin clock.Origin
	clock.Range
}

// RangesAscend reports whether ranges are ranges at all, ascend, by origin and
// then by number, and do not overlap. Only so can two lists be compared in one pass
// over both; a packet whose lists do not is dropped.
func RangesAscend(ranges []SeenRange) bool {
	var origin clock.Origin
	last := uint64(0)
	for i := range ranges {
		r := &ranges[i]
		if r.Origin != origin || i == 0 {
			if i > 0 && r.Origin.Compare(origin) < 0 {
				return false
			}
			origin, last = r.Origin, 0
		}
		if r.Low <= last || r.High < r.Low {
			return false
		}
		last = r.High
	}
	return true
}

// Span is the origins from one on, up to another, which is not in it. With a zero
// To it has no upper end: the zero Span is all origins.
type Span struct{ From, To clock.Origin }

// Has reports whether an origin is in the span.
func (s *Span) Has(id clock.Origin) bool {
	return s.From.Compare(id) <= 0 && (s.To == clock.Origin{} || id.Compare(s.To) < 0)
}

// Hello asks for a link, and tells how many the sender has.
//
//	A                        B
//	|--- Hello --------------->|
//	|<----------- HelloAck ----|   accepted: both have the link
type Hello struct{ Degree uint8 }

// HelloAck answers Hello.
type HelloAck struct {
	Accepted bool
	Degree   uint8
}

// Unlink ends a link.
type Unlink struct{}

// Deaf says that the sender gets no datagrams. It goes by stream, and so does all that goes to its
// sender from then on, until that answers a datagram.
type Deaf struct{}

// Heartbeat tells a member how far its sender's counter is, which rises each period, and what it has heard of others'
// (van Renesse, Minsky and Hayden 1998). There is no answer.
//
//	A                        B
//	|--- Heartbeat ----------->|   to a few members that are drawn, each period
type Heartbeat struct {
	Own   uint32
	Beats []Beat // at most MaxBeats; those of all others, or a part of them
}

// Beat is the counter of a member.
type Beat struct {
	Key     uint32 // the first 4 bytes of its NodeID. That of two members is the same once in a while: both are meant
	Counter uint32
}

// MaxBeats is how many counters a Heartbeat has at most: a datagram has room for them.
const MaxBeats = 160

func (*Heartbeat) message()   {}
func (*Ping) message()        {}
func (*Ack) message()         {}
func (*NotMe) message()       {}
func (*RelayReq) message()    {}
func (*Nack) message()        {}
func (*Join) message()        {}
func (*Roster) message()      {}
func (*News) message()        {}
func (*Digest) message()      {}
func (*Entries) message()     {}
func (*Want) message()        {}
func (*WitnessReq) message()  {}
func (*EvidenceReq) message() {}
func (*Rumors) message()      {}
func (*IHave) message()       {}
func (*Graft) message()       {}
func (*Place) message()       {}
func (*Heard) message()       {}
func (*Seen) message()        {}
func (*Hello) message()       {}
func (*HelloAck) message()    {}
func (*Unlink) message()      {}

// Statement answers WitnessReq: what an observer saw when it probed the subject.
type Statement struct{ hearsay.Statement }

// Evidence answers EvidenceReq.
type Evidence struct{ *hearsay.Evidence }

func (*Update) message()    {}
func (*Sync) message()      {}
func (*Fetch) message()     {}
func (*Part) message()      {}
func (*Deaf) message()      {}
func (*Statement) message() {}
func (*Evidence) message()  {}
