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

	nothingIn  = `chain in { type filter hook input priority 0; iifname "cable" drop; }`
	nothingOut = `chain out { type filter hook output priority 0; oifname "cable" drop; }`

	// muteFor is how long nothing goes out of a member, at least: for longer than it tries streams to others, and than
	// any suspicion lasts.
	muteFor = 70 * time.Second

	// calmWithin is how long such a member may hold others suspect once one has answered it: it probes all of them at
	// once, and a process of a busy machine may answer late.
	calmWithin = 5 * time.Second

	// answeredWithin is how long a member may go on saying that nobody answers it: one that doubts itself probes once
	// in five periods.
	answeredWithin = 30 * time.Second
)

// TestMuteMember drops all that one member sends, in an open network and in one with seeds, while all that others
// send comes in: it is not ready for as long as that lasts, and says why, also once it is removed.
func TestMuteMember(t *testing.T) {
	withOneApart(t, staysMute)
}

// staysMute has nothing go out of a half's first node for a while.
func staysMute(t *testing.T, binary string, halves [2]*half, mute *half) {
	t.Helper()
	const words = "nobody has answered this node"
	filter(t, mute, nothingOut)
	began := time.Now()
	told := process.Until(t, "told", unheardWithin, func() string {
		if status := mute.ask(t, binary, 0, "status"); !strings.Contains(status, words) {
			return status
		}
		return ""
	})
	for time.Since(began) < muteFor {
		status, ready := mute.ask(t, binary, 0, "status"), mute.ready(t, 0)
		if !strings.Contains(status, "TROUBLE") || !strings.Contains(status, "cut-off") || strings.Contains(status, "no seed has taken") || !strings.HasSuffix(ready, "503") {
			t.Errorf("%v after it was cut off: %s\n%s", time.Since(began), ready, status)
			break
		}
		process.Pause(time.Second)
	}
	mend(t, mute)
	well := process.Until(t, "well", answeredWithin, func() string {
		if ready := mute.ready(t, 0); !strings.HasSuffix(ready, "200") {
			return ready
		}
		return ""
	})
	calm := process.Until(t, "calm", calmWithin, func() string {
		if status := mute.ask(t, binary, 0, "status"); strings.Contains(status, "TROUBLE") || !strings.Contains(status, " 0 suspect") {
			return status
		}
		return ""
	})
	until(t, binary, halves, answeredWithin, alive)
	t.Logf("told after %v, and for %v; well %v after the end, and without suspects %v later", told, muteFor, well, calm)
}

// ready gives what a half's node answers where it is asked whether it is ready, and the code.
func (h *half) ready(t *testing.T, n int) string {
	url := "http://" + h.nodes[n].http + "/readyz"
	ready, err := exec.Command("ip", "netns", "exec", h.namespace, "curl", "-s", "-w", " %{http_code}", url).Output()
	if err != nil {
		return err.Error()
	}
	return string(ready)
}

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
	if text := cutOff.ready(t, 0); !strings.Contains(text, words) || !strings.HasSuffix(text, "503") {
		t.Errorf("/readyz: %s", text)
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
