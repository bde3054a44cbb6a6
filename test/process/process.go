// Package process runs real processes of the program for the tests in
// directories beside it: what `hearsay up` runs, and single nodes. Whatever
// becomes of a test, its processes end.
package process

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hearsay"
)

const (
	askEvery   = 20 * time.Millisecond
	endTimeout = 30 * time.Second // for a process to end when told to
	tailLines  = 40               // that a failure shows of each log
)

// Node is a node as it or `hearsay up` prints it.
type Node struct {
	Name  string         `json:"name"`
	ID    hearsay.NodeID `json:"id"`
	Role  string         `json:"role"`
	Addr  string         `json:"addr"`
	HTTP  string         `json:"http"`
	PID   int            `json:"pid"`
	Data  string         `json:"data"`
	Start string         `json:"start"` // the command that starts it again
}

// LogAgain is the file of the log of a node that is started again. The
// network's directory has it rather than the node's, which a test may remove;
// `up` itself writes to the node's.
func (n *Node) LogAgain() string { return n.Data + ".log" }

// Log is the file of the node's log.
func (n *Node) Log() string {
	if again := n.LogAgain(); exists(again) {
		return again
	}
	return filepath.Join(n.Data, "node.log")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// built is the directory of the program, once it is made.
var built string

var build = sync.OnceValues(func() (binary string, err error) {
	if built, err = os.MkdirTemp("", "hearsay-test"); err != nil {
		return "", err
	}
	binary = filepath.Join(built, "hearsay")
	if out, err := exec.Command("go", "build", "-o", binary, "hearsay/cmd/hearsay").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return binary, nil
})

// Binary is the program, which is made for the first who asks.
func Binary(t *testing.T) string {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// Inside is a program that a test binary is if its first argument is the name.
type Inside struct {
	Name string
	Main func(args []string) (code int) // args without the name
}

// Main is TestMain for a package that uses Binary, or starts itself as another program.
func Main(m *testing.M, inside ...Inside) {
	for _, program := range inside {
		if len(os.Args) > 1 && os.Args[1] == program.Name {
			os.Exit(program.Main(os.Args[2:]))
		}
	}
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

// Up runs `hearsay up` with so many seeds and peers at ports that are free and
// with its nodes' data in a directory, and gives them: the peers, then the
// seeds.
func Up(t *testing.T, data string, seeds, peers int) (nodes []Node) {
	t.Helper()
	up := exec.Command(Binary(t), "up", "--seeds", fmt.Sprint(seeds), "--peers", fmt.Sprint(peers),
		"--port", "0", "--seed-port", "0", "--http", "0", "--data", data, "--json")
	var words bytes.Buffer
	up.Stderr = &words
	stdout, err := up.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	Start(t, up, func() string { return words.String() })
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("up said nothing: %v", err)
	}
	var ready struct {
		Event string `json:"event"`
		Nodes []Node `json:"nodes"`
	}
	if err := json.Unmarshal([]byte(first), &ready); err != nil || ready.Event != "ready" || len(ready.Nodes) != peers+seeds {
		t.Fatalf("up said %q: %v", first, err)
	}
	go io.Copy(io.Discard, lines) // until up ends
	return ready.Nodes
}

// Start starts a process, and ends it in good order with the test; if that has
// failed it shows the end of what the process has said.
func Start(t *testing.T, process *exec.Cmd, said func() string) {
	t.Helper()
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := process.Start(); err != nil {
		t.Fatalf("%s: %v", process, err)
	}
	t.Cleanup(func() {
		process.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(endTimeout, func() { process.Process.Kill() })
		process.Wait()
		if !kill.Stop() {
			t.Errorf("%s did not end within %v of SIGTERM", process, endTimeout)
		}
		if t.Failed() {
			t.Logf("output of %s:\n%s", process, Tail(said()))
		}
	})
}

// Tail gives the last lines of a long text.
func Tail(text string) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-tailLines):], "\n")
}

// Program is a process that a test may end before it is over.
type Program struct {
	Cmd   *exec.Cmd
	Said  Node          // what it said when it was ready, if it was run with --json
	Ended chan struct{} // closed when it has
}

// Run starts a process that goes on until it is told to end, or the test is
// over: then it is killed. Its words go to the file log. With --json among its
// arguments Run returns when it is ready.
func Run(t *testing.T, log string, args ...string) *Program {
	t.Helper()
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close() // the process has its own
	p := &Program{Cmd: exec.Command(args[0], args[1:]...), Ended: make(chan struct{})}
	p.Cmd.Stderr, p.Cmd.Stdout = out, out
	p.Cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var ready io.Reader
	if slices.Contains(args, "--json") {
		p.Cmd.Stdout = nil
		if ready, err = p.Cmd.StdoutPipe(); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Cmd.Start(); err != nil {
		t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	t.Cleanup(func() {
		p.Cmd.Process.Kill()
		<-p.Ended
	})
	var line []byte
	if ready != nil {
		if line, err = bufio.NewReader(ready).ReadBytes('\n'); err == nil {
			err = json.Unmarshal(line, &p.Said)
		}
		if err != nil {
			p.Cmd.Process.Kill()
		}
	}
	go func() {
		p.Cmd.Wait()
		close(p.Ended)
	}()
	if err != nil {
		<-p.Ended
		text, _ := os.ReadFile(log)
		t.Fatalf("%s said %q: %v\n%s", strings.Join(args, " "), line, err, text)
	}
	return p
}

// Again runs the command that starts a node again, once the process that was it
// is gone: one that was killed has its ports for a little longer.
func (n *Node) Again(t *testing.T) *Program {
	t.Helper()
	Until(t, n.Name+" gone", endTimeout, func() string {
		if syscall.Kill(n.PID, 0) == nil {
			return fmt.Sprintf("process %d is there", n.PID)
		}
		return ""
	})
	p := Run(t, n.LogAgain(), strings.Fields(n.Start)...)
	n.PID = p.Cmd.Process.Pid
	return p
}

// End tells a process to end in good order, and wants exit code 0.
func (p *Program) End(t *testing.T) {
	t.Helper()
	p.Cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.Ended:
	case <-time.After(endTimeout):
		t.Fatalf("%v did not end within %v of SIGTERM", p.Cmd, endTimeout)
	}
	if code := p.Cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("%v ended with %v, want exit code 0", p.Cmd, p.Cmd.ProcessState)
	}
}

// Command runs a command that must succeed.
func Command(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Until waits for something that no process tells by itself, and gives how
// long that took. missing gives what is missing, "" for nothing.
func Until(t *testing.T, what string, limit time.Duration, missing func() string) time.Duration {
	t.Helper()
	for began := time.Now(); ; Pause(askEvery) {
		lacks, took := missing(), time.Since(began)
		switch {
		case lacks == "" && took <= limit:
			return took
		case took > limit:
			t.Fatalf("not %s within %v, but %v: %s", what, limit, took, lacks)
		}
	}
}

// Pause waits between two looks at processes that nothing else tells about.
func Pause(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	<-ctx.Done()
}
