package guests

import (
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearsay"
	"hearsay/test/process"
	"hearsay/test/standin"
)

// abroad is a network of an earlier program's seeds, its peers, and peers of ours.
type abroad struct {
	*network
	at    []string // of the seeds
	seeds []*standin.Process
	peers []*standin.Process
	ours  []*process.Program
	ran   int // of ours, so far
}

func newAbroad(t *testing.T) *abroad {
	t.Helper()
	at := standin.Addresses(3)
	return &abroad{network: newNetwork(t, at), at: at}
}

// mixed is the peers of it: those of ours, and the program's.
func (w *abroad) mixed() *mixed {
	m := &mixed{t: w.t, guests: w.peers}
	for _, o := range w.ours {
		m.peers = append(m.peers, o.Said)
	}
	return m
}

func (w *abroad) runSeed(i int, flags ...string) {
	w.t.Helper()
	w.seeds = append(w.seeds, w.standin("p1-seed", w.at[i], flags...))
}

func (w *abroad) runPeer(flags ...string) {
	w.t.Helper()
	w.peers = append(w.peers, w.standin("p1-peer", standin.Addresses(1)[0], flags...))
}

func (w *abroad) runOurs() {
	w.t.Helper()
	w.ran++
	w.ours = append(w.ours, w.run("peer", fmt.Sprintf("ours%d", w.ran), standin.Addresses(1)[0]))
}

// addrs are where the peers are.
func (w *abroad) addrs() (all []string) {
	for _, p := range w.peers {
		all = append(all, p.Addr)
	}
	for _, o := range w.ours {
		all = append(all, o.Said.Addr)
	}
	slices.Sort(all)
	return all
}

// listed waits until each seed lists these and no others.
func (w *abroad) listed(addrs ...string) {
	w.t.Helper()
	process.Until(w.t, fmt.Sprintf("the seeds list %q", addrs), soon, func() string {
		for _, s := range w.seeds {
			got := slices.Sorted(slices.Values(s.State(w.t).Known))
			if !slices.Equal(got, addrs) {
				return fmt.Sprintf("%s lists %q", s.Addr, got)
			}
		}
		return ""
	})
}

// harmless reports each of the stand-ins that has got what makes no sense to it, but for the one question that each of
// ours asks a seed.
func (w *abroad) harmless() {
	w.t.Helper()
	for i, s := range append(slices.Clone(w.seeds), w.peers...) {
		state, questions := s.State(w.t), 0
		if i < len(w.seeds) {
			questions = w.ran
		}
		if state.Undecodable > questions || state.Undecodable > 0 && !strings.HasSuffix(state.Senseless, "hearsay?\n") {
			w.t.Errorf("%s has got %d messages that make no sense, the last %q", s.Addr, state.Undecodable, state.Senseless)
		}
	}
}

// Peers of ours at an earlier program's seeds are registered with all of them, and tell each other and the program's
// peers apart.
func TestOursAreRegisteredAbroad(t *testing.T) {
	t.Parallel()
	for _, faults := range []string{"", "--faults"} {
		t.Run("seeds"+faults, func(t *testing.T) {
			t.Parallel()
			w := newAbroad(t)
			flags := strings.Fields(faults)
			for i := range w.at {
				w.runSeed(i, flags...)
			}
			w.runPeer(flags...)
			w.runPeer(flags...)
			for range 3 {
				w.runOurs()
			}
			w.listed(w.addrs()...)
			process.Until(t, "each of ours lists all", soon, func() string {
				for _, o := range w.ours {
					var all struct{ Members []hearsay.Member }
					w.ask(o, "/v1/members", &all)
					guests := 0
					for _, m := range all.Members {
						if m.State != hearsay.StateAlive || (m.Dialect == "p1") != slices.ContainsFunc(w.peers, func(p *standin.Process) bool { return p.Addr == m.Addr.String() }) {
							return fmt.Sprintf("%s lists %+v", o.Said.Name, m)
						}
						if m.Dialect == "p1" {
							guests++
						}
					}
					if len(all.Members) != 5 || guests != 2 {
						return fmt.Sprintf("%s lists %d, of them %d guests", o.Said.Name, len(all.Members), guests)
					}
				}
				return ""
			})
			w.harmless()
		})
	}
}

// fragments says which of the program's peers are not linked, over others, with ours, which are one network.
func (w *abroad) fragments() string {
	linked := map[string]bool{} // with ours
	for _, o := range w.ours {
		linked[o.Said.Addr] = true
	}
	states := map[string]standin.State{}
	for _, p := range w.peers {
		states[p.Addr] = p.State(w.t)
	}
	for range w.peers {
		for addr, state := range states {
			for _, other := range state.Neighbors {
				if linked[other] || linked[addr] {
					linked[addr], linked[other] = true, true
				}
			}
		}
	}
	for addr := range states {
		if !linked[addr] {
			return addr + " is cut off"
		}
	}
	return ""
}

