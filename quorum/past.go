package quorum

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// This file is how a follower finds out who was in before the roster that it
// took over whole: what they have said may still be told, and no ruling that it
// applies names them. Only if somebody speaks of one that it does not know it has a
// seed give the rulings right before that roster, backwards. Each has the hash that
// the one after it names, so they are as proven as the roster.
//
// So it is found out, too, who was given a seat in rulings that the roster took the
// place of: if somebody answers as a seed who is in no seat that is known here, or
// is named in one by a seed, as it may be gone itself. The newest ruling about a
// seat, which seeds show, does not tell of those before it.

const (
	strangerFor = 5 * time.Second    // somebody unknown has perhaps just been admitted. A guess: longer than a ruling takes
	recallEvery = time.Second        // between two questions
	recallMost  = ledger.MaxDeparted // rulings. As many as a seed remembers of who has left
	departedFor = 24 * time.Hour     // as rosters list those who are gone (roster.Config.ForgetAfter)
)

// past is what came before a roster.
type past struct {
	before hearsay.Epoch // the rulings before this one are not known, and may be wanted; 0: none are
	hash   hearsay.Hash  // of the next of them
	until  int64         // they are wanted back to here: Unix milliseconds, as their At
	looked int           // how many of them have come
	enough bool          // they are known back to there

	known    hearsay.Epoch          // up to here the rulings about seats are known
	reseated [hearsay.MaxSeeds]bool // by slot: who has a ledger answers there or is named, and another is known to sit in it

	stranger hearsay.NodeID // of which somebody spoke; zero: of nobody
	askAt    time.Time      // for the rulings; zero: not yet, or no more

	departed map[hearsay.NodeID]struct{} // who was in, and that no ruling since has named
	forgetAt time.Time                   // when they are forgotten, all together
}

// Departed reports whether a node, of which somebody speaks and that is no member,
// was in before this follower's time. If it does not know it finds out.
func (f *Follower) Departed(id hearsay.NodeID) bool {
	_, departed := f.past.departed[id]
	if !departed && f.past.stranger.IsZero() && f.past.before > 0 && !f.past.enough {
		f.past.stranger = id
	}
	return departed
}

// wanted reports whether rulings of the past are asked for.
func (p *past) wanted() bool {
	return p.before > 0 && (p.seatsWanted() || !p.stranger.IsZero() && !p.enough)
}

func (p *past) seatsWanted() bool { return slices.Contains(p.reseated[:], true) }

// forgo begins the past anew: a roster has come whole as of a ruling. It is
// wanted for twice as long as needed: the clocks of seeds differ.
func (f *Follower) forgo(now time.Time, r *hearsay.Ruling) {
	known := max(f.epoch, f.floor)
	if f.past.before > 0 {
		known = f.past.known // what is before an earlier roster was not looked through
	}
	departed := f.past.departed
	if departed == nil {
		departed = make(map[hearsay.NodeID]struct{})
	}
	f.past = past{until: r.At - 2*f.cfg.Recall.Milliseconds(), known: known, departed: departed, forgetAt: now.Add(departedFor)}
	f.pastRuling(r)
	for id := range departed { // order does not matter: each is judged for itself
		if f.members.Get(id) != nil {
			delete(departed, id)
		}
	}
	if known > 0 { // else it has just met the seeds
		for slot := range f.cfg.Seeds {
			f.hello(slot)
		}
	}
}

// tickPast asks for the past if somebody is spoken of who stays unknown, or
// answers as a seed, and forgets those who were out for long.
func (f *Follower) tickPast(now time.Time) {
	p := &f.past
	if len(p.departed) > 0 && !now.Before(p.forgetAt) {
		for _, id := range slices.SortedFunc(maps.Keys(p.departed), hearsay.NodeID.Compare) {
			f.out.Events = append(f.out.Events, hearsay.Event{At: now, Kind: hearsay.EventMemberForgotten, Subject: id, State: hearsay.StateDead})
		}
		clear(p.departed)
	}
	switch {
	case !p.wanted():
	case p.askAt.IsZero():
		p.askAt = now.Add(strangerFor)
	case now.Before(p.askAt):
	case !p.seatsWanted() && f.members.Get(p.stranger) != nil:
		p.stranger, p.askAt = hearsay.NodeID{}, time.Time{}
	default:
		p.askAt = now.Add(f.about(recallEvery))
		f.send(f.cfg.Seeds[f.random.IntN(len(f.cfg.Seeds))].Addr, &hearsay.LedgerReq{Before: p.before})
	}
}

// takePast takes rulings of the past, and reports whether they are.
func (f *Follower) takePast(now time.Time, from netip.AddrPort, items []*hearsay.Ruling) bool {
	p := &f.past
	if n := len(items); p.askAt.IsZero() || n == 0 || items[n-1].Epoch != p.before-1 || f.seedAt(from) < 0 {
		return false
	}
	p.forgetAt = now.Add(departedFor)
	for _, r := range slices.Backward(items) {
		if p.before == 0 || r.Epoch != p.before-1 || r.Hash(f.cfg.Network) != p.hash {
			f.drops[hearsay.DropUnproven]++
			return true
		}
		f.pastRuling(r)
	}
	p.enough = p.enough || items[0].At < p.until // nobody who left before that has said what is still told
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

// pastRuling notes whose stay the next ruling of the past has ended, or to which life
// it has given a seat.
func (f *Follower) pastRuling(r *hearsay.Ruling) {
	p := &f.past
	p.before, p.hash, p.looked = r.Epoch, r.Previous, p.looked+1
	if p.before == 1 {
		p.before = 0 // it is the first
	}
	f.depart(r)
	if r.Kind == hearsay.RulingSeat || r.Kind == hearsay.RulingRecover {
		f.pinAll(r)
	}
}

// depart notes whose stay a ruling has ended that the node never lists: one of the
// past, or one that came in the same step as the roster.
func (f *Follower) depart(r *hearsay.Ruling) {
	if out := r.Kind == hearsay.RulingRemove || r.Kind == hearsay.RulingLeave; out && f.members.Get(r.Stay.ID) == nil {
		f.past.departed[r.Stay.ID] = struct{}{}
	}
}
