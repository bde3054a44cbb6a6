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

// Dialect is an earlier program's protocol, which a guest speaks.
type Dialect uint8

// The dialects of guests.
const (
	Lines Dialect = iota + 1 // of JSON
	Text                     // of two programs, which say the same in most
)

var dialectWords = [...]struct{ name, identity string }{
	Lines: {"p1", "hearsay guest\x00"},
	Text:  {"p2", "hearsay guest of text\x00"},
}

// String is what members list; of 0 "".
func (d Dialect) String() string { return dialectWords[d].name }

// GuestID names a node that speaks only another program's protocol: it has no
// key, so all that tells it from others is its address, and what it speaks.
func GuestID(network hearsay.NetworkID, addr netip.AddrPort, d Dialect) hearsay.NodeID {
	b := append(make([]byte, 0, 64), dialectWords[d].identity...)
	b = canonical.AppendAddr(append(b, network[:]...), addr)
	sum := sha256.Sum256(b)
	return hearsay.NodeID(sum[:16])
}

// GuestDialect gives what a guest at an address speaks, by its identity; 0 if that is no guest's there.
func GuestDialect(network hearsay.NetworkID, addr netip.AddrPort, id hearsay.NodeID) Dialect {
	for d := Lines; int(d) < len(dialectWords); d++ {
		if GuestID(network, addr, d) == id {
			return d
		}
	}
	return 0
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
