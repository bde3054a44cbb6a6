package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"hearsay"
)

// This file holds a network to what its core must do in time: machines that are
// well, while others may be dead, cut off or slow for ever.

// ErrUnmet says that a demand was not met in time.
var ErrUnmet = errors.New("the core did not do in time what was demanded")

// Unmet is what was not done in time. It wraps ErrUnmet.
type Unmet struct {
	Seed uint64
	Kind DemandKind
	Text string
}

func (u *Unmet) Error() string { return fmt.Sprintf("sim: seed %d: %v: %s", u.Seed, ErrUnmet, u.Text) }

// Unwrap gives ErrUnmet.
func (u *Unmet) Unwrap() error { return ErrUnmet }

// demandEvery is how often open demands are looked at.
const demandEvery = 10 * time.Millisecond

// DemandKind is what is demanded.
type DemandKind uint8

// The kinds.
const (
	DemandIn DemandKind = iota // a peer that starts is in by the ledger of a quorum, and lists the core
	// a peer that is killed is out by the ledger of a quorum, and of the core's peers
	DemandOut
	DemandHeard      // a rumor of one peer of the core is delivered at another
	DemandHeardFresh // the same, at a peer that was let in by a demand
	DemandHeld       // a value that a peer of the core writes is held by another, or by one that was let in by a demand
	demandKinds
)

var demandWords = [demandKinds]string{
	DemandIn: "admission", DemandOut: "removal", DemandHeard: "rumor at the well", DemandHeardFresh: "rumor at the fresh", DemandHeld: "value held",
}

// String gives the kind's words.
func (k DemandKind) String() string { return demandWords[k] }

// Demands are how long the demands of each kind took at most, in seconds; 0:
// none was made.
type Demands [demandKinds]float64

// demand is one that is open.
type demand struct {
	kind    DemandKind
	asked   time.Duration // when it was made
	from    time.Duration // it counts from here
	begun   bool          // of a rumor, or a value: its hearer and its speaker have both been in
	within  time.Duration
	machine int32 // likewise: the speaker
	hearer  int32
	saying  int            // of a rumor
	key     string         // of a value
	id      hearsay.NodeID // of a removal: the one that was killed
}

// core is what a scenario says of machines that are well, and what it demands.
type demands struct {
	world *World
	well  []bool // by machine: nothing is done to it from now on, and it may not be removed
	fresh []bool // by machine: it was let in by a demand
	open  []demand
	took  Demands
	left  int    // demands that the scenario has still to make
	unmet *Unmet // the first that was not met in time
}

// counts notes which demands a scenario will make.
func (c *demands) counts(a *Action) {
	switch a.Verb {
	case WantIn, WantOut, WantHeard:
		c.left++
	}
}

// done reports whether nothing is left to demand.
func (c *demands) done() bool { return c.unmet != nil || c.left <= 0 && len(c.open) == 0 }

// want carries out an action that demands something.
func (c *demands) want(a *Action) {
	w := c.world
	if c.well == nil {
		c.well, c.fresh = make([]bool, len(w.machines)), make([]bool, len(w.machines))
		w.check.well = c.well
	}
	if len(c.open) == 0 {
		w.queue.push(moment{at: w.now, kind: momentDemand})
	}
	switch a.Verb {
	case Core:
		for _, number := range a.Who {
			m := &w.machines[number-1]
			c.well[m.index] = true
			if !w.isSeed(m) && !c.ruledIn(m.id) { // who is not in yet must come in all the same
				c.demand(demand{kind: DemandIn, within: a.Delay, machine: m.index})
			}
		}
		return
	case WantIn:
		for _, number := range a.Who {
			m := &w.machines[number-1]
			w.doTo(m, &Action{Verb: pickVerb(m.condition), Fresh: m.condition != conditionAbsent, Who: []int{number}})
			c.well[m.index], c.fresh[m.index] = true, true
			c.demand(demand{kind: DemandIn, within: a.Delay, machine: m.index})
		}
	case WantOut:
		for _, number := range a.Who {
			m := &w.machines[number-1]
			c.well[m.index] = false
			id, in := m.id, m.node != nil && c.ruledIn(m.id)
			c.open = slices.DeleteFunc(c.open, func(d demand) bool { return d.kind == DemandIn && d.machine == m.index })
			if w.doTo(m, &Action{Verb: Kill, Who: []int{number}}); in {
				c.demand(demand{kind: DemandOut, within: a.Delay, machine: m.index, id: id})
			}
		}
	case WantHeard:
		c.wantHeard(a)
	}
	c.left--
}

