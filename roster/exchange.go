package roster

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"time"

	"hearsay"
	"hearsay/quota"
)

// bucketAim is how many members a bucket of a digest should hold: small, so
// that few entries travel for one difference.
const bucketAim = 8

// restless is how many times as long a roster that never is still waits for
// an exchange: in a large network somebody always comes or goes, and one member
// that renews its word for ever must not end all exchanges.
const restless = 10

// What one member may have answered that costs more than the question: a whole
// roster a second, or four steps of an exchange (an honest member begins one in
// that time, of two steps), or fifty times evidence, and a hundred at once, when
// many have died. A newcomer that asks twice, because the first roster is slow,
// has what it needs.
const (
	priceRoster   = time.Second
	pricePart     = priceRoster / 4
	priceEvidence = priceRoster / 50
	pricesSaved   = 2 * priceRoster
)

// What all such answers take, in bytes: an identity costs its maker a signature, so what it
// may have answered bounds nothing for one source. At once it is as much as a network that
// starts together needs; where many ask, up to twice that (see quota.Share). A guess. Members that meet after
// a cut need whole rosters of each other.
var answerShares = &quota.Shares{
	quota.Stranger: {All: quota.PerSecond(4<<20, 32<<20), Each: quota.PerSecond(1<<20, 8<<20)},
	quota.Member:   {All: quota.PerSecond(16<<20, 64<<20), Each: quota.PerSecond(4<<20, 16<<20)},
	quota.Seat:     {All: quota.PerSecond(16<<20, 64<<20), Each: quota.PerSecond(16<<20, 64<<20)},
}

// About how many bytes parts of answers take.
const (
	bytesEntry     = 24  // an Entry: its identity and incarnation
	bytesID        = 16  // an identity
	bytesStatement = 128 // of evidence, with its signature
)

// affordAnswer spends the price of an answer to a member, or to who asks by stream
// while its address is a hint. Strangers get none. The bytes are counted when it is made:
// see answered.
func (r *Roster) affordAnswer(now time.Time, p *hearsay.Packet, price time.Duration) bool {
	spent := r.spent[p.From]
	switch {
	case !r.Known(p.From) && r.hints.known(p.From) == nil:
		r.drops[hearsay.DropStranger]++
		return false
	case spent.answered > r.runs(now), !r.answers.Take(now, r.senderOf(p), 0):
		r.drops[hearsay.DropRate]++
		return false
	}
	spent.answered = r.spend(spent.answered, now, price, pricesSaved)
	r.spent[p.From] = spent
	return true
}

// answered counts the bytes of an answer that was afforded: of all that this step sends from
// the n-th packet on. They are counted at once, as a share that is used up counts no more.
func (r *Roster) answered(now time.Time, p *hearsay.Packet, n int) {
	bytes := 0
	for _, answer := range r.out.Send[n:] {
		switch m := answer.Body.(type) {
		case *hearsay.Entries:
			bytes += len(m.Items) * bytesEntry
		case *hearsay.Want:
			bytes += len(m.IDs) * bytesID
		case *hearsay.Evidence:
			bytes += len(m.Statements) * bytesStatement
		}
		for i := range answer.Claims {
			bytes += answer.Claims[i].WireSizeMax()
		}
	}
	r.answers.Take(now, r.senderOf(p), bytes)
}

// byStream reports whether a packet came by stream, and counts if it did not.
func (r *Roster) byStream(p *hearsay.Packet) bool {
	if !p.Stream {
		r.drops[hearsay.DropUnexpected]++
	}
	return p.Stream
}

