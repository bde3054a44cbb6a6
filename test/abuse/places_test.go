package abuse

import (
	"bufio"
	"net"
	"testing"
	"time"

	"hearsay/wire"
)

// halfOpenCount is more connections than a node has places.
const halfOpenCount = 1100

// TestHalfOpenConnections: who holds as many connections as a seed has places,
// from a thousand addresses, and begins a frame on each, does not keep
// another from being answered, and the seed goes on with the others.
func TestHalfOpenConnections(t *testing.T) {
	besideOthers(t)
	w := start(t)
	seed := w.seeds[0]
	for n := range halfOpenCount {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(n>>8), byte(n&255|1))}, Timeout: requestTimeout}
		conn, err := dialer.Dial("tcp", seed.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.Write([]byte{wire.FrameStart, 0, 1}) // fails if it was refused: then too there is one less to hold a place
	}
	began := time.Now()
	if line := askLine(t, seed.Addr); line == "" {
		t.Errorf("a seed that %d connections reach answers no member's address any more", halfOpenCount)
	}
	t.Logf("answered after %v", time.Since(began).Round(time.Millisecond))
}

// askLine asks a node for its opinion from the address of the members, and gives its
// line; "" if it closes the connection without one.
func askLine(t *testing.T, addr string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, requestTimeout)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(requestTimeout))
	conn.Write([]byte(`{"type":"PING","payload":{}}` + "\n"))
	line, _ := bufio.NewReader(conn).ReadString('\n') // whatever it says
	return line
}
