package agent

import (
	"context"
	"iter"
	"sync"
	"time"

	"hearsay"
)

const (
	hubEvents  = 16 << 10 // the newest events that are kept, at most: three seconds of 5,000 rumors each
	hubBytes   = 2 << 20  // their size, encoded
	hubPayload = 16 << 20 // and that of the rumors in them, which the node mostly holds anyway

	hubRoom = 128 // bytes: enough for most events, encoded
)

// hub numbers events, keeps the newest, and hands them to its listeners. A
// listener is no more than a position: the hub waits for none, and one that falls
// behind what is kept is told how much was lost.
//
// Events are kept encoded, in a quarter of the room that they take as values.
// What they point to is read only, and is kept as it is. Changes of keys are not among them: see changes.
type hub struct {
	mu       sync.Mutex
	began    time.Time
	base     uint64 // number of the first event of this life
	first    uint64 // number of the oldest event kept
	next     uint64 // number that the next event gets
	bytes    []byte // first to next-1, each with its length before it
	evidence map[uint64]*hearsay.Evidence
	decided  map[uint64]decided
	rumors   map[uint64]*hearsay.Rumor
	payload  int           // bytes of rumors
	written  uint64        // bytes ever written, and one: 0 is nowhere
	changed  chan struct{} // closed at the next event; nil if no listener waits
	closed   bool
}

// decided is what an event about the seeds' decisions points to.
type decided struct {
	ballot *hearsay.Ballot
	ruling *hearsay.Ruling
}

// place is where a listener is: behind the event of this number.
type place struct {
	number uint64
	ends   uint64 // the event's end, as the hub counts bytes; 0 if not known
}

// newHub makes a hub whose numbers are higher than those of any earlier life
// of this node, so that a listener that comes back with one of these is seen
// to have missed something. They stay below 2^53, as JavaScript needs.
func newHub(now time.Time) *hub {
	const eventsPerMillisecond = 1 << 10 // far more than a node ever has, over its life
	base := uint64(now.UnixMilli())*eventsPerMillisecond + 1
	return &hub{
		began: now, base: base, first: base, next: base, written: 1,
		evidence: make(map[uint64]*hearsay.Evidence), decided: make(map[uint64]decided), rumors: make(map[uint64]*hearsay.Rumor),
	}
}

// publish numbers the event and hands it out.
func (h *hub) publish(e *hearsay.Event) (number uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Evidence != nil {
		h.evidence[h.next] = e.Evidence
	}
	if e.Ballot != nil || e.Ruling != nil {
		h.decided[h.next] = decided{e.Ballot, e.Ruling}
	}
	if e.Rumor != nil {
		h.rumors[h.next] = e.Rumor
		h.payload += len(e.Rumor.Data)
	}
	before := len(h.bytes)
	if cap(h.bytes)-before < hubRoom { // much of what an idle node holds: no room for twice as many
		h.bytes = append(make([]byte, 0, before+before/16+2*hubRoom), h.bytes...)
	}
	h.bytes = appendEvent(h.bytes, h.began, e)
	h.written += uint64(len(h.bytes) - before)
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
	delete(h.decided, h.first)
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

// after gives the event that follows a place, and the place behind it; number
// 0 stands for before the first. Where some that followed are no longer kept,
// or the number is of another life, EventLagged comes in their place. If there
// is none yet, wait is closed when there is; if there will be none, it is nil.
func (h *hub) after(at place) (next place, e hearsay.Event, wait <-chan struct{}, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at.number == 0 {
		at.number = h.base - 1
	}
	if at.number+1 == h.next {
		if h.closed {
			return at, e, nil, false
		}
		if h.changed == nil {
			h.changed = make(chan struct{})
		}
		return at, e, h.changed, false
	}
	if at.number+1 < h.first || at.number >= h.next {
		lost := h.first - max(h.base, min(at.number+1, h.first))
		return place{number: h.first - 1}, hearsay.Event{At: time.Now(), Kind: hearsay.EventLagged, Count: int(lost)}, nil, true
	}
	rest := h.behind(at)
	next = place{at.number + 1, h.written - uint64(len(skipEvent(rest)))}
	e = decodeEvent(rest, h.began)
	e.Evidence, e.Rumor = h.evidence[next.number], h.rumors[next.number]
	if d, ok := h.decided[next.number]; ok {
		e.Ballot, e.Ruling = d.ballot, d.ruling
	}
	return next, e, nil, true
}

// behind gives the bytes that begin with the event behind a place, which is
// kept. A place that has a number alone makes it look.
func (h *hub) behind(at place) []byte {
	if at.ends != 0 {
		return h.bytes[len(h.bytes)-int(h.written-at.ends):]
	}
	rest := h.bytes
	for range at.number + 1 - h.first {
		rest = skipEvent(rest)
	}
	return rest
}

// from gives the events after number, until ctx ends or the hub closes.
func (h *hub) from(ctx context.Context, number uint64) iter.Seq2[uint64, hearsay.Event] {
	return func(yield func(uint64, hearsay.Event) bool) {
		at := place{number: number}
		for ctx.Err() == nil {
			next, e, wait, ok := h.after(at)
			switch {
			case ok:
				at = next
				if !yield(next.number, e) {
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
