package kill

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearsay/test/process"
)

const (
	peers    = 5
	seeds    = 3
	askEvery = 20 * time.Millisecond
	// of a node that runs: who is killed refuses at once, and who is stopped is not asked
	requestTimeout = 10 * time.Second
	startWithin    = 30 * time.Second
)

type member struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	State string `json:"state"`
}

// roster is what a node lists.
type roster struct {
	Epoch   uint64   `json:"epoch"`
	Members []member `json:"members"`
}

// state is how a member is listed, "" for not at all. Of two of one name it is
// the living one.
func (r roster) state(name string) (state string) {
	for _, m := range r.Members {
		if m.Name == name && (state == "" || m.State == "alive") {
			state = m.State
		}
	}
	return state
}

// living gives those who are in.
func (r roster) living() []member {
	return slices.DeleteFunc(slices.Clone(r.Members), func(m member) bool { return m.State == "dead" || m.State == "left" })
}

// network is what `hearsay up` runs: the peers, then the seeds.
type network struct {
	t      *testing.T
	binary string
	nodes  []process.Node
	client http.Client
}

func TestMain(m *testing.M) { process.Main(m) }

// start runs a network and learns what it printed.
func start(t *testing.T, seeds, peers int) *network {
	t.Helper()
	w := &network{t: t, binary: process.Binary(t)}
	w.client.Timeout = requestTimeout
	w.nodes = process.Up(t, t.TempDir(), seeds, peers)
	t.Cleanup(func() {
		w.tellLogs()
		w.client.CloseIdleConnections()
	})
	return w
}

// tellLogs shows the ends of the logs of a test that failed.
func (w *network) tellLogs() {
	if !w.t.Failed() {
		return
	}
	for _, n := range w.nodes {
		text, _ := os.ReadFile(n.Log())
		w.t.Logf("log of %s:\n%s", n.Name, process.Tail(string(text)))
	}
}

// startAgain runs the printed command, and returns when the node answers.
func (w *network) startAgain(i int) *process.Program {
	w.t.Helper()
	n := &w.nodes[i]
	p := n.Again(w.t)
	w.until(n.Name+" answering again", startWithin, func() string {
		select {
		case <-p.Ended:
			text, _ := os.ReadFile(n.Log())
			w.t.Fatalf("%s: %v\n%s", n.Start, p.Cmd.ProcessState, process.Tail(string(text)))
		default:
		}
		if w.ready(i) == "" {
			return "no answer"
		}
		return ""
	})
	return p
}

// signal sends a signal to a node's process.
func (w *network) signal(i int, signal syscall.Signal) {
	w.t.Helper()
	if err := syscall.Kill(w.nodes[i].PID, signal); err != nil {
		w.t.Fatalf("%v to %s: %v", signal, w.nodes[i].Name, err)
	}
}

// get asks a node for JSON.
func (w *network) get(i int, path string, answer any) error {
	got, err := w.client.Get("http://" + w.nodes[i].HTTP + path)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(got.Body)
		return fmt.Errorf("%s %s: %s", path, got.Status, text)
	}
	return json.NewDecoder(got.Body).Decode(answer)
}

// unanswered is how many requests in a row a node may leave without an answer
// where it is watched that nothing changes.
const unanswered = 3

// rosterNow asks a node that runs, more than once if it must.
func (w *network) rosterNow(i int) (r roster) {
	w.t.Helper()
	var err error
	for range unanswered {
		if err = w.get(i, "/v1/members", &r); err == nil {
			return r
		}
	}
	w.t.Fatalf("members of %s: %v", w.nodes[i].Name, err)
	return r
}

// roster asks a node; it is empty if it does not answer.
func (w *network) roster(i int) (r roster) {
	if w.get(i, "/v1/members", &r) != nil {
		return roster{}
	}
	return r
}

// hearsay runs a command of the program about a node, wants it to end with
// this exit code, and gives all that it said.
func (w *network) hearsay(code int, i int, args ...string) string {
	w.t.Helper()
	return w.command(code, append(args, "--node", "http://"+w.nodes[i].HTTP)...)
}

// command runs a command of the program.
func (w *network) command(code int, args ...string) string {
	w.t.Helper()
	cmd := exec.Command(w.binary, args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		w.t.Errorf("hearsay %s: %v, want exit code %d\n%s", strings.Join(args, " "), err, code, out)
	}
	return string(out)
}

func (w *network) until(what string, limit time.Duration, missing func() string) time.Duration {
	w.t.Helper()
	return process.Until(w.t, what, limit, missing)
}

// ready gives a node's answer to whether it is ready: "200 " or "503 ", and
// its words; "" if it does not answer.
func (w *network) ready(i int) string {
	got, err := w.client.Get("http://" + w.nodes[i].HTTP + "/readyz")
	if err != nil {
		return ""
	}
	defer got.Body.Close()
	text, _ := io.ReadAll(got.Body)
	return fmt.Sprintf("%d %s", got.StatusCode, text)
}
