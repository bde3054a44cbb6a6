package standin

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay/test/process"
)

const (
	speed      = "--speed=25"
	soon       = 20 * time.Second // all that is waited for takes a second or two
	seedsCount = 3
	peersCount = 5
)

// testsAtOnce is how many of these run at once, if -parallel does not say it: they wait most of the time.
const testsAtOnce = "6"

func TestMain(m *testing.M) {
	flag.Set("test.parallel", testsAtOnce) // the command line, which is read later, counts
	process.Main(m, Inside)
}

// network is some stand-ins of one kind.
type network struct {
	t            *testing.T
	config       string
	seeds, peers []*Process
}

// start runs three seeds and five peers, one after the other, of p0, p1 or p2.
func start(t *testing.T, kind string, flags ...string) *network {
	t.Helper()
	addresses := Addresses(seedsCount)
	w := &network{t: t, config: strings.Join(addresses, "\n") + "\n"}
	run := func(role, addr string) *Process {
		host, port := splitEndpoint(addr)
		return Start(t, w.config, append([]string{kind + "-" + role, speed, "--ip", host, "--port", fmt.Sprint(port)}, flags...)...)
	}
	for _, addr := range addresses {
		w.seeds = append(w.seeds, run("seed", addr))
	}
	host, _ := splitEndpoint(addresses[0])
	for range peersCount {
		w.peers = append(w.peers, run("peer", host+":0"))
	}
	return w
}

func (w *network) until(what string, missing func() string) {
	w.t.Helper()
	process.Until(w.t, what, soon, missing)
}

// addrs are where some listen, in order.
func addrs(of []*Process) (list []string) {
	for _, p := range of {
		list = append(list, p.Addr)
	}
	slices.Sort(list)
	return list
}

// connected reports whether all peers are reached over links, whichever side holds them.
func (w *network) connected() bool {
	near := map[string][]string{}
	for _, p := range w.peers {
		for _, other := range p.State(w.t).Neighbors {
			near[p.Addr], near[other] = append(near[p.Addr], other), append(near[other], p.Addr)
		}
	}
	reached := []string{w.peers[0].Addr}
	for i := 0; i < len(reached); i++ {
		for _, other := range near[reached[i]] {
			reached = with(reached, other)
		}
	}
	return len(reached) == len(w.peers)
}

// own are the rumors that a peer has said.
func own(s State) (texts []string) {
	for _, r := range s.Rumors {
		if r.Own {
			texts = append(texts, r.Text)
		}
	}
	return texts
}

// lacksRumors says which of the peers lacks a rumor of some of them. Where rumors tell no origin those of one text are
// one.
func (w *network) lacksRumors(of []*Process, number int, origins bool) string {
	for _, p := range of {
		said := own(p.State(w.t))
		if len(said) != number {
			return fmt.Sprintf("%s has said %d", p.Addr, len(said))
		}
		for _, q := range w.peers {
			for _, text := range said {
				if !slices.ContainsFunc(q.State(w.t).Rumors, func(r Rumor) bool {
					return r.Text == text && (!origins || r.Origin == p.Addr)
				}) {
					return fmt.Sprintf("%s lacks %q of %s", q.Addr, text, p.Addr)
				}
			}
		}
	}
	return ""
}

// lists says which of the seeds lists others than these.
func (w *network) lists(want []string) string {
	for _, s := range w.seeds {
		if got := slices.Sorted(slices.Values(s.State(w.t).Known)); !slices.Equal(got, want) {
			return fmt.Sprintf("seed %s lists %q, want %q", s.Addr, got, want)
		}
	}
	return ""
}

// kill kills a peer.
func (w *network) kill(i int) (addr string) {
	dead := w.peers[i]
	dead.Kill()
	w.peers = slices.Delete(slices.Clone(w.peers), i, i+1)
	return dead.Addr
}

func modes(t *testing.T, run func(t *testing.T, flags ...string)) {
	t.Run("well behaved", func(t *testing.T) { t.Parallel(); run(t) })
	t.Run("faults", func(t *testing.T) { t.Parallel(); run(t, "--faults") })
}

func TestConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.txt")
	for text, want := range map[string]string{ // an error has its line
		"127.0.0.1,5001\n# a comment\n\n localhost:5002 ": "127.0.0.1:5001 localhost:5002",
		"127.0.0.1,5001\n5002\n":                          ":2:",
		"127.0.0.1,none\n":                                ":1:",
		"127.0.0.1,65536\n":                               ":1:",
		"# nothing\n":                                     "lists no seed",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		seeds, err := readConfig(file, ",:")
		if got := fmt.Sprint(strings.Join(seeds, " "), err); !strings.Contains(got, want) || (err == nil) != slices.Contains(seeds, "127.0.0.1:5001") {
			t.Errorf("%q: %s, want %q", text, got, want)
		}
	}
}

func TestPowerLaw(t *testing.T) {
	seen := map[int]int{}
	for range 1000 {
		seen[powerLaw(5)]++
	}
	if len(seen) > 4 || seen[2] < seen[3] || seen[3] < seen[5] || seen[2] == 1000 || seen[0]+seen[1] > 0 {
		t.Errorf("numbers of neighbors: %v", seen)
	}
	for most := range 3 {
		if got := powerLaw(most); got != most {
			t.Errorf("%d neighbors of %d", got, most)
		}
	}
}
