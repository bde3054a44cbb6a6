package quorum

import (
	"time"

	"hearsay"
)

// This file is how a follower that was away finds out who sits where, when so many
// seats have changed that those it knows are no quorum any more: the roster that it gets
// is signed by seats that it does not know. Each ruling about a seat has the ballots of
// a quorum of those who sat there before, so these rulings prove each other, from the
// follower's own epoch on. Seeds may have them on disk only, and read there what is
// right before an epoch. So the follower asks one seed for one part after the other, and if
// that does not help another one for all of it: one may leave out what it likes.
//
//	peer, at epoch 40                       seed, at epoch 90,000
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

// walk is how far a follower has looked through the rulings after its epoch. The zero
// walk is none.
type walk struct {
	next  hearsay.Epoch // the ruling to be looked at next; 0: none
	end   hearsay.Epoch // the last one, as who gave a roster says
	most  hearsay.Epoch // that are asked for at once
	vain  int           // questions since one that brought something
	slot  int           // of the seed that is asked
	askAt time.Time
}

// begin begins after an epoch whose ledger is known, with the seed in a slot.
func (w *walk) begin(known, end hearsay.Epoch, slot int) {
	*w = walk{next: known + 1, end: end, most: hearsay.MaxRulings, slot: slot}
	if w.next > w.end {
		w.next = 0
	}
}

// under reports whether a walk is under way.
func (w *walk) under() bool { return w.next > 0 }

// before is the epoch right before which the rulings are that are wanted.
func (w *walk) before() hearsay.Epoch { return min(w.next+w.most, w.end+1) }

// tickWalk asks for the next part.
func (f *Follower) tickWalk(now time.Time) {
	w := &f.walk
	if !w.under() || now.Before(w.askAt) {
		return
	}
	if w.vain++; w.vain > walkTries || f.epoch >= w.next {
		w.next = 0 // what it has found suffices, or a roster that cannot be proven begins another
		return
	}
	if w.vain > 1 {
		w.slot = (w.slot + 1) % len(f.cfg.Seeds)
	}
	w.askAt = now.Add(f.about(recallEvery))
	f.send(f.cfg.Seeds[w.slot].Addr, &hearsay.LedgerReq{Before: w.before()})
}

// takeWalk takes rulings from a seed: those that are wanted, or only the last of them, as not
// all fit a message, or as not all are in its memory. Of these the rulings about seats may rest
// on those before, and then they do not hold yet. It asks for fewer, and for more again as long
// as they fit.
func (f *Follower) takeWalk(now time.Time, p *hearsay.Packet, items []*hearsay.Ruling, hold bool) {
	w := &f.walk
	n := hearsay.Epoch(len(items))
	if !w.under() || n == 0 || p.Addr != f.cfg.Seeds[w.slot].Addr || items[n-1].Epoch != w.before()-1 || items[0].Epoch != w.before()-n {
		return
	}
	first := items[0].Epoch
	if first <= w.next && !hold {
		return // a message costs its forger no less than this node
	}
	w.vain, w.askAt = 0, now.Add(walkEvery)
	if first > w.next {
		w.most = min(n, first-w.next)
		return
	}
	w.next, w.most = w.before(), min(w.most+w.most/8+1, hearsay.MaxRulings)
	if w.next > w.end {
		w.next = 0
		f.ask(now, p.Addr)
	}
}
