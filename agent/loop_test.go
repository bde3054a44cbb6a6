package agent

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/node"
)

// slowly verifies as a small machine does: 0.3 ms a signature (a Raspberry Pi 3 or
// 4, or a quarter of a core).
type slowly struct{ *hearsay.Identity }

func (s slowly) Verify(key hearsay.PublicKey, message []byte, signature hearsay.Signature) bool {
	for began := time.Now(); time.Since(began) < 300*time.Microsecond; {
	}
	return s.Identity.Verify(key, message, signature)
}

// While claims wait, each turn of the loop ends in a tick that is due. Datagrams are read
// all the same.
func TestTicksLeaveTheSocketItsTurn(t *testing.T) {
	a, err := prepare(t.Context(), quick("a"))
	if err != nil {
		t.Fatal(err)
	}
	l, network := a.loop, hearsay.NetworkIDOf(a.cfg.Network)
	identity := func(n byte) *hearsay.Identity { return hearsay.NewIdentity([32]byte{n, 1}) }
	cfg := node.Config{
		Network: network, Name: "a", Addr: netip.MustParseAddrPort(addrOfPrepared(a)), Role: hearsay.RolePeer, Roster: a.cfg.Roster, Detect: a.cfg.Detect,
		Overlay: a.cfg.Overlay, Rumors: a.cfg.Rumors,
	}
	l.node = node.New(cfg, slowly{identity(0)}, rand.New(rand.NewPCG(1, 1)), nil, time.Now())
	var claims []hearsay.Claim
	for n := range 200 {
		id := hearsay.NewIdentity([32]byte{byte(n), 2})
		c := hearsay.Claim{
			Subject: id.Public().NodeID(), State: hearsay.StateAlive, Incarnation: 1,
			Card: hearsay.Card{Key: id.Public(), Name: "x", Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 9, 0, byte(n)}), 9), Role: hearsay.RolePeer},
		}
		c.Sign(network, id)
		claims = append(claims, c)
	}
	sender, err := net.Dial("udp", addrOfPrepared(a))
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	l.carryOut(l.node.Tick(time.Now()))
	l.ticked = true
	l.carryOut(l.node.Receive(time.Now(), &core.Packet{
		From: hearsay.NodeID{9}, Addr: netip.MustParseAddrPort("127.8.0.1:7"), Stream: true,
		Body: &core.Ping{Target: l.node.Self().ID}, Claims: claims,
	}))
	began, longest, left := time.Now(), 0, 0
	for range 40 {
		sender.Write([]byte{0})
		before := a.counters.counted().PacketsIn
		if ended, err := l.turn(); ended || err != nil {
			t.Fatal(ended, err)
		}
		if left++; a.counters.counted().PacketsIn > before {
			left = 0
		}
		longest = max(longest, left)
	}
	if longest > 1 {
		t.Errorf("%d turns in a row, %v, left out the socket", longest, time.Since(began))
	}
	a.run()
	a.Close()
}
