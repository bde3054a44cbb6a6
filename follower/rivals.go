package follower

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file is about seats that have signed what cannot be together with the ledger here: see quorum/rivals.go.

// Fork tells what is known of another ledger than the one here; nil: nothing.
func (f *Follower) Fork() *hearsay.Fork { return f.chain.Fork(f.cfg.Seeds) }

// noteRival keeps a proof, tells it, and passes it on. With a quorum of them this
// peer follows no ledger any more.
func (f *Follower) noteRival(now time.Time, r *core.Rival) {
	c := &f.chain
	if !c.TakeRival(r) {
		return
	}
	f.out.Persist = append(f.out.Persist, &core.KeptRival{Slot: r.Head.Slot, Rival: *r})
	f.out.Events = append(f.out.Events, c.ForkEvent(now, r.Epoch, r.Head.Slot, f.seats.keys(), f.cfg.Seeds))
	for _, addr := range f.directory.Links() {
		f.send(addr, &core.Rulings{Heads: c.Newest()})
	}
	if c.Forked() {
		f.gathering.forget()
	}
}

func (f *Follower) parted(now time.Time, items []*hearsay.Ruling) {
	if !f.based {
		return
	}
	for _, r := range f.chain.Parted(items, f.epoch) {
		f.noteRival(now, &r)
	}
}
