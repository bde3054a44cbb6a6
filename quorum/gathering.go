package quorum

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
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
// A sender whose roster was not proven has to wait for the others: what they send takes
// the place of what it sends.
type gathering struct {
	parts  []*hearsay.RosterPart // nil: none is gathered
	got    int                   // of them
	joined int                   // of them, in their order
	sender netip.AddrPort
	began  time.Time
	roster members // that the joined parts come to
	chain  chain   // the ledger after it, and heads; of no use before all parts are joined
	askAt  time.Time

	verified int  // claims of the roster, in its order
	forged   bool // one of them was not its subject's

	unproven []netip.AddrPort // whose last roster was not proven in time, the one of longest ago first
}

const (
	joinsAStep   = 2  // parts of a roster that are joined, at some 0.2 ms each
	unprovenKept = 64 // senders whose rosters were not proven. Guess: the seeds, and all neighbors of a while
)

// yields reports whether the roster that is gathered gives way to another sender's.
func (g *gathering) yields(sender netip.AddrPort) bool {
	return g.parts == nil || slices.Index(g.unproven, sender) < slices.Index(g.unproven, g.sender)
}

// begin gathers so many parts from a sender.
func (g *gathering) begin(now time.Time, n int, sender netip.AddrPort) {
	*g = gathering{parts: make([]*hearsay.RosterPart, n), sender: sender, began: now, unproven: g.unproven}
}

// take takes a part in, and reports whether it is one that lacks.
func (g *gathering) take(m *hearsay.RosterPart, sender netip.AddrPort) bool {
	if sender != g.sender || len(g.parts) != int(m.Parts) || g.full() || g.parts[m.Part] != nil {
		return false
	}
	g.parts[m.Part] = m
	g.got++
	return true
}

// full reports whether all parts are there.
func (g *gathering) full() bool { return g.parts != nil && g.got == len(g.parts) }

// whole reports whether all parts are there and joined: only heads lack.
func (g *gathering) whole() bool { return g.full() && g.joined == len(g.parts) }

// forget lets go of the roster.
func (g *gathering) forget() { *g = gathering{unproven: g.unproven} }

// fail lets go of the roster, and holds it against its sender.
func (g *gathering) fail() {
	at := slices.Index(g.unproven, g.sender)
	if at < 0 && len(g.unproven) == unprovenKept {
		at = 0
	}
	if at >= 0 {
		g.unproven = slices.Delete(g.unproven, at, at+1)
	}
	g.unproven = append(g.unproven, g.sender)
	g.forget()
}

// join joins the next parts, as many as a step may. It reports whether they may be parts of
// the roster that their ruling names: of one ruling, in the order of NodeIDs, and in the end
// with that hash.
func (g *gathering) join(network hearsay.NetworkID) (fits bool) {
	ruling := g.parts[0].Ruling
	hash := ruling.Hash(network)
	for range min(joinsAStep, len(g.parts)-g.joined) {
		part := g.parts[g.joined]
		if part.Ruling.Epoch != ruling.Epoch || part.Ruling.Hash(network) != hash {
			return false
		}
		for _, m := range part.Members {
			if m.Claim.Subject != m.Stay.ID || !own(network, &m.Claim) || !g.roster.push(Member(m)) {
				return false
			}
		}
		if n := len(part.Members); n > 0 {
			g.roster.rehash(int(part.Members[n-1].Stay.ID[0])) // nobody comes before it any more
		}
		g.joined++
	}
	return g.joined < len(g.parts) || g.roster.hash(network) == ruling.Roster
}

// verify looks whether the subjects have signed their claims, as many as a step may,
// and reports whether all are looked at. A guest signs nothing, and own has shown its
// identity.
func (g *gathering) verify(now time.Time, network hearsay.NetworkID, signer hearsay.Signer) (all bool) {
	g.began = now // it goes on
	checked, skip := 0, g.verified
	for _, part := range g.roster.parts {
		for i := min(skip, len(part)); i < len(part); i++ {
			if c := &part[i].Claim; !c.Card.Key.IsZero() {
				if checked == verifiesAStep {
					return false
				}
				checked++
				if !c.Verify(network, signer) {
					g.forged = true
					return true
				}
			}
			g.verified++
		}
		skip -= min(skip, len(part))
	}
	return true
}

// own reports whether a claim of a roster may be its subject's: the ruling proves
// the stays only. What a key has signed is verified once the stays are proven; a
// guest has signed nothing, but its address is its identity.
func own(network hearsay.NetworkID, c *hearsay.Claim) bool {
	if c.Card.Key.IsZero() {
		return c.Subject == hearsay.GuestID(network, c.Card.Addr)
	}
	return c.Subject == c.Card.Key.NodeID()
}

