package sim

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// A peer that comes to a network with seeds, and to which no datagrams get, is let in by stream: also where
// one seed decides alone.
func TestNewcomerWithoutDatagramsIsLetIn(t *testing.T) {
	for _, seeds := range []int{1, 3, 5} {
		r, err := runText(t, fmt.Sprintf(`with nodes 4
with seeds %d
with for 40s
with abrupt on
at 0s  loss-datagrams 1 n4
at 9s  core 5s n1..n3 s1
at 10s want-in 5s n4
at 20s want-heard 10s n4 n1 n2
at 20s want-heard 10s n2 n4`, seeds))
		if err != nil {
			t.Errorf("%d seeds: %v", seeds, err)
		}
		t.Logf("%d seeds: in after %.1fs", seeds, r.Demands[DemandIn])
	}
}

// A member to which no datagrams get is out in about the time that others take once it is dead.
func TestDeadMemberWithoutDatagramsIsRemoved(t *testing.T) {
	const worlds = 6
	var took [2]float64
	for kind, loss := range []string{"at 15s loss-datagrams 1 n4", ""} {
		for seed := range worlds {
			r, err := runText(t, fmt.Sprintf("with nodes 8\nwith seeds 3\nwith seed %d\nwith for 60s\nwith abrupt on\n%s\nat 30s core 10s n1..n3 s1..s3\nat 40s want-out 10s n4", seed+1, loss))
			if err != nil {
				t.Errorf("seed %d, %q: %v", seed+1, loss, err)
			}
			took[kind] += r.Demands[DemandOut] / worlds
		}
	}
	t.Logf("out after %.1fs, and one to which datagrams get after %.1fs", took[0], took[1])
	if took[0] > 2*took[1] {
		t.Errorf("out after %.1fs in the mean, want at most twice %.1fs", took[0], took[1])
	}
}

// A member that lives is never removed though no datagrams get to it: not by seeds that have just
// started and look at all, nor because it has moved, nor where most of its observers are so, too.
func TestMemberWithoutDatagramsStays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ all, seeds string }{
		"seeds restart": {"at 40s kill n7\nat 50s kill n8\nat 60s restart n7 n8", `at 40s kill s1..s3
at 41s restart s1..s3
at 50s kill s1..s3
at 50500ms restart s1..s3`},
		"all others restart": {`at 40s kill n1..n3 n5..n8
at 41s restart n1..n3 n5
at 60200ms pause n4
at 61500ms resume n4
at 62s restart n6..n8`, "at 40s kill s1..s3\nat 41s restart s1..s3\nat 60s kill s1..s3\nat 60100ms restart s1..s3"},
		"it moves": {"at 40s move n4\nat 55s roam n4\nat 65s kill n4\nat 66s restart n4", ""},
		"observers are deaf": {`at 15s loss-datagrams 1 n1..n3
at 40s kill n5
at 50s pause n4
at 51s resume n4
at 60s restart n5`, "at 45s kill s1\nat 47s restart s1"},
	} {
		for seeds, text := range map[int]string{0: "", 3: c.seeds} {
			t.Run(fmt.Sprintf("%s, %d seeds", name, seeds), func(t *testing.T) {
				for seed := range uint64(3) {
					w := newScenario(t, 8, "at 15s loss-datagrams 1 n4\n"+c.all+"\n"+text, func(c *Config) { c.Seeds, c.Seed = seeds, seed+1 })
					w.RunUntil(75 * time.Second)
					w.convergesWithin(t, 10*time.Second)
					if w.machines[3].node.Stats().DeafFor == 0 {
						t.Errorf("seed %d: n4 does not say that it gets no datagrams", seed+1)
					}
				}
			})
		}
	}
}

