// Package kill kills and stops real processes of a network that `hearsay up`
// runs, and measures how soon all others know.
//
// A kill is measured from the signal until every other node lists the victim
// suspect, and then dead; nobody else may be suspect for long. The victim is
// started again by the command that `hearsay up` printed, and must be back
// with its identity. It takes minutes, so the test runs when HEARSAY_KILLS
// says how often.
package kill

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	variable = "HEARSAY_KILLS"
	peers    = 5

	deadMedian     = 3 * time.Second
	deadLongest    = 5 * time.Second // 99 %
	othersSuspect  = time.Second     // somebody else, anywhere
	backWithin     = 10 * time.Second
	watchAtMost    = 20 * time.Second
	askEvery       = 20 * time.Millisecond
	requestTimeout = time.Second
)

type node struct {
	Name  string `json:"name"`
	HTTP  string `json:"http"`
	PID   int    `json:"pid"`
	Start string `json:"start"` // the command that starts it again
}

type member struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	State string `json:"state"`
}

// network is what `hearsay up` runs.
type network struct {
	t      *testing.T
	binary string
	data   string
	nodes  []node
	client http.Client
}

func TestKillsAndStops(t *testing.T) {
	times, err := strconv.Atoi(os.Getenv(variable))
	if os.Getenv(variable) == "" {
		t.Skipf("takes minutes; set %s to a number, or make kills", variable)
	}
	if err != nil || times < 1 {
		t.Fatalf("%s=%q: want a number, 1 or more", variable, os.Getenv(variable))
	}
	w := start(t)
	for _, way := range []struct {
		name   string
		signal syscall.Signal
		back   func(i int)
	}{
		{"kill -9", syscall.SIGKILL, w.startAgain},
		{"kill -STOP", syscall.SIGSTOP, func(i int) { syscall.Kill(w.nodes[i].PID, syscall.SIGCONT) }},
	} {
		var suspects, deaths []time.Duration
		for i := range times {
			victim := i % peers
			id := w.identity(victim)
			syscall.Kill(w.nodes[victim].PID, way.signal)
			suspect, dead := w.watch(victim)
			suspects, deaths = append(suspects, suspect), append(deaths, dead)
			w.wantStory(victim)
			way.back(victim)
			w.until("all alive again", backWithin, func() bool { return w.all("alive", -1) })
			if now := w.identity(victim); now != id {
				t.Errorf("%s came back as %s, was %s", w.nodes[victim].Name, now, id)
			}
		}
		judge(t, way.name, suspects, deaths)
	}
}

// judge prints the figures and holds them to what is promised.
func judge(t *testing.T, name string, suspects, deaths []time.Duration) {
	slices.Sort(suspects)
	slices.Sort(deaths)
	median, longest := deaths[len(deaths)/2], deaths[(len(deaths)*99-1)/100]
	t.Logf("%s, %d times: suspect everywhere: median %v, longest %v; dead everywhere: median %v, 99 %% %v",
		name, len(deaths), suspects[len(suspects)/2], suspects[len(suspects)-1], median, longest)
	if median > deadMedian || longest > deadLongest {
		t.Errorf("%s: dead everywhere after %v, 99 %% %v; want %v and %v", name, median, longest, deadMedian, deadLongest)
	}
}

// start runs a network and learns what it printed.
func start(t *testing.T) *network {
	w := &network{t: t, binary: filepath.Join(t.TempDir(), "hearsay"), data: t.TempDir()}
	w.client.Timeout = requestTimeout
	if out, err := exec.Command("go", "build", "-o", w.binary, "../../cmd/hearsay").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	up := exec.Command(w.binary, "up", "--seeds", "0", "--peers", strconv.Itoa(peers), "--port", "0", "--http", "0", "--data", w.data, "--json")
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
	if err := json.Unmarshal([]byte(first), &ready); err != nil || ready.Event != "ready" || len(ready.Nodes) != peers {
		t.Fatalf("up said %q: %v", first, err)
	}
	w.nodes = ready.Nodes
	go io.Copy(io.Discard, lines)
	return w
}

// startAgain runs the printed command.
func (w *network) startAgain(i int) {
	command := strings.Fields(w.nodes[i].Start)
	again := exec.Command(command[0], command[1:]...)
	if err := again.Start(); err != nil {
		w.t.Fatalf("%s: %v", strings.Join(command, " "), err)
	}
	w.nodes[i].PID = again.Process.Pid
	w.t.Cleanup(func() {
		again.Process.Kill()
		again.Wait()
	})
}

// members asks a node; nil if it does not answer.
func (w *network) members(i int) []member {
	answer, err := w.client.Get("http://" + w.nodes[i].HTTP + "/v1/members")
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	var roster struct {
		Members []member `json:"members"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&roster); err != nil {
		return nil
	}
	return roster.Members
}

// identity is the NodeID of a node, as another lists it.
func (w *network) identity(i int) string {
	for _, m := range w.members((i + 1) % peers) {
		if m.Name == w.nodes[i].Name && m.State == "alive" {
			return m.ID
		}
	}
	w.t.Fatalf("%s is not listed alive", w.nodes[i].Name)
	return ""
}

// all reports whether every node but one lists all peers, all in this state.
func (w *network) all(state string, but int) bool {
	for i := range w.nodes {
		if i == but {
			continue
		}
		listed := w.members(i)
		if len(listed) != peers || slices.ContainsFunc(listed, func(m member) bool { return m.State != state }) {
			return false
		}
	}
	return true
}

// watch follows a victim until all others list it dead. Nobody else may be
// suspect for long meanwhile.
func (w *network) watch(victim int) (suspect, dead time.Duration) {
	began := time.Now()
	others := map[string]time.Time{}
	for time.Since(began) < watchAtMost {
		suspects, deaths := 0, 0
		for i := range w.nodes {
			if i == victim {
				continue
			}
			for _, m := range w.members(i) {
				key := w.nodes[i].Name + " holds " + m.Name
				switch {
				case m.Name == w.nodes[victim].Name && m.State == "dead":
					deaths++
					suspects++
				case m.Name == w.nodes[victim].Name && m.State == "suspect":
					suspects++
				case m.State == "alive":
					delete(others, key)
				case others[key].IsZero():
					others[key] = time.Now()
				case time.Since(others[key]) > othersSuspect:
					w.t.Errorf("%s %s for %v", key, m.State, time.Since(others[key]))
				}
			}
		}
		if suspects == peers-1 && suspect == 0 {
			suspect = time.Since(began)
		}
		if deaths == peers-1 {
			return suspect, time.Since(began)
		}
		pause(askEvery)
	}
	w.t.Fatalf("%s is not dead everywhere after %v", w.nodes[victim].Name, watchAtMost)
	return 0, 0
}

// wantStory asks why, and wants the story of the death.
func (w *network) wantStory(victim int) {
	teller := w.nodes[(victim+1)%peers]
	out, err := exec.Command(w.binary, "why", w.nodes[victim].Name, "--node", "http://"+teller.HTTP).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "dead") || !strings.Contains(string(out), "observer") {
		w.t.Errorf("why %s, asked of %s: %v\n%s", w.nodes[victim].Name, teller.Name, err, out)
	}
}

func (w *network) until(what string, limit time.Duration, reached func() bool) {
	for began := time.Now(); !reached(); pause(askEvery) {
		if time.Since(began) > limit {
			w.t.Fatalf("not %s after %v", what, limit)
		}
	}
}

// pause waits between two looks at processes that nothing else tells about.
func pause(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	<-ctx.Done()
}
