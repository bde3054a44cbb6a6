package roster

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
)

// exchange is the comparison of rosters with one other node at a time.
type exchange struct {
	*part
	began time.Time // when this node last sent a digest
	asked time.Time // when it last asked about members of which another spoke

	lacked []lacked // the one that was returned longest ago first, at most lackedMost
}

// lacked is a living member that another was found to lack.
type lacked struct {
	number int32     // of the member
	at     time.Time // when that was found last
}

const (
	// lackedMost is how many of these are kept. A guess: where they are more, further exchanges have the rest.
	lackedMost = 16

	// lackedFor is how long it counts: most are newcomers the others have heard of since. A guess: while it is so,
	// each exchange finds it again.
	lackedFor = 30 * time.Second
)

// lacks notes that another lacks a member.
func (x *exchange) lacks(now time.Time, number int32) {
	x.lacked = slices.DeleteFunc(x.lacked, func(l lacked) bool { return now.Sub(l.at) > lackedFor })
	if i := slices.IndexFunc(x.lacked, func(l lacked) bool { return l.number == number }); i >= 0 {
		x.lacked[i].at = now
	} else if len(x.lacked) < lackedMost {
		x.lacked = append(x.lacked, lacked{number, now})
	}
}

// Lacked gives a living member that another was found to lack, if there is one, and forgets it. The other waits for the
// word of that member itself, which may have died before many had heard of it.
func (x *exchange) Lacked(now time.Time) (id hearsay.NodeID, ok bool) {
	for len(x.lacked) > 0 && !ok {
		l := x.lacked[0]
		if m := x.members.at(l.number); m != nil && m != x.members.self && m.state.Living() && now.Sub(l.at) <= lackedFor {
			id, ok = x.members.id(m), true
		}
		x.lacked = slices.Delete(x.lacked, 0, 1)
	}
	return id, ok
}

// bucketAim is how many members a bucket of a digest should hold: small, so that few entries travel for one difference.
const bucketAim = 8

// changingWait is how many times as long a roster that never is still waits for an exchange: in a large network
// somebody always comes or goes, and one member that renews its word for ever must not end all exchanges.
const changingWait = 10

// entryHash is one member's share of the roster's hash. The identity is a cryptographic hash already; the
// multiplications spread the incarnation over all bits (the constants are those of MurmurHash3's finalizer).
func entryHash(id hearsay.NodeID, incarnation hearsay.Incarnation) uint64 {
	x := binary.LittleEndian.Uint64(id[:8]) ^ bits.RotateLeft64(uint64(incarnation)*0xff51afd7ed558ccd, 31)
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33 ^ binary.LittleEndian.Uint64(id[8:])) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// Compare begins an exchange with the sender of a ping whose roster differs, unless this roster has just changed: then
// news is on its way. Where it always has, an exchange begins now and then all the same.
func (x *exchange) Compare(now time.Time, p *core.Packet, hash uint64) {
	m := x.members.get(p.From)
	if m != nil {
		x.roster.listed.pinged = now
	}
	if m == nil || !m.state.Living() {
		x.roster.hints.pingAgain(now, p.From)
	}
	if m == nil {
		x.roster.contacts.askUnlisted(now, p)
	}
	if hash == x.members.hash || m == nil || x.members.self.state == hearsay.StateLeft {
		return
	}
	if p.Stream && m.state.Living() {
		// another process may have its identity, and get no datagrams: it hears so on its own stream
		x.out.answerWith(p, m)
	}
	waited := now.Sub(when.Later(x.members.changingSince, x.began))
	if now.Sub(x.began) < x.cfg.ExchangeEvery || now.Sub(x.members.changed) < x.cfg.ExchangeQuiet && waited < changingWait*x.cfg.ExchangeEvery {
		return
	}
	if !p.Stream && p.Addr != x.members.addr(m) {
		x.roster.contacts.try(now, p.Addr, p.From, false) // another process may have its identity: if it is there it hears so
		x.out.Now[len(x.out.Now)-1].Answer = true         // in size, too, as anybody may have named that address
	}
	x.begin(now, x.members.addr(m), p.From)
}

