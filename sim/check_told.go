package sim

import (
	"time"

	"hearsay"
)

// This file holds nodes to telling that they are cut off, or that nothing large gets to them and from them, or no
// stream: one that runs, lists others, and whose packets all get lost, or all that are sent to it, says within some
// seconds that something is wrong, and for as long as that lasts. One that is well says no such thing.

const (
	// toldPeriods is how many periods of the detector a node may be cut off before it says so: ten from its first ping
	// in vain, five more until that, as one that doubts itself pings so seldom, and one for clocks that are slow. Where
	// datagrams are held back that begins when the last answer of before the cut may have come.
	toldPeriods = 16

	// endedPeriods is how many it may go on saying so: one that doubts itself probes once in five, and some of
	// these probes may be lost, or of suspects that are dead.
	endedPeriods = 30

	// narrowPeriods is how many periods a node to which nothing large gets may say nothing of it, from its next test on,
	// which begins within narrowMost, and no later than what the node had run by then, and five. Nearly all say it within
	// ten: four more tests, and those of a second member. Each turn whose member is suspect or away costs five or more,
	// and each small packet that is lost one.
	narrowPeriods = 40
	narrowMost    = 60

	// streamlessPeriods and streamlessFor are how long a node to which no stream gets may say nothing of it, together:
	// twelve periods until the first test, and three tests, each of two seconds. Each small packet that is lost costs a
	// period, and each turn whose member is suspect or away.
	streamlessPeriods = 30
	streamlessFor     = 10 * time.Second

	// slowBacklog is how much later one that is slow may answer what came before a cut. Seen: 9 s.
	slowBacklog = 15 * time.Second

	lossFew = 0.1 // up to which some answer is to be expected in that time
)

// checkTold looks which nodes are cut off, and what they say of that.
func (in *inspection) checkTold() {
	w := in.world
	period := w.config.Detect.Period
	late := w.network.holdBack
	for i := range w.machines {
		if w.machines[i].slow > 0 {
			late = max(late, slowBacklog)
		}
	}
	for i := range w.machines {
		m, view := &w.machines[i], &w.check.views[i]
		if !w.convergence.steady(m) || m.slow > 0 || !m.node.Joined() {
			view.cutFor, view.wrongFor, view.narrow, view.streamless = 0, 0, 0, 0
			continue
		}
		stats := m.node.Stats()
		if m.twist.figures != nil {
			m.twist.figures(&stats)
		}
		told := stats.Unheard > 0 || stats.Unanswered > 0
		isCut := max(m.lossIn, m.lossOut) >= 1 && stats.Alive+stats.Suspect > 1 && stats.Away == 0
		isWell := in.unharmed(m) && w.check.whole && w.network.loss <= lossFew && in.listsOneWell(m)
		view.cutFor, view.wrongFor = goesOn(view.cutFor, isCut), goesOn(view.wrongFor, (told || stats.StreamsFail > 0) && isWell)
		view.narrow = goesOn(view.narrow, m.narrow > 0 && in.reachesSome(m))
		view.streamless = goesOn(view.streamless, m.lossStreams >= 1 && in.reachesSome(m))
		nextTest := min(narrowMost*period, w.now-view.began-view.narrow)
		switch {
		case view.streamless > streamlessPeriods*period+streamlessFor && len(stats.Streamless) == 0:
			w.check.violate(w.now, m, RuleTold, "gets and sends nothing by stream for %s, and says nothing of it", short(view.streamless))
			view.streamless = 0
		case view.narrow > narrowPeriods*period+nextTest && len(stats.Narrow) == 0:
			w.check.violate(w.now, m, RuleTold, "gets and sends nothing that is longer than %d bytes for %s, and says nothing of it", m.narrow, short(view.narrow))
			view.narrow = 0
		case view.cutFor > toldPeriods*w.config.Detect.Longest()+late && !told:
			w.check.violate(w.now, m, RuleTold, "is cut off for %s, and says nothing of it", short(view.cutFor))
			view.cutFor = 0
		case view.wrongFor > endedPeriods*w.config.Detect.Longest():
			w.check.violate(w.now, m, RuleTold, "is well, and says for %s that it is cut off", short(view.wrongFor))
			view.wrongFor = 0
		}
	}
}

// reachesSome reports whether small packets get through between a machine and all others, and one that runs is linked
// with it, or a seed.
func (in *inspection) reachesSome(m *machine) bool {
	w := in.world
	if len(w.network.cuts) > 0 || w.network.loss > lossFew || max(m.lossIn, m.lossOut, m.lossDatagrams) > 0 {
		return false
	}
	some := false
	for i := range w.machines {
		other := &w.machines[i]
		if other.group != m.group {
			return false
		}
		linked := w.convergence.isLinked(m, other) || w.config.Seeds > 0 && w.isSeed(other)
		some = some || other != m && linked && in.unharmed(other)
	}
	return some
}

// goesOn is for how long something has been so, if it is.
func goesOn(before time.Duration, is bool) time.Duration {
	if !is {
		return 0
	}
	return before + checkEvery
}

// saysNothing takes from a node's figures what is wrong with it.
func saysNothing(s *hearsay.Stats) {
	s.Unheard, s.Unanswered, s.Narrow, s.StreamsFail, s.Streamless = 0, 0, nil, 0, nil
}
