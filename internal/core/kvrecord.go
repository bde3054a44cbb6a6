package core

import "hearsay/clock"

// KeptObject is a live value of the store, keyed by its dot.
type KeptObject struct {
	*Object
	Gone bool // the key goes; of the object the dot counts
}

// KeptSeen is what was seen of one origin of the store, keyed by that.
type KeptSeen struct {
	Origin clock.Origin
	Ranges []clock.Range // none: the key goes
}

// KeptStore is what a node keeps of its own writes. There is one.
type KeptStore struct {
	Origin   clock.Origin // under which it writes
	Reserved uint64       // numbers up to here may be used
}

// KeptOver is an origin that writes no more, keyed by that.
type KeptOver struct {
	Origin clock.Origin
	Since  int64         // Unix milliseconds
	Seen   []clock.Range // what was seen of it, where it is forgotten
	Gone   bool          // the key goes
}

func (*KeptObject) record() {}
func (*KeptSeen) record()   {}
func (*KeptStore) record()  {}
func (*KeptOver) record()   {}
