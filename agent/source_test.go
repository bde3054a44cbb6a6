package agent

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// What a node sends that is bound to all addresses comes from the one that it advertises.
func TestSource(t *testing.T) {
	second := netip.MustParseAddr("127.0.0.1") // the kernel would take this one for none but itself
	if got := sourceOf(netip.IPv4Unspecified(), second); got != second {
		t.Fatalf("sends from %v", got)
	}
	if got := sourceOf(netip.IPv4Unspecified(), netip.MustParseAddr("192.0.2.77")); got.IsValid() {
		t.Errorf("sends from %v, which is no address of this machine", got)
	}
	if got := sourceOf(second, netip.MustParseAddr("192.0.2.77")); got != second {
		t.Errorf("sends from %v, and is bound to %v", got, second)
	}
	to, listener, err := listen(t.Context(), netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), 0))
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	defer listener.Close()
	conn, other, err := listen(t.Context(), netip.AddrPortFrom(netip.IPv4Unspecified(), 0))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	other.Close()
	there := to.LocalAddr().(*net.UDPAddr).AddrPort()
	for source, want := range map[netip.Addr]bool{
		netip.MustParseAddr("127.0.0.3"):  true,
		netip.MustParseAddr("192.0.2.77"): false, // it arrives all the same
		netip.IPv6Loopback():              false,
	} {
		newDatagrams(conn, newOutbound(source), new(counters)).send([]byte("x"), there)
		if _, from, err := to.ReadFromUDPAddrPort(make([]byte, core.MTU)); err != nil || (from.Addr() == source) != want {
			t.Errorf("a datagram of %v comes from %v, %v", source, from, err)
		}
		tcp, err := dialFrom(t.Context(), net.Dialer{}, source, listener.Addr().(*net.TCPAddr).AddrPort())
		if err != nil {
			t.Fatal(err)
		}
		if from := tcp.LocalAddr().(*net.TCPAddr).AddrPort().Addr(); (from == source) != want {
			t.Errorf("a connection of %v comes from %v", source, from)
		}
		tcp.Close()
	}
}

// A node whose machine loses the address that others were told takes the one from which it
// would send to them, once, and one without a route to them only until there is one.
func TestMoving(t *testing.T) {
	home := address{host: "127.0.0.1", ip: localhost, port: 7}
	away := netip.MustParseAddrPort("192.0.2.77:7946")
	m := &moving{bound: netip.MustParseAddrPort("0.0.0.0:7946"), join: []address{home}, tells: away, routed: true}
	if !m.look(t.Context(), reachability{}) || m.tells != netip.AddrPortFrom(localhost, 7946) || !m.routed {
		t.Fatalf("%+v", m)
	}
	if m.look(t.Context(), reachability{}) {
		t.Errorf("moves again: %+v", m)
	}
	m.tells = away
	m.routed = false
	if !m.look(t.Context(), reachability{}) || m.tells.Addr() != localhost {
		t.Errorf("stays at an address without a route: %+v", m)
	}
}

// A node whose machine had a route, but one that leads nowhere, stays at an address that it has only for as
// long as anybody may still reach it there: with a long period each is pinged seldom.
func TestMovingUnreached(t *testing.T) {
	here, ok := interfaceAddr(netip.IPv4Unspecified())
	if !ok {
		t.Skip("this machine has no address but loopback")
	}
	home := address{host: "127.0.0.1", ip: localhost, port: 7}
	for _, test := range []struct{ period, most time.Duration }{
		{100 * time.Millisecond, 10 * time.Second},
		{time.Second, 10 * time.Second},
		{10 * time.Second, 100 * time.Second},
	} {
		m := &moving{
			bound: netip.MustParseAddrPort("0.0.0.0:7946"), join: []address{home}, period: test.period,
			tells: netip.AddrPortFrom(here, 7946), routed: true,
		}
		if m.look(t.Context(), reachability{unreached: test.most - 1}) {
			t.Errorf("period %v: moves before it knows that nobody reaches it: %+v", test.period, m)
		}
		if !m.look(t.Context(), reachability{unreached: test.most}) || m.tells.Addr() != localhost {
			t.Errorf("period %v: stays where nobody reaches it: %+v", test.period, m)
		}
	}
}

// That the machine has lost the address is told once, and that it has it again; an address
// that it never had, as one of a router before it, is nobody's business.
func TestOwnAddress(t *testing.T) {
	has := true
	h := &ownAddress{addr: netip.MustParseAddrPort("192.0.2.7:7946"), has: func(ip netip.Addr) bool { return has && ip == netip.MustParseAddr("192.0.2.7") }}
	now := time.Now()
	if !h.isWatched() || h.look(now) || h.goneFor(now) != 0 {
		t.Errorf("there: watched %v, gone for %v", h.isWatched(), h.goneFor(now))
	}
	has = false
	if found := h.look(now); !found || !strings.Contains((&hearsay.Stats{At: now.Add(time.Second), AddressGone: h.goneFor(now.Add(time.Second)).Seconds()}).Troubles()[0], "since at least "+now.UTC().Format(time.RFC3339)) {
		t.Errorf("found %v, gone for %v", found, h.goneFor(now))
	}
	if after := h.lookAfter(now.Add(time.Second)); after != backEvery {
		t.Errorf("it looks after %v whether the address is back", after)
	}
	if h.look(now.Add(time.Second)) || h.goneFor(now.Add(2*time.Second)) != 2*time.Second {
		t.Errorf("gone for %v", h.goneFor(now.Add(2*time.Second)))
	}
	if h.isWatched() {
		t.Error("it watches an address that the machine does not have")
	}
	has = true
	if !h.look(now) || h.look(now) || h.goneFor(now) != 0 {
		t.Errorf("back, and gone for %v", h.goneFor(now))
	}
	if after := h.lookAfter(now); after != moveEvery {
		t.Errorf("back, and it looks after %v", after)
	}
	if there := (&ownAddress{addr: netip.MustParseAddrPort("127.0.0.1:7946"), has: isOnMachine}); there.isWatched() {
		t.Error("it watches loopback")
	}
}

// A machine has its addresses, also where one names the interface.
func TestAddressesOfTheMachine(t *testing.T) {
	for addr, want := range map[string]bool{"127.0.0.1": true, "::1": true, "::1%lo": true, "192.0.2.77": false, "fe80::77%lo": false} {
		if addr == "::1" || addr == "::1%lo" {
			if !isOnMachine(netip.IPv6Loopback()) {
				continue // without IPv6
			}
		}
		if got := isOnMachine(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %t", addr, got)
		}
	}
}
