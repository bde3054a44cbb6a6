package clock

import "sort"

// What is done with lists of ranges that ascend, and of which no two overlap. Each
// takes one pass over its arguments: a list may have thousands, of a stranger's
// choice.

// Ascend reports whether ranges are ranges at all, ascend, and do not overlap.
func Ascend(ranges []Range) bool {
	last := uint64(0)
	for _, r := range ranges {
		if r.Low <= last || r.High < r.Low {
			return false
		}
		last = r.High
	}
	return true
}

// Without gives what of ranges is not in taken. What of a long taken lies before them is not gone through.
func Without(ranges, taken []Range) (left []Range) {
	for _, r := range ranges {
		if len(taken) > 0 && taken[0].High < r.Low {
			taken = taken[sort.Search(len(taken), func(i int) bool { return taken[i].High >= r.Low }):]
		}
		for len(taken) > 0 && taken[0].Low <= r.High {
			if taken[0].Low > r.Low {
				left = append(left, Range{r.Low, taken[0].Low - 1})
			}
			if r.Low = taken[0].High + 1; taken[0].High >= r.High {
				break // what is taken may reach into the next
			}
			taken = taken[1:]
		}
		if r.Low <= r.High && r.Low > 0 { // 0: taken up to the end of all counters
			left = append(left, r)
		}
	}
	return left
}

// Common gives what is in both.
func Common(a, b []Range) (both []Range) {
	for len(a) > 0 && len(b) > 0 {
		if low, high := max(a[0].Low, b[0].Low), min(a[0].High, b[0].High); low <= high {
			both = append(both, Range{low, high})
		}
		if a[0].High < b[0].High {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return both
}

// Cover reports whether all of ranges is in taken.
func Cover(taken, ranges []Range) bool { return len(Without(ranges, taken)) == 0 }

// union gives what is in either, in as few ranges as it takes.
func union(a, b []Range) []Range {
	merged := make([]Range, 0, len(a)+len(b))
	for len(a)+len(b) > 0 {
		var next Range
		if len(b) == 0 || len(a) > 0 && a[0].Low <= b[0].Low {
			next, a = a[0], a[1:]
		} else {
			next, b = b[0], b[1:]
		}
		// Counters begin at 1, so taking 1 away is safe where adding is not.
		if n := len(merged); n > 0 && merged[n-1].High >= next.Low-1 {
			merged[n-1].High = max(merged[n-1].High, next.High)
		} else {
			merged = append(merged, next)
		}
	}
	return merged
}

// UnionSize is how many ranges both come to together.
func UnionSize(a, b []Range) int { return len(union(a, b)) }
