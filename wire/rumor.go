package wire

import (
	"bytes"
	"encoding/binary"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// The fewest bytes that an element takes which is not the first of its origin.
const (
	rumorSizeMin = 1 + 1 + 1 + 1 + 1 // number, age, hops, length, data
	dotSizeMin   = 1                 // number
	rangeSizeMin = 1 + 1             // low, span
)

// appendRumors writes what belongs to rumors and links: the kinds from
// kindRumors.
func appendRumors(dst []byte, m core.Message) []byte {
	switch m := m.(type) {
	case *core.Rumors:
		return appendRanges(appendItems(dst, m.Items), m.Missed)
	case *core.IHave:
		return appendHops(appendBool(appendDots(dst, m.IDs), m.Late), m.Hops)
	case *core.Graft:
		return appendDots(dst, m.IDs)
	case *core.Place:
		return appendPlace(dst, m)
	case *core.Heard:
		return binary.BigEndian.AppendUint64(dst, m.Hash)
	case *core.Seen:
		return appendRanges(appendSpan(dst, m), m.Ranges)
	case *core.Hello:
		return append(dst, m.Degree)
	case *core.HelloAck:
		return append(appendBool(dst, m.Accepted), m.Degree)
	}
	return dst // Join, News, Unlink, Deaf
}

// readRumors reads what appendRumors wrote, into d's storage.
func (d *Decoder) readRumors(r *reader, k kind) core.Message {
	switch k {
	case kindRumors:
		d.rumors.Items = d.readItems(r)
		d.rumors.Missed = d.readRanges(r)
		return &d.rumors
	case kindIHave:
		d.iHave = core.IHave{IDs: d.readDots(r), Late: r.bool()}
		d.iHave.Hops = readHops(r, len(d.iHave.IDs))
		return &d.iHave
	case kindGraft:
		d.graft.IDs = d.readDots(r)
		return &d.graft
	case kindPlace:
		readPlace(r, &d.place)
		return &d.place
	case kindHeard:
		d.heard.Hash = r.uint64()
		return &d.heard
	case kindSeen:
		readSpan(r, &d.seen)
		d.seen.Ranges = d.readRanges(r)
		return &d.seen
	case kindHello:
		d.hello.Degree = r.byte()
		return &d.hello
	case kindHelloAck:
		d.helloAck = core.HelloAck{Accepted: r.bool(), Degree: r.byte()}
		return &d.helloAck
	case kindUnlink:
		return &d.unlink
	case kindDeaf:
		return &d.deaf
	}
	r.fail(hearsay.DropUnknownKind)
	return nil
}

// A list whose elements belong to origins is written as runs of one origin
// each, in the order of the list: the origin, how many follow, and of each
// what remains.

// appendRun opens a run of n elements.
func appendRun(dst []byte, origin clock.Origin, n int) []byte {
	return binary.AppendUvarint(append(dst, origin[:]...), uint64(n))
}

// readRun reads what opens a run where at most left elements are still to
// come. It gives at least one, or fails.
func readRun(r *reader, left int) (origin clock.Origin, n int) {
	origin = clock.Origin(r.id())
	count := r.uvarint()
	if count < 1 || count > uint64(left) {
		r.fail(hearsay.DropMalformed)
		return origin, left // which ends the list
	}
	return origin, int(count)
}

func appendItems(dst []byte, items []hearsay.Rumor) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(items)))
	for len(items) > 0 {
		origin, n := items[0].ID.Origin, 1
		for n < len(items) && items[n].ID.Origin == origin {
			n++
		}
		dst = appendRun(dst, origin, n)
		for i := range items[:n] {
			dst = binary.AppendUvarint(dst, items[i].ID.Counter)
			dst = appendTold(dst, &items[i])
		}
		items = items[n:]
	}
	return dst
}

func (d *Decoder) readItems(r *reader) []hearsay.Rumor {
	n := r.count(core.MaxRumors, rumorSizeMin)
	items := resize(d.items, n)
	for at := 0; at < n; {
		origin, run := readRun(r, n-at)
		for i := range items[at : at+run] {
			items[at+i].ID = clock.Dot{Origin: origin, Counter: readNumber(r)}
			readTold(r, &items[at+i])
		}
		at += run
	}
	if n > 0 {
		d.items, d.idle = items, 0
	}
	return items
}

