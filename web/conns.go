package web

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"hearsay/internal/core"
)

// Limits of connections.
const (
	connsMax      = 1024 // each costs some 25 kB
	connsOfSource = 256  // of one source
	// Where each place is taken, some connections, of these and of all, still wait for their clients: a new one is let in.
	_ = uint(connsOfSource - streamsMax - watchesOfSource - largeOfSource - figuresOf - writesOfSource - seedsOfSource - quickOfSource - 1)
	_ = uint(connsMax - streamsMax - watchesMax - largeMax - figuresMax - writesMax - seedsMax - quickMax - 1)

	fewOfSource = 20 // however few there may be: each kind has a place

	// What the kernel keeps of an answer that a client does not read.
	sendBuffer = 128 << 10

	// A client that has vanished answers no probe, or acknowledges nothing.
	keepAliveIdle  = 15 * time.Second
	keepAliveEach  = 5 * time.Second
	keepAliveCount = 3
	unacknowledged = 30 * time.Second
)

// conns are the connections of a server. Where there is no room for a new one, the
// one that has waited for its client for the longest makes it.
type conns struct {
	most     int // at a time; zero: connsMax
	mu       sync.Mutex
	count    int
	turns    uint64                       // how often one began to wait for its client
	bySource map[netip.Addr][]*connection // those that wait for their client the longest come first
}

// connection is one client's. It works while it has a place among the streams or in a gate, of which there are fewer
// than connections. Whether it works is guarded by conns.
type connection struct {
	conns  *conns
	source netip.Addr
	conn   net.Conn
	cancel func() // ends what is done for the client: a server does not look for its end while a body is to come
	works  bool   // this node does something for the client; else it waits for the client
	waits  uint64 // of turns, when it began to wait: the lowest has waited for the longest
}

// connectionKey is where the context of a request has its connection.
type connectionKey struct{}

// connectionOf gives the connection of a request, nil where the server is not one of
// Server's.
func connectionOf(ctx context.Context) *connection {
	c, _ := ctx.Value(connectionKey{}).(*connection)
	return c
}

// work says whether this node works for the client from now on.
func (c *connection) work(works bool) {
	if c == nil {
		return
	}
	c.conns.mu.Lock()
	defer c.conns.mu.Unlock()
	c.works = works
	c.conns.wait(c)
	if of := c.conns.bySource[c.source]; !works && len(of) > 1 {
		if at := slices.Index(of, c); at >= 0 {
			c.conns.bySource[c.source] = append(slices.Delete(of, at, at+1), c)
		}
	}
}

// limit has a server keep the limits.
func (c *conns) limit(server *http.Server) {
	c.bySource = make(map[netip.Addr][]*connection)
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		ctx, cancel := context.WithCancel(ctx)
		return context.WithValue(ctx, connectionKey{}, c.open(conn, cancel))
	}
	server.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateClosed || state == http.StateHijacked {
			c.closed(conn)
		}
	}
}

// share scales one of the limits above to how many connections there may be.
func (c *conns) share(of int) int {
	if c.most == 0 || c.most >= connsMax {
		return of
	}
	return max(1, of*c.most/connsMax)
}

// ofSource is how many connections one source may have.
func (c *conns) ofSource() int { return max(fewOfSource, c.share(connsOfSource)) }

func sourceOfConn(conn net.Conn) netip.Addr {
	if tcp, is := conn.RemoteAddr().(*net.TCPAddr); is {
		return core.Source(tcp.AddrPort().Addr())
	}
	return netip.Addr{}
}

// open takes a new connection in. Where it finds no room it is closed, as is each
// that makes room: their own goroutines find out.
func (c *conns) open(conn net.Conn, cancel func()) *connection {
	if tcp, is := conn.(*net.TCPConn); is {
		tcp.SetWriteBuffer(sendBuffer) // these are best effort
		tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: keepAliveIdle, Interval: keepAliveEach, Count: keepAliveCount})
		endUnacknowledged(tcp, unacknowledged)
	}
	n := &connection{conns: c, source: sourceOfConn(conn), conn: conn, cancel: cancel}
	c.mu.Lock()
	defer c.mu.Unlock()
	from, full := n.source, true
	switch {
	case len(c.bySource[n.source]) >= c.ofSource():
	case c.count >= c.share(connsMax):
		from = c.crowd()
	default:
		full = false
	}
	if full && !c.evict(from) {
		conn.Close()
		cancel()
		return n
	}
	c.wait(n)
	c.bySource[n.source] = append(c.bySource[n.source], n)
	c.count++
	return n
}

// wait notes that a connection begins to wait for its client.
func (c *conns) wait(n *connection) {
	c.turns++
	n.waits = c.turns
}

// crowd gives, of the sources of which a connection waits for its client, the one
// that has the most connections; of those that have as many, the one of which a
// connection has waited for the longest.
func (c *conns) crowd() (source netip.Addr) {
	most, longest := 0, uint64(0)
	for s, of := range c.bySource { // order does not matter: no two waits are the same
		at := longestWait(of)
		if at >= 0 && (len(of) > most || len(of) == most && of[at].waits < longest) {
			source, most, longest = s, len(of), of[at].waits
		}
	}
	return source
}

// longestWait finds, in those of one source, the connection that has waited for its
// client for the longest; -1: none waits.
func longestWait(of []*connection) int {
	return slices.IndexFunc(of, func(o *connection) bool { return !o.works })
}

// evict closes the connection of a source that waits for its client for the longest.
func (c *conns) evict(source netip.Addr) bool {
	of := c.bySource[source]
	at := longestWait(of)
	if at < 0 {
		return false
	}
	of[at].conn.Close()
	c.remove(source, at)
	return true
}

func (c *conns) closed(conn net.Conn) {
	source := sourceOfConn(conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := slices.IndexFunc(c.bySource[source], func(o *connection) bool { return o.conn == conn }); at >= 0 {
		c.remove(source, at)
	}
}

func (c *conns) remove(source netip.Addr, at int) {
	c.count--
	c.bySource[source][at].cancel()
	if of := slices.Delete(c.bySource[source], at, at+1); len(of) > 0 {
		c.bySource[source] = of
	} else {
		delete(c.bySource, source)
	}
}
