// Package abuse does to real processes what they must withstand: lines by
// hand, guests, forged packets, and thousands of forged messages a second.
//
// What takes seconds is always run. The load, and a seed with ten thousand
// peers, run when HEARSAY_ABUSE says how many peers are killed under load.
package abuse

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hearsay"
	"hearsay/agent"
)

const (
	variable       = "HEARSAY_ABUSE"
	seedsCount     = 3
	peersCount     = 5
	askEvery       = 20 * time.Millisecond
	requestTimeout = 5 * time.Second
	pageBytes      = 16 << 20
)

var networkID = hearsay.NetworkIDOf(agent.DefaultNetwork)

type node struct {
	Name  string         `json:"name"`
	ID    hearsay.NodeID `json:"id"`
	Role  string         `json:"role"`
	Addr  string         `json:"addr"`
	HTTP  string         `json:"http"`
	PID   int            `json:"pid"`
	Start string         `json:"start"` // the command that starts it again
}

type member struct {
	ID          hearsay.NodeID      `json:"id"`
	Name        string              `json:"name"`
	Addr        string              `json:"addr"`
	State       string              `json:"state"`
	Role        string              `json:"role"`
	Incarnation hearsay.Incarnation `json:"incarnation"`
}

// network is what `hearsay up` runs.
type network struct {
	t      *testing.T
	binary string
	data   string
	peers  []node
	seeds  []node
	client http.Client
}

// built is the program, made once.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hearsay-abuse-")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "hearsay")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/hearsay").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return binary, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if binary, err := built(); err == nil {
		os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(code)
}

// start runs three seeds and five peers, and learns where they are.
func start(t *testing.T) *network {
	t.Helper()
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	w := &network{t: t, binary: binary, data: t.TempDir()}
	w.client.Timeout = requestTimeout
	up := exec.Command(binary, "up", "--seeds", strconv.Itoa(seedsCount), "--peers", strconv.Itoa(peersCount),
		"--seed-port", "0", "--port", "0", "--http", "0", "--data", w.data, "--json")
	stdout, err := up.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		up.Process.Signal(syscall.SIGTERM)
		up.Wait()
	})
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("up said nothing: %v", err)
	}
	var ready struct {
		Event string `json:"event"`
		Nodes []node `json:"nodes"`
	}
	if err := json.Unmarshal([]byte(first), &ready); err != nil || ready.Event != "ready" || len(ready.Nodes) != seedsCount+peersCount {
		t.Fatalf("up said %q: %v", first, err)
	}
	for _, n := range ready.Nodes {
		if n.Role == "seed" {
			w.seeds = append(w.seeds, n)
		} else {
			w.peers = append(w.peers, n)
		}
	}
	go io.Copy(io.Discard, lines)
	return w
}

// get asks a node's page; false if it does not answer.
func (w *network) get(n node, path string, into any) bool {
	answer, err := w.client.Get("http://" + n.HTTP + path)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return json.NewDecoder(io.LimitReader(answer.Body, pageBytes)).Decode(into) == nil
}

// members asks a node for its roster, and as of which epoch it is.
func (w *network) members(n node) (listed []member, epoch hearsay.Epoch) {
	var answer struct {
		Epoch   hearsay.Epoch `json:"epoch"`
		Members []member      `json:"members"`
	}
	w.get(n, "/v1/members", &answer)
	return answer.Members, answer.Epoch
}

// stats gives a node's figures.
func (w *network) stats(n node) (s hearsay.Stats) {
	w.t.Helper()
	if !w.get(n, "/v1/stats", &s) {
		w.t.Fatalf("%s gives no figures", n.Name)
	}
	return s
}

// memory is the resident memory of a node's process, in bytes.
func (w *network) memory(n node) int {
	w.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.PID))
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kilobytes, _ := strconv.Atoi(fields[1])
			return kilobytes << 10
		}
	}
	w.t.Fatalf("%s has no memory", n.Name)
	return 0
}

// all is every node, the peers first.
func (w *network) all() []node { return slices.Concat(w.peers, w.seeds) }

// agreed reports whether all nodes but one are at an epoch, with this many
// living.
func (w *network) agreed(epoch hearsay.Epoch, living int, but string) bool {
	for _, n := range w.all() {
		if n.Name == but {
			continue
		}
		listed, at := w.members(n)
		count := 0
		for _, m := range listed {
			if m.State == "alive" {
				count++
			}
		}
		if at != epoch || count != living {
			return false
		}
	}
	return true
}

func (w *network) until(what string, limit time.Duration, reached func() bool) time.Duration {
	w.t.Helper()
	began := time.Now()
	for !reached() {
		if time.Since(began) > limit {
			w.t.Fatalf("not %s after %v", what, limit)
		}
		pause(askEvery)
	}
	return time.Since(began)
}

// again runs the command that a node was printed with.
func (w *network) again(n *node) {
	w.t.Helper()
	command := strings.Fields(n.Start)
	process := exec.Command(command[0], command[1:]...)
	if err := process.Start(); err != nil {
		w.t.Fatalf("%s: %v", n.Start, err)
	}
	n.PID = process.Process.Pid
	w.t.Cleanup(func() {
		process.Process.Kill()
		process.Wait()
	})
}

// pause waits between two looks at processes that nothing else tells about.
func pause(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	<-ctx.Done()
}