// entryHash is one member's share of the roster's hash. The identity is a
// cryptographic hash already; the multiplications spread the incarnation over
// all bits (the constants are those of MurmurHash3's finalizer).
func entryHash(id hearsay.NodeID, incarnation hearsay.Incarnation) uint64 {
	x := binary.LittleEndian.Uint64(id[:8]) ^ bits.RotateLeft64(uint64(incarnation)*0xff51afd7ed558ccd, 31)
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33 ^ binary.LittleEndian.Uint64(id[8:])) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// Compare begins an exchange with the sender of a ping whose roster differs,
// unless this roster has just changed: then news is on its way. Where it always
// has, an exchange begins now and then all the same.
func (r *Roster) Compare(now time.Time, p *hearsay.Packet, hash uint64) {
	m := r.members.get(p.From)
	if m != nil {
		r.hints.pinged = now
	}
	if m == nil || !m.state.Living() {
		r.remind(now, p.From)
	}
	if m == nil {
		r.askUnlisted(now, p)
	}
	if hash == r.hash || m == nil || r.self.state == hearsay.StateLeft {
		return
	}
	if p.Stream && m.state.Living() {
		r.answerWith(p, m) // another process may have its identity, and get no datagrams: it hears so on its own stream
	}
	waited := now.Sub(later(r.stirred, r.exchanged))
	if now.Sub(r.exchanged) < r.cfg.ExchangeEvery || now.Sub(r.changed) < r.cfg.ExchangeQuiet && waited < restless*r.cfg.ExchangeEvery {
		return
	}
	if !p.Stream && p.Addr != r.addr(m) {
		r.tryContact(now, p.Addr, p.From)         // another process may have its identity: if it is there it hears so
		r.out.Now[len(r.out.Now)-1].Answer = true // in size, too, as anybody may have named that address
	}
	r.beginExchange(now, r.addr(m), p.From)
}

// beginExchange sends this roster's digest to where a member is that a packet
// came from. All steps of an exchange go by stream: their answers are longer than
// their questions, and anybody can forge where a datagram came from.
func (r *Roster) beginExchange(now time.Time, addr netip.AddrPort, with hearsay.NodeID) {
	r.exchanged = now
	r.stats.Exchanges++
	n := uint8(min(hearsay.MaxDigestBits, bits.Len(uint(r.Living()/bucketAim))))
	digest := hearsay.Packet{Addr: addr, Stream: true, Body: &hearsay.Digest{Bits: n, Hashes: r.digest(n)}}
	r.Introduce(&digest)
	r.Confront(&digest, with)
	r.out.Send = append(r.out.Send, digest)
}

// digest hashes the living, this node included, into 2^n buckets.
func (r *Roster) digest(n uint8) []uint64 {
	hashes := make([]uint64, 1<<n)
	hashes[bucket(r.id(r.self), n)] ^= entryHash(r.id(r.self), r.incarnation(r.self))
	for _, number := range r.living {
		m := r.members.at(number)
		hashes[bucket(r.id(m), n)] ^= entryHash(r.id(m), r.incarnation(m))
	}
	return hashes
}

// bucket is the first n bits of the identity.
func bucket(id hearsay.NodeID, n uint8) uint8 { return uint8(uint(id[0]) >> (8 - n)) }

// Digest opens the buckets that differ from this node's own.
func (r *Roster) Digest(now time.Time, p *hearsay.Packet, m *hearsay.Digest) {
	if !r.byStream(p) || !r.affordAnswer(now, p, pricePart) {
		return
	}
	defer r.answered(now, p, len(r.out.Send))
	entries := &hearsay.Entries{Bits: m.Bits}
	var in [1 << hearsay.MaxDigestBits]int // members in each bucket
	for _, number := range r.living {
		in[bucket(r.id(r.members.at(number)), m.Bits)]++
	}
	var open [1 << hearsay.MaxDigestBits]bool
	room := hearsay.MaxEntries - 1 // and this node
	for i, h := range r.digest(m.Bits) {
		// A bucket is opened whole: who is not listed in it counts as unknown here.
		// Those that do not fit are for the next exchange.
		if h == m.Hashes[i] || in[i] > room && len(entries.Buckets) > 0 {
			continue
		}
		open[i] = true
		room -= in[i]
		entries.Buckets = append(entries.Buckets, uint8(i))
	}
	if len(entries.Buckets) == 0 {
		return // news came first
	}
	for _, number := range r.living {
		o := r.members.at(number)
		if len(entries.Items) < hearsay.MaxEntries-1 && open[bucket(r.id(o), m.Bits)] {
			entries.Items = append(entries.Items, hearsay.Entry{ID: r.id(o), Incarnation: r.incarnation(o)})
		}
	}
	if r.self.state.Living() && open[bucket(r.id(r.self), m.Bits)] {
		entries.Items = append(entries.Items, hearsay.Entry{ID: r.id(r.self), Incarnation: r.incarnation(r.self)})
	}
	answer := p.Reply(entries)
	r.Confront(&answer, p.From)
	r.out.Send = append(r.out.Send, answer)
}

