package agent

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"hearsay/internal/core"
)

// The kernel ends a connection on which nothing that was sent is acknowledged, whichever end has dialled it: an answer
// that gets lost each time that it is sent would keep all that follow behind it.
func TestUnacknowledgedStreamsAreBounded(t *testing.T) {
	a, b := newBox(t), newBox(t)
	a.send(b.addr, frame(&core.Ping{Seq: 1}))
	from := b.receive(t).from
	for name, conn := range map[string]net.Conn{"dialled": a.connTo(b.addr), "accepted": b.connTo(from)} {
		raw, err := conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		most := 0
		if err := raw.Control(func(fd uintptr) { most, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT) }); err != nil {
			t.Fatal(err)
		}
		if want := int(streamUnackedMost.Milliseconds()); err != nil || most != want {
			t.Errorf("%s: tries for %d ms, want %d: %v", name, most, want, err)
		}
	}
}
