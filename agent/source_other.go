//go:build !linux

package agent

import "net/netip"

// sourceMessage is what the kernel is told with a datagram that is to be sent from source: on
// this system it chooses the source itself.
func sourceMessage(netip.Addr) []byte { return nil }
