package wire

import (
	"encoding/binary"
	"net/netip"

	"hearsay"
)

// reader takes fields off the front of bytes. The first failure stays: from
// then on every field is zero, so callers look once, at the end.
type reader struct {
	rest   []byte
	failed bool
	drop   hearsay.Drop // why, once failed
}

func (r *reader) fail(drop hearsay.Drop) {
	if !r.failed {
		r.failed, r.drop, r.rest = true, drop, nil
	}
}

// take gives the next n bytes, or none.
func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.fail(hearsay.DropTruncated)
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// uvarint refuses a number in more bytes than it needs: there is one way to
// write it.
func (r *reader) uvarint() uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 {
		v := r.rest[0]
		r.rest = r.rest[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.rest)
	switch {
	case n == 0:
		r.fail(hearsay.DropTruncated)
		return 0
	case n < 0 || r.rest[n-1] == 0:
		r.fail(hearsay.DropMalformed)
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// count reads how many elements follow, each of at least sizeMin bytes. So
// what is then allocated for them is in proportion to what came in.
func (r *reader) count(limit, sizeMin int) int {
	n := r.uvarint()
	switch {
	case n > uint64(limit):
		r.fail(hearsay.DropOversized)
		return 0
	case n > uint64(len(r.rest)/sizeMin):
		r.fail(hearsay.DropTruncated)
		return 0
	}
	return int(n)
}

// sized gives the next length-prefixed bytes.
func (r *reader) sized() []byte {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.fail(hearsay.DropTruncated)
		return nil
	}
	return r.take(int(n))
}

func (r *reader) id() (id hearsay.NodeID) {
	copy(id[:], r.take(len(id)))
	return id
}

// addr refuses what no member can be reached at.
func (r *reader) addr() netip.AddrPort {
	var ip netip.Addr
	switch r.byte() {
	case 4:
		var b [4]byte
		copy(b[:], r.take(len(b)))
		ip = netip.AddrFrom4(b)
	case 16:
		var b [16]byte
		copy(b[:], r.take(len(b)))
		ip = netip.AddrFrom16(b).Unmap()
	default:
		r.fail(hearsay.DropMalformed)
		return netip.AddrPort{}
	}
	port := r.take(2)
	if port == nil {
		return netip.AddrPort{}
	}
	addr := netip.AddrPortFrom(ip, binary.BigEndian.Uint16(port))
	if addr.Port() == 0 || ip.IsUnspecified() || ip.IsMulticast() {
		r.fail(hearsay.DropMalformed)
	}
	return addr
}

// appendAddr writes an IPv4 address in 7 bytes, also if it was mapped into
// IPv6, and an IPv6 address, without its zone, in 19.
func appendAddr(dst []byte, addr netip.AddrPort) []byte {
	if ip := addr.Addr().Unmap(); ip.Is4() {
		b := ip.As4()
		dst = append(append(dst, 4), b[:]...)
	} else {
		b := ip.As16()
		dst = append(append(dst, 16), b[:]...)
	}
	return binary.BigEndian.AppendUint16(dst, addr.Port())
}

// closeSized puts the length before what was appended since dst was at bytes
// long.
func closeSized(dst []byte, at int) []byte {
	n := len(dst) - at
	if n < 0x80 { // the usual body: one byte, no slice of a prefix
		dst = append(dst, 0)
		copy(dst[at+1:], dst[at:])
		dst[at] = byte(n)
		return dst
	}
	var prefix [binary.MaxVarintLen64]byte
	size := binary.PutUvarint(prefix[:], uint64(n))
	dst = append(dst, prefix[:size]...)
	copy(dst[at+size:], dst[at:])
	copy(dst[at:], prefix[:size])
	return dst
}
