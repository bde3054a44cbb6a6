package wire

import (
	"encoding/binary"
	"math"
	"math/bits"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// The fewest bytes that an element takes.
const (
	objectSizeMin  = 8 + 1 + 1 + 1                 // time, expires, lengths of key and value
	holdingSizeMin = 1 + 16 + 1                    // origin, sum, count
	liveSizeMin    = 1 + 1 + 1 + 8 + 1             // origin, low, span, sum, form
	syncedSizeMin  = objectSizeMin + 1 + 1 + 1 + 1 // and origin, number, first, last
	sumSizeMin     = 1 + 1 + 1 + 8                 // origin, low, span, sum
	partSizeMin    = syncedSizeMin + 1 + 16        // an object, size, hash
	goneSizeMin    = 1                             // number
	listedMost     = core.MaxLive                  // numbers in all live ranges of a message
)

// The forms in which the live numbers of a range are listed: whichever takes fewer bytes.
const (
	formSteps  = iota // count u · from the number before, or Low, u each
	formBitmap        // a bit for each number of the range, from the lowest bit of the first byte
)

// appendStore writes the messages of the store; not ok if m is none.
func appendStore(dst []byte, m core.Message) (_ []byte, ok bool) {
	switch m := m.(type) {
	case *core.Update:
		return appendUpdate(dst, m), true
	case *core.Sync:
		return appendSync(dst, m), true
	case *core.Fetch:
		return appendFetch(dst, m), true
	case *core.Part:
		dst = binary.AppendUvarint(appendSum(dst, m.Sum), uint64(m.Offset))
		return append(binary.AppendUvarint(dst, uint64(len(m.Bytes))), m.Bytes...), true
	}
	return dst, false
}

// readStore reads what appendStore wrote, anew; nil if the kind is none of the store.
func readStore(r *reader, k kind) core.Message {
	switch k {
	case kindUpdate:
		return readUpdate(r)
	case kindSync:
		return readSync(r)
	case kindFetch:
		return readFetch(r)
	case kindPart:
		return &core.Part{Sum: readSum(r), Offset: readUint32(r), Bytes: append([]byte(nil), r.sized()...)}
	}
	return nil
}

func appendUpdate(dst []byte, m *core.Update) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(m.Objects)))
	if len(m.Objects) > 0 {
		first := &m.Objects[0]
		dst = append(dst, first.Dot.Origin[:]...)
		dst = binary.AppendUvarint(dst, first.Dot.Counter)
		dst = binary.BigEndian.AppendUint64(dst, first.Time)
	}
	for i := range m.Objects {
		dst = appendObject(dst, &m.Objects[i])
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.Gone)))
	for gone := m.Gone; len(gone) > 0; {
		n := 1
		for n < len(gone) && gone[n].Origin == gone[0].Origin {
			n++
		}
		dst = appendRun(dst, gone[0].Origin, n)
		for _, dot := range gone[:n] {
			dst = binary.AppendUvarint(dst, dot.Counter)
		}
		gone = gone[n:]
	}
	return dst
}

func readUpdate(r *reader) *core.Update {
	m := &core.Update{}
	if n := r.count(hearsay.MaxWrites, objectSizeMin-8); n > 0 {
		origin, first, time := clock.Origin(r.id()), readNumber(r), r.uint64()
		m.Objects = make([]core.Object, n)
		for i := range m.Objects {
			o := &m.Objects[i]
			o.Dot, o.Time = clock.Dot{Origin: origin, Counter: first + uint64(i)}, time
			o.First, o.Last = first, first+uint64(n-1)
			readObject(r, o)
		}
		if first > math.MaxUint64-uint64(n) {
			r.fail(hearsay.DropMalformed)
		}
	}
	if n := r.count(core.MaxGone, goneSizeMin); n > 0 {
		m.Gone = make([]clock.Dot, n)
		for at := 0; at < n; {
			origin, run := readRun(r, n-at)
			for i := range m.Gone[at : at+run] {
				m.Gone[at+i] = clock.Dot{Origin: origin, Counter: readNumber(r)}
			}
			at += run
		}
	}
	return m
}

// appendObject writes what an object is besides its dot, its record and the time of that.
func appendObject(dst []byte, o *core.Object) []byte {
	dst = binary.AppendUvarint(dst, uint64(o.Expires))
	dst = append(binary.AppendUvarint(dst, uint64(len(o.Key))), o.Key...)
	return append(binary.AppendUvarint(dst, uint64(len(o.Value))), o.Value...)
}

// appendWhole writes what an object is besides its dot.
func appendWhole(dst []byte, o *core.Object) []byte {
	dst = binary.AppendUvarint(dst, o.Dot.Counter-o.First)
	dst = binary.AppendUvarint(dst, o.Last-o.Dot.Counter)
	return appendObject(binary.BigEndian.AppendUint64(dst, o.Time), o)
}

