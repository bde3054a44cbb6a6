// Package guests has nodes of ours and the earlier programs' stand-ins in one network, by real processes.
package guests

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay/test/process"
	"hearsay/test/standin"
)

// TestMain has more tests run at once than there are processors: they wait most of the time.
func TestMain(m *testing.M) {
	flag.Set("test.parallel", "8") // the command line, which is read later, counts
	process.Main(m, standin.Inside)
}

const (
	speed = "--speed=10"
	soon  = 30 * time.Second // all that is waited for takes a few seconds
)

// quickly are the settings of our nodes: what takes seconds by default takes tenths.
const quickly = `
detect.period = "200ms"
detect.timeout_min = "20ms"
detect.timeout_max = "60ms"
detect.late_after = "150ms"
roster.round_every = "400ms"
roster.suspicion_min = "800ms"
`

// network is nodes of ours and stand-ins.
type network struct {
	t      *testing.T
	dir    string
	config string // of all
	seeds  []*process.Program
}

// newNetwork writes the configuration of a network with these seeds.
func newNetwork(t *testing.T, seeds []string) *network {
	t.Helper()
	if testing.Short() {
		t.Skip("runs real processes, which no race detector sees")
	}
	w := &network{t: t, dir: t.TempDir(), config: strings.Join(seeds, "\n") + "\n"}
	w.write("config.txt", w.config)
	w.write("quickly.toml", quickly)
	return w
}

func (w *network) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(w.file(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *network) file(name string) string { return filepath.Join(w.dir, name) }

// run starts a node of ours, whose words go to the file NAME.log.
func (w *network) run(role, name, addr string, flags ...string) *process.Program {
	w.t.Helper()
	host, port, _ := net.SplitHostPort(addr)
	args := []string{
		process.Binary(w.t), role, "--ip", host, "--port", port, "--config", w.file("config.txt"),
		"--data", w.file(name), "--http", "0", "--name", name, "--settings", w.file("quickly.toml"), "--json",
	}
	return process.Run(w.t, w.file(name+".log"), append(args, flags...)...)
}

// runSeeds starts our seeds.
func (w *network) runSeeds() {
	w.t.Helper()
	for i, addr := range strings.Fields(w.config) {
		w.seeds = append(w.seeds, w.run("seed", fmt.Sprintf("s%d", i+1), addr))
	}
}

// standin starts a stand-in that has the network's seeds.
func (w *network) standin(kind, addr string, flags ...string) *standin.Process {
	w.t.Helper()
	host, port, _ := net.SplitHostPort(addr)
	return standin.Start(w.t, w.config, append([]string{kind, speed, "--ip", host, "--port", port}, flags...)...)
}

// ask gives what a node of ours answers over HTTP.
func (w *network) ask(n *process.Program, path string, into any) {
	w.t.Helper()
	got, err := http.Get("http://" + n.Said.HTTP + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer got.Body.Close()
	if err := json.NewDecoder(got.Body).Decode(into); err != nil {
		w.t.Fatal(err)
	}
}

// state gives the state in which a node of ours has the member at an address; "" for nobody.
func (w *network) state(n *process.Program, addr string) string {
	w.t.Helper()
	var all struct {
		Members []struct{ Addr, State string }
	}
	w.ask(n, "/v1/members", &all)
	for _, m := range all.Members {
		if m.Addr == addr {
			return m.State
		}
	}
	return ""
}

// until waits until all of some nodes of ours have a member in one of these states.
func (w *network) until(of []*process.Program, addr string, states ...string) {
	w.t.Helper()
	process.Until(w.t, fmt.Sprintf("%s %s", addr, strings.Join(states, " or ")), soon, func() string {
		for _, n := range of {
			if got := w.state(n, addr); !slices.Contains(states, got) {
				return fmt.Sprintf("%s has it %q", n.Said.Name, got)
			}
		}
		return ""
	})
}
