package main

// A bare UDP program with the traffic of an idle network: what no membership
// protocol of this shape can do without.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// The sizes of an idle network's packets, in bytes.
const (
	echoPing   = 54
	echoAnswer = 30
	echoPeriod = time.Second
)

// echo is sockets, each with one goroutine that reads and answers, and one
// that sends a ping a second.
type echo struct {
	conns     []*net.UDPConn
	addrs     []netip.AddrPort
	datagrams atomic.Uint64
	bytes     atomic.Uint64
	wait      sync.WaitGroup
}

func startEcho(ctx context.Context, n int) (*echo, error) {
	e := &echo{}
	for i := range n {
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(fmt.Sprintf("%s:0", host(i)))))
		if err != nil {
			e.stop()
			return nil, err
		}
		e.conns = append(e.conns, conn)
		e.addrs = append(e.addrs, conn.LocalAddr().(*net.UDPAddr).AddrPort())
	}
	for _, conn := range e.conns {
		e.wait.Go(func() { e.answer(conn) })
		e.wait.Go(func() { e.ping(ctx, conn) })
	}
	return e, nil
}

// answer answers pings until the socket is closed.
func (e *echo) answer(conn *net.UDPConn) {
	var buffer [1500]byte
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buffer[:])
		if err != nil {
			return
		}
		if n == echoPing {
			e.send(conn, buffer[:echoAnswer], from)
		}
	}
}

// ping pings a random other every second, out of step with the others.
func (e *echo) ping(ctx context.Context, conn *net.UDPConn) {
	time.Sleep(rand.N(echoPeriod))
	ticker := time.NewTicker(echoPeriod)
	defer ticker.Stop()
	var packet [echoPing]byte
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		e.send(conn, packet[:], e.addrs[rand.IntN(len(e.addrs))])
	}
}

func (e *echo) send(conn *net.UDPConn, packet []byte, to netip.AddrPort) {
	if _, err := conn.WriteToUDPAddrPort(packet, to); err == nil {
		e.datagrams.Add(1)
		e.bytes.Add(uint64(len(packet)))
	}
}

func (e *echo) sent() traffic {
	return traffic{datagrams: e.datagrams.Load(), datagramBytes: e.bytes.Load()}
}

// stop closes the sockets; ctx must have ended.
func (e *echo) stop() {
	for _, conn := range e.conns {
		conn.Close()
	}
	e.wait.Wait()
}