// A network of an earlier program's seeds with its peers and ours: all are linked, and hear each other once; the death
// of either kind is reported, and the seeds take it off their lists. A seed is down, and ours that come before the
// seeds wait for them.
func TestOneNetworkAbroad(t *testing.T) {
	t.Parallel()
	for _, faults := range []string{"", "--faults"} {
		t.Run("seeds"+faults, func(t *testing.T) {
			t.Parallel()
			w := newAbroad(t)
			for range 2 {
				w.runOurs() // and no seed is there
			}
			m := w.mixed()
			m.say(m.peers[0], "said before")
			for i := range w.at[:2] { // the third is down
				w.runSeed(i, strings.Fields(faults)...)
			}
			w.listed(w.addrs()...)
			w.runPeer()
			w.runPeer()
			w.runOurs()
			w.listed(w.addrs()...)
			process.Until(t, "all are linked", soon, w.fragments)
			m = w.mixed()
			m.say(m.peers[2], "said by the last")
			process.Until(t, "all have heard all", soon, func() string { return m.lacks("said before", "said by the last") })

			w.peers[1].Kill()
			w.peers = w.peers[:1]
			w.listed(w.addrs()...)
			last := w.ours[2]
			last.Cmd.Process.Kill()
			<-last.Ended
			w.ours = w.ours[:2]
			w.listed(w.addrs()...)
			w.harmless()
		})
	}
}

// A peer of ours that an earlier program's seeds remove, as anybody can make them by a report, registers again.
func TestRemovedAbroadAndBack(t *testing.T) {
	t.Parallel()
	w := newAbroad(t)
	for i := range w.at {
		w.runSeed(i, "--faults")
	}
	w.runOurs()
	w.listed(w.addrs()...)
	host, port, _ := net.SplitHostPort(w.ours[0].Said.Addr)
	say(t, w.at[0], fmt.Sprintf(`{"type":"DEAD_REPORT","payload":{"dead_ip":%q,"dead_port":%s,"self_ip":%q,"timestamp":1,"reporter":"nobody"},"ts":1}`+"\n", host, port, host))
	w.listed()
	w.listed(w.addrs()...)
}

// hungFor is in which one that hangs is found by ours, and reported: two questions of two seconds, and those of others
// and of the seeds. The queue of its connections is not full by then, which others find.
const hungFor = 10 * time.Second

// One of theirs that hangs, whose connections are accepted, is reported; it is in again once it answers.
func TestHungGuestAbroad(t *testing.T) {
	t.Parallel()
	w := newAbroad(t)
	for i := range w.at {
		w.runSeed(i)
	}
	w.runOurs()
	for range 4 {
		w.runPeer() // these connect to it, and find it alive
	}
	w.listed(w.addrs()...)
	hung := w.peers[0]
	hung.Cmd.Process.Signal(syscall.SIGSTOP)
	began := time.Now()
	w.listed(slices.DeleteFunc(w.addrs(), func(addr string) bool { return addr == hung.Addr })...)
	if took := time.Since(began); took > hungFor {
		t.Errorf("it was off the lists after %v", took)
	}
	w.until(w.ours, hung.Addr, "")
	hung.Cmd.Process.Signal(syscall.SIGCONT)
	w.listed(w.addrs()...)
	w.until(w.ours, hung.Addr, "alive")
	w.harmless()
}

// A peer of ours that has joined an earlier program's seeds, at the addresses of ours that were down, starts anew once
// ours are there, joins them, and has what it stored meanwhile.
func TestBackFromAbroad(t *testing.T) {
	t.Parallel()
	w := newAbroad(t)
	for i := range 2 { // a quorum
		w.runSeed(i)
	}
	w.runOurs()
	ours := w.ours[0]
	w.listed(ours.Said.Addr)
	node := "http://" + ours.Said.HTTP
	process.Command(t, process.Binary(t), "put", "--node", node, "written", "abroad")
	for _, s := range w.seeds {
		s.Kill()
	}
	w.runSeeds()
	at := w.network.seeds[0].Said.Addr
	process.Until(t, "it has joined ours", soon, func() string {
		got, err := exec.Command(process.Binary(t), "members", "--node", node).CombinedOutput() // it may be starting
		if err != nil || !strings.Contains(string(got), at) {
			return string(got)
		}
		return ""
	})
	w.until(append(slices.Clone(w.network.seeds), ours), ours.Said.Addr, "alive")
	var all struct {
		Members []struct{ Addr, Dialect string }
	}
	w.ask(w.network.seeds[0], "/v1/members", &all)
	for _, m := range all.Members {
		if m.Dialect != "" {
			t.Errorf("a seed has %s as a guest of %s", m.Addr, m.Dialect)
		}
	}
	if got, err := exec.Command(process.Binary(t), "get", "--node", node, "written").CombinedOutput(); err != nil || strings.TrimSpace(string(got)) != "abroad" {
		t.Errorf("what was stored abroad: %s, %v", got, err)
	}
	if log := w.read("ours1.log"); strings.Count(log, "starts anew to join them") != 1 {
		t.Errorf("it has not said once that it starts anew:\n%s", log)
	}
}
