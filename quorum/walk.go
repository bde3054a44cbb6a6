package quorum

import (
	"time"

	"hearsay"
)

// This file is how a node that was away finds out who sits where, when so many seats have
// changed that those it knows are no quorum any more: the roster that a peer gets is signed by
// seats that it does not know, and the snapshot that a seed gets names such. Each ruling
// about a seat has the ballots of a quorum of those who sat there before, so these rulings
// prove each other, from the node's own epoch on. Seeds may have them on disk only, and read
// there what is right before an epoch. So the node asks one seed for one part after the other,
// and if that does not help another one for all of it: one may leave out what it likes.
//
//	node, at epoch 40                       seed, at epoch 90,000
//	  |--- LedgerReq{Before: 297} -------->|
//	  |<--------------- Rulings 41 … 296 --|   who sits where after these is known now
//	  |--- LedgerReq{Before: 553} -------->|   and so on, and then for the roster again

const (
	// walkEvery is the time between two answered questions: a source may have as many
	// read.
	walkEvery = readEvery

	// walkTries is how many questions in a row may bring nothing new. A guess: after one
	// the next seed is asked, and of five two may be gone, and one busy.
	walkTries = 10
)

// walk is how far a node has looked through the rulings after its epoch. The zero
// walk is none.
type walk struct {
	next  hearsay.Epoch // the ruling to be looked at next; 0: none
	end   hearsay.Epoch // the last one, as who has told of it says
	most  hearsay.Epoch // that are asked for at once
	vain  int           // questions since one that brought something
	slot  int           // of the seed that is asked
	first int           // of the one that was asked first
	askAt time.Time
}

// begin begins after an epoch whose ledger is known, with the seed in a slot.
func (w *walk) begin(known, end hearsay.Epoch, slot int) {
	*w = walk{next: known + 1, end: end, most: hearsay.MaxRulings, slot: slot, first: slot}
	if w.next > w.end {
		w.next = 0
	}
}

// under reports whether a walk is under way.
func (w *walk) under() bool { return w.next > 0 }

// before is the epoch right before which the rulings are that are wanted.
func (w *walk) before() hearsay.Epoch { return min(w.next+w.most, w.end+1) }

// due reports whether the seed in slot is asked for the next part, by a node that has come to
// an epoch. After a question in vain it is the next of the seeds, but not the one in own.
func (w *walk) due(now time.Time, known hearsay.Epoch, seeds, own int) bool {
	if !w.under() || now.Before(w.askAt) {
		return false
	}
	if w.vain++; w.vain > walkTries || known >= w.next {
		w.next = 0 // what it has found suffices, or what cannot be proven begins another
		return false
	}
	if w.vain > 1 {
		w.slot = (w.slot + 1) % seeds
	}
	if w.slot == own {
		w.slot = (w.slot + 1) % seeds
	}
	return true
}

// take takes rulings that the seed in slot has sent, and reports whether they are the last that
// were wanted. They are those that are wanted, or only the last of them, as not
// all fit a message, or as not all are in its memory. Of these the rulings about seats may rest
// on those before, and then they do not hold yet. It asks for fewer, and for more again as long
// as they fit.
func (w *walk) take(now time.Time, items []*hearsay.Ruling, hold bool) (done bool) {
	n := hearsay.Epoch(len(items))
	if !w.under() || n == 0 {
		return false
	}
	first := items[0].Epoch
	if items[n-1].Epoch != w.before()-1 || first != w.before()-n || first <= w.next && !hold {
		return false // a message costs its forger no less than this node
	}
	w.vain, w.askAt = 0, now.Add(walkEvery)
	if first > w.next {
		w.most = min(n, first-w.next)
		return false
	}
	w.next, w.most = w.before(), min(w.most+w.most/8+1, hearsay.MaxRulings)
	if done = w.next > w.end; done {
		w.next = 0
	}
	return done
}

// tickWalk asks for the next part.
func (f *Follower) tickWalk(now time.Time) {
	if w := &f.walk; w.due(now, f.epoch, len(f.cfg.Seeds), hearsay.MaxSeeds) {
		w.askAt = now.Add(f.about(recallEvery))
		f.send(f.cfg.Seeds[w.slot].Addr, &hearsay.LedgerReq{Before: w.before()})
	}
}

// tickWalk asks for the next part. A walk begins for a snapshot whose seats are not known.
func (q *Quorum) tickWalk(now time.Time) {
	w := &q.walk
	for i := 1; i <= len(q.cfg.Seeds) && !w.under(); i++ {
		slot := (w.first + i) % len(q.cfg.Seeds)
		if o := q.replica.offers[slot]; o != nil && !q.knowsSeats(o) {
			w.begin(q.state.Epoch, o.snapshot.Epoch, slot)
		}
	}
	if w.due(now, q.state.Epoch, len(q.cfg.Seeds), q.cfg.Slot) {
		w.askAt = now.Add(recallEvery)
		q.send(q.cfg.Seeds[w.slot].Addr, &hearsay.LedgerReq{Before: w.before()})
	}
}