// pickVerb is how a machine comes to run.
func pickVerb(is condition) Verb {
	if is == conditionAbsent {
		return Start
	}
	return Restart
}

// wantHeard has the first machine say a rumor that the others are to hear, and write a key that they are to hold. One
// that cannot is a demand that is not met.
func (c *demands) wantHeard(a *Action) {
	w := c.world
	speaker := &w.machines[a.Who[0]-1]
	said := len(w.check.gossip.said)
	if w.say(speaker, a.Size); len(w.check.gossip.said) == said {
		c.fails(DemandHeard, fmt.Sprintf("demanded at %s: %s, which is to say a rumor, does not run", seconds(w.now), speaker.name))
		return
	}
	w.lastSaid = w.now
	key := fmt.Sprintf("said %d", said)
	w.Do(Action{Verb: Put, Who: a.Who[:1], Keys: []string{key}})
	for _, number := range a.Who[1:] {
		kind := DemandHeard
		if c.fresh[number-1] || w.machines[number-1].condition == conditionAbsent {
			kind = DemandHeardFresh
		}
		c.demand(demand{kind: kind, within: a.Delay, machine: speaker.index, hearer: int32(number - 1), saying: said})
		if w.holds(speaker, key) {
			c.demand(demand{kind: DemandHeld, within: a.Delay, machine: speaker.index, hearer: int32(number - 1), key: key})
		}
	}
}

func (c *demands) demand(d demand) {
	d.asked, d.from = c.world.now, c.world.now
	c.open = append(c.open, d)
}

// meet looks at the open demands.
func (c *demands) meet() {
	w := c.world
	c.open = slices.DeleteFunc(c.open, func(d demand) bool {
		lacks := c.lacking(&d)
		took := w.now - d.from
		switch {
		case lacks == "":
			c.took[d.kind] = max(c.took[d.kind], took.Seconds(), demandEvery.Seconds())
			return true
		case took >= d.within:
			c.fails(d.kind, fmt.Sprintf("demanded at %s, not met within %v: %s", seconds(d.from), d.within, lacks))
		}
		return false
	})
	// A rumor, or a value, counts from when its hearer and its speaker are in for the first time:
	// before, they owe each other nothing, and a demand of its own lets them in.
	for i := range c.open {
		d := &c.open[i]
		if d.kind < DemandHeard || d.begun {
			continue
		}
		if d.begun = c.joined(d.machine) && c.joined(d.hearer); !d.begun {
			d.from = w.now
		}
	}
	if c.unmet != nil {
		w.halted = true
		return
	}
	if len(c.open) > 0 {
		w.queue.push(moment{at: w.now + demandEvery, kind: momentDemand})
	}
}

// closeDemands is told that the run is over. Of a rumor, or a value, whose hearer or speaker has
// never been in the time has not begun: there was enough of it, if it was as much as
// an admission and the rumor may take.
func (c *demands) closeDemands() {
	for i := range c.open {
		d := &c.open[i]
		if c.world.now-d.asked < 2*d.within {
			continue
		}
		if lacks := c.lacking(d); lacks != "" {
			c.fails(d.kind, fmt.Sprintf("demanded at %s, not met when the run is over: %s", seconds(d.from), lacks))
		}
	}
}

// fails notes the first demand that is not met.
func (c *demands) fails(kind DemandKind, text string) {
	if c.unmet == nil {
		c.unmet = &Unmet{Seed: c.world.config.Seed, Kind: kind, Text: text}
	}
}

func (c *demands) joined(index int32) bool {
	m := &c.world.machines[index]
	return m.node != nil && m.node.Joined()
}

// lacking says what a demand lacks; nothing: it is met.
func (c *demands) lacking(d *demand) string {
	w := c.world
	m := &w.machines[d.machine]
	switch d.kind {
	case DemandIn:
		if in, quorum := c.seedsHold(m.id), hearsay.QuorumOf(w.config.Seeds); in < quorum {
			return fmt.Sprintf("%s is not in by the ledger of %d seeds, but of %d", m.name, quorum, in)
		}
		return c.unlisted(m)
	case DemandOut:
		if out, quorum := c.seedsWithout(d.id), hearsay.QuorumOf(w.config.Seeds); out < quorum {
			return fmt.Sprintf("%s, which was killed, is out by the ledger of %d seeds, and not of %d", m.name, out, quorum)
		}
		for i := range w.machines {
			if one := &w.machines[i]; c.well[i] && one.node != nil && c.lists(one, d.id) {
				return fmt.Sprintf("%s still lists %s, which was killed", one.name, m.name)
			}
		}
	case DemandHeard, DemandHeardFresh:
		if !w.check.views[d.hearer].heard.has(d.saying) {
			return fmt.Sprintf("%s has not heard rumor %d of %s", w.machines[d.hearer].name, w.check.gossip.said[d.saying].id.Counter, m.name)
		}
	case DemandHeld:
		if hearer := &w.machines[d.hearer]; !w.holds(hearer, d.key) {
			return fmt.Sprintf("%s does not hold %q, which %s has written", hearer.name, d.key, m.name)
		}
	}
	return ""
}

