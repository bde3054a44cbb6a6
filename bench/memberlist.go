package main

// memberlist as a system under test.

import (
	"bytes"
	"encoding/binary"
	"log"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// joinAgain is how long a member waits that could not join: memberlist itself
// tries once.
const joinAgain = time.Second

type memberlistMember struct {
	list      *memberlist.Memberlist
	transport *countingTransport
	troubled  *troubleCounter
	gossip    *gossip    // nil if nobody listens to rumors
	keys      *keyGossip // nil if it holds no keys
	stopping  chan struct{}
}

func startMemberlist(name, host string, join []string, hearing hearing) (member, error) {
	troubled := &troubleCounter{}
	quiet := log.New(troubled, "", 0)
	inner, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{host}, Logger: quiet})
	if err != nil {
		return nil, err
	}
	transport := &countingTransport{NetTransport: inner}
	config := memberlist.DefaultLANConfig()
	config.Name, config.Transport, config.Logger = name, transport, quiet
	config.BindAddr, config.BindPort = host, inner.GetAutoBindPort()
	config.AdvertisePort = config.BindPort
	m := &memberlistMember{transport: transport, troubled: troubled, stopping: make(chan struct{})}
	var told *teller
	switch {
	case hearing.keys:
		m.keys = &keyGossip{hear: hearing.hear, values: make(map[string]timed)}
		config.Delegate, told = m.keys, &m.keys.teller
	case hearing.hear != nil:
		m.gossip = &gossip{hear: hearing.hear, known: make(map[uint64]bool)}
		config.Delegate, told = m.gossip, &m.gossip.teller
	}
	if m.list, err = memberlist.Create(config); err != nil {
		inner.Shutdown()
		return nil, err
	}
	if told != nil {
		told.start(m.list, config.RetransmitMult)
	}
	if len(join) > 0 {
		go m.join(join)
	}
	return m, nil
}

// join joins, as often as it takes.
func (m *memberlistMember) join(addrs []string) {
	for {
		if joined, _ := m.list.Join(addrs); joined > 0 {
			return
		}
		select {
		case <-m.stopping:
			return
		case <-time.After(joinAgain):
		}
	}
}

func (m *memberlistMember) troubles() uint64 { return m.troubled.count.Load() }

func (m *memberlistMember) missed() uint64 { return 0 } // it does not know what it has missed

func (m *memberlistMember) say(data []byte) error {
	m.gossip.take(data)
	return nil
}

// troubleCounter counts the lines of a log that tell of a suspicion or a death
// that the member itself came upon.
type troubleCounter struct{ count atomic.Uint64 }

func (t *troubleCounter) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("has failed, no acks")) || bytes.Contains(line, []byte("as failed, suspect timeout")) {
		t.count.Add(1)
	}
	return len(line), nil
}

func (m *memberlistMember) put(p pair) error {
	m.keys.put(p)
	return nil
}

// load tells nobody: those that join exchange their state with this member's.
func (m *memberlistMember) load(all []pair) error {
	for _, p := range all {
		m.keys.take(p.key, timed{1, p.value}, false)
	}
	return nil
}

func (m *memberlistMember) holds() int { return m.keys.holds() }

// teller is the part of a delegate that tells what is queued.
type teller struct {
	queue atomic.Pointer[memberlist.TransmitLimitedQueue] // nil until the member has started
}

func (t *teller) start(list *memberlist.Memberlist, mult int) {
	t.queue.Store(&memberlist.TransmitLimitedQueue{NumNodes: list.NumMembers, RetransmitMult: mult})
}

// tell queues a broadcast.
func (t *teller) tell(b memberlist.Broadcast) {
	if queue := t.queue.Load(); queue != nil {
		queue.QueueBroadcast(b)
	}
}

func (t *teller) GetBroadcasts(overhead, limit int) [][]byte {
	queue := t.queue.Load()
	if queue == nil {
		return nil
	}
	return queue.GetBroadcasts(overhead, limit)
}

func (t *teller) NodeMeta(int) []byte { return nil }

// gossip tells rumors by a TransmitLimitedQueue: who hears one for the first
// time queues it, too.
type gossip struct {
	teller
	hear  func(data []byte)
	mu    sync.Mutex
	known map[uint64]bool
}

// take hears and queues a rumor that is new.
func (g *gossip) take(data []byte) {
	number := binary.BigEndian.Uint64(data)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known[number] || g.queue.Load() == nil {
		return
	}
	g.known[number] = true
	g.tell(rumor(data))
	g.hear(data)
}

func (g *gossip) NotifyMsg(b []byte)            { g.take(bytes.Clone(b)) }
func (g *gossip) LocalState(bool) []byte        { return nil }
func (g *gossip) MergeRemoteState([]byte, bool) {}

// rumor is a broadcast that no other makes void.
type rumor []byte

func (r rumor) Invalidates(memberlist.Broadcast) bool { return false }
func (r rumor) UniqueBroadcast()                      {}
func (r rumor) Message() []byte                       { return r }
func (r rumor) Finished()                             {}

func (m *memberlistMember) name() string { return m.list.LocalNode().Name }
func (m *memberlistMember) addr() string { return m.list.LocalNode().Address() }
func (m *memberlistMember) living() int  { return m.list.NumMembers() }

func (m *memberlistMember) stop() {
	close(m.stopping)
	m.list.Shutdown()
}

func (m *memberlistMember) lists(name string) bool {
	for _, o := range m.list.Members() {
		if o.Name == name {
			return true
		}
	}
	return false
}

func (m *memberlistMember) sent() traffic {
	t := m.transport
	return traffic{datagrams: t.datagrams.Load(), datagramBytes: t.datagramBytes.Load(), streamBytes: t.streamBytes.Load()}
}

// countingTransport counts what is sent: datagrams where they are written,
// and streams where they are dialled, both ways there, which over all members
// of a network is each byte once.
type countingTransport struct {
	*memberlist.NetTransport
	datagrams, datagramBytes, streamBytes atomic.Uint64
}

func (t *countingTransport) WriteTo(b []byte, addr string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: addr})
}

func (t *countingTransport) WriteToAddress(b []byte, addr memberlist.Address) (time.Time, error) {
	t.datagrams.Add(1)
	t.datagramBytes.Add(uint64(len(b)))
	return t.NetTransport.WriteToAddress(b, addr)
}

func (t *countingTransport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

func (t *countingTransport) DialAddressTimeout(addr memberlist.Address, timeout time.Duration) (net.Conn, error) {
	conn, err := t.NetTransport.DialAddressTimeout(addr, timeout)
	if err != nil {
		return nil, err
	}
	return &countingConn{Conn: conn, bytes: &t.streamBytes}, nil
}

// countingConn counts the bytes of a stream, both ways.
type countingConn struct {
	net.Conn
	bytes *atomic.Uint64
}

func (c *countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes.Add(uint64(n))
	return n, err
}

func (c *countingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.bytes.Add(uint64(n))
	return n, err
}
