package agent

import (
	"errors"
	"hash/maphash"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"hearsay"
	"hearsay/quota"
)

const (
	// streamReceivingPerSource is how much of streamReceivingMax the streams of one
	// source may hold: so no source alone has all of it.
	streamReceivingPerSource = streamReceivingMax / 2

	// streamFree is what each stream may hold whatever others do: a short packet, or
	// a line of JSON. So who floods with long frames keeps no newcomer out.
	streamFree = 8 << 10 // bytes

	// strangersASecond is what is read of strangers' frames beyond that in a second.
	// A stream that brings more waits. To read as fast as it comes, from hundreds of streams,
	// would keep the loop waiting for a processor. A guess: 64 of the longest frames, a
	// hundredth of a processor.
	strangersASecond = 16 << 20 // bytes

	// What strangers hold beyond that leaves as much to members and seats, with it
	// three quarters; and what one source of strangers holds as much to the others.
	streamReceivingStrangers          = streamReceivingMax / 4
	streamReceivingPerStrangersSource = streamReceivingStrangers / 2
	_                                 = uint(streamReceivingPerStrangersSource - hearsay.MaxStreamPacket)
	_                                 = uint(streamReceivingMax/2 - streamReceivingStrangers - streamsStrangers*streamFree)

	// strangersBuffer is what the kernel is asked to keep of one stream of a stranger,
	// in each direction: by itself it keeps megabytes of each.
	strangersBuffer = 128 << 10 // bytes

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
// whole yet, or wait for the loop: those of this connection and of all, and, of what is
// beyond streamFree, those of one source and of all strangers.
type budget struct {
	conn                   net.Conn
	all, source, strangers *atomic.Int64
	class                  quota.Class // changes only while nothing is held
	held                   int64
	pace                   *pace
	ended                  <-chan struct{}
}

// pace is how fast strangers' long frames are read, all together.
type pace struct {
	mu   sync.Mutex
	next time.Time // when more may be read
}

// reserve takes room for n bytes, and gives how long their reader waits.
func (p *pace) reserve(now time.Time, n int64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(n) * time.Second / strangersASecond)
	return p.next.Sub(now)
}

func (s *streams) newBudget(st *stream) *budget {
	return &budget{conn: st.conn, all: &s.receiving, source: s.receivingOf(st.source), strangers: &s.receivingStrangers, pace: &s.pace, ended: s.ctx.Done()}
}

func (b *budget) Read(p []byte) (int, error) {
	n, err := b.conn.Read(p)
	if !b.count(int64(n)) {
		return 0, errBudget // with what was read io.ReadFull would be content, and read on
	}
	if n > 0 && b.class == quota.Stranger && b.held > streamFree {
		select {
		case <-time.After(b.pace.reserve(time.Now(), int64(n))):
		case <-b.ended:
		}
	}
	return n, err
}

// count counts n bytes more, and reports whether that is within the limits.
func (b *budget) count(n int64) bool {
	beyond := max(b.held+n, streamFree) - max(b.held, streamFree)
	b.held += n
	all, source, free := b.all.Add(n), b.source.Add(beyond), b.held <= streamFree
	if b.class > quota.Stranger {
		return all <= streamReceivingMax && (free || source <= streamReceivingPerSource)
	}
	strangers := b.strangers.Add(beyond)
	return all <= streamReceivingMax && (free || strangers <= streamReceivingStrangers && source <= streamReceivingPerStrangersSource)
}

// release gives back what was read so far.
func (b *budget) release() { b.count(-b.held) }
