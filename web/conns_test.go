package web

import (
	"net"
	"net/netip"
	"testing"
)

// remoteConn is a connection that comes from an address.
type remoteConn struct {
	net.Conn
	from   netip.Addr
	closed bool
}

func (c *remoteConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.from, 1))
}
func (c *remoteConn) Close() error { c.closed = true; return nil }

// TestAWorkingConnectionKeepsNobodyOut: where each source has one connection, a new
// one takes the place of that which has waited for its client for the longest.
func TestAWorkingConnectionKeepsNobodyOut(t *testing.T) {
	c := conns{bySource: make(map[netip.Addr][]*connection)}
	addr := netip.MustParseAddr("10.0.0.1")
	open := func() (*remoteConn, *connection) {
		conn := &remoteConn{from: addr}
		addr = addr.Next()
		return conn, c.open(conn, func() {})
	}
	var all []*remoteConn
	for n := range connsMax {
		conn, opened := open()
		all = append(all, conn)
		if n < 3 {
			opened.work(true)
		}
		if n == 2 {
			opened.work(false) // it waits since the others have been opened so far
		}
	}
	for range 2 {
		if conn, _ := open(); conn.closed {
			t.Fatal("a new connection is refused, though many wait for their clients")
		}
	}
	for n, conn := range all {
		if gone := n == 2 || n == 3; conn.closed != gone {
			t.Errorf("connection %d is closed: %v, want %v", n, conn.closed, gone)
		}
	}
}

// TestFewConnections: where the process may have few files open, a server has as many
// connections as it is told, and one source its part of them.
func TestFewConnections(t *testing.T) {
	const most = 64
	c := conns{most: most, bySource: make(map[netip.Addr][]*connection)}
	addr := netip.MustParseAddr("10.0.0.1")
	for range connsMax {
		for range 2 {
			c.open(&remoteConn{from: addr}, func() {})
		}
		addr = addr.Next()
	}
	if c.count != most {
		t.Errorf("%d connections are open, want %d", c.count, most)
	}
	c = conns{most: most, bySource: make(map[netip.Addr][]*connection)}
	for range connsMax {
		c.open(&remoteConn{from: addr}, func() {})
	}
	if n := len(c.bySource[addr]); n != max(fewOfSource, most*connsOfSource/connsMax) {
		t.Errorf("one source has %d of %d", n, most)
	}
}

// TestPlacesAreKept: however few connections there may be, those that work are fewer.
func TestPlacesAreKept(t *testing.T) {
	for most := 16; most <= connsMax; most++ {
		a, c := newAPI(nil, Info{ConnsMax: most}), &conns{most: most}
		ofSource := a.streams.most + a.watches.mostOfSource + a.answers.ofSource + a.figures.ofSource + a.writes.ofSource + a.seeds.ofSource + a.quick.ofSource
		all := a.streams.most + a.watches.most + a.answers.max + a.figures.max + a.writes.max + a.seeds.max + a.quick.max
		if ofSource >= c.ofSource() || all >= most {
			t.Errorf("of %d connections %d work, and of %d of one source %d", most, all, c.ofSource(), ofSource)
		}
	}
}
