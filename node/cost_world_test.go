package node_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/detect"
	"hearsay/follower"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/node"
	"hearsay/overlay"
	"hearsay/petition"
	"hearsay/quorum"
	"hearsay/roster"
	"hearsay/rumor"
	"hearsay/spread"
	"hearsay/wire"
)

// The state in which the cost of messages is measured.
const (
	costMembers = 500
	costRulings = 3000 // of the ledger
	costRumors  = 3000 // held
	costOrigins = 100  // of them: each with gaps
)

var costNetwork = hearsay.NetworkIDOf("cost")

// costSigner signs by Ed25519. While the world is made nothing is verified, which
// would take minutes.
type costSigner struct {
	*hearsay.Identity
	trusting *bool
	verified *int // signatures
}

func (s costSigner) Verify(key hearsay.PublicKey, message []byte, signature hearsay.Signature) bool {
	if *s.verified++; *s.trusting {
		return !key.IsZero()
	}
	return s.Identity.Verify(key, message, signature)
}

// costNode is a real node, with its decoder as the driver has it.
type costNode struct {
	*node.Node
	addr    netip.AddrPort
	decoder *wire.Decoder
	packet  core.Packet
	events  int // that it had, in all

	verified int  // signatures, in all
	cut      bool // nothing comes to it
	largest  load // what a step of it did at most
	dearest  step // the step that took the most of a processor
}

// step is what a step of a node was for, and took.
type step struct {
	took time.Duration
	what string
}

// timed has a node take a step, and takes down how long that took.
func (n *costNode) timed(what string, take func() *core.Effects) *core.Effects {
	began := processorTime()
	out := take()
	if took := processorTime() - began; took > n.dearest.took {
		n.dearest = step{took, what}
	}
	return out
}

// load is what a step of a node did.
type load struct{ verified, ruled int }

// crowdMember is somebody who only answers what must be answered to be a member.
type crowdMember struct {
	key   *hearsay.Identity
	claim hearsay.Claim
	stay  hearsay.Stay
	said  uint64 // number of its last rumor
}

func (m *crowdMember) id() hearsay.NodeID   { return m.claim.Subject }
func (m *crowdMember) addr() netip.AddrPort { return m.claim.Card.Addr }

// costWorld is real nodes among a crowd.
type costWorld struct {
	t        testing.TB
	now      time.Time
	trusting bool
	nodes    map[netip.AddrPort]*costNode
	order    []*costNode
	crowd    []*crowdMember
	at       map[netip.AddrPort]*crowdMember
	letters  []costLetter
	random   *rand.Rand
	drawn    uint64 // keys made
	away     int    // members of the crowd that have said that they are

	raft map[netip.AddrPort]core.Raft // the last message of the log to each seed, without what it carries
}

type costLetter struct {
	from, to netip.AddrPort
	stream   bool
	bytes    []byte
}

func newCostWorld(t testing.TB) *costWorld {
	w := &costWorld{
		t: t, now: start, trusting: true, nodes: make(map[netip.AddrPort]*costNode), at: make(map[netip.AddrPort]*crowdMember),
		random: rand.New(rand.NewPCG(1, 2)), raft: make(map[netip.AddrPort]core.Raft),
	}
	for i := range costMembers {
		w.crowd = append(w.crowd, w.newMember(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 7000)))
		w.at[w.crowd[i].addr()] = w.crowd[i]
	}
	return w
}

func (w *costWorld) newKey() *hearsay.Identity {
	w.drawn++
	return hearsay.NewIdentity(sha256.Sum256(fmt.Appendf(nil, "key %d", w.drawn)))
}

// newMember makes a member with a key of its own.
func (w *costWorld) newMember(addr netip.AddrPort) *crowdMember {
	m := &crowdMember{key: w.newKey()}
	m.claim = hearsay.Claim{
		State: hearsay.StateAlive, Incarnation: core.NextIncarnation(0, w.now),
		Card: hearsay.Card{Name: fmt.Sprintf("peer-%d", w.drawn), Addr: addr, Role: hearsay.RolePeer},
	}
	m.claim.Sign(costNetwork, m.key)
	return m
}

// renewed gives the member's word at a higher incarnation.
func (w *costWorld) renewed(m *crowdMember) hearsay.Claim {
	m.claim.Incarnation = core.NextIncarnation(m.claim.Incarnation, w.now)
	m.claim.Sign(costNetwork, m.key)
	return m.claim
}

func (w *costWorld) config(addr netip.AddrPort) node.Config {
	watching := detect.DefaultConfig()
	watching.Kind = detect.KindHeartbeat // the one for which most comes in
	cfg := node.Config{
		Network: costNetwork, Name: "measured", Addr: addr, Role: hearsay.RolePeer,
		Detect: watching, Roster: roster.DefaultConfig(), Overlay: overlay.DefaultConfig(),
		Rumors: rumor.DefaultConfig(), Store: spread.DefaultConfig(), Petition: petition.DefaultConfig(),
	}
	cfg.Rumors.KeepFor, cfg.Rumors.PushFor = 1000*time.Hour, time.Minute // what is held stays held
	return cfg
}

