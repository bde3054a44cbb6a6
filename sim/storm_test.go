package sim

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"hearsay"
	"hearsay/overlay"
	"hearsay/rumor"
)

// A storm is a minute in which anything may fail and nothing wrong may happen;
// then all is mended, and everything must converge. The seed also draws how
// bad the world is.
const (
	stormBegins = 8 * time.Second
	stormEnds   = 68 * time.Second
	stormSeeds  = 200
	stormLarge  = 2000 // seeds, if there is time
)

// storm draws the scenario of a storm.
func storm(random *rand.Rand, config *Config) *Scenario {
	nodes := 2 + random.IntN(14)
	config.Nodes = nodes
	config.Loss = []float64{0, 0, 0.02, 0.1, 0.3}[random.IntN(5)]
	config.Delay = []time.Duration{500 * time.Microsecond, 5 * time.Millisecond, 60 * time.Millisecond}[random.IntN(3)]
	config.DiskDelay = []time.Duration{0, 0, 3 * time.Millisecond, 100 * time.Millisecond}[random.IntN(4)]
	config.Detect.StreamPing = random.IntN(2) == 0
	s := &Scenario{}
	if every := []time.Duration{0, 100 * time.Millisecond, 700 * time.Millisecond}[random.IntN(3)]; every > 0 {
		s.Actions = append(s.Actions, Action{At: stormBegins / 2, Verb: Say, Anyone: true, Times: int(stormEnds / every), Every: every})
	}
	every := time.Duration(1+random.IntN(8)) * time.Second
	for at := stormBegins; at < stormEnds; at += time.Duration(1 + random.Int64N(int64(2*every))) {
		s.Actions = append(s.Actions, gust(random, at.Truncate(time.Millisecond), nodes))
	}
	all := make([]int, nodes)
	for i := range all {
		all[i] = i + 1
	}
	s.Actions = append(s.Actions,
		Action{At: stormEnds, Verb: Heal},
		Action{At: stormEnds, Verb: Loss, Share: min(config.Loss, 0.1)},
		Action{At: stormEnds, Verb: Loss, Who: all},
		Action{At: stormEnds, Verb: Resume, Who: all},
	)
	// One who has lost everybody cannot tell that from being lost himself, and
	// who has only the address of a dead n1 finds nobody: some must be there.
	back := all[:min(3, nodes)]
	if random.IntN(2) == 0 {
		back = all
	}
	s.Actions = append(s.Actions, Action{At: stormEnds, Verb: Restart, Who: back})
	config.Overlay.Kind = []overlay.Kind{overlay.KindRing, overlay.KindRing, overlay.KindRandom}[random.IntN(3)]
	config.Rumors.Strategy = []rumor.Strategy{rumor.Tree, rumor.Tree, rumor.Tree, rumor.Monger, rumor.Flood}[random.IntN(5)]
	config.Rumors.Style = []rumor.Style{rumor.Push, rumor.Pull, rumor.PushPull}[random.IntN(3)]
	if random.IntN(2) == 0 {
		s.Actions = append(s.Actions, Action{At: stormBegins, Verb: Say, Anyone: true, Times: 20, Every: 3 * time.Second, Size: 1 + random.IntN(hearsay.MaxRumorData)})
	}
	return s
}

// gust draws one fault, or the end of one.
func gust(random *rand.Rand, at time.Duration, nodes int) Action {
	a := Action{At: at, Who: []int{1 + random.IntN(nodes)}}
	order := random.Perm(nodes)
	for i := range order {
		order[i]++
	}
	switch random.IntN(13) {
	case 0, 1:
		a.Verb = Kill
	case 2, 3:
		a.Verb, a.Fresh = Restart, random.IntN(4) == 0
	case 4, 5:
		a.Verb = Pause
	case 6, 7:
		a.Verb = Resume
	case 8:
		split := 1 + random.IntN(nodes-1)
		a.Verb, a.Who, a.Groups = Partition, nil, [][]int{order[:split], order[split:]}
	case 9:
		a.Verb, a.Who = Heal, nil
	case 10:
		a.Verb, a.Who, a.Groups = Cut, nil, [][]int{order[:1], order[1:2]}
	case 11:
		if a.Verb, a.Share = Loss, float64(random.IntN(10))/10; random.IntN(4) == 0 {
			a.Verb = Leave
		}
	case 12:
		a.Verb, a.Who, a.Share = Duplicate, nil, float64(random.IntN(6))/10
	}
	return a
}

func TestStorms(t *testing.T) {
	seeds := stormSeeds
	if os.Getenv(largeVariable) != "" {
		seeds = stormLarge
	}
	longest, all := time.Duration(0), Rumors{}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			config := DefaultConfig()
			config.Seed = seed
			stream := draws(seed, "storm")
			scenario := storm(rand.New(&stream), &config)
			w := NewWorld(config, nil)
			w.Follow(scenario)
			w.RunUntil(stormEnds)
			w.settle()
			longest = max(longest, w.now-stormEnds)
			problem, rumors := w.disagreement(), w.check.gossip.rumors()
			all.Said, all.Deliveries = all.Said+rumors.Said, all.Deliveries+rumors.Deliveries
			if problem == "" && w.check.broken == 0 {
				return
			}
			t.Logf("%d nodes, loss %v, delay %v, disk %v, stream pings %v, overlay %s, rumors by %s",
				config.Nodes, config.Loss, config.Delay, config.DiskDelay, config.Detect.StreamPing, config.Overlay.Kind, config.Rumors.Strategy)
			for i := range scenario.Actions {
				t.Logf("at %s %s", scenario.Actions[i].At, &scenario.Actions[i])
			}
			for i := range w.check.violations {
				t.Error(&w.check.violations[i])
			}
			if problem != "" {
				t.Errorf("not converged %v after the storm: %s", w.now-stormEnds, problem)
			}
		})
	}
	t.Logf("longest time to converge: %v; %d rumors said, %d deliveries", longest, all.Said, all.Deliveries)
	if all.Said == 0 || all.Deliveries < uint64(all.Said) {
		t.Error("nobody said anything, or hardly anybody heard it")
	}
}
