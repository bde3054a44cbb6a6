package sim

import (
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// A seed whose disk stands still hears no quorum, and tells that of the disk alone: no event says that the quorum is
// lost, nor that it is back. If it is lost indeed, that is told some seconds after the disk keeps up again.
func TestAStandingDiskLosesNoQuorum(t *testing.T) {
	t.Parallel()
	const begins, ends = 30 * time.Second, 80 * time.Second
	for name, test := range map[string]struct {
		text string
		want string
	}{
		"the disk alone":       {"", ""},
		"the other seeds, too": {"at 50s kill s1 s2\n", "quorum-lost "},
		"they come back":       {"at 50s kill s1 s2\nat 70s restart s1 s2\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(large(2, 6)) {
				w := newScenario(t, 6, test.text+"at 30s disk 50s s3\nat 31s kill n6\nat 35s disk 0s s3", func(c *Config) { c.Seeds, c.Seed = 3, seed+1 })
				told, behind := "", false
				w.machines[8].twist = &twist{steps: func(w *World, m *machine, e *core.Effects) {
					behind = behind || w.now < ends && m.node.DiskBehind() > 40*time.Second
					for i := range e.Events {
						switch kind := e.Events[i].Kind; kind {
						case hearsay.EventQuorumLost, hearsay.EventQuorumBack:
							if told += kind.String() + " "; w.now > begins && m.node.DiskBehind() > 0 {
								t.Errorf("seed %d: after %v it tells %s", seed, w.now-begins, kind)
							}
						}
					}
				}}
				w.RunUntil(ends + 20*time.Second)
				if told != test.want || !behind {
					t.Errorf("seed %d: %s tells %q, want %q; its disk stood still: %v", seed, w.machines[8].name, told, test.want, behind)
				}
			}
		})
	}
}
