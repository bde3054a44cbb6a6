package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/quota"
)

const (
	// datagramBuffer is longer than any datagram of ours, so that one that is
	// too long is seen to be.
	datagramBuffer = core.MTU + 8
	_              = uint(datagramBuffer - core.MTU - 1)

	// socketBuffer is what the kernel is asked to keep for the loop while it is
	// busy. The kernel may give less (net.core.rmem_max).
	socketBuffer = 1 << 20

	// datagramsPerSource is what one IP address may send a second, and at once. A
	// member sends a few; all members of a test network may share one address. There is no
	// limit for a class: anybody can write a member's address on a datagram.
	datagramsPerSource = 20_000

	// bindEvery is the time between two tries for a port that is taken.
	bindEvery = 10 * time.Millisecond

	// listenAttempts is how often the kernel is asked for a port that is free
	// for both UDP and TCP.
	listenAttempts = 16
)

// BindTimeout is how long a node tries for a port that is taken: a process that was
// killed has its ports until its last thread has ended, which a parent may see only later.
const BindTimeout = 250 * time.Millisecond

var datagramShares = quota.PerSource(quota.PerSecond(datagramsPerSource, datagramsPerSource), quota.Unlimited)

// datagrams is the UDP socket. The loop alone receives; anybody may send.
type datagrams struct {
	conn     *net.UDPConn
	raw      syscall.RawConn
	counters *counters
	sources  *quota.Quota
	source   *outbound // of what is sent, if the socket is bound to all addresses; else nil
	buffer   [datagramBuffer]byte
}

// newDatagrams takes a socket. If that is bound to all addresses, it sends from source.
func newDatagrams(conn *net.UDPConn, source *outbound, counters *counters) *datagrams {
	conn.SetReadBuffer(socketBuffer) // less is no failure: what does not fit is dropped and counted
	raw, _ := conn.SyscallConn()     // never fails: conn is open
	d := &datagrams{
		conn: conn, raw: raw, counters: counters,
		sources: newQuota(datagramShares),
	}
	if conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().IsUnspecified() {
		d.source = source
	}
	return d
}

// receive waits for a datagram until the read deadline. What it gives is
// valid until the next call, and nil if it is to be dropped.
func (d *datagrams) receive() (packet []byte, from netip.AddrPort, err error) {
	n, from, err := d.conn.ReadFromUDPAddrPort(d.buffer[:])
	if err != nil {
		return nil, from, err
	}
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	d.counters.count(func(s *hearsay.Stats) { s.PacketsIn++; s.BytesIn += uint64(n) })
	if n > core.MTU {
		d.counters.drop(hearsay.DropOversized)
		return nil, from, nil
	}
	return d.buffer[:n], from, nil
}

// poll is receive where only a datagram that waits already is wanted: if there is
// none the error is os.ErrDeadlineExceeded, at once. It moves the read deadline.
func (d *datagrams) poll() (packet []byte, from netip.AddrPort, err error) {
	if !d.waiting() {
		return nil, from, os.ErrDeadlineExceeded
	}
	d.conn.SetReadDeadline(time.Now().Add(pollFor))
	return d.receive()
}

// allow reports whether the source may send another datagram now.
func (d *datagrams) allow(now time.Time, source netip.Addr) bool {
	if d.sources.Take(now, quota.Sender{Addr: netip.AddrPortFrom(core.Source(source), 0)}, 1) {
		return true
	}
	d.counters.drop(hearsay.DropRate)
	return false
}

// send sends a datagram. Like the network itself it may lose it, and counts
// when the kernel says so.
func (d *datagrams) send(packet []byte, to netip.AddrPort) {
	if err := d.write(packet, to); err != nil {
		d.counters.unsent(1)
		return
	}
	d.counters.count(func(s *hearsay.Stats) { s.PacketsOut++; s.BytesOut += uint64(len(packet)) })
}

// write hands a datagram to the kernel: from source, unless the machine has that address no more.
func (d *datagrams) write(packet []byte, to netip.AddrPort) error {
	if d.source != nil {
		from := d.source.now.Load()
		if from.message != nil && from.addr.Is4() == to.Addr().Unmap().Is4() {
			if _, _, err := d.conn.WriteMsgUDPAddrPort(packet, from.message, to); err == nil {
				return nil
			}
		}
	}
	_, err := d.conn.WriteToUDPAddrPort(packet, to)
	return err
}

// listenWithin is listen, again and again for so long while the port is taken.
func listenWithin(ctx context.Context, addr netip.AddrPort, patience time.Duration) (*net.UDPConn, *net.TCPListener, error) {
	for end := time.Now().Add(patience); ; {
		conn, listener, err := listen(ctx, addr)
		if !errors.Is(err, syscall.EADDRINUSE) || !time.Now().Before(end) {
			return conn, listener, err
		}
		select {
		case <-ctx.Done():
			return nil, nil, err
		case <-time.After(bindEvery):
		}
	}
}

// CheckBind fails if no node could listen at a port now, with the error of the bind.
func CheckBind(ctx context.Context, ip netip.Addr, port int) error {
	conn, listener, err := listenWithin(ctx, netip.AddrPortFrom(ip, uint16(port)), BindTimeout)
	if err != nil {
		return err
	}
	conn.Close()
	return listener.Close()
}

// listen binds UDP and TCP on one port; port 0 lets the kernel choose it.
func listen(ctx context.Context, addr netip.AddrPort) (*net.UDPConn, *net.TCPListener, error) {
	udp, tcp := "udp", "tcp"
	if addr.Addr().Is4() {
		udp, tcp = "udp4", "tcp4"
	}
	config := net.ListenConfig{KeepAlive: -1} // streams have deadlines of their own
	for attempt := 1; ; attempt++ {
		listener, err := config.Listen(ctx, tcp, addr.String())
		if err != nil {
			return nil, nil, bindError(addr, "TCP", err)
		}
		port := uint16(listener.Addr().(*net.TCPAddr).Port)
		conn, err := config.ListenPacket(ctx, udp, netip.AddrPortFrom(addr.Addr(), port).String())
		if err == nil {
			return conn.(*net.UDPConn), listener.(*net.TCPListener), nil
		}
		listener.Close()
		if addr.Port() != 0 || attempt == listenAttempts || !errors.Is(err, syscall.EADDRINUSE) {
			return nil, nil, bindError(addr, "UDP", err)
		}
	}
}

// bindError says why addr cannot be bound, without naming it twice.
func bindError(addr netip.AddrPort, protocol string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = ": another process listens there"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = ": this machine does not have that address"
	}
	if call := (*os.SyscallError)(nil); errors.As(err, &call) {
		err = call.Err
	}
	return fmt.Errorf("bind %s, %s: %w%s", addr, protocol, err, hint)
}
