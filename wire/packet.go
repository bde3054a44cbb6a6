package wire

import (
	"hearsay"
	"hearsay/internal/core"
)

// Version is the version of the wire format.
const Version = 2

// flagSealed says that what follows the network id is sealed.
const flagSealed = 1 << 0

// AppendPacket appends p with all its claims. It never fails: what exceeds a
// limit is dropped by its receiver.
func AppendPacket(dst []byte, network hearsay.NetworkID, p *core.Packet) []byte {
	dst = append(dst, Version, 0)
	dst = append(dst, network[:]...)
	dst = append(dst, p.From[:]...)
	dst = append(dst, byte(kindOf(p.Body)), 0)
	at := len(dst) - 1
	dst = appendBody(dst, p.Body)
	dst = closeSized(dst, at, 1)
	for i := range p.Claims {
		dst = appendClaim(dst, &p.Claims[i])
	}
	return dst
}

// Decoder decodes the packets of one network. What it gives is valid until
// its next call, but for the names of members, which may be kept. The data of
// rumors are where they came in, in the bytes that were to be decoded. It is
// not safe for concurrent use.
type Decoder struct {
	network hearsay.NetworkID

	// One of each message, with the elements it had last, so that decoding
	// makes none.
	ping        core.Ping
	ack         core.Ack
	notMe       core.NotMe
	relayReq    core.RelayReq
	nack        core.Nack
	join        core.Join
	roster      core.Roster
	news        core.News
	digest      core.Digest
	entries     core.Entries
	want        core.Want
	witnessReq  core.WitnessReq
	statement   core.Statement
	evidenceReq core.EvidenceReq
	evidence    core.Evidence
	rumors      core.Rumors
	iHave       core.IHave
	graft       core.Graft
	place       core.Place
	heard       core.Heard
	seen        core.Seen
	hello       core.Hello
	helloAck    core.HelloAck
	unlink      core.Unlink
	deaf        core.Deaf
	away        core.Away
	heartbeat   core.Heartbeat

	claims []hearsay.Claim
	stock

	// Names seen before, by the first byte of the NodeID; nil if none.
	names *[256]string

	quiet int // packets since the last one with claims, or of an exchange
}

// NewDecoder makes a decoder that drops what is not of this network.
func NewDecoder(network hearsay.NetworkID) *Decoder { return &Decoder{network: network} }

// Decode reads the packet in b into p: From, Body and Claims. When it is not
// ok, drop says why, and p means nothing.
func (d *Decoder) Decode(b []byte, p *core.Packet) (drop hearsay.Drop, ok bool) {
	if len(b) > core.MaxStreamPacket {
		return hearsay.DropOversized, false
	}
	d.letGo()
	d.letGoOfRumors()
	r := reader{bytes: b}
	d.readEnvelope(&r)
	p.From = r.id()
	k := kind(r.byte())
	body := reader{bytes: r.sized()}
	if r.failed {
		return r.drop, false
	}
	if p.Body = d.readBody(&body, k); body.failed {
		return body.drop, false
	}
	if p.Claims = d.readClaims(&r); r.failed {
		return r.drop, false
	}
	return 0, true
}

// readEnvelope reads what stands before the sender, and stays in the clear.
func (d *Decoder) readEnvelope(r *reader) {
	version, flags := r.byte(), r.byte()
	var network hearsay.NetworkID
	copy(network[:], r.take(len(network)))
	switch {
	case r.failed:
	case version != Version:
		r.fail(hearsay.DropVersion)
	case network != d.network:
		r.fail(hearsay.DropNetwork)
	case flags&flagSealed != 0:
		r.fail(hearsay.DropSealed)
	case flags != 0:
		r.fail(hearsay.DropMalformed)
	}
}

// readClaims reads claims to the end of the packet.
func (d *Decoder) readClaims(r *reader) []hearsay.Claim {
	claims := d.claims[:0]
	for r.left() > 0 {
		if len(claims) == core.MaxClaims {
			r.fail(hearsay.DropOversized)
			return nil
		}
		d.quiet = 0
		claims = append(claims, hearsay.Claim{})
		claim := reader{bytes: r.sized()}
		if d.readClaim(&claim, &claims[len(claims)-1]); claim.failed {
			r.fail(claim.drop)
			return nil
		}
	}
	d.claims = claims
	return claims
}

// keptMax is how many elements of a kind a decoder keeps room for between
// packets: twice the 73 bare claims that fit a datagram, as storage doubles
// when it grows.
const keptMax = 160

// quietPackets is after how many packets without claims or an exchange a
// decoder has no room for these any more: they come when something happens,
// and then in many packets.
const quietPackets = 16

// letGo frees what a large packet by stream has needed, and what claims have,
// so that every decoder stays small.
func (d *Decoder) letGo() {
	if d.quiet++; d.quiet > quietPackets {
		d.claims, d.names, d.entries.Items, d.want.IDs = nil, nil, nil, nil
	}
	if cap(d.claims) > keptMax {
		d.claims = nil
	}
	if cap(d.entries.Items) > keptMax {
		d.entries.Items = nil
	}
	if cap(d.want.IDs) > keptMax {
		d.want.IDs = nil
	}
}

// resize gives n elements, in the storage of old if that is large enough.
func resize[T any](old []T, n int) []T {
	if n <= cap(old) {
		return old[:n]
	}
	return make([]T, n)
}
