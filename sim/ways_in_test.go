package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// Where what comes in gets lost at a machine, and what goes out does not, it cannot know: those that find it out tell
// it, and it says so until that is over. Nobody else does.
func TestLostOnTheWayInIsTold(t *testing.T) {
	t.Parallel()
	const begins, ends, end = 30 * time.Second, 4 * time.Minute, 5 * time.Minute
	for name, test := range map[string]struct {
		seeds int
		lost  func(p *core.Packet) bool
		says  string
	}{
		"streams": {0, func(p *core.Packet) bool { _, answers := p.Body.(*core.Ack); return p.Stream && !answers }, "streams (TCP) do not get to this node from"},
		"streams, of seeds": {3, func(p *core.Packet) bool {
			ping, is := p.Body.(*core.Ping)
			return is && p.Stream && ping.Extra > 0
		}, "streams (TCP) do not get to this node from"},
		"large": {3, func(p *core.Packet) bool { ping, is := p.Body.(*core.Ping); return is && !p.Stream && ping.Extra > 500 }, "large packets do not get to this node from"},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(3) {
				w := newScenario(t, 8, "", func(c *Config) { c.Seeds, c.Seed = test.seeds, seed+1 })
				lost, told := false, map[string]bool{}
				w.bend(3, &twist{takes: func(w *World, _ *machine, p *core.Packet) bool {
					return w.now < begins || w.now > ends || !test.lost(p)
				}, steps: func(w *World, _ *machine, e *core.Effects) {
					for _, one := range e.Events {
						if one.Kind == hearsay.EventLostHere || one.Kind == hearsay.EventComesHere {
							lost = one.Kind == hearsay.EventLostHere
							told[w.check.name(one.Subject)] = lost
						}
					}
				}})
				w.RunUntil(ends)
				for i := range w.machines {
					m := &w.machines[i]
					if text := strings.Join(troublesOf(m), "; "); strings.Contains(text, "do not get to this node from") != (m.name == "n3") || m.name == "n3" && !strings.Contains(text, test.says) {
						t.Errorf("seed %d: %s says %q", seed, m.name, text)
					}
				}
				if len(told) == 0 {
					t.Errorf("seed %d: no event tells it", seed)
				}
				w.RunUntil(end)
				if text := strings.Join(troublesOf(&w.machines[2]), "; "); strings.Contains(text, "do not get to") {
					t.Errorf("seed %d: a minute after its end n3 says %q", seed, text)
				}
				for who, still := range told {
					if still {
						t.Errorf("seed %d: no event says that it is over, as %s told it: %s", seed, who, fmt.Sprint(told))
					}
				}
			}
		})
	}
}

// A datagram in a member's name that says so, from where that member is, tells nothing: what comes of it shows
// otherwise.
func TestForgedLossOnTheWayInIsNotTold(t *testing.T) {
	t.Parallel()
	for seeds, loss := range map[int]float64{0: 0, 3: 0.05} {
		w := newScenario(t, 8, "", func(c *Config) { c.Seeds, c.Loss = seeds, loss })
		w.RunUntil(30 * time.Second)
		for range 60 {
			for liar := range 3 {
				for extra := 2; extra <= 3; extra++ {
					ping := &core.Ping{Seq: 1 << 40, Target: w.machines[5].id, Extra: extra}
					w.advance(&w.machines[5], func(now time.Time) *core.Effects {
						p := core.Packet{From: w.machines[liar].id, Addr: addrOf(liar), Body: ping, Size: 100}
						return w.machines[5].node.Receive(now, &p)
					})
				}
			}
			w.RunUntil(w.now + time.Second)
			if text := strings.Join(troublesOf(&w.machines[5]), "; "); strings.Contains(text, "do not get to this node from") {
				t.Fatalf("with %d seeds: after %v n6 says %q", seeds, w.now, text)
			}
		}
	}
}
