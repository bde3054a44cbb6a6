package guest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/quota"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen before it fails.
const patience = time.Minute

func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

var (
	localhost  = netip.MustParseAddr("127.0.0.1")
	memberAddr = netip.MustParseAddrPort("10.2.0.1:7946")
)

// stranger has all be strangers.
func stranger(source netip.Addr) quota.Sender {
	return quota.Sender{Addr: netip.AddrPortFrom(core.Source(source), 0)}
}

// newHost is a host that dials from an address and has no node.
func newHost(role hearsay.Role, from netip.Addr) *Host {
	return &Host{
		Role: role, Sender: stranger, Busy: errors.New("busy"),
		Dial: func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
			return dialer.DialContext(ctx, "tcp", to.String())
		},
		Turn: func(quota.Sender) func() { return func() {} },
		Do: func(_ netip.Addr, call func(time.Time)) bool {
			call(time.Now())
			return true
		},
		Drop: func(hearsay.Drop) {}, Read: func(int) {}, Wrote: func(int) {},
	}
}

// box is a server at a port of its own.
type box struct {
	addr  netip.AddrPort
	drops [hearsay.NumDrops]atomic.Uint64
	wrote atomic.Int64
	close func()
}

// newBox is a box whose server answers lines so.
func newBox(t *testing.T, role hearsay.Role, answer answering, times lineTimes) *box {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &box{addr: listener.Addr().(*net.TCPAddr).AddrPort()}
	host := newHost(role, localhost)
	host.Drop = func(d hearsay.Drop) { b.drops[d].Add(1) }
	host.Wrote = func(n int) { b.wrote.Add(int64(n)) }
	server := newServer(host, answer)
	server.times = times
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				defer conn.Close()
				defer context.AfterFunc(ctx, func() { conn.Close() })()
				r := bufio.NewReaderSize(conn, 512)
				if _, err := r.Peek(1); err == nil {
					server.Serve(ctx, conn, r, conn.RemoteAddr().(*net.TCPAddr).AddrPort(), quota.Stranger)
				}
			})
		}
	})
	b.close = sync.OnceFunc(func() {
		cancel()
		listener.Close()
		wait.Wait()
	})
	t.Cleanup(b.close)
	return b
}

// askFrom sends a line from an address as the older peers do, and gives the one that comes
// back, or an error if none comes in the time that they allow.
func (b *box) askFrom(ctx context.Context, from netip.Addr, line string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, probePeerTimeout)
	defer cancel()
	conn, err := newHost(0, from).Dial(ctx, b.addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := fmt.Fprintln(conn, line); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}

// ask sends a line, which must be answered.
func (b *box) ask(t *testing.T, line string) string {
	t.Helper()
	reply, err := b.askFrom(patient(t), localhost, line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return reply
}

func (b *box) connect(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", b.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
