// Package cut cuts a real network in two halves, for longer than every
// timeout of a node, and sees it become one again.
//
// Each half is a network namespace with several nodes; a pair of virtual
// cables joins them, and nftables drops what goes over it during the cut. That
// takes root, ip and nft, so the test runs when HEARSAY_CUT is set; then what
// is missing is a failure.
package cut

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearsay/test/process"
)

const (
	variable = "HEARSAY_CUT"
	perHalf  = 4 // nodes

	formedWithin = 30 * time.Second // all nodes list all
	cutFor       = 30 * time.Second // at least: a suspicion runs out after 12 s
	deadWithin   = 60 * time.Second // each half lists the other dead
	healedWithin = 10 * time.Second // from the end of the cut until all list all alive
	askTimeout   = 20 * time.Second
)

// half is one network namespace and its nodes.
type half struct {
	namespace string
	ip        string
	nodes     []node
}

type node struct {
	name string
	http string // in the namespace

	process *exec.Cmd // of a network with seeds
}

func TestMain(m *testing.M) { process.Main(m) }

func TestHalvesBecomeOneAgain(t *testing.T) {
	if os.Getenv(variable) == "" {
		t.Skipf("needs root; set %s=1, or make cut", variable)
	}
	binary := process.Binary(t)
	halves := wire(t)
	for h := range halves {
		for n := range perHalf {
			halves[h].start(t, binary, n, halves[0].ip)
		}
	}

	formed := until(t, binary, halves, formedWithin, alive)
	t.Logf("%d nodes formed one network in %v", 2*perHalf, formed)

	began := time.Now()
	cut(t, halves[0])
	died := until(t, binary, halves, deadWithin, otherHalfDead)
	t.Logf("each half listed the other dead after %v", died)
	process.Pause(time.Until(began.Add(cutFor)))
	stillDead := until(t, binary, halves, askTimeout, otherHalfDead)
	t.Logf("and still after %v (asked for %v)", time.Since(began).Round(time.Millisecond), stillDead)

	mend(t, halves[0])
	healed := until(t, binary, halves, healedWithin, alive)
	t.Logf("HEALED: all %d nodes list all alive %v after the end of the cut", 2*perHalf, healed)
}

// wired is how many pairs of namespaces were made: tests that run at once have names of their own.
var wired atomic.Int32

// wire makes two namespaces that see each other.
func wire(t *testing.T) [2]*half {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("making network namespaces needs root")
	}
	prefix := fmt.Sprintf("hearsay%d-%d", os.Getpid(), wired.Add(1))
	halves := [2]*half{{namespace: prefix + "a", ip: "10.77.0.1"}, {namespace: prefix + "b", ip: "10.77.0.2"}}
	for _, h := range halves {
		process.Command(t, "ip", "netns", "add", h.namespace)
		t.Cleanup(func() { process.Command(t, "ip", "netns", "delete", h.namespace) })
	}
	a, b := halves[0], halves[1]
	process.Command(t, "ip", "-netns", a.namespace, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", b.namespace)
	for _, h := range halves {
		process.Command(t, "ip", "-netns", h.namespace, "address", "add", h.ip+"/24", "dev", "cable")
		process.Command(t, "ip", "-netns", h.namespace, "link", "set", "cable", "up")
		process.Command(t, "ip", "-netns", h.namespace, "link", "set", "lo", "up")
	}
	return halves
}

// start runs one more node. All join the first.
func (h *half) start(t *testing.T, binary string, number int, first string) {
	t.Helper()
	const port, web = 7001, 9001
	n := node{
		name: fmt.Sprintf("%s-%d", h.namespace[len(h.namespace)-1:], number+1),
		http: fmt.Sprintf("127.0.0.1:%d", web+number),
	}
	args := []string{
		"netns", "exec", h.namespace, binary, "peer", "--name", n.name,
		"--ip", h.ip, "--port", fmt.Sprint(port + number), "--http", n.http,
	}
	if own := h.ip == first && number == 0; !own {
		args = append(args, "--join", fmt.Sprintf("%s:%d", first, port))
	}
	var output bytes.Buffer
	node := exec.Command("ip", args...) // it becomes the node: ip executes it in its own place
	node.Stdout, node.Stderr = &output, &output
	process.Start(t, node, output.String)
	h.nodes = append(h.nodes, n)
}

// cut drops all that one half sends over the cable, and all that comes.
func cut(t *testing.T, h *half) {
	t.Helper()
	filter(t, h, `chain in { type filter hook input priority 0; iifname "cable" drop; }
		chain out { type filter hook output priority 0; oifname "cable" drop; }`)
}

// filter has one half drop what chains say.
func filter(t *testing.T, h *half, chains string) {
	t.Helper()
	rules := exec.Command("ip", "netns", "exec", h.namespace, "nft", "-f", "-")
	rules.Stdin = strings.NewReader("table inet cut {\n" + chains + "\n}")
	if out, err := rules.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, out)
	}
}

// mend ends the cut.
func mend(t *testing.T, h *half) {
	t.Helper()
	process.Command(t, "ip", "netns", "exec", h.namespace, "nft", "delete", "table", "inet", "cut")
}

// alive wants everybody alive.
func alive(half, other int) string { return "alive" }

// otherHalfDead wants one's own half alive and the other dead.
func otherHalfDead(half, other int) string {
	if half == other {
		return "alive"
	}
	return "dead"
}

// until asks all nodes until each lists every node in the state that is
// wanted of its half, and gives how long that took.
func until(t *testing.T, binary string, halves [2]*half, limit time.Duration, want func(half, other int) string) time.Duration {
	t.Helper()
	took := process.Until(t, "so", limit, func() string {
		return strings.Join(compare(t, binary, halves, want), "\n")
	})
	return took.Round(time.Millisecond)
}

// compare gives what the nodes list otherwise than wanted.
func compare(t *testing.T, binary string, halves [2]*half, want func(half, other int) string) []string {
	t.Helper()
	var (
		mu          sync.Mutex
		differences []string
		asked       sync.WaitGroup
	)
	for h, mine := range halves {
		for _, n := range mine.nodes {
			asked.Go(func() {
				states, err := mine.members(t.Context(), binary, n)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					differences = append(differences, fmt.Sprintf("%s: %v", n.name, err))
					return
				}
				for o, other := range halves {
					for _, m := range other.nodes {
						if states[m.name] != want(h, o) {
							differences = append(differences, fmt.Sprintf("%s lists %s as %q", n.name, m.name, states[m.name]))
						}
					}
				}
			})
		}
	}
	asked.Wait()
	return differences
}

// members gives the states that a node lists, by name.
func (h *half) members(ctx context.Context, binary string, n node) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	ask := exec.CommandContext(ctx, "ip", "netns", "exec", h.namespace, binary, "members", "--json", "--node", "http://"+n.http)
	out, err := ask.Output()
	if err != nil {
		return nil, err
	}
	var list struct {
		Members []struct{ Name, State string }
	}
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	states := make(map[string]string)
	for _, m := range list.Members {
		states[m.Name] = m.State
	}
	return states, nil
}
