package overlay

import (
	"time"

	"hearsay/internal/core"
)

// This file owns what tells a power-law overlay from a random one: which nodes a
// node is likely to be linked with, and how many links it has.
//
// A node that comes in asks for half the links that it should have in the
// mean, and later ones will ask it for the other half: more likely so the more
// links it has already (Barabási and Albert, "Emergence of Scaling in Random
// Networks", 1999). Nobody knows the degrees of others in advance, and a node that
// asks can be told anything. So the one that is asked decides: drawn evenly, it
// accepts with a probability that is proportional to its own degree, which comes
// to the same.

const (
	powerLawMost    = 4  // times Config.Links: a node's links at most, so that a few do not carry all
	powerLawCeiling = 64 // and never more: what package rumor tells of a link takes a bit
)

// least is under how many links a node asks for more.
func (o *Overlay) least() int {
	if o.cfg.Kind == KindPowerLaw {
		return o.cfg.Links/2 + 1 // two are of ring 0
	}
	return o.cfg.Links
}

// most is how many links a node has at most.
func (o *Overlay) most() int {
	if o.cfg.Kind == KindPowerLaw {
		return min(powerLawMost*o.cfg.Links, powerLawCeiling)
	}
	return 2 * o.cfg.Links
}

// attracts decides whether this node takes one that asked for a link.
func (o *Overlay) attracts() bool {
	if o.cfg.Kind != KindPowerLaw {
		return true
	}
	return o.random.IntN(max(1, min(o.most(), o.trusted()))) < max(1, len(o.links))
}

// refused puts the next Hello off, after one that was answered so. Of a
// power-law overlay that is what most answers are: a node goes on asking, and
// slows down little by little.
func (o *Overlay) refused(now time.Time, m *core.HelloAck) {
	if o.cfg.Kind != KindPowerLaw || int(m.Degree) >= o.most() {
		o.backOff(now)
		return
	}
	d := &o.drawn
	const slower = 32 // a part longer each time: a hundred refusals take one a minute
	d.askAt = now.Add(d.backoff)
	d.backoff = min(d.backoff+d.backoff/slower, helloMax)
}

// confirmAfter is when to ask after the next link: however many there are, each
// has its turn within the same time.
func (o *Overlay) confirmAfter() time.Duration {
	usual := 2 * o.cfg.Links
	return confirmEvery * time.Duration(usual) / time.Duration(max(usual, len(o.drawn.links)))
}
