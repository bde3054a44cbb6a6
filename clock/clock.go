// Package clock tells which writes were seen, without asking when.
//
// Every write has a name of its own, a [Dot]: the origin that made it, and
// that origin's count of writes. A [Context] is a set of dots, and all that a
// replica needs to know of the past: merging two is their union, so it does
// not matter in which order, in which parts or how often they come together.
// One context covers another if it has seen everything that the other has;
// if neither covers the other, they are concurrent.
//
// Dots are from Almeida, Baquero, Gonçalves, Preguiça and Fonte, "Scalable and
// Accurate Causality Tracking for Eventually Consistent Stores" (2014). The
// context is the bitmapped version vector of Gonçalves, Almeida, Baquero and
// Fonte, "DottedDB: Anti-Entropy without Merkle Trees, Deletes without
// Tombstones" (2017), but for its form: where they keep, for each origin, the
// end of the prefix and a bitmap of what was seen beyond, we keep ranges.
// A bitmap is as long as the newest dot is far; ranges are as many as there
// are gaps.
package clock

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"sort"
)

// Origin names one life of one data directory of one node. A node that lost
// its data, or runs without any, is a new origin each time it starts: it
// cannot know which counters it has used.
type Origin [16]byte

// Compare orders origins by their bytes.
func (o Origin) Compare(other Origin) int { return bytes.Compare(o[:], other[:]) }

// String gives all 32 hexadecimal digits.
func (o Origin) String() string { return hex.EncodeToString(o[:]) }

// MarshalText gives what String gives.
func (o Origin) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText takes 32 hexadecimal digits.
func (o *Origin) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(o) {
		return fmt.Errorf("origin %.64q: want %d hexadecimal digits", text, 2*len(o))
	}
	copy(o[:], b)
	return nil
}

// Dot names one write for ever.
type Dot struct {
	Origin  Origin
	Counter uint64 // from 1, one more for each write of the origin
}

// Range is the counters from Low to High, both included: 1 <= Low <= High.
type Range struct{ Low, High uint64 }

// Context is a set of dots. The zero Context is empty and ready for use. It is
// not safe for concurrent use.
//
// It takes 16 bytes for each gap in what was seen of an origin and some 100
// for each origin, however many dots it holds and however far apart they are.
// A replica that hears everything has no gaps. Nothing is forgotten by itself, so
// a caller that takes contexts from strangers bounds how many ranges they bring.
type Context struct {
	// The ranges of an origin ascend, and no two of them overlap or touch:
	// between two there is always a dot that was not seen. An origin of which
	// nothing was seen has no entry. So equal sets have equal forms.
	seen   map[Origin][]Range
	ranges int // of all origins
}

// Add puts one dot into the set, and reports whether it was not there yet.
// The counter must be at least 1.
func (c *Context) Add(d Dot) bool {
	if c.Has(d) {
		return false
	}
	c.AddRange(d.Origin, Range{d.Counter, d.Counter})
	return true
}

// AddRange puts all dots of a range into the set. A range that breaks its
// rule panics: it is checked where it comes in.
func (c *Context) AddRange(origin Origin, r Range) {
	if r.Low < 1 || r.High < r.Low {
		panic("clock: not a range of counters")
	}
	if c.seen == nil {
		c.seen = make(map[Origin][]Range)
	}
	ranges := c.seen[origin]
	// Those that overlap or touch r, from first up to after, become one with
	// it. Counters begin at 1, so taking 1 away is safe where adding is not.
	first := sort.Search(len(ranges), func(i int) bool { return ranges[i].High >= r.Low-1 })
	after := sort.Search(len(ranges), func(i int) bool { return ranges[i].Low-1 > r.High })
	if first < after {
		r.Low = min(r.Low, ranges[first].Low)
		r.High = max(r.High, ranges[after-1].High)
	}
	c.ranges += 1 - (after - first)
	c.seen[origin] = slices.Replace(ranges, first, after, r)
}