// readNumber reads a number of an origin; they count from 1.
func readNumber(r *reader) uint64 {
	number := r.uvarint()
	if number < 1 {
		r.fail(hearsay.DropMalformed)
	}
	return number
}

// appendTold writes what a rumor is besides its identity.
func appendTold(dst []byte, m *hearsay.Rumor) []byte {
	age := min(max(0, m.Age), maxAge)
	dst = binary.AppendUvarint(dst, uint64(age/time.Millisecond))
	dst = append(dst, m.Hops)
	if !m.Guest.IsZero() {
		dst = append(append(dst, 0), m.Guest[:]...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.Data)))
	return append(dst, m.Data...)
}

// readTold lets the data point to where they came in.
func readTold(r *reader, m *hearsay.Rumor) {
	age := r.uvarint()
	m.Hops = r.byte()
	size := r.uvarint()
	m.Guest = hearsay.NodeID{}
	if size == 0 {
		m.Guest = r.id()
		size = r.uvarint()
		if m.Guest.IsZero() {
			r.fail(hearsay.DropMalformed)
		}
	}
	switch {
	case r.failed:
	case age > uint64(maxAge/time.Millisecond) || size < 1:
		r.fail(hearsay.DropMalformed)
	case size > hearsay.MaxRumorData:
		r.fail(hearsay.DropOversized)
	default:
		m.Age = time.Duration(age) * time.Millisecond
		m.Data = r.take(int(size))
		m.Data = m.Data[:len(m.Data):len(m.Data)] // what is appended to them must not run into the packet
	}
}

func appendDots(dst []byte, dots []clock.Dot) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(dots)))
	for len(dots) > 0 {
		origin, n := dots[0].Origin, 1
		for n < len(dots) && dots[n].Origin == origin {
			n++
		}
		dst = appendRun(dst, origin, n)
		for _, dot := range dots[:n] {
			dst = binary.AppendUvarint(dst, dot.Counter)
		}
		dots = dots[n:]
	}
	return dst
}

func (d *Decoder) readDots(r *reader) []clock.Dot {
	n := r.count(core.MaxRumors, dotSizeMin)
	dots := resize(d.dots, n)
	for at := 0; at < n; {
		origin, run := readRun(r, n-at)
		for i := range dots[at : at+run] {
			dots[at+i] = clock.Dot{Origin: origin, Counter: readNumber(r)}
		}
		at += run
	}
	if n > 0 {
		d.dots, d.idle = dots, 0
	}
	return dots
}

// The flags of Place.
const (
	placeParent = 1 << iota
	placeAnswer
)

func appendPlace(dst []byte, m *core.Place) []byte {
	flags := byte(0)
	if m.Parent {
		flags |= placeParent
	}
	if m.Answer {
		flags |= placeAnswer
	}
	dst = append(dst, m.Root[:]...)
	dst = append(dst, m.Hops, flags)
	dst = binary.BigEndian.AppendUint32(dst, m.Number)
	return binary.BigEndian.AppendUint32(dst, m.Heard)
}

func readPlace(r *reader, m *core.Place) {
	m.Root, m.Hops = r.id(), r.byte()
	flags := r.byte()
	m.Parent, m.Answer = flags&placeParent != 0, flags&placeAnswer != 0
	m.Number, m.Heard = r.uint32(), r.uint32()
}

func appendHops(dst []byte, hops []uint8) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(hops))), hops...)
}

// readHops reads those of n rumors, or none. They stay where they came in.
func readHops(r *reader, n int) []uint8 {
	switch count := r.count(core.MaxRumors, 1); count {
	case 0:
		return nil
	case n:
		return r.take(n)
	}
	r.fail(hearsay.DropMalformed)
	return nil
}

// The flags of Seen.
const (
	seenAnswer = 1 << iota
	seenPart   // of not all origins: which follows
)

