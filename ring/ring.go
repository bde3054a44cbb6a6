// Package ring chooses the observers of a member: K distinct members, fixed by
// nothing but the list of members, so that nobody chooses his own witnesses
// and any two who know the same members choose the same.
//
// Each of K rings is its own order of all members, by a hash of ring and
// identity. From the subject one walks each ring to the next member that is
// not taken yet:
//
//	ring 0    … ─ D ─ X ─ B ─ A ─ …        takes B
//	ring 1    … ─ A ─ X ─ B ─ C ─ …        B is taken: takes C
//	ring 2    … ─ C ─ X ─ A ─ D ─ …        takes A
//
// A member that comes or goes moves at most one observer of any subject.
//
// The same rings give neighbors for an overlay: who stands next, and who before.
package ring

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Members are a list that is asked for its entries, so that nobody has to make
// one whose own is of another kind. At gives the same for the same number, from
// 0 to Count-1, until the call with it returns.
type Members[ID ~[16]byte] struct {
	Count int
	At    func(i int) ID
}

// Of makes members of a slice.
func Of[ID ~[16]byte](ids []ID) Members[ID] {
	return Members[ID]{Count: len(ids), At: func(i int) ID { return ids[i] }}
}

// Observers appends to dst the k distinct observers of subject among members,
// in the order of the rings; all other members if there are fewer than k.
// The order of members does not matter, and subject may be one of them or not.
//
// It takes k walks over members and keeps no memory.
func Observers[ID ~[16]byte](dst []ID, subject ID, members Members[ID], k int) []ID {
	start := len(dst)
	for ring := range k {
		next, found := following(uint64(ring), subject, members, dst[start:])
		if !found {
			break
		}
		dst = append(dst, next)
	}
	return dst
}

// following finds the first member past subject on one ring that is neither
// the subject nor taken.
func following[ID ~[16]byte](ring uint64, subject ID, members Members[ID], taken []ID) (next ID, found bool) {
	origin := place(ring, subject)
	shortest := uint64(0)
	for i := range members.Count {
		id := members.At(i)
		// Unsigned subtraction walks on past the end of the ring to its beginning.
		distance := place(ring, id) - origin
		if found && (distance > shortest || distance == shortest && compare(id, next) >= 0) {
			continue
		}
		// Seldom reached: a random order has log(n) running minima.
		if id == subject || contains(taken, id) {
			continue
		}
		next, shortest, found = id, distance, true
	}
	return next, found
}

// The constants that tell the rings apart: the fractional parts of the golden
// ratio and of the square roots of 2 and 3 in 64 bits, made odd.
const (
	golden = 0x9e3779b97f4a7c15
	root2  = 0x6a09e667f3bcc909
	root3  = 0xbb67ae8584caa73b
)

// place is where id stands on a ring: its two words folded by one long
// multiplication, then spread once more. It need not resist an adversary, who
// can try keys as long as he likes against any public hash; it must be the
// same on every machine and for ever.
func place[ID ~[16]byte](ring uint64, id ID) uint64 {
	b := [16]byte(id)
	first := binary.BigEndian.Uint64(b[:8]) ^ (ring+1)*golden
	second := binary.BigEndian.Uint64(b[8:]) ^ root2
	high, low := bits.Mul64(first, second)
	h := (high ^ low) * root3
	return h ^ h>>32
}

func contains[ID ~[16]byte](ids []ID, id ID) bool {
	for i := range ids {
		if ids[i] == id {
			return true
		}
	}
	return false
}

func compare[ID ~[16]byte](a, b ID) int {
	x, y := [16]byte(a), [16]byte(b)
	return bytes.Compare(x[:], y[:])
}
