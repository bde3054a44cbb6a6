package testkit

import "time"

// Queue gives what was put into it in the order of its times, and what has the same time in the order in which it
// was put. Its zero value is empty.
type Queue[T any] struct {
	heap []entry[T]
	put  uint64
}

// entry is one value of a Queue.
type entry[T any] struct {
	at    time.Time
	order uint64
	value T
}

func (e *entry[T]) before(o *entry[T]) bool {
	return e.at.Before(o.at) || e.at.Equal(o.at) && e.order < o.order
}

// Put adds a value for a time.
func (q *Queue[T]) Put(at time.Time, value T) {
	q.put++
	q.heap = append(q.heap, entry[T]{at, q.put, value})
	for i := len(q.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !q.heap[i].before(&q.heap[parent]) {
			return
		}
		q.heap[i], q.heap[parent] = q.heap[parent], q.heap[i]
		i = parent
	}
}

// Next gives the first value and its time, and leaves it there. Not ok: the queue is empty.
func (q *Queue[T]) Next() (at time.Time, value T, ok bool) {
	if len(q.heap) == 0 {
		return at, value, false
	}
	return q.heap[0].at, q.heap[0].value, true
}

// Drop takes the first value off.
func (q *Queue[T]) Drop() {
	last := len(q.heap) - 1
	q.heap[0] = q.heap[last]
	q.heap[last] = entry[T]{}
	q.heap = q.heap[:last]
	for i := 0; ; {
		first := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if q.heap[child].before(&q.heap[first]) {
				first = child
			}
		}
		if first == i {
			return
		}
		q.heap[i], q.heap[first] = q.heap[first], q.heap[i]
		i = first
	}
}
