package rumor

import (
	"math/rand/v2"
	"time"

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
	last     uint64    // used or left out
	reserved uint64    // up to here they are reserved on disk
	first    uint64    // from here to reserved they are this life's, and nobody else has used them; 0: it has said nothing
	earlier  bool      // there were earlier lives
	endAt    time.Time // from then on nobody can hold a rumor of theirs
	ended    bool      // that is over
}

// begin starts a life.
func (n *numbers) begin(endAt time.Time, earlier bool) {
	if n.endAt, n.earlier = never, earlier; earlier {
		n.endAt = endAt
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
func (r *Rumors) next(now time.Time) uint64 {
	n := &r.numbers
	if n.first == 0 {
		n.leap(r.random)
		r.endLives(now)
	}
	n.last = r.seen.free(hearsay.OriginOf(r.self), n.last+1)
	if n.last > n.reserved {
		n.reserved = n.last + blockSize - 1
		r.out.Persist = append(r.out.Persist, &hearsay.ReservedNumbers{Upto: n.reserved})
	}
	return n.last
}

// tickNumbers lets go of earlier lives when nobody can hold a rumor of theirs any more.
func (r *Rumors) tickNumbers(now time.Time) {
	if n := &r.numbers; !now.Before(n.endAt) {
		n.endAt, n.ended = never, true
		r.endLives(now)
	}
}

// endLives says that all numbers before this life's first are gone, if nobody can hold a rumor under
// them any more: they were said too long ago, or left out. Everybody else keeps a range of an origin's numbers for each of its
// lives until then, and has room for so many of them.
func (r *Rumors) endLives(now time.Time) {
	n := &r.numbers
	if !n.ended || n.first <= 1 {
		return
	}
	if r.letGo(hearsay.OriginOf(r.self), []clock.Range{{Low: 1, High: n.first - 1}}) {
		r.compare.at = soonest(r.compare.at, now.Add(r.between(0, r.cfg.CompareEvery)))
	}
}
