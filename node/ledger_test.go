package node

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/overlay"
	"hearsay/quorum"
	"hearsay/roster"
	"hearsay/rumor"
	"hearsay/spread"
)

func crowdAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 7000)
}

func crowdClaim(i int, incarnation hearsay.Incarnation, at netip.AddrPort) hearsay.Claim {
	key := hearsay.PublicKey{byte(i), byte(i >> 8), 1}
	return hearsay.Claim{
		Subject: key.NodeID(), State: hearsay.StateAlive, Incarnation: incarnation,
		Card: hearsay.Card{Key: key, Name: fmt.Sprintf("peer-%d", i), Addr: at, Role: hearsay.RolePeer},
	}
}

// crowded gives a seed, the only one, with so many members in its ledger.
func crowded(t testing.TB, members int, now time.Time) *Node {
	network, addr := hearsay.NetworkID{1}, netip.MustParseAddrPort("10.0.0.1:5001")
	cfg := Config{
		Network: network, Name: "s", Addr: addr, Role: hearsay.RoleSeed,
		Detect: detect.DefaultConfig(), Roster: roster.DefaultConfig(), Overlay: overlay.DefaultConfig(), Rumors: rumor.DefaultConfig(), Store: spread.DefaultConfig(),
		Quorum: quorum.DefaultConfig(),
	}
	cfg.Quorum.Network, cfg.Quorum.Seeds = network, []ledger.Seed{{Addr: addr}}
	seat := hearsay.Seat{Key: unsigned{}.Public(), Life: hearsay.Life{1}}
	claims := make(map[hearsay.NodeID]hearsay.Claim)
	parts := make([][]hearsay.NodeID, core.RosterBuckets)
	for i := range members {
		c := crowdClaim(i, 1, crowdAddr(i))
		claims[c.Subject] = c
		parts[c.Subject[0]] = append(parts[c.Subject[0]], c.Subject)
	}
	var list []byte // of members
	var hashes [core.RosterBuckets]hearsay.Hash
	for i := range parts {
		slices.SortFunc(parts[i], hearsay.NodeID.Compare)
		var stays []hearsay.Stay
		for _, id := range parts[i] {
			c, stay := claims[id], hearsay.Stay{ID: id, Epoch: 1}
			list = c.AppendBinary(hearsay.AppendStay(list, stay))
			stays = append(stays, stay)
		}
		hashes[i] = core.HashBucket(stays)
	}
	last := hearsay.Ruling{
		Epoch: hearsay.Epoch(members), Kind: hearsay.RulingSeat, Seats: []hearsay.Seat{seat}, Roster: core.HashRoster(network, &hashes),
	}
	head := last.Hash(network)
	b := binary.BigEndian.AppendUint64([]byte{ledger.SnapshotVersion}, uint64(members)) // a snapshot, see package quorum
	b = last.AppendBinary(append(append(b, head[:]...), make([]byte, 32)...))
	b = hearsay.AppendSeats(hearsay.AppendSeats(b, []hearsay.Seat{seat}), []hearsay.Seat{seat})
	b = append(binary.BigEndian.AppendUint32(b, uint32(members)), list...)
	b = append(b, make([]byte, 4+8+4+4)...)
	b = append(hearsay.DefaultLimits().AppendBinary(b), make([]byte, 8+8+8+1+8+8+4)...)
	records := []core.Record{
		&core.SeedLife{Life: seat.Life, Config: core.HashSeeds(network, []netip.AddrPort{addr})},
		&core.LogState{Term: 1, Commits: []core.LogPlace{{Term: 1, Index: 1}}},
		&core.KeptSnapshot{Snapshot: &core.LogSnapshot{
			Index: 1, Term: 1, Config: core.LogConfig{Voters: []uint64{seat.RaftID(network)}}, Size: uint32(len(b)), Data: b,
		}},
	}
	n, err := NewSeed(cfg, unsigned{}, rand.New(rand.NewPCG(1, 2)), records, now)
	if err != nil {
		t.Fatal(err)
	}
	n.Tick(now)
	if got := len(n.Seeded().Stays(nil)); got != members {
		t.Fatalf("%d members, want %d", got, members)
	}
	return n
}

