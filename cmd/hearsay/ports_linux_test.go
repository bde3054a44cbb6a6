package main

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"testing"
)

// TestReservation: a node can listen at a port that is reserved, once and
// again, and nobody is given it who asks for any, nor for an outgoing
// connection.
func TestReservation(t *testing.T) {
	var r reservation
	defer r.close()
	ports, err := r.takeAll(3)
	if err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("tcp", loopback+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for _, port := range ports {
		at := net.JoinHostPort(loopback, strconv.Itoa(port))
		for range 2 {
			listener, err := net.Listen("tcp", at)
			if err != nil {
				t.Fatalf("listen at a reserved port: %v", err)
			}
			if conn, err := net.Dial("tcp", at); err != nil {
				t.Errorf("dial it: %v", err)
			} else {
				conn.Close()
			}
			listener.Close()
		}
		from := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(at))}
		if conn, err := from.Dial("tcp", other.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("connected from a reserved port: %v, %v", conn, err)
		}
	}
	r.close()
	listener, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(ports[0])))
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
}
