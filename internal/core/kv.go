package core

import (
	"math/bits"
	"slices"
	"time"

	"hearsay/clock"
)

// Sum is a number of 128 bits: hashes are added to it and taken from it, in any order, modulo 2^128.
type Sum struct{ High, Low uint64 }

// Add gives the sum of both.
func (s Sum) Add(other Sum) Sum {
	low, carry := bits.Add64(s.Low, other.Low, 0)
	high, _ := bits.Add64(s.High, other.High, carry)
	return Sum{high, low}
}

// Sub gives what Add of other gives s.
func (s Sum) Sub(other Sum) Sum {
	low, borrow := bits.Sub64(s.Low, other.Low, 0)
	high, _ := bits.Sub64(s.High, other.High, borrow)
	return Sum{high, low}
}

// Object is a value of a key: what a live dot of the store stands for. It never changes.
type Object struct {
	Dot     clock.Dot
	Key     string
	Value   []byte
	Time    uint64 // of the write, hybrid: Unix milliseconds, and TimeBits
	Expires int64  // Unix milliseconds; 0: never
	// the numbers of the dots of its record: a record of several keys is taken whole or not at all
	First, Last uint64
}

// TimeBits of a hybrid time count within a millisecond.
const TimeBits = 16

// At is when the object was written, by the clock of its writer, or of one whose write that one had seen.
func (o *Object) At() time.Time { return time.UnixMilli(int64(o.Time >> TimeBits)).UTC() }

// Update is one record of the store, as its writer made it: these dots become live, and those become gone.
type Update struct {
	Objects []Object // of one origin, First to Last of the record, each of another key; none: a delete
	Gone    []clock.Dot
}

// Holding is all that a node says of one origin: which of its dots it has seen, and the sum of the hashes of those
// that are live.
type Holding struct {
	Origin clock.Origin
	Seen   []clock.Range // ascending
	Sum    Sum
}

// LiveRange says of a range of dots, all of which its sender has seen, that these are live and all others are gone.
type LiveRange struct {
	SeenRange
	Live []uint64 // ascending
	Sum  uint64   // the low half of the sum of their hashes
}

// SumRange is the sum of the hashes of the live dots in a range, its low half. The sender has seen the whole range.
type SumRange struct {
	SeenRange
	Sum uint64
}

// Sync is how two replicas become equal. Each is answered by one at most, and nothing is kept between two of them. One
// that says nothing answers a node that asks while its sender waits for a third:
//
//	A                            B
//	|--- Clock ----------------->|   B holds other hashes than A
//	|<--- Clock, Live, Objects --|   what A lacks; Clock: what A may have that B lacks
//	|--- Clock, Live, Objects -->|   what B lacks, or what A still lacks
//	|<-------------------- Sums -|   both have seen the same, and not the same is live: halve the ranges
//	|--- Sums, Live ------------>|   where few are live, which
//	|<-------------------- Live -|   what A holds live and B knows to be gone
type Sync struct {
	Asks    bool        // for what its sender lacks
	Clock   []Holding   // if it asks: all that the sender has seen, by ascending origin
	Of      []SeenRange // only these are given, in both directions; none: all, and sums are compared, too
	Live    []LiveRange // ascending, and so are Sums; no two overlap
	Objects []Object    // of Live, what the receiver lacks, ascending by dot
	Beside  []clock.Dot // all live dots of those keys of Objects that have several, ascending. With Objects goes Clock
	Sums    []SumRange
	Parts   *Parts // in place of Objects, where these are too long for a message
}

// SaysNothing reports whether a message says only that its sender is busy: it waits for the answer of another.
func (m *Sync) SaysNothing() bool {
	return !m.Asks && len(m.Live)+len(m.Objects)+len(m.Sums)+len(m.Clock)+len(m.Beside) == 0 && m.Parts == nil
}

// Parts announces the objects of one record, whose values are fetched:
//
//	A                            B
//	|<--- Clock, Live, Parts ----|
//	|--- Fetch 0 --------------->|
//	|<------------------- Part --|   and so on, until A has all: it takes them as if they had been in the Sync
type Parts struct {
	Objects []Object // of one record, ascending, without their values
	Sizes   []uint32 // bytes of these
	Hashes  []Sum    // of the objects with their values
}

// Fetch asks for what follows of the values of a record that was announced (Parts): of these, one after the other.
type Fetch struct {
	Origin  clock.Origin
	Numbers []uint64 // of the dots, ascending
	Sum     Sum      // of the hashes of the objects
	Offset  uint32   // bytes that are here
}

// Part answers a Fetch.
type Part struct {
	Sum    Sum // as of the Fetch, and so is Offset
	Offset uint32
	Bytes  []byte // at most MaxPart; none: its sender does not hold all of that any more
}

// CompareDots orders dots by origin, then by number.
func CompareDots(a, b clock.Dot) int {
	switch order := a.Origin.Compare(b.Origin); {
	case order != 0:
		return order
	case a.Counter < b.Counter:
		return -1
	case a.Counter > b.Counter:
		return 1
	}
	return 0
}

// How many bytes the encoding of parts of Sync and Update takes, about: an origin is written once, and then named by
// its place; numbers are differences.
const (
	originBytes = 17
	rangeBytes  = 5
	sumBytes    = 8
	dotBytes    = 3
	objectBytes = 16 // besides key and value
)

// Size is about how many bytes an object takes in a message.
func (o *Object) Size() int { return objectBytes + len(o.Key) + len(o.Value) }

// Size is about how many bytes an update takes in a message.
func (u *Update) Size() int {
	size, origins := 0, []clock.Origin(nil)
	for i := range u.Objects {
		size += u.Objects[i].Size()
	}
	if len(u.Objects) > 0 {
		origins = append(origins, u.Objects[0].Dot.Origin)
	}
	for _, d := range u.Gone {
		size += dotBytes
		if !slices.Contains(origins, d.Origin) {
			origins = append(origins, d.Origin)
		}
	}
	return size + originBytes*len(origins)
}

// size is how many bytes the live numbers take: as differences, or as a bit for each number, whichever is less.
func (l *LiveRange) size() int {
	size, last := 0, l.Low
	for _, number := range l.Live {
		size += (bits.Len64(number-last|1) + 6) / 7
		last = number
	}
	return int(min(uint64(size), (l.High-l.Low)/8+1))
}

// Size is about how many bytes a message takes.
func (m *Sync) Size() int {
	size, named := 1, make(map[clock.Origin]bool)
	name := func(origin clock.Origin) {
		if !named[origin] {
			named[origin] = true
			size += originBytes
		}
	}
	for i := range m.Clock {
		name(m.Clock[i].Origin)
		size += 2*sumBytes + 1 + rangeBytes*len(m.Clock[i].Seen)
	}
	for i := range m.Of {
		name(m.Of[i].Origin)
		size += rangeBytes
	}
	for i := range m.Live {
		name(m.Live[i].Origin)
		size += rangeBytes + sumBytes + 2 + m.Live[i].size()
	}
	for i := range m.Objects {
		size += m.Objects[i].Size() // its dot is in Live
	}
	for _, d := range m.Beside {
		name(d.Origin)
		size += dotBytes
	}
	for i := range m.Sums {
		name(m.Sums[i].Origin)
		size += dotBytes + sumBytes // a range begins where the one before it ends
	}
	if m.Parts != nil {
		for i := range m.Parts.Objects {
			size += m.Parts.Objects[i].Size() + 2*sumBytes + dotBytes
		}
	}
	return size
}
