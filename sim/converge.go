package sim

import (
	"fmt"
	"math"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/overlay"
)

// This file says what it is to have converged, and how long that may take.

// convergence says whether all nodes agree, as they must in the end.
type convergence struct{ world *World }

// settle lets the world go on until all agree, at most until it must have. It
// reports false if it must have, and has not.
func (c *convergence) settle() bool {
	w := c.world
	deadline := max(w.lastTrouble+c.settleTime(), w.lastSaid, w.lastWritten) + c.rumorTime() + c.linksTime() + c.storeTime()
	for !c.Converged() {
		switch {
		case !w.whole(), w.halted, !c.hasQuorum() && !w.operator.mustDecide():
			return true // nobody can expect it
		case w.now >= deadline:
			return false
		}
		w.RunUntil(min(w.now+checkEvery, deadline))
	}
	return true
}

// settleTime is how long after the last fault a network may take to converge:
// the sum of the longest ways that news of a fault can take.
func (c *convergence) settleTime() time.Duration {
	w := c.world
	detect, roster := &w.config.Detect, &w.config.Roster
	scale := math.Max(1, math.Log10(float64(len(w.machines))))
	const exchanges = 10 // until rosters that differ have met
	short := time.Duration(0)
	if w.counts.Aways > 0 {
		short = core.AwayFor
	}
	if seeds := &w.config.Quorum; w.config.Seeds > 0 { // those for which no majority of observers is left
		short += seeds.ReportPause + seeds.ShortTrial
	}
	return detect.Finds(len(w.machines)) + short +
		time.Duration(float64(roster.SuspicionMin)*scale)*time.Duration(roster.SuspicionMax) + roster.RoundEvery +
		roster.DeadHold + roster.JoinBackoffMax + 2*roster.ContactEvery +
		exchanges*(roster.ExchangeEvery+roster.ExchangeQuiet)
}

// rumorTime is how long after all agree on the roster, or after a rumor was
// said, it may take until all have it: neighbors must have compared so often.
func (c *convergence) rumorTime() time.Duration {
	rumors := &c.world.config.Rumors
	const compares = 10 // on a way of so many hops, or lost so often
	return rumors.PushFor + compares*(rumors.CompareQuiet+rumors.CompareBusy+2*rumors.CompareEvery)
}

// linksTime is how long it may take until a link that only one end knows of is
// found, where links are agreed upon: an end asks after one of them at a time.
func (c *convergence) linksTime() time.Duration {
	if c.world.config.Overlay.Kind == overlay.KindRing {
		return 0
	}
	const (
		confirmEvery = 10 * time.Second // as the overlay does
		lost         = 2                // times that this may fail
	)
	return (1 + lost) * confirmEvery * 2 * time.Duration(c.world.config.Overlay.Links)
}

// Converged reports whether all running nodes agree on who is in, exactly the
// running ones, have heard and seen the same, and are linked to one piece.
func (c *convergence) Converged() bool { return c.disagreement() == "" }

// disagreement describes one, if there is any.
func (c *convergence) disagreement() string { return c.unsettled().Text }

// Unsettled is how a network has not converged. It wraps ErrNotConverged.
type Unsettled struct {
	Seed uint64
	Rule Rule   // RuleConverge, RuleSeen or RuleEqual
	Text string // empty: it has converged
}

func (u *Unsettled) Error() string {
	return fmt.Sprintf("sim: seed %d: %v: %s", u.Seed, ErrNotConverged, u.Text)
}

// Unwrap gives ErrNotConverged.
func (u *Unsettled) Unwrap() error { return ErrNotConverged }

// unsettled says how the network has not converged, if it has not: only nodes
// that agree on all else must have seen the same.
func (c *convergence) unsettled() *Unsettled {
	u := &Unsettled{Seed: c.world.config.Seed, Rule: RuleConverge}
	c.agreement(func(m *machine, one string) bool {
		if one != "" {
			u.Text = m.name + " " + one
		}
		return u.Text == ""
	})
	if u.Text == "" {
		u.Text = c.keptOut()
	}
	if u.Text == "" {
		u.Rule, u.Text = RuleSeen, c.unlike()
	}
	if u.Text == "" {
		u.Rule, u.Text = RuleEqual, c.unequal()
	}
	return u
}

