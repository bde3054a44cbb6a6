package agent

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

func bound(t *testing.T, addr string) (*net.UDPConn, *net.TCPListener) {
	t.Helper()
	conn, listener, err := listen(t.Context(), netip.MustParseAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		listener.Close()
	})
	return conn, listener
}

// needIPv6 skips a test on a machine without IPv6.
func needIPv6(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here: ", err)
	}
	listener.Close()
}

func TestListenOnOnePort(t *testing.T) {
	needIPv6(t)
	for _, addr := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"} {
		conn, listener := bound(t, addr)
		udp := conn.LocalAddr().(*net.UDPAddr).AddrPort()
		if tcp := listener.Addr().(*net.TCPAddr).AddrPort(); udp != tcp || udp.Addr() != netip.MustParseAddrPort(addr).Addr() {
			t.Errorf("%s: UDP at %s, TCP at %s", addr, udp, tcp)
		}
	}
}

func TestPortInUse(t *testing.T) {
	conn, listener := bound(t, "127.0.0.1:0")
	addr := listener.Addr().(*net.TCPAddr).AddrPort()
	wantBindError(t, addr, "bind "+addr.String()+", TCP: address already in use: another process")
	listener.Close()
	wantBindError(t, addr, "bind "+addr.String()+", UDP: address already in use: another process")
	conn.Close()
	wantBindError(t, netip.MustParseAddrPort("192.0.2.1:0"), "bind 192.0.2.1:0, TCP: cannot assign requested address: this machine does not have")
}

func wantBindError(t *testing.T, addr netip.AddrPort, want string) {
	t.Helper()
	conn, listener, err := listen(context.Background(), addr)
	if err == nil {
		conn.Close()
		listener.Close()
		t.Fatalf("bound %s", addr)
	}
	if !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %s, want %s", err, want)
	}
}

func TestDatagrams(t *testing.T) {
	needIPv6(t)
	var counters counters
	conn, _ := bound(t, "[::]:0") // takes IPv4 too
	d := newDatagrams(conn, nil, &counters)
	sender, err := net.Dial("udp4", netip.AddrPortFrom(localhost, conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()).String())
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	conn.SetReadDeadline(time.Now().Add(patience))
	for _, c := range []struct{ size, want int }{{0, 0}, {1, 1}, {core.MTU, core.MTU}, {core.MTU + 1, -1}, {9000, -1}} {
		sender.Write(make([]byte, c.size))
		packet, from, err := d.receive()
		if err != nil {
			t.Fatal(err)
		}
		if got := len(packet); c.want < 0 && packet != nil || c.want >= 0 && (packet == nil || got != c.want) {
			t.Errorf("sent %d bytes, got %d", c.size, got)
		}
		if from != sender.LocalAddr().(*net.UDPAddr).AddrPort() {
			t.Errorf("from %s", from)
		}
	}
	if n := counters.counted().Drops[hearsay.DropOversized]; n != 2 {
		t.Errorf("%d oversized", n)
	}
	d.send([]byte("back"), sender.LocalAddr().(*net.UDPAddr).AddrPort())
	b := make([]byte, 10)
	if n, err := sender.Read(b); err != nil || string(b[:n]) != "back" {
		t.Errorf("got %q, %v", b[:n], err)
	}
	d.send(make([]byte, 70_000), netip.AddrPortFrom(localhost, 1))
	if n := counters.counted().SendFails; n != 1 {
		t.Errorf("%d sends failed", n)
	}
}

// TestOverflowIsCounted: what the kernel drops because nobody reads is
// counted, where the kernel tells.
func TestOverflowIsCounted(t *testing.T) {
	conn, _ := bound(t, "127.0.0.1:0")
	d := newDatagrams(conn, nil, new(counters))
	conn.SetReadBuffer(4 << 10)
	sender, err := net.Dial("udp4", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	const sent = 100
	for range sent {
		sender.Write(make([]byte, core.MTU))
	}
	lost := d.overflow()
	got, told := 0, runtime.GOOS == "linux"
	for wait := patience; ; got++ {
		if !told || got+int(lost) >= sent {
			wait = time.Millisecond // no more is to come
		}
		conn.SetReadDeadline(time.Now().Add(wait))
		if _, _, err := d.receive(); err != nil {
			break
		}
	}
	if told && (lost == 0 || got+int(lost) != sent) || !told && lost != 0 {
		t.Errorf("%d came, %d are counted as lost, of %d", got, lost, sent)
	}
}

// TestOneSourceOfDatagramsIsBounded: an address that sends more than one may leaves
// others what they may send, and counting takes no memory for each datagram.
func TestOneSourceOfDatagramsIsBounded(t *testing.T) {
	conn, _ := bound(t, "127.0.0.1:0")
	d := newDatagrams(conn, nil, &counters{})
	now := time.Unix(1000, 0)
	allowed := 0
	for range 3 * datagramsPerSource {
		if d.allow(now, localhost) {
			allowed++
		}
	}
	if allowed < datagramsPerSource || allowed > 2*datagramsPerSource {
		t.Errorf("one address sent %d, may send %d, and as many before anybody is told apart", allowed, datagramsPerSource)
	}
	others := 0
	for n := range byte(100) {
		if d.allow(now, netip.AddrFrom4([4]byte{10, 0, 0, n})) {
			others++
		}
	}
	if others < 98 { // one may share a slot with the first
		t.Errorf("%d of 100 other addresses were allowed one", others)
	}
	if !d.allow(now.Add(time.Second), localhost) {
		t.Error("refused a second later")
	}
	if n := testing.AllocsPerRun(100, func() { d.allow(now, localhost) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestASocketErrorHoldsUpNothing: a look at the socket that finds an error of an
// earlier datagram does not keep the loop from what else it has to do.
func TestASocketErrorHoldsUpNothing(t *testing.T) {
	closed, _ := bound(t, "127.0.0.1:0")
	nobody := closed.LocalAddr().(*net.UDPAddr)
	closed.Close()
	conn, err := net.DialUDP("udp4", nil, nobody)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	d := newDatagrams(conn, nil, &counters{})
	conn.Write([]byte{1}) // nobody is there: the kernel keeps that for the next call
	if d.waiting() {
		t.Error("the error of an earlier datagram is taken for a datagram, and the loop waits for one")
	}
	if _, _, err := d.poll(); err == nil {
		t.Error("a datagram came from nobody")
	}
}

// TestAPortIsTriedAgain: a port that another process is just letting go of is not
// taken.
func TestAPortIsTriedAgain(t *testing.T) {
	conn, listener := bound(t, "127.0.0.1:0")
	addr := listener.Addr().(*net.TCPAddr).AddrPort()
	conn.Close()
	freed := make(chan struct{})
	time.AfterFunc(2*bindEvery, func() { listener.Close(); close(freed) })
	udp, tcp, err := listenWithin(t.Context(), addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	udp.Close()
	tcp.Close()
	<-freed
}
