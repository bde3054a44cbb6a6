package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxHostLen is the longest host name, in bytes (RFC 1035, section 2.3.4).
const maxHostLen = 253

const (
	lookupTimeout    = 5 * time.Second
	lookupBackoffMin = 500 * time.Millisecond // after a first look-up without success
	lookupBackoffMax = 30 * time.Second       // doubling up to this
	// between look-ups of names that were found before, while this node is alone, or nearly
	lookupAgain = 10 * time.Second
	// and else: what a name stands for changes, and at first it may have been this node only (Prometheus looks
	// names up as often)
	lookupEvery = 30 * time.Second
)

// address is what a user wrote where an address belongs.
type address struct {
	host string
	ip   netip.Addr // if host is an IP address
	port uint16
}

// parseAddress reads host:port, or a host alone and then takes port. The host
// is a name, an IPv4 or an IPv6 address, the latter with or without brackets.
func parseAddress(text string, port uint16) (address, error) {
	bare := text
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		bare = text[1 : len(text)-1]
	}
	if ip, err := netip.ParseAddr(bare); err == nil {
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
	if err := CheckHost(host); err != nil {
		return address{}, fmt.Errorf("%q: %w; want an IP address or the name of a host, as in 10.0.0.1:%d", text, err, DefaultPort)
	}
	return address{host: host, port: port}, nil
}

// CheckHost says why a host can have no such name, if that is so.
func CheckHost(host string) error {
	if host == "" {
		return errors.New("it names no host")
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
		return errors.New("it is no IP address, and digits alone name no host")
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

const scheme = "http://"

// IsURL reports whether what is to be joined is a node of an earlier program, by its HTTP.
func IsURL(join string) bool { return strings.HasPrefix(join, scheme) }

// parseJoin is parseAddress for a member: nobody is at port 0 or at the
// unspecified address. A URL is read for its host and port.
func parseJoin(text string) (address, error) {
	if at, is := strings.CutPrefix(text, scheme); is {
		at = strings.TrimSuffix(at, "/")
		if _, _, err := net.SplitHostPort(at); err != nil {
			return address{}, fmt.Errorf("%q: want http://host:port, as in http://10.0.0.1:9001", text)
		}
		text = at
	}
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
			return nil, LookupError(a.host, err)
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

// LookupError says that a host's name could not be looked up.
func LookupError(host string, err error) error {
	why := err.Error()
	if failed, is := errors.AsType[*net.DNSError](err); is {
		why = failed.Err // without the server that was asked, and the name, which is said here
	}
	return fmt.Errorf("%s: look up this name: %s; want one that this machine knows, or an IP address", host, why)
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
	if ip, ok := routed(ctx, bound.Addr(), join, nil); ok {
		return netip.AddrPortFrom(ip, bound.Port()), nil
	}
	if ip, ok := interfaceAddr(bound.Addr()); ok {
		return netip.AddrPortFrom(ip, bound.Port()), nil
	}
	return netip.AddrPort{}, fmt.Errorf("bind %s: this machine has no address at which others would reach it: set --advertise, or bind to one address", bound)
}

// routed gives the address from which this machine would send to those that it is to join, to others
// that it knows of, or else to the rest of the world.
func routed(ctx context.Context, local netip.Addr, join []address, others []netip.AddrPort) (netip.Addr, bool) {
	for _, to := range slices.Concat(literal(join), others, somewhere(local)) {
		if ip, ok := sourceTowards(ctx, to); ok && sameFamily(local, to.Addr()) {
			return ip, true
		}
	}
	return netip.Addr{}, false
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

// resolver looks up the host names among the contacts, beside the loop: until
// each was found once, and then again and again, because addresses
// change. It has a goroutine only while it looks.
type resolver struct {
	names   []address
	query   func(address) ([]netip.AddrPort, error)
	found   func([]netip.AddrPort) // called with addresses not handed out before
	failed  func(name string, err error)
	looking sync.WaitGroup
	cancel  context.CancelFunc
	ctx     context.Context

	mu     sync.Mutex
	busy   bool
	last   time.Time
	handed map[netip.AddrPort]bool // what the names stood for at the last look-up
}

func newResolver(join []address, local netip.Addr) *resolver {
	r := new(resolver)
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.query = func(name address) ([]netip.AddrPort, error) {
		ctx, cancel := context.WithTimeout(r.ctx, lookupTimeout)
		defer cancel()
		return name.lookup(ctx, local)
	}
	for _, a := range join {
		if !a.ip.IsValid() {
			r.names = append(r.names, a)
		}
	}
	return r
}

// again looks the names up, unless that was done just now.
func (r *resolver) again() { r.lookedUpWithin(lookupAgain) }

// lookedUpWithin looks the names up, unless that was done within so long.
func (r *resolver) lookedUpWithin(span time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.names) == 0 || r.busy || r.ctx.Err() != nil || !r.last.IsZero() && time.Since(r.last) < span {
		return
	}
	r.busy = true
	r.looking.Go(r.look)
}

// close ends what is being looked up.
func (r *resolver) close() {
	r.mu.Lock()
	r.cancel()
	r.mu.Unlock()
	r.looking.Wait()
}

// empty reports whether there are names and none was ever found.
func (r *resolver) empty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.names) > 0 && r.handed == nil
}

// look looks the names up until each was found.
func (r *resolver) look() {
	missing := r.names
	var found []netip.AddrPort
	for backoff := lookupBackoffMin; ; backoff = min(2*backoff, lookupBackoffMax) {
		var still []address
		for _, name := range missing {
			addrs, err := r.query(name)
			if err != nil {
				still = append(still, name)
				if r.ctx.Err() == nil {
					r.failed(name.host, err)
				}
			}
			found = append(found, addrs...)
		}
		r.hand(found)
		if missing = still; len(missing) == 0 {
			break
		}
		select {
		case <-time.After(backoff):
		case <-r.ctx.Done():
			return
		}
	}
	r.mu.Lock()
	r.busy, r.last = false, time.Now()
	r.mu.Unlock()
}

// hand gives on what was not found the last time.
func (r *resolver) hand(found []netip.AddrPort) {
	if len(found) == 0 {
		return
	}
	var fresh []netip.AddrPort
	handed := make(map[netip.AddrPort]bool, len(found))
	r.mu.Lock()
	for _, addr := range found {
		if !r.handed[addr] && !handed[addr] {
			fresh = append(fresh, addr)
		}
		handed[addr] = true
	}
	r.handed = handed
	r.mu.Unlock()
	if len(fresh) > 0 {
		r.found(fresh)
	}
}
