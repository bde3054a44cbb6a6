package ring

import "cmp"

// Neighbors gives the two members between which subject stands on one ring:
// the one that comes next, and the one that came before. Those who are passed over do
// not count. With one other member left both are that one; not found is a
// subject who is alone. The order of members does not matter, and subject may
// be one of them or not.
//
// Among the same members b is the successor of a if and only if a is the
// predecessor of b.
func Neighbors[ID ~[16]byte](ring int, subject ID, members Members[ID], passed []ID) (successor, predecessor ID, found bool) {
	for i := range members.Count {
		id := members.At(i)
		if id == subject {
			continue
		}
		first := !found || Before(ring, subject, id, successor)
		last := !found || Before(ring, subject, predecessor, id)
		if !first && !last || contains(passed, id) { // seldom looked for: a random order has log(n) running minima
			continue
		}
		if first {
			successor = id
		}
		if last {
			predecessor = id
		}
		found = true
	}
	return successor, predecessor, found
}

// Before reports whether one who walks the ring past from, all the way round,
// meets a before b. Of two others one always comes first: the nearest is the
// successor of from, the farthest its predecessor.
func Before[ID ~[16]byte](ring int, from, a, b ID) bool {
	x, y := distance(ring, from, a), distance(ring, from, b)
	return cmp.Or(cmp.Compare(x.round, y.round), cmp.Compare(x.length, y.length), compare(a, b)) < 0
}

// walk is how far it is from one member to another.
type walk struct {
	round  int    // 1: all the way round, and not over the end
	length uint64 // else this far
}

// distance tells members of one place apart by their ids, so that all of them
// together still are one circle: such a place can be found by trying keys.
func distance[ID ~[16]byte](ring int, from, to ID) walk {
	length := place(uint64(ring), to) - place(uint64(ring), from) // past the end to the beginning
	if length == 0 && compare(to, from) <= 0 {
		return walk{round: 1}
	}
	return walk{length: length}
}
