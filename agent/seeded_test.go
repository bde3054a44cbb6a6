package agent

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/quorum"
)

// seededNet is a network with seeds in this process, each at an address of its
// own.
type seededNet struct {
	t     *testing.T
	data  string
	list  []quorum.Seed
	seeds []*Agent
	peers []*Agent
}

// newSeededNet starts so many seeds, and waits until they decide.
func newSeededNet(t *testing.T, seeds int) *seededNet {
	t.Helper()
	n := &seededNet{t: t, data: t.TempDir()}
	var bound []*sockets
	for i := range seeds {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + i)}), 0)
		conn, listener, err := listen(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		bound = append(bound, &sockets{conn, listener})
		n.list = append(n.list, quorum.Seed{Addr: conn.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort()})
	}
	for i := range seeds {
		cfg := n.seed(i)
		cfg.sockets = bound[i]
		n.seeds = append(n.seeds, start(t, cfg))
	}
	for _, s := range n.seeds {
		await(t, s, "a quorum", s.Joined)
	}
	return n
}

// seed is the configuration of a seed.
func (n *seededNet) seed(slot int) Config {
	cfg := quick(fmt.Sprintf("s%d", slot+1))
	cfg.Bind, cfg.Role, cfg.Seeds, cfg.Slot = "", hearsay.RoleSeed, n.list, slot
	cfg.Data = filepath.Join(n.data, cfg.Name)
	cfg.Quorum.TickEvery, cfg.Quorum.ElectionTicks = 20*time.Millisecond, 10
	cfg.Quorum.HelloEvery, cfg.Quorum.RetryEvery = 50*time.Millisecond, 100*time.Millisecond
	cfg.Quorum.ProbeEvery = 100 * time.Millisecond
	cfg.Quorum.Trial, cfg.Quorum.ShortTrial = 300*time.Millisecond, time.Second
	return cfg
}

func (n *seededNet) peer(name string) Config {
	cfg := quick(name)
	cfg.Seeds = n.list
	cfg.Follower.PollEvery, cfg.Follower.AskEvery = 200*time.Millisecond, 50*time.Millisecond
	cfg.Petition.RetryMin, cfg.Petition.RetryMax = 100*time.Millisecond, 500*time.Millisecond
	cfg.Petition.ReportEvery = 500 * time.Millisecond
	return cfg
}

// start starts peers.
func (n *seededNet) start(names ...string) {
	n.t.Helper()
	for _, name := range names {
		n.peers = append(n.peers, start(n.t, n.peer(name)))
	}
}

func (n *seededNet) all() []*Agent { return slices.Concat(n.seeds, n.peers) }

// living gives who is alive, as one node has it.
func living(a *Agent) string {
	var names []string
	for _, m := range a.Members() {
		if m.State.Living() {
			names = append(names, m.Name)
		}
	}
	return strings.Join(names, " ")
}

// agree waits until all have an epoch and these members.
func (n *seededNet) agree(epoch hearsay.Epoch, names string) {
	n.t.Helper()
	for _, a := range n.all() {
		await(n.t, a, fmt.Sprintf("epoch %d with %s", epoch, names), func() bool { return a.Epoch() == epoch && living(a) == names })
	}
}

func TestSeededNetwork(t *testing.T) {
	n := newSeededNet(t, 3)
	n.start("a", "b", "c")
	n.agree(3, "a b c s1 s2 s3")
	head := n.seeds[0].Authority().Head
	for _, a := range n.all() {
		if got := a.Authority(); got.Head != head || !got.Ready || !got.Seeded || got.Quorum != 2 {
			t.Errorf("%s: %+v, want the head %s", a.cfg.Name, got, head)
		}
	}
	n.peers[2].Close()
	n.peers = n.peers[:2]
	n.agree(4, "a b s1 s2 s3")
}
