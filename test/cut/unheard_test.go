package cut

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"hearsay/test/process"
)

const (
	// unheardWithin is how long a node to which nothing comes may take to say so: eight periods of a second, and
	// what a busy machine takes.
	unheardWithin = 15 * time.Second

	// heardWithin is how long it may go on saying so: others ping it once a second in the mean.
	heardWithin = 15 * time.Second

	nothingIn = `chain in { type filter hook input priority 0; iifname "cable" drop; }`
)

// TestUnheardMember drops all that comes to one member: it is not ready while that lasts, and says why.
func TestUnheardMember(t *testing.T) {
	binary, halves, cutOff := oneApart(t)

	const words = "has heard nobody"
	filter(t, cutOff, nothingIn)
	told := process.Until(t, "told", unheardWithin, func() string {
		if status := cutOff.ask(t, binary, 0, "status"); !strings.Contains(status, words) {
			return status
		}
		return ""
	})
	if why := cutOff.ask(t, binary, 0, "why", cutOff.nodes[0].name); !strings.Contains(why, "may be cut off") {
		t.Errorf("of itself: %s", why)
	}
	url := "http://" + cutOff.nodes[0].http + "/readyz"
	ready, err := exec.Command("ip", "netns", "exec", cutOff.namespace, "curl", "-s", "-w", " %{http_code}", url).Output()
	if text := string(ready); !strings.Contains(text, words) || !strings.HasSuffix(text, "503") {
		t.Errorf("/readyz: %s, %v", text, err)
	}
	if status := halves[0].ask(t, binary, 1, "status"); strings.Contains(status, words) {
		t.Errorf("another member takes itself for the one that is cut off:\n%s", status)
	}
	mend(t, cutOff)
	heard := process.Until(t, "heard", heardWithin, func() string {
		if status := cutOff.ask(t, binary, 0, "status"); strings.Contains(status, words) {
			return status
		}
		return ""
	})
	t.Logf("told after %v; well %v after the end", told, heard)
}