// begin sends this roster's digest to where a member is that a packet came from. All steps of an exchange go by stream:
// their answers are longer than their questions, and anybody can forge where a datagram came from.
func (x *exchange) begin(now time.Time, addr netip.AddrPort, with hearsay.NodeID) {
	x.began = now
	x.out.stats.Exchanges++
	n := uint8(min(core.MaxDigestBits, bits.Len(uint(x.members.Living()/bucketAim))))
	digest := core.Packet{Addr: addr, Stream: true, Body: &core.Digest{Bits: n, Hashes: x.digest(n)}}
	x.out.introduce(&digest)
	x.roster.Confront(&digest, with)
	x.out.Send = append(x.out.Send, digest)
}

// digest hashes the living, this node included, into 2^n buckets.
func (x *exchange) digest(n uint8) []uint64 {
	hashes := make([]uint64, 1<<n)
	hashes[bucket(x.members.me(), n)] ^= entryHash(x.members.me(), x.members.incarnation(x.members.self))
	for _, number := range x.members.living {
		m := x.members.at(number)
		hashes[bucket(x.members.id(m), n)] ^= entryHash(x.members.id(m), x.members.incarnation(m))
	}
	return hashes
}

// bucket is the first n bits of the identity.
func bucket(id hearsay.NodeID, n uint8) uint8 { return uint8(uint(id[0]) >> (8 - n)) }

