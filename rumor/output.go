package rumor

import (
	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// keptItems is how much storage is kept between steps, of each kind.
const keptItems = 64

// output is what a step hands out, and what is counted.
type output struct {
	*core.Effects
	drops *hearsay.Drops
	stats Stats

	items  []hearsay.Rumor // storage of one step's packets
	bodies []core.Rumors
	dots   []clock.Dot
}

// Stats are the figures of rumors.
type Stats struct {
	Said       uint64 // by this node
	Delivered  uint64 // also of this node's own
	Duplicates uint64 // payloads that came again
	Conflicts  uint64 // payloads under a name that is taken
	Payloads   uint64 // sent
	Names      uint64 // sent, in packets of IHave
	Grafts     uint64 // sent
	Places     uint64 // sent
	Compares   uint64 // hashes sent
	Exchanges  uint64 // lists of ranges sent because hashes differed
	Unsent     uint64 // payloads that a link's queue had no room for
	Missed     uint64 // numbers counted as seen because nobody holds them any more
	Held       int    // in the store
	HeldBytes  int    // of payload
}

// begin makes the storage of the last step free.
func (o *output) begin() {
	if clear(o.items); cap(o.items) > keptItems {
		o.items = nil
	}
	if cap(o.bodies) > keptItems {
		o.bodies = nil
	}
	if cap(o.dots) > keptItems {
		o.dots = nil
	}
	o.items, o.bodies, o.dots = o.items[:0], o.bodies[:0], o.dots[:0]
}

// body gives a body that is valid until the next step.
func (o *output) body(items []hearsay.Rumor, missed []core.SeenRange) *core.Rumors {
	o.bodies = append(o.bodies, core.Rumors{Items: items, Missed: missed})
	return &o.bodies[len(o.bodies)-1]
}

// send sends a packet. One that has or names a rumor of this node's own waits until that is on disk.
func (o *output) send(own bool, p core.Packet) {
	if own {
		o.Send = append(o.Send, p)
	} else {
		o.Now = append(o.Now, p)
	}
}
