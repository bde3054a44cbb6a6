package node_test

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/wire"
)

// What one packet may cost the node that it comes to, and cause.
const (
	costStep  = time.Millisecond // of processor time
	costRuns  = 3                // each with a packet of its own
	costFills = 9                // runs of what fills the node: what each leaves adds up
	costTries = 30               // times so many runs: what disturbs the machine for a while disturbs all of some runs
	costBest  = 2                // of them may be quicker than the one that counts: what had less to do, by chance
	costPause = 3 * time.Second  // between them: what is allowed in a second, is
)

// costly is the dearest packet of a kind that there is known to be, and what it
// may cause at most.
type costly struct {
	kind     string // a core.Message
	contents string
	packet   func(w *costWorld, n *costNode) *core.Packet
	datagram bool
	packets  int // sent in that step
	bytes    int // in them

	before func(w *costWorld, n *costNode) // the packet, so that it is waited for
	fills  bool                            // what the node holds: such are measured last
	step   time.Duration                   // of processor time; 0: costStep
}

// TestEveryKindIsCheap hands the largest packets of every kind to nodes that hold
// much, and measures the step and what is sent in it.
func TestEveryKindIsCheap(t *testing.T) {
	if testing.Short() {
		t.Skip("measures: not beside the race detector")
	}
	openWorld, open := newOpen(t)
	seededWorld, seed, peer := newSeeded(t)
	for _, target := range []struct {
		name string
		w    *costWorld
		n    *costNode
	}{{"open", openWorld, open}, {"peer", seededWorld, peer}, {"seed", seededWorld, seed}} {
		t.Run(target.name, func(t *testing.T) {
			for _, c := range allCostly() {
				t.Run(c.kind+"/"+c.contents, func(t *testing.T) {
					target.w.t = t
					target.w.measure(target.n, &c)
				})
			}
		})
	}
}

// measure hands a node packets of one sort, each of which says something new, at a
// time when all that is allowed in a while is allowed. What they cost is among the
// lowest of some, by the thread's own processor time: another process that takes
// turns with this one can only make it look dearer.
func (w *costWorld) measure(n *costNode, c *costly) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var costs []time.Duration
	most := cmp.Or(c.step, costStep)
	cost := most
	size, packets, bytes := 0, 0, 0
	runs := costRuns
	if c.fills {
		runs = costFills
	}
	for run := 0; run < runs || run < costTries*costRuns && cost > most; run++ {
		w.trusting = true
		w.run(costPause)
		if c.before != nil {
			c.before(w, n)
		}
		p := c.packet(w, n)
		if p.From.IsZero() {
			p.From, p.Addr = w.crowd[0].id(), w.crowd[0].addr()
		}
		b := wire.AppendPacket(nil, costNetwork, p)
		size = max(size, len(b))
		if len(b) > core.MaxStreamPacket || c.datagram && len(b) > core.MTU {
			w.t.Fatalf("%d bytes are too many", len(b))
		}
		w.trusting = false
		began := processorTime()
		out := w.take(n, p.Addr, !c.datagram, b)
		costs = append(costs, processorTime()-began)
		slices.Sort(costs)
		cost = costs[min(costBest, len(costs)-1)]
		w.trusting = true
		sent, long := w.carry(n, out)
		packets, bytes = max(packets, sent), max(bytes, long)
	}
	w.t.Logf("%6d bytes: %v, at least %v, at most %v; caused %d packets, %d bytes", size, cost, costs[0], costs[len(costs)-1], packets, bytes)
	if cost > most {
		w.t.Errorf("a step of %v, want %v at most", cost, most)
	}
	if packets > c.packets || bytes > c.bytes {
		w.t.Errorf("caused %d packets of %d bytes: want %d and %d at most", packets, bytes, c.packets, c.bytes)
	}
}

// allCostly lists the dearest packets of all kinds.
func allCostly() []costly {
	all := slices.Concat(costlyProbes(), costlyClaims(), costlyExchanges(), costlyDeaths(), costlyRumors(), costlyStore(), costlyLinks(), costlyLedger(), costlyPetitions())
	slices.SortStableFunc(all, func(a, b costly) int {
		switch {
		case a.fills == b.fills:
			return 0
		case b.fills:
			return -1
		}
		return 1
	})
	return all
}

