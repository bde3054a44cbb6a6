package sim

import (
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// Where no stream gets through between a peer and all seeds, though datagrams do, both sides say within a minute of
// each way that it does not work: the first within half a minute, as what the peer asks of the seeds gets no answer.
func TestStreamsBetweenAPeerAndTheSeedsThatGetLostAreTold(t *testing.T) {
	t.Parallel()
	const begins, first, all = 60 * time.Second, 30 * time.Second, time.Minute
	for seed := range uint64(large(3, 8)) {
		w := newScenario(t, 5, "", func(c *Config) { c.Seeds, c.Seed = 3, seed+1 })
		n1, seeds := &w.machines[0], w.machines[5:8]
		between := func(from *machine, p core.Packet) bool {
			if from != n1 {
				return p.Addr == n1.addr
			}
			return slices.ContainsFunc(seeds, func(m machine) bool { return m.addr == p.Addr })
		}
		for _, m := range append([]*machine{n1}, &seeds[0], &seeds[1], &seeds[2]) {
			m.twist = &twist{steps: func(w *World, m *machine, e *core.Effects) {
				lost := func(p core.Packet) bool { return w.now >= begins && p.Stream && between(m, p) }
				e.Now, e.Send = slices.DeleteFunc(e.Now, lost), slices.DeleteFunc(e.Send, lost)
			}}
		}
		says := func(of []hearsay.Indirect, name string) int {
			return len(slices.DeleteFunc(slices.Clone(of), func(one hearsay.Indirect) bool { return one.Name != name }))
		}
		for _, by := range []struct {
			at   time.Duration
			most int // of what is not told yet
		}{{first, 11}, {all, 0}} {
			w.RunUntil(begins + by.at)
			own, lacks := n1.node.Stats(), 12
			for i := range seeds {
				its := seeds[i].node.Stats()
				lacks -= says(own.Streamless, seeds[i].name) + says(own.NoStreamsIn, seeds[i].name) + says(its.Streamless, "n1") + says(its.NoStreamsIn, "n1")
			}
			if lacks > by.most {
				t.Errorf("seed %d: after %v of 12 things that are so %d are not told", seed, by.at, lacks)
			}
		}
	}
}
