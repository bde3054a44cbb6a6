package sim

import (
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// A peer whose seeds have founded the network anew tells as an event, once, that nobody follows its ledger; and a seed
// on a disk that was put back that it takes no part, if that lasts.
func TestStandingIsToldAsEvents(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ script, who, told string }{
		"apart":   {"at 20s kill s1\nat 21s kill n5\nat 30s recover s1", "n2", "apart"},
		"no part": {"at 20s save s1\nat 21s kill s2 s3\nat 22s restore s1\nat 45s restart s2 s3", "s1", "no-part, takes-part"},
		"nothing": {"at 20s kill s2\nat 30s restart s2", "n1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newScenario(t, 5, test.script, withSeeds(3))
			told := map[string][]string{}
			for i := range w.machines {
				m := &w.machines[i]
				m.twist = &twist{unjudged: true, steps: func(_ *World, m *machine, e *core.Effects) {
					for _, one := range e.Events {
						switch one.Kind {
						case hearsay.EventNoPart, hearsay.EventTakesPart, hearsay.EventApart, hearsay.EventApartOver:
							told[m.name] = append(told[m.name], one.Kind.String())
						}
					}
				}}
			}
			w.RunUntil(90 * time.Second)
			if got := strings.Join(told[test.who], ", "); got != test.told {
				t.Errorf("%s has told %q; want %q", test.who, got, test.told)
			}
		})
	}
}
