package follower

import (
	"net/netip"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// This file applies what is proven. That may be thousands of rulings, which heads
// prove all at once, or a roster of thousands whose claims must be verified. So
// long the node would not answer a ping, and so one step does a part of it, and the
// steps after it the rest.

const (
	appliesAStep = 32 // rulings, at some 4 µs each
)

// rest is what one step has left to the next.
type rest struct {
	at     time.Time      // of the next step; zero: nothing is left
	before hearsay.Epoch  // where the first of these steps began
	from   netip.AddrPort // who gave what is applied
}

// advance applies what is proven, and tells the neighbors when all of it is.
func (f *Follower) advance(now time.Time, from netip.AddrPort) {
	r := &f.rest
	if r.at.IsZero() {
		r.before, r.from = f.epoch, from
	}
	if r.at = (time.Time{}); !f.applyProven(now) {
		r.at = now.Add(ledger.RestEach)
	} else if f.epoch > r.before {
		f.announce(r.before, r.from)
	}
}

// tickRest goes on with what an earlier step has left.
func (f *Follower) tickRest(now time.Time) {
	switch {
	case f.rest.at.IsZero() || now.Before(f.rest.at):
	case f.chain.Forked():
		f.rest.at = time.Time{}
	default:
		f.advance(now, netip.AddrPort{})
	}
}

// applyProven applies rulings in order, as many as a step may, and reports whether
// none is left. What an earlier life has told already is applied in one step, once in
// a life: nobody must see this node as of an epoch before that. After a change of seats the
// rest must be proven by the new ones.
func (f *Follower) applyProven(now time.Time) (all bool) {
	untold := false // there is a roster of which the node lists nobody before this step ends
	for left := appliesAStep; left > 0 || f.epoch < f.floor; {
		before := f.epoch
		if !f.gathered(now) {
			return false
		}
		untold = untold || f.epoch > before
		f.resume(now, before)
		proven := f.chain.Proven()
		if proven < f.floor || proven <= before {
			return true
		}
		f.based = true
		for f.epoch < proven && (left > 0 || f.epoch < f.floor) {
			left--
			r := f.chain.Entry(f.epoch + 1).Ruling
			if !f.apply(now, r) {
				return true
			}
			f.resume(now, r.Epoch-1)
			if untold {
				f.past.depart(r)
			}
			if r.Kind == hearsay.RulingSeat || r.Kind == hearsay.RulingRecover {
				break
			}
		}
		f.keepHeads()
		for _, r := range f.chain.Overtaken(f.epoch) {
			f.noteRival(now, &r)
		}
		if f.trim(); f.chain.Forked() {
			return true
		}
	}
	return false
}

// resume says, once, that all is here of which an earlier life has told.
func (f *Follower) resume(now time.Time, before hearsay.Epoch) {
	if before < f.floor && f.epoch >= f.floor {
		f.out.Events = append(f.out.Events, hearsay.Event{At: now, Kind: hearsay.EventResumed, Epoch: f.floor, Count: f.members.Count})
	}
}
