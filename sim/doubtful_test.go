package sim

import (
	"fmt"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// A machine to which nothing comes accuses all others in turn. Once it is suspect itself nobody believes it: nobody
// else holds one suspect by its word, or has no quorum of seeds for a moment, and those that it tells refute without
// noise.
func TestAccusationsOfASuspectSpreadNoFurther(t *testing.T) {
	t.Parallel()
	const begins = 30 * time.Second
	for name, seeds := range map[string]int{"s3": 3, "n3": 3, "n4": 0} {
		t.Run(fmt.Sprintf("%s of %d seeds", name, seeds), func(t *testing.T) {
			for seed := range uint64(large(2, 6)) {
				w := newScenario(t, 8, fmt.Sprintf("at %v loss-in 1 %s", begins, name), func(c *Config) { c.Seeds, c.Seed = seeds, seed+1 })
				refuted, condemned := 0, 0
				for i := range w.machines {
					suspect := false
					w.machines[i].twist = &twist{steps: func(w *World, m *machine, e *core.Effects) {
						for i := range e.Events {
							switch e := &e.Events[i]; {
							case w.now < begins:
							case m.name == name:
								if e.Kind == hearsay.EventCondemned {
									if condemned++; !e.CutOff {
										t.Errorf("seed %d: after %v %s condemns %s, and does not say that it hears nobody", seed, w.now-begins, m.name, e.Name)
									}
								}
							case e.Name == name:
								suspect = suspect || e.Kind == hearsay.EventMemberSuspected
							case e.Kind == hearsay.EventQuorumLost:
								t.Errorf("seed %d: after %v %s has no quorum", seed, w.now-begins, m.name)
							case !suspect:
							case e.Kind == hearsay.EventMemberSuspected:
								t.Errorf("seed %d: after %v %s holds %s suspect by the word of %s", seed, w.now-begins, m.name, e.Name, e.ByName)
							case e.Kind == hearsay.EventRefuted:
								if refuted++; !e.CutOff {
									t.Errorf("seed %d: after %v %s refutes %s as if it were well", seed, w.now-begins, m.name, e.ByName)
								}
							}
						}
					}}
				}
				w.RunUntil(begins + time.Minute)
				if refuted == 0 || seeds > 0 && condemned == 0 {
					t.Errorf("seed %d: %d refuted, and %d condemned", seed, refuted, condemned)
				}
			}
		})
	}
}
