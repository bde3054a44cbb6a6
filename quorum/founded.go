package quorum

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"hearsay"
)

// This file is how a follower knows of which founding the ledger is that it
// follows: heads of another are not believed, though the same keys have signed them.
// Seeds say it in their hellos, which repeat a nonce, so an old one cannot be sent
// again. What a quorum of them says is so. Who has followed before has kept heads,
// which say it too. Before it is known, nothing is proven.

// agreed gives the founding that a quorum of so many seeds names, or zero.
func agreed(named []hearsay.Hash, seeds int) hearsay.Hash {
	for _, one := range named {
		same := 0
		for _, other := range named {
			if one == other {
				same++
			}
		}
		if same >= hearsay.QuorumOf(seeds) {
			return one
		}
	}
	return hearsay.Hash{}
}

// kept gives the founding that the heads on disk name.
func (c *chain) kept() hearsay.Hash {
	named := make([]hearsay.Hash, c.seeds)
	for slot := range named {
		named[slot] = c.ahead[slot].Founding
	}
	return agreed(named, c.seeds)
}

// Ledger is what is signed in the ledger here is about.
func (f *Follower) Ledger() hearsay.LedgerID {
	return hearsay.LedgerID{Network: f.cfg.Network, Founding: f.chain.founding}
}

// takeFounding takes in which founding a seed that is known says that it takes part.
func (f *Follower) takeFounding(now time.Time, m *hearsay.SeatHello) {
	f.told[m.Slot] = m.Founding
	before := f.chain.founding
	if f.begin(); f.chain.founding != before {
		f.advance(now, netip.AddrPort{})
	}
}

// founding is the one that a quorum of seeds names, or else that of the ledger here.
func (f *Follower) founding() hearsay.Hash {
	told := agreed(f.told[:len(f.cfg.Seeds)], len(f.cfg.Seeds))
	if told.IsZero() {
		return f.chain.founding
	}
	return told
}

// begin has the ledger here be of the founding that a quorum of seeds names. Where
// another one is followed, it must lead over to it: seeds that lost their quorum have
// recovered it. A roster that comes whole need not.
func (f *Follower) begin() {
	told := f.founding()
	if g := &f.gathering; g.whole() && told != g.chain.founding {
		g.chain.begin(told)
	}
	if told == f.chain.founding || f.based && !f.chain.recovers(told) {
		return
	}
	f.chain.begin(told)
	f.floor = 0 // it was of another
}

// began gives the epoch of the recovery that the founding here is; 0: it is none, or is not
// in memory. Who sat where before says nothing of who signs heads now.
func (c *chain) began() hearsay.Epoch {
	for i := range slices.Backward(c.links) {
		if l := &c.links[i]; l.ruling.Kind == hearsay.RulingRecover && l.hash == c.founding {
			return l.ruling.Epoch
		}
	}
	return 0
}

// recovers reports whether a ledger has begun anew by the ruling with this hash.
func (c *chain) recovers(hash hearsay.Hash) bool {
	for i := range c.links {
		if l := &c.links[i]; l.ruling.Kind == hearsay.RulingRecover && l.hash == hash {
			return true
		}
	}
	return false
}

// anotherFounding is the doubt about a seed that takes part in another founding than
// the ledger here is of.
func (f *Follower) anotherFounding(slot int) doubt {
	addr := f.cfg.Seeds[slot].Addr
	return doubt{note: "is of another founding", text: fmt.Sprintf("the seed at %v takes part in another founding of this network than the ledger here, "+
		"which ends with epoch %d: if the network was founded anew, start this node again, with an empty data directory if it says the same then", addr, f.epoch)}
}
