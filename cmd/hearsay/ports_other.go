//go:build !linux

package main

import "net"

// hold is nothing here: a socket that kept the port would keep the node from it.
type hold struct{}

// holdPort finds a port that is free now. Until a node has it, another process
// may take it.
func holdPort() (port int, h hold, err error) {
	listener, err := net.Listen("tcp", loopback+":0")
	if err != nil {
		return 0, h, err
	}
	return listener.Addr().(*net.TCPAddr).Port, h, listener.Close()
}

func (hold) close() {}