// add has a node take part.
func (w *costWorld) add(make func(signer hearsay.Signer, random *rand.Rand) *node.Node, addr netip.AddrPort) *costNode {
	n := &costNode{addr: addr, decoder: wire.NewDecoder(costNetwork)}
	n.Node = make(costSigner{w.newKey(), &w.trusting, &n.verified}, rand.New(rand.NewPCG(3, w.drawn)))
	w.nodes[addr] = n
	w.order = append(w.order, n)
	w.carry(n, n.Tick(w.now))
	return n
}

// carry takes what a step of a node sends, and gives how many packets and bytes
// that is.
func (w *costWorld) carry(n *costNode, out *core.Effects) (packets, bytes int) {
	n.events += len(out.Events)
	n.carried(out)
	for _, list := range [][]core.Packet{out.Now, out.Send} {
		for i := range list {
			p := &list[i]
			b := wire.AppendPacket(nil, costNetwork, p)
			if m, ok := p.Body.(*core.Raft); ok {
				w.raft[p.Addr] = core.Raft{Slot: m.Slot, To: m.To, From: m.From}
			}
			if packets, bytes = packets+1, bytes+len(b); len(b) > core.MaxStreamPacket {
				w.t.Fatalf("%T of %d bytes was sent", p.Body, len(b))
			}
			w.letters = append(w.letters, costLetter{n.addr, p.Addr, p.Stream || len(b) > core.MTU, b})
		}
	}
	return packets, bytes
}

// carried takes down what a step of a node did.
func (n *costNode) carried(out *core.Effects) {
	ruled := 0
	for i := range out.Events {
		if out.Events[i].Kind == hearsay.EventRuled {
			ruled++
		}
	}
	n.largest = load{max(n.largest.verified, n.verified), max(n.largest.ruled, ruled)}
	n.verified = 0
}

// deliver brings all that is on its way to nodes and to the crowd.
func (w *costWorld) deliver() {
	decoder := wire.NewDecoder(costNetwork)
	for len(w.letters) > 0 {
		l := w.letters[0]
		w.letters = w.letters[1:]
		if n := w.nodes[l.to]; n != nil && n.cut {
			continue
		} else if n != nil {
			w.carry(n, w.take(n, l.from, l.stream, l.bytes))
		} else if m, to := w.at[l.to], w.nodes[l.from]; m != nil && to != nil {
			var p core.Packet
			if drop, ok := decoder.Decode(l.bytes, &p); !ok {
				w.t.Fatalf("a node sent what is %v", drop)
			}
			if answer := m.answer(&p); answer != nil {
				w.carry(to, w.give(to, m, l.stream, answer))
			}
		}
	}
}

// answer is what a member answers to who wants to know whether it lives, and to
// link with it.
func (m *crowdMember) answer(p *core.Packet) core.Message {
	switch body := p.Body.(type) {
	case *core.Ping:
		return &core.Ack{Seq: body.Seq}
	case *core.Hello:
		return &core.HelloAck{Accepted: true, Degree: 3}
	}
	return nil
}

// take hands bytes to a node as a driver does.
func (w *costWorld) take(n *costNode, from netip.AddrPort, stream bool, b []byte) *core.Effects {
	if drop, ok := n.decoder.Decode(b, &n.packet); !ok {
		w.t.Fatalf("%d bytes are %v", len(b), drop)
	}
	n.packet.Addr, n.packet.Stream, n.packet.Size = from, stream, len(b)
	return n.timed(fmt.Sprintf("%T of %d bytes", n.packet.Body, len(b)), func() *core.Effects { return n.Receive(w.now, &n.packet) })
}

// give hands a node what a member says.
func (w *costWorld) give(n *costNode, m *crowdMember, stream bool, body core.Message, claims ...hearsay.Claim) *core.Effects {
	b := wire.AppendPacket(nil, costNetwork, &core.Packet{From: m.id(), Body: body, Claims: claims})
	return w.take(n, m.addr(), stream, b)
}

// run lets time pass.
func (w *costWorld) run(d time.Duration) {
	for end := w.now.Add(d); ; {
		w.deliver()
		next := slices.MinFunc(w.order, func(a, b *costNode) int { return a.Deadline().Compare(b.Deadline()) })
		if next.Deadline().After(end) {
			w.now = end
			return
		}
		if next.Deadline().After(w.now) {
			w.now = next.Deadline()
		}
		w.carry(next, next.timed("tick", func() *core.Effects { return next.Tick(w.now) }))
	}
}

// until lets time pass until something holds.
func (w *costWorld) until(what string, holds func() bool) {
	w.t.Helper()
	const patience, step = 10 * time.Minute, 20 * time.Millisecond
	for end := w.now.Add(patience); !holds(); w.run(step) {
		if w.now.After(end) {
			w.t.Fatalf("not %s within %v", what, patience)
		}
	}
}

