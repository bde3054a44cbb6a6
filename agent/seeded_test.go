package agent

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/wire"
)

// seededNet is a network with seeds in this process, each at an address of its
// own.
type seededNet struct {
	t     *testing.T
	data  string
	list  []ledger.Seed
	seeds []*Agent
	peers []*Agent

	shortTrial time.Duration // of the seeds
}

// roundsTake is how long observers have at least to say what they see: more than
// one round, as one that the machine keeps from running abstains at first.
const roundsTake = 6 * time.Second

// newSeededNet starts so many seeds, and waits until they decide.
func newSeededNet(t *testing.T, seeds int) *seededNet {
	t.Helper()
	return newDecidingNet(t, seeds, time.Second)
}

// newDecidingNet starts seeds that take so long for a report without evidence.
func newDecidingNet(t *testing.T, seeds int, shortTrial time.Duration) *seededNet {
	t.Helper()
	n := &seededNet{t: t, data: t.TempDir(), shortTrial: shortTrial}
	var bound []*sockets
	for i := range seeds {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + i)}), 0)
		conn, listener, err := listen(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		bound = append(bound, &sockets{conn, listener})
		n.list = append(n.list, ledger.Seed{Addr: conn.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort()})
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
	cfg.Roster.SuspicionMin = roundsTake
	cfg.Quorum.TickEvery, cfg.Quorum.ElectionTicks = 20*time.Millisecond, 10
	cfg.Quorum.HelloEvery, cfg.Quorum.RetryEvery = 50*time.Millisecond, 100*time.Millisecond
	cfg.Quorum.ProbeEvery = 100 * time.Millisecond
	cfg.Quorum.Trial, cfg.Quorum.ShortTrial = 300*time.Millisecond, n.shortTrial
	return cfg
}