// Entries asks for what this node lacks in the opened buckets, and gives what
// the sender lacks there: who lives, and who is gone though the sender
// believes it living.
func (r *Roster) Entries(now time.Time, p *hearsay.Packet, m *hearsay.Entries) {
	if !r.byStream(p) || !r.affordAnswer(now, p, pricePart) {
		return
	}
	defer r.answered(now, p, len(r.out.Send))
	want := &hearsay.Want{}
	var give []int32
	theirs := make(map[hearsay.NodeID]hearsay.Incarnation, len(m.Items))
	for _, item := range m.Items {
		theirs[item.ID] = item.Incarnation
		switch mine := r.members.get(item.ID); {
		case (mine == nil || r.incarnation(mine) < item.Incarnation) && len(want.IDs) < hearsay.MaxWant:
			want.IDs = append(want.IDs, item.ID)
		case mine != nil && !mine.state.Living():
			give = append(give, r.members.number(mine))
		}
	}
	var open [1 << hearsay.MaxDigestBits]bool
	for _, b := range m.Buckets {
		open[b] = true
	}
	for _, number := range r.living {
		o := r.members.at(number)
		if incarnation, listed := theirs[r.id(o)]; open[bucket(r.id(o), m.Bits)] && (!listed || incarnation < r.incarnation(o)) {
			give = append(give, number)
		}
	}
	answer := p.Reply(want)
	answer.Claims = r.words(give)
	if incarnation, listed := theirs[r.id(r.self)]; !listed || incarnation < r.incarnation(r.self) {
		r.Introduce(&answer)
	}
	if len(want.IDs) > 0 || len(answer.Claims) > 0 {
		r.out.Send = append(r.out.Send, answer)
	}
}

// AskMost is about how many members one packet asks that speaks of them: it fits a
// datagram.
const AskMost = 64

// askEvery is the time between two such packets: a node that makes up members is
// not helped to make this node speak.
const askEvery = 100 * time.Millisecond

// Ask asks the sender of a packet for its claims about members that it speaks
// of and that are unknown here, at most AskMost.
func (r *Roster) Ask(now time.Time, p *hearsay.Packet, ids []hearsay.NodeID) {
	m := r.members.get(p.From)
	if m == nil || now.Sub(r.asked) < askEvery || r.self.state == hearsay.StateLeft {
		return
	}
	r.asked = now
	r.out.Send = append(r.out.Send, hearsay.Packet{Addr: r.addr(m), Stream: true, Body: &hearsay.Want{IDs: ids}})
}

// Want gives the claims asked for. What the sender gave is known here as gone
// in some cases: it is told.
func (r *Roster) Want(now time.Time, p *hearsay.Packet, m *hearsay.Want) {
	if !r.byStream(p) || !r.affordAnswer(now, p, pricePart) {
		return
	}
	defer r.answered(now, p, len(r.out.Send))
	var give []int32
	given := make(map[hearsay.NodeID]bool)
	for _, id := range m.IDs {
		if o := r.members.get(id); o != nil && !given[id] {
			give, given[id] = append(give, r.members.number(o)), true
		}
	}
	for i := range p.Claims {
		c := &p.Claims[i]
		if o := r.members.get(c.Subject); o != nil && !o.state.Living() && r.incarnation(o) >= c.Incarnation && !given[c.Subject] {
			give, given[c.Subject] = append(give, r.members.number(o)), true
		}
	}
	for len(give) > 0 {
		claims := r.words(give)
		give = give[len(claims):]
		part := p.Reply(&hearsay.News{})
		part.Claims = claims
		r.out.Send = append(r.out.Send, part)
	}
}

// words gives as many claims with cards as one packet by stream holds. A
// suspicion is not passed on so: it travels as news, or not at all.
func (r *Roster) words(members []int32) []hearsay.Claim {
	start, room := len(r.claims), chunkRoom
	for _, number := range members {
		c := r.claim(r.members.at(number), withCard)
		if c.State == hearsay.StateSuspect {
			c.State, c.By = hearsay.StateAlive, hearsay.NodeID{}
		}
		if room -= c.WireSizeMax(); room < 0 {
			break
		}
		r.claims = append(r.claims, c)
	}
	r.stats.ClaimsOut += uint64(len(r.claims) - start)
	return r.claims[start:len(r.claims):len(r.claims)]
}