func readWhole(r *reader, o *core.Object) {
	before := r.uvarint()
	if before >= o.Dot.Counter {
		r.fail(hearsay.DropMalformed)
	}
	o.First, o.Last, o.Time = o.Dot.Counter-before, r.above(o.Dot.Counter), r.uint64()
	readObject(r, o)
}

func readObject(r *reader, o *core.Object) {
	expires := r.uvarint()
	if expires > math.MaxInt64 {
		r.fail(hearsay.DropMalformed)
	}
	o.Expires = int64(expires)
	if o.Key = string(r.sized()); o.Key == "" {
		r.fail(hearsay.DropMalformed)
	}
	o.Value = append([]byte{}, r.sized()...)
}

// above reads a number that is given as what it is beyond another.
func (r *reader) above(low uint64) uint64 {
	more := r.uvarint()
	if more > math.MaxUint64-low {
		r.fail(hearsay.DropMalformed)
	}
	return low + more
}

// places numbers the origins of a message in the order in which they are first named.
type places struct {
	at   map[clock.Origin]uint64
	list []clock.Origin
}

func (p *places) name(id clock.Origin) {
	if _, named := p.at[id]; !named {
		p.at[id] = uint64(len(p.list))
		p.list = append(p.list, id)
	}
}

// placesOf gives the origins that a message names.
func placesOf(m *core.Sync) *places {
	p := &places{at: make(map[clock.Origin]uint64)}
	for i := range m.Clock {
		p.name(m.Clock[i].Origin)
	}
	for i := range m.Of {
		p.name(m.Of[i].Origin)
	}
	for i := range m.Live {
		p.name(m.Live[i].Origin)
	}
	for i := range m.Objects {
		p.name(m.Objects[i].Dot.Origin)
	}
	for i := range m.Beside {
		p.name(m.Beside[i].Origin)
	}
	for i := range m.Sums {
		p.name(m.Sums[i].Origin)
	}
	if m.Parts != nil {
		for i := range m.Parts.Objects {
			p.name(m.Parts.Objects[i].Dot.Origin)
		}
	}
	return p
}

func appendSync(dst []byte, m *core.Sync) []byte {
	p := placesOf(m)
	dst = appendBool(dst, m.Asks)
	dst = binary.AppendUvarint(dst, uint64(len(p.list)))
	for i := range p.list {
		dst = append(dst, p.list[i][:]...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.Clock)))
	for i := range m.Clock {
		dst = appendHolding(dst, p, &m.Clock[i])
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.Of)))
	for i := range m.Of {
		dst = appendPlaced(dst, p, &m.Of[i])
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.Live)))
	for i := range m.Live {
		dst = appendPlaced(dst, p, &m.Live[i].SeenRange)
		dst = binary.BigEndian.AppendUint64(dst, m.Live[i].Sum)
		dst = appendListed(dst, &m.Live[i])
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.Objects)))
	for i := range m.Objects {
		dst = appendWhole(appendPlacedDot(dst, p, m.Objects[i].Dot), &m.Objects[i])
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.Beside)))
	for _, dot := range m.Beside {
		dst = appendPlacedDot(dst, p, dot)
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.Sums)))
	for i := range m.Sums {
		dst = appendPlaced(dst, p, &m.Sums[i].SeenRange)
		dst = binary.BigEndian.AppendUint64(dst, m.Sums[i].Sum)
	}
	return appendParts(dst, p, m.Parts)
}

func appendHolding(dst []byte, p *places, h *core.Holding) []byte {
	dst = binary.AppendUvarint(dst, p.at[h.Origin])
	return appendSeen(appendSum(dst, h.Sum), h.Seen)
}

func appendSum(dst []byte, s core.Sum) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, s.High), s.Low)
}

func readSum(r *reader) core.Sum { return core.Sum{High: r.uint64(), Low: r.uint64()} }

func readUint32(r *reader) uint32 {
	n := r.uvarint()
	if n > math.MaxUint32 {
		r.fail(hearsay.DropMalformed)
	}
	return uint32(n)
}

func appendParts(dst []byte, p *places, m *core.Parts) []byte {
	if m == nil {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.Objects)))
	for i := range m.Objects {
		dst = appendWhole(appendPlacedDot(dst, p, m.Objects[i].Dot), &m.Objects[i])
		dst = appendSum(binary.AppendUvarint(dst, uint64(m.Sizes[i])), m.Hashes[i])
	}
	return dst
}