// TestEveryKindHasACost wants each message in the list.
func TestEveryKindHasACost(t *testing.T) {
	files, err := filepath.Glob("../internal/core/*.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^func \(\*(\w+)\) message\(\)`)
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range declared.FindAllSubmatch(text, -1) {
			kind := string(match[1])
			found++
			if !slices.ContainsFunc(allCostly(), func(c costly) bool { return c.kind == kind }) {
				t.Errorf("%s has no entry among the costly: what is its dearest packet?", kind)
			}
		}
	}
	if found < 30 {
		t.Errorf("%d messages found", found)
	}
}

// body gives a packet of a member without claims.
func body(m core.Message) func(*costWorld, *costNode) *core.Packet {
	return func(*costWorld, *costNode) *core.Packet { return &core.Packet{Body: m} }
}

// small is what an answer may be that is about as long as a question.
const (
	small      = 4 // packets
	smallBytes = small * core.MTU
)

func costlyProbes() []costly {
	return []costly{
		{kind: "Ping", contents: "with a hash", packet: func(w *costWorld, n *costNode) *core.Packet {
			return &core.Packet{Body: &core.Ping{Seq: 1, Target: n.Self().ID, Hash: w.random.Uint64(), Rumors: w.random.Uint64()}}
		}, datagram: true, packets: small, bytes: smallBytes},
		{kind: "Ping", contents: "with unsigned claims", packet: func(w *costWorld, n *costNode) *core.Packet {
			return &core.Packet{Body: &core.Ping{Seq: 1, Target: n.Self().ID}, Claims: w.unsigned(core.MTU - 100)}
		}, datagram: true, packets: small, bytes: smallBytes},
		{kind: "Ack", contents: "to nothing", packet: body(&core.Ack{Seq: 1 << 60}), datagram: true, packets: small, bytes: smallBytes},
		{kind: "NotMe", contents: "to nothing", packet: body(&core.NotMe{Seq: 1 << 60}), datagram: true, packets: small, bytes: smallBytes},
		{kind: "RelayReq", contents: "of a member", packet: func(w *costWorld, n *costNode) *core.Packet {
			return &core.Packet{Body: &core.RelayReq{Seq: w.random.Uint64(), Target: w.crowd[7].id()}}
		}, datagram: true, packets: small, bytes: smallBytes},
		{kind: "Nack", contents: "to nothing", packet: body(&core.Nack{Seq: 1 << 60}), datagram: true, packets: small, bytes: smallBytes},
	}
}

// unsigned are claims of made-up members with a signature that is none, as many as
// fit.
func (w *costWorld) unsigned(size int) (claims []hearsay.Claim) {
	for size > 0 {
		m := hearsay.Claim{State: hearsay.StateAlive, Incarnation: core.NextIncarnation(0, w.now), Card: hearsay.Card{
			Key: w.crowd[w.random.IntN(costMembers)].claim.Card.Key, Name: "m", Addr: w.crowd[0].addr(), Role: hearsay.RolePeer,
		}}
		m.Subject = m.Card.Key.NodeID()
		m.Incarnation += hearsay.Incarnation(w.random.IntN(1000))
		m.Card.Signature[0] = 1
		if size -= m.WireSizeMax(); size > 0 && len(claims) < core.MaxClaims {
			claims = append(claims, m)
		}
	}
	return claims
}

// made are claims of made-up members that they have signed.
func (w *costWorld) made(count int) (claims []hearsay.Claim) {
	for range count {
		claims = append(claims, w.newMember(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, byte(w.drawn >> 8), byte(w.drawn)}), 7000)).claim)
	}
	return claims
}

// said are bare claims about all of the crowd.
func (w *costWorld) said(state hearsay.State) (claims []hearsay.Claim) {
	for _, m := range w.crowd[1:] {
		c := hearsay.Claim{Subject: m.id(), State: state, Incarnation: m.claim.Incarnation, By: w.crowd[0].id()}
		if state == hearsay.StateDead {
			c.Evidence = hearsay.Hash{byte(w.random.Uint32()), 1}
		}
		claims = append(claims, c)
	}
	return claims
}

