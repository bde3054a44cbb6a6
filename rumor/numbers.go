package rumor

import (
	"math/rand/v2"

	"hearsay"
	"hearsay/clock"
)

// maxLeap is how many numbers a life leaves out at most before its first, and leastLeap at least; see leap.
const (
	maxLeap   = 1 << 30
	leastLeap = maxLeap / 2
)

// numbers are those of this node's own rumors.
type numbers struct {
	last     uint64 // used or left out
	reserved uint64 // up to here they are reserved on disk
	first    uint64 // from here to reserved they are this life's, and nobody else has used them; 0: it has said nothing
	earlier  bool   // there were earlier lives

	taken clock.Context // numbers that neighbors say they have seen, beyond the last: of lives that are forgotten, or forged
}

// takenMost bounds the ranges of numbers that are left out because neighbors have seen them. A guess.
const takenMost = 64

// take notes which numbers a neighbor has seen, so that none of them is used: it would not take the rumor.
func (n *numbers) take(own clock.Origin, theirs []clock.Range) {
	for len(theirs) > 0 && theirs[0].High <= n.last {
		theirs = theirs[1:]
	}
	if len(theirs) == 0 || theirs[0].Low > n.last+maxForgot {
		return
	}
	n.taken.AddRanges(own, theirs)
	if taken := n.taken.Of(own); len(taken) > takenMost {
		forgetBelow(&n.taken, own, taken[len(taken)-takenMost/2].Low)
	}
}

// leap leaves out some numbers before the first of a life, drawn at random, if there were earlier
// lives. The directory may be older than what they have said, which nothing shows if it was put
// back in its place, or with its whole machine: what it has forgotten then has other numbers than
// what is said now, but for one case in some 2^29 for each that was forgotten.
func (n *numbers) leap(random *rand.Rand) {
	if n.earlier {
		n.last += leastLeap + uint64(random.Int64N(maxLeap-leastLeap))
	}
	n.reserved, n.first = n.last, n.last+1
}

// mine reports whether a number is one that only this life can have used.
func (n *numbers) mine(number uint64) bool {
	return n.first != 0 && n.first <= number && number <= n.reserved
}

// next takes the next number, but for those that others have for this node's own.
func (r *Rumors) next() uint64 {
	n := &r.numbers
	if n.first == 0 {
		n.leap(r.random)
	}
	own := hearsay.OriginOf(r.self)
	n.last++
	for number := uint64(0); number != n.last; {
		number = n.last
		n.last = free(n.taken.Of(own), free(r.seen.context.Of(own), number))
	}
	if n.last > n.reserved {
		n.reserved = n.last + blockSize - 1
		r.out.Persist = append(r.out.Persist, &hearsay.ReservedNumbers{Upto: n.reserved})
	}
	return n.last
}
