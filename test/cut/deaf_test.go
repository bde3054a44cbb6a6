package cut

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearsay/test/process"
)

// deafWithin is how long a member that gets no datagrams any more may take to say so, and its rumors to
// be with all: some of its probes, each a second.
const deafWithin = 30 * time.Second

// streamlessWithin is how long a node to which no streams get may take to say so, and that it is over; and another that
// tests it in its turn, to say it of it.
const (
	streamlessWithin = 30 * time.Second
	othersWithin     = 90 * time.Second
)

// oneApart starts a network of one half, and one member in the other half, which can be cut off alone.
func oneApart(t *testing.T) (binary string, halves [2]*half, one *half) {
	t.Helper()
	if os.Getenv(variable) == "" {
		t.Skipf("needs root; set %s=1, or make cut", variable)
	}
	binary = process.Binary(t)
	halves = wire(t)
	for n := range perHalf {
		halves[0].start(t, binary, n, halves[0].ip)
	}
	one = halves[1]
	one.start(t, binary, 0, halves[0].ip)
	until(t, binary, halves, formedWithin, alive)
	return binary, halves, one
}

// withOneApart runs a test in an open network, and in one with seeds, both with one member in the other half.
func withOneApart(t *testing.T, test func(t *testing.T, binary string, halves [2]*half, one *half)) {
	t.Parallel() // it mostly waits
	for name, start := range map[string]func(*testing.T) (string, [2]*half, *half){"open": oneApart, "seeds": oneApartOfSeeds} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			binary, halves, one := start(t)
			test(t, binary, halves, one)
		})
	}
}

// TestDeafMember drops all datagrams between one member and the others, while streams go on: it stays a
// member like the others, and says what is wrong with it.
func TestDeafMember(t *testing.T) {
	binary, halves, deaf := oneApart(t)

	filter(t, deaf, noDatagrams)
	told := process.Until(t, "told", deafWithin, func() string {
		if ready := deaf.ask(t, binary, 0, "status"); !strings.Contains(ready, "datagrams (UDP) have not got through") {
			return ready
		}
		return ""
	})
	said := []string{deaf.ask(t, binary, 0, "say", "from the deaf one"), halves[0].ask(t, binary, 1, "say", "to the deaf one")}
	heard := process.Until(t, "heard", deafWithin, func() string {
		for _, h := range halves {
			for n := range h.nodes {
				if rumors := h.ask(t, binary, n, "rumors"); !strings.Contains(rumors, "from the deaf one") || !strings.Contains(rumors, "to the deaf one") {
					return fmt.Sprintf("%s holds\n%s", h.nodes[n].name, rumors)
				}
			}
		}
		return ""
	})
	t.Logf("told after %v; all hold the rumors %q after %v", told, said, heard)
	until(t, binary, halves, askTimeout, alive)

	mend(t, deaf)
	process.Until(t, "well again", deafWithin, func() string {
		if status := deaf.ask(t, binary, 0, "status"); strings.Contains(status, "datagrams (UDP) have not got through") {
			return status
		}
		return ""
	})
}

// TestMemberWithoutStreams drops all streams between one member and the others, while datagrams go on, and nobody has
// anything to say: it is alive, and says that what is longer than a datagram is lost, also to a probe of its readiness,
// until that is over.
func TestMemberWithoutStreams(t *testing.T) {
	withOneApart(t, func(t *testing.T, binary string, halves [2]*half, cutOff *half) {
		const own, others = "streams (TCP) have not got through from this node", "streams (TCP) do not get from this node to b-1"
		filter(t, cutOff, noStreams)
		told := process.Until(t, "told", streamlessWithin, func() string {
			status := cutOff.ask(t, binary, 0, "status")
			if strings.Contains(status, "streams (TCP) do not get from this node to") {
				t.Errorf("it takes another for the one that is cut off:\n%s", status)
			}
			if !strings.Contains(status, own) {
				return status
			}
			return ""
		})
		if ready := cutOff.ready(t, 0); !strings.Contains(ready, own) || !strings.HasSuffix(ready, "200") {
			t.Errorf("/readyz: %s", ready)
		}
		if events := cutOff.ask(t, binary, 0, "events"); !strings.Contains(events, "no stream gets from this node to others") {
			t.Errorf("events: %s", events)
		}
		cutOff.ask(t, binary, 0, "say", strings.Repeat("long ", 400))
		byOthers := process.Until(t, "told by others", othersWithin, func() string {
			all := ""
			for n := range halves[0].nodes {
				status, why := halves[0].ask(t, binary, n, "status"), halves[0].ask(t, binary, n, "why", "b-1")
				if told := strings.Contains(status, others); told && !strings.Contains(why, "streams (TCP) do not get to it from") {
					t.Errorf("its trouble is not told where one asks why:\n%s", why)
				}
				all += status
			}
			if strings.Contains(all, own) {
				t.Errorf("another member takes itself for the one that is cut off:\n%s", all)
			}
			if !strings.Contains(all, others) {
				return all
			}
			return ""
		})
		until(t, binary, halves, askTimeout, alive)
		mend(t, cutOff)
		well := process.Until(t, "well", streamlessWithin, func() string {
			ready, rumors := cutOff.ready(t, 0), halves[0].ask(t, binary, len(halves[0].nodes)-1, "rumors")
			if strings.Contains(ready, "streams") || !strings.Contains(rumors, "long long") {
				return ready + rumors
			}
			return ""
		})
		t.Logf("told after %v, by another %v later; well %v after the end", told, byOthers, well)
	})
}

