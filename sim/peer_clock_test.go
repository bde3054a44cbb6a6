package sim

import (
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// A peer whose clock is wrong says so, and that it is right again; nobody else does.
func TestWrongClockOfAPeerIsTold(t *testing.T) {
	t.Parallel()
	for _, jump := range []time.Duration{time.Hour, -72 * time.Hour} {
		w := newScenario(t, 6, "", func(c *Config) { c.Seeds, c.Loss = 3, 0.05 })
		told := 0
		w.bend(2, &twist{steps: func(_ *World, _ *machine, e *core.Effects) {
			for i := range e.Events {
				if e.Events[i].Kind == hearsay.EventClockOff {
					told++
				}
			}
		}})
		jumps := func(by time.Duration) { // its process sees that when it starts again
			w.Do(Action{Verb: Jump, Who: []int{2}, Delay: by})
			w.Do(Action{Verb: Kill, Who: []int{2}})
			w.Do(Action{Verb: Restart, Who: []int{2}})
			w.RunUntil(w.now + time.Minute)
		}
		w.RunUntil(30 * time.Second)
		jumps(jump)
		for i := range w.machines {
			m := &w.machines[i]
			text := strings.Join(troublesOf(m), "; ")
			if says := strings.Contains(text, "this machine's clock is"); says != (m.name == "n2") {
				t.Errorf("jump %v: %s says %q", jump, m.name, text)
			}
		}
		if told != 1 {
			t.Errorf("jump %v: told %d times", jump, told)
		}
		jumps(-jump)
		if text := strings.Join(troublesOf(&w.machines[1]), "; "); strings.Contains(text, "clock") {
			t.Errorf("jump %v: a minute after its clock is right n2 says %q", jump, text)
		}
	}
}