func (n *seededNet) peer(name string) Config {
	cfg := quick(name)
	cfg.Seeds = n.list
	cfg.Roster.SuspicionMin = roundsTake
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

// living gives which peers are in, as one node has it. Who came while a seed was
// away has never met that one.
func living(a *Agent) string {
	var names []string
	for _, m := range a.Members() {
		if m.State.Living() && m.Role == hearsay.RolePeer {
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

// stopSeed closes a seed as a crash would.
func (n *seededNet) stopSeed(slot int) {
	n.seeds[slot].Close()
	n.seeds = slices.Delete(slices.Clone(n.seeds), slot, slot+1)
}

// startSeed starts it again with what it has on disk.
func (n *seededNet) startSeed(slot int) {
	n.t.Helper()
	n.seeds = append(n.seeds, start(n.t, n.seed(slot)))
}

// stopPeer closes the peer that was started last, as a crash would.
func (n *seededNet) stopPeer() {
	last := len(n.peers) - 1
	n.peers[last].Close()
	n.peers = n.peers[:last]
}

// hears waits until a has an event.
func hears(t *testing.T, a *Agent, what string, is func(*hearsay.Event) bool) {
	t.Helper()
	for _, e := range a.EventsAfter(patient(t), 0) {
		if is(&e) {
			return
		}
	}
	t.Fatalf("%s has not heard: %s", a.cfg.Name, what)
}

// TestSeededNetwork: nobody is in or out without a quorum, and everybody gets
// to see the same.
func TestSeededNetwork(t *testing.T) {
	t.Parallel()
	n := newSeededNet(t, 3)
	n.start("a", "b", "c")
	n.agree(3, "a b c")
	head := n.seeds[0].Authority().Head
	for _, a := range n.all() {
		await(t, a, "that the seeds decide", func() bool { return a.Authority().Ready })
		if got := a.Authority(); got.Head != head || !got.Seeded || got.Quorum != 2 || len(got.Seeds) != 3 || !got.Seeds[2].Met {
			t.Errorf("%s: %+v, want the head %s", a.cfg.Name, got, head)
		}
	}
	n.stopPeer()
	n.agree(4, "a b")
	for _, a := range n.all() {
		checkLedger(t, a)
	}
	n.checkProbes("c")

	n.stopSeed(2)
	n.start("d")
	n.agree(5, "a b d") // the seed is missed: nobody can rule it out

	n.stopSeed(1)
	last := n.seeds[0]
	await(t, last, "no quorum", func() bool { return !last.Authority().Ready })
	e := start(t, n.peer("e"))
	hears(t, e, "that none of the seeds has admitted it", func(e *hearsay.Event) bool { return e.Kind == hearsay.EventJoinFail && e.Count > 0 })
	if e.Joined() || last.Epoch() != 5 {
		t.Errorf("joined %v without a quorum; epoch %d", e.Joined(), last.Epoch())
	}
	if _, err := n.peers[0].Broadcast(t.Context(), []byte("still here")); err != nil {
		t.Error(err)
	}
	for _, a := range n.peers[1:] {
		hears(t, a, "the rumor", func(e *hearsay.Event) bool { return e.Rumor != nil && string(e.Rumor.Data) == "still here" })
	}

	n.startSeed(1)
	n.startSeed(2)
	n.peers = append(n.peers, e)
	n.agree(6, "a b d e")
	for _, a := range n.seeds {
		checkLedger(t, a)
	}
}

// checkProbes checks that seeds tell the application of none of their own probes, which are many where many are
// silent: the case of a member that was removed has them, at those seeds that have ruled.
func (n *seededNet) checkProbes(removed string) {
	n.t.Helper()
	probed := 0
	for _, a := range n.seeds {
		for at, e, _, ok := a.hub.after(place{}); ok; at, e, _, ok = a.hub.after(at) {
			if e.Kind == hearsay.EventProbeWanted || e.Kind == hearsay.EventExamined {
				n.t.Errorf("%s tells the application %v of %s", a.cfg.Name, e.Kind, e.Name)
			}
		}
		file, err := a.Why(removed)
		if err != nil {
			n.t.Error(err)
		}
		if slices.ContainsFunc(file.Steps, func(s hearsay.Step) bool { return s.Kind == hearsay.EventExamined.String() }) {
			probed++
		}
	}
	if probed < hearsay.QuorumOf(len(n.seeds)) {
		n.t.Errorf("%d of %d seeds have a probe of %s in its case", probed, len(n.seeds), removed)
	}
}

// tellCase shows how a node came to hold what it does of a member.
func tellCase(t *testing.T, a *Agent, name string) {
	t.Helper()
	file, err := a.Why(name)
	if err != nil {
		t.Logf("why %s, at %s: %v", name, a.cfg.Name, err)
	}
	for _, step := range file.Steps {
		t.Logf("%s: %+v", a.cfg.Name, step)
	}
}

// checkLedger checks what a node tells of the first four rulings: three were
// admitted, and one of them removed with evidence.
func checkLedger(t *testing.T, a *Agent) {
	t.Helper()
	rulings := a.Ledger(0, 4)
	if len(rulings) != 4 {
		t.Errorf("%s has %d rulings, want 4", a.cfg.Name, len(rulings))
		return
	}
	for i, r := range rulings {
		kind := hearsay.RulingAdmit
		if i == 3 {
			kind = hearsay.RulingRemove
		}
		if r.Epoch != hearsay.Epoch(i+1) || r.Kind != kind || len(r.Ballots) < 2 {
			t.Errorf("%s: ruling %d: %s of epoch %d by %d ballots", a.cfg.Name, i+1, r.Kind, r.Epoch, len(r.Ballots))
		}
	}
	if last := rulings[3]; !last.Evidence.IsZero() && a.cfg.Role == hearsay.RoleSeed {
		if e, ok := a.Evidence(4); !ok || e.Subject != last.Stay.ID || len(e.Statements) == 0 {
			t.Errorf("%s: evidence %+v, %v", a.cfg.Name, e, ok)
			tellCase(t, a, "c")
		}
	}
	if rest := a.Ledger(3, 1); len(rest) != 1 || rest[0].Epoch != 4 {
		t.Errorf("%s: after epoch 3: %d rulings", a.cfg.Name, len(rest))
	}
}

// TestSeedReports: what a seed's own detector finds is tried as what a peer
// reports. Here no peer looks.
func TestSeedReports(t *testing.T) {
	t.Parallel()
	n := newSeededNet(t, 3)
	for _, name := range []string{"a", "b", "c"} {
		cfg := n.peer(name)
		// nobody is measured: it always takes the most
		cfg.Detect.Period, cfg.Detect.TimeoutMax = time.Minute, 60*time.Millisecond
		n.peers = append(n.peers, start(t, cfg))
	}
	n.agree(3, "a b c")
	n.stopPeer()
	n.agree(4, "a b")
	if e, ok := n.seeds[0].Evidence(4); !ok || len(e.Statements) == 0 {
		t.Errorf("removed without the word of observers: %+v, %v", e, ok)
	}
}

// TestSeedConnectsToThoseThatItKnows: nobody makes a seed connect to a third.
func TestSeedConnectsToThoseThatItKnows(t *testing.T) {
	t.Parallel()
	n := newSeededNet(t, 1)
	n.start("a")
	n.agree(1, "a")
	stranger := netip.MustParseAddrPort("127.0.0.8:9")
	for addr, want := range map[netip.AddrPort]bool{n.list[0].Addr: true, n.peers[0].Self().Addr: true, stranger: false} {
		for _, a := range n.all() {
			var may bool
			a.ask(func(time.Time) { may = a.loop.mayDial(&outgoing{to: addr, stream: true}) })
			if peer := a == n.peers[0]; may != (want || peer) {
				t.Errorf("%s may connect to %s: %v", a.cfg.Name, addr, may)
			}
			a.ask(func(time.Time) { may = a.loop.mayDial(&outgoing{to: addr}) })
			if !may {
				t.Errorf("%s may send no datagram to %s", a.cfg.Name, addr)
			}
		}
	}
	if drops := n.seeds[0].Stats().Drops[hearsay.DropStranger]; drops == 0 {
		t.Error("the connection not made was not counted")
	}
}

// What is asked of a seed is answered on the stream by which it comes: of one that is not where it says to be, and of a
// word that nobody stands for.
func TestSeedAnswersByStream(t *testing.T) {
	t.Parallel()
	n := newSeededNet(t, 1)
	n.start("a")
	n.agree(1, "a")
	seed := n.seeds[0]
	network := hearsay.NetworkIDOf(seed.cfg.Network)
	signer := hearsay.NewIdentity([32]byte{9})
	conn, err := net.Dial("tcp", n.list[0].Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	own := conn.LocalAddr().(*net.TCPAddr).AddrPort()
	claim := hearsay.Claim{State: hearsay.StateAlive, Incarnation: core.NextIncarnation(0, time.Now())}
	claim.Card = hearsay.Card{Name: "x", Addr: netip.AddrPortFrom(own.Addr().Unmap(), own.Port()), Role: hearsay.RolePeer}
	claim.Sign(network, signer)
	conn.SetDeadline(time.Now().Add(patience))
	stay, err := seed.stayOf("a")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		body core.Message
		want hearsay.Outcome
	}{
		{&core.Register{}, hearsay.Outcome{Kind: hearsay.RulingAdmit, Stay: hearsay.Stay{ID: claim.Subject}, Code: hearsay.OutcomeWait, Text: "it does not answer"}},
		{&core.Report{Stay: stay}, hearsay.Outcome{Kind: hearsay.RulingRemove, Stay: stay, Code: hearsay.OutcomeRefused, Text: "no member has signed it, and it brings no word of a majority of observers"}},
	} {
		p := &core.Packet{From: claim.Subject, Body: c.body, Claims: []hearsay.Claim{claim}}
		var got *core.Outcome
		for got == nil || got.Code == hearsay.OutcomePending { // it is asked again, as a peer does: the machine may be slow
			if _, err := conn.Write(wire.AppendFrame(nil, network, p)); err != nil {
				t.Fatal(err)
			}
			for got = nil; got == nil; { // the seed pings it there, too
				var answer core.Packet
				frame, err := wire.ReadFrame(conn, nil)
				if _, ok := wire.NewDecoder(network).Decode(frame, &answer); err != nil || !ok {
					t.Fatalf("%T: no answer: %v", c.body, err)
				}
				got, _ = answer.Body.(*core.Outcome)
			}
		}
		if got.Kind != c.want.Kind || got.Stay != c.want.Stay || got.Code != c.want.Code || !strings.HasPrefix(got.Text, c.want.Text) {
			t.Errorf("%T: answered by %+v, want %+v", c.body, got, c.want)
		}
	}
}

// stayOf is that of a member.
func (a *Agent) stayOf(name string) (stay hearsay.Stay, err error) {
	a.ask(func(time.Time) { stay, err = a.loop.node.StayOf(name) })
	return stay, err
}

// What is said to a seed nobody would hear: it is refused.
func TestSeedBroadcastsNothing(t *testing.T) {
	n := newSeededNet(t, 1)
	if _, err := n.seeds[0].Broadcast(t.Context(), []byte("tea")); !errors.Is(err, hearsay.ErrSeedMute) {
		t.Errorf("broadcast at a seed: %v", err)
	}
	if err := n.seeds[0].Put(t.Context(), "tea", nil, nil); !errors.Is(err, hearsay.ErrSeedStore) {
		t.Errorf("put at a seed: %v", err)
	}
	if _, err := n.seeds[0].Get("tea"); !errors.Is(err, hearsay.ErrSeedStore) {
		t.Errorf("get at a seed: %v", err)
	}
}

// copyData copies a data directory to another.
func copyData(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// A seed does not start on a copy of a data directory, unless an operator says
// that it is the newest; then it is one like any other.
func TestSeedOnACopy(t *testing.T) {
	n := newSeededNet(t, 1)
	n.stopSeed(0)
	moved := n.seed(0)
	moved.Data = filepath.Join(n.data, "moved")
	copyData(t, n.seed(0).Data, moved.Data)
	for range 2 {
		if _, err := Start(t.Context(), moved); err == nil || !strings.Contains(err.Error(), "this is a copy of a seed's data directory") {
			t.Fatalf("it says %v", err)
		}
	}
	moved.Newest = true
	start(t, moved).Close()
	moved.Newest = false
	a := start(t, moved)
	await(t, a, "a quorum", a.Joined)
}

// A peer on a copy of a data directory uses no number of a rumor that the
// original may have used, also after a crash.
func TestPeerOnACopy(t *testing.T) {
	cfg := quick("p")
	cfg.Data = filepath.Join(t.TempDir(), "p")
	a := start(t, cfg)
	first, err := a.Broadcast(t.Context(), []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	copied := cfg
	copied.Data = filepath.Join(t.TempDir(), "copied")
	copyData(t, cfg.Data, copied.Data)
	start(t, copied).Close()
	b := start(t, copied)
	second, err := b.Broadcast(t.Context(), []byte("two"))
	if err != nil || second.Origin != first.Origin || second.Counter < first.Counter+1<<18 {
		t.Errorf("after %v it says %v, %v", first, second, err)
	}
}
