package agent

import (
	"errors"
	"hash/maphash"
	"net"
	"net/netip"
	"sync/atomic"

	"hearsay"
	"hearsay/quota"
)

const (
	// streamReceivingPerSource is how much of streamReceivingMax the streams of one
	// source may hold: so no source alone has all of it.
	streamReceivingPerSource = streamReceivingMax / 2

	// What strangers hold leaves as much to members and seats, and what one source
	// of strangers holds as much to the others.
	streamReceivingStrangers          = streamReceivingMax / 2
	streamReceivingPerStrangersSource = streamReceivingStrangers / 2
	_                                 = uint(streamReceivingPerStrangersSource - hearsay.MaxStreamPacket)

	// receivingSlots is how many counts there are of what sources hold. Sources
	// whose hashes agree share one.
	receivingSlots = 64
)

// receivingSeed is secret: which sources share a count cannot be chosen.
var receivingSeed = maphash.MakeSeed()

// receivingOf gives the count of the bytes that the streams of a source hold.
func (s *streams) receivingOf(addr netip.Addr) *atomic.Int64 {
	return &s.receivingBy[maphash.Comparable(receivingSeed, hearsay.Source(addr))%receivingSlots]
}

var errBudget = errors.New("too many bytes are being received")

// budget reads from a connection and counts the bytes of frames that are not
// whole yet, or wait for the loop: those of this connection, of all, of all of one
// source, and of all strangers.
type budget struct {
	conn                   net.Conn
	all, source, strangers *atomic.Int64
	class                  quota.Class // changes only while nothing is held
	held                   int64
}

func (s *streams) newBudget(st *stream) *budget {
	return &budget{conn: st.conn, all: &s.receiving, source: s.receivingOf(st.source), strangers: &s.receivingStrangers}
}

func (b *budget) Read(p []byte) (int, error) {
	n, err := b.conn.Read(p)
	if !b.count(int64(n)) {
		return n, errBudget
	}
	return n, err
}

// count counts n bytes more, and reports whether that is within the limits.
func (b *budget) count(n int64) bool {
	b.held += n
	all, source := b.all.Add(n), b.source.Add(n)
	if b.class > quota.Stranger {
		return all <= streamReceivingMax && source <= streamReceivingPerSource
	}
	strangers := b.strangers.Add(n)
	return all <= streamReceivingMax && strangers <= streamReceivingStrangers && source <= streamReceivingPerStrangersSource
}

// release gives back what was read so far.
func (b *budget) release() { b.count(-b.held) }
