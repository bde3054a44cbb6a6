package cut

import (
	"strings"
	"testing"
	"time"

	"hearsay/test/process"
)

const (
	// narrowWithin is how long a member to which nothing large gets may take to say so, and its neighbors and seeds to
	// say it of it: five periods until the first test, five tests, and each is a neighbor's turn in some thirty.
	narrowWithin = 90 * time.Second

	// wideWithin is how long all may go on saying it.
	wideWithin = 60 * time.Second

	nothingLarge = `chain in { type filter hook input priority 0; iifname "cable" meta length > 500 drop; }
		chain out { type filter hook output priority 0; oifname "cable" meta length > 500 drop; }`
)

// TestNarrowMember drops all that is longer than 500 bytes between one member and the others: it stays a member, and
// says what is wrong with it, as do its neighbors, and seeds.
func TestNarrowMember(t *testing.T) {
	withOneApart(t, tellsNarrow)
}

func tellsNarrow(t *testing.T, binary string, halves [2]*half, narrow *half) {
	t.Helper()
	const own, others = "large packets have not got through from this node", "large packets do not get from this node to b-1"
	filter(t, narrow, nothingLarge)
	told := process.Until(t, "told", narrowWithin, func() string {
		if status := narrow.ask(t, binary, 0, "status"); !strings.Contains(status, own) {
			return status
		}
		return ""
	})
	byOthers := process.Until(t, "told by another", narrowWithin, func() string {
		all := ""
		// the seeds, where there are some, or members of which one at least is a neighbor
		for n := range halves[0].nodes[:3] {
			all += halves[0].ask(t, binary, n, "status")
		}
		if !strings.Contains(all, others) {
			return all
		}
		return ""
	})
	until(t, binary, halves, askTimeout, alive)
	mend(t, narrow)
	wide := process.Until(t, "well", wideWithin, func() string {
		status := narrow.ask(t, binary, 0, "status")
		for n := range halves[0].nodes[:3] {
			status += halves[0].ask(t, binary, n, "status")
		}
		if strings.Contains(status, "large packets") {
			return status
		}
		return ""
	})
	t.Logf("told after %v, by another %v later; well %v after the end", told, byOthers, wide)
}
