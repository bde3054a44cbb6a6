// Package canonical writes and reads the bytes that are signed, logged and kept: numbers are big-endian and of
// a fixed size, and there is one way to write each value.
package canonical

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// AppendText appends at most 255 bytes of text, with their number in front.
func AppendText(dst []byte, text string) []byte {
	text = text[:min(len(text), 255)]
	return append(append(dst, byte(len(text))), text...)
}

// AppendAddr appends 18 bytes: the address as IPv6, and the port.
func AppendAddr(dst []byte, addr netip.AddrPort) []byte {
	ip := addr.Addr().As16()
	dst = append(dst, ip[:]...)
	return binary.BigEndian.AppendUint16(dst, addr.Port())
}

// AppendBytes appends bytes with their number in front, in 4 bytes.
func AppendBytes(dst, b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(b))), b...)
}

// Fault is what is wrong with bytes that are not canonical.
type Fault uint8

// The faults.
const (
	Malformed Fault = iota + 1
	Truncated       // they end too early
	Oversized       // a list in them is longer than its limit
)

// Reader takes values off the front of canonical bytes. The first failure
// stays, and from then on every value is zero, so callers look once, at the
// end.
type Reader struct {
	bytes []byte
	fault Fault // the first; 0: none yet
}

// NewReader reads b, which must stay as it is.
func NewReader(b []byte) Reader { return Reader{bytes: b} }

// Left is how many bytes are still to be taken.
func (r *Reader) Left() int { return len(r.bytes) }

// Failed reports whether the bytes were not canonical.
func (r *Reader) Failed() bool { return r.fault != 0 }

// Fault is why they were not; 0: they were.
func (r *Reader) Fault() Fault { return r.fault }

// Fail makes the bytes malformed.
func (r *Reader) Fail() { r.FailFor(Malformed) }

// FailFor makes the bytes not canonical, and says why.
func (r *Reader) FailFor(fault Fault) {
	if r.fault == 0 {
		r.fault = fault
	}
	r.bytes = nil
}

// Number fails if n elements are more than a list may have, and then gives 0.
func (r *Reader) Number(n uint32, limit int) int {
	if uint64(n) > uint64(limit) {
		r.FailFor(Oversized)
		return 0
	}
	return int(n)
}

// Take gives the next n bytes, or none.
func (r *Reader) Take(n int) []byte {
	if n < 0 || n > len(r.bytes) {
		r.FailFor(Truncated)
		return nil
	}
	b := r.bytes[:n:n]
	r.bytes = r.bytes[n:]
	return b
}

// Byte gives the next byte.
func (r *Reader) Byte() byte {
	if b := r.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// Flags gives the next byte, in which only the lowest n bits may be set.
func (r *Reader) Flags(n int) byte {
	b := r.Byte()
	if b>>n != 0 {
		r.Fail()
	}
	return b
}

// Uint64 gives the next 8 bytes as a number.
func (r *Reader) Uint64() uint64 {
	if b := r.Take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Uint32 gives the next 4 bytes as a number.
func (r *Reader) Uint32() uint32 {
	if b := r.Take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// Text gives the next text.
func (r *Reader) Text() string { return string(r.Take(int(r.Byte()))) }

// Bytes gives a copy of the next bytes that have their number in front.
func (r *Reader) Bytes() []byte {
	n := r.Uint32()
	if uint64(n) > uint64(r.Left()) {
		r.FailFor(Truncated)
		return nil
	}
	if n == 0 {
		return nil
	}
	return bytes.Clone(r.Take(int(n)))
}

// Addr gives the next address: one at which a node can be reached.
func (r *Reader) Addr() netip.AddrPort {
	ip, port := r.Take(16), r.Take(2)
	if r.Failed() {
		return netip.AddrPort{}
	}
	addr := netip.AddrPortFrom(netip.AddrFrom16([16]byte(ip)).Unmap(), binary.BigEndian.Uint16(port))
	if addr.Port() == 0 || addr.Addr().IsUnspecified() || addr.Addr().IsMulticast() {
		r.Fail()
	}
	return addr
}
