package guests

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearsay/test/process"
	"hearsay/test/standin"
)

// addText starts peers that speak text, of one kind.
func (m *mixed) addText(number int, kind string, flags ...string) (added []*standin.Process) {
	m.t.Helper()
	for _, at := range standin.Addresses(number) {
		addr := netip.MustParseAddrPort(at)
		args := append([]string{kind, "--ip", addr.Addr().String(), "--port", fmt.Sprint(addr.Port()), "--speed=25"}, flags...)
		added = append(added, standin.Start(m.t, strings.ReplaceAll(m.config, ",", ":"), args...))
	}
	m.text = append(m.text, added...)
	return added
}

// said gives what some guests have said themselves.
func (m *mixed) said(guests []*standin.Process) (texts []string) {
	m.t.Helper()
	for _, g := range guests {
		for _, r := range g.State(m.t).Rumors {
			if r.Own {
				texts = append(texts, r.Text)
			}
		}
	}
	return texts
}

// lineOf is what stands at guests of text for a rumor: its origin, and its end if that is known.
type lineOf struct{ origin, end string }

// lacksText says what a guest of text has not heard, or has heard twice: what guests of text have said, word for word,
// and a line for each rumor of others.
func (m *mixed) lacksText(others map[lineOf]int) string {
	m.t.Helper()
	texts := m.said(m.text)
	if len(texts) != messages*len(m.text) {
		return fmt.Sprintf("they have said %d messages", len(texts))
	}
	for _, g := range m.text {
		has, lines := make(map[string]int), 0
		for _, r := range g.State(m.t).Rumors {
			has[r.Text]++
			lines++
		}
		want := 0
		for _, text := range texts {
			if want++; has[text] != 1 {
				return fmt.Sprintf("%s has %q %d times", g.Addr, text, has[text])
			}
		}
		for line, times := range others {
			want += times
			got := 0
			for text := range has {
				if strings.Contains(text, ":"+line.origin+":GOSSIP") && strings.HasSuffix(text, line.end) {
					got++
				}
			}
			if got != times {
				return fmt.Sprintf("%s has %d lines of %v, want %d", g.Addr, got, line, times)
			}
		}
		if lines != want {
			return fmt.Sprintf("%s has %d lines, want %d", g.Addr, lines, want)
		}
	}
	return ""
}

// lacksHere says what a peer of ours has not heard, or has heard twice.
func (m *mixed) lacksHere(ours ...string) string {
	m.t.Helper()
	want := make(map[string]int)
	for _, text := range slices.Concat(ours, m.said(m.text), m.said(m.guests)) {
		want[text]++
	}
	for _, n := range m.peers {
		has, all := make(map[string]int), m.rumors(n)
		for _, r := range all {
			has[r.Text]++
		}
		for text, times := range want {
			if has[text] != times {
				return fmt.Sprintf("%s has %q %d times, want %d", n.Name, text, has[text], times)
			}
		}
		if len(all) != len(slices.Concat(ours, m.said(m.text), m.said(m.guests))) {
			return fmt.Sprintf("%s has %d rumors", n.Name, len(all))
		}
	}
	return ""
}

// What peers that speak text say is heard by all, theirs and ours, and what ours say has a line at each of theirs.
func TestTextPeersWithOurs(t *testing.T) {
	for _, flags := range [][]string{nil, {"--faults"}} {
		t.Run(fmt.Sprint(flags), func(t *testing.T) {
			t.Parallel()
			m := newMixed(t, 3)
			m.say(m.peers[0], "before")
			m.addText(2, "p0-peer", flags...)
			m.addText(2, "p2-peer", flags...)
			m.say(m.peers[1], "after")
			lines := map[lineOf]int{{m.peers[0].Addr, ""}: 1, {m.peers[1].Addr, ""}: 1}
			process.Until(t, "all have heard all", soon, func() string {
				if problem := m.lacksText(lines); problem != "" {
					return problem
				}
				return m.lacksHere("before", "after")
			})
			m.addText(1, "p2-peer", flags...)
			process.Until(t, "all have heard all, the late one too", soon, func() string {
				if problem := m.lacksText(lines); problem != "" {
					return problem
				}
				return m.lacksHere("before", "after")
			})
			for _, g := range m.text {
				s := g.State(t)
				if s.Self != g.Addr {
					t.Errorf("%s takes %s for its own address", g.Addr, s.Self)
				}
				for _, one := range s.Known {
					if !slices.ContainsFunc(m.peers, func(n process.Node) bool { return n.Addr == one }) &&
						!slices.ContainsFunc(m.text, func(g *standin.Process) bool { return g.Addr == one }) {
						t.Errorf("%s was given %s, which is no peer", g.Addr, one)
					}
				}
				if len(flags) > 0 && s.Undecodable > 0 {
					t.Logf("%s got %d messages that make no sense, the last %q", g.Addr, s.Undecodable, s.Senseless)
				}
			}
		})
	}
}

