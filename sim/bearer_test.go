package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A peer that is started with an empty directory is another node with the same name: why of the name says that another
// one bore it, and until when, at seeds and peers, and in a network without seeds.
func TestWhyTellsOfTheFormerBearerOfAName(t *testing.T) {
	t.Parallel()
	for _, seeds := range []int{0, 3} {
		t.Run(fmt.Sprint(seeds, " seeds"), func(t *testing.T) {
			w := newScenario(t, 4, "at 20s kill n2\nat 22s restart n2 fresh\nat 60s kill n2\nat 75s restart n2 fresh", func(c *Config) { c.Seeds = seeds })
			w.RunUntil(19 * time.Second)
			first := w.machines[1].id
			says := func(teller int, words ...string) {
				t.Helper()
				m := &w.machines[teller]
				file, err := m.why(w.timeOf(m), "n2")
				if err != nil {
					t.Fatal(err)
				}
				for _, one := range words {
					if !strings.Contains(file.Summary, one) {
						t.Errorf("%s at %v: no %q in %s", m.name, w.now, one, file.Summary)
					}
				}
				if len(words) == 0 && strings.Contains(file.Summary, "Another node") {
					t.Errorf("%s at %v: %s", m.name, w.now, file.Summary)
				}
			}
			tellers := []int{0, 1}
			if seeds > 0 {
				tellers = append(tellers, 4)
			}
			for _, teller := range tellers {
				says(teller)
			}
			w.RunUntil(55 * time.Second)
			second := w.machines[1].id
			for _, teller := range tellers {
				says(teller, "Another node was called n2 until ", "its id is "+first.Short(), "that of this one is "+second.Short())
				if seeds > 0 {
					says(teller, "until epoch ", ", when it was removed (2")
				}
			}
			w.RunUntil(100 * time.Second)
			says(0, "its id is "+second.Short(), "Before that 1 other node had the name.")
		})
	}
}
