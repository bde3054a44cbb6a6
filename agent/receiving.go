package agent

import (
	"cmp"
	"errors"
	"hash/maphash"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hearsay/internal/core"
	"hearsay/quota"
)

const (
	// streamReceivingPerSource is how much of streamReceivingMax the streams of one
	// source may hold: so no source alone has all of it.
	streamReceivingPerSource = streamReceivingMax / 2

	// streamFree is what each stream may hold whatever others do: a short packet, or
	// a line of JSON. So a flood of long frames keeps no newcomer out.
	streamFree = 8 << 10 // bytes

	// strangersASecond is what is read of strangers' frames beyond that in a second.
	// A stream that brings more waits. To read as fast as it comes, from hundreds of streams,
	// would keep the loop waiting for a processor. A guess: 64 of the longest frames, a
	// hundredth of a processor.
	strangersASecond = 16 << 20 // bytes

	// Of strangers' frames beyond that so many are read at a time, and so many of one
	// source: what they hold leaves three quarters to members and seats, and half of
	// it to other sources. The others wait, unread beyond streamFree each: to close them
	// would have their senders connect again and again.
	strangersLong          = streamReceivingStrangers / core.MaxStreamPacket
	strangersLongPerSource = strangersLong / 2

	// strangersWaiting is how many wait. They are no more than strangers have places, but
	// for some that are closed and have not noticed yet; beyond it the oldest is closed.
	strangersWaiting = streamsStrangers

	streamReceivingStrangers = streamReceivingMax / 4
	_                        = uint(strangersLongPerSource - 1)
	_                        = uint8(strangersLongPerSource) // it is counted in so many bits
	_                        = int32(streamReceivingMax)     // likewise
	_                        = uint(streamReceivingMax/2 - streamReceivingStrangers - streamsStrangers*streamFree)

	// strangersBuffer is what the kernel is asked to keep of one stream of a stranger,
	// in each direction: by itself it keeps megabytes of each.
	strangersBuffer = 128 << 10 // bytes

	// receivingSlots is how many counts there are of what sources hold. Sources
	// whose hashes agree share one.
	receivingSlots = 64
)

// receivingSeed is secret: which sources share a count cannot be chosen.
var receivingSeed = maphash.MakeSeed()

// receivingSlot gives the number of the count of what a source holds.
func receivingSlot(addr netip.Addr) int {
	return int(maphash.Comparable(receivingSeed, core.Source(addr)) % receivingSlots)
}

var errBudget = errors.New("too many bytes are being received")

// budget reads from a connection and counts the bytes of frames that are not
// whole yet, or wait for the loop: those of this connection and of all, and, of what is
// beyond streamFree, those of one source. A stranger's connection reads beyond that in
// its turn.
type budget struct {
	conn    net.Conn
	all     *atomic.Int64
	source  *atomic.Int32
	class   quota.Class // changes only while nothing is held
	held    int64
	pace    *pace
	long    *longFrames
	turn    *longFrame // nil: none is taken
	slot    int        // of the source
	hurried bool       // it waits for no turn: nobody would wait for its answer
	evicted <-chan struct{}
	ended   <-chan struct{}
}

// longFrames are strangers' frames beyond streamFree: those that are being read, and
// those that wait for their turn, the oldest first.
type longFrames struct {
	mu       sync.Mutex
	reading  int
	bySource [receivingSlots]uint8 // likewise
	waiting  []*longFrame
}

// longFrame is one of them.
type longFrame struct {
	slot  int           // of its source
	mine  bool          // it is its turn
	ready chan struct{} // closed when that is so, or never will be
}

// fits reports whether a frame may be read. It is called with mu held.
func (l *longFrames) fits(f *longFrame) bool {
	return l.reading < strangersLong && l.bySource[f.slot] < strangersLongPerSource
}

// start has a frame be read. It is called with mu held.
func (l *longFrames) start(f *longFrame) {
	l.reading++
	l.bySource[f.slot]++
	f.mine = true
	close(f.ready)
}

// take gives a frame its turn now, or has it wait; nil if it must not wait. No frame that
// waits fits: end sees to that.
func (l *longFrames) take(slot int, wait bool) *longFrame {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &longFrame{slot: slot, ready: make(chan struct{})}
	switch {
	case l.fits(f):
		l.start(f)
		return f
	case !wait:
		return nil
	case len(l.waiting) >= strangersWaiting:
		close(l.waiting[0].ready)
		l.waiting = slices.Delete(l.waiting, 0, 1)
	}
	l.waiting = append(l.waiting, f)
	return f
}

// end ends the turn of a frame, or its waiting, and gives turns to those that fit then.
func (l *longFrames) end(f *longFrame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.mine {
		l.reading--
		l.bySource[f.slot]--
	}
	l.waiting = slices.DeleteFunc(l.waiting, func(o *longFrame) bool { return o == f })
	for len(l.waiting) > 0 { // of the source of which the fewest are read, the oldest
		next := slices.MinFunc(l.waiting, func(a, b *longFrame) int { return cmp.Compare(l.bySource[a.slot], l.bySource[b.slot]) })
		if !l.fits(next) {
			return
		}
		l.start(next)
		l.waiting = slices.DeleteFunc(l.waiting, func(o *longFrame) bool { return o == next })
	}
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
	slot := receivingSlot(st.source)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.receivingBy == nil {
		s.receivingBy = new([receivingSlots]atomic.Int32)
	}
	return &budget{
		conn: st.conn, all: &s.receiving, source: &s.receivingBy[slot], slot: slot,
		pace: &s.pace, long: &s.long, evicted: st.evicted, ended: s.ctx.Done(),
	}
}

func (b *budget) Read(p []byte) (int, error) {
	if b.class == quota.Stranger && b.turn == nil {
		if b.held >= streamFree {
			if err := b.takeTurn(); err != nil {
				return 0, err
			}
		} else {
			p = p[:min(len(p), streamFree-int(b.held))]
		}
	}
	n, err := b.conn.Read(p)
	if !b.count(int64(n)) {
		return 0, errBudget // with what was read io.ReadFull would be content, and read on
	}
	if n > 0 && b.turn != nil {
		select {
		case <-time.After(b.pace.reserve(time.Now(), int64(n))):
		case <-b.evicted:
		case <-b.ended:
		}
	}
	return n, err
}

// takeTurn waits until this stranger's frame may be read on. Its sender is not to blame
// for the time that takes.
func (b *budget) takeTurn() error {
	if b.turn = b.long.take(b.slot, !b.hurried); b.turn == nil {
		return errBudget
	}
	select {
	case <-b.turn.ready:
	case <-b.evicted:
		return net.ErrClosed
	case <-b.ended:
		return net.ErrClosed
	}
	if !b.turn.mine {
		return errBudget
	}
	if b.hurried {
		return nil
	}
	return b.conn.SetReadDeadline(time.Now().Add(streamFrameTimeout))
}

// count counts n bytes more, and reports whether that is within the limits.
func (b *budget) count(n int64) bool {
	beyond := max(b.held+n, streamFree) - max(b.held, streamFree)
	b.held += n
	all, source := b.all.Add(n), b.source.Add(int32(beyond))
	return all <= streamReceivingMax && (b.class == quota.Stranger || b.held <= streamFree || source <= streamReceivingPerSource)
}

// release gives back what was read so far.
func (b *budget) release() {
	b.count(-b.held)
	if b.turn != nil {
		b.long.end(b.turn)
		b.turn = nil
	}
}
