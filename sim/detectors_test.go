package sim

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/internal/core"
	"hearsay/overlay"
	"hearsay/wire"
)

// others are the detectors besides the default.
var others = []detect.Kind{detect.KindHeartbeat, detect.KindNeighbor}

// Whatever detector watches, the same comes to pass: who is killed is out, who stood still or was cut off is in again,
// and nobody else goes. Rules hold throughout, and networks converge by the deadline that follows from the settings.
func TestDetectors(t *testing.T) {
	worlds := uint64(1)
	if os.Getenv(largeVariable) != "" {
		worlds = 2
	}
	t.Parallel()
	for _, kind := range others {
		for name, script := range map[string]string{
			"quiet":           "",
			"kill":            "at 40s kill n3",
			"kill-and-return": "at 40s kill n3\nat 45s restart n3\nat 50s kill n4\nat 200s restart n4",
			"pause":           "at 40s pause n2\nat 130s resume n2\nat 131s pause n3\nat 132s resume n3",
			"leave":           "at 40s leave n2",
			"partition":       "at 40s partition n1..n5 | n6..n12\nat 140s heal",
			"cut":             "at 40s cut n1 -> n2\nat 40s cut n2 -> n1\nat 100s heal",
			"loss":            "at 20s loss 0.1\nat 40s kill n3\nat 140s loss 0.05",
			"no-datagrams":    "at 40s loss-datagrams 1 n3\nat 160s loss-datagrams 0 n3",
			"deaf":            "at 40s loss-in 1 n3\nat 120s loss-in 0 n3",
			"mute":            "at 40s loss-out 1 n3\nat 120s loss-out 0 n3",
			"half":            "at 40s kill n6..n11",
		} {
			for _, seeds := range []int{0, 3} {
				t.Run(fmt.Sprintf("%v/%s/%d-seeds", kind, name, seeds), func(t *testing.T) {
					t.Parallel()
					for seed := range worlds {
						config := DefaultConfig()
						config.Nodes, config.Seeds, config.For, config.Seed, config.Detect.Kind = 12, seeds, 4*time.Minute, seed+1, kind
						config.Chatter = 5 * time.Second
						config.NoFalseDeath = name == "quiet" || name == "kill" || name == "leave"
						var err error
						if config.Scenario, err = ParseScenario(name, script, config.Nodes, seeds); err != nil {
							t.Fatal(err)
						}
						if r, err := Run(config, io.Discard); err != nil || r.Faulty || config.NoFalseDeath && r.FalseDeaths > 0 {
							t.Errorf("%v; %d false deaths", err, r.FalseDeaths)
						}
					}
				})
			}
		}
	}
}

// A member that dies before many have heard of it is found by those that have: others neither list it nor watch it.
func TestOneThatDiesYoungIsFound(t *testing.T) {
	t.Parallel()
	for _, kind := range others {
		for _, lives := range []string{"400ms", "500ms", "600ms", "900ms"} {
			config := DefaultConfig()
			config.Nodes, config.For, config.Delay, config.Detect.Kind = 60, 40*time.Second, 100*time.Millisecond, kind
			life, err := time.ParseDuration(lives)
			if err != nil {
				t.Fatal(err)
			}
			script := fmt.Sprintf("at 30s start n50\nat %v kill n50", 30*time.Second+life)
			if config.Scenario, err = ParseScenario(lives, script, config.Nodes, 0); err != nil {
				t.Fatal(err)
			}
			r, err := Run(config, io.Discard)
			if longest := 4 * time.Minute; err != nil || r.Time > longest.Seconds() {
				t.Errorf("%v, %s: %v after %.0fs", kind, lives, err, r.Time)
			}
		}
	}
}

