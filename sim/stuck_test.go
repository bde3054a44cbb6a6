package sim

import (
	"fmt"
	"testing"
	"time"
)

// While what is long gets lost at a machine, by stream, too, all that follows on such a stream is stuck behind it. That
// is told as what it is: nobody says that streams do not get through, neither meanwhile nor once it is over; and it is
// told no more 20 s after its end.
func TestStreamsThatAreStuckAreNotLost(t *testing.T) {
	t.Parallel()
	const ends = 90 * time.Second
	for name, seeds := range map[string]int{"open": 0, "seeded": 3} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(4) {
				text := fmt.Sprintf("at 20s narrow 500 n3\nat %v narrow 0 n3", ends)
				for second := 15; second < 130; second += 3 {
					text += fmt.Sprintf("\nat %ds say n%d size 3000", second, 1+second/3%12)
				}
				w := newScenario(t, 12, text, func(c *Config) { c.Seeds, c.Seed = seeds, seed+1 })
				told, narrow := 0, false
				for w.now < ends+time.Minute {
					w.RunUntil(w.now + time.Second)
					if own, of := saysStreamless(w); len(own)+len(of) > 0 {
						if told++; told < 4 {
							t.Errorf("seed %d: after %v %q say that streams do not get from them, and others that they do not get to %q", seed, w.now, own, of)
						}
					}
					for i := range w.machines {
						if w.machines[i].node == nil {
							continue // it has not begun
						}
						stats := w.machines[i].node.Stats()
						if is := len(stats.Narrow) > 0; is && w.now > ends+20*time.Second {
							t.Errorf("seed %d: after %v %s says that nothing large gets to %s", seed, w.now, w.machines[i].name, stats.Narrow[0].Name)
						} else if narrow = narrow || is; is && w.now < 20*time.Second {
							t.Errorf("seed %d: told before", seed)
						}
					}
				}
				if !narrow {
					t.Errorf("seed %d: nobody says that nothing large gets through", seed)
				}
			}
		})
	}
}
