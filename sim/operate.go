package sim

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/node"
)

// This file is what operators do to machines, and what befalls their disks:
// what no fault of the network or of a process is.

const (
	movesMost = 1 << 10     // of one machine: each takes a port
	asksFor   = time.Minute // an operator asks seeds so long until they have it
	// checks in a row at which all seeds must have their seats, before an operator takes a disk from one; or a
	// bar must be lifted
	calmBefore  = 5
	operatorWhy = "by an operator" // of a bar
)

// operatorAddr is where the answer to an operator goes: nobody is there, as with the agent's own callers.
var operatorAddr = netip.AddrPortFrom(netip.IPv6Unspecified(), 1)

// operator does to machines, and asks of the seeds, what a scenario has operators do.
type operator struct {
	world    *World
	requests []request // that the seeds have not done yet
	recovery recovery  // of the seeds
}

// request is what an operator wants of the seeds, and asks for until it is done.
type request struct {
	verb    Verb
	machine int32
	id      hearsay.NodeID // the machine's, when it was asked
	until   time.Duration
	calm    int // checks in a row at which all was as it should be
}

// operate carries out an action of an operator, or on a disk, on one machine.
func (o *operator) operate(m *machine, a *Action) {
	w := o.world
	switch {
	case a.Verb == Move && m.node != nil && !o.crowded(m):
		w.end(m, conditionCrashed)
		o.readdress(m)
		w.start(m, false)
	case a.Verb == Roam && m.condition == conditionRunning && !o.crowded(m) && !w.isSeed(m):
		o.readdress(m)
		w.advance(m, func(now time.Time) *core.Effects { return m.node.MoveTo(now, m.addr) })
	case a.Verb == Fill:
		m.full = true
		w.counts.Fills++
	case a.Verb == Room:
		m.full = false
	case a.Verb == Save && m.disk != nil:
		m.saved, m.savedOf = m.disk.Clone(), m.disks
	case a.Verb == Restore && m.saved != nil && m.savedOf == m.disks:
		o.restore(m)
	case a.Verb == Damage && m.node != nil && !w.isSeed(m):
		o.damage(m)
	case a.Verb == Bar || a.Verb == Lift || a.Verb == Remove || a.Verb == Lose || a.Verb == Recover:
		o.ask(m, a.Verb)
	}
}

// readdress gives a machine an address that it never had.
func (o *operator) readdress(m *machine) {
	o.world.counts.Moves++
	m.moves = min(m.moves+1, movesMost)
	m.addr = netip.AddrPortFrom(m.addr.Addr(), uint16(port+m.moves))
}

// crowded reports whether a machine has its IP address together with others.
func (o *operator) crowded(m *machine) bool {
	return int(m.index) >= o.world.config.Nodes-o.world.config.Crowd && !o.world.isSeed(m)
}

// rename has a machine's node start under the name of another's from now on.
func (o *operator) rename(a *Action) {
	o.world.machines[a.Who[0]-1].called = o.world.machines[a.Who[1]-1].name
	o.world.counts.Clashes++
}

// restore has a machine's process run again with an older copy of its disk. What
// it has said since, it does not know.
func (o *operator) restore(m *machine) {
	w := o.world
	if m.node != nil {
		w.fates.began(m, Kill, w.now)
		w.end(m, conditionCrashed)
	}
	m.disk, m.copied = m.saved.Clone(), true
	records, err := m.disk.Load()
	if err != nil {
		panic("sim: " + m.name + ": its own disk cannot be read: " + err.Error())
	}
	w.check.restored(m, records)
	w.counts.Restores++
	w.start(m, false)
}

// damage flips a bit of a machine's disk while its process is down. The store
// must not read that as anything. The operator then starts the node with an
// empty disk.
func (o *operator) damage(m *machine) {
	w := o.world
	w.fates.began(m, Kill, w.now)
	w.end(m, conditionCrashed)
	if m.disk.Damage(rand.New(&m.torn)) {
		w.counts.Damages++
		if _, err := m.disk.Load(); err == nil {
			w.check.violate(w.now, m, RuleDecode, "reads its disk, of which a bit has flipped")
		}
		w.start(m, true)
	}
}