// Digest opens the buckets that differ from this node's own.
func (x *exchange) Digest(now time.Time, p *core.Packet, m *core.Digest) {
	if !x.roster.budgets.byStream(p) || !x.roster.budgets.affordAnswer(now, p, pricePart) {
		return
	}
	defer x.roster.budgets.answered(now, p, len(x.out.Send))
	entries := &core.Entries{Bits: m.Bits}
	var in [1 << core.MaxDigestBits]int // members in each bucket
	for _, number := range x.members.living {
		in[bucket(x.members.id(x.members.at(number)), m.Bits)]++
	}
	var open [1 << core.MaxDigestBits]bool
	room := core.MaxEntries - 1 // and this node
	for i, h := range x.digest(m.Bits) {
		// A bucket is opened whole: a member that is not among its items counts as unknown here.
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
	for _, number := range x.members.living {
		o := x.members.at(number)
		if len(entries.Items) < core.MaxEntries-1 && open[bucket(x.members.id(o), m.Bits)] {
			entries.Items = append(entries.Items, core.Entry{ID: x.members.id(o), Incarnation: x.members.incarnation(o)})
		}
	}
	if x.members.self.state.Living() && open[bucket(x.members.me(), m.Bits)] {
		entries.Items = append(entries.Items, core.Entry{ID: x.members.me(), Incarnation: x.members.incarnation(x.members.self)})
	}
	answer := p.Reply(entries)
	x.roster.Confront(&answer, p.From)
	x.out.Send = append(x.out.Send, answer)
}

// Entries asks for what this node lacks in the opened buckets, and gives what the sender lacks there: the living, and
// those gone that the sender believes living.
func (x *exchange) Entries(now time.Time, p *core.Packet, m *core.Entries) {
	if !x.roster.budgets.byStream(p) || !x.roster.budgets.affordAnswer(now, p, pricePart) {
		return
	}
	defer x.roster.budgets.answered(now, p, len(x.out.Send))
	want := &core.Want{}
	var give []int32
	theirs := make(map[hearsay.NodeID]hearsay.Incarnation, len(m.Items))
	for _, item := range m.Items {
		theirs[item.ID] = item.Incarnation
		switch mine := x.members.get(item.ID); {
		case (mine == nil || x.members.incarnation(mine) < item.Incarnation) && len(want.IDs) < core.MaxWant:
			want.IDs = append(want.IDs, item.ID)
		case mine != nil && !mine.state.Living():
			give = append(give, x.members.number(mine))
		}
	}
	var open [1 << core.MaxDigestBits]bool
	for _, b := range m.Buckets {
		open[b] = true
	}
	for _, number := range x.members.living {
		o := x.members.at(number)
		if incarnation, listed := theirs[x.members.id(o)]; open[bucket(x.members.id(o), m.Bits)] && (!listed || incarnation < x.members.incarnation(o)) {
			give = append(give, number)
			if !listed {
				x.lacks(now, number)
			}
		}
	}
	answer := p.Reply(want)
	answer.Claims = x.out.words(give)
	if incarnation, listed := theirs[x.members.me()]; !listed || incarnation < x.members.incarnation(x.members.self) {
		x.out.introduce(&answer)
	}
	if len(want.IDs) > 0 || len(answer.Claims) > 0 {
		x.out.Send = append(x.out.Send, answer)
	}
}

// AskMost is about how many members one packet asks that speaks of them: it fits a datagram.
const AskMost = 64

// askEvery is the time between two such packets: a node that makes up members is not helped to make this node speak.
const askEvery = 100 * time.Millisecond

// Ask asks the sender of a packet for its claims about members that it speaks
// of and that are unknown here, at most AskMost.
func (x *exchange) Ask(now time.Time, p *core.Packet, ids []hearsay.NodeID) {
	m := x.members.get(p.From)
	if m == nil || now.Sub(x.asked) < askEvery || x.members.self.state == hearsay.StateLeft {
		return
	}
	x.asked = now
	x.out.Send = append(x.out.Send, core.Packet{Addr: x.members.addr(m), Stream: true, Body: &core.Want{IDs: ids}})
}

// Want gives the claims asked for. What the sender gave is known here as gone in some cases: it is told.
func (x *exchange) Want(now time.Time, p *core.Packet, m *core.Want) {
	if !x.roster.budgets.byStream(p) || !x.roster.budgets.affordAnswer(now, p, pricePart) {
		return
	}
	defer x.roster.budgets.answered(now, p, len(x.out.Send))
	var give []int32
	given := make(map[hearsay.NodeID]bool)
	for _, id := range m.IDs {
		if o := x.members.get(id); o != nil && !given[id] {
			give, given[id] = append(give, x.members.number(o)), true
			x.lacks(now, x.members.number(o))
		}
	}
	for i := range p.Claims {
		c := &p.Claims[i]
		if o := x.members.get(c.Subject); o != nil && !o.state.Living() && x.members.incarnation(o) >= c.Incarnation && !given[c.Subject] {
			give, given[c.Subject] = append(give, x.members.number(o)), true
		}
	}
	for len(give) > 0 {
		claims := x.out.words(give)
		give = give[len(claims):]
		part := p.Reply(&core.News{})
		part.Claims = claims
		x.out.Send = append(x.out.Send, part)
	}
}

// Join answers a newcomer, whose own claim has been taken already, with the whole roster.
func (x *exchange) Join(now time.Time, p *core.Packet) {
	switch {
	case !x.roster.budgets.byStream(p): // anybody could forge where a datagram came from
		return
	case x.members.self.state == hearsay.StateLeft:
		x.out.stats.Drops[hearsay.DropStranger]++
		return
	case !x.roster.budgets.affordAnswer(now, p, priceRoster):
		return
	}
	defer x.roster.budgets.answered(now, p, len(x.out.Send))
	if len(x.roster.contacts.configured)+len(x.roster.addresses.former) == 0 {
		x.roster.contacts.joined = true // the first of a network: it has its roster
	}
	all := slices.Concat([]int32{x.members.number(x.members.self)}, x.members.living, x.members.gone)
	for len(all) > 0 {
		claims := x.out.words(all)
		for i := range claims {
			if claims[i].State >= hearsay.StateDead {
				claims[i].Age = now.Sub(x.members.since(x.members.at(all[i])))
			}
		}
		all = all[len(claims):]
		part := p.Reply(&core.Roster{More: len(all) > 0})
		part.Claims = claims
		x.out.Send = append(x.out.Send, part)
	}
}
