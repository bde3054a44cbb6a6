package sim

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hearsay"
)

// This file is what operators do to machines, and what befalls their disks:
// what no fault of the network or of a process is.

const (
	movesMost   = 1 << 10          // of one machine: each takes a port
	asksFor     = time.Minute      // an operator asks seeds so long until they have it
	calmBefore  = 5                // checks in a row at which all seeds must have their seats, before an operator takes a disk from one; or a bar must be lifted
	operatorWhy = "by an operator" // of a bar
)

// request is what an operator wants of the seeds, and asks for until it is done.
type request struct {
	verb    Verb
	machine int32
	id      hearsay.NodeID // the machine's, when it was asked
	until   time.Duration
	calm    int // checks in a row at which all was as it should be
}

// operate carries out an action of an operator, or on a disk, on one machine.
func (w *World) operate(m *machine, a *Action) {
	switch {
	case a.Verb == Move && m.node != nil && !w.crowded(m):
		w.end(m, conditionCrashed)
		w.readdress(m)
		w.start(m, false)
	case a.Verb == Roam && m.condition == conditionRunning && !w.crowded(m) && !w.isSeed(m):
		w.readdress(m)
		w.carryOut(m, m.node.MoveTo(w.timeOf(m), m.addr))
	case a.Verb == Fill:
		m.full = true
		w.counts.Fills++
	case a.Verb == Room:
		m.full = false
	case a.Verb == Save && m.disk != nil:
		m.saved, m.savedOf = m.disk.Clone(), m.disks
	case a.Verb == Restore && m.saved != nil && m.savedOf == m.disks:
		w.restore(m)
	case a.Verb == Damage && m.node != nil && !w.isSeed(m):
		w.damage(m)
	case a.Verb == Bar || a.Verb == Lift || a.Verb == Remove || a.Verb == Lose || a.Verb == Recover:
		w.ask(m, a.Verb)
	}
}

// readdress gives a machine an address that it never had.
func (w *World) readdress(m *machine) {
	w.counts.Moves++
	m.moves = min(m.moves+1, movesMost)
	m.addr = netip.AddrPortFrom(m.addr.Addr(), uint16(port+m.moves))
}

// crowded reports whether a machine has its IP address together with others.
func (w *World) crowded(m *machine) bool {
	return int(m.index) >= w.config.Nodes-w.config.Crowd && !w.isSeed(m)
}

// rename has a machine's node start under the name of another's from now on.
func (w *World) rename(a *Action) {
	w.machines[a.Who[0]-1].called = w.machines[a.Who[1]-1].name
	w.counts.Clashes++
}

// restore has a machine's process run again with an older copy of its disk. What
// it has said since, it does not know.
func (w *World) restore(m *machine) {
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
func (w *World) damage(m *machine) {
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
func (w *World) ask(m *machine, verb Verb) {
	if w.config.Seeds == 0 || (verb == Lose || verb == Recover) != w.isSeed(m) || m.id.IsZero() {
		return
	}
	if verb == Bar || verb == Lift {
		w.requests = slices.DeleteFunc(w.requests, func(r request) bool {
			return r.machine == m.index && (r.verb == Bar || r.verb == Lift)
		})
	}
	r := request{verb: verb, machine: m.index, id: m.id, until: w.now + asksFor}
	if verb == Lift {
		w.lifts(m)
		return
	}
	w.requests = append(w.requests, r)
}

// lifts asks that all bars of a machine's identities end, also of one that is another machine's,
// too.
func (w *World) lifts(m *machine) {
	for i := range w.check.identities {
		if one := &w.check.identities[i]; one.machine == m.index || w.check.shares(i, m) {
			w.requests = append(w.requests, request{verb: Lift, machine: m.index, id: one.id, until: w.now + asksFor})
		}
	}
}

// askSeeds goes on with what operators want.
func (w *World) askSeeds() {
	pending := w.requests
	w.requests = nil
	for _, r := range pending {
		if w.now < r.until && !w.asked(&r) {
			w.requests = append(w.requests, r)
		}
	}
}

// asked asks once more, and reports whether nothing is left to ask.
func (w *World) asked(r *request) (done bool) {
	switch r.verb {
	case Lose:
		return w.loses(r)
	case Recover:
		return w.recovers(r)
	}
	seed := w.readySeed()
	if seed == nil {
		return false
	}
	barred := slices.ContainsFunc(seed.node.Barred(), func(b hearsay.Bar) bool { return b.ID == r.id })
	var effects *hearsay.Effects
	switch r.verb {
	case Bar:
		if barred {
			w.counts.Bars++
			return true
		}
		_, effects, _ = seed.node.Bar(w.timeOf(seed), r.id.String(), operatorWhy) // what the seed refuses is asked again
	case Lift:
		if !barred { // or this seed has not applied the bar yet
			r.calm++
			return r.calm >= calmBefore
		}
		r.calm = 0
		_, effects, _ = seed.node.Lift(w.timeOf(seed), r.id.String())
	default:
		stay, err := seed.node.StayOf(r.id.String())
		if err != nil {
			return true // it is out
		}
		w.counts.Asked++
		nobody := netip.AddrPortFrom(netip.IPv6Unspecified(), 1) // as the agent's own callers have it
		effects = seed.node.Receive(w.timeOf(seed), &hearsay.Packet{Addr: nobody, Body: &hearsay.Report{Stay: stay}})
		done = true
	}
	w.carryOut(seed, effects)
	return done
}

// readySeed gives the first seed that says that a quorum decides.
func (w *World) readySeed() *machine {
	for i := w.config.Nodes; i < len(w.machines); i++ {
		if m := &w.machines[i]; m.condition == conditionRunning && m.node.Authority().Ready {
			return m
		}
	}
	return nil
}

// loses takes the disk from a seed once all seeds have had their seats for a
// while: while another has not, the quorum could be lost for ever. The seed itself
// may have stopped because it must not go on with its disk.
func (w *World) loses(r *request) (done bool) {
	for i := w.config.Nodes; i < len(w.machines); i++ {
		if m := &w.machines[i]; int32(i) == r.machine && m.doomed {
			continue
		} else if m.condition != conditionRunning || !m.node.Authority().Ready || !w.check.seated(m) {
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
