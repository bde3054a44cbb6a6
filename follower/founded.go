package follower

import (
	"fmt"
	"net/netip"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// This file is how a follower knows of which founding the ledger is that it
// follows: heads of another are not believed, though the same keys have signed them.
// Seeds say it in their hellos, which repeat a nonce, so an old one cannot be sent
// again. What a quorum of them says is so. Who has followed before has kept heads,
// which say it too. Before it is known, nothing is proven.

// Ledger is what is signed in the ledger here is about.
func (f *Follower) Ledger() hearsay.LedgerID {
	return hearsay.LedgerID{Network: f.cfg.Network, Founding: f.chain.Founding}
}

// takeFounding takes in which founding a seed that is known says that it takes part.
func (f *Follower) takeFounding(now time.Time, m *core.SeatHello) {
	f.seats.told[m.Slot] = m.Founding
	before := f.chain.Founding
	if f.begin(); f.chain.Founding != before {
		f.advance(now, netip.AddrPort{})
	}
}

// founding is the one that a quorum of seeds names, or else that of the ledger here.
func (f *Follower) founding() hearsay.Hash {
	told := ledger.AgreedFounding(f.seats.told[:len(f.cfg.Seeds)], len(f.cfg.Seeds))
	if told.IsZero() {
		return f.chain.Founding
	}
	return told
}

// begin has the ledger here be of the founding that a quorum of seeds names. Where
// another one is followed, it must lead over to it: seeds that lost their quorum have
// recovered it. A roster that comes whole need not.
func (f *Follower) begin() {
	told := f.founding()
	if g := &f.gathering; g.whole() && told != g.chain.Founding {
		g.chain.Begin(told)
	}
	if told == f.chain.Founding || f.based && !f.chain.Recovers(told) {
		return
	}
	f.chain.Begin(told)
	f.floor = 0 // it was of another
}

// anotherFounding is the mismatch of a seed that takes part in another founding than
// the ledger here is of.
func (ss *seats) anotherFounding(slot int) ledger.Mismatch {
	addr := ss.peer.cfg.Seeds[slot].Addr
	return ledger.Mismatch{Note: "is of another founding", Text: fmt.Sprintf("the seed at %v takes part in another founding of this network than the ledger here, "+
		"which ends with epoch %d: if the network was founded anew, start this node again, with an empty data directory if it says the same then", addr, ss.peer.epoch)}
}