func news(claims func(w *costWorld) []hearsay.Claim) func(*costWorld, *costNode) *core.Packet {
	return func(w *costWorld, _ *costNode) *core.Packet {
		return &core.Packet{Body: &core.News{}, Claims: claims(w)}
	}
}

const mostClaimed = 240 << 10 // bytes of claims in a packet

func costlyClaims() []costly {
	joined := func(w *costWorld, n *costNode) { // so that a roster is waited for
		w.carry(n, n.Contact(w.now, []netip.AddrPort{w.crowd[0].addr()}))
	}
	return []costly{
		{kind: "News", contents: "unsigned claims", packet: news(func(w *costWorld) []hearsay.Claim { return w.unsigned(mostClaimed) }), packets: small, bytes: smallBytes},
		{kind: "News", contents: "made-up members", fills: true, packet: news(func(w *costWorld) []hearsay.Claim { return w.made(500) }), packets: small, bytes: smallBytes},
		{kind: "NotMe", contents: "to nothing, beside many hints", fills: true, packet: func(*costWorld, *costNode) *core.Packet {
			return &core.Packet{Body: &core.NotMe{Seq: 1 << 60}}
		}, datagram: true, packets: small, bytes: smallBytes},
		{kind: "News", contents: "newer words", fills: true, packet: news(func(w *costWorld) (claims []hearsay.Claim) {
			for _, m := range w.crowd {
				claims = append(claims, w.renewed(m))
			}
			return claims
		}), packets: small, bytes: smallBytes},
		{kind: "News", contents: "suspicions", fills: true, packet: news(func(w *costWorld) []hearsay.Claim { return w.said(hearsay.StateSuspect) }), packets: 2 * costMembers, bytes: 2 * costMembers * 256},
		{kind: "News", contents: "deaths", fills: true, packet: news(func(w *costWorld) []hearsay.Claim { return w.said(hearsay.StateDead) }), packets: 2 * costMembers, bytes: 2 * costMembers * 256},
		{kind: "Join", contents: "with unsigned claims", packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Join{}, Claims: w.unsigned(mostClaimed)}
		}, packets: small, bytes: core.MaxStreamPacket},
		{kind: "Join", contents: "of a member", packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Join{}, Claims: []hearsay.Claim{w.crowd[0].claim}}
		}, packets: small, bytes: core.MaxStreamPacket},
		{kind: "Roster", contents: "not asked for", packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Roster{}, Claims: w.unsigned(mostClaimed)}
		}, packets: small, bytes: smallBytes},
		{kind: "Roster", contents: "of made-up members", fills: true, before: joined, packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Roster{}, Claims: w.made(500)}
		}, packets: small, bytes: smallBytes},
	}
}

func costlyExchanges() []costly {
	all := make([]uint8, 1<<core.MaxDigestBits)
	for i := range all {
		all[i] = uint8(i)
	}
	someID := func(w *costWorld) (id hearsay.NodeID) {
		for i := range id {
			id[i] = byte(w.random.Uint32())
		}
		return id
	}
	return []costly{
		{kind: "Digest", contents: "of another roster", packet: func(w *costWorld, _ *costNode) *core.Packet {
			m := &core.Digest{Bits: core.MaxDigestBits}
			for range 1 << m.Bits {
				m.Hashes = append(m.Hashes, w.random.Uint64())
			}
			return &core.Packet{Body: m}
		}, packets: small, bytes: core.MaxStreamPacket},
		{kind: "Entries", contents: "of made-up members", packet: func(w *costWorld, _ *costNode) *core.Packet {
			m := &core.Entries{Bits: core.MaxDigestBits, Buckets: all}
			for range core.MaxEntries {
				m.Items = append(m.Items, core.Entry{ID: someID(w), Incarnation: 1 << 40})
			}
			return &core.Packet{Body: m}
		}, packets: small, bytes: core.MaxStreamPacket},
		{kind: "Entries", contents: "of all, older", packet: func(w *costWorld, _ *costNode) *core.Packet {
			m := &core.Entries{Bits: core.MaxDigestBits, Buckets: all}
			for i := range core.MaxEntries {
				m.Items = append(m.Items, core.Entry{ID: w.crowd[i%costMembers].id(), Incarnation: 1})
			}
			return &core.Packet{Body: m}
		}, packets: small, bytes: core.MaxStreamPacket},
		{kind: "Want", contents: "of all", packet: func(w *costWorld, _ *costNode) *core.Packet {
			m := &core.Want{}
			for i := range core.MaxWant {
				m.IDs = append(m.IDs, w.crowd[i%costMembers].id())
			}
			return &core.Packet{Body: m}
		}, packets: small, bytes: core.MaxStreamPacket},
		{kind: "Want", contents: "of made-up members", packet: func(w *costWorld, _ *costNode) *core.Packet {
			m := &core.Want{}
			for range core.MaxWant {
				m.IDs = append(m.IDs, someID(w))
			}
			return &core.Packet{Body: m}
		}, packets: small, bytes: core.MaxStreamPacket},
	}
}

