package kv

import (
	"slices"
	"sort"

	"hearsay/internal/core"
)

// blockSize is how many objects a block of an index has at most: enough that the list of blocks is short, few enough
// that to move or add up those of one takes less than a microsecond.
const blockSize = 128

// index keeps objects in the order of something in them. It is a sorted list in blocks, each with the sum of the hashes
// in it, so that the sum of any range costs an addition a block and two blocks gone through.
type index[K any] struct {
	of      func(*object) K
	compare func(o *object, k K) int // k is a value, or to look it up would allocate
	blocks  []block                  // none is empty
}

type block struct {
	objects []*object
	sum     core.Sum
}

func (b *block) last() *object { return b.objects[len(b.objects)-1] }

// find gives the place of the first object that is not before k: a block, and the place in it.
func (x *index[K]) find(k K) (at, in int) {
	at = sort.Search(len(x.blocks), func(i int) bool { return x.compare(x.blocks[i].last(), k) >= 0 })
	if at == len(x.blocks) {
		return at, 0
	}
	objects := x.blocks[at].objects
	return at, sort.Search(len(objects), func(i int) bool { return x.compare(objects[i], k) >= 0 })
}

// get gives the object at k, or nil.
func (x *index[K]) get(k K) *object {
	if at, in := x.find(k); at < len(x.blocks) {
		if o := x.blocks[at].objects[in]; x.compare(o, k) == 0 {
			return o
		}
	}
	return nil
}

// insert puts an object in its place. A block at the end is filled before the next begins, since most come in order.
func (x *index[K]) insert(o *object) {
	at, in := x.find(x.of(o))
	if at == len(x.blocks) && at > 0 && len(x.blocks[at-1].objects) < blockSize {
		at--
		in = len(x.blocks[at].objects)
	}
	switch {
	case at == len(x.blocks):
		x.blocks = append(x.blocks, newBlock(nil))
	case len(x.blocks[at].objects) == blockSize:
		const half = blockSize / 2
		right := newBlock(x.blocks[at].objects[half:])
		x.blocks = slices.Insert(x.blocks, at+1, right)
		left := &x.blocks[at]
		clear(left.objects[half:])
		left.objects = left.objects[:half]
		left.sum = left.sum.Sub(right.sum)
		if in > half {
			at, in = at+1, in-half
		}
	}
	b := &x.blocks[at]
	b.objects = slices.Insert(b.objects, in, o)
	b.sum = b.sum.Add(o.hash)
}

func newBlock(objects []*object) block {
	b := block{objects: append(make([]*object, 0, blockSize), objects...)}
	for _, o := range objects {
		b.sum = b.sum.Add(o.hash)
	}
	return b
}

// remove takes the object out that is at the place of o.
func (x *index[K]) remove(o *object) {
	at, in := x.find(x.of(o))
	b := &x.blocks[at]
	b.sum = b.sum.Sub(b.objects[in].hash)
	b.objects = slices.Delete(b.objects, in, in+1)
	switch {
	case len(b.objects) == 0:
		x.blocks = slices.Delete(x.blocks, at, at+1)
	case at+1 < len(x.blocks) && len(b.objects)+len(x.blocks[at+1].objects) <= blockSize/2:
		b.objects = append(b.objects, x.blocks[at+1].objects...)
		b.sum = b.sum.Add(x.blocks[at+1].sum)
		x.blocks = slices.Delete(x.blocks, at+1, at+2)
	}
}

// from visits the objects that are not before k, in order, until visit says that it is enough.
func (x *index[K]) from(k K, visit func(*object) (more bool)) {
	at, in := x.find(k)
	for ; at < len(x.blocks); at, in = at+1, 0 {
		for _, o := range x.blocks[at].objects[in:] {
			if !visit(o) {
				return
			}
		}
	}
}

// between gives the objects from low to high, in order. They belong to nobody.
func (x *index[K]) between(low, high K) (objects []*object) {
	x.from(low, func(o *object) bool {
		more := x.compare(o, high) <= 0
		if more {
			objects = append(objects, o)
		}
		return more
	})
	return objects
}

// runs visits sums of objects from low to high, with how many each is of and the last of them: of whole blocks, and
// else of single objects.
func (x *index[K]) runs(low, high K, blocks bool, visit func(sum core.Sum, n int, last *object)) {
	at, in := x.find(low)
	for ; at < len(x.blocks); at, in = at+1, 0 {
		b := &x.blocks[at]
		if blocks && in == 0 && x.compare(b.last(), high) <= 0 {
			visit(b.sum, len(b.objects), b.last())
			continue
		}
		for _, o := range b.objects[in:] {
			if x.compare(o, high) > 0 {
				return
			}
			visit(o.hash, 1, o)
		}
	}
}

// sum adds up the hashes from low to high, and counts them.
func (x *index[K]) sum(low, high K) (total core.Sum, n int) {
	x.runs(low, high, true, func(sum core.Sum, count int, _ *object) {
		total = total.Add(sum)
		n += count
	})
	return total, n
}
