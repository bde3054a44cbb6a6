package guests

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"hearsay/test/process"
	"hearsay/test/standin"
)

// newAbroadText is a network whose seeds and peers speak text, each at an IP address of its own as their lists have it.
func newAbroadText(t *testing.T, kind string, faults ...string) *abroad {
	t.Helper()
	w := newAbroad(t)
	for _, addr := range w.at {
		w.seeds = append(w.seeds, w.standin(kind+"-seed", addr, faults...))
	}
	return w
}

// entries waits until each seed lists these, whatever their order, and however often.
func (w *abroad) entries(addrs ...string) {
	w.t.Helper()
	slices.Sort(addrs)
	process.Until(w.t, fmt.Sprintf("the seeds list %q", addrs), soon, func() string {
		for _, s := range w.seeds {
			if got := slices.Compact(slices.Sorted(slices.Values(s.State(w.t).Known))); !slices.Equal(got, addrs) {
				return fmt.Sprintf("%s lists %q", s.Addr, got)
			}
		}
		return ""
	})
}

// Peers of ours at seeds that speak text are registered with all of them, once; no seed lists what is no peer. Ours and
// the program's peers are one network, in which each hears all, and the dead of either kind are reported.
func TestAbroadOfText(t *testing.T) {
	t.Parallel()
	for _, c := range [][]string{{"p2"}, {"p0"}, {"p2", "--faults"}, {"p0", "--faults"}} {
		t.Run(strings.Join(c, ""), func(t *testing.T) {
			t.Parallel()
			w := newAbroadText(t, c[0], c[1:]...)
			for range 2 {
				w.runOurs()
			}
			w.entries(w.addrs()...)
			for range 2 {
				w.peers = append(w.peers, w.standin(c[0]+"-peer", standin.Addresses(1)[0]))
			}
			w.runOurs()
			process.Until(t, "each of ours has met the others of ours", soon, func() string {
				for _, o := range w.ours {
					for _, other := range w.ours {
						if got := w.state(o, other.Said.Addr); got != "alive" {
							return fmt.Sprintf("%s has %s %q", o.Said.Name, other.Said.Name, got)
						}
					}
				}
				return ""
			})
			process.Until(t, "all are linked", soon, w.fragments)
			m := w.mixed()
			m.say(m.peers[0], "said by ours")
			process.Until(t, "ours have heard all", soon, func() string {
				for _, p := range w.peers {
					for _, r := range p.State(t).Rumors {
						for _, o := range m.peers {
							if r.Own && !slices.ContainsFunc(m.rumors(o), func(h heard) bool { return h.Text == r.Text }) {
								return o.Name + " lacks " + r.Text
							}
						}
					}
				}
				return ""
			})
			dead := w.ours[2]
			dead.Cmd.Process.Kill()
			<-dead.Ended
			w.ours = w.ours[:2]
			gone := w.peers[1]
			gone.Kill()
			w.peers = w.peers[:1]
			process.Until(t, "the dead are off the lists", soon, func() string {
				for _, s := range w.seeds {
					for _, addr := range []string{dead.Said.Addr, gone.Addr} {
						if slices.Contains(s.State(t).Known, addr) {
							return s.Addr + " lists " + addr
						}
					}
				}
				return ""
			})
			known := w.addrs()
			for _, s := range w.seeds {
				for _, entry := range s.State(t).Known {
					if !slices.Contains(known, entry) {
						t.Errorf("%s lists %q, which is no peer", s.Addr, entry)
					}
				}
				if state := s.State(t); state.Undecodable > 3*w.ran || state.Undecodable > 0 && !strings.HasSuffix(state.Senseless, "hearsay?\n") {
					t.Errorf("%s has got %d messages that make no sense, the last %q", s.Addr, state.Undecodable, state.Senseless)
				}
			}
			for _, p := range w.peers {
				if state := p.State(t); state.Undecodable > 0 {
					t.Errorf("%s has got %d messages that make no sense, the last %q", p.Addr, state.Undecodable, state.Senseless)
				}
			}
		})
	}
}
