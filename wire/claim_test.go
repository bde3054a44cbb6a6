package wire

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// with gives a full claim that f has changed.
func with(f func(*hearsay.Claim)) hearsay.Claim {
	c := full(hearsay.StateAlive, "a", addr4)
	f(&c)
	return c
}

// A claim that breaks a rule is malformed, and stays so on the wire.
func TestClaimMalformed(t *testing.T) {
	for name, c := range map[string]hearsay.Claim{
		"no state":         with(func(c *hearsay.Claim) { c.State = 0 }),
		"unknown state":    with(func(c *hearsay.Claim) { c.State = hearsay.StateLeft + 1 }),
		"far state":        with(func(c *hearsay.Claim) { c.State = 8 + hearsay.StateAlive }),
		"no role":          with(func(c *hearsay.Claim) { c.Card.Role = 0 }),
		"unknown role":     with(func(c *hearsay.Claim) { c.Card.Role = hearsay.RoleSeed + 1 }),
		"far role":         with(func(c *hearsay.Claim) { c.Card.Role = 4 + hearsay.RolePeer }),
		"no name":          with(func(c *hearsay.Claim) { c.Card.Name = "" }),
		"name with space":  with(func(c *hearsay.Claim) { c.Card.Name = "a b" }),
		"name not UTF-8":   with(func(c *hearsay.Claim) { c.Card.Name = "\xff" }),
		"name too long":    with(func(c *hearsay.Claim) { c.Card.Name = strings.Repeat("a", hearsay.MaxNameLen+1) }),
		"name of 300":      with(func(c *hearsay.Claim) { c.Card.Name = strings.Repeat("a", 300) }),
		"no address":       with(func(c *hearsay.Claim) { c.Card.Addr = netip.AddrPort{} }),
		"no port":          with(func(c *hearsay.Claim) { c.Card.Addr = netip.AddrPortFrom(addr4.Addr(), 0) }),
		"any address":      with(func(c *hearsay.Claim) { c.Card.Addr = netip.MustParseAddrPort("0.0.0.0:7946") }),
		"any IPv6 address": with(func(c *hearsay.Claim) { c.Card.Addr = netip.MustParseAddrPort("[::]:7946") }),
		"multicast":        with(func(c *hearsay.Claim) { c.Card.Addr = netip.MustParseAddrPort("224.0.0.1:7946") }),
	} {
		p := &core.Packet{Body: &core.News{}, Claims: []hearsay.Claim{c}}
		drop, ok := NewDecoder(testNetwork).Decode(AppendPacket(nil, testNetwork, p), &core.Packet{})
		if ok || drop != hearsay.DropMalformed {
			t.Errorf("%s: got %s, %t", name, drop, ok)
		}
	}
}

// What only bytes can say wrong.
func TestClaimBytesMalformed(t *testing.T) {
	alive := full(hearsay.StateAlive, "a", addr4)
	left := hearsay.Claim{Subject: idB, State: hearsay.StateLeft, Age: maxAge}
	const headAt, keyAt = 0, 1 + 16 + 6
	fields := func(c *hearsay.Claim) []byte {
		r := reader{bytes: appendClaim(nil, c)}
		return r.sized()
	}
	reserved, keyless, old := fields(&alive), fields(&alive), fields(&left)
	reserved[headAt] |= 0x20
	clear(keyless[keyAt : keyAt+32])
	old[len(old)-1]++
	ipLength := fields(&alive)
	ipLength[keyAt+32+64] = 5
	for name, b := range map[string][]byte{"reserved bit": reserved, "card without key": keyless, "too old": old, "length of IP": ipLength} {
		r := reader{bytes: b}
		NewDecoder(testNetwork).readClaim(&r, &hearsay.Claim{})
		if !r.failed || r.drop != hearsay.DropMalformed {
			t.Errorf("%s: got %s, %t", name, r.drop, r.failed)
		}
	}
}

// An IPv4 address has one form, however it came.
func TestAddressUnmapped(t *testing.T) {
	mapped := netip.AddrPortFrom(netip.AddrFrom16(addr4.Addr().As16()), addr4.Port())
	ip := mapped.Addr().As16()
	long := append(append([]byte{16}, ip[:]...), 0x1f, 0x0a)
	for _, b := range [][]byte{long, appendAddr(nil, mapped), appendAddr(nil, addr4)} {
		r := reader{bytes: b}
		if got := r.addr(); r.failed || got != addr4 {
			t.Errorf("%x: got %s, %t", b, got, r.failed)
		}
	}
}

// Ages keep to whole seconds between now and maxAge.
func TestAgeBounded(t *testing.T) {
	for age, want := range map[time.Duration]time.Duration{
		-time.Hour: 0, 1999 * time.Millisecond: time.Second, maxAge: maxAge, maxAge + time.Hour: maxAge,
	} {
		p := &core.Packet{Body: &core.News{}, Claims: []hearsay.Claim{{Subject: idB, State: hearsay.StateLeft, Age: age}}}
		packet := AppendPacket(nil, testNetwork, p)
		p.Claims[0].Age = want
		checkDecodes(t, packet, p)
	}
}

// Two members whose ids begin alike share a place for their names, and each
// still has its own; a name kept from a packet outlives the next.
func TestNamesKept(t *testing.T) {
	d := NewDecoder(testNetwork)
	var p core.Packet
	var got []string
	for _, name := range []string{"first", "second", "first"} {
		packet := AppendPacket(nil, testNetwork, &core.Packet{Body: &core.News{}, Claims: []hearsay.Claim{full(hearsay.StateAlive, name, addr4)}})
		if drop, ok := d.Decode(packet, &p); !ok {
			t.Fatal(drop)
		}
		clear(packet)
		got = append(got, p.Claims[0].Card.Name)
	}
	if got[0] != "first" || got[1] != "second" || got[2] != "first" {
		t.Errorf("got %q", got)
	}
}