// evidence is against a member, with all statements signed by observers that the
// crowd may have.
func (w *costWorld) evidence(m *crowdMember, statements int) *hearsay.Evidence {
	e := &hearsay.Evidence{
		Subject: m.id(), Incarnation: m.claim.Incarnation, Round: hearsay.Round(w.random.Uint64()), Rule: hearsay.RuleMajority, Accuser: w.crowd[0].id(),
		Suspected: w.now.UnixMilli() - 2000, Condemned: w.now.UnixMilli(), Observers: 9, Needed: 5,
	}
	for i := range statements {
		s := hearsay.Statement{Subject: e.Subject, Incarnation: e.Incarnation, Round: e.Round, Verdict: hearsay.VerdictUnreachable, At: w.now.UnixMilli()}
		s.Sign(w.ledger(), w.crowd[1+(int(m.id()[0])+i)%(costMembers-1)].key)
		e.Statements = append(e.Statements, s)
	}
	return e
}

func costlyDeaths() []costly {
	victim := func(w *costWorld) *crowdMember { return w.crowd[1+w.random.IntN(costMembers-1)] }
	var waited *hearsay.Evidence
	return []costly{
		{kind: "WitnessReq", contents: "of a member", packet: func(w *costWorld, _ *costNode) *core.Packet {
			m := victim(w)
			return &core.Packet{Body: &core.WitnessReq{Subject: m.id(), Incarnation: m.claim.Incarnation, Round: hearsay.Round(w.random.Uint64())}}
		}, packets: small, bytes: smallBytes},
		{kind: "Statement", contents: "of a member", packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Statement{Statement: w.evidence(victim(w), 1).Statements[0]}}
		}, packets: small, bytes: smallBytes},
		{kind: "Away", contents: "of a member", fills: true, packet: func(w *costWorld, n *costNode) *core.Packet {
			m := w.crowd[2+w.away] // each only once
			w.away++
			word := &core.Away{Stay: hearsay.Stay{ID: m.id(), Epoch: m.stay.Epoch}, Incarnation: m.claim.Incarnation, Left: core.AwayFor}
			word.Sign(w.ledger(), m.key)
			return &core.Packet{Body: word}
		}, datagram: true, packets: 2 * small, bytes: smallBytes},
		{kind: "EvidenceReq", contents: "of nothing", packet: body(&core.EvidenceReq{Hash: hearsay.Hash{1}}), packets: small, bytes: smallBytes},
		{kind: "Evidence", contents: "not asked for", packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Evidence{Evidence: w.evidence(victim(w), core.MaxStatements)}}
		}, packets: small, bytes: smallBytes},
		{kind: "Evidence", contents: "asked for", fills: true, before: func(w *costWorld, n *costNode) {
			m := victim(w)
			waited = w.evidence(m, core.MaxStatements)
			dead := hearsay.Claim{Subject: m.id(), State: hearsay.StateDead, Incarnation: m.claim.Incarnation, By: w.crowd[0].id(), Evidence: waited.Hash(costNetwork)}
			w.carry(n, w.give(n, w.crowd[0], true, &core.News{}, dead))
			w.deliver()
		}, packet: func(*costWorld, *costNode) *core.Packet { return &core.Packet{Body: &core.Evidence{Evidence: waited}} }, packets: 2 * costMembers, bytes: 2 * costMembers * 256},
	}
}