// holds reports whether a machine's node holds a value of a key.
func (w *World) holds(m *machine, key string) bool {
	return m.node != nil && len(m.node.Gossip().Replica().Siblings(w.timeOf(m), key, nil)) > 0
}

// seedsHold counts the seeds whose ledger has a node in.
func (c *demands) seedsHold(id hearsay.NodeID) (in int) {
	for i := c.world.config.Nodes; i < len(c.world.machines); i++ {
		if m := &c.world.machines[i]; m.node != nil && c.holdsStay(m, id) {
			in++
		}
	}
	return in
}

// seedsWithout counts those whose ledger has it out.
func (c *demands) seedsWithout(id hearsay.NodeID) (out int) {
	for i := c.world.config.Nodes; i < len(c.world.machines); i++ {
		if m := &c.world.machines[i]; m.node != nil && !c.holdsStay(m, id) {
			out++
		}
	}
	return out
}

func (c *demands) holdsStay(m *machine, id hearsay.NodeID) bool {
	c.world.stays = m.node.Seeded().Stays(c.world.stays[:0])
	return slices.ContainsFunc(c.world.stays, func(s hearsay.Stay) bool { return s.ID == id })
}

// ruledIn reports whether a node is in by all that is ruled.
func (c *demands) ruledIn(id hearsay.NodeID) bool {
	in, _ := c.world.check.ledger.in(id, c.world.check.ledger.epoch())
	return in
}

// lists reports whether a machine's node has another in its roster.
func (c *demands) lists(m *machine, id hearsay.NodeID) bool {
	c.world.members = m.node.Members(c.world.members[:0])
	return slices.ContainsFunc(c.world.members, func(one hearsay.Member) bool { return one.ID == id && one.State.Living() })
}

// unlisted says which of the core a machine's node does not list.
func (c *demands) unlisted(m *machine) string {
	w := c.world
	if m.node == nil || !m.node.Joined() {
		return m.name + " does not know that it is in"
	}
	w.members = m.node.Members(w.members[:0])
	for i := range w.machines {
		one := &w.machines[i]
		if !c.well[i] || c.fresh[i] || one.node == nil || one == m || !w.isSeed(one) && !c.ruledIn(one.id) {
			continue
		}
		if !slices.ContainsFunc(w.members, func(listed hearsay.Member) bool { return listed.ID == one.id && listed.State.Living() }) {
			return fmt.Sprintf("%s does not list %s", m.name, one.name)
		}
	}
	return ""
}

// latencies gathers how long the demands of many worlds took.
type latencies [demandKinds][]float64

func (s *latencies) add(d *Demands) {
	for kind, took := range d {
		if took > 0 {
			s[kind] = append(s[kind], took)
		}
	}
}

// Latency is how long demands of one kind took in many worlds.
type Latency struct {
	What   string  `json:"what"`
	Worlds int     `json:"worlds"`
	Median float64 `json:"median_s"`
	Late   float64 `json:"p99_s"` // 99 of 100 took at most so long
	Most   float64 `json:"most_s"`
}

// String tells it on a line.
func (s *Latency) String() string {
	return fmt.Sprintf("%-22s median %.2fs, 99 %% within %.2fs, at most %.2fs, in %d worlds", s.What, s.Median, s.Late, s.Most, s.Worlds)
}

// all gives what there is of each kind.
func (s *latencies) all() (all []Latency) {
	for kind, took := range s {
		if n := len(took); n > 0 {
			sorted := slices.Sorted(slices.Values(took))
			all = append(all, Latency{
				What: DemandKind(kind).String(), Worlds: n,
				Median: sorted[(n-1)/2], Late: sorted[(99*n+99)/100-1], Most: sorted[n-1],
			})
		}
	}
	return all
}
