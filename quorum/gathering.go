package quorum

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
)

// gathering is a roster that comes whole, in parts, because this peer lacks
// more than anybody keeps of the ledger. It is believed once heads prove its
// epoch.
//
//	peer                     seed or neighbor
//	  |--- LedgerReq{After} ---->|   it has not kept what comes after
//	  |<---------- RosterPart ---|   in any order
//	  |<---------- RosterPart ---|   all are there, and are what the ruling names: the ledger goes on from it
//	  |--- LedgerReq{After} ---->|   what comes next may prove it
type gathering struct {
	parts  []*hearsay.RosterPart // nil: none is gathered
	got    int                   // of them
	sender netip.AddrPort
	began  time.Time
	roster *members // that they come to, when all are there
	saved  *chain   // the ledger as it was before that; nil: it still is

	verified int  // claims, of all parts in their order
	forged   bool // one of them was not its subject's
}

// begin gathers so many parts from a sender.
func (g *gathering) begin(now time.Time, n int, sender netip.AddrPort) {
	g.parts, g.got, g.sender, g.began = make([]*hearsay.RosterPart, n), 0, sender, now
}

// take takes a part in, and reports whether it is one that lacks.
func (g *gathering) take(m *hearsay.RosterPart, sender netip.AddrPort) bool {
	if sender != g.sender || len(g.parts) != int(m.Parts) || g.parts[m.Part] != nil {
		return false
	}
	g.parts[m.Part] = m
	g.got++
	return true
}

// full reports whether all parts are there.
func (g *gathering) full() bool { return g.got == len(g.parts) }

// forget lets go of the parts.
func (g *gathering) forget() { g.parts, g.got, g.roster, g.verified, g.forged = nil, 0, nil, 0, false }

// verify looks whether the subjects have signed their claims, as many as a step may,
// and reports whether all are looked at. A guest signs nothing, and own has shown its
// identity.
func (g *gathering) verify(now time.Time, network hearsay.NetworkID, signer hearsay.Signer) (all bool) {
	g.began = now // it goes on
	checked, skip := 0, g.verified
	for _, part := range g.parts {
		for i := min(skip, len(part.Members)); i < len(part.Members); i++ {
			if c := &part.Members[i].Claim; !c.Card.Key.IsZero() {
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
		skip -= min(skip, len(part.Members))
	}
	return true
}

// join joins the parts, and reports whether they are of one epoch, and are the
// roster that its ruling names.
func (g *gathering) join(network hearsay.NetworkID) bool {
	var all members
	ruling := g.parts[0].Ruling
	hash := ruling.Hash(network)
	for _, part := range g.parts {
		if part.Ruling.Epoch != ruling.Epoch || part.Ruling.Hash(network) != hash {
			return false
		}
		for _, m := range part.Members {
			if m.Claim.Subject != m.Stay.ID || !own(network, &m.Claim) || all.get(m.Stay.ID) != nil {
				return false
			}
			all.add(Member(m))
		}
	}
	g.roster = &all
	return all.hash(network) == ruling.Roster
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
	if g.got == 0 && (p.Addr == f.asked || f.isSeed(p.Addr)) {
		g.begin(now, int(m.Parts), p.Addr)
	}
	switch {
	case !g.take(m, p.Addr):
		f.drops[hearsay.DropUnexpected]++
	case !g.full():
	case !g.join(f.cfg.Network):
		f.drops[hearsay.DropUnproven]++
		g.forget()
	default:
		f.goOnFrom(now, p, m)
	}
}

// goOnFrom has the ledger here go on from the epoch of a roster that is whole.
// The ledger as it was comes back unless that is proven.
func (f *Follower) goOnFrom(now time.Time, p *hearsay.Packet, m *hearsay.RosterPart) {
	if f.gathering.saved == nil {
		f.gathering.saved = new(f.chain)
	}
	heads, ahead := f.chain.heads, f.chain.ahead
	f.chain.restart(m.Ruling.Epoch, m.Ruling.Hash(f.cfg.Network))
	f.chain.heads, f.chain.ahead = heads, ahead
	f.begin()
	if f.takeHeads(now, f.directory.sender(p), m.Heads); f.chain.forked() {
		return
	}
	before := f.epoch
	if f.advance(now, p.Addr); f.epoch == before && f.rest.at.IsZero() {
		f.ask(now, p.Addr) // what comes after it may prove it
	}
}

// tickGathering lets go of a roster that was not whole and proven in time. Perhaps
// others than are known here have signed for it.
func (f *Follower) tickGathering(now time.Time) {
	if g := &f.gathering; g.parts != nil && now.Sub(g.began) >= rosterPatience {
		if whole := g.saved != nil; whole {
			f.walk.begin(max(f.epoch, f.floor), f.chain.base)
		}
		f.giveUpRoster()
	}
}

// giveUpRoster lets go of a roster, and has the ledger be as it was before it.
func (f *Follower) giveUpRoster() {
	g := &f.gathering
	g.forget()
	if g.saved != nil {
		f.chain, g.saved = *g.saved, nil
		for slot := range f.cfg.Seeds {
			f.hello(slot)
		}
	}
}

// overtake takes over the roster that is gathered: it is proven.
func (f *Follower) overtake(now time.Time) {
	g := &f.gathering
	f.members, f.last = *g.roster, g.parts[0].Ruling
	f.forgo(now, f.last)
	f.epoch, f.gathering = f.chain.base, gathering{}
	f.out.Events = append(f.out.Events, hearsay.Event{At: now, Kind: hearsay.EventRosterProven, Epoch: f.epoch, Count: f.members.count})
}

// isSeed reports whether an address is a seed's: only seeds answer from there.
func (f *Follower) isSeed(addr netip.AddrPort) bool {
	return slices.ContainsFunc(f.cfg.Seeds, func(s Seed) bool { return s.Addr == addr })
}
