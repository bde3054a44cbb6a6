package ledger

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
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
	// ReadEvery is the time from one read of a seed's disk for a source to the next, and so between two answered
	// questions. A guess.
	ReadEvery = 200 * time.Millisecond

	// RecallEvery is the time between two questions of which the first was not answered.
	RecallEvery = time.Second

	// walkTries is how many questions in a row may bring nothing new. A guess: after one
	// the next seed is asked, and of five two may be gone, and one busy.
	walkTries = 10
)

// Walk is how far a node has looked through the rulings after its epoch. The zero
// walk is none.
type Walk struct {
	Next  hearsay.Epoch // the ruling to be looked at next; 0: none
	end   hearsay.Epoch // the last one, as who has told of it says
	most  hearsay.Epoch // that are asked for at once
	vain  int           // questions since one that brought something
	Slot  int           // of the seed that is asked
	First int           // of the one that was asked first
	AskAt time.Time
}

// Begin begins after an epoch whose ledger is known, with the seed in a slot.
func (w *Walk) Begin(known, end hearsay.Epoch, slot int) {
	*w = Walk{Next: known + 1, end: end, most: core.MaxRulings, Slot: slot, First: slot}
	if w.Next > w.end {
		w.Next = 0
	}
}

// Under reports whether a walk is under way.
func (w *Walk) Under() bool { return w.Next > 0 }

// Before is the epoch right before which the rulings are that are wanted.
func (w *Walk) Before() hearsay.Epoch { return min(w.Next+w.most, w.end+1) }

// Due reports whether the seed in slot is asked for the next part, by a node that has come to
// an epoch. After a question in vain it is the next of the seeds, but not the one in own.
func (w *Walk) Due(now time.Time, known hearsay.Epoch, seeds, own int) bool {
	if !w.Under() || now.Before(w.AskAt) {
		return false
	}
	if w.vain++; w.vain > walkTries || known >= w.Next {
		w.Next = 0 // what it has found suffices, or what cannot be proven begins another
		return false
	}
	if w.vain > 1 {
		w.Slot = (w.Slot + 1) % seeds
	}
	if w.Slot == own {
		w.Slot = (w.Slot + 1) % seeds
	}
	return true
}

// Take takes rulings that the seed in slot has sent, and reports whether they are the last that
// were wanted. They are those that are wanted, or only the last of them, as not
// all fit a message, or as not all are in its memory. Of these the rulings about seats may rest
// on those before, and then they do not hold yet. It asks for fewer, and for more again as long
// as they fit.
func (w *Walk) Take(now time.Time, items []*hearsay.Ruling, hold bool) (done bool) {
	n := hearsay.Epoch(len(items))
	if !w.Under() || n == 0 {
		return false
	}
	first := items[0].Epoch
	if items[n-1].Epoch != w.Before()-1 || first != w.Before()-n || first <= w.Next && !hold {
		return false // a message costs its forger no less than this node
	}
	w.vain, w.AskAt = 0, now.Add(ReadEvery)
	if first > w.Next {
		w.most = min(n, first-w.Next)
		return false
	}
	w.Next, w.most = w.Before(), min(w.most+w.most/8+1, core.MaxRulings)
	if done = w.Next > w.end; done {
		w.Next = 0
	}
	return done
}
