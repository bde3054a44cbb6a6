package rumor

import (
	"math"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// What anybody says that it has seen of a node's own rumors neither ends that node, nor has it use numbers that others
// do not believe, now or in its next lives: its rumors reach all.
func TestAttackSeenOfOnesOwnBeyondAllNumbers(t *testing.T) {
	for name, theirs := range map[string][]clock.Range{
		"all numbers":                  {{Low: 1, High: math.MaxUint64}},
		"the last number":              {{Low: 2, High: math.MaxUint64 - 1}},
		"all that may be":              {{Low: 1, High: maxNumber}},
		"beyond what others believe":   {{Low: 2, High: 4 * maxAhead}},
		"near, and then far":           {{Low: 1, High: 2}, {Low: 4, High: 4 * maxAhead}},
		"in steps, each a little more": {{Low: 2, High: 2}, {Low: 4, High: maxForgot}, {Low: maxForgot + 2, High: maxAhead}, {Low: maxAhead + 2, High: 3 * maxAhead}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newNetwork(t, 3, DefaultConfig())
			w.link(0, 1)
			w.link(1, 2)
			ids := []clock.Dot{w.say(0, "before")}
			w.run(time.Minute)
			var forged []core.SeenRange
			for _, r := range theirs {
				forged = append(forged, core.SeenRange{Origin: hearsay.OriginOf(nodeID(0)), Range: r})
			}
			w.byStream(1, 0, &core.Seen{Ranges: forged})
			ids = append(ids, w.say(0, "after"))
			w.run(time.Minute)
			w.restart(0)
			ids = append(ids, w.say(0, "in the next life"))
			w.run(time.Minute)
			for _, id := range ids {
				for _, n := range w.nodes[1:] {
					if _, got := n.got[id]; !got {
						t.Errorf("node %d has not got %d; it has refused %d as too far", n.index, id.Counter, n.stats.Drops[hearsay.DropFarFuture])
					}
				}
			}
		})
	}
}
