package kill

import (
	"bufio"
	"bytes"
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
)

const (
	peers          = 5
	seeds          = 3
	askEvery       = 20 * time.Millisecond
	requestTimeout = time.Second
	startWithin    = 10 * time.Second
	endTimeout     = 10 * time.Second // for a process to end when told to
	tailLines      = 30               // that a failure shows of each node's log
)

type node struct {
	Name  string `json:"name"`
	Role  string `json:"role"`
	Addr  string `json:"addr"`
	HTTP  string `json:"http"`
	PID   int    `json:"pid"`
	Data  string `json:"data"`
	Start string `json:"start"` // the command that starts it again
}

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
	nodes  []node
	client http.Client
}

// build makes the program once for all tests.
var build = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(built, "hearsay")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/hearsay").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return binary, nil
})

// built is the directory of the program.
var built string

func TestMain(m *testing.M) {
	var err error
	if built, err = os.MkdirTemp("", "hearsay-kill"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(built)
	os.Exit(code)
}

// start runs a network and learns what it printed. Whatever becomes of the
// test, its processes end.
func start(t *testing.T, seeds, peers int) *network {
	t.Helper()
	w := &network{t: t}
	w.client.Timeout = requestTimeout
	var err error
	if w.binary, err = build(); err != nil {
		t.Fatal(err)
	}
	up := exec.Command(w.binary, "up", "--seeds", strconv.Itoa(seeds), "--peers", strconv.Itoa(peers),
		"--port", "0", "--seed-port", "0", "--http", "0", "--data", t.TempDir(), "--json")
	up.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // its own nodes end with it
	var words bytes.Buffer
	up.Stderr = &words
	stdout, err := up.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.tellLogs()
		up.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(endTimeout, func() { up.Process.Kill() })
		up.Wait()
		if !kill.Stop() {
			t.Errorf("up did not end within %v of SIGTERM", endTimeout)
		}
		w.client.CloseIdleConnections()
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
	if err := json.Unmarshal([]byte(first), &ready); err != nil || ready.Event != "ready" || len(ready.Nodes) != peers+seeds {
		t.Fatalf("up said %q: %v", first, err)
	}
	w.nodes = ready.Nodes
	go io.Copy(io.Discard, lines)
	return w
}

// tellLogs shows the ends of the logs of a test that failed.
func (w *network) tellLogs() {
	if !w.t.Failed() {
		return
	}
	for _, n := range w.nodes {
		text, _ := os.ReadFile(n.log())
		w.t.Logf("log of %s:\n%s", n.Name, tail(string(text)))
	}
}

// tail gives the last lines of a long text.
func tail(text string) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-tailLines):], "\n")
}

// log is the file of a node's log, which goes on when it is started again.
// The network's directory has it rather than the node's, which a test may
// remove; `up` itself writes to the node's.
func (n *node) log() string {
	if again := n.Data + ".log"; exists(again) {
		return again
	}
	return filepath.Join(n.Data, "node.log")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// program is a process that a test runs itself.
type program struct {
	cmd   *exec.Cmd
	said  node // what it said when it was ready, if it was run with --json
	ended chan struct{}
}

// run starts a process that goes on until it is told to end, or the test is
// over. Its words go to the file log.
func (w *network) run(log string, args ...string) *program {
	w.t.Helper()
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer out.Close() // the process has its own
	p := &program{cmd: exec.Command(args[0], args[1:]...), ended: make(chan struct{})}
	p.cmd.Stderr, p.cmd.Stdout = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var ready io.Reader
	if slices.Contains(args, "--json") {
		p.cmd.Stdout = nil
		if ready, err = p.cmd.StdoutPipe(); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := p.cmd.Start(); err != nil {
		w.t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	w.t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
	})
	if ready != nil {
		line, err := bufio.NewReader(ready).ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &p.said)
		}
		if err != nil {
			close(p.ended)
			p.cmd.Process.Kill()
			p.cmd.Wait()
			text, _ := os.ReadFile(log)
			w.t.Fatalf("%s said %q: %v\n%s", strings.Join(args, " "), line, err, text)
		}
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	return p
}

// wantEnd tells a process to end in good order, and wants exit code 0.
func (w *network) wantEnd(p *program) {
	w.t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(endTimeout):
		w.t.Fatalf("%v did not end within %v of SIGTERM", p.cmd, endTimeout)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		w.t.Errorf("%v ended with %v, want exit code 0", p.cmd, p.cmd.ProcessState)
	}
}

// startAgain runs the printed command, and returns when the node answers. Its
// ports are such as the kernel gives to connections, so that one may have got
// them meanwhile: then it is tried again.
func (w *network) startAgain(i int) *program {
	w.t.Helper()
	n := &w.nodes[i]
	for began := time.Now(); ; pause(askEvery) {
		p := w.run(n.Data+".log", strings.Fields(n.Start)...)
		n.PID = p.cmd.Process.Pid
		if w.answers(i, p) {
			return p
		}
		text, _ := os.ReadFile(n.log())
		if !strings.Contains(string(text), "address already in use") || time.Since(began) > startWithin {
			w.t.Fatalf("%s: %v\n%s", n.Start, p.cmd.ProcessState, text)
		}
	}
}

// answers waits until a node that was just started can be asked, and reports
// false if it ended instead.
func (w *network) answers(i int, p *program) bool {
	w.t.Helper()
	for began := time.Now(); w.ready(i) == ""; pause(askEvery) {
		select {
		case <-p.ended:
			return false
		default:
		}
		if time.Since(began) > startWithin {
			w.t.Fatalf("%s does not answer within %v of its start", w.nodes[i].Name, startWithin)
		}
	}
	return true
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

// until waits for something that no process tells by itself, and gives how
// long that took. reached gives what is missing, "" for nothing.
func (w *network) until(what string, limit time.Duration, reached func() string) time.Duration {
	w.t.Helper()
	for began := time.Now(); ; pause(askEvery) {
		missing, took := reached(), time.Since(began)
		switch {
		case missing == "":
			return took
		case took > limit:
			w.t.Fatalf("not %s after %v: %s", what, limit, missing)
		}
	}
}

// pause waits between two looks at processes that nothing else tells about.
func pause(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	<-ctx.Done()
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