func (s *syncReader) parts() *core.Parts {
	n := s.count(hearsay.MaxWrites, partSizeMin)
	if n == 0 {
		return nil
	}
	m := &core.Parts{Objects: make([]core.Object, n), Sizes: make([]uint32, n), Hashes: make([]core.Sum, n)}
	for i := range m.Objects {
		o := &m.Objects[i]
		o.Dot = s.dot()
		readWhole(s.reader, o)
		m.Sizes[i], m.Hashes[i] = readUint32(s.reader), readSum(s.reader)
	}
	return m
}

func appendFetch(dst []byte, m *core.Fetch) []byte {
	dst = appendSum(append(dst, m.Origin[:]...), m.Sum)
	dst = binary.AppendUvarint(dst, uint64(m.Offset))
	dst = binary.AppendUvarint(dst, uint64(len(m.Numbers)))
	last := uint64(0)
	for _, number := range m.Numbers {
		dst = binary.AppendUvarint(dst, number-last)
		last = number
	}
	return dst
}

func readFetch(r *reader) *core.Fetch {
	m := &core.Fetch{Origin: clock.Origin(r.id()), Sum: readSum(r), Offset: readUint32(r)}
	m.Numbers = list[uint64](r, hearsay.MaxWrites, 1)
	last := uint64(0)
	for i := range m.Numbers {
		before := last
		if last = r.above(last); last == before {
			r.fail(hearsay.DropMalformed)
		}
		m.Numbers[i] = last
	}
	return m
}

// appendSeen writes ranges that ascend: each begins so far beyond the end of the one before it.
func appendSeen(dst []byte, ranges []clock.Range) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(ranges)))
	last := uint64(0)
	for _, r := range ranges {
		dst = binary.AppendUvarint(dst, r.Low-last)
		dst = binary.AppendUvarint(dst, r.High-r.Low)
		last = r.High
	}
	return dst
}

func readSeen(r *reader, most int) []clock.Range {
	ranges, last := list[clock.Range](r, most, rangeSizeMin), uint64(0)
	for i := range ranges {
		low := r.above(last)
		if last = r.above(low); low == 0 || i > 0 && low < ranges[i-1].High+2 {
			r.fail(hearsay.DropMalformed)
		}
		ranges[i] = clock.Range{Low: low, High: last}
	}
	return ranges
}

func appendPlaced(dst []byte, p *places, s *core.SeenRange) []byte {
	dst = appendPlacedDot(dst, p, clock.Dot{Origin: s.Origin, Counter: s.Low})
	return binary.AppendUvarint(dst, s.High-s.Low)
}

func appendPlacedDot(dst []byte, p *places, d clock.Dot) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, p.at[d.Origin]), d.Counter)
}

// appendListed writes the live numbers of a range.
func appendListed(dst []byte, l *core.LiveRange) []byte {
	steps, last := uint64(0), l.Low
	for _, number := range l.Live {
		steps += uint64(bits.Len64(number-last|1)+6) / 7
		last = number
	}
	if room := (l.High-l.Low)/8 + 1; room <= steps {
		dst = append(dst, formBitmap)
		at := len(dst)
		dst = append(dst, make([]byte, room)...)
		for _, number := range l.Live {
			dst[at+int((number-l.Low)/8)] |= 1 << ((number - l.Low) % 8)
		}
		return dst
	}
	dst = append(dst, formSteps)
	dst = binary.AppendUvarint(dst, uint64(len(l.Live)))
	last = l.Low
	for _, number := range l.Live {
		dst = binary.AppendUvarint(dst, number-last)
		last = number
	}
	return dst
}

// syncReader reads a Sync.
type syncReader struct {
	*reader
	origins []clock.Origin
	listed  int // numbers in all live ranges so far
	ranges  int // of all holdings so far
}

func readSync(r *reader) *core.Sync {
	s, m := syncReader{reader: r}, &core.Sync{}
	m.Asks = r.bool()
	s.origins = make([]clock.Origin, r.count(math.MaxInt32, 16))
	for i := range s.origins {
		s.origins[i] = clock.Origin(r.id())
	}
	m.Clock = list[core.Holding](r, core.MaxClockRanges, holdingSizeMin)
	for i := range m.Clock {
		s.holding(&m.Clock[i])
	}
	m.Of = list[core.SeenRange](r, core.MaxOf, 3)
	for i := range m.Of {
		m.Of[i] = s.placed()
	}
	m.Live = list[core.LiveRange](r, core.MaxLiveRanges, liveSizeMin)
	for i := range m.Live {
		m.Live[i] = core.LiveRange{SeenRange: s.placed(), Sum: r.uint64()}
		s.list(&m.Live[i])
	}
	m.Objects = list[core.Object](r, core.MaxObjects, syncedSizeMin)
	for i := range m.Objects {
		m.Objects[i].Dot = s.dot()
		readWhole(r, &m.Objects[i])
	}
	m.Beside = list[clock.Dot](r, core.MaxBeside, 2)
	for i := range m.Beside {
		m.Beside[i] = s.dot()
	}
	m.Sums = list[core.SumRange](r, core.MaxSums, sumSizeMin)
	for i := range m.Sums {
		m.Sums[i] = core.SumRange{SeenRange: s.placed(), Sum: r.uint64()}
	}
	m.Parts = s.parts()
	return m
}

