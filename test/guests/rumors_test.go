package guests

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearsay/test/process"
	"hearsay/test/standin"
)

// messages is how many each of the guests says.
const messages = 10

// mixed is a network of our seeds and peers, and of peers that speak JSON lines.
type mixed struct {
	t      *testing.T
	peers  []process.Node
	config string
	guests []*standin.Process // that speak lines of JSON
	text   []*standin.Process
}

func newMixed(t *testing.T, peers int) *mixed {
	t.Helper()
	if testing.Short() {
		t.Skip("runs real processes, which no race detector sees")
	}
	m := &mixed{t: t}
	nodes := process.Up(t, t.TempDir(), 3, peers)
	m.peers = nodes[:peers]
	for _, s := range nodes[peers:] {
		m.config += strings.Replace(s.Addr, ":", ",", 1) + "\n"
	}
	return m
}

// add starts guests.
func (m *mixed) add(number int, flags ...string) {
	m.t.Helper()
	for _, at := range standin.Addresses(number) {
		addr := netip.MustParseAddrPort(at)
		args := append([]string{"p1-peer", "--ip", addr.Addr().String(), "--port", fmt.Sprint(addr.Port()), "--config", "config.txt", "--speed=25"}, flags...)
		m.guests = append(m.guests, standin.Start(m.t, m.config, args...))
	}
}

// heard is a rumor as a node of ours has it.
type heard struct {
	Origin string `json:"origin"`
	Guest  string `json:"guest"`
	Text   string `json:"text"`
}

func (m *mixed) rumors(n process.Node) (all []heard) {
	m.t.Helper()
	answer, err := http.Get("http://" + n.HTTP + "/v1/rumors")
	if err != nil {
		m.t.Fatal(err)
	}
	defer answer.Body.Close()
	var body struct{ Rumors []heard }
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		m.t.Fatal(err)
	}
	return body.Rumors
}

// say has a peer of ours tell everybody something.
func (m *mixed) say(n process.Node, text string) {
	m.t.Helper()
	answer, err := http.Post("http://"+n.HTTP+"/v1/rumors", "application/json", strings.NewReader(fmt.Sprintf(`{"text":%q}`, text)))
	if err != nil {
		m.t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode >= 300 {
		m.t.Fatalf("say: %s", answer.Status)
	}
}

// lacks says which node has not heard what the guests have said themselves and these texts, each once.
func (m *mixed) lacks(ours ...string) string {
	m.t.Helper()
	want := make(map[string]int) // by text, as two guests may say the same
	for _, text := range ours {
		want[text]++
	}
	for _, g := range m.guests {
		said := 0
		for _, r := range g.State(m.t).Rumors {
			if r.Own {
				said++
				want[r.Text]++
			}
		}
		if said < messages {
			return fmt.Sprintf("%s has said %d messages", g.Addr, said)
		}
	}
	differs := func(who string, has map[string]int) string {
		for text, times := range want {
			if has[text] != times {
				return fmt.Sprintf("%s has %q %d times, want %d", who, text, has[text], times)
			}
		}
		return ""
	}
	for _, n := range m.peers {
		has := make(map[string]int)
		for _, r := range m.rumors(n) {
			has[r.Text]++
		}
		if problem := differs(n.Name, has); problem != "" {
			return problem
		}
	}
	for _, g := range m.guests {
		has := make(map[string]int)
		for _, r := range g.State(m.t).Rumors {
			has[r.Text]++
		}
		if problem := differs(g.Addr, has); problem != "" {
			return problem
		}
	}
	return ""
}

// What peers that speak JSON lines say is heard by all, theirs and ours, and so is what ours say; each once, also what
// was said before the last of them came. No peer of ours refuses a link, which would be final.
func TestRumorsGoBothWays(t *testing.T) {
	t.Parallel()
	m := newMixed(t, 3)
	m.say(m.peers[0], "before")
	m.add(4)
	process.Until(t, "all have heard all", soon, func() string { return m.lacks("before") })
	m.say(m.peers[1], "after")
	m.add(1)
	process.Until(t, "all have heard all, the late one too", soon, func() string { return m.lacks("before", "after") })
	for _, g := range m.guests {
		if s := g.State(t); s.Undecodable > 0 {
			t.Errorf("%s got %d messages that make no sense, the last %q", g.Addr, s.Undecodable, s.Senseless)
		}
		if log := g.File(t, "outputfile.txt"); strings.Contains(log, "refused") {
			t.Errorf("%s was refused:\n%s", g.Addr, log)
		}
	}
	if !slices.ContainsFunc(m.rumors(m.peers[0]), func(r heard) bool { return r.Guest != "" }) {
		t.Error("no rumor names its guest")
	}
}

// Old peers pass on what ours say, without the name of the one that has said it: it is heard once all the same.
func TestRelaysOfOursAreHeardOnce(t *testing.T) {
	t.Parallel()
	m := newMixed(t, 3)
	m.add(3, "--faults")
	process.Until(t, "all are linked", soon, func() string {
		for _, g := range m.guests {
			if len(g.State(t).Neighbors) < 2 {
				return g.Addr + " has too few neighbors"
			}
		}
		return ""
	})
	want := make(map[string]bool)
	for i := range 15 {
		text := fmt.Sprintf("tea at %d", i)
		m.say(m.peers[i%len(m.peers)], text)
		want[text] = true
	}
	process.Until(t, "the guests have heard all, and passed it on", soon, func() string {
		for _, g := range m.guests {
			heard := 0
			for _, r := range g.State(t).Rumors {
				if want[r.Text] {
					heard++
				}
			}
			if heard < len(want) {
				return fmt.Sprintf("%s has heard %d", g.Addr, heard)
			}
		}
		return ""
	})
	process.Pause(2 * time.Second) // what they pass on waits for a second here
	for _, n := range m.peers {
		times := make(map[string]int)
		for _, r := range m.rumors(n) {
			times[r.Text]++
		}
		for text := range want {
			if times[text] != 1 {
				t.Errorf("%s has %q %d times", n.Name, text, times[text])
			}
		}
	}
}

// A guest that hung for so long that it was removed does not ask to be in again: it is once it answers, and hears what
// was said meanwhile.
func TestGuestThatHungReturns(t *testing.T) {
	t.Parallel()
	m := newMixed(t, 3)
	m.add(2)
	process.Until(t, "all have heard all", soon, func() string { return m.lacks() })
	hung := m.guests[0]
	stays := func(want string) {
		t.Helper()
		process.Until(t, hung.Addr+" is "+want, soon, func() string {
			for _, n := range m.peers {
				if got := m.memberAt(n, hung.Addr).State; got != want {
					return fmt.Sprintf("%s has it %q", n.Name, got)
				}
			}
			return ""
		})
	}
	hung.Cmd.Process.Signal(syscall.SIGSTOP)
	stays("dead")
	m.say(m.peers[0], "meanwhile")
	hung.Cmd.Process.Signal(syscall.SIGCONT)
	stays("alive")
	m.say(m.peers[1], "afterwards")
	process.Until(t, "all have heard all", soon, func() string { return m.lacks("meanwhile", "afterwards") })
}