// rosterPart takes a part of a roster from one who was asked; a seed may have
// been asked some time ago.
func (f *Follower) rosterPart(now time.Time, p *hearsay.Packet, m *hearsay.RosterPart) {
	g := &f.gathering
	if p.Addr == f.asked {
		f.lost = 0
	}
	if m.Part >= m.Parts || m.Parts > maxRosterParts || m.Ruling == nil || m.Ruling.Epoch <= f.epoch || m.Ruling.Epoch < f.floor || f.chain.forked() {
		f.drops[hearsay.DropUnexpected]++
		return
	}
	if (p.Addr == f.asked || f.isSeed(p.Addr)) && g.yields(p.Addr) {
		g.begin(now, int(m.Parts), p.Addr)
	}
	if !g.take(m, p.Addr) {
		f.drops[hearsay.DropUnexpected]++
		return
	}
	if f.takeHeads(now, f.directory.sender(p), m.Heads); g.full() {
		f.advance(now, p.Addr)
	}
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
	case g.chain.base <= f.epoch:
		g.forget() // the ledger here has come to it
	case g.chain.proven() < g.chain.base:
	case !g.verify(now, f.cfg.Network, f.signer):
		return false
	case g.forged:
		f.drops[hearsay.DropBadSignature]++
		g.fail()
	default:
		f.overtake(now)
	}
	return true
}

// join joins some parts. Heads that are here may prove the whole roster; if not, its sender
// is asked for what comes after it.
func (f *Follower) join(now time.Time) {
	g := &f.gathering
	g.began = now
	if !g.join(f.cfg.Network) {
		f.drops[hearsay.DropUnproven]++
		g.fail()
		return
	}
	if g.whole() {
		r := g.parts[0].Ruling
		g.chain = f.chain.beside(r.Epoch, r.Hash(f.cfg.Network), f.founding())
		clear(g.parts[1:]) // what is in them is in the roster
		g.parts[0].Members = nil
	}
}

// tickGathering asks for what proves a roster, and lets go of one that was not whole and
// proven in time. Perhaps others than are known here have signed for it.
func (f *Follower) tickGathering(now time.Time) {
	g := &f.gathering
	switch {
	case g.parts == nil:
	case now.Sub(g.began) >= rosterPatience:
		if g.whole() && !f.walk.under() {
			f.walk.begin(max(f.epoch, f.floor), g.chain.base, (f.walk.first+1)%len(f.cfg.Seeds))
		}
		g.fail()
		for slot := range f.cfg.Seeds {
			f.hello(slot)
		}
	case g.whole() && !now.Before(g.askAt):
		f.askGathered(now)
	}
}

// askGathered asks for what comes after a roster who gave that.
func (f *Follower) askGathered(now time.Time) {
	g := &f.gathering
	g.askAt = now.Add(f.about(f.cfg.AskEvery))
	f.send(g.sender, &hearsay.LedgerReq{After: g.chain.epoch()})
}

// goOnGathered takes what comes after a roster from who gave that.
func (f *Follower) goOnGathered(now time.Time, p *hearsay.Packet, items []*hearsay.Ruling) {
	g := &f.gathering
	if !g.whole() || p.Addr != g.sender {
		return
	}
	end := g.chain.epoch()
	if g.chain.goOn(items, g.chain.base, unprovenMost); g.chain.epoch() > end {
		f.askGathered(now)
	}
}

// overtake takes over the roster that is gathered: it is proven.
func (f *Follower) overtake(now time.Time) {
	g := &f.gathering
	f.members, f.last = g.roster, g.parts[0].Ruling
	f.forgo(now, f.last)
	if g.chain.founding != f.chain.founding {
		f.floor = 0 // it was of another
	}
	g.chain.rivals, g.chain.others = f.chain.rivals, f.chain.others
	g.chain.begin(g.chain.founding)
	f.chain, f.epoch, f.gathering = g.chain, g.chain.base, gathering{}
	f.out.Events = append(f.out.Events, hearsay.Event{At: now, Kind: hearsay.EventRosterProven, Epoch: f.epoch, Count: f.members.count})
}

// isSeed reports whether an address is a seed's: only seeds answer from there.
func (f *Follower) isSeed(addr netip.AddrPort) bool {
	return slices.ContainsFunc(f.cfg.Seeds, func(s Seed) bool { return s.Addr == addr })
}
