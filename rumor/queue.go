package rumor

import "slices"

// queueBytes are the bytes waiting for one link; what exceeds them is left to comparing.
const queueBytes = 1 << 20

// queue is what waits to be sent over one link. Each origin has its own queue, and they take turns: an origin that says
// much waits behind itself.
type queue struct {
	turns []originQueue // of origins with something to send, the next turn first
	bytes int
}

type originQueue struct {
	origin  *origin
	waiting []*entry
}

// keptTurns is how many origins, and rumors of each, an idle queue has room for.
const keptTurns = 8

// put lets a rumor wait, and reports whether there is room for it.
func (q *queue) put(e *entry) bool {
	if q.bytes+sizeOf(e) > queueBytes {
		return false
	}
	q.bytes += sizeOf(e)
	for i := range q.turns {
		if q.turns[i].origin == e.origin {
			q.turns[i].waiting = append(q.turns[i].waiting, e)
			return true
		}
	}
	if n := len(q.turns); n < cap(q.turns) {
		q.turns = q.turns[:n+1] // its storage is used again
	} else {
		q.turns = append(q.turns, originQueue{})
	}
	last := &q.turns[len(q.turns)-1]
	last.origin, last.waiting = e.origin, append(last.waiting[:0], e)
	return true
}

// peek gives the rumor whose turn it is; nil if nothing waits.
func (q *queue) peek() *entry {
	if len(q.turns) == 0 {
		return nil
	}
	return q.turns[0].waiting[0]
}

// pop takes out what peek gave, and passes the turn on.
func (q *queue) pop() {
	turn := q.turns[0]
	q.bytes -= sizeOf(turn.waiting[0])
	turn.waiting = slices.Delete(turn.waiting, 0, 1)
	last := len(q.turns) - 1
	copy(q.turns, q.turns[1:])
	q.turns[last] = turn
	if len(turn.waiting) > 0 {
		return
	}
	if cap(turn.waiting) > keptTurns {
		q.turns[last] = originQueue{}
	}
	if q.turns = q.turns[:last]; last == 0 && cap(q.turns) > keptTurns {
		q.turns = nil
	}
}
