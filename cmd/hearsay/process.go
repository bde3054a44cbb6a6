package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"hearsay"
	"hearsay/client"
	"hearsay/internal/userfile"
)

const (
	readyLineMax = 64 << 10 // bytes of the line in which a process says that it is ready
	lastWordsMax = 16 << 10 // bytes of a log's end in which its last words are looked for
	logFile      = "node.log"
)

// readyLine is what a node says on standard output, with --json, once it can
// be asked.
type readyLine struct {
	Event string         `json:"event"` // "ready"
	Name  string         `json:"name"`
	ID    hearsay.NodeID `json:"id"`
	Role  hearsay.Role   `json:"role"`
	Addr  string         `json:"addr"`
	HTTP  string         `json:"http"` // host:port; "" for none
	PID   int            `json:"pid"`
}

func (l *readyLine) ip() string   { host, _, _ := net.SplitHostPort(l.Addr); return host }
func (l *readyLine) port() string { _, port, _ := net.SplitHostPort(l.Addr); return port }

// process is a node that `up` started.
type process struct {
	role   hearsay.Role
	name   string
	dir    string // its data and its log
	again  string // the command line that starts it again
	said   readyLine
	client *client.Client // to ask it; nil until it is ready

	cmd   *exec.Cmd
	ready chan readyLine
	ended chan struct{} // closed when the process has ended
}

// startProcess starts `hearsay peer` or `hearsay seed` with args, in a directory
// of its own.
func startProcess(self string, role hearsay.Role, name, dir string, args []string, attr *syscall.SysProcAttr) (p *process, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("start %s: %w", name, err)
		}
	}()
	p = &process{
		role: role, name: name, dir: filepath.Join(dir, name),
		ready: make(chan readyLine, 1), ended: make(chan struct{}),
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make its directory %w", userfile.Error(p.dir, err))
	}
	log, err := os.OpenFile(filepath.Join(p.dir, logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open its log: %w", err)
	}
	defer log.Close() // the process has its own
	p.cmd = exec.Command(self, append([]string{role.String(), "--json", "--name", name, "--data", p.dir}, args...)...)
	p.cmd.SysProcAttr = attr
	p.cmd.Stderr = log
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err == nil {
		go p.wait(out)
	}
	return p, err
}

// wait reads what the process says, and sees it end.
func (p *process) wait(out io.Reader) {
	defer close(p.ended)
	var said readyLine
	line := bufio.NewReader(io.LimitReader(out, readyLineMax))
	if text, err := line.ReadBytes('\n'); err == nil && json.Unmarshal(text, &said) == nil {
		p.ready <- said
	}
	io.Copy(io.Discard, out)
	p.cmd.Wait() // how it ended is in its ProcessState
}

// waitReady waits until the process can be asked.
func (p *process) waitReady(ctx context.Context) error {
	if p.client != nil {
		return nil
	}
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case p.said = <-p.ready:
		p.client = client.New("http://" + p.said.HTTP)
		return nil
	case <-p.ended:
		return fmt.Errorf("start %s: %s", p.name, p.lastWords())
	case <-timeout.C:
		return fmt.Errorf("start %s: it was not ready within %v", p.name, startTimeout)
	case <-ctx.Done():
		return fmt.Errorf("start %s: %w", p.name, context.Cause(ctx))
	}
}

// hasEnded reports whether the process has ended.
func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// terminate asks the process to end in good order, if it has not ended.
func (p *process) terminate() { p.cmd.Process.Signal(syscall.SIGTERM) }

// kill ends the process at once, if it has not ended.
func (p *process) kill() { p.cmd.Process.Kill() }

// how says how an ended process ended: "signal: killed".
func (p *process) how() string { return p.cmd.ProcessState.String() }

// lastWords gives the error that an ended process left in its log, or else
// how it ended.
func (p *process) lastWords() string {
	text, err := tail(filepath.Join(p.dir, logFile), lastWordsMax)
	if err != nil {
		return p.how()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if words, ok := strings.CutPrefix(lines[len(lines)-1], "hearsay: "); ok {
		return words
	}
	return p.how()
}

// tail reads at most the last n bytes of a file.
func tail(path string, n int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	file.Seek(-n, io.SeekEnd) // it fails if the file is shorter: then all is read
	text, err := io.ReadAll(io.LimitReader(file, n))
	return bytes.TrimSpace(text), err
}
