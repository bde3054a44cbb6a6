package sim

import (
	"io"
	"slices"
	"time"
)

// What bounds how often a failing world is run again to make it shorter: numbers and not a time, so that the same comes
// of it on every machine.
const (
	shortenTries   = 300        // at a tenth of a second each, half a minute
	shortenPackets = 30_000_000 // of all tries; at 3 us each, a minute and a half
)

// shortening looks for less that fails in the same way.
type shortening struct {
	best  Config
	want  *Outcome
	tries int
	spent uint64 // packets
}

// Shorten gives the run with fewer nodes, fewer faults and less time, as far as
// it still fails as it did.
func Shorten(config Config, failed *Outcome) Config {
	s := &shortening{best: config, want: failed, tries: shortenTries}
	s.best.Trace, s.best.JSON = false, false
	s.end()
	for again := true; again && s.may(); {
		again = s.fewerNodes()
		again = s.fewerActions() || again
		again = s.sooner() || again
	}
	s.plain()
	return s.best
}

// may reports whether one more run is within the bounds.
func (s *shortening) may() bool { return s.tries > 0 && s.spent < shortenPackets }

// try runs what it is given, and keeps it if that fails in the same way.
func (s *shortening) try(config Config) bool {
	if !s.may() || config.Validate() != nil || config.Scenario.barredInTheEnd() > s.best.Scenario.barredInTheEnd() {
		return false // who is barred for good is out, and that would be another failure
	}
	s.tries--
	o, packets := runWorld(config, io.Discard, io.Discard)
	s.spent += packets
	if !o.fails(s.want) {
		return false
	}
	s.best = config
	return true
}

// barredInTheEnd counts the machines that are barred and not freed again.
func (s *Scenario) barredInTheEnd() int {
	barred := make(map[int]bool)
	for i := range s.Actions {
		for _, number := range s.Actions[i].Who {
			switch s.Actions[i].Verb {
			case Bar:
				barred[number] = true
			case Lift:
				delete(barred, number)
			}
		}
	}
	return len(barred)
}

// with gives the run with other actions.
func (s *shortening) with(actions []Action) Config {
	config := s.best
	config.Scenario = &Scenario{Actions: actions}
	return config
}

// end leaves out what comes after a rule was broken.
func (s *shortening) end() {
	if s.want.Failure != FailedSafety {
		return
	}
	at := time.Duration(s.want.At*float64(time.Second)) + time.Millisecond
	config := s.with(slices.DeleteFunc(slices.Clone(s.best.Scenario.Actions), func(a Action) bool { return a.At > at }))
	config.For = min(config.For, at.Round(time.Millisecond))
	s.try(config)
}

// fewerNodes takes machines away, half of them and then one by one, the last
// ones first.
func (s *shortening) fewerNodes() (better bool) {
	for _, nodes := range []int{s.best.Nodes / 4, s.best.Nodes / 2, s.best.Nodes * 3 / 4} {
		better = nodes >= 2 && nodes < s.best.Nodes && s.try(s.onlyNodes(nodes)) || better
	}
	for s.best.Nodes > 2 && s.try(s.onlyNodes(s.best.Nodes-1)) {
		better = true
	}
	return better
}

// onlyNodes gives the run with so many machines and all seeds, which have other
// numbers then: what is done to others is left out.
func (s *shortening) onlyNodes(nodes int) Config {
	had := s.best.Nodes
	among := func(who []int) (left []int) {
		for _, number := range who {
			switch {
			case number <= nodes:
				left = append(left, number)
			case number > had:
				left = append(left, number-had+nodes)
			}
		}
		return left
	}
	var actions []Action
	for _, a := range s.best.Scenario.Actions {
		named := len(a.Who) > 0
		a.Who = among(a.Who)
		groups := a.Groups
		a.Groups = nil
		for _, group := range groups {
			if group = among(group); len(group) > 0 {
				a.Groups = append(a.Groups, group)
			}
		}
		if named && len(a.Who) == 0 || len(groups) > 0 && len(a.Groups) < 2 ||
			(a.Verb == Call || a.Verb == Clone) && len(a.Who) < 2 {
			continue
		}
		actions = append(actions, a)
	}
	config := s.with(actions)
	config.Nodes = nodes
	return config
}

// fewerActions leaves out runs of actions, half of them at first, and then
// machines of each.
func (s *shortening) fewerActions() (better bool) {
	for size := (len(s.best.Scenario.Actions) + 1) / 2; size >= 1; size /= 2 {
		for from := 0; from < len(s.best.Scenario.Actions) && s.may(); {
			actions := s.best.Scenario.Actions
			to := min(from+size, len(actions))
			if s.try(s.with(slices.Delete(slices.Clone(actions), from, to))) {
				better = true
				continue // what came after stands there now
			}
			from = to
		}
	}
	for i := range s.best.Scenario.Actions {
		if a := s.best.Scenario.Actions[i]; a.Times > 1 {
			actions := slices.Clone(s.best.Scenario.Actions)
			if actions[i].Times /= 2; actions[i].Times == 1 {
				actions[i].Every = 0
			}
			better = s.try(s.with(actions)) || better
		}
	}
	return better
}

// sooner has the run end sooner, and what is done at its end with it. What would be done later is left out.
func (s *shortening) sooner() (better bool) {
	for _, share := range []time.Duration{4, 2} {
		config := s.with(slices.Clone(s.best.Scenario.Actions))
		config.For = (s.best.For - s.best.For/share).Round(time.Millisecond)
		for i := range config.Scenario.Actions {
			if a := &config.Scenario.Actions[i]; a.At == s.best.For {
				a.At = config.For
			}
		}
		config.Scenario.Actions = slices.DeleteFunc(config.Scenario.Actions, func(a Action) bool { return a.At > config.For })
		slices.SortStableFunc(config.Scenario.Actions, byTime)
		better = s.try(config) || better
	}
	return better
}

// plain sets back what settings the failure does not need.
func (s *shortening) plain() {
	usual := DefaultConfig()
	for _, one := range settings {
		switch one.name {
		case "nodes", "seeds", "seed", "for", "plant", "no-false-death":
			continue
		}
		if value := one.show(&usual); one.show(&s.best) != value {
			config := s.best
			if one.read(&config, value) == nil {
				s.try(config)
			}
		}
	}
}