// newOpen makes a peer of an open network in which the crowd is.
func newOpen(t testing.TB) (*costWorld, *costNode) {
	w := newCostWorld(t)
	addr := netip.MustParseAddrPort("10.0.0.9:7000")
	n := w.add(func(signer hearsay.Signer, random *rand.Rand) *node.Node {
		return node.New(w.config(addr), signer, random, nil, w.now)
	}, addr)
	for _, m := range w.crowd {
		w.carry(n, w.give(n, m, true, &core.Join{}, m.claim))
	}
	w.rumors(n)
	return w, n
}

// newSeeded makes three seeds that have let the crowd in, and a peer.
func newSeeded(t *testing.T) (w *costWorld, seed, peer *costNode) {
	cryptotest.SetGlobalRandom(t, 1) // Raft draws its elections from it
	w = newCostWorld(t)
	var seeds []ledger.Seed
	for slot := range byte(testSeeds) {
		seeds = append(seeds, ledger.Seed{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, slot}), 7000)})
	}
	for slot, s := range seeds {
		w.add(func(signer hearsay.Signer, random *rand.Rand) *node.Node {
			cfg := w.config(s.Addr)
			cfg.Name, cfg.Role, cfg.Quorum = fmt.Sprintf("seed-%d", slot), hearsay.RoleSeed, quorum.DefaultConfig()
			cfg.Quorum.Network, cfg.Quorum.Seeds, cfg.Quorum.Slot = costNetwork, seeds, slot
			n, err := node.NewSeed(cfg, signer, random, nil, w.now)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}, s.Addr)
	}
	seed = w.order[0]
	w.until("founded", func() bool { return seed.Joined() })
	peer = w.addPeer(netip.MustParseAddrPort("10.0.0.9:7000"), seeds)
	w.until("let in", func() bool { return peer.Joined() })
	for seed.Seeded().Epoch() < costRulings {
		w.comeAndGo(seed)
	}
	w.until("told", func() bool {
		return peer.Seeded().Epoch() == seed.Seeded().Epoch() && w.order[1].Seeded().Epoch() == seed.Seeded().Epoch()
	})
	w.rumors(peer)
	return w, seed, peer
}

// addPeer has a peer take part that follows seeds.
func (w *costWorld) addPeer(addr netip.AddrPort, seeds []ledger.Seed) *costNode {
	return w.add(func(signer hearsay.Signer, random *rand.Rand) *node.Node {
		cfg := w.config(addr)
		cfg.Follower = follower.DefaultConfig()
		cfg.Follower.Network, cfg.Follower.Seeds = costNetwork, seeds
		return node.New(cfg, signer, random, nil, w.now)
	}, addr)
}

// ledger is what the crowd's signatures are about.
func (w *costWorld) ledger() hearsay.LedgerID {
	if proof := w.order[0].Seeded().Proof(false); len(proof.Heads) > 0 {
		return hearsay.LedgerID{Network: costNetwork, Founding: proof.Heads[0].Founding}
	}
	return hearsay.LedgerID{Network: costNetwork}
}

// comeAndGo has the whole crowd let in, those first out that are in.
func (w *costWorld) comeAndGo(seed *costNode) {
	const together = 100
	for some := range slices.Chunk(w.crowd, together) {
		for _, m := range some {
			if m.stay.Epoch > 0 {
				leave := core.Leave{Stay: m.stay}
				leave.Sign(w.ledger(), m.key)
				w.carry(seed, w.give(seed, m, true, &core.Depart{Leave: leave}))
			}
		}
		in := func(m *crowdMember) bool { return slices.Contains(seed.Seeded().Stays(nil), m.stay) }
		w.until("out", func() bool { return !slices.ContainsFunc(some, in) })
		for _, m := range some {
			w.carry(seed, w.give(seed, m, true, &core.Register{}, w.renewed(m)))
		}
		w.until("in", func() bool {
			stays := make(map[hearsay.NodeID]hearsay.Stay)
			for _, s := range seed.Seeded().Stays(nil) {
				stays[s.ID] = s
			}
			for _, m := range some {
				if m.stay = stays[m.id()]; m.stay.Epoch == 0 {
					return false
				}
			}
			return true
		})
	}
}

// rumors has the crowd say as many rumors as are to be held, with gaps.
func (w *costWorld) rumors(n *costNode) {
	w.run(30 * time.Second) // and links are made
	for range costRumors / costOrigins {
		for _, m := range w.crowd[:costOrigins] {
			m.said += 2
			w.carry(n, w.give(n, m, false, &core.Rumors{Items: []hearsay.Rumor{{ID: clock.Dot{Origin: hearsay.OriginOf(m.id()), Counter: m.said}, Data: []byte("a rumor")}}}))
		}
		w.run(100 * time.Millisecond)
	}
	w.run(30 * time.Second)
	if s := n.Stats(); s.RumorsHeld < costRumors || s.Alive < costMembers || s.Links == 0 {
		w.t.Fatalf("%d rumors held, %d alive, %d links", s.RumorsHeld, s.Alive, s.Links)
	}
}
