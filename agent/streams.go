package agent

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hearsay"
	"hearsay/guest"
	"hearsay/internal/core"
	"hearsay/quota"
	"hearsay/wire"
)

// The limits on streams. A stream is dialled when there is something to send,
// and kept for a few seconds, because an answer often follows.
const (
	streamIdle = 5 * time.Second // unused for this long: closed
	// unused for this long after an answer: closed by the node that dialled it, as most questions are one. A guess:
	// long enough for the next question
	streamAnsweredIdle = 2 * time.Second
	streamFrameTimeout = 5 * time.Second // a frame that began must be whole after this
	streamWriteTimeout = 5 * time.Second // for one frame
	streamDialTimeout  = 2 * time.Second
	// what was sent is acknowledged within that; less than streamIdle, or the stream would be closed first. A
	// guess
	streamUnackedMost = 4 * time.Second

	acceptsPerSource = 2000   // connections from one source a second, and at once
	acceptsPerClass  = 10_000 // likewise from all sources of a class. A guess: some 20 µs each
	framesPerStream  = 500    // a second
	framesPerSource  = 2500   // a second, and at once, of one source of strangers
	// likewise, of all strangers, up to twice that (see quota.Share). A guess: the shortest cost the loop some
	// 5 µs
	framesStrangers  = 10_000
	streamWaitingMax = 1 << 20 // bytes that wait to be written to one stream
	// bytes that wait to be written to strangers, in all streams together, beyond streamFree each
	streamUnsentMax = 16 << 20
	// bytes of frames that are not whole yet, or wait for the loop, in all streams together
	streamReceivingMax = 16 << 20
	streamBuffer       = 512 // bytes; what is longer is read past the buffer
	acceptPause        = 50 * time.Millisecond
	_                  = uint(streamReceivingMax - core.MaxStreamPacket)
	_                  = uint(streamWaitingMax - core.MaxStreamPacket)
)

var acceptShares = quota.PerSource(quota.PerSecond(acceptsPerSource, acceptsPerSource), quota.PerSecond(acceptsPerClass, acceptsPerClass))

var streamDialer = net.Dialer{Timeout: streamDialTimeout, KeepAlive: -1, Control: boundUnacked}

// frameShares are how many frames are taken by stream. Members may have as many as their
// streams bring.
var frameShares = &quota.Shares{
	quota.Stranger: {All: quota.PerSecond(framesStrangers, framesStrangers), Each: quota.PerSecond(framesPerSource, framesPerSource)},
	quota.Member:   {All: quota.Unlimited, Each: quota.Unlimited},
	quota.Seat:     {All: quota.Unlimited, Each: quota.Unlimited},
}

// delivering takes a packet that came by stream. It may take its time; if the stream is
// evicted meanwhile it does not need to.
type delivering func(packet []byte, class quota.Class, from netip.AddrPort, evicted <-chan struct{})

// streams are the TCP connections of a node, accepted and dialled. Packets
// that come by one are handed to deliver, in any goroutine; deliver may refuse
// them.
type streams struct {
	listener *net.TCPListener
	source   *outbound                      // from which it dials
	from     atomic.Pointer[netip.AddrPort] // of the last packet on a stream that another has dialled
	counters *counters
	deliver  delivering
	// told that a stream could not be opened, while the other end is there to say so; nil: nobody is
	refused func(to netip.AddrPort, why string)
	lines   *guest.Server // answers those that speak JSON lines; nil, in tests: nobody does
	known   *knownSources // nil, in tests: nobody
	// what is known of the seeds
	languages *languages
	// where the configured seeds listen. Another process on the machine of one can connect from that very port: it
	// would be taken for the seed, and what is for that would go to it
	seats []netip.AddrPort

	receiving   atomic.Int64                  // bytes that budgets hold, all together
	receivingBy *[receivingSlots]atomic.Int32 // and by source; nil until there was a stream

	long longFrames
	pace pace

	ctx    context.Context // ends with close
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu     sync.Mutex
	frames *quota.Quota
	unsent int // bytes that wait to be written to strangers
	places
}