// items are rumors of the origins of the crowd that nobody has said yet.
func (w *costWorld) items(count, size, origins int) *core.Rumors {
	m := &core.Rumors{}
	for i := range count {
		by := w.crowd[i*origins/count]
		by.said += 2
		m.Items = append(m.Items, hearsay.Rumor{ID: clock.Dot{Origin: hearsay.OriginOf(by.id()), Counter: by.said}, Data: make([]byte, size)})
	}
	return m
}

// ranges are of as many origins of the crowd, in the order of origins, each of
// every other number from one on.
func (w *costWorld) ranges(origins int, from uint64) (list []core.SeenRange) {
	some := slices.SortedFunc(slices.Values(w.crowd[:origins]), func(a, b *crowdMember) int { return a.id().Compare(b.id()) })
	for _, m := range some {
		for i := range uint64(core.MaxSeenRanges / origins) {
			list = append(list, core.SeenRange{Origin: hearsay.OriginOf(m.id()), Range: clock.Range{Low: from + 2*i, High: from + 2*i}})
		}
	}
	return list
}

// strange are ranges of made-up origins.
func (w *costWorld) strange() (list []core.SeenRange) {
	for i := range core.MaxSeenRanges {
		list = append(list, core.SeenRange{Origin: clock.Origin{byte(i >> 8), byte(i), byte(w.random.Uint32())}, Range: clock.Range{Low: 1, High: 1 << 40}})
	}
	return list
}

func costlyRumors() []costly {
	const links = 16 // that a node may have
	items := func(count, size, origins int) func(w *costWorld, n *costNode) *core.Packet {
		return func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: w.items(count, size, origins)}
		}
	}
	missed := func(origins int) func(w *costWorld, n *costNode) *core.Packet {
		return func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Rumors{Missed: w.ranges(origins, 1+w.random.Uint64N(1000))}}
		}
	}
	dots := func(w *costWorld, from uint64) (dots []clock.Dot) {
		for i := range core.MaxRumors {
			m := w.crowd[i%costOrigins]
			dots = append(dots, clock.Dot{Origin: hearsay.OriginOf(m.id()), Counter: from + uint64(i/costOrigins)})
		}
		slices.SortStableFunc(dots, func(a, b clock.Dot) int { return a.Origin.Compare(b.Origin) })
		return dots
	}
	const gives = 2 + 1024/core.MaxRumors // packets of what is given at a time, a hash and a list
	const told, toldBytes = links * core.MaxRumors, links * core.MaxStreamPacket
	return []costly{
		{kind: "Rumors", contents: "many of one", fills: true, packet: items(core.MaxRumors, 1, 1), packets: told, bytes: toldBytes},
		{kind: "Rumors", contents: "many of many", fills: true, packet: items(core.MaxRumors, 100, costOrigins), packets: told, bytes: toldBytes},
		{kind: "Rumors", contents: "long ones", fills: true, packet: items(3, hearsay.MaxRumorData, 3), packets: told, bytes: toldBytes},
		{kind: "Rumors", contents: "missed of one", fills: true, packet: missed(1), packets: small, bytes: smallBytes},
		{kind: "Rumors", contents: "missed of many", fills: true, packet: missed(costMembers), packets: small, bytes: smallBytes},
		{kind: "Rumors", contents: "missed of strangers", packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Rumors{Missed: w.strange()}}
		}, packets: small, bytes: 2 * smallBytes},
		{kind: "IHave", contents: "of new ones", packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.IHave{IDs: dots(w, 1<<18+w.random.Uint64N(1<<18)), Late: true}}
		}, packets: small, bytes: core.MaxStreamPacket},
		{kind: "Graft", contents: "of those held", packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Graft{IDs: dots(w, 2)}}
		}, packets: core.MaxRumors, bytes: core.MaxStreamPacket},
		{kind: "Heard", contents: "another hash", packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Heard{Hash: w.random.Uint64()}}
		}, packets: small, bytes: core.MaxStreamPacket},
		{kind: "Seen", contents: "nothing", packet: body(&core.Seen{Answer: true}), packets: gives, bytes: 2 * core.MaxStreamPacket},
		{kind: "Seen", contents: "much of many", packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Seen{Ranges: w.ranges(costMembers, 1), Answer: true}}
		}, packets: gives, bytes: 2 * core.MaxStreamPacket},
		{kind: "Seen", contents: "much of one", packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Seen{Ranges: w.ranges(1, 1), Answer: true}}
		}, packets: gives, bytes: 2 * core.MaxStreamPacket},
		{kind: "Seen", contents: "of strangers", packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Seen{Ranges: w.strange(), Answer: true}}
		}, packets: gives, bytes: 2 * core.MaxStreamPacket},
	}
}

