package agent

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"hearsay"
)

// The limits on packets by stream that wait for the loop. Datagrams wait in
// the socket.
const (
	inboxPackets = 1024
	inboxBytes   = 4 << 20
	_            = uint(inboxBytes - hearsay.MaxStreamPacket)
)

// inbox is what the loop is to do besides receiving datagrams. The loop sleeps
// in a read of the socket until the deadline of the read, which is the node's
// own; whoever puts something in the inbox ends that sleep by a deadline that
// has passed. So a datagram, by far the most frequent input, wakes one
// goroutine, and the node's timer is the socket's.
type inbox struct {
	conn     *net.UDPConn
	counters *counters

	mu      sync.Mutex
	inputs  []input
	packets int // in inputs
	bytes   int // of them
	closed  bool
}

// input is a packet that came by stream, or a call.
type input struct {
	packet []byte
	from   netip.AddrPort
	call   func(now time.Time)
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// put queues a call. It reports whether the loop will still make it.
func (i *inbox) put(call func(now time.Time)) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return false
	}
	i.inputs = append(i.inputs, input{call: call})
	i.wake()
	return true
}

// deliver queues a packet that came by stream, if there is room.
func (i *inbox) deliver(packet []byte, from netip.AddrPort) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return
	}
	if i.packets == inboxPackets || i.bytes+len(packet) > inboxBytes {
		i.counters.drop(hearsay.DropQueueFull)
		return
	}
	i.inputs = append(i.inputs, input{packet: packet, from: from})
	i.packets++
	i.bytes += len(packet)
	i.wake()
}

// close ends the loop after what is queued.
func (i *inbox) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	i.wake()
}

func (i *inbox) wake() { i.conn.SetReadDeadline(longAgo) }

// sleepUntil sets when the loop's next read ends, unless there is something to
// do at once. It reports whether it has set it.
func (i *inbox) sleepUntil(deadline time.Time) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.inputs) > 0 || i.closed {
		i.wake()
		return false
	}
	i.conn.SetReadDeadline(deadline)
	return true
}

// take empties the inbox. It reports whether there will be more.
func (i *inbox) take() (inputs []input, open bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	inputs = i.inputs
	i.inputs, i.packets, i.bytes = nil, 0, 0
	return inputs, !i.closed
}