// agreement asks each running node whether it holds exactly the running ones
// alive, with the same incarnations as the first does, whether it is linked to the
// rest and has heard all that is to be heard, and yields what is
// wrong, if anything. Those that are paused or leaving count neither way.
func (c *convergence) agreement(yield func(m *machine, problem string) bool) {
	w := c.world
	running, first := 0, (*machine)(nil)
	steady := make([]bool, len(w.machines))
	for i := range w.machines {
		if steady[i] = c.steady(&w.machines[i]); steady[i] {
			running++
		}
	}
	owed := w.check.gossip.owed(w.now, c.rumorTime(), steady)
	linked := c.piece(steady)
	for i := range w.machines {
		m := &w.machines[i]
		if !c.steady(m) {
			continue
		}
		if first == nil {
			first = m
		}
		problem := c.misjudged(m, running)
		if hash, want := m.node.RosterHash(), first.node.RosterHash(); problem == "" && hash != want {
			problem = fmt.Sprintf("has roster %016x, and %s has %016x", hash, first.name, want)
		}
		if problem == "" && w.config.Seeds > 0 {
			problem = c.offLedger(m, first)
		}
		if problem == "" && !w.isSeed(m) { // which carry no rumors, and have no links for them
			problem = c.unlinked(m, linked)
			if problem == "" {
				problem = w.check.gossip.lacks(m, owed)
			}
		}
		if !yield(m, problem) {
			return
		}
	}
}

// steady reports whether a machine's node runs and means to stay. One of a crowd may
// be turned away for as long as it asks.
func (c *convergence) steady(m *machine) bool {
	if c.world.operator.crowded(m) && !c.world.core.ruledIn(m.id) {
		return false
	}
	return m.condition == conditionRunning && c.world.check.identities[m.identity].running
}

// keptOut says that fewer of a crowd are in than the limit allows, if that is so. Which ones
// does not matter.
func (c *convergence) keptOut() string {
	w := c.world
	in, running := 0, 0
	for i := range w.machines {
		if m := &w.machines[i]; w.operator.crowded(m) && m.condition == conditionRunning && w.check.identities[m.identity].running {
			running++
			if w.core.ruledIn(m.id) {
				in++
			}
		}
	}
	if want := min(int(w.config.Quorum.Limits.MembersOfSource), running); in < want {
		return fmt.Sprintf("%d of the %d that run at one address are in, and %d may be", in, running, want)
	}
	return ""
}

// misjudged says of which members m's node holds what is not so.
func (c *convergence) misjudged(m *machine, running int) string {
	w := c.world
	w.members = m.node.Members(w.members[:0])
	alive := 0
	for i := range w.members {
		one := &w.members[i]
		number, known := w.check.numbers[one.ID]
		switch {
		case !known:
			return "holds a member that never was: " + one.ID.Short()
		case w.check.identities[number].running && one.State == hearsay.StateAlive:
			alive++
		case !w.check.identities[number].running && one.State == hearsay.StateSuspect && int(w.check.identities[number].machine) >= w.config.Nodes:
			// A seed that is down stays suspect: it is a member by configuration.
		case !one.State.Living() && c.turnedAway(number):
		case w.check.identities[number].running || one.State.Living() && !c.paused(one):
			return fmt.Sprintf("holds %s %s", w.check.name(one.ID), one.State)
		}
	}
	if alive != running {
		return fmt.Sprintf("holds %d of %d alive", alive, running)
	}
	return ""
}

// turnedAway reports whether an identity is one of a crowd that is not in: it may have left, and find its
// place taken.
func (c *convergence) turnedAway(number int) bool {
	w := c.world
	is := &w.check.identities[number]
	m := &w.machines[is.machine]
	return is.running && w.operator.crowded(m) && !w.core.ruledIn(m.id)
}

// paused reports whether a member's process stands still, or is leaving.
func (c *convergence) paused(one *hearsay.Member) bool {
	index, found := c.world.network.machineAt(one.Addr)
	return found && c.world.machines[index].node != nil && c.world.machines[index].id == one.ID
}