func costlyLinks() []costly {
	return []costly{
		{kind: "Place", contents: "nearer", packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Place{Root: hearsay.NodeID{0, 1}, Hops: 1, Number: w.random.Uint32() | 1}}
		}, datagram: true, packets: small, bytes: smallBytes},
		{kind: "Hello", contents: "of a member", packet: body(&core.Hello{Degree: 1}), datagram: true, packets: 2 * small, bytes: 2 * smallBytes},
		{kind: "HelloAck", contents: "not asked for", packet: body(&core.HelloAck{Accepted: true, Degree: 1}), datagram: true, packets: small, bytes: smallBytes},
		{kind: "Unlink", contents: "of a member", packet: body(&core.Unlink{}), datagram: true, packets: small, bytes: smallBytes},
		{kind: "Heartbeat", contents: "of members that live", packet: func(w *costWorld, _ *costNode) *core.Packet {
			m := &core.Heartbeat{Own: w.random.Uint32()}
			for range core.MaxBeats {
				id := w.crowd[1+w.random.IntN(costMembers-1)].id()
				m.Beats = append(m.Beats, core.Beat{Key: binary.BigEndian.Uint32(id[:]), Counter: w.random.Uint32()})
			}
			return &core.Packet{Body: m}
		}, datagram: true, packets: small, bytes: smallBytes},
		{kind: "Deaf", contents: "of a member", packet: body(&core.Deaf{}), packets: small, bytes: smallBytes},
	}
}