// Where one of three seeds gets no datagrams, the authority goes on, also while another restarts; and that
// seed says so.
func TestSeedWithoutDatagrams(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		text := fmt.Sprintf(`with nodes 9
with seeds 3
with seed %d
with for 75s
with abrupt on
at 5s  loss-datagrams 1 s1
at 30s core 10s n1..n4 s2 s3
at 40s want-in 5s n9
at 45s want-out 10s n8
at 54s kill s2
at 56s restart s2
at 60s want-out 10s n7
at 62s want-heard 10s n1 n2 n9`, seed+1)
		if _, err := runText(t, text); err != nil {
			t.Error(err)
		}
	}
	w := newScenario(t, 4, "at 5s loss-datagrams 1 s1", withSeeds(3))
	w.RunUntil(20 * time.Second)
	for seed, m := range w.machines[4:] {
		if deaf := m.node.Stats().DeafFor > 0; deaf != (seed == 0) || !m.node.Joined() {
			t.Errorf("s%d says that it gets no datagrams: %t; joined: %t", seed+1, deaf, m.node.Joined())
		}
	}
}

// One that loses its datagrams while it is cut off does not know that, and nor do others: both hold the other dead, and
// meet by stream.
func TestDatagramsLostWhileCutOff(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 2, "at 20s partition n1 | n2\nat 21s loss-datagrams 1 n2\nat 50s heal", nil)
	w.RunUntil(50 * time.Second)
	w.convergesWithin(t, 40*time.Second)
}

// A newcomer of an open network to which no datagrams get is with all soon, and has them all on its list.
func TestNewcomerWithoutDatagramsListsAll(t *testing.T) {
	t.Parallel()
	for _, nodes := range []int{8, 40} {
		w := newScenario(t, nodes, fmt.Sprintf("at 0s loss-datagrams 1 n%d\nat 20s start n%[1]d", nodes), withSeeds(0))
		w.RunUntil(20 * time.Second)
		t.Logf("%d nodes: with all after %v", nodes, w.convergesWithin(t, 15*time.Second))
	}
}

// A member that says by stream that it has moved to another port is not believed until something has answered
// there: all others would send whatever they have for it to somebody behind the same IP address.
func TestMoveToAnotherPortIsNotBelieved(t *testing.T) {
	t.Parallel()
	for _, seeds := range []int{0, 3} {
		w := newScenario(t, 12, "at 10s kill n5\nat 10s say n1 x100 every 100ms size 1000", withSeeds(seeds))
		w.RunUntil(9 * time.Second)
		s, liar := &siege{w: w}, &w.machines[4]
		victim := netip.AddrPortFrom(liar.addr.Addr(), 53)
		w.check.names(victim, 1<<30)
		key := s.identityOf(4)
		claim := hearsay.Claim{State: hearsay.StateAlive, Incarnation: liar.node.Self().Incarnation + 1000, Card: hearsay.Card{Name: liar.name, Addr: victim, Role: hearsay.RolePeer}}
		w.RunUntil(10 * time.Second)
		for w.now < 21*time.Second {
			claim.Incarnation++
			claim.Sign(w.id, key)
			for i := range w.machines {
				if i != 4 {
					s.injectPacket(4, &core.Packet{From: liar.id, Addr: w.machines[i].addr, Stream: true, Body: &core.News{}, Claims: []hearsay.Claim{claim}})
				}
			}
			w.RunUntil(w.now + 400*time.Millisecond)
		}
		if got := w.check.mentions.got[victim]; uint64(got) > uint64(s.injected) {
			t.Errorf("%d seeds: %d bytes came of %d to a port that never answered", seeds, got, s.injected)
		}
	}
}

// That no datagrams get through is told no more soon after they do: whether it was so of one node or of all, from
// the start or later.
func TestDeafIsToldNoMoreSoon(t *testing.T) {
	t.Parallel()
	const mended = 90 * time.Second
	for _, which := range []string{"n2", "n1..n8", "n1..n8 s1..s3"} {
		for _, at := range []time.Duration{0, 30 * time.Second} {
			text := fmt.Sprintf("at %v loss-datagrams 1 %s\nat %v loss-datagrams 0 %s", at, which, mended, which)
			w := newScenario(t, 8, text, withSeeds(3))
			w.RunUntil(mended)
			told := func() (names []string) {
				for i := range w.machines {
					if w.machines[i].node.Stats().DeafFor > 0 {
						names = append(names, w.machines[i].name)
					}
				}
				return names
			}
			if len(told()) == 0 {
				t.Errorf("%s, from %v: no node tells it", which, at)
			}
			if w.RunUntil(mended + 10*time.Second); len(told()) > 0 {
				t.Errorf("%s, from %v: %v tell it 10 s after its end", which, at, told())
			}
		}
	}
}
