package standin

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"hearsay/test/process"
)

// Inside is for process.Main of a package that uses Start: its test binary is the stand-ins, too.
var Inside = process.Inside{Name: "standin", Main: Main}

// Process is a stand-in that runs.
type Process struct {
	*process.Program
	Addr string // where it listens
	Dir  string // its working directory, with its config.txt and its logs
}

const (
	stateFile   = "state.json"
	stateWithin = 10 * time.Second
)

// Start runs a stand-in in a directory of its own, with this config.txt, and returns when it is ready. It is killed at
// the end of the test.
func Start(t *testing.T, config string, args ...string) *Process {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.txt"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append([]string{os.Args[0], Inside.Name, args[0], "--json", "--dir", dir, "--state", stateFile}, args[1:]...)
	p := process.Run(t, filepath.Join(dir, "stderr.txt"), args...)
	return &Process{p, p.Said.Addr, dir}
}

// State is what it knows now. It is written just after the ready line.
func (p *Process) State(t *testing.T) (s State) {
	t.Helper()
	process.Until(t, "its state is written", stateWithin, func() string {
		if _, err := os.Stat(filepath.Join(p.Dir, stateFile)); err != nil {
			return err.Error()
		}
		return ""
	})
	if err := json.Unmarshal([]byte(p.File(t, stateFile)), &s); err != nil {
		t.Fatalf("state of %s: %v", p.Addr, err)
	}
	return s
}

// File is what a file of its directory has.
func (p *Process) File(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Kill ends it without a word, and returns when it has ended.
func (p *Process) Kill() {
	p.Cmd.Process.Kill()
	<-p.Ended
}

// firstPort is below those that a system gives to processes that ask for any.
const firstPort = 20000

var portsGiven atomic.Int32

// Addresses gives addresses that no other process of this machine uses, as it has another loopback IP: 127 and the
// process id in 24 bits.
func Addresses(number int) (list []string) {
	pid := os.Getpid() + 1<<22 // not 127.0
	ip := fmt.Sprintf("127.%d.%d.%d", pid>>16&255, pid>>8&255, pid&255)
	for range number {
		list = append(list, endpoint(ip, firstPort+int(portsGiven.Add(1))))
	}
	return list
}