// list makes room for as many elements as are announced; nil if none is.
func list[T any](r *reader, most, sizeMin int) []T {
	if n := r.count(most, sizeMin); n > 0 {
		return make([]T, n)
	}
	return nil
}

func (s *syncReader) origin() (id clock.Origin) {
	if at := s.uvarint(); at < uint64(len(s.origins)) {
		return s.origins[at]
	}
	s.fail(hearsay.DropMalformed)
	return id
}

func (s *syncReader) dot() clock.Dot {
	return clock.Dot{Origin: s.origin(), Counter: readNumber(s.reader)}
}

func (s *syncReader) placed() core.SeenRange {
	d := s.dot()
	return core.SeenRange{Origin: d.Origin, Range: clock.Range{Low: d.Counter, High: s.above(d.Counter)}}
}

func (s *syncReader) holding(h *core.Holding) {
	h.Origin, h.Sum = s.origin(), readSum(s.reader)
	h.Seen = readSeen(s.reader, core.MaxClockRanges-s.ranges)
	s.ranges += len(h.Seen)
}

// list reads the live numbers of a range.
func (s *syncReader) list(l *core.LiveRange) {
	switch s.byte() {
	case formSteps:
		l.Live = list[uint64](s.reader, listedMost-s.listed, 1)
		last := l.Low
		for i := range l.Live {
			before := last
			if last = s.above(last); last > l.High || i > 0 && last == before {
				s.fail(hearsay.DropMalformed)
			}
			l.Live[i] = last
		}
	case formBitmap:
		room := (l.High-l.Low)/8 + 1
		if room > uint64(s.left()) {
			s.fail(hearsay.DropTruncated)
			return
		}
		bitmap, n := s.take(int(room)), 0
		for _, b := range bitmap {
			n += bits.OnesCount8(b)
		}
		if n > listedMost-s.listed {
			s.fail(hearsay.DropOversized)
			return
		}
		l.Live = make([]uint64, 0, n)
		for i, b := range bitmap {
			for ; b != 0; b &= b - 1 {
				l.Live = append(l.Live, l.Low+uint64(8*i+bits.TrailingZeros8(b)))
			}
		}
		if n == 0 || l.Live[n-1] > l.High {
			s.fail(hearsay.DropMalformed)
		}
	default:
		s.fail(hearsay.DropMalformed)
	}
	s.listed += len(l.Live)
}

// appendStoreRecord appends the key and value of a record of the store; no bucket if it is none.
func appendStoreRecord(k, v []byte, r core.Record) (bucket Bucket, key, value []byte, drop bool) {
	switch r := r.(type) {
	case *core.KeptStore:
		return BucketSelf, append(k, keyStore...), binary.BigEndian.AppendUint64(append(v, r.Origin[:]...), r.Reserved), false
	case *core.KeptObject:
		o := r.Object
		k = binary.BigEndian.AppendUint64(append(k, o.Dot.Origin[:]...), o.Dot.Counter)
		if r.Gone {
			return BucketValues, k, v, true
		}
		return BucketValues, k, appendWhole(v, o), false
	case *core.KeptSeen:
		k = append(k, r.Origin[:]...)
		if len(r.Ranges) == 0 {
			return BucketSeen, k, v, true
		}
		return BucketSeen, k, appendSeen(v, r.Ranges), false
	case *core.KeptOver:
		k = append(k, r.Origin[:]...)
		if r.Gone {
			return BucketOver, k, v, true
		}
		return BucketOver, k, appendSeen(binary.BigEndian.AppendUint64(v, uint64(r.Since)), r.Seen), false
	}
	return "", k, v, false
}

// readStoreRecord reads back what appendStoreRecord wrote.
func readStoreRecord(bucket Bucket, k, v *reader) core.Record {
	origin := clock.Origin(k.id())
	switch bucket {
	case BucketValues:
		o := &core.Object{Dot: clock.Dot{Origin: origin, Counter: k.uint64()}}
		if o.Dot.Counter < 1 {
			k.fail(hearsay.DropMalformed)
			return &core.KeptObject{}
		}
		readWhole(v, o)
		return &core.KeptObject{Object: o}
	case BucketSeen:
		return &core.KeptSeen{Origin: origin, Ranges: readSeen(v, math.MaxInt32)}
	}
	return &core.KeptOver{Origin: origin, Since: int64(v.uint64()), Seen: readSeen(v, math.MaxInt32)}
}
