package sim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// What a scenario's text means, or what is wrong with it.
func TestParseScenario(t *testing.T) {
	datadriven.RunTest(t, "testdata/scripts", func(t *testing.T, d *datadriven.TestData) string {
		nodes := 9
		d.MaybeScanArgs(t, "nodes", &nodes)
		s, err := ParseScenario("file", d.Input, nodes, 0)
		if err != nil {
			return err.Error() + "\n"
		}
		var b strings.Builder
		for i := range s.Actions {
			fmt.Fprintf(&b, "%s %s\n", s.Actions[i].At, &s.Actions[i])
		}
		return b.String()
	})
}

// What an action says of itself is what makes it.
func TestActionsReadBack(t *testing.T) {
	const text = `at 1s start n9
at 2s kill n3 n5..n7
at 3s restart n3
at 4s restart n5..n6 fresh
at 5s partition n1..n4 | n5..n9
at 6s cut n1 -> n2
at 7s heal
at 8s pause n4
at 9s resume n4
at 10s leave n8
at 11s loss 0.25
at 12s loss 0.8 n3
at 12s loss-in 0.8 n3..n4
at 12s loss-out 1 n3
at 13s delay 20ms
at 14s duplicate 0.05
at 15s say n1 n3..n4
at 16s say anyone x5 every 1s
at 17s say n2 x20 every 10ms size 65536
at 18s delay 20ms 100ms
at 19s reorder 0.02 2s
at 20s slow 200ms n3..n4
at 21s drift -0.01 n3
at 22s jump -30m0s n3
at 23s jump 1h0m0s n3
at 24s disk 100ms n1..n9
at 25s fail 0.1 n3
`
	s, err := ParseScenario("file", text, 9, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range s.Actions {
		fmt.Fprintf(&b, "at %s %s\n", s.Actions[i].At, &s.Actions[i])
	}
	if b.String() != text {
		t.Fatalf("got\n%s", b.String())
	}
}
