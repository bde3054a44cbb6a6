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
	stats *hearsay.Stats

	items  []hearsay.Rumor // storage of one step's packets
	bodies []core.Rumors
	dots   []clock.Dot
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
