package agent

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
)

// A node that is bound to all addresses tells others one of them, and others know it by that:
// a packet from another address of the machine is a stranger's, and seeds refuse its request to
// be in. So such a node sends from the address that it advertises, if that is one of its machine.

// outbound is the address from which a node sends. It may change while the node runs.
type outbound struct{ now atomic.Pointer[sending] }

type sending struct {
	addr    netip.Addr // zero: the kernel chooses
	message []byte     // what tells the kernel so with a datagram; nil: nothing does
}

func newOutbound(addr netip.Addr) *outbound {
	s := new(outbound)
	s.set(addr)
	return s
}

func (s *outbound) set(addr netip.Addr) { s.now.Store(&sending{addr, sourceMessage(addr)}) }

// sourceOf gives the address from which a node sends that is bound to local and tells others
// advertised; the zero address leaves it to the kernel.
func sourceOf(local, advertised netip.Addr) netip.Addr {
	if !local.IsUnspecified() {
		return local
	}
	if !isOnMachine(advertised) {
		return netip.Addr{} // as behind a router that translates addresses
	}
	return advertised
}

// isOnMachine reports whether an interface of this machine has an address, whatever its zone; also
// if that cannot be told.
func isOnMachine(ip netip.Addr) bool {
	addrs, err := net.InterfaceAddrs()
	return err != nil || slices.ContainsFunc(addrs, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr() == ip.WithZone("")
	})
}

// dialFrom dials by TCP from source, if that can be: it may be of another family, and the
// machine may have lost it.
func dialFrom(ctx context.Context, dialer net.Dialer, source netip.Addr, to netip.AddrPort) (net.Conn, error) {
	if !source.IsValid() || source.Is4() != to.Addr().Is4() {
		return dialer.DialContext(ctx, "tcp", to.String())
	}
	bound := dialer
	bound.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
	conn, err := bound.DialContext(ctx, "tcp", to.String())
	// the latter from loopback to elsewhere
	if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EINVAL) {
		return dialer.DialContext(ctx, "tcp", to.String())
	}
	return conn, err
}
