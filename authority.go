package hearsay

import (
	"net/netip"
	"time"
)

// Authority is the seeds' authority over the roster as one node sees it.
type Authority struct {
	Seeded bool         `json:"seeded"` // false: an open network, which has none; all else is zero then
	Seeds  []SeedStatus `json:"seeds"`  // in the order of the configuration
	Quorum int          `json:"quorum"` // of them decide

	// Foreign is the dialect of the seeds if they are an earlier program's: "p1". Then Seeded is false, as our own nodes
	// are an open network; this node is registered with these seeds, and their lists, which nobody has signed, say which
	// nodes are in.
	Foreign string `json:"foreign,omitempty"`

	Key PublicKey `json:"key,omitzero"` // of this node, if it is a seed: what others pin

	// Ready says that a quorum decides now, as far as this node knows: the log of a
	// seed decides what it is asked; of a peer a quorum of seeds have answered it
	// since its start, with the ledger that it follows, and are held alive since.
	Ready bool `json:"ready"`

	// Apart says of a peer that so many seeds are others than those of its ledger that
	// it can never follow them: the network was founded anew without that ledger, or
	// recovered. It is in by a ledger that has ended, and so it is in nothing.
	Apart bool `json:"apart,omitempty"`

	// Waits says that this node is a seed that is part of no network yet: none is
	// founded, or this seed has no seat in it. Why says for what it waits.
	Waits bool `json:"waits,omitempty"`

	// Early says that this node has started, was let in or heard a quorum again less than 5 s ago, or that the seeds elect
	// one that leads: what it does not hear may come yet, and is told as a trouble only after that.
	Early bool `json:"early,omitempty"`

	// Leaves says of a peer that it has asked the seeds to rule that it has left, and that they have not yet.
	Leaves bool `json:"leaves,omitempty"`

	// Ended is the epoch by which the last stay of this peer was over, in the life of its process; 0: none is. Of one that
	// is in again it tells of the stay before.
	Ended Epoch `json:"ended,omitempty"`

	// Stalled says of a seed that it takes part, and that the log of the seeds decides nothing of what
	// it is asked. Why says since when.
	Stalled bool `json:"stalled,omitempty"`

	// Why says of a seed that is not ready why it takes no part, where more is
	// known than that no quorum is heard, and of one that is ready what is wrong with
	// others; of a peer which seeds are not as its list
	// or the ledger has them, or that they have no ledger yet; and of one that is not in
	// what the seeds have answered it.
	Why string `json:"why,omitempty"`

	// Fork says that seats have signed another ledger than the one here; nil: none
	// is known to have. If it is proven, this node follows neither.
	Fork *Fork `json:"fork,omitempty"`

	// that hold: a quorum of seeds was told them; zero on a peer, which does not know them
	Limits Limits `json:"limits,omitzero"`

	Leader int   `json:"leader"` // slot of the seed that leads; -1: not known, as on peers
	Epoch  Epoch `json:"epoch"`  // the newest that this node has applied
	Head   Hash  `json:"head"`   // of the ledger up to it
	Proven Epoch `json:"proven"` // the newest that heads of a quorum prove; on a peer the same as Epoch
}

// SeedStatus is what one node knows of one seed.
type SeedStatus struct {
	Addr  netip.AddrPort `json:"addr"` // as configured
	ID    NodeID         `json:"id,omitzero"`
	Name  string         `json:"name,omitempty"`
	Slot  int            `json:"slot"`
	Met   bool           `json:"met"`            // this node knows its key
	State State          `json:"state,omitzero"` // as the roster has it; zero: not heard of
	// it has its seat and a vote in the log; on peers false, as they do not know it
	Votes bool   `json:"votes,omitempty"`
	Note  string `json:"note,omitempty"` // what a seed that waits knows of it, or what is wrong with it

	// Silent is since when it has answered nobody, or, where State is alive, not this seed, which leads, though pings of
	// some. It is told some seconds later, once a quorum of the others has answered this node since; else zero.
	Silent time.Time `json:"silent,omitzero"`
}

// Bar is a refusal to admit somebody, until it is lifted.
type Bar struct {
	ID   NodeID `json:"id"`
	Name string `json:"name,omitempty"` // as whatever tells of the bar knows it; no part of what seeds agree on
	At   int64  `json:"at"`             // Unix milliseconds
	Why  string `json:"why"`
}