// ask notes what an operator wants of the seeds. A bar and its lifting undo each
// other.
func (o *operator) ask(m *machine, verb Verb) {
	if o.world.config.Seeds == 0 || (verb == Lose || verb == Recover) != o.world.isSeed(m) || m.id.IsZero() {
		return
	}
	if verb == Bar || verb == Lift {
		o.requests = slices.DeleteFunc(o.requests, func(r request) bool {
			return r.machine == m.index && (r.verb == Bar || r.verb == Lift)
		})
	}
	r := request{verb: verb, machine: m.index, id: m.id, until: o.world.now + asksFor}
	if verb == Lift {
		o.lifts(m)
		return
	}
	o.requests = append(o.requests, r)
}

// lifts asks that all bars of a machine's identities end, also of one that is another machine's,
// too.
func (o *operator) lifts(m *machine) {
	w := o.world
	for i := range w.check.identities {
		if one := &w.check.identities[i]; one.machine == m.index || w.check.shares(i, m) {
			o.requests = append(o.requests, request{verb: Lift, machine: m.index, id: one.id, until: w.now + asksFor})
		}
	}
}

// askSeeds goes on with what operators want.
func (o *operator) askSeeds() {
	pending := o.requests
	o.requests = nil
	for _, r := range pending {
		if o.world.now < r.until && !o.asked(&r) {
			o.requests = append(o.requests, r)
		}
	}
}

// asked asks once more, and reports whether nothing is left to ask.
func (o *operator) asked(r *request) (done bool) {
	w := o.world
	switch r.verb {
	case Lose:
		return o.loses(r)
	case Recover:
		return o.recovers(r)
	}
	seed := o.readySeed()
	if seed == nil {
		return false
	}
	barred := slices.ContainsFunc(seed.node.Seeded().Barred(), func(b hearsay.Bar) bool { return b.ID == r.id })
	var asks func(now time.Time) *core.Effects
	switch r.verb {
	case Bar:
		if barred {
			w.counts.Bars++
			return true
		}
		// what the seed refuses is asked again
		asks = func(now time.Time) *core.Effects {
			_, effects, _ := seed.node.Bar(now, r.id.String(), operatorWhy)
			return effects
		}
	case Lift:
		if !barred { // or this seed has not applied the bar yet
			r.calm++
			return r.calm >= calmBefore
		}
		r.calm = 0
		asks = func(now time.Time) *core.Effects {
			_, effects, _ := seed.node.Lift(now, r.id.String())
			return effects
		}
	default:
		stay, err := seed.node.StayOf(r.id.String())
		if err != nil {
			return true // it is out
		}
		w.counts.Asked++
		asks, done = func(now time.Time) *core.Effects { return seed.node.Ask(now, operatorAddr, stay, node.AskedByOperator) }, true
	}
	w.advance(seed, asks)
	return done
}

// readySeed gives the first seed that says that a quorum decides.
func (o *operator) readySeed() *machine {
	for i := o.world.config.Nodes; i < len(o.world.machines); i++ {
		if m := &o.world.machines[i]; m.condition == conditionRunning && m.node.Seeded().Authority().Ready {
			return m
		}
	}
	return nil
}

// loses takes the disk from a seed once all seeds have had their seats for a
// while: while another has not, the quorum could be lost for ever. The seed itself
// may have stopped because it must not go on with its disk.
func (o *operator) loses(r *request) (done bool) {
	w := o.world
	for i := w.config.Nodes; i < len(w.machines); i++ {
		if m := &w.machines[i]; int32(i) == r.machine && m.doomed {
			continue
		} else if m.condition != conditionRunning || !m.node.Seeded().Authority().Ready || !w.check.ballots.seated(m) {
			r.calm = 0
			return false
		}
	}
	if r.calm++; r.calm < calmBefore {
		return false
	}
	m := &w.machines[r.machine]
	if m.node != nil {
		w.end(m, conditionCrashed)
	}
	w.start(m, true)
	w.counts.Losses++
	w.lastTrouble = w.now
	return true
}
