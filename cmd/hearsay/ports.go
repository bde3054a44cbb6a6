package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// reservation is ports of the loopback interface that `up` has chosen for its
// nodes. Those that the kernel gives are among those that it gives to outgoing
// connections: a node that is killed, and started again by the line that is
// printed, would now and then find its port taken. So `up` keeps a hand on each
// for as long as it runs, where the kernel has a way for that (see hold).
type reservation struct {
	ports []int
	held  []hold
}

// reserveTries bounds the ports that are tried for one: they may be taken for
// UDP only.
const reserveTries = 100

// take chooses a port that is free, UDP and TCP.
func (r *reservation) take() (port int, err error) {
	for range reserveTries {
		var h hold
		if port, h, err = holdPort(); err != nil {
			break
		}
		r.held = append(r.held, h)
		conn, failed := net.ListenPacket("udp", netip.AddrPortFrom(loopbackAddr, uint16(port)).String())
		if failed == nil {
			conn.Close()
		}
		if err = failed; err == nil && !slices.Contains(r.ports, port) {
			r.ports = append(r.ports, port)
			return port, nil
		}
	}
	return 0, fmt.Errorf("find a free port: %w", err)
}

// takeAll chooses so many, in ascending order.
func (r *reservation) takeAll(count int) (ports []int, err error) {
	for range count {
		port, err := r.take()
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	slices.Sort(ports)
	return ports, nil
}

// close lets go of all ports.
func (r *reservation) close() {
	for _, h := range r.held {
		h.close()
	}
	r.ports, r.held = nil, nil
}

// loopbackAddr is loopback.
var loopbackAddr = netip.MustParseAddr(loopback)
