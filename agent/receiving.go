package agent

import (
	"errors"
	"hash/maphash"
	"net"
	"net/netip"
	"sync/atomic"

	"hearsay"
)

const (
	// streamReceivingPerSource is how much of streamReceivingMax the streams of one
	// source may hold: so no source alone has all of it.
	streamReceivingPerSource = streamReceivingMax / 2
	_                        = uint(streamReceivingPerSource - hearsay.MaxStreamPacket)

	// receivingSlots is how many counts there are of what sources hold. Sources
	// whose hashes agree share one.
	receivingSlots = 64
)

// receivingSeed is secret: nobody chooses with whom to share a count.
var receivingSeed = maphash.MakeSeed()

// receivingOf gives the count of the bytes that the streams of a source hold.
func (s *streams) receivingOf(addr netip.Addr) *atomic.Int64 {
	return &s.receivingBy[maphash.Comparable(receivingSeed, hearsay.Source(addr))%receivingSlots]
}

var errBudget = errors.New("too many bytes are being received")

// budget reads from a connection and counts the bytes of frames that are not
// whole yet, or wait for the loop: those of this connection, of all, and of all
// of one source.
type budget struct {
	conn        net.Conn
	all, source *atomic.Int64
	held        int64
}

func (b *budget) Read(p []byte) (int, error) {
	n, err := b.conn.Read(p)
	b.held += int64(n)
	all, source := b.all.Add(int64(n)), b.source.Add(int64(n)) // both, as release gives back both
	if all > streamReceivingMax || source > streamReceivingPerSource {
		return n, errBudget
	}
	return n, err
}

// release gives back what was read so far.
func (b *budget) release() {
	b.all.Add(-b.held)
	b.source.Add(-b.held)
	b.held = 0
}
