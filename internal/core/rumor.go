package core

import (
	"hearsay"
)

// ReservedNumbers is how far this node may have numbered its rumors. There is
// one. What lies between the last number used and the reservation is lost at
// a crash, and never used again.
type ReservedNumbers struct{ Upto uint64 }

func (*ReservedNumbers) record() {}

// KeptRumor is a rumor of this node's own that is still retained, keyed by its
// number: said before a crash, it is told after it, unless it is too old by then.
type KeptRumor struct {
	Number uint64
	Said   int64          // Unix milliseconds, by the node's clock; 0: not known
	Rumor  *hearsay.Rumor // nil: the key goes
}

func (*KeptRumor) record() {}