// A peer that speaks text and dies is removed, by the seeds; and one of ours that dies is reported by theirs.
func TestTextPeersDie(t *testing.T) {
	t.Parallel()
	m := newMixed(t, 3)
	m.addText(2, "p0-peer")
	m.addText(2, "p2-peer")
	var took []time.Duration
	for _, dead := range []*standin.Process{m.text[0], m.text[3]} {
		dead.Kill()
		took = append(took, m.until(dead.Addr, "dead"))
	}
	t.Logf("removed after %v", took)
	if median := took[len(took)/2]; median > 4*time.Second {
		t.Errorf("removed after %v", took)
	}
	neighbor := m.text[1].State(t).Neighbors
	i := slices.IndexFunc(m.peers, func(n process.Node) bool { return slices.Contains(neighbor, n.Addr) })
	if i < 0 {
		t.Fatalf("none of ours is a neighbor of %s: %q", m.text[1].Addr, neighbor)
	}
	ours := m.peers[i]
	killed, err := os.FindProcess(ours.PID)
	if err != nil || killed.Kill() != nil {
		t.Fatalf("kill %s: %v", ours.Name, err)
	}
	m.peers = slices.Delete(m.peers, i, i+1)
	t.Logf("one of ours removed after %v", m.until(ours.Addr, "dead"))
	process.Until(t, "reported", soon, func() string {
		if got := m.text[1].State(t).Deaths; !slices.Contains(got, ours.Addr) {
			return fmt.Sprintf("%s has reported %q", m.text[1].Addr, got)
		}
		return ""
	})
}

// until waits until all peers of ours have a member in a state, and says how long that took.
func (m *mixed) until(addr, state string) time.Duration {
	m.t.Helper()
	return process.Until(m.t, addr+" "+state, soon, func() string {
		for _, n := range m.peers {
			if got := m.memberAt(n, addr).State; got != state {
				return fmt.Sprintf("%s has it %q", n.Name, got)
			}
		}
		return ""
	})
}

// listed is a member as a node of ours lists it.
type listed struct{ Addr, State, Dialect string }

// memberAt gives the member at an address, or none.
func (m *mixed) memberAt(n process.Node, addr string) (found listed) {
	m.t.Helper()
	answer, err := http.Get("http://" + n.HTTP + "/v1/members")
	if err != nil {
		m.t.Fatal(err)
	}
	defer answer.Body.Close()
	var all struct{ Members []listed }
	if err := json.NewDecoder(answer.Body).Decode(&all); err != nil {
		m.t.Fatal(err)
	}
	for _, one := range all.Members {
		if one.Addr == addr {
			return one
		}
	}
	return found
}

// untilHeard waits until guests of both dialects and peers of ours have heard what all of them have said, once.
func (m *mixed) untilHeard(ours map[string]string) {
	m.t.Helper()
	process.Until(m.t, "all have heard all", soon, func() string {
		lines, texts := make(map[lineOf]int), []string{}
		for text, origin := range ours {
			texts = append(texts, text)
			lines[lineOf{origin, ""}]++
		}
		for _, g := range m.guests {
			own := m.said([]*standin.Process{g})
			if len(own) < messages {
				return fmt.Sprintf("%s has said %d messages", g.Addr, len(own))
			}
			for _, text := range own {
				lines[lineOf{g.Addr, "GOSSIP" + text[strings.LastIndexByte(text, ':')+1:]}]++
			}
		}
		if problem := m.lacksText(lines); problem != "" {
			return problem
		}
		if problem := m.lacksHere(texts...); problem != "" {
			return problem
		}
		for _, g := range m.guests {
			has := make(map[string]int)
			for _, r := range g.State(m.t).Rumors {
				has[r.Text]++
			}
			for _, text := range slices.Concat(texts, m.said(m.text), m.said(m.guests)) {
				if has[text] < 1 {
					return fmt.Sprintf("%s lacks %q", g.Addr, text)
				}
			}
		}
		return ""
	})
}

// Peers of the three earlier programs with lines and text hear each other through ours; each is listed only to those
// that can speak with it, and told by its dialect.
func TestAllDialectsTogether(t *testing.T) {
	t.Parallel()
	m := newMixed(t, 3)
	m.add(2)
	m.addText(1, "p0-peer")
	m.addText(1, "p2-peer")
	m.say(m.peers[2], "tea at five")
	m.untilHeard(map[string]string{"tea at five": m.peers[2].Addr})
	for _, g := range m.guests {
		for _, other := range m.text {
			if slices.Contains(g.State(t).Known, other.Addr) || slices.Contains(other.State(t).Known, g.Addr) {
				t.Errorf("one of %s and %s was given the other, which speaks another dialect", g.Addr, other.Addr)
			}
		}
	}
	known := 0
	for _, n := range m.peers {
		for addr, want := range map[string]string{m.guests[0].Addr: "p1", m.text[1].Addr: "p2"} {
			if got := m.memberAt(n, addr).Dialect; got != want {
				t.Errorf("%s lists %s as %q, want %q", n.Name, addr, got, want)
			}
		}
		switch got := m.memberAt(n, m.text[0].Addr).Dialect; got {
		case "p0":
			known++
		case "p2":
		default:
			t.Errorf("%s lists %s as %q", n.Name, m.text[0].Addr, got)
		}
	}
	if known == 0 {
		t.Error("nobody knows p0 by its spelling")
	}
}

// A peer that speaks text and is stopped is removed, and in again by itself once it goes on.
func TestTextPeerComesBack(t *testing.T) {
	t.Parallel()
	m := newMixed(t, 2)
	stopped := m.addText(1, "p2-peer")[0]
	m.addText(1, "p0-peer")
	m.until(stopped.Addr, "alive")
	if err := stopped.Cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	m.until(stopped.Addr, "dead")
	if err := stopped.Cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	m.until(stopped.Addr, "alive")
	m.say(m.peers[0], "tea at five")
	process.Until(t, "it is told again", soon, func() string {
		for _, r := range stopped.State(t).Rumors {
			if strings.Contains(r.Text, m.peers[0].Addr) {
				return ""
			}
		}
		return "it has not heard"
	})
}
