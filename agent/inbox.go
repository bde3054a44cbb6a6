package agent

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"hearsay/internal/core"
	"hearsay/quota"
)

// inbox is what the loop is to do besides receiving datagrams: packets that came
// by stream, and calls. Each source (core.Source) has a queue of its own, and
// so have the calls of the application. The loop takes one input at a time:
// every other one is the application's, and the rest go around the classes of
// senders, and within a class around its sources. So a source that sends much
// waits for itself, many strangers wait for each other, and a class of which
// nothing waits leaves its turns to the others.
//
// The queues are bounded by those that put something in: a goroutine that
// delivers a packet, makes a call for a line, or asks for the application waits
// until the loop has taken it. At most streamsMax packets wait, one a stream; their bytes
// count as received until then (streamReceivingMax, streamReceivingPerSource).
// Package guest makes at most linesMax calls for lines.
//
// The loop sleeps in a read of the socket until the deadline of the read, which is
// the node's own; what is put in the inbox ends that sleep by a deadline that
// has passed. So a datagram, by far the most frequent input, wakes
// one goroutine, and the node's timer is the socket's.
type inbox struct {
	conn *net.UDPConn

	mu     sync.Mutex
	calls  []input // of the application
	others turns
	theirs bool // the next input is of a class, if there is one
	asleep bool // the loop reads the socket until this time, or is about to
	until  time.Time
	closed bool
}

// turns is what waits of all classes of senders. One class after the other has its
// turn, and within a class one source after the other.
type turns struct {
	classes [quota.Seat + 1]queues
	last    quota.Class // whose turn was the last
}

// queues are what waits of one class of senders.
type queues struct {
	sources map[netip.Addr]*source // those of which something waits
	turns   []*source              // the same, in the order of their turns
}

// source is what waits of one source.
type source struct {
	addr   netip.Addr
	inputs []input
}

// input is a packet that came by stream, or a call.
type input struct {
	packet []byte
	from   netip.AddrPort
	taken  chan struct{} // closed when it is taken, or never will be; nil: nobody waits for that
	call   func(now time.Time)
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// put queues a call of the application. It reports whether the loop will still
// make it.
func (i *inbox) put(call func(now time.Time)) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return false
	}
	i.calls = append(i.calls, input{call: call})
	i.wake()
	return true
}

// putFor queues a call that another node or program has caused. It reports
// whether the loop will still make it.
func (i *inbox) putFor(class quota.Class, addr netip.Addr, call func(now time.Time)) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return false
	}
	i.queue(class, addr, input{call: call})
	return true
}

// deliver queues a packet that came by stream, and waits until the loop has
// taken it: so long nothing more is read from that stream, and its sender waits.
// If the stream is evicted meanwhile the packet is withdrawn: its place is another's, and
// no more packets wait than there are places.
func (i *inbox) deliver(packet []byte, class quota.Class, from netip.AddrPort, evicted <-chan struct{}) {
	taken := make(chan struct{})
	i.mu.Lock()
	if i.closed {
		i.mu.Unlock()
		return
	}
	i.queue(class, from.Addr(), input{packet: packet, from: from, taken: taken})
	i.mu.Unlock()
	select {
	case <-taken:
	case <-evicted:
		i.mu.Lock()
		defer i.mu.Unlock()
		i.others.classes[class].withdraw(core.Source(from.Addr()), taken)
	}
}

func (i *inbox) queue(class quota.Class, addr netip.Addr, in input) {
	i.others.classes[class].add(core.Source(addr), in)
	i.wake()
}

func (q *queues) add(addr netip.Addr, in input) {
	s := q.sources[addr]
	if s == nil {
		if q.sources == nil {
			q.sources = make(map[netip.Addr]*source)
		}
		s = &source{addr: addr}
		q.sources[addr] = s
		q.turns = append(q.turns, s)
	}
	s.inputs = append(s.inputs, in)
}

// withdraw takes back the input of a source that would be taken by closing a channel, if
// it still waits.
func (q *queues) withdraw(addr netip.Addr, taken chan struct{}) {
	s := q.sources[addr]
	if s == nil {
		return
	}
	s.inputs = slices.DeleteFunc(s.inputs, func(in input) bool { return in.taken == taken })
	if len(s.inputs) == 0 {
		q.turns = slices.DeleteFunc(q.turns, func(o *source) bool { return o == s })
		q.gone(s)
	}
}

// close ends the loop before the next input.
func (i *inbox) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	i.wake()
}

// wake ends the sleep of the loop. A loop that is awake is let alone: it looks
// here before it sleeps, and a deadline that has passed would keep it from
// reading the socket.
func (i *inbox) wake() {
	if i.asleep {
		i.asleep = false
		i.conn.SetReadDeadline(longAgo)
	}
}

// sleepUntil sets when the loop's next read ends. It reports false where there
// is something to do at once.
func (i *inbox) sleepUntil(deadline time.Time) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, theirs := i.others.next(); theirs || len(i.calls) > 0 || i.closed {
		i.asleep = false
		return false
	}
	if !i.asleep || !deadline.Equal(i.until) {
		i.asleep, i.until = true, deadline
		i.conn.SetReadDeadline(deadline)
	}
	return true
}

// awake tells that the loop does not sleep any more: its read has ended by its
// deadline, or it sets another.
func (i *inbox) awake() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asleep = false
}

// next takes the next input; ok reports whether there was one. After the end,
// when open is false, there is none.
func (i *inbox) next() (in input, ok, open bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return input{}, false, false
	}
	in, ok = i.take()
	return in, ok, true
}

// drain gives the calls that are left when the loop has ended, and lets the goroutines go on
// that wait with packets.
func (i *inbox) drain() (calls []input) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for {
		in, ok := i.take()
		if !ok {
			return calls
		}
		if in.call != nil {
			calls = append(calls, in)
		}
	}
}

// take takes the next input. It is called with mu held.
func (i *inbox) take() (in input, ok bool) {
	switch class, waits := i.others.next(); {
	case waits && (i.theirs || len(i.calls) == 0):
		i.theirs = false
		in = i.others.take(class)
	case len(i.calls) > 0:
		in, i.calls = first(i.calls)
		i.theirs = true
	default:
		i.calls, i.others = nil, turns{last: i.others.last} // and the room that a burst took
		return input{}, false
	}
	return in, true
}

// next gives the class whose turn is next: the first after the last one of
// which something waits. ok reports whether there is one.
func (t *turns) next() (class quota.Class, ok bool) {
	const classes = quota.Class(len(t.classes))
	for n := range classes {
		if class = (t.last + 1 + n) % classes; len(t.classes[class].turns) > 0 {
			return class, true
		}
	}
	return 0, false
}

// take takes the next input of a class of which something waits, and lets the goroutine go on that
// waits for that.
func (t *turns) take(class quota.Class) (in input) {
	t.last = class
	if in = t.classes[class].take(); in.taken != nil {
		close(in.taken)
	}
	return in
}

// take takes the next input of a class of which something waits.
func (q *queues) take() (in input) {
	s := q.turns[0]
	q.turns = q.turns[1:]
	if in, s.inputs = first(s.inputs); len(s.inputs) > 0 {
		q.turns = append(q.turns, s)
	} else {
		q.gone(s)
	}
	return in
}

// gone takes away a source of which nothing waits, and with the last one all room.
func (q *queues) gone(s *source) {
	if delete(q.sources, s.addr); len(q.sources) == 0 {
		*q = queues{}
	}
}

// first takes the first of a queue, which holds it no longer.
func first(queue []input) (in input, rest []input) {
	in, queue[0] = queue[0], input{}
	return in, queue[1:]
}
