package agent

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// sourceMessage is what the kernel is told with a datagram that is to be sent from source.
func sourceMessage(source netip.Addr) []byte {
	switch {
	case source.Is4():
		return unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: source.As4()})
	case source.Is6():
		return unix.PktInfo6(&unix.Inet6Pktinfo{Addr: source.As16()})
	}
	return nil
}
