package main

// memberlist as a system under test.

import (
	"io"
	"log"
	"net"
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
	stopping  chan struct{}
}

func startMemberlist(name, host string, join []string) (member, error) {
	quiet := log.New(io.Discard, "", 0)
	inner, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{host}, Logger: quiet})
	if err != nil {
		return nil, err
	}
	transport := &countingTransport{NetTransport: inner}
	config := memberlist.DefaultLANConfig()
	config.Name, config.Transport, config.Logger = name, transport, quiet
	config.BindAddr, config.BindPort = host, inner.GetAutoBindPort()
	config.AdvertisePort = config.BindPort
	list, err := memberlist.Create(config)
	if err != nil {
		inner.Shutdown()
		return nil, err
	}
	m := &memberlistMember{list: list, transport: transport, stopping: make(chan struct{})}
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