// A seed finds who is at an address, also when a member has moved and the log
// does not know that yet; and nobody where it was.
func TestMemberAt(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const members = 300
	n := crowded(t, members, now)
	for i := range members {
		if m, ok := n.Addresses().MemberAt(crowdAddr(i)); !ok || m.Claim.Card.Addr != crowdAddr(i) || !n.Addresses().Acquainted(crowdAddr(i)) {
			t.Fatalf("member %d is not found: %+v", i, m)
		}
	}
	if m, ok := n.Addresses().MemberAt(crowdAddr(members)); ok || n.Addresses().Acquainted(crowdAddr(members)) || m.Stay.Epoch != 0 {
		t.Errorf("somebody is found where nobody is: %+v", m)
	}
	moved := crowdClaim(7, 2, crowdAddr(5000))
	n.Receive(now, &core.Packet{
		From: moved.Subject, Addr: crowdAddr(5000), Body: &core.Ping{Seq: 1, Target: n.id}, Claims: []hearsay.Claim{moved},
	})
	if _, ok := n.Addresses().MemberAt(crowdAddr(5000)); ok {
		t.Error("who says that it has moved is found there before it has answered there")
	}
	for _, p := range n.Tick(now).Now {
		if ping, ok := p.Body.(*core.Ping); ok && p.Addr == crowdAddr(5000) {
			n.Receive(now, &core.Packet{From: moved.Subject, Addr: p.Addr, Body: &core.Ack{Seq: ping.Seq}})
			break
		}
	}
	if m, ok := n.Addresses().MemberAt(crowdAddr(5000)); !ok || m.Stay.ID != moved.Subject || len(n.addresses.elsewhere) != 1 {
		t.Errorf("who has moved is not found: %+v, %+v", m, n.addresses.elsewhere)
	}
	if _, ok := n.Addresses().MemberAt(crowdAddr(7)); ok {
		t.Error("it is found where it was")
	}
	for end := now.Add(10 * time.Second); now.Before(end) && len(n.addresses.elsewhere) > 0; now = n.Deadline() {
		n.Tick(now)
	}
	if m, ok := n.Addresses().MemberAt(crowdAddr(5000)); !ok || m.Claim.Card.Addr != crowdAddr(5000) || len(n.addresses.elsewhere) > 0 {
		t.Errorf("the log knows it, and it is not found: %+v, %+v", m, n.addresses.elsewhere)
	}
}

// A seed connects to where a member only says that it has moved while it asks there by stream: the member may get no
// datagrams.
func TestSeedAsksByStreamWhereAMemberSaysThatItIs(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	n, there := crowded(t, 10, now), crowdAddr(5000)
	moved := crowdClaim(7, 2, there)
	n.Receive(now, &core.Packet{From: moved.Subject, Addr: there, Body: &core.Ping{Seq: 1, Target: n.id}, Claims: []hearsay.Claim{moved}})
	if n.Addresses().MayDial(there) {
		t.Error("it connects before it asks")
	}
	asked := false
	for end := now.Add(10 * time.Second); now.Before(end) && !asked; now = n.Deadline() {
		for _, p := range n.Tick(now).Now {
			_, ping := p.Body.(*core.Ping)
			asked = asked || ping && p.Stream && p.Addr == there
		}
	}
	if !asked || !n.Addresses().MayDial(there) {
		t.Errorf("asked by stream: %t; connects: %t", asked, n.Addresses().MayDial(there))
	}
}

func BenchmarkAcquainted(b *testing.B) {
	n := crowded(b, 10_000, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	for _, c := range []struct {
		name string
		who  int
	}{{"member", 4000}, {"stranger", 20_000}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if n.Addresses().Acquainted(crowdAddr(c.who)) != (c.who < 10_000) {
					b.Fatal("wrong")
				}
			}
		})
	}
}
