package follower

import (
	"math"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// gathering is a roster that comes whole, in parts, because this peer lacks
// more than anybody keeps of the ledger. It lies beside the ledger here until heads
// prove its epoch: till then it is one sender's word, and the peer follows as before.
//
//	peer                     seed or neighbor
//	  |--- LedgerReq{After} ---->|   it has not kept what comes after
//	  |<---------- RosterPart ---|   in any order
//	  |<---------- RosterPart ---|   all are there, and are what the ruling names
//	  |--- LedgerReq{After} ---->|   what comes after that ruling may prove it: then the ledger here goes on from it
//
// What an unproven roster may cost is bounded: it is taken only where it was asked for, has no
// more members than the ledger can have, and is looked at some members at a time. A sender whose roster
// was not proven has to wait for the others, and for some time.
type gathering struct {
	parts  []*core.RosterPart // nil: none is gathered; nil in it: it lacks, or its members are in the roster
	got    int                // of them
	ruling *hearsay.Ruling    // that all parts name
	hash   hearsay.Hash       // of the ruling
	sender netip.AddrPort
	began  time.Time

	joined  ledger.Cursor     // so far the parts fit each other, and the ruling
	highest hearsay.NodeID    // of the members up to there
	count   hearsay.Epoch     // of them
	bucket  core.BucketDigest // of those with the first byte of the highest
	chain   ledger.Chain      // the ledger after it, and heads; of no use before all parts are joined
	askAt   time.Time

	verified ledger.Cursor  // so far the claims are verified
	roster   ledger.Members // of the verified members; before, the hashes of its buckets alone
	forged   bool           // one of them was not its subject's

	unproven []unproven // the one of longest ago first
}

// unproven is a sender whose last roster was not proven, and when it was let go.
type unproven struct {
	sender netip.AddrPort
	at     time.Time
}

const (
	unprovenKept = 64 // senders whose rosters were not proven. Guess: the seeds, and all neighbors of a while

	// unprovenRest is how long a sender whose roster was not proven begins no other. Guess: twice what a
	// roster has until it is proven, so that most of the time is the others'.
	unprovenRest = 2 * rosterPatience

	// rosterLeast is how many members a roster may have in any case, and more if that many were ever
	// admitted: twice as many as are let in by default, as members that were removed come back beyond that.
	rosterLeast = 2 * 4096
)

// refused gives the place of a sender among those whose rosters were not proven, or -1.
func (g *gathering) refused(sender netip.AddrPort) int {
	return slices.IndexFunc(g.unproven, func(u unproven) bool { return u.sender == sender })
}

// rests reports whether a sender may not begin a roster, as its last one was not proven.
func (g *gathering) rests(now time.Time, sender netip.AddrPort) bool {
	at := g.refused(sender)
	return at >= 0 && now.Sub(g.unproven[at].at) < unprovenRest
}

// yields reports whether the roster that is gathered gives way to this one: to another
// sender's, or to a newer one of the same.
func (g *gathering) yields(m *core.RosterPart, sender netip.AddrPort) bool {
	if g.parts != nil && sender == g.sender {
		return !g.full() && m.Ruling.Epoch > g.ruling.Epoch
	}
	return g.parts == nil || g.refused(sender) < g.refused(g.sender)
}

// begin gathers the parts of a sender's roster. One that it gave before was not whole, and
// has its time.
func (g *gathering) begin(now time.Time, network hearsay.NetworkID, m *core.RosterPart, sender netip.AddrPort) {
	if g.parts != nil && sender == g.sender {
		now = g.began
	}
	*g = gathering{
		parts: make([]*core.RosterPart, m.Parts), ruling: m.Ruling, hash: m.Ruling.Hash(network),
		sender: sender, began: now, unproven: g.unproven,
	}
}

// take takes a part in, and reports whether it is one that lacks.
func (g *gathering) take(network hearsay.NetworkID, m *core.RosterPart, sender netip.AddrPort) bool {
	if sender != g.sender || len(g.parts) != int(m.Parts) || g.full() || g.parts[m.Part] != nil {
		return false
	}
	if m.Ruling.Epoch != g.ruling.Epoch || m.Ruling.Hash(network) != g.hash {
		return false
	}
	g.parts[m.Part] = m
	g.got++
	return true
}

// full reports whether all parts are there.
func (g *gathering) full() bool { return g.parts != nil && g.got == len(g.parts) }

// whole reports whether all parts are there and joined: only heads lack.
func (g *gathering) whole() bool { return g.full() && g.joined.Part == len(g.parts) }

// forget lets go of the roster.
func (g *gathering) forget() { *g = gathering{unproven: g.unproven} }

// fail lets go of the roster, and holds it against its sender.
func (g *gathering) fail(now time.Time) {
	at := g.refused(g.sender)
	if at < 0 && len(g.unproven) == unprovenKept {
		at = 0
	}
	if at >= 0 {
		g.unproven = slices.Delete(g.unproven, at, at+1)
	}
	g.unproven = append(g.unproven, unproven{g.sender, now})
	g.forget()
}

// next gives the member at a place, and moves the place behind it. Nil: the part is at its
// end, and the place is in the next one.
func (g *gathering) next(c *ledger.Cursor) *ledger.Member {
	members := g.parts[c.Part].Members
	if c.Member == len(members) {
		*c = ledger.Cursor{Part: c.Part + 1}
		return nil
	}
	c.Member++
	return (*ledger.Member)(&members[c.Member-1])
}

// join looks at the next members, as many as a step may. It reports whether they may be of
// the roster that the ruling names: in the order of NodeIDs, and in the end with that hash.
// Nothing of them is copied before the roster is proven.
func (g *gathering) join(network hearsay.NetworkID) (fits bool) {
	for n := 0; n < ledger.JoinsAStep && g.joined.Part < len(g.parts); n++ {
		m := g.next(&g.joined)
		if m == nil {
			continue
		}
		id := m.Stay.ID
		if m.Claim.Subject != id || !ledger.OwnClaim(network, &m.Claim) || g.count > 0 && id.Compare(g.highest) <= 0 {
			return false
		}
		if id[0] != g.highest[0] {
			g.roster.Hashes[g.highest[0]] = g.bucket.Sum()
		}
		g.bucket.Add(m.Stay)
		g.highest = id
		if g.count++; g.count > g.ruling.Epoch {
			return false // each was admitted by a ruling
		}
	}
	if g.joined.Part < len(g.parts) {
		return true
	}
	g.roster.Hashes[g.highest[0]] = g.bucket.Sum()
	return core.HashRoster(network, &g.roster.Hashes) == g.ruling.Roster
}

// verify looks whether the subjects have signed their claims, as many as a step may,
// and reports whether all are looked at. A guest signs nothing, and own has shown its
// identity.
func (g *gathering) verify(now time.Time, network hearsay.NetworkID, signer hearsay.Signer) (all bool) {
	g.began = now // it goes on
	checked := 0
	for n := 0; n < ledger.JoinsAStep && g.verified.Part < len(g.parts); n++ {
		m := g.next(&g.verified)
		if m == nil {
			g.parts[g.verified.Part-1] = nil // what is in it is in the roster
			continue
		}
		if !m.Claim.Card.Key.IsZero() {
			if !m.Claim.Verify(network, signer) {
				g.forged = true
				return true
			}
			checked++
		}
		g.roster.PushLast(*m)
		if checked == ledger.VerifiesAStep {
			return false
		}
	}
	return g.verified.Part == len(g.parts)
}

// rosterPart takes a part of a roster from one that was asked; a seed may have
// been asked some time ago.
func (f *Follower) rosterPart(now time.Time, p *core.Packet, m *core.RosterPart) {
	g := &f.gathering
	if p.Addr == f.asked {
		f.lost = 0
	}
	switch {
	case m.Part >= m.Parts, m.Parts > maxRosterParts, m.Ruling == nil, f.chain.Forked():
	case m.Ruling.Epoch <= f.epoch, m.Ruling.Epoch < f.floor, !f.affordsRoster(now, p, m):
	default:
		if f.expects(now, p.Addr) && !g.rests(now, p.Addr) && g.yields(m, p.Addr) {
			g.begin(now, f.cfg.Network, m, p.Addr)
		}
		if g.take(f.cfg.Network, m, p.Addr) {
			if f.takeHeads(now, f.directory.Sender(p), m.Heads); g.full() {
				f.advance(now, p.Addr)
			}
			return
		}
	}
	f.stats.Drops[hearsay.DropUnexpected]++
}

// affordsRoster reports whether the ledger can have as many members as a roster of so many
// parts: each was admitted by a ruling, and the newest may be known by the part's heads only.
func (f *Follower) affordsRoster(now time.Time, p *core.Packet, m *core.RosterPart) bool {
	most := func() int { return ledger.RosterPartsOf(int(min(max(rosterLeast, f.chain.Promised()), math.MaxInt32))) }
	if int(m.Parts) > most() {
		f.takeHeads(now, f.directory.Sender(p), m.Heads)
	}
	return int(m.Parts) <= most()
}

// expects reports whether somebody was asked for the ledger.
func (f *Follower) expects(now time.Time, addr netip.AddrPort) bool {
	if addr == f.asked {
		return true
	}
	slot := f.seedAt(addr)
	return slot >= 0 && !f.askedAt[slot].IsZero() && now.Sub(f.askedAt[slot]) < answersWithin
}

// gathered goes on with a roster of which all parts are there, a part of it in a step, and
// takes it over once it is proven and its claims are verified. It reports whether that is all
// that can be done now.
func (f *Follower) gathered(now time.Time) (done bool) {
	switch g := &f.gathering; {
	case !g.full():
	case !g.whole():
		f.join(now)
		return false
	case g.chain.Base <= f.epoch:
		g.forget() // the ledger here has come to it
	case g.chain.Proven() < g.chain.Base:
	case !g.verify(now, f.cfg.Network, f.signer):
		return false
	case g.forged:
		f.stats.Drops[hearsay.DropBadSignature]++
		g.fail(now)
	default:
		f.overtake(now)
	}
	return true
}

// join looks at some members. Heads that are here may prove the whole roster; if not, its sender
// is asked for what comes after it.
func (f *Follower) join(now time.Time) {
	g := &f.gathering
	g.began = now
	if !g.join(f.cfg.Network) {
		f.stats.Drops[hearsay.DropUnproven]++
		g.fail(now)
		return
	}
	if g.whole() {
		g.chain = f.chain.Beside(g.ruling.Epoch, g.hash, f.founding())
	}
}

// tickGathering asks for what proves a roster, and lets go of one that was not whole and
// proven in time. Perhaps others than are known here have signed for it.
func (f *Follower) tickGathering(now time.Time) {
	g := &f.gathering
	switch {
	case g.parts == nil:
	case now.Sub(g.began) >= rosterPatience:
		if g.whole() && !f.walk.Under() {
			f.walk.Begin(max(f.epoch, f.floor), g.chain.Base, (f.walk.First+1)%len(f.cfg.Seeds))
		}
		g.fail(now)
		for slot := range f.cfg.Seeds {
			f.seats.hello(now, slot)
		}
	case g.whole() && !now.Before(g.askAt):
		f.askGathered(now)
	}
}

// askGathered asks for what comes after a roster who gave that.
func (f *Follower) askGathered(now time.Time) {
	g := &f.gathering
	g.askAt = now.Add(f.about(f.cfg.AskEvery))
	f.request(now, g.sender, g.chain.Epoch())
}

// goOnGathered takes what comes after a roster from who gave that.
func (f *Follower) goOnGathered(now time.Time, p *core.Packet, items []*hearsay.Ruling) {
	g := &f.gathering
	if !g.whole() || p.Addr != g.sender {
		return
	}
	end := g.chain.Epoch()
	if g.chain.GoOn(items, g.chain.Base); g.chain.Epoch() > end {
		f.askGathered(now)
	}
}

// overtake takes over the roster that is gathered: it is proven.
func (f *Follower) overtake(now time.Time) {
	g := &f.gathering
	f.members, f.last = g.roster, g.ruling
	f.past.forgo(now, f.last)
	if g.chain.Founding != f.chain.Founding {
		f.floor = 0 // it was of another
	}
	g.chain.Rivals, g.chain.OtherLogs = f.chain.Rivals, f.chain.OtherLogs
	g.chain.Begin(g.chain.Founding)
	f.chain, f.epoch, f.gathering = g.chain, g.chain.Base, gathering{}
	f.hearStand(now, true)
	f.out.Events = append(f.out.Events, hearsay.Event{At: now, Kind: hearsay.EventRosterProven, Epoch: f.epoch, Count: f.members.Count})
}

// seedAt gives the slot of the seed at an address, or -1: only seeds answer from there.
func (f *Follower) seedAt(addr netip.AddrPort) int {
	return slices.IndexFunc(f.cfg.Seeds, func(s ledger.Seed) bool { return s.Addr == addr })
}
