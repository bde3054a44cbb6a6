package cut

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearsay/test/process"
)

const (
	seedsInA = 3

	// admittedWithin is how long a newcomer that gets no datagrams may take to be in: each seed that it
	// asks answers in 1.3 s at most, and the others probe it for as long.
	admittedWithin = 10 * time.Second

	// outWithin is how long the seeds may take to remove one that is killed: most take two to five seconds.
	outWithin = 20 * time.Second
)

// noDatagrams drops all datagrams over the cable.
const noDatagrams = `chain in { type filter hook input priority 0; iifname "cable" meta l4proto udp drop; }
	chain out { type filter hook output priority 0; oifname "cable" meta l4proto udp drop; }`

// noStreams drops all streams over the cable.
var noStreams = strings.ReplaceAll(noDatagrams, "udp", "tcp")

// TestDeafNewcomer starts a peer of a network with seeds on a machine to which no datagrams come, and
// from which none go: it is let in by stream, and says what is wrong.
func TestDeafNewcomer(t *testing.T) {
	binary, halves, config := seedsIn(t)

	deaf := halves[1]
	filter(t, deaf, noDatagrams)
	deaf.seeded(t, binary, "peer", "b-1", 7001, config)
	took := process.Until(t, "in", admittedWithin, func() string {
		return strings.Join(compare(t, binary, halves, alive), "\n")
	})
	told := process.Until(t, "told", deafWithin, func() string {
		if status := deaf.ask(t, binary, 0, "status"); !strings.Contains(status, "datagrams (UDP) have not got through") {
			return status
		}
		return ""
	})
	t.Logf("in after %v, and says %v later that it gets no datagrams", took, told)

	out := make([]time.Duration, 2)
	for i, dies := range []struct{ h, n int }{{1, 0}, {0, seedsInA + 2}} {
		one := halves[dies.h].nodes[dies.n]
		one.process.Process.Kill()
		out[i] = process.Until(t, one.name+" out", outWithin, func() string {
			if states, err := halves[0].members(t.Context(), binary, halves[0].nodes[seedsInA]); err != nil || states[one.name] == "alive" || states[one.name] == "suspect" {
				return fmt.Sprintf("%v, %v", states, err)
			}
			return ""
		})
	}
	t.Logf("killed it is out after %v, and a peer of the others after %v", out[0], out[1])
}

// seedsIn starts a network of three seeds and three peers in one half. It gives the file that names the seeds, too.
func seedsIn(t *testing.T) (binary string, halves [2]*half, config string) {
	t.Helper()
	if os.Getenv(variable) == "" {
		t.Skipf("needs root; set %s=1, or make cut", variable)
	}
	binary = process.Binary(t)
	halves = wire(t)
	var list strings.Builder
	for s := range seedsInA {
		fmt.Fprintf(&list, "%s,%d\n", halves[0].ip, 5001+s)
	}
	config = filepath.Join(t.TempDir(), "config.txt")
	if err := os.WriteFile(config, []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for s := range seedsInA {
		halves[0].seeded(t, binary, "seed", fmt.Sprintf("s%d", s+1), 5001+s, config)
	}
	for n := range 3 {
		halves[0].seeded(t, binary, "peer", fmt.Sprintf("a-%d", n+1), 7001+n, config)
	}
	until(t, binary, halves, formedWithin, alive)
	return binary, halves, config
}

// oneApartOfSeeds starts such a network, and one peer in the other half, which can be cut off alone.
func oneApartOfSeeds(t *testing.T) (binary string, halves [2]*half, one *half) {
	t.Helper()
	binary, halves, config := seedsIn(t)
	halves[1].seeded(t, binary, "peer", "b-1", 7001, config)
	until(t, binary, halves, formedWithin, alive)
	return binary, halves, halves[1]
}

// seeded runs one more node of a network with seeds.
func (h *half) seeded(t *testing.T, binary, role, name string, port int, config string) {
	t.Helper()
	n := node{name: name, http: fmt.Sprintf("127.0.0.1:%d", port+2000)}
	var output bytes.Buffer
	node := exec.Command("ip", "netns", "exec", h.namespace, binary, role, "--name", name,
		"--ip", h.ip, "--port", fmt.Sprint(port), "--http", n.http, "--config", config, "--data", filepath.Join(filepath.Dir(config), name))
	node.Stdout, node.Stderr = &output, &output
	process.Start(t, node, output.String)
	n.process = node
	h.nodes = append(h.nodes, n)
}