func costlyLedger() []costly {
	const parts = 1 + (costMembers+core.MaxRosterMembers-1)/core.MaxRosterMembers
	fromSeed := func(w *costWorld, body core.Message) *core.Packet {
		if len(w.order) == 1 {
			return &core.Packet{Body: body} // there are none
		}
		return &core.Packet{From: w.order[1].Self().ID, Addr: w.order[1].addr, Body: body}
	}
	heads := func(w *costWorld) (heads []hearsay.Head) {
		for i := range core.MaxHeads {
			heads = append(heads, hearsay.Head{Slot: uint8(i % testSeeds), Epoch: hearsay.Epoch(1<<40 + i), Hash: hearsay.Hash{1}, Signature: hearsay.Signature{1}})
		}
		return heads
	}
	seated := func(w *costWorld, after hearsay.Epoch) *hearsay.Ruling {
		r := &hearsay.Ruling{Kind: hearsay.RulingSeat, Epoch: after + 1, Case: 1 << 50, Seats: []hearsay.Seat{{Slot: 1, Key: w.crowd[1].claim.Card.Key, Life: hearsay.Life{1}}}}
		for slot := range uint8(testSeeds) {
			r.Ballots = append(r.Ballots, hearsay.Ballot{Case: r.Case, About: r.About(costNetwork), Slot: slot, Verdict: hearsay.BallotYes, Why: hearsay.Why{Reason: hearsay.ReasonMet}, Signature: hearsay.Signature{1}})
		}
		return r
	}
	raft := func(entries, size int) func(w *costWorld, n *costNode) *core.Packet {
		return func(w *costWorld, n *costNode) *core.Packet {
			real := w.raft[n.addr] // the zero one to a peer
			m := &core.Raft{Versions: ledger.Versions(), Slot: real.Slot, To: real.To, From: real.From, Type: 3, Term: 1 << 40, Index: 1 << 40, Signature: hearsay.Signature{1}}
			for range entries {
				m.Entries = append(m.Entries, core.LogEntry{Index: 1, Term: 1, Data: make([]byte, size)})
			}
			return fromSeed(w, m)
		}
	}
	return []costly{
		{kind: "SeatHello", contents: "with what is given", packet: func(w *costWorld, n *costNode) *core.Packet {
			return fromSeed(w, &core.SeatHello{Versions: ledger.Versions(), Slot: 1, Key: w.crowd[3].claim.Card.Key, Nonce: 1, Founded: true, Given: seated(w, n.Seeded().Epoch()), Signature: hearsay.Signature{1}})
		}, packets: small, bytes: smallBytes},
		{kind: "Raft", contents: "many entries", packet: raft(3000, 8), packets: small, bytes: smallBytes},
		{kind: "Raft", contents: "long entries", packet: raft(3, 50<<10), packets: small, bytes: smallBytes},
		{kind: "LedgerReq", contents: "of all", packet: body(&core.LedgerReq{}), packets: parts, bytes: parts * core.MaxStreamPacket},
		{kind: "LedgerReq", contents: "of the newest", packet: func(_ *costWorld, n *costNode) *core.Packet {
			return &core.Packet{Body: &core.LedgerReq{After: n.Seeded().Epoch() - 100}}
		}, packets: parts, bytes: parts * core.MaxStreamPacket},
		{kind: "LedgerReq", contents: "before", packet: body(&core.LedgerReq{Before: 1000}), packets: parts, bytes: parts * core.MaxStreamPacket},
		{kind: "Rulings", contents: "seats and heads", packet: func(w *costWorld, n *costNode) *core.Packet {
			m := &core.Rulings{Heads: heads(w)}
			for range 100 {
				m.Items = append(m.Items, seated(w, n.Seeded().Epoch()+hearsay.Epoch(len(m.Items))))
			}
			return fromSeed(w, m)
		}, packets: small, bytes: smallBytes},
		{kind: "Rulings", contents: "what was ruled", packet: func(w *costWorld, n *costNode) *core.Packet {
			ledger := w.order[len(w.order)/2].Seeded().Ledger
			return fromSeed(w, &core.Rulings{Items: ledger(costRulings/2, core.MaxRulings), Heads: heads(w)})
		}, packets: small, bytes: smallBytes},
		{kind: "RosterPart", contents: "made up", packet: func(w *costWorld, n *costNode) *core.Packet {
			m := &core.RosterPart{Ruling: seated(w, n.Seeded().Epoch()+1000), Heads: heads(w), Parts: 1}
			for _, member := range w.crowd {
				m.Members = append(m.Members, core.RosterMember{Stay: member.stay, Claim: member.claim})
			}
			return fromSeed(w, m)
		}, packets: small, bytes: smallBytes},
	}
}

func costlyPetitions() []costly {
	victim := func(w *costWorld) *crowdMember { return w.crowd[1+w.random.IntN(costMembers-1)] }
	return []costly{
		{kind: "Register", contents: "with unsigned claims", packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Register{}, Claims: append([]hearsay.Claim{w.crowd[0].claim}, w.unsigned(mostClaimed)[1:]...)}
		}, packets: small, bytes: smallBytes},
		{kind: "Report", contents: "with much evidence", packet: func(w *costWorld, _ *costNode) *core.Packet {
			m := victim(w)
			return &core.Packet{Body: &core.Report{Stay: m.stay, Evidence: w.evidence(m, core.MaxStatements), Signature: hearsay.Signature{1}}}
		}, packets: small, bytes: 2 * smallBytes},
		{kind: "Depart", contents: "not signed", packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Depart{Leave: core.Leave{Stay: victim(w).stay, Signature: hearsay.Signature{1}}}}
		}, packets: small, bytes: smallBytes},
		{kind: "Outcome", contents: "not asked for", packet: func(w *costWorld, _ *costNode) *core.Packet {
			return &core.Packet{Body: &core.Outcome{Outcome: hearsay.Outcome{Kind: hearsay.RulingRemove, Stay: victim(w).stay, Code: hearsay.OutcomeRefused, Text: strings.Repeat("x", hearsay.MaxWhyLen)}}}
		}, packets: small, bytes: smallBytes},
	}
}
