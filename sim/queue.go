package sim

import "time"

// momentKind is what comes due at a moment.
type momentKind uint8

const (
	momentTick    momentKind = iota + 1 // a node's deadline
	momentArrival                       // a packet reaches a machine
	momentTurn                          // a slow machine looks at a packet
	momentRefused                       // a machine hears that a connection was refused
	momentSynced                        // a machine's disk has synced
	momentRead                          // a machine's disk has read
	momentAct                           // the scenario goes on
	momentCheck                         // the checker walks some rosters
	momentDemand                        // open demands are looked at
)

// moment is one entry of the queue: a small value, as there are millions.
type moment struct {
	at      time.Duration // since the world began
	order   uint64        // among those of one time: the order of scheduling
	kind    momentKind
	machine int32 // whose, by index
	// tick, synced, read: the life of the machine; arrival, turn: the flight; refused: by which machine; act:
	// the action
	which int32
}

func (m *moment) before(o *moment) bool {
	return m.at < o.at || m.at == o.at && m.order < o.order
}

// queue is a binary heap of moments, soonest first. As order is unique, there
// are no ties.
type queue struct {
	heap  []moment
	order uint64
}

func (q *queue) empty() bool { return len(q.heap) == 0 }

// soonest is the next moment. There must be one.
func (q *queue) soonest() *moment { return &q.heap[0] }

// push schedules m, after all that is scheduled for the same time.
func (q *queue) push(m moment) {
	m.order = q.order
	q.order++
	q.heap = append(q.heap, m)
	hole := len(q.heap) - 1
	for hole > 0 {
		parent := (hole - 1) / 2
		if !m.before(&q.heap[parent]) {
			break
		}
		q.heap[hole] = q.heap[parent]
		hole = parent
	}
	q.heap[hole] = m
}

// pop takes the next moment off. There must be one.
func (q *queue) pop() moment {
	first := q.heap[0]
	last := q.heap[len(q.heap)-1]
	q.heap = q.heap[:len(q.heap)-1]
	if len(q.heap) == 0 {
		return first
	}
	hole := 0
	for {
		child := 2*hole + 1
		if child >= len(q.heap) {
			break
		}
		if right := child + 1; right < len(q.heap) && q.heap[right].before(&q.heap[child]) {
			child = right
		}
		if !q.heap[child].before(&last) {
			break
		}
		q.heap[hole] = q.heap[child]
		hole = child
	}
	q.heap[hole] = last
	return first
}
