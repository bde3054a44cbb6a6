package rumor

import (
	"slices"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// Limits of numbers.
const (
	maxNumber = 1 << 62 // at all
	maxAhead  = 1 << 40 // beyond the highest seen of its origin: a thousand lives of which nobody heard
	// of this node's own that only others know, beyond its last: sixteen lives that its directory has forgotten
	maxForgot = 1 << 34
	blockSize = 1024 // reserved at a time
	takenMost = 64   // ranges that are left out because neighbors have seen them. A guess
)

// maxLeap is how many numbers a life leaves out at most before its first, and leastLeap at least; see leap.
const (
	maxLeap   = 1 << 30
	leastLeap = maxLeap / 2
)

// numbers are those of this node's own rumors.
type numbers struct {
	*shared
	last     uint64 // used or left out
	reserved uint64 // up to here they are reserved on disk
	first    uint64 // from here to reserved they are this life's, and nobody else has used them; 0: it has said nothing
	earlier  bool   // there were earlier lives

	// numbers that neighbors say they have seen, beyond the last: of lives that are forgotten, or forged
	taken clock.Context
}

// leaveOut notes which numbers a neighbor has seen, so that none of them is used: it would not take the rumor.
func (n *numbers) leaveOut(own clock.Origin, theirs []clock.Range) {
	for len(theirs) > 0 && theirs[0].High <= n.last {
		theirs = theirs[1:]
	}
	highest, near := min(maxNumber, n.last+maxForgot), 0 // what is beyond is forged, and others would not believe it
	for near < len(theirs) && theirs[near].Low <= highest {
		near++
	}
	if near == 0 {
		return
	}
	if theirs = theirs[:near]; theirs[near-1].High > highest {
		theirs = append(slices.Clone(theirs[:near-1]), clock.Range{Low: theirs[near-1].Low, High: highest})
	}
	n.taken.AddRanges(own, theirs)
	if taken := n.taken.Of(own); len(taken) > takenMost {
		forgetBelow(&n.taken, own, taken[len(taken)-takenMost/2].Low)
	}
}

// leap leaves out some numbers before the first of a life, drawn at random, if there were earlier lives. The directory
// may be older than what they have said, which nothing shows if it was put back in its place, or with its whole
// machine: what it has forgotten then has other numbers than what is said now, but for one case in some 2^29 for each
// that was forgotten.
func (n *numbers) leap() {
	if n.earlier {
		n.last += leastLeap + uint64(n.random.Int64N(maxLeap-leastLeap))
	}
	n.reserved, n.first = n.last, n.last+1
}

// mine reports whether a number is one that only this life can have used.
func (n *numbers) mine(number uint64) bool {
	return n.first != 0 && n.first <= number && number <= n.reserved
}

// take takes the next number, but for those that others have for this node's own.
func (n *numbers) take() uint64 {
	if n.first == 0 {
		n.leap()
	}
	own := hearsay.OriginOf(n.self)
	n.last++
	for number := uint64(0); number != n.last; {
		number = n.last
		n.last = free(n.taken.Of(own), free(n.rumors.seen.context.Of(own), number))
	}
	if n.last > n.reserved {
		n.reserved = n.last + blockSize - 1
		n.out.Persist = append(n.out.Persist, &core.ReservedNumbers{Upto: n.reserved})
	}
	return n.last
}
