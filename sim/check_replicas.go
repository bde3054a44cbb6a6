package sim

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/spread"
)

// This file holds the stores of all nodes to being the same when all is over: what was seen, and what is live, to the
// byte.

// storeTime is how long it may take until all stores are the same: a ping that tells of another hash must come to each
// on a way of so many hops, or as often as an exchange fails.
func (c *convergence) storeTime() time.Duration {
	const compares = 10
	if c.world.lastWritten == 0 {
		return 0
	}
	return spread.AskMost + compares*spread.PingsEach*c.world.config.Detect.Longest() + c.partsTime()
}

// partsTime is how long it takes to fetch all that is long in parts, one after the other and over some hops.
func (c *convergence) partsTime() time.Duration {
	const hops = 4
	w, parts := c.world, 0
	for i := range w.check.written.values {
		if v := &w.check.written.values[i]; !v.refused && !v.replaced && v.size > w.config.Store.Give {
			parts += v.size / w.config.Store.Part
		}
	}
	return time.Duration(hops*parts) * 2 * (w.network.delay + w.network.spread)
}

// unequal says which store is not as another, if any.
func (c *convergence) unequal() string {
	w := c.world
	var first *machine
	for i := range w.machines {
		m := &w.machines[i]
		if w.lastWritten == 0 || !c.steady(m) || w.isSeed(m) {
			continue
		}
		if first == nil {
			first = m
		}
		if problem := w.check.written.unlike(m, first); problem != "" {
			return m.name + " " + problem
		}
	}
	return ""
}

// unlike says what a node's store has that another's has not, if anything.
func (s *written) unlike(m, other *machine) string {
	a, b := m.node.Gossip().Replica(), other.node.Gossip().Replica()
	mine, theirs := allOf(m), allOf(other)
	for i := range max(len(mine), len(theirs)) {
		if i >= len(mine) || i >= len(theirs) || !reflect.DeepEqual(mine[i], theirs[i]) {
			return fmt.Sprintf("holds %s, and %s holds %s", s.named(mine[min(i, len(mine)):]), other.name, s.named(theirs[min(i, len(theirs)):]))
		}
	}
	same := true
	for _, origin := range slices.Concat(a.Seen().Origins(), b.Seen().Origins()) {
		_, over := a.Over(origin)
		if _, there := b.Over(origin); over || there {
			same = false // each forgets it by its own clock
			continue
		}
		if has, had := a.Seen().Of(origin), b.Seen().Of(origin); !slices.Equal(has, had) {
			return fmt.Sprintf("has seen %v of %v, and %s has seen %v", has, origin, other.name, had)
		}
	}
	if same && a.Hash() != b.Hash() {
		return fmt.Sprintf("has store %x, and %s has %x", a.Hash(), other.name, b.Hash())
	}
	return ""
}

// named gives the first of some objects in words.
func (s *written) named(objects []*core.Object) string {
	if len(objects) == 0 {
		return "no more"
	}
	o := objects[0]
	if n, known := s.byText[string(o.Value)]; known {
		return fmt.Sprintf("%s (%s, number %d of %v)", s.values[n].text, o.Key, o.Dot.Counter, o.Dot.Origin)
	}
	return fmt.Sprintf("%.40q (%s)", o.Value, o.Key)
}

// allOf gives all that a node's store holds, in the order of keys.
func allOf(m *machine) (all []*core.Object) {
	r := m.node.Gossip().Replica()
	for _, o := range r.List(time.Time{}, "", "", keysMost) {
		all = r.Siblings(time.Time{}, o.Key, all)
	}
	return all
}

// keysMost is how many keys the clients of a world may write.
const keysMost = 1 << 20

// writesAs is told under which origin a node writes from now on. Another process that has used it ends one.
func (s *written) writesAs(m *machine, origin clock.Origin, now time.Duration) {
	stock, one := &s.stocks[m.index], &s.check.identities[m.identity]
	if had := stock.origin; had != origin && had != (clock.Origin{}) && !one.old && !one.twinned {
		s.check.violate(now, m, RuleClock, "writes under origin %v, and had %v", origin, had)
	}
	stock.origin = origin
}

// clocks holds a store to its bounds when all is over: a value is there once, and numbers are seen in no more ranges
// than processes have written them.
func (in *inspection) clocks() {
	w := in.world
	if w.lastWritten == 0 || !w.convergence.Converged() {
		return
	}
	for i := range w.machines {
		m := &w.machines[i]
		if !w.convergence.steady(m) || w.isSeed(m) {
			continue
		}
		s, times := &w.check.written, make(map[int]int)
		for _, n := range s.numbers(allOf(m)) {
			if times[n]++; times[n] > 1 {
				w.check.violate(w.now, m, RuleClock, "holds %s twice", s.values[n].text)
			}
		}
		one, origin := &w.check.identities[m.identity], s.stocks[m.index].origin // of others numbers may be lost for ever
		if n := len(m.node.Gossip().Replica().Seen().Of(origin)); n > s.lives[origin] && !one.old && !one.twinned {
			w.check.violate(w.now, m, RuleClock, "has seen %d ranges of its own numbers, which %d processes wrote", n, s.lives[origin])
		}
	}
	const few = 128 // which are given again where two exchanges cross, or an answer comes after it is given up
	crossed := uint64(1)
	if w.network.longest >= longWays {
		crossed = 4 // as links change there, and each new neighbor is asked at once
	}
	lied := w.config.Hostile > 0 // then some are asked in others' names
	again := w.counts.Repaired / 2
	if w.network.lossiest > lossFew { // where streams stand still, answers come after they were given up
		again *= 4
	}
	if c := &w.counts; !lied && c.Repeated > again+few || c.Crossed > crossed*c.Repaired+2*few {
		w.check.violate(w.now, &w.machines[0], RuleTraffic, "exchanges brought %d values that were there when they were asked for, %d that have come another way since, and %d that lacked", c.Repeated, c.Crossed, c.Repaired)
	}
}

// longWays are those over which what is said to all is on its way for as long as some exchanges take.
const longWays = 100 * time.Millisecond

// asked notes what a node has seen of the store, as it says to another that may give what lacks.
func (s *written) asked(m *machine, e *core.Effects) {
	for _, packets := range [][]core.Packet{e.Now, e.Send} {
		for i := range packets {
			if body, is := packets[i].Body.(*core.Sync); is && len(body.Clock) > 0 {
				s.said[asking{m.index, packets[i].Addr}] = body.Clock
			}
		}
	}
}

// asking is from a machine to an address.
type asking struct {
	machine int32
	to      netip.AddrPort
}

// exchanges counts what an exchange brings to a node.
func (w *World) exchanges(m *machine, p *core.Packet) {
	body, is := p.Body.(*core.Sync)
	replica := m.node.Gossip().Replica()
	if !is || replica == nil {
		return
	}
	w.counts.Syncs++
	objects := body.Objects
	if body.Parts != nil {
		objects = body.Parts.Objects
	}
	said := w.check.written.said[asking{m.index, p.Addr}]
	for i := range objects {
		dot := objects[i].Dot
		at := slices.IndexFunc(said, func(h core.Holding) bool { return h.Origin == dot.Origin })
		switch {
		case at >= 0 && clock.Cover(said[at].Seen, []clock.Range{{Low: dot.Counter, High: dot.Counter}}):
			w.counts.Repeated++
		case replica.Seen().Has(dot): // it came another way since
			w.counts.Crossed++
		default:
			w.counts.Repaired++
		}
	}
}
