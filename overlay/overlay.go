// Package overlay decides which nodes link with each other: a few neighbors of each node,
// to which it passes rumors and the news of members. It owns the links of this
// node and nothing that goes over them.
//
// A link is symmetric, and the graph of all links is connected whatever its
// kind: the two members between which a node stands on ring 0 are always among
// its neighbors. Both ends compute that from the roster, so nobody can talk
// them out of it, and nodes of different kinds can be in one network.
//
// # Ring
//
// All links are computed: the successor and the predecessor on each of the
// first rings (package ring). That is an expander of bounded degree, and it
// needs no packet. While two rosters differ so do a few links.
//
// # Random
//
// The links besides those of ring 0 are drawn and agreed upon.
//
//	A                        B
//	|--- Hello --------------->|   A has fewer links than it should; B was drawn
//	|<----------- HelloAck ----|   accepted: B has the link, and A when it hears so
//
//	|--- Hello --------------->|   again over each link now and then: an end that
//	|<----------- HelloAck ----|   was forgotten by the other is made new, or let go
//
//	|--- Unlink -------------->|   the ack did not come in time, or too late
//
//	B                        A
//	|--- Hello --------------->|   B does not know whether its ack came: it asks after a second
//	|<----------- HelloAck ----|
//
// # Power law
//
// As random, but a node that is asked accepts the more likely the more links it
// has, so that a few come to have many. It is here to be compared, and gains
// nothing over the ring: of 1000 such nodes with six links in the mean a message
// takes as many hops, and when the fifth with most links fails, the links that
// were drawn leave half of the rest in one piece. It is ring 0 that holds 99.6 % of
// them together; of ring overlays all (measured: TestPowerLawBeheaded).
//
// # Suspects
//
// The link to a suspect is passed over: the next on the ring stands in, or
// another is drawn. It comes back when the suspect is trusted again, and goes
// when it dies.
//
// # Outside
//
// A node that is not in, in a network in which seeds decide that, is outside:
// it has no links, and neither asks for one nor agrees to one. It knows which nodes it
// would stand between all the same.
package overlay

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// Limits of Config.Links.
const (
	LinksMin = 2
	LinksMax = 32
)

// Kind is how links are chosen.
type Kind uint8

// The kinds.
const (
	KindRing     Kind = iota // computed from the roster
	KindRandom               // drawn, by Hello and HelloAck; and ring 0
	KindPowerLaw             // the same, but a node that has many links is given more
	numKinds
)

var kindWords = [numKinds]string{KindRing: "ring", KindRandom: "random", KindPowerLaw: "powerlaw"}

// String gives the kind's word.
func (k Kind) String() string {
	if k < numKinds {
		return kindWords[k]
	}
	return "unknown"
}

// MarshalText gives the form of String.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText takes the form of String.
func (k *Kind) UnmarshalText(text []byte) error {
	i := slices.Index(kindWords[:], string(text))
	if i < 0 {
		return fmt.Errorf("%q: want ring, random or powerlaw", text)
	}
	*k = Kind(i)
	return nil
}

