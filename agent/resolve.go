package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// maxHostLen is the longest host name, in bytes (RFC 1035, section 2.3.4).
const maxHostLen = 253

// address is what a user wrote where an address belongs.
type address struct {
	host string
	ip   netip.Addr // if host is an IP address
	port uint16
}

// parseAddress reads host:port, or a host alone and then takes port. The host
// is a name, an IPv4 or an IPv6 address, the latter with or without brackets.
func parseAddress(text string, port uint16) (address, error) {
	if ip, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return address{ip.String(), ip.Unmap(), port}, nil
	}
	host, digits := text, ""
	if strings.Contains(text, ":") {
		var err error
		if host, digits, err = net.SplitHostPort(text); err != nil {
			return address{}, fmt.Errorf("%q: want host:port, as in 10.0.0.1:%d or [fd00::1]:%d", text, DefaultPort, DefaultPort)
		}
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil {
			return address{}, fmt.Errorf("%q: want a port from 0 to 65535", text)
		}
		port = uint16(n)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return address{host, ip.Unmap(), port}, nil
	}
	if err := checkHost(host); err != nil {
		return address{}, fmt.Errorf("%q: %w", text, err)
	}
	return address{host: host, port: port}, nil
}

func checkHost(host string) error {
	if host == "" {
		return errors.New("want a host name or an IP address")
	}
	if len(host) > maxHostLen {
		return fmt.Errorf("a host name has at most %d bytes", maxHostLen)
	}
	digits := true
	for _, r := range host {
		switch {
		case r >= '0' && r <= '9', r == '.':
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '-', r == '_':
			digits = false
		default:
			return fmt.Errorf("a host name has no %q", r)
		}
	}
	if digits {
		return errors.New("not an IP address")
	}
	return nil
}

// parseBind is parseAddress for where to listen: no host means all IPv4
// addresses.
func parseBind(text string) (address, error) {
	if strings.HasPrefix(text, ":") {
		text = "0.0.0.0" + text
	}
	return parseAddress(text, DefaultPort)
}

// parseJoin is parseAddress for a member: nobody is at port 0 or at the
// unspecified address.
func parseJoin(text string) (address, error) {
	a, err := parseAddress(text, DefaultPort)
	if err != nil {
		return a, err
	}
	return a, a.reachable(text)
}

func (a address) reachable(text string) error {
	if a.port == 0 {
		return fmt.Errorf("%q: nobody is reached at port 0", text)
	}
	if a.ip.IsValid() && (a.ip.IsUnspecified() || a.ip.IsMulticast()) {
		return fmt.Errorf("%q: want the address of one machine", text)
	}
	return nil
}

// lookup gives the addresses behind a that a socket bound to local can reach.
func (a address) lookup(ctx context.Context, local netip.Addr) ([]netip.AddrPort, error) {
	ips := []netip.Addr{a.ip}
	if !a.ip.IsValid() {
		var err error
		if ips, err = net.DefaultResolver.LookupNetIP(ctx, "ip", a.host); err != nil {
			return nil, err
		}
	}
	var found []netip.AddrPort
	for _, ip := range ips {
		if ip = ip.Unmap(); sameFamily(local, ip) {
			found = append(found, netip.AddrPortFrom(ip, a.port))
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no address of the family of %s, where this node is bound", a.host, local)
	}
	return found, nil
}

// sameFamily reports whether a socket bound to local can send to ip: an IPv4
// socket to IPv4, an IPv6 socket to IPv6, and one bound to all addresses to
// both.
func sameFamily(local, ip netip.Addr) bool {
	return local.Is4() == ip.Is4() || local == netip.IPv6Unspecified()
}

// advertised says where others reach a node that is bound to bound: where cfg
// says, or at bound, or at the address from which this machine would send to
// the members it is to join.
func (c *Config) advertised(ctx context.Context, bound netip.AddrPort, join []address) (netip.AddrPort, error) {
	if c.Advertise != "" {
		a, err := parseAddress(c.Advertise, bound.Port())
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("advertise: %w", err)
		}
		found, err := a.lookup(ctx, bound.Addr())
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("advertise: %w", err)
		}
		return found[0], nil
	}
	if !bound.Addr().IsUnspecified() {
		return bound, nil
	}
	for _, to := range append(literal(join), somewhere(bound.Addr())...) {
		if ip, ok := sourceTowards(ctx, to); ok && sameFamily(bound.Addr(), to.Addr()) {
			return netip.AddrPortFrom(ip, bound.Port()), nil
		}
	}
	if ip, ok := interfaceAddr(bound.Addr()); ok {
		return netip.AddrPortFrom(ip, bound.Port()), nil
	}
	return netip.AddrPort{}, fmt.Errorf("bind %s: this machine has no address at which others would reach it: set advertise, or bind to one address", bound)
}

// literal gives the addresses that need no looking up.
func literal(join []address) (addrs []netip.AddrPort) {
	for _, a := range join {
		if a.ip.IsValid() {
			addrs = append(addrs, netip.AddrPortFrom(a.ip, a.port))
		}
	}
	return addrs
}

// somewhere is an address that stands for the rest of the world: of the
// networks for documentation (RFC 5737, RFC 3849), because nothing is sent.
func somewhere(local netip.Addr) []netip.AddrPort {
	v4 := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), DefaultPort)
	v6 := netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: 1}), DefaultPort)
	if local.Is4() {
		return []netip.AddrPort{v4}
	}
	return []netip.AddrPort{v4, v6}
}

// sourceTowards gives the address from which this machine would send to addr.
func sourceTowards(ctx context.Context, addr netip.AddrPort) (netip.Addr, bool) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", addr.String()) // connecting a UDP socket sends nothing
	if err != nil {
		return netip.Addr{}, false
	}
	defer conn.Close()
	ip := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	return ip, !ip.IsUnspecified()
}

// interfaceAddr gives the first address of this machine that others might
// reach.
func interfaceAddr(local netip.Addr) (netip.Addr, bool) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, false
	}
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && prefix.Addr().IsGlobalUnicast() && sameFamily(local, prefix.Addr()) {
			return prefix.Addr(), true
		}
	}
	return netip.Addr{}, false
}
