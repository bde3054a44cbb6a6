package roster

import (
	"math/bits"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
)

// Sizes of packets, in bytes and claims.
const (
	packetRoom = core.MTU - 80 // for claims, beside an envelope and a small body
	rideMost   = 3             // claims that ride on a packet sent for another reason
	cameBack   = 2             // times that a claim told over links should come back
	chunkRoom  = 48 << 10      // for claims, in one packet of a roster by stream
)

// news is whose claims this node is telling. What is told of a member is always the newest. Membership news goes at
// once to a few random members, which do the same. A claim is told less the more often it was told, and came back.
type news struct {
	cfg     *Config
	members *members
	out     *output
	links   func() []hearsay.NodeID // neighbors; nil if there is no overlay
	targets []*member               // storage of one telling

	untold []int32   // members by number: never told
	retold []int32   // told, in the order of telling
	told   time.Time // the last time
}

// tell makes the claim about a member news.
func (n *news) tell(m *member) {
	number := n.members.number(m)
	if m.told >= 0 {
		n.drop(m, number)
	}
	m.told = 0
	n.untold = append(n.untold, number)
}

// drop ends the telling of a member's claim.
func (n *news) drop(m *member, number int32) {
	same := func(o int32) bool { return o == number }
	n.untold, n.retold = slices.DeleteFunc(n.untold, same), slices.DeleteFunc(n.retold, same)
	m.told = -1
}

// toldMost is more than any claim is told: what is heard more often than that
// is counted no further, since told has 16 bits.
const toldMost = 1 << 14

// heardAgain counts a telling by another.
func (n *news) heardAgain(m *member) {
	if m.told >= 0 && m.told < toldMost {
		m.told++
	}
}

// Waiting counts the claims still being told.
func (n *news) Waiting() int { return len(n.untold) + len(n.retold) }

// at gives the i-th claim to be told: the least told first.
func (n *news) at(i int) int32 {
	if i < len(n.untold) {
		return n.untold[i]
	}
	return n.retold[i-len(n.untold)]
}

// TellOver has news told over links from now on: links gives the neighbors.
func (n *news) TellOver(links func() []hearsay.NodeID) { n.links = links }

// audience is the members that are told news now, and how often a claim is told at all: all neighbors, and one random
// member besides, where rosters differ and links do not meet. Over links once is enough, but for what gets lost: so a
// claim that came back less than twice is told again. Without links it is a few random members, several times.
func (n *news) audience() (targets []*member, limit int16) {
	n.targets = n.targets[:0]
	if n.links != nil {
		for _, id := range n.links() {
			if m := n.members.get(id); m != nil && m.state.Living() {
				n.targets = append(n.targets, m)
			}
		}
	}
	if len(n.targets) == 0 {
		n.targets = n.members.draw(n.targets, n.cfg.Fanout)
		return n.targets, n.retell()
	}
	if other := n.members.anyone(); !slices.Contains(n.targets, other) {
		n.targets = append(n.targets, other)
	}
	return n.targets, int16(len(n.targets) + cameBack)
}

// retell is how often a claim is told by each node that hears it: a multiple of
// log2 N reaches all with high probability (SWIM, section 4.1).
func (n *news) retell() int16 {
	return int16(max(1, n.cfg.Retell*bits.Len(uint(n.members.Living()))))
}

// tick tells what is waiting to a few random members.
func (n *news) tick(now time.Time) {
	if n.Waiting() == 0 || now.Before(n.told.Add(n.cfg.NewsEvery)) {
		return
	}
	n.told = now
	targets, limit := n.audience()
	batch, taken := n.batch()
	for _, target := range targets {
		n.out.News(n.members.addr(target), batch)
	}
	n.out.stats.ClaimsOut += uint64(len(batch) * len(targets))
	n.countTold(taken, len(targets), limit)
}

// due gives when tick must be called next, if before at.
func (n *news) due(at time.Time) time.Time {
	if n.Waiting() > 0 {
		at = when.Earlier(at, n.told.Add(n.cfg.NewsEvery))
	}
	return at
}

// batch fills one packet with the least told claims, and says how many.
func (n *news) batch() (batch []hearsay.Claim, taken int) {
	start, room := len(n.out.claims), packetRoom
	for ; taken < n.Waiting(); taken++ {
		c := n.members.claim(n.members.at(n.at(taken)), bare)
		if room -= c.WireSizeMax(); room < 0 {
			break
		}
		n.out.claims = append(n.out.claims, c)
	}
	return n.out.claims[start:len(n.out.claims):len(n.out.claims)], taken
}

// countTold counts a telling of the first claims, and lets go of what is cold. What is not goes to the end of the warm.
func (n *news) countTold(taken, times int, limit int16) {
	fresh := min(taken, len(n.untold))
	again := n.retold
	for i := range taken {
		number := n.at(i)
		m := n.members.at(number)
		if m.told += int16(times); m.told >= limit || times == 0 {
			m.told = -1
			continue
		}
		again = append(again, number)
	}
	n.untold = slices.Delete(n.untold, 0, fresh)
	n.retold = slices.Delete(again, 0, taken-fresh)
	if n.Waiting() == 0 {
		n.untold, n.retold = nil, nil // there may have been many
	}
}

// Ride puts claims on a packet that goes out anyway, if there is news. This
// node's own claim never rides: such packets do not wait for the disk.
func (n *news) Ride(p *core.Packet) {
	if n.Waiting() == 0 {
		return
	}
	start := len(n.out.claims)
	n.out.claims = append(n.out.claims, p.Claims...)
	for i := range min(rideMost, n.Waiting()) {
		if m := n.members.at(n.at(i)); m != n.members.self {
			n.out.claims = append(n.out.claims, n.members.claim(m, bare))
			m.told++
			n.out.stats.ClaimsOut++
		}
	}
	p.Claims = n.out.claims[start:len(n.out.claims):len(n.out.claims)]
}
