package core

import (
	"crypto/sha256"
	"net/netip"
	"time"

	"hearsay"
	"hearsay/internal/canonical"
)

// NextIncarnation gives the number after last at the time now.
func NextIncarnation(last hearsay.Incarnation, now time.Time) hearsay.Incarnation {
	return max(last+1, hearsay.Incarnation(max(0, now.UnixMilli())))
}

// GuestID names a node that speaks only another program's protocol: it has no
// key, so all that tells it from others is its address.
func GuestID(network hearsay.NetworkID, addr netip.AddrPort) hearsay.NodeID {
	b := append(make([]byte, 0, 64), "hearsay guest\x00"...)
	b = canonical.AppendAddr(append(b, network[:]...), addr)
	sum := sha256.Sum256(b)
	return hearsay.NodeID(sum[:16])
}

// sourceBits is the length of an IPv6 prefix whose addresses one sender has at
// its disposal: a site assigns whole networks of this length (RFC 4291, section 2.5.4).
const sourceBits = 64

// Source is the unit in which limits count the senders of packets: an IPv4
// address, or the first address of an IPv6 address's /64. An IPv4 address
// written as IPv6 counts as IPv4; a zone does not count.
func Source(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is4() || !addr.IsValid() {
		return addr
	}
	prefix, _ := addr.Prefix(sourceBits) // never fails: addr is valid and has so many bits
	return prefix.Addr()
}
