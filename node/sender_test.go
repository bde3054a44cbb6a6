package node

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/follower"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/overlay"
	"hearsay/petition"
	"hearsay/quota"
	"hearsay/roster"
	"hearsay/rumor"
	"hearsay/spread"
)

// A sender has the class that its address proves, and no other.
func TestSender(t *testing.T) {
	now, at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), netip.MustParseAddrPort
	cfg := Config{
		Network: hearsay.NetworkID{1}, Name: "n", Addr: at("10.0.0.1:7000"), Role: hearsay.RolePeer,
		Detect: detect.DefaultConfig(), Roster: roster.DefaultConfig(), Overlay: overlay.DefaultConfig(), Rumors: rumor.DefaultConfig(), Store: spread.DefaultConfig(),
		Follower: follower.DefaultConfig(), Petition: petition.DefaultConfig(),
	}
	seed, member := at("10.0.0.2:7000"), at("10.0.0.3:7000")
	cfg.Follower.Network, cfg.Follower.Seeds = cfg.Network, []ledger.Seed{{Addr: seed}}
	n := New(cfg, unsigned{}, rand.New(rand.NewPCG(1, 2)), nil, now)
	n.begin(now)
	id := core.GuestID(cfg.Network, member, core.Lines)
	n.roster.Admit(now, &hearsay.Claim{
		Subject: id, State: hearsay.StateAlive, Incarnation: 1,
		Card: hearsay.Card{Name: "m", Addr: member, Role: hearsay.RolePeer},
	})
	n.settle(now)
	first, other := &core.SeatHello{Slot: 0}, &core.SeatHello{Slot: 1}
	for _, c := range []struct {
		what   string
		from   hearsay.NodeID
		addr   string
		stream bool
		body   core.Message
		class  quota.Class
		as     string
	}{
		{"a member's datagram", id, "10.0.0.3:7000", false, nil, quota.Member, "10.0.0.3:7000"},
		{"a datagram from another port", id, "10.0.0.3:7001", false, nil, quota.Stranger, "10.0.0.3:0"},
		{"a member's stream", id, "10.0.0.3:50000", true, nil, quota.Member, "10.0.0.3:7000"},
		{"another's stream in a member's name", id, "10.0.0.4:7000", true, nil, quota.Stranger, "10.0.0.4:0"},
		{"another identity at a member's address", hearsay.NodeID{9}, "10.0.0.3:7000", true, nil, quota.Stranger, "10.0.0.3:0"},
		{"the answer of a seed that is not listed", hearsay.NodeID{9}, "10.0.0.2:7000", true, nil, quota.Seat, "10.0.0.2:7000"},
		{"a datagram with a seed's address", hearsay.NodeID{9}, "10.0.0.2:7000", false, first, quota.Stranger, "10.0.0.2:0"},
		{"the hello of a seed that is not listed", hearsay.NodeID{9}, "10.0.0.2:50000", true, first, quota.Seat, "10.0.0.2:7000"},
		{"another from a seed's machine", hearsay.NodeID{9}, "10.0.0.2:50000", true, other, quota.Stranger, "10.0.0.2:0"},
		{"a made-up hello of a seed", hearsay.NodeID{9}, "10.0.0.4:7000", true, first, quota.Stranger, "10.0.0.4:0"},
		{"one of an IPv6 /64", hearsay.NodeID{9}, "[2001:db8::7:1]:9", true, nil, quota.Stranger, "[2001:db8::]:0"},
		{"a process of this machine", hearsay.NodeID{9}, "127.0.0.1:50000", true, nil, quota.Stranger, "127.0.0.1:50000"},
	} {
		p := &core.Packet{From: c.from, Addr: at(c.addr), Stream: c.stream, Body: c.body}
		if got, want := n.Addresses().Sender(p), (quota.Sender{Class: c.class, Addr: at(c.as)}); got != want {
			t.Errorf("%s: %v, want %v", c.what, got, want)
		}
	}
}
