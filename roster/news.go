package roster

import (
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"hearsay"
)

// Sizes of packets, in bytes and claims.
const (
	packetRoom = hearsay.MTU - 80 // for claims, beside an envelope and a small body
	rideMost   = 3                // claims that ride on a packet sent for another reason
	cameBack   = 2                // times that a claim told over links should come back
	chunkRoom  = 48 << 10         // for claims, in one packet of a roster by stream
)

// news is whose claims this node is telling. What is told of a member is
// always the newest. Membership news goes at once to a few random members,
// who do the same; a claim cools as it is told, and as it comes back.
type news struct {
	fresh []int32   // members by number: never told
	warm  []int32   // told, in the order of telling
	told  time.Time // the last time
}

// add makes the claim about a member news.
func (n *news) add(m *member, number int32) {
	if m.told >= 0 {
		n.drop(m, number)
	}
	m.told = 0
	n.fresh = append(n.fresh, number)
}

// drop ends the telling of a member's claim.
func (n *news) drop(m *member, number int32) {
	same := func(o int32) bool { return o == number }
	n.fresh, n.warm = slices.DeleteFunc(n.fresh, same), slices.DeleteFunc(n.warm, same)
	m.told = -1
}

// coldest is more than any claim is told: what is heard more often than that
// is counted no further, since told has 16 bits.
const coldest = 1 << 14

// heardAgain counts a telling by another.
func (n *news) heardAgain(m *member) {
	if m.told >= 0 && m.told < coldest {
		m.told++
	}
}

// waiting counts the claims still being told.
func (n *news) waiting() int { return len(n.fresh) + len(n.warm) }

// at gives the i-th claim to be told: the least told first.
func (n *news) at(i int) int32 {
	if i < len(n.fresh) {
		return n.fresh[i]
	}
	return n.warm[i-len(n.fresh)]
}

// TellOver has news told over links from now on: links gives the neighbors.
func (r *Roster) TellOver(links func() []hearsay.NodeID) { r.links = links }

// audience is the members that are told news now, and how often a claim is told at all:
// all neighbors, and one random member besides, where rosters differ and links
// do not meet. Over links once is enough, but for what gets lost: so a claim
// that came back less than twice is told again. Without links it is a few
// random members, several times.
func (r *Roster) audience() (targets []*member, limit int16) {
	r.targets = r.targets[:0]
	if r.links != nil {
		for _, id := range r.links() {
			if m := r.members.get(id); m != nil && m.state.Living() {
				r.targets = append(r.targets, m)
			}
		}
	}
	if len(r.targets) == 0 {
		r.targets = r.draw(r.targets, r.cfg.Fanout)
		return r.targets, r.retell()
	}
	if other := r.anyone(); !slices.Contains(r.targets, other) {
		r.targets = append(r.targets, other)
	}
	return r.targets, int16(len(r.targets) + cameBack)
}

// retell is how often a claim is told by each who hears it: a multiple of
// log2 N reaches all with high probability (SWIM, section 4.1).
func (r *Roster) retell() int16 {
	return int16(max(1, r.cfg.Retell*bits.Len(uint(r.Living()))))
}

// tickNews tells what is waiting to a few random members.
func (r *Roster) tickNews(now time.Time) {
	if r.news.waiting() == 0 || now.Before(r.news.told.Add(r.cfg.NewsEvery)) {
		return
	}
	r.news.told = now
	targets, limit := r.audience()
	batch, taken := r.batch()
	for _, target := range targets {
		r.out.News(r.addr(target), batch)
	}
	r.stats.ClaimsOut += uint64(len(batch) * len(targets))
	r.cool(taken, len(targets), limit)
}

// batch fills one packet with the least told claims, and says how many.
func (r *Roster) batch() (batch []hearsay.Claim, taken int) {
	start, room := len(r.claims), packetRoom
	for ; taken < r.news.waiting(); taken++ {
		c := r.claim(r.members.at(r.news.at(taken)), bare)
		if room -= c.WireSizeMax(); room < 0 {
			break
		}
		r.claims = append(r.claims, c)
	}
	return r.claims[start:len(r.claims):len(r.claims)], taken
}

// cool counts a telling of the first claims, and lets go of what is cold. What
// is not goes to the end of the warm.
func (r *Roster) cool(taken, times int, limit int16) {
	fresh := min(taken, len(r.news.fresh))
	again := r.news.warm
	for i := range taken {
		number := r.news.at(i)
		m := r.members.at(number)
		if m.told += int16(times); m.told >= limit || times == 0 {
			m.told = -1
			continue
		}
		again = append(again, number)
	}
	r.news.fresh = slices.Delete(r.news.fresh, 0, fresh)
	r.news.warm = slices.Delete(again, 0, taken-fresh)
	if r.news.waiting() == 0 {
		r.news.fresh, r.news.warm = nil, nil // there may have been a storm
	}
}

// draw appends n distinct random living members, or all.
func (r *Roster) draw(dst []*member, n int) []*member {
	if len(r.living) <= n {
		for _, number := range r.living {
			dst = append(dst, r.members.at(number))
		}
		return dst
	}
	for len(dst) < n {
		if m := r.anyone(); !slices.Contains(dst, m) {
			dst = append(dst, m)
		}
	}
	return dst
}

// Ride puts claims on a packet that goes out anyway, if there is news. This
// node's own claim never rides: such packets do not wait for the disk.
func (r *Roster) Ride(p *hearsay.Packet) {
	if r.news.waiting() == 0 {
		return
	}
	start := len(r.claims)
	r.claims = append(r.claims, p.Claims...)
	for i := range min(rideMost, r.news.waiting()) {
		if m := r.members.at(r.news.at(i)); m != r.self {
			r.claims = append(r.claims, r.claim(m, bare))
			m.told++
			r.stats.ClaimsOut++
		}
	}
	p.Claims = r.claims[start:len(r.claims):len(r.claims)]
}

// Confront puts on a packet to a member what this node holds against it, so
// that it hears first, and refutes.
func (r *Roster) Confront(p *hearsay.Packet, id hearsay.NodeID) {
	var c hearsay.Claim
	if m := r.members.get(id); m != nil {
		if m.state != hearsay.StateSuspect && m.state != hearsay.StateDead {
			return
		}
		c = r.claim(m, bare)
	} else if last, forgotten := r.contacts.last(id); forgotten {
		c = hearsay.Claim{Subject: id, State: hearsay.StateDead, Incarnation: last}
	} else {
		return
	}
	start := len(r.claims)
	r.claims = append(append(r.claims, p.Claims...), c)
	p.Claims = r.claims[start:len(r.claims):len(r.claims)]
}

// Introduce puts this node's own claim on a packet.
func (r *Roster) Introduce(p *hearsay.Packet) {
	start := len(r.claims)
	r.claims = append(append(r.claims, p.Claims...), r.claim(r.self, withCard))
	p.Claims = r.claims[start:len(r.claims):len(r.claims)]
}

// tellOne sends one the claim about a member.
func (r *Roster) tellOne(addr netip.AddrPort, m *member) { r.send(addr, r.claim(m, bare)) }

// answerWith answers a packet with the claim about a member.
func (r *Roster) answerWith(p *hearsay.Packet, m *member) {
	r.tellOne(p.Addr, m)
	last := &r.out.Send[len(r.out.Send)-1]
	last.Stream, last.Answer = p.Stream, true
}

func (r *Roster) send(addr netip.AddrPort, c hearsay.Claim) {
	start := len(r.claims)
	r.claims = append(r.claims, c)
	r.out.News(addr, r.claims[start:len(r.claims):len(r.claims)])
	r.stats.ClaimsOut++
}
