package follower

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// This file is how a follower finds out who was in before the roster that it
// took over whole: what they have said may still be told, and no ruling that it
// applies names them. Only if somebody speaks of one that it does not know it has a
// seed give the rulings right before that roster, backwards, until one names it. Each has
// the hash that the one after it names, so they are as proven as the roster. When a ruling
// was made does not say whether those before it are wanted: one clock has told that, and it
// may be days behind.
//
// So it is found out, too, who was given a seat in rulings that the roster took the
// place of: if somebody answers as a seed who is in no seat that is known here, or
// is named in one by a seed, as it may be gone itself. The newest ruling about a
// seat, which seeds show, does not tell of those before it.

const (
	// somebody unknown has perhaps just been admitted. A guess: longer than a ruling takes
	strangerFor = 5 * time.Second
	recallMost  = ledger.MaxDeparted // rulings. As many as a seed remembers of who has left
	departedFor = 24 * time.Hour     // as rosters list those who are gone (roster.Config.ForgetAfter)
	// nodes that were in, of all rosters that came whole together: with more all are forgotten. Guess: twice what one
	// roster may bring
	departedMost = 2 * recallMost
)

// past is what came before a roster.
type past struct {
	peer *Follower

	before hearsay.Epoch // the rulings before this one are not known, and may be wanted; 0: none are
	hash   hearsay.Hash  // of the next of them
	looked int           // how many of them have come

	known hearsay.Epoch // up to here the rulings about seats are known
	// by slot: who has a ledger answers there or is named, and another is known to sit in it
	reseated [hearsay.MaxSeeds]bool

	stranger hearsay.NodeID // of which somebody spoke, and that no ruling has named yet; zero: of nobody
	askAt    time.Time      // for the rulings; zero: not yet, or no more

	departed map[hearsay.NodeID]struct{} // who was in, and that no ruling since has named
	forgetAt time.Time                   // when they are forgotten, all together
}

// Departed reports whether a node, of which somebody speaks and that is no member,
// was in before this follower's time. If it does not know it finds out.
func (f *Follower) Departed(id hearsay.NodeID) bool {
	_, departed := f.past.departed[id]
	if !departed && f.past.stranger.IsZero() && f.past.before > 0 {
		f.past.stranger = id
	}
	return departed
}

// wanted reports whether rulings of the past are asked for.
func (p *past) wanted() bool {
	return p.before > 0 && (p.seatsWanted() || !p.stranger.IsZero())
}

func (p *past) seatsWanted() bool { return slices.Contains(p.reseated[:], true) }

// forgo begins the past anew: a roster has come whole as of a ruling.
func (p *past) forgo(now time.Time, r *hearsay.Ruling) {
	known := max(p.peer.epoch, p.peer.floor)
	if p.before > 0 {
		known = p.known // what is before an earlier roster was not looked through
	}
	departed := p.departed
	if departed == nil {
		departed = make(map[hearsay.NodeID]struct{})
	}
	*p = past{peer: p.peer, known: known, departed: departed, forgetAt: now.Add(departedFor)}
	p.look(r)
	for id := range departed { // order does not matter: each is judged for itself
		if p.peer.members.Get(id) != nil {
			delete(departed, id)
		}
	}
	if known > 0 { // else it has just met the seeds
		for slot := range p.peer.cfg.Seeds {
			p.peer.seats.hello(now, slot)
		}
	}
}

// tick asks for the past if a node is spoken of that stays unknown, or another
// answers as a seed, and forgets those who were out for long.
func (p *past) tick(now time.Time) {
	if !now.Before(p.forgetAt) || len(p.departed) > departedMost {
		p.forget(now)
	}
	switch {
	case !p.wanted():
	case p.askAt.IsZero():
		p.askAt = now.Add(strangerFor)
	case now.Before(p.askAt):
	case !p.seatsWanted() && p.peer.members.Get(p.stranger) != nil:
		p.stranger, p.askAt = hearsay.NodeID{}, time.Time{}
	default:
		p.askAt = now.Add(p.peer.about(ledger.RecallEvery))
		p.peer.send(p.peer.cfg.Seeds[p.peer.random.IntN(len(p.peer.cfg.Seeds))].Addr, &core.LedgerReq{Before: p.before})
	}
}

// forget lets go of all that were in, and tells it.
func (p *past) forget(now time.Time) {
	for _, id := range slices.SortedFunc(maps.Keys(p.departed), hearsay.NodeID.Compare) {
		p.peer.out.Events = append(p.peer.out.Events, hearsay.Event{At: now, Kind: hearsay.EventMemberForgotten, Subject: id, State: hearsay.StateDead})
	}
	clear(p.departed)
}

// take takes rulings of the past, and reports whether they are.
func (p *past) take(now time.Time, from netip.AddrPort, items []*hearsay.Ruling) bool {
	if n := len(items); p.askAt.IsZero() || n == 0 || items[n-1].Epoch != p.before-1 || p.peer.seedAt(from) < 0 {
		return false
	}
	p.forgetAt = now.Add(departedFor)
	for _, r := range slices.Backward(items) {
		if p.before == 0 || r.Epoch != p.before-1 || r.Hash(p.peer.cfg.Network) != p.hash {
			p.peer.stats.Drops[hearsay.DropUnproven]++
			return true
		}
		p.look(r)
	}
	if p.looked >= recallMost {
		p.before = 0
	}
	if p.before <= p.known+1 {
		clear(p.reseated[:]) // it was not given the seat that it says
	}
	if p.askAt = now; !p.wanted() {
		p.askAt = time.Time{}
	}
	return true
}

// look notes whose stay the next ruling of the past has ended, or to which life
// it has given a seat.
func (p *past) look(r *hearsay.Ruling) {
	p.before, p.hash, p.looked = r.Epoch, r.Previous, p.looked+1
	if p.before == 1 {
		p.before = 0 // it is the first
	}
	p.depart(r)
	if r.Kind == hearsay.RulingSeat || r.Kind == hearsay.RulingRecover {
		p.peer.seats.pinAll(r)
	}
}

// depart notes whose stay a ruling has ended that the node never lists: one of the
// past, or one that came in the same step as the roster.
func (p *past) depart(r *hearsay.Ruling) {
	if out := r.Kind == hearsay.RulingRemove || r.Kind == hearsay.RulingLeave; out && p.peer.members.Get(r.Stay.ID) == nil {
		p.departed[r.Stay.ID] = struct{}{}
		if r.Stay.ID == p.stranger {
			p.stranger = hearsay.NodeID{}
		}
	}
}

// tickWalk asks for the next part of old rulings, which say who sits where.
func (f *Follower) tickWalk(now time.Time) {
	if w := &f.walk; w.Due(now, f.epoch, len(f.cfg.Seeds), hearsay.MaxSeeds) {
		w.AskAt = now.Add(f.about(ledger.RecallEvery))
		f.send(f.cfg.Seeds[w.Slot].Addr, &core.LedgerReq{Before: w.Before()})
	}
}
