package sim

import (
	"strings"
	"testing"
	"time"
)

// follow runs a world as its text tells, to its end, and fails if it does not
// converge.
func follow(t *testing.T, text string) {
	t.Helper()
	config := DefaultConfig()
	if err := ParseWorld(t.Name(), text, &config); err != nil {
		t.Fatal(err)
	}
	w := NewWorld(config, nil)
	w.Follow(config.Scenario)
	w.RunUntil(config.For)
	w.convergence.settle()
	for i := range w.check.violations {
		t.Error(&w.check.violations[i])
	}
	if problem := w.convergence.disagreement(); problem != "" {
		t.Errorf("not converged %v after the last fault: %s", w.now-w.lastTrouble, problem)
	}
}

// Of what is gone all come to know. As drawn by seed 166, where n3 alone has kept
// some of its first rumors over a restart, and what is gone lies among them.
func TestWhatIsGoneIsKnown(t *testing.T) {
	follow(t, `
with nodes 3
with seed 166
with for 1m8s
with loss 0.1
with delay 60ms
with disk 3ms
with keep-count 16
at 4s say anyone x22 every 700ms
at 8s say anyone x20 every 3s size 18308
at 10.816s partition n2..n3 | n1
at 13.183s cut n3 -> n2
at 35.22s loss-out 0.6 n3
at 37.281s kill n1
at 49.445s heal
at 51.656s pause n2
at 59.552s leave n3
at 1m8s loss 0 n1..n3
at 1m8s resume n1..n3
at 1m8s restart n1..n3
`)
}

// That a rumor is gone, one alone knows: the others need not believe it, and
// agree. The origin is believed.
func TestWhoKnowsWhatIsGone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, script, want string }{
		{"nobody else", "at 30s kill n2\nat 31s restart n2 fresh\nat 32s kill n3\nat 33s restart n3 fresh", ""},
		{"its origin", "at 30s kill n1\nat 31s restart n1 fresh\nat 32s kill n3\nat 33s restart n3 fresh", "of n2: its origin knows that it is gone"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newScenario(t, 3, "at 10s say n2 x20 every 100ms\n"+test.script, func(c *Config) { c.Rumors.KeepFor = 15 * time.Second })
			for number := range w.machines {
				w.bend(number+1, &twist{takes: ignoreMissed})
			}
			w.RunUntil(60 * time.Second)
			if problem := w.convergence.disagreement(); test.want == "" && problem != "" || !strings.Contains(problem, test.want) {
				t.Errorf("got %q, want %q", problem, test.want)
			}
		})
	}
}