// appendSpan writes what a Seen is besides its ranges.
func appendSpan(dst []byte, m *core.Seen) []byte {
	flags := byte(0)
	if m.Answer {
		flags |= seenAnswer
	}
	if m.Of == (core.Span{}) {
		return append(dst, flags)
	}
	dst = append(dst, flags|seenPart)
	dst = append(dst, m.Of.From[:]...)
	return append(dst, m.Of.To[:]...)
}

func readSpan(r *reader, m *core.Seen) {
	flags := r.byte()
	m.Answer, m.Of = flags&seenAnswer != 0, core.Span{}
	if flags&seenPart != 0 {
		m.Of = core.Span{From: clock.Origin(r.id()), To: clock.Origin(r.id())}
	}
	if flags&^(seenAnswer|seenPart) != 0 || flags&seenPart != 0 && m.Of == (core.Span{}) {
		r.fail(hearsay.DropMalformed)
	}
}

// appendRanges writes a range as its low end and how far it goes beyond.
func appendRanges(dst []byte, ranges []core.SeenRange) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(ranges)))
	for len(ranges) > 0 {
		origin, n := ranges[0].Origin, 1
		for n < len(ranges) && ranges[n].Origin == origin {
			n++
		}
		dst = appendRun(dst, origin, n)
		for i := range ranges[:n] {
			dst = binary.AppendUvarint(dst, ranges[i].Low)
			dst = binary.AppendUvarint(dst, ranges[i].High-ranges[i].Low)
		}
		ranges = ranges[n:]
	}
	return dst
}

func (d *Decoder) readRanges(r *reader) []core.SeenRange {
	n := r.count(core.MaxSeenRanges, rangeSizeMin)
	ranges := resize(d.ranges, n)
	for at := 0; at < n; {
		origin, run := readRun(r, n-at)
		for i := range ranges[at : at+run] {
			low := readNumber(r)
			high := low + r.uvarint()
			if high < low {
				r.fail(hearsay.DropMalformed)
			}
			ranges[at+i] = core.SeenRange{Origin: origin, Range: clock.Range{Low: low, High: high}}
		}
		at += run
	}
	if n > 0 {
		d.ranges, d.idle = ranges, 0
	}
	if !r.failed && !core.RangesAscend(ranges) {
		r.fail(hearsay.DropMalformed)
	}
	return ranges
}

// How many elements a decoder keeps room for between packets: rumors of 16
// bytes in a full datagram, and as many names and ranges.
const (
	keptItems  = 64
	keptRanges = 64
)

// stock is room for what comes with rumors. IHave and Graft share it, as do
// Rumors and Seen: a packet has one body.
type stock struct {
	items  []hearsay.Rumor
	dots   []clock.Dot
	ranges []core.SeenRange

	idle int // packets since the last one that needed any of it
}

// letGoOfRumors frees what a large packet by stream has needed, and all of it
// where rumors are seldom. Rumors point to the packet that they came in, which
// is not held beyond the next.
func (d *Decoder) letGoOfRumors() {
	if d.idle++; d.idle > quietPackets {
		d.items, d.dots, d.ranges = nil, nil, nil
	}
	if cap(d.items) > keptItems {
		d.items = nil
	}
	if cap(d.dots) > keptItems {
		d.dots = nil
	}
	if cap(d.ranges) > keptRanges {
		d.ranges = nil
	}
	clear(d.items)
	d.rumors, d.iHave, d.graft.IDs, d.seen.Ranges = core.Rumors{}, core.IHave{}, nil, nil
}

// appendKeptRumor writes a rumor that this node has said, without its number,
// which is the key.
func appendKeptRumor(dst []byte, m *hearsay.Rumor) []byte {
	dst = append(dst, m.ID.Origin[:]...)
	return appendTold(dst, m)
}

// readKeptRumor copies the data: what the disk gives is not ours to keep.
func readKeptRumor(r *reader, number uint64) *hearsay.Rumor {
	m := &hearsay.Rumor{ID: clock.Dot{Origin: clock.Origin(r.id()), Counter: number}}
	readTold(r, m)
	m.Data = bytes.Clone(m.Data)
	return m
}