// stream is one connection. Its fields belong to mu of streams.
type stream struct {
	remote   netip.AddrPort
	source   netip.Addr // of remote
	same     *int       // streams of this source
	class    quota.Class
	accepted bool
	conn     net.Conn       // nil while it is dialled
	waiting  [][]byte       // frames to be written, after the one that is being written
	size     int            // of both, in bytes; zero once it was forgotten
	writing  bool           // a goroutine writes
	written  chan struct{}  // closed when that goroutine ends
	reading  bool           // a frame is half here
	brought  bool           // at least one packet
	answered bool           // a packet came after the last that was sent
	proves   netip.AddrPort // of whose streams it is: see proved; zero: of nobody's
	lines    bool           // it speaks JSON lines: one request, one reply
	asked    bool           // what is here, before any frame; of the goroutine that reads
	used     time.Time      // last
	evicted  chan struct{}  // closed when it has to give way to another
}

func newStreams(listener *net.TCPListener, source *outbound, counters *counters, deliver delivering) *streams {
	s := &streams{
		listener: listener, counters: counters, deliver: deliver, source: source, frames: newQuota(frameShares),
		languages: newLanguages(nil, netip.AddrPort{}, nil),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// start accepts connections from now on.
func (s *streams) start() { s.wait.Go(s.accept) }

// close ends all connections, and returns when nothing runs any more.
func (s *streams) close() {
	s.cancel()
	s.listener.Close()
	s.mu.Lock()
	for _, st := range s.open {
		if st.conn != nil {
			st.conn.Close()
		}
	}
	s.mu.Unlock()
	s.wait.Wait()
}

// send queues a frame to the node at the other end of remote, and dials it
// if there is no connection. Like the network itself it may lose the frame.
func (s *streams) send(remote netip.AddrPort, frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.open[remote]
	if s.ctx.Err() != nil {
		s.counters.unsent(1)
		return
	}
	if st == nil {
		st = s.newStream(remote)
		if _, room := s.makeRoom(st); !room {
			s.counters.unsent(1)
			return
		}
		s.take(st)
		s.wait.Go(func() { s.dial(st) })
	}
	s.queue(st, frame)
}

// sendAfresh is send by a connection that is new: one that there is gets no answers, and may be stuck behind what gets
// lost each time that it is sent.
func (s *streams) sendAfresh(remote netip.AddrPort, frame []byte) {
	s.mu.Lock()
	if old := s.open[remote]; old != nil && old.conn != nil { // else it is new
		s.forget(old)
	}
	s.mu.Unlock()
	s.send(remote, frame)
}

// isOpen reports whether there is a connection with remote.
func (s *streams) isOpen(remote netip.AddrPort) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[remote] != nil
}

// reply queues a frame to the node at the other end of remote, if there
// still is a connection.
func (s *streams) reply(remote netip.AddrPort, frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.open[remote]; st != nil && s.ctx.Err() == nil {
		s.queue(st, frame)
	}
}

// queue has a frame written to a stream, if there is room for it and it is one
// of frames. It is called with mu held.
func (s *streams) queue(st *stream, frame []byte) {
	size := st.size + len(frame)
	if st.lines || size > streamWaitingMax ||
		st.class == quota.Stranger && size > streamFree && s.unsent+len(frame) > streamUnsentMax {
		s.counters.unsent(1)
		return
	}
	st.waiting = append(st.waiting, frame)
	s.waits(st, len(frame))
	st.used = time.Now()
	s.write(st)
}

// waits counts bytes that wait, or no longer do, to be written to a stream.
func (s *streams) waits(st *stream, n int) {
	st.size += n
	if st.class == quota.Stranger {
		s.unsent += n
	}
}

func (s *streams) newStream(remote netip.AddrPort) *stream {
	addr := remote.Addr()
	return &stream{remote: remote, source: core.Source(addr), class: s.known.class(addr), used: time.Now(), evicted: make(chan struct{})}
}

// forget closes a stream and counts what it had not written.
func (s *streams) forget(st *stream) {
	s.leave(st)
	s.counters.unsent(len(st.waiting))
	s.waits(st, -st.size)
	st.waiting = nil
	if st.conn != nil {
		st.conn.Close()
	}
}

func (s *streams) dial(st *stream) {
	conn, why := s.connect(st.remote)
	s.mu.Lock()
	if conn == nil {
		s.forget(st)
		s.mu.Unlock()
		if why != "" && s.refused != nil {
			s.refused(st.remote, why)
		}
		return
	}
	st.conn = conn
	if s.ctx.Err() != nil {
		conn.Close() // close has been here already
	}
	s.write(st)
	s.mu.Unlock()
	s.read(st)
}

// connect opens a connection over which frames may go. If there is none it says why, without from where to where; ""
// where nothing is there to say so.
func (s *streams) connect(to netip.AddrPort) (conn net.Conn, why string) {
	ask, err := s.languages.mustAsk(to, time.Now())
	if ask {
		defer s.languages.turn(to)()
		ask, err = s.languages.mustAsk(to, time.Now()) // another may have asked meanwhile
	}
	if err != nil {
		return nil, err.Error()
	}
	conn, err = dialFrom(s.ctx, streamDialer, s.source.now.Load().addr, to)
	if err != nil {
		if refused, ok := errors.AsType[*os.SyscallError](err); ok {
			s.languages.lost(to)
			why = refused.Err.Error()
		}
		return nil, why
	}
	if ask {
		if err := s.languages.ask(s.ctx, conn, to); err != nil {
			conn.Close()
			return nil, err.Error()
		}
	}
	return conn, ""
}

func (s *streams) accept() {
	sources := newQuota(acceptShares)
	for s.ctx.Err() == nil {
		conn, err := s.listener.AcceptTCP()
		if err != nil {
			// Out of file descriptors, perhaps: connections that wait may have to wait
			// a little longer.
			select {
			case <-s.ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		remote := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
		remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
		sender := s.known.sender(remote.Addr())
		if slices.Contains(s.seats, remote) {
			s.counters.drop(hearsay.DropUnexpected)
			conn.Close()
			continue
		}
		if !sources.Take(time.Now(), sender, 1) {
			s.counters.drop(hearsay.DropRate)
			conn.Close()
			continue
		}
		if sender.Class == quota.Stranger {
			conn.SetReadBuffer(strangersBuffer) // a failure changes how much, and nothing else
			conn.SetWriteBuffer(strangersBuffer)
		}
		if raw, err := conn.SyscallConn(); err == nil {
			boundUnacked("", "", raw) // likewise; what the listener is told does not hold for what it accepts (MPTCP)
		}
		s.admit(conn, remote)
	}
}

// admit takes an accepted connection in, if there is room for it, or can be
// made by closing one that is idle.
func (s *streams) admit(conn net.Conn, remote netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.open[remote]; old != nil && old.accepted {
		s.drop(old) // it has ended, if its other end's port is used again: that is all that is left of it
	}
	st := s.newStream(remote)
	st.accepted, st.conn = true, conn
	reason, room := s.makeRoom(st)
	if !room || s.ctx.Err() != nil || s.open[remote] != nil {
		s.counters.drop(reason)
		conn.Close()
		return
	}
	s.take(st)
	s.wait.Go(func() { s.read(st) })
}

// write sees to it that somebody writes what is waiting. It is called with mu
// held.
func (s *streams) write(st *stream) {
	if st.conn == nil || st.writing || len(st.waiting) == 0 {
		return
	}
	st.writing, st.answered, st.written = true, false, make(chan struct{})
	s.wait.Go(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for len(st.waiting) > 0 {
			frame := st.waiting[0]
			st.waiting = st.waiting[1:]
			s.mu.Unlock()
			st.conn.SetWriteDeadline(time.Now().Add(streamWriteTimeout))
			_, err := st.conn.Write(frame)
			s.mu.Lock()
			if err != nil {
				s.counters.unsent(1)
				s.forget(st)
				break
			}
			s.counters.wrote(len(frame))
			if st.size == 0 {
				break // it was forgotten meanwhile
			}
			s.waits(st, -len(frame))
		}
		st.waiting, st.writing, st.used = nil, false, time.Now()
		close(st.written)
	})
}

// read hands on the packets of a stream until it ends, by either side, or
// breaks a limit.
func (s *streams) read(st *stream) {
	budget := s.newBudget(st)
	buffered := bufio.NewReaderSize(budget, streamBuffer)
	second, frames := int64(0), 0
	for {
		s.awaitWritten(st)
		budget.class = s.classOf(st)
		packet, err := s.next(st, buffered, budget)
		if now := time.Now().Unix(); now != second {
			second, frames = now, 0
		}
		if frames++; err == nil && frames > framesPerStream {
			err = &wire.FrameError{Drop: hearsay.DropRate}
		}
		if err != nil {
			budget.release()
			s.ended(st, err)
			return
		}
		s.arrived(st, packet, budget.class)
		budget.release()
	}
}

// awaitWritten waits until all is written that waits for a stranger that has connected:
// until then no more of its requests are taken. A stream that this node has dialled is
// read on, or two nodes that write much to each other would both wait.
func (s *streams) awaitWritten(st *stream) {
	s.mu.Lock()
	written, waits := st.written, st.writing && st.accepted && st.class == quota.Stranger
	s.mu.Unlock()
	if waits {
		<-written // at the latest when the write fails, by its deadline or by close
	}
}

// next waits for the next frame, as long as the stream is in use, and reads
// it. What begins with another byte than a frame does is a line, or meant to be one.
func (s *streams) next(st *stream, r *bufio.Reader, b *budget) ([]byte, error) {
	if err := s.await(st, r); err != nil {
		return nil, err
	}
	if first, _ := r.Peek(1); first[0] != wire.FrameStart && s.lines != nil && st.accepted && !st.brought {
		s.mu.Lock()
		st.lines = true
		s.mu.Unlock()
		b.hurried = true
		asked := s.lines.Serve(s.ctx, st.conn, r, st.remote, s.classOf(st))
		if !asked || st.asked {
			return nil, io.EOF
		}
		b.hurried, st.asked = false, true
		s.mu.Lock()
		st.lines = false
		s.mu.Unlock()
		return s.next(st, r, b)
	}
	st.conn.SetReadDeadline(time.Now().Add(streamFrameTimeout))
	return wire.ReadFrame(r, nil)
}

// mayIdle is how long a stream may be unused.
func (st *stream) mayIdle() time.Duration {
	if st.answered && !st.accepted {
		return streamAnsweredIdle
	}
	return streamIdle
}

// await waits for the first byte of a frame.
func (s *streams) await(st *stream, r *bufio.Reader) error {
	for {
		s.mu.Lock()
		idle := st.mayIdle()
		s.mu.Unlock()
		if err := st.conn.SetReadDeadline(time.Now().Add(idle)); err != nil {
			return err // closed: what is buffered is of no use any more
		}
		_, err := r.Peek(1)
		s.mu.Lock()
		busy := st.writing || time.Since(st.used) < st.mayIdle()
		st.reading = err == nil
		s.mu.Unlock()
		if err == nil || !busy || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// arrived hands on a packet, unless it is one too many: like the network itself it may lose it.
func (s *streams) arrived(st *stream, packet []byte, class quota.Class) {
	s.mu.Lock()
	st.reading, st.brought, st.answered, st.used = false, true, true, time.Now()
	if st.accepted {
		s.from.Store(&st.remote)
	}
	may := s.frames.Take(st.used, quota.Sender{Class: class, Addr: netip.AddrPortFrom(st.source, 0)}, 1)
	s.mu.Unlock()
	s.counters.read(len(packet))
	if !may {
		s.counters.drop(hearsay.DropRate)
		return
	}
	s.deliver(packet, class, st.remote, st.evicted)
}

// ended closes a stream that cannot go on, and counts why, if the other end
// is to blame.
func (s *streams) ended(st *stream, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var broken *wire.FrameError
	switch {
	case errors.As(err, &broken):
		s.counters.drop(broken.Drop)
	case errors.Is(err, errBudget):
		s.counters.drop(hearsay.DropQueueFull)
	case errors.Is(err, os.ErrDeadlineExceeded) && (st.reading || st.accepted && !st.brought && !st.asked):
		s.counters.drop(hearsay.DropSlow)
	case errors.Is(err, io.EOF): // it has said all that it wanted to
	}
	s.forget(st)
}