// TestMemberToWhichNoStreamsGet drops the streams that others open to one member; those that it opens go on, so that it
// cannot know. The others tell it, and it says so until that is over.
func TestMemberToWhichNoStreamsGet(t *testing.T) {
	withOneApart(t, func(t *testing.T, binary string, halves [2]*half, cutOff *half) {
		const own = "streams (TCP) do not get to this node from"
		filter(t, cutOff, `chain in { type filter hook input priority 0; iifname "cable" tcp dport 7001 drop; }`)
		told := process.Until(t, "told", othersWithin, func() string {
			if status := cutOff.ask(t, binary, 0, "status"); !strings.Contains(status, own) {
				return status
			}
			return ""
		})
		if why := cutOff.ask(t, binary, 0, "why", "b-1"); !strings.Contains(why, own) {
			t.Errorf("its trouble is not told where one asks why:\n%s", why)
		}
		mend(t, cutOff)
		well := process.Until(t, "well", streamlessWithin, func() string {
			if status := cutOff.ask(t, binary, 0, "status"); strings.Contains(status, own) {
				return status
			}
			return ""
		})
		t.Logf("told after %v; well %v after the end", told, well)
	})
}

// TestSeedWithoutStreams drops all streams between one seed and the others, while datagrams go on: it says so of
// itself, and the seed that leads names it.
func TestSeedWithoutStreams(t *testing.T) {
	if os.Getenv(variable) == "" {
		t.Skipf("needs root; set %s=1, or make cut", variable)
	}
	binary := process.Binary(t)
	halves := wire(t)
	list := fmt.Sprintf("%[1]s,5001\n%[1]s,5002\n%[2]s,5003\n", halves[0].ip, halves[1].ip)
	config := filepath.Join(t.TempDir(), "config.txt")
	if err := os.WriteFile(config, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	cutOff := halves[1]
	halves[0].seeded(t, binary, "seed", "s1", 5001, config)
	halves[0].seeded(t, binary, "seed", "s2", 5002, config)
	cutOff.seeded(t, binary, "seed", "s3", 5003, config)
	halves[0].seeded(t, binary, "peer", "a-1", 7001, config)
	halves[0].seeded(t, binary, "peer", "a-2", 7002, config)
	until(t, binary, halves, formedWithin, alive)

	filter(t, cutOff, noStreams)
	told := process.Until(t, "told", othersWithin, func() string {
		own := cutOff.ask(t, binary, 0, "status")
		others := halves[0].ask(t, binary, 0, "status") + halves[0].ask(t, binary, 1, "status")
		if !strings.Contains(own, "TROUBLE") || !strings.Contains(own, "streams (TCP) have not got through from this node") ||
			!strings.Contains(others, "streams (TCP) to it do not get through from here") {
			return own + others
		}
		return ""
	})
	for n := range 2 {
		if status := halves[0].ask(t, binary, n, "status"); strings.Contains(status, "streams (TCP) have not got through from this node") {
			t.Errorf("another seed takes itself for the one that is cut off:\n%s", status)
		}
	}
	mend(t, cutOff)
	well := process.Until(t, "well again", streamlessWithin, func() string {
		if status := cutOff.ask(t, binary, 0, "status"); strings.Contains(status, "streams (TCP)") {
			return status
		}
		return ""
	})
	t.Logf("told after %v; well %v after the end", told, well)
}

// ask runs a command of the program against one of a half's nodes, and gives what it prints, or the error.
func (h *half) ask(t *testing.T, binary string, n int, args ...string) string {
	ctx, cancel := context.WithTimeout(t.Context(), askTimeout)
	defer cancel()
	args = append([]string{"netns", "exec", h.namespace, binary}, append(args, "--node", "http://"+h.nodes[n].http)...)
	out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%v: %s", err, out)
	}
	return string(out)
}