// A kill is found within what the detector promises: three pings of a link, and the round.
func TestNeighborFindsAKill(t *testing.T) {
	t.Parallel()
	for _, kind := range []overlay.Kind{overlay.KindRing, overlay.KindRandom, overlay.KindPowerLaw} {
		for _, seeds := range []int{0, 1, 3} {
			for _, victim := range []string{"n3", "s1"} {
				if victim == "s1" && seeds < 3 {
					continue // nobody could decide; a seed is suspect only, in any case
				}
				script := "at 60s kill " + victim
				w := newScenario(t, 10, script, func(c *Config) { c.Detect.Kind, c.Overlay.Kind, c.Seeds = detect.KindNeighbor, kind, seeds })
				w.RunUntil(60*time.Second + 3*w.config.Detect.Interval + 3*w.config.Detect.Period)
				if fate := w.fates.all[0].String(); !strings.Contains(fate, "suspect after") {
					t.Errorf("%v, %d seeds: %s", kind, seeds, fate)
				}
			}
		}
	}
}

// Whatever the overlay, and with seeds, which have no links: each member is watched by two others at least, if there
// are so many.
func TestNeighborWatchesEverybody(t *testing.T) {
	t.Parallel()
	for _, kind := range []overlay.Kind{overlay.KindRing, overlay.KindRandom, overlay.KindPowerLaw} {
		for _, seeds := range []int{0, 1, 3} {
			for _, nodes := range []int{1, 2, 3, 8, 40} {
				w := newScenario(t, nodes, "", func(c *Config) { c.Detect.Kind, c.Overlay.Kind, c.Seeds = detect.KindNeighbor, kind, seeds })
				w.RunUntil(time.Minute)
				by := map[string]map[string]bool{}
				w.watch = func(from *machine, p *core.Packet) {
					to, found := w.network.machineAt(p.Addr)
					ping, is := p.Body.(*core.Ping)
					if !is || !found || ping.Extra > 0 {
						return // that one tests the way
					}
					if name := w.machines[to].name; by[name] == nil {
						by[name] = map[string]bool{from.name: true}
					} else {
						by[name][from.name] = true
					}
				}
				w.RunUntil(w.now + w.config.Detect.Interval + 2*w.config.Detect.Period)
				for i := range w.machines {
					if n := len(by[w.machines[i].name]); n < min(2, nodes+seeds-1) {
						t.Errorf("%v, %d nodes, %d seeds: %s is pinged by %d", kind, nodes, seeds, w.machines[i].name, n)
					}
				}
			}
		}
	}
}

// Where a quarter of all packets is lost no counter seems to stand still, also where not all fit a packet; and what
// each node sends stays within its bound.
func TestHeartbeatBearsLoss(t *testing.T) {
	t.Parallel()
	for _, nodes := range []int{2, 5, 24, 170} {
		w := newScenario(t, nodes, "", func(c *Config) { c.Detect.Kind, c.Loss = detect.KindHeartbeat, 0.25 })
		sent, bytes, most := 0, 0, 0
		for i := range w.machines {
			w.bend(i+1, &twist{steps: func(_ *World, m *machine, e *core.Effects) {
				for i := range e.Events {
					if one := &e.Events[i]; one.Kind == hearsay.EventUnreachable && one.Text != "" {
						t.Errorf("%d nodes: %s accuses %s: %s for %v", nodes, m.name, one.Name, one.Text, one.Took)
					}
				}
				for i := range e.Now {
					if h, is := e.Now[i].Body.(*core.Heartbeat); is && !e.Now[i].Stream {
						size := len(wire.AppendPacket(nil, w.id, &e.Now[i]))
						sent, bytes, most = sent+1, bytes+size, max(most, len(h.Beats))
						if size > core.MTU {
							t.Errorf("%d bytes", size)
						}
					}
				}
			}})
		}
		w.RunUntil(2 * time.Minute)
		if limit := (120 + 1) * nodes * w.config.Detect.Fanout; sent > limit || most < min(nodes-2, core.MaxBeats) {
			t.Errorf("%d nodes: %d packets in 120 periods, with up to %d counters", nodes, sent, most)
		}
	}
}