// Config are the knobs of the overlay.
type Config struct {
	Kind Kind // default ring

	// Links is how many neighbors a node has, LinksMin to LinksMax; a ring
	// overlay takes two on each ring, so that an odd number is one less; a
	// random one has up to twice as many; a power-law one has so many in the
	// mean, and from half to four times of it.
	//
	// Default 6. A broadcast costs each node one payload, and most of another
	// packet for names: 1.93 in all with 6 links, 1.84 with 4, which more would
	// exceed two. What 6 buy: 6 hops across 1000 nodes instead of 8, and by the
	// tree of rumors 13 instead of 21; and if every fifth of 1000 dies at once, 0.1
	// instead of 1.3 of the rest are cut off for the moment until links move on
	// (measured: TestStaticGraphs, and TestThousandNodes of rumor).
	Links int
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config { return Config{Kind: KindRing, Links: 6} }

// Directory tells of the living members other than this node. The overlay keeps
// no list of them: in a large network that would be its largest table, and said
// twice.
type Directory struct {
	Addr  func(hearsay.NodeID) (netip.AddrPort, bool) // where one is reached; not ok is one that is none of them
	Count func() int
	Other func(i int) hearsay.NodeID // one of so many, from 0
}

// Overlay is the links of one node.
//
// Changes are told at the next Tick, which is due at once: whatever happened
// within one step, a neighbor that came and went makes no news.
type Overlay struct {
	cfg       Config
	self      hearsay.NodeID
	directory Directory
	random    *rand.Rand
	stats     *hearsay.Stats
	out       *core.Effects

	suspects []hearsay.NodeID // members that are passed over; ascending
	outside  bool             // this node is not in

	near  []pair // on each ring
	drawn drawn  // of an overlay that is agreed upon

	links   []hearsay.NodeID // as told; ascending
	before  []hearsay.NodeID // storage
	changed time.Time        // since when links are not what they should be, perhaps; zero: they are
	never   time.Time
}

// New makes an overlay that knows nobody. What it wants done goes to out; the
// input that it drops is counted in stats.
func New(cfg Config, self hearsay.NodeID, directory Directory, random *rand.Rand, stats *hearsay.Stats, out *core.Effects, now time.Time) *Overlay {
	const century = 100 * 365 * 24 * time.Hour
	cfg.Links = min(max(LinksMin, cfg.Links), LinksMax)
	o := &Overlay{
		cfg: cfg, self: self, directory: directory, random: random, stats: stats, out: out,
		never: now.Add(century),
	}
	rings := 1
	if cfg.Kind == KindRing {
		rings = cfg.Links / 2
	}
	o.near = make([]pair, rings)
	o.drawn.begin(now)
	return o
}

// Links are the neighbors, ascending. They are valid until the next step.
func (o *Overlay) Links() []hearsay.NodeID { return o.links }

// Linked reports whether the member is a neighbor.
func (o *Overlay) Linked(id hearsay.NodeID) bool { return has(o.links, id) }

// Around are the members between which this node stands on the rings, ascending,
// suspects passed over. Inside they are among its links.
func (o *Overlay) Around() (ids []hearsay.NodeID) {
	for _, p := range o.near {
		if p.found {
			ids = append(ids, p.next, p.before)
		}
	}
	slices.SortFunc(ids, hearsay.NodeID.Compare)
	return slices.Compact(ids)
}

// Withdraw puts this node outside: it has no links from now. The other ends of
// those that were drawn learn from the same source that it is not in.
func (o *Overlay) Withdraw(now time.Time) {
	if o.outside {
		return
	}
	o.outside = true
	o.drawn.links, o.drawn.doubts, o.drawn.asked = nil, nil, hearsay.NodeID{}
	o.touch(now)
}

// Enter puts this node inside.
func (o *Overlay) Enter(now time.Time) {
	if !o.outside {
		return
	}
	o.outside = false
	o.drawn.retry(now)
	o.touch(now)
}

// Add takes in a member that lives from now, or again, and is in the directory.
// The cost is that of looking at it on each ring.
func (o *Overlay) Add(now time.Time, id hearsay.NodeID) {
	if id == o.self || has(o.suspects, id) {
		o.Trust(now, id)
		return
	}
	o.drawn.retry(now)
	o.enter(now, id)
}

// Remove lets go of a member that is dead or has left, and is off the
// directory. The rings are looked through only for one that was a neighbor on
// them.
func (o *Overlay) Remove(now time.Time, id hearsay.NodeID) {
	if at, found := search(o.suspects, id); found {
		o.suspects = slices.Delete(o.suspects, at, at+1)
	}
	if o.drawn.remove(id) {
		o.touch(now)
	}
	o.exit(now, id)
}

// Suspect passes a member over, until it is trusted again or removed.
func (o *Overlay) Suspect(now time.Time, id hearsay.NodeID) {
	at, found := search(o.suspects, id)
	if found || !o.lists(id) {
		return
	}
	o.suspects = slices.Insert(o.suspects, at, id)
	o.drawn.sure(id) // there is no asking it
	if o.drawn.has(id) {
		o.touch(now)
	}
	o.exit(now, id)
}

// Trust takes a suspect back.
func (o *Overlay) Trust(now time.Time, id hearsay.NodeID) {
	at, found := search(o.suspects, id)
	if !found {
		return
	}
	o.suspects = slices.Delete(o.suspects, at, at+1)
	if o.drawn.has(id) {
		o.doubt(now, id) // where this node was a suspect, too, it may have made way
		o.touch(now)
	}
	o.enter(now, id)
}

// Tick lets time pass.
func (o *Overlay) Tick(now time.Time) {
	o.tell(now)
	if o.cfg.Kind != KindRing {
		o.tickRandom(now)
		o.tell(now)
	}
}

// Deadline is when Tick must be called next.
func (o *Overlay) Deadline() time.Time {
	at := o.never
	if o.cfg.Kind != KindRing {
		at = o.deadlineRandom()
	}
	if !o.changed.IsZero() && o.changed.Before(at) {
		at = o.changed
	}
	return at
}

// touch notes that the links may have to change.
func (o *Overlay) touch(now time.Time) {
	if o.changed.IsZero() {
		o.changed = now
	}
}

// tell brings the links up to date, and tells which members are no neighbors any more and
// which are from now.
func (o *Overlay) tell(now time.Time) {
	if o.changed.IsZero() {
		return
	}
	o.changed = time.Time{}
	before := append(o.before[:0], o.links...)
	o.before = before
	if o.links = o.links[:0]; !o.outside {
		o.gather()
	}
	for _, id := range before {
		if !has(o.links, id) {
			o.event(hearsay.Event{At: now, Kind: hearsay.EventUnlinked, Subject: id})
		}
	}
	for _, id := range o.links {
		if !has(before, id) {
			o.event(hearsay.Event{At: now, Kind: hearsay.EventLinked, Subject: id})
		}
	}
}

// gather makes the links what they should be.
func (o *Overlay) gather() {
	for _, p := range o.near {
		if p.found {
			o.links = append(o.links, p.next, p.before)
		}
	}
	for _, id := range o.drawn.links {
		if !has(o.suspects, id) {
			o.links = append(o.links, id)
		}
	}
	slices.SortFunc(o.links, hearsay.NodeID.Compare)
	o.links = slices.Compact(o.links)
}

func (o *Overlay) event(e hearsay.Event) { o.out.Events = append(o.out.Events, e) }

// trusted is how many members there are to link with.
func (o *Overlay) trusted() int { return o.directory.Count() - len(o.suspects) }

// lists reports whether somebody is a living member.
func (o *Overlay) lists(id hearsay.NodeID) bool {
	_, ok := o.directory.Addr(id)
	return ok
}

// degree is what others are told of how many links this node has.
func (o *Overlay) degree() uint8 { return uint8(len(o.links)) } // at most 2 × LinksMax

// search finds id, or where it belongs, in ids, which ascend.
func search(ids []hearsay.NodeID, id hearsay.NodeID) (at int, found bool) {
	return slices.BinarySearchFunc(ids, id, hearsay.NodeID.Compare)
}

func has(ids []hearsay.NodeID, id hearsay.NodeID) bool {
	_, found := search(ids, id)
	return found
}
