package sim

import (
	"fmt"
	"math"
	"time"

	"hearsay"
	"hearsay/overlay"
)

// This file says what it is to have converged, and how long that may take.

// settle lets the world go on until all agree, at most until it must have. It
// reports false if it must have, and has not.
func (w *World) settle() bool {
	deadline := max(w.lastTrouble+w.settleTime(), w.lastSaid) + w.rumorTime() + w.linksTime()
	for !w.Converged() {
		switch {
		case !w.whole(), w.halted, !w.hasQuorum() && !w.mustDecide():
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
func (w *World) settleTime() time.Duration {
	detect, roster := &w.config.Detect, &w.config.Roster
	scale := math.Max(1, math.Log10(float64(len(w.machines))))
	const (
		unpinged  = 15 // periods in which one member is pinged by nobody: chance e^-15
		exchanges = 10 // until rosters that differ have met
	)
	short := time.Duration(0)
	if w.counts.Aways > 0 {
		short = hearsay.AwayFor
	}
	if seeds := &w.config.Quorum; w.config.Seeds > 0 { // those for which no majority of observers is left
		short += seeds.ReportPause + seeds.ShortTrial
	}
	return unpinged*detect.Period + short +
		time.Duration(float64(roster.SuspicionMin)*scale)*time.Duration(roster.SuspicionMax) + roster.RoundEvery +
		roster.DeadHold + roster.JoinBackoffMax + 2*roster.ContactEvery +
		exchanges*(roster.ExchangeEvery+roster.ExchangeQuiet)
}

// rumorTime is how long after all agree on the roster, or after a rumor was
// said, it may take until all have it: neighbors must have compared so often.
func (w *World) rumorTime() time.Duration {
	rumors := &w.config.Rumors
	const compares = 10 // on a way of so many hops, or lost so often
	return rumors.PushFor + compares*(rumors.CompareQuiet+rumors.CompareBusy+2*rumors.CompareEvery)
}

// linksTime is how long it may take until a link that only one end knows of is
// found, where links are agreed upon: an end asks after one of them at a time.
func (w *World) linksTime() time.Duration {
	if w.config.Overlay.Kind == overlay.KindRing {
		return 0
	}
	const (
		confirmEvery = 10 * time.Second // as the overlay does
		lost         = 2                // times that this may fail
	)
	return (1 + lost) * confirmEvery * 2 * time.Duration(w.config.Overlay.Links)
}

// Converged reports whether all running nodes agree on who is in, exactly the
// running ones, have heard and seen the same, and are linked to one piece.
func (w *World) Converged() bool { return w.disagreement() == "" }

// disagreement describes one, if there is any.
func (w *World) disagreement() string { return w.unsettled().Text }

// Unsettled is how a network has not converged. It wraps ErrNotConverged.
type Unsettled struct {
	Seed uint64
	Rule Rule   // RuleConverge or RuleSeen
	Text string // empty: it has converged
}

func (u *Unsettled) Error() string {
	return fmt.Sprintf("sim: seed %d: %v: %s", u.Seed, ErrNotConverged, u.Text)
}

// Unwrap gives ErrNotConverged.
func (u *Unsettled) Unwrap() error { return ErrNotConverged }

// unsettled says how the network has not converged, if it has not: only nodes
// that agree on all else must have seen the same.
func (w *World) unsettled() *Unsettled {
	u := &Unsettled{Seed: w.config.Seed, Rule: RuleConverge}
	w.agreement(func(m *machine, one string) bool {
		if one != "" {
			u.Text = m.name + " " + one
		}
		return u.Text == ""
	})
	if u.Text == "" {
		u.Text = w.keptOut()
	}
	if u.Text == "" {
		u.Rule, u.Text = RuleSeen, w.unlike()
	}
	return u
}

// agreement asks each running node whether it holds exactly the running ones
// alive, with the same incarnations as the first does, whether it is linked to the
// rest and has heard all that is to be heard, and yields what is
// wrong, if anything. Those that are paused or leaving count neither way.
func (w *World) agreement(yield func(m *machine, problem string) bool) {
	running, first := 0, (*machine)(nil)
	steady := make([]bool, len(w.machines))
	for i := range w.machines {
		if steady[i] = w.steady(&w.machines[i]); steady[i] {
			running++
		}
	}
	owed := w.check.owed(w.now, w.rumorTime(), steady)
	linked := w.piece(steady)
	for i := range w.machines {
		m := &w.machines[i]
		if !w.steady(m) {
			continue
		}
		if first == nil {
			first = m
		}
		problem := w.misjudged(m, running)
		if hash, want := m.node.RosterHash(), first.node.RosterHash(); problem == "" && hash != want {
			problem = fmt.Sprintf("has roster %016x, and %s has %016x", hash, first.name, want)
		}
		if problem == "" && w.config.Seeds > 0 {
			problem = w.offLedger(m, first)
		}
		if problem == "" && !w.isSeed(m) { // which carry no rumors, and have no links for them
			problem = w.unlinked(m, linked)
			if problem == "" {
				problem = w.check.lacks(m, owed)
			}
		}
		if !yield(m, problem) {
			return
		}
	}
}

// steady reports whether a machine's node runs and means to stay. One of a crowd may
// be turned away for as long as it asks.
func (w *World) steady(m *machine) bool {
	if w.crowded(m) && !w.ruledIn(m.id) {
		return false
	}
	return m.condition == conditionRunning && w.check.identities[m.identity].running
}

// keptOut says that fewer of a crowd are in than the limit allows, if that is so. Which ones
// does not matter.
func (w *World) keptOut() string {
	in, running := 0, 0
	for i := range w.machines {
		if m := &w.machines[i]; w.crowded(m) && m.condition == conditionRunning && w.check.identities[m.identity].running {
			running++
			if w.ruledIn(m.id) {
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
func (w *World) misjudged(m *machine, running int) string {
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
		case w.check.identities[number].running || one.State.Living() && !w.paused(one):
			return fmt.Sprintf("holds %s %s", w.check.name(one.ID), one.State)
		}
	}
	if alive != running {
		return fmt.Sprintf("holds %d of %d alive", alive, running)
	}
	return ""
}

// paused reports whether a member's process stands still, or is leaving.
func (w *World) paused(one *hearsay.Member) bool {
	index, found := w.machineAt(one.Addr)
	return found && w.machines[index].node != nil && w.machines[index].id == one.ID
}