// AddRanges puts ranges of one origin into the set, in one pass: they ascend, and
// no two of them overlap. Ranges that break the rule panic, as with AddRange.
func (c *Context) AddRanges(origin Origin, ranges []Range) {
	if len(ranges) == 0 {
		return
	}
	if !Ascend(ranges) {
		panic("clock: not ranges that ascend")
	}
	if c.seen == nil {
		c.seen = make(map[Origin][]Range)
	}
	old := len(c.seen[origin])
	c.seen[origin] = union(c.seen[origin], ranges)
	c.ranges += len(c.seen[origin]) - old
}

// Has reports whether the dot is in the set.
func (c *Context) Has(d Dot) bool {
	return c.hasRange(d.Origin, Range{d.Counter, d.Counter})
}

// hasRange reports whether all of r was seen. As no two ranges touch, one of
// them then holds it whole.
func (c *Context) hasRange(origin Origin, r Range) bool {
	ranges := c.seen[origin]
	i := sort.Search(len(ranges), func(i int) bool { return ranges[i].High >= r.High })
	return i < len(ranges) && ranges[i].Low <= r.Low
}

// Prefix gives the last counter before the first dot of the origin that was
// not seen: everything from 1 up to it is in the set. It is 0 if the first
// write is missing.
func (c *Context) Prefix(origin Origin) uint64 {
	if ranges := c.seen[origin]; len(ranges) > 0 && ranges[0].Low == 1 {
		return ranges[0].High
	}
	return 0
}

// Merge puts all dots of other into the set. Other stays as it is.
func (c *Context) Merge(other *Context) {
	for origin, ranges := range other.seen { // order does not matter: a union
		for _, r := range ranges {
			c.AddRange(origin, r)
		}
	}
}

// Covers reports whether every dot of other is in the set.
func (c *Context) Covers(other *Context) bool {
	for origin, ranges := range other.seen { // order does not matter: all must hold
		for _, r := range ranges {
			if !c.hasRange(origin, r) {
				return false
			}
		}
	}
	return true
}

// Equal reports whether both hold the same dots.
func (c *Context) Equal(other *Context) bool {
	return maps.EqualFunc(c.seen, other.seen, slices.Equal[[]Range])
}

// Clone gives a copy that shares nothing with c.
func (c *Context) Clone() *Context {
	clone := &Context{}
	clone.Merge(c)
	return clone
}

// Len counts the dots. What exceeds a uint64, which only a forged context
// does, counts as the largest.
func (c *Context) Len() uint64 {
	n := uint64(0)
	for _, ranges := range c.seen { // order does not matter: a sum
		for _, r := range ranges {
			size := r.High - r.Low + 1
			if size > math.MaxUint64-n {
				return math.MaxUint64
			}
			n += size
		}
	}
	return n
}

// Ranges gives the set as its ranges: origins in the order of their bytes,
// the ranges of each ascending. Equal sets give equal sequences. The set must
// not change meanwhile.
func (c *Context) Ranges() iter.Seq2[Origin, Range] {
	return func(yield func(Origin, Range) bool) {
		for _, origin := range slices.SortedFunc(maps.Keys(c.seen), Origin.Compare) {
			for _, r := range c.seen[origin] {
				if !yield(origin, r) {
					return
				}
			}
		}
	}
}

// Of gives the ranges of one origin, ascending. They belong to the set, and are
// as they are until it changes.
func (c *Context) Of(origin Origin) []Range { return c.seen[origin] }

// Origins gives the origins of which anything was seen, in the order of their
// bytes.
func (c *Context) Origins() []Origin {
	return slices.SortedFunc(maps.Keys(c.seen), Origin.Compare)
}

// NumRanges counts the ranges of all origins.
func (c *Context) NumRanges() int { return c.ranges }

// Forget drops all dots of an origin: for one that is gone for ever.
func (c *Context) Forget(origin Origin) {
	c.ranges -= len(c.seen[origin])
	delete(c.seen, origin)
}
