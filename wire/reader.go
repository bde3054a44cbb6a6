package wire

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"hearsay"
)

// reader takes fields off the front of bytes. The first failure stays, and
// from then on every field is zero, so callers look once, at the end.
type reader struct {
	bytes  []byte
	at     int // the next byte; at the end once failed
	failed bool
	drop   hearsay.Drop // why, once failed
}

func (r *reader) fail(drop hearsay.Drop) {
	if !r.failed {
		r.failed, r.drop, r.at = true, drop, len(r.bytes)
	}
}

// left is how many bytes are still to be taken.
func (r *reader) left() int { return len(r.bytes) - r.at }

// take gives the next n bytes, or none.
func (r *reader) take(n int) []byte {
	if n > r.left() {
		r.fail(hearsay.DropTruncated)
		return nil
	}
	r.at += n
	return r.bytes[r.at-n : r.at]
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// bool refuses what is neither yes nor no.
func (r *reader) bool() bool {
	b := r.byte()
	if b > 1 {
		r.fail(hearsay.DropMalformed)
	}
	return b == 1
}

func appendBool(dst []byte, yes bool) []byte {
	if yes {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// uvarint refuses a number in more bytes than it needs, so that there is one
// way to write it.
func (r *reader) uvarint() uint64 {
	const last = binary.MaxVarintLen64 - 1 // this byte holds the highest bit alone
	v := uint64(0)
	for i, b := range r.bytes[r.at:] {
		v |= uint64(b&0x7f) << (7 * i & 63)
		switch {
		case i == last && b > 1, i > 0 && b == 0:
			r.fail(hearsay.DropMalformed)
			return 0
		case b < 0x80:
			r.at += i + 1
			return v
		}
	}
	r.fail(hearsay.DropTruncated)
	return 0
}

// count reads how many elements follow, each of at least sizeMin bytes. So
// what is then allocated for them is in proportion to what came in.
func (r *reader) count(limit, sizeMin int) int {
	n := r.uvarint()
	switch {
	case n > uint64(limit):
		r.fail(hearsay.DropOversized)
		return 0
	case n > uint64(r.left()/sizeMin):
		r.fail(hearsay.DropTruncated)
		return 0
	}
	return int(n)
}

// sized gives the next length-prefixed bytes.
func (r *reader) sized() []byte {
	n := r.uvarint()
	if n > uint64(r.left()) {
		r.fail(hearsay.DropTruncated)
		return nil
	}
	return r.take(int(n))
}

func (r *reader) id() (id hearsay.NodeID) {
	if b := r.take(len(id)); b != nil {
		id = hearsay.NodeID(b)
	}
	return id
}

func (r *reader) hash() (h hearsay.Hash) {
	if b := r.take(len(h)); b != nil {
		h = hearsay.Hash(b)
	}
	return h
}

func (r *reader) key() (k hearsay.PublicKey) {
	if b := r.take(len(k)); b != nil {
		k = hearsay.PublicKey(b)
	}
	return k
}

func (r *reader) signature() (s hearsay.Signature) {
	if b := r.take(len(s)); b != nil {
		s = hearsay.Signature(b)
	}
	return s
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

// closeSized writes the length of what was appended after a gap at at. The
// gap is as long as the length is expected to be; if it is not, what follows
// moves.
func closeSized(dst []byte, at, gap int) []byte {
	var length [binary.MaxVarintLen64]byte
	size := binary.PutUvarint(length[:], uint64(len(dst)-at-gap))
	if size == gap {
		copy(dst[at:], length[:size])
		return dst
	}
	return slices.Replace(dst, at, at+gap, length[:size]...)
}
