package hearsay

import "net/netip"

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
