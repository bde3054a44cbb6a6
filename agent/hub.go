package agent

import (
	"context"
	"iter"
	"sync"
	"time"

	"hearsay"
)

const (
	hubEvents  = 512      // the newest events that are kept, at most
	hubBytes   = 32 << 10 // their size, encoded
	hubPayload = 1 << 20  // and that of the rumors in them, which the node mostly holds anyway
)

// hub numbers events, keeps the newest, and hands them to whoever listens. A
// listener is no more than a position: nobody is waited for, and who falls
// behind what is kept is told how much was lost.
//
// Events are kept encoded, in a quarter of the room that they take as values.
// What they point to is read only, and is kept as it is.
type hub struct {
	mu       sync.Mutex
	base     uint64 // number of the first event of this life
	first    uint64 // number of the oldest event kept
	next     uint64 // number that the next event gets
	bytes    []byte // first to next-1, each with its length before it
	evidence map[uint64]*hearsay.Evidence
	rumors   map[uint64]*hearsay.Rumor
	payload  int           // bytes of rumors
	mark     mark          // where the last reader was
	changed  chan struct{} // closed at the next event; nil if nobody waits
	closed   bool
}

// mark is where an event begins: number's, in the last left of the hub's
// bytes.
type mark struct {
	number uint64
	left   int
}

// newHub makes a hub whose numbers are higher than those of any earlier life
// of this node, so that a listener who comes back with one of these is seen
// to have missed something. They stay below 2^53, as JavaScript needs.
func newHub(now time.Time) *hub {
	const eventsPerMillisecond = 1 << 10 // far more than a node ever has, over its life
	base := uint64(now.UnixMilli())*eventsPerMillisecond + 1
	return &hub{
		base: base, first: base, next: base,
		evidence: make(map[uint64]*hearsay.Evidence), rumors: make(map[uint64]*hearsay.Rumor),
	}
}

// publish numbers the event and hands it out.
func (h *hub) publish(e *hearsay.Event) (number uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Evidence != nil {
		h.evidence[h.next] = e.Evidence
	}
	if e.Rumor != nil {
		h.rumors[h.next] = e.Rumor
		h.payload += len(e.Rumor.Data)
	}
	before := len(h.bytes)
	h.bytes = appendEvent(h.bytes, e)
	h.mark.left += len(h.bytes) - before
	number = h.next
	h.next++
	for h.next-h.first > hubEvents || (len(h.bytes) > hubBytes || h.payload > hubPayload) && h.next-h.first > 1 {
		h.forget()
	}
	h.wake()
	return number
}

// forget lets go of the oldest event.
func (h *hub) forget() {
	h.bytes = skipEvent(h.bytes)
	delete(h.evidence, h.first)
	if rumor := h.rumors[h.first]; rumor != nil {
		h.payload -= len(rumor.Data)
		delete(h.rumors, h.first)
	}
	h.first++
}

// close ends all iterations once they have had the last event.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.wake()
}

func (h *hub) wake() {
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
}

// newest gives the number of the newest event, or before there is one the
// number before the first.
func (h *hub) newest() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.next - 1
}

// last gives the number of the newest event, 0 if there was none.
func (h *hub) last() uint64 {
	if newest := h.newest(); newest >= h.base {
		return newest
	}
	return 0
}

// after gives the event that follows number, and its own number; 0 stands for
// before the first. Where some that followed are no longer kept, or number is
// of another life, EventLagged comes in their place. If there is none yet,
// wait is closed when there is; if there will be none, it is nil.
func (h *hub) after(number uint64) (next uint64, e hearsay.Event, wait <-chan struct{}, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if number == 0 {
		number = h.base - 1
	}
	if number+1 == h.next {
		if h.closed {
			return number, e, nil, false
		}
		if h.changed == nil {
			h.changed = make(chan struct{})
		}
		return number, e, h.changed, false
	}
	if number+1 < h.first || number >= h.next {
		lost := h.first - max(h.base, min(number+1, h.first))
		return h.first - 1, hearsay.Event{At: time.Now(), Kind: hearsay.EventLagged, Count: int(lost)}, nil, true
	}
	next = number + 1
	e = decodeEvent(h.seek(next))
	e.Evidence, e.Rumor = h.evidence[next], h.rumors[next]
	return next, e, nil, true
}

// seek gives the bytes that begin with an event that is kept. Whoever reads
// one after the other is soon there.
func (h *hub) seek(number uint64) []byte {
	at, rest := h.first, h.bytes
	if h.mark.number >= h.first && h.mark.number <= number {
		at, rest = h.mark.number, h.bytes[len(h.bytes)-h.mark.left:]
	}
	for ; at < number; at++ {
		rest = skipEvent(rest)
	}
	h.mark = mark{number, len(rest)}
	return rest
}

// from gives the events after number, until ctx ends or the hub closes.
func (h *hub) from(ctx context.Context, number uint64) iter.Seq2[uint64, hearsay.Event] {
	return func(yield func(uint64, hearsay.Event) bool) {
		at := number
		for ctx.Err() == nil {
			next, e, wait, ok := h.after(at)
			switch {
			case ok:
				at = next
				if !yield(next, e) {
					return
				}
			case wait == nil:
				return
			default:
				select {
				case <-wait:
				case <-ctx.Done():
				}
			}
		}
	}
}
