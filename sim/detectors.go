package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/internal/core"
)

// This file measures what a detector costs and finds, in open networks of nodes that ship.

const (
	watchFrom  = 25 * time.Second // all have joined, and news of that is over
	watchUntil = 55 * time.Second
	watchKills = 10 * time.Second // after that, in which members are killed
	watchMost  = 16               // of so many members one is killed
	watchAfter = time.Minute      // that a member may take to be out once it has been accused at the latest

	// WatchKillsMost bounds the members that are killed, in all runs.
	WatchKillsMost = 100_000
)

// Detectors are all there are.
var Detectors = [...]detect.Kind{detect.KindSwim, detect.KindHeartbeat, detect.KindNeighbor}

// Watching is a measurement of one detector.
type Watching struct {
	Detector detect.Kind
	Nodes    int
	Loss     float64
	Kills    int // in as many runs as that takes
	Seed     uint64
}

// Watched is what it came to. Times are in seconds.
type Watched struct {
	Detector string  `json:"detector"`
	Nodes    int     `json:"nodes"`
	Loss     float64 `json:"loss"`
	Killed   int     `json:"killed"`
	// until the first other holds one that was killed dead, of those that some did
	Found   int     `json:"found"`
	Median  float64 `json:"found_median_s"`
	Late    float64 `json:"found_99_s"`
	Longest float64 `json:"found_longest_s"`
	// accusations of members that ran, a node and hour; and how many of these were held dead
	False    float64 `json:"false_accusations"`
	Deaths   int     `json:"false_deaths"`
	Messages float64 `json:"messages"` // a node and second while nobody dies, by datagram and stream
	Bytes    float64 `json:"bytes"`    // in them
}

// Validate says what is wrong, if anything.
func (c *Watching) Validate() error {
	switch {
	case c.Nodes < killsFrom || c.Nodes > MaxNodes:
		return fmt.Errorf("nodes %d: want %d to %d", c.Nodes, killsFrom, MaxNodes)
	case !(c.Loss >= 0 && c.Loss < 1):
		return fmt.Errorf("loss %v: want a probability, 0 or more and less than 1", c.Loss)
	case c.Kills < 1 || c.Kills > WatchKillsMost:
		return fmt.Errorf("kills %d: want 1 to %d", c.Kills, WatchKillsMost)
	}
	return nil
}

// watchSum is the sum over runs.
type watchSum struct {
	*Watching
	accused  int // of members that ran
	packets  uint64
	bytes    uint64
	took     []time.Duration
	killed   int
	deaths   int
	nodeTime time.Duration // of all runs and nodes
	quiet    time.Duration // likewise, while nobody died
}

// Run measures.
func (c *Watching) Run() (Watched, error) {
	if err := c.Validate(); err != nil {
		return Watched{}, fmt.Errorf("sim: %w", err)
	}
	s := watchSum{Watching: c}
	for run := uint64(0); s.killed < c.Kills; run++ {
		s.run(c.Seed + run)
	}
	slices.Sort(s.took)
	hours, seconds := s.nodeTime.Hours(), s.quiet.Seconds()
	w := Watched{
		Detector: c.Detector.String(), Nodes: c.Nodes, Loss: c.Loss, Killed: s.killed, Found: len(s.took), Deaths: s.deaths,
		False: float64(s.accused) / hours, Messages: float64(s.packets) / seconds, Bytes: float64(s.bytes) / seconds,
	}
	if n := len(s.took); n > 0 {
		w.Median, w.Late, w.Longest = s.took[n/2].Seconds(), s.took[(n-1)*99/100].Seconds(), s.took[n-1].Seconds()
	}
	return w, nil
}

// run is one network: nobody dies for a while, and then some do.
func (s *watchSum) run(seed uint64) {
	config := DefaultConfig()
	config.Nodes, config.Loss, config.Seed, config.Detect.Kind = s.Nodes, s.Loss, seed, s.Detector
	w := NewWorld(config, nil)
	for i := range w.machines {
		w.bend(i+1, &twist{steps: s.step})
	}
	w.Follow(&Scenario{})
	w.RunUntil(watchFrom)
	before := w.counts
	w.RunUntil(watchUntil)
	s.packets += w.counts.Packets + w.counts.Streams - before.Packets - before.Streams
	s.bytes += w.counts.Bytes + w.counts.StreamBytes - before.Bytes - before.StreamBytes
	s.quiet += time.Duration(s.Nodes) * (watchUntil - watchFrom)
	stream := draws(seed, purposeKills)
	victims := rand.New(&stream).Perm(s.Nodes)[:min(max(1, s.Nodes/watchMost), s.Kills-s.killed)]
	for _, victim := range victims {
		w.Plan(Action{At: watchUntil + upTo(&stream, watchKills), Verb: Kill, Who: []int{victim + 1}})
	}
	w.RunUntil(watchUntil + watchKills)
	for end := w.now + config.Detect.Finds(s.Nodes) + watchAfter; w.now < end && !w.fates.found(); {
		w.RunUntil(w.now + checkEvery)
	}
	for i := range w.fates.all {
		if f := &w.fates.all[i]; f.Knowers > 0 {
			s.took = append(s.took, f.Found)
		}
	}
	s.killed += len(victims)
	s.deaths += w.check.falseDeaths
	s.nodeTime += time.Duration(s.Nodes) * w.now
}

// step counts accusations of members that run.
func (s *watchSum) step(w *World, _ *machine, e *core.Effects) {
	for i := range e.Events {
		if e.Events[i].Kind != hearsay.EventUnreachable {
			continue
		}
		number, known := w.check.numbers[e.Events[i].Subject]
		if known && w.check.identities[number].running {
			s.accused++
		}
	}
}

// found reports whether all whose fate began are held dead by somebody.
func (f *fates) found() bool {
	return !slices.ContainsFunc(f.all, func(one Fate) bool { return one.Knowers == 0 })
}
