package agent

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/quota"
	"hearsay/wire"
)

var localhost = netip.MustParseAddr("127.0.0.1")

// box is streams whose packets go to a channel.
type box struct {
	*streams
	counters counters
	addr     netip.AddrPort
	arrived  chan delivery
}

type delivery struct {
	packet []byte
	from   netip.AddrPort
}

func newBox(t *testing.T) *box {
	t.Helper()
	b := newQuietBox(t)
	b.start()
	t.Cleanup(b.close)
	return b
}

// newQuietBox is a box that does not accept yet.
func newQuietBox(t *testing.T) *box {
	t.Helper()
	conn, listener, err := listen(t.Context(), netip.AddrPortFrom(localhost, 0))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	b := &box{arrived: make(chan delivery, 1000), addr: listener.Addr().(*net.TCPAddr).AddrPort()}
	b.streams = newStreams(listener, newOutbound(localhost), &b.counters, func(packet []byte, _ quota.Class, from netip.AddrPort, _ <-chan struct{}) {
		b.arrived <- delivery{packet, from}
	})
	return b
}

func (b *box) receive(t *testing.T) delivery {
	t.Helper()
	select {
	case d := <-b.arrived:
		return d
	case <-patient(t).Done():
		t.Fatal("nothing arrived")
		panic("not reached")
	}
}

// A connection from the very port at which a seed listens is of another process on its machine: a node dials from a
// port that the system draws. What is for the seed does not go there.
func TestStreamFromASeatIsRefused(t *testing.T) {
	b := newQuietBox(t)
	seat, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(localhost, 0)))
	if err != nil {
		t.Fatal(err)
	}
	at := seat.Addr().(*net.TCPAddr)
	seat.Close()
	b.seats = []netip.AddrPort{at.AddrPort()}
	b.start()
	t.Cleanup(b.close)
	for _, from := range []*net.TCPAddr{at, {IP: at.IP}} {
		conn, err := (&net.Dialer{LocalAddr: from}).DialContext(t.Context(), "tcp", b.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(wire.AppendFrame(nil, hearsay.NetworkIDOf("test"), &core.Packet{Body: &core.Ack{}})); err != nil {
			continue // it is closed by now
		}
		if from == at {
			conn.SetReadDeadline(time.Now().Add(time.Minute))
			if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
				t.Error("the stream from the seat's address is taken")
			}
		}
	}
	if d := b.receive(t); d.from == at.AddrPort() {
		t.Errorf("a packet came from %v", d.from)
	}
	if drops := b.counters.counted().Drops; b.isOpen(at.AddrPort()) || drops[hearsay.DropUnexpected] != 1 {
		t.Errorf("open: %t, dropped: %v", b.isOpen(at.AddrPort()), drops)
	}
}

// count gives how many streams are open.
func (b *box) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.open)
}

// connect connects to the box as a stranger.
func (b *box) connect(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", b.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// wantClosed waits until the other end has closed conn.
func wantClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(patience))
	if n, err := io.Copy(io.Discard, conn); err != nil && n == 0 {
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Fatal("still open")
		}
	}
}

func frame(body core.Message) []byte {
	return wire.AppendFrame(nil, hearsay.NetworkID{1}, &core.Packet{Body: body})
}

// payload is the packet in a frame.
func payload(t *testing.T, frame []byte) []byte {
	t.Helper()
	packet, err := wire.ReadFrame(bytes.NewReader(frame), nil)
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

func TestStreamsCarryBothWays(t *testing.T) {
	a, b := newBox(t), newBox(t)
	ask, answer := frame(&core.Ping{Seq: 1}), frame(&core.Ack{Seq: 1})
	a.send(b.addr, ask)
	got := b.receive(t)
	if !bytes.Equal(got.packet, payload(t, ask)) || got.from == a.addr {
		t.Errorf("got %x from %s", got.packet, got.from)
	}
	b.send(got.from, answer) // goes back on the same connection
	got = a.receive(t)
	if !bytes.Equal(got.packet, payload(t, answer)) || got.from != b.addr {
		t.Errorf("got %x from %s", got.packet, got.from)
	}
	a.send(b.addr, ask)
	b.receive(t)
	if n := b.count(); n != 1 {
		t.Errorf("%d connections for three packets", n)
	}
	a.close() // after which nobody counts any more
	if in, out := b.counters.counted().StreamsIn, a.counters.counted().StreamsOut; in != 2 || out != 2 {
		t.Errorf("counted %d in, %d out", in, out)
	}
}

// connTo gives the connection with remote.
func (b *box) connTo(remote netip.AddrPort) net.Conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open[remote].conn
}

// What is to go afresh does not go by the connection that is there, which is closed.
func TestStreamsBeginAfresh(t *testing.T) {
	a, b := newBox(t), newBox(t)
	var from [3]netip.AddrPort
	for i, send := range [...]func(netip.AddrPort, []byte){a.sendAfresh, a.send, a.sendAfresh} {
		send(b.addr, frame(&core.Ping{Seq: uint64(i)}))
		from[i] = b.receive(t).from
	}
	if from[0] != from[1] || from[1] == from[2] {
		t.Errorf("they came from %v", from)
	}
	if n := a.count(); n != 1 {
		t.Errorf("%d connections are open", n)
	}
}

func TestStreamsCarryMuchInOrder(t *testing.T) {
	a, b := newBox(t), newBox(t)
	ids := make([]hearsay.NodeID, core.MaxWant)
	for n := range 8 {
		ids[0][0] = byte(n)
		a.send(b.addr, frame(&core.Want{IDs: ids}))
	}
	decoder := wire.NewDecoder(hearsay.NetworkID{1})
	for n := range 8 {
		var p core.Packet
		if drop, ok := decoder.Decode(b.receive(t).packet, &p); !ok {
			t.Fatal(drop)
		}
		if got := p.Body.(*core.Want).IDs; len(got) != len(ids) || got[0][0] != byte(n) {
			t.Errorf("packet %d: %d ids, of %d", n, len(got), got[0][0])
		}
	}
}

func TestNobodyThere(t *testing.T) {
	a, b := newBox(t), newBox(t)
	b.close()
	a.dial(&stream{remote: b.addr, waiting: [][]byte{frame(&core.Ack{})}})
	if n := a.counters.counted().SendFails; n != 1 {
		t.Errorf("counted %d", n)
	}
}

func TestStrangersAreCounted(t *testing.T) {
	b := newBox(t)
	for name, c := range map[string]struct {
		says string
		drop hearsay.Drop
	}{
		"a JSON line":           {`{"type":"HELLO"}` + "\n", hearsay.DropMalformed},
		"an HTTP request":       {"GET / HTTP/1.1\r\n\r\n", hearsay.DropMalformed},
		"a frame too long":      {"\x01\xff\xff\xff", hearsay.DropOversized},
		"a frame that is short": {"\x01\x00\x00\x10abc", hearsay.DropTruncated},
		"half a header":         {"\x01\x00", hearsay.DropTruncated},
	} {
		before := b.counters.counted().Drops[c.drop]
		conn := b.connect(t)
		io.WriteString(conn, c.says)
		conn.(*net.TCPConn).CloseWrite()
		wantClosed(t, conn)
		if got := b.counters.counted().Drops[c.drop] - before; got != 1 {
			t.Errorf("%s: counted %d times as %s", name, got, c.drop)
		}
	}
	before := b.counters.counted().Drops
	conn := b.connect(t) // says nothing at all, as somebody who only looks whether we listen
	conn.(*net.TCPConn).CloseWrite()
	wantClosed(t, conn)
	if after := b.counters.counted().Drops; after != before {
		t.Errorf("a silent visitor was counted: %v", after)
	}
}

func TestRestlessStreamIsClosed(t *testing.T) {
	b := newBox(t)
	conn := b.connect(t)
	go func() {
		one := frame(&core.Ack{})
		for {
			if _, err := conn.Write(one); err != nil {
				return
			}
		}
	}()
	wantClosed(t, conn)
	if b.counters.counted().Drops[hearsay.DropRate] != 1 {
		t.Errorf("counted %d", b.counters.counted().Drops[hearsay.DropRate])
	}
}

// TestStreamsOfOneSourceAreBounded: who opens as many streams as he may and
// says nothing can neither open more nor keep out another address.
func TestStreamsOfOneSourceAreBounded(t *testing.T) {
	b := newBox(t)
	for range strangersPerSource {
		b.connect(t)
	}
	extra := b.connect(t)
	wantClosed(t, extra)
	if b.counters.counted().Drops[hearsay.DropRate] != 1 {
		t.Errorf("counted %d", b.counters.counted().Drops[hearsay.DropRate])
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	other, err := dialer.Dial("tcp", b.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.Write(frame(&core.Ack{}))
	b.receive(t)
}

// TestIdleStreamsMakeRoom: one that has said what it wanted goes when another
// of that address comes.
func TestIdleStreamsMakeRoom(t *testing.T) {
	b := newBox(t)
	for range strangersPerSource + 20 {
		conn := b.connect(t)
		conn.Write(frame(&core.Ack{}))
		b.receive(t)
	}
	if n := b.counters.counted().Drops[hearsay.DropRate]; n != 0 {
		t.Errorf("%d were refused", n)
	}
	if n := b.count(); n > strangersPerSource {
		t.Errorf("%d streams are open", n)
	}
}

// TestSourcesLeaveRoom: those who begin frames and end none, from several
// addresses, leave room for another address.
func TestSourcesLeaveRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var counters counters
		s := &streams{
			ctx: ctx, cancel: cancel, counters: &counters, frames: newQuota(frameShares),
			deliver: func([]byte, quota.Class, netip.AddrPort, <-chan struct{}) {},
		}
		begin := func(source byte, port int) bool {
			ours, theirs := net.Pipe()
			s.admit(ours, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, source}), uint16(port)))
			_, err := theirs.Write([]byte{wire.FrameStart, 0, 1})
			return err == nil
		}
		const sources, each = 4, 400
		for port := range each {
			for source := range byte(sources) {
				begin(source, port+1)
			}
		}
		synctest.Wait()
		if held := len(s.open); held < streamsStrangers/2 || held > streamsStrangers {
			t.Errorf("%d streams of %d are held", held, streamsStrangers)
		}
		if !begin(sources, 1) {
			t.Error("there is no room for another address")
		}
		s.mu.Lock()
		for _, st := range s.open { // each takes itself off, once it may
			st.conn.Close()
		}
		s.mu.Unlock()
		s.wait.Wait()
	})
}

// pipeStream lets a stream over a pipe into streams without a listener, in a
// bubble whose clock the test turns.
func pipeStream(s *streams) net.Conn {
	ours, theirs := net.Pipe()
	s.admit(ours, netip.AddrPortFrom(localhost, uint16(len(s.open)+1)))
	return theirs
}

func TestSlowStreamsAreClosed(t *testing.T) {
	for name, c := range map[string]struct {
		says  func(io.Writer)
		after time.Duration // when it is closed
		drop  uint64        // as slow
	}{
		"says nothing":       {func(io.Writer) {}, streamIdle, 1},
		"half a frame":       {func(w io.Writer) { w.Write(frame(&core.Ack{})[:7]) }, streamFrameTimeout, 1},
		"all, then no more":  {func(w io.Writer) { w.Write(frame(&core.Ack{})) }, streamIdle, 0},
		"one byte at a time": {dribble, streamFrameTimeout, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				var counters counters
				s := &streams{
					ctx: ctx, cancel: cancel, counters: &counters, frames: newQuota(frameShares),
					deliver: func([]byte, quota.Class, netip.AddrPort, <-chan struct{}) {},
				}
				start := time.Now()
				conn := pipeStream(s)
				var speaking sync.WaitGroup
				defer speaking.Wait()
				speaking.Go(func() { c.says(conn) })
				io.Copy(io.Discard, conn)
				if took := time.Since(start); took != c.after {
					t.Errorf("closed after %s, want %s", took, c.after)
				}
				s.wait.Wait()
				if got := counters.counted().Drops[hearsay.DropSlow]; got != c.drop {
					t.Errorf("counted %d as slow", got)
				}
				if len(s.open) != 0 || s.receiving.Load() != 0 {
					t.Errorf("%d open, %d bytes held", len(s.open), s.receiving.Load())
				}
				cancel()
			})
		})
	}
}

// dribble begins a frame and sends a byte of it a second, in a bubble.
func dribble(w io.Writer) {
	for _, b := range append([]byte{wire.FrameStart, 0, 1, 0}, make([]byte, 256)...) {
		if _, err := w.Write([]byte{b}); err != nil {
			return
		}
		<-time.After(time.Second)
	}
}

// TestBytesBeingReceivedAreBounded: frames that many begin and nobody ends
// hold no more memory than is allowed, whichever sends them.
func TestBytesBeingReceivedAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var counters counters
		s := &streams{
			ctx: ctx, cancel: cancel, counters: &counters, frames: newQuota(frameShares),
			deliver: func([]byte, quota.Class, netip.AddrPort, <-chan struct{}) {},
		}
		const held = 250 << 10
		begun := append([]byte{wire.FrameStart, 0x03, 0xff, 0xff}, make([]byte, held)...)
		for n := range 2 * streamReceivingMax / held {
			ours, theirs := net.Pipe()
			s.admit(ours, netip.MustParseAddrPort(fmt.Sprintf("10.0.0.%d:1", n)))
			s.wait.Go(func() { theirs.Write(begun) })
			synctest.Wait()
			if total := s.receiving.Load(); total > streamReceivingMax/2 {
				t.Fatalf("%d bytes are held", total)
			}
		}
		<-time.After(streamGrace) // at the pace of long frames
		if total := s.receiving.Load(); total > streamReceivingMax/2 || total < strangersLong*held {
			t.Errorf("%d bytes are held", total)
		}
		if waiting := 2*streamReceivingMax/held - strangersLong; len(s.long.waiting) != waiting {
			t.Errorf("%d wait, want %d", len(s.long.waiting), waiting)
		}
		s.mu.Lock()
		for _, st := range s.open {
			st.conn.Close()
		}
		s.mu.Unlock()
		s.wait.Wait()
	})
}

// A stream that this node has dialled is closed soon after an answer, and not while a question is open.
func TestAnsweredStreamsAreClosed(t *testing.T) {
	answer := func(conn net.Conn) { conn.Write(frame(&core.Ack{})) }
	for name, c := range map[string]struct {
		says  func(s *streams, st *stream, conn net.Conn)
		after time.Duration
	}{
		"answered": {func(_ *streams, _ *stream, conn net.Conn) { answer(conn) }, streamAnsweredIdle},
		"asked again a second after the answer": {func(s *streams, st *stream, conn net.Conn) {
			answer(conn)
			<-time.After(time.Second) // of the bubble's clock
			s.mu.Lock()
			s.queue(st, frame(&core.Ack{}))
			s.mu.Unlock()
		}, streamAnsweredIdle + streamIdle},
		"asked, and not answered": {func(*streams, *stream, net.Conn) {}, streamIdle},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				s := &streams{
					ctx: ctx, cancel: cancel, counters: &counters{}, frames: newQuota(frameShares),
					deliver: func([]byte, quota.Class, netip.AddrPort, <-chan struct{}) {},
				}
				ours, theirs := net.Pipe()
				st := s.newStream(netip.AddrPortFrom(localhost, 1))
				s.mu.Lock()
				st.conn = ours
				s.take(st)
				s.mu.Unlock()
				start := time.Now()
				s.wait.Go(func() { s.read(st) })
				var speaking sync.WaitGroup
				speaking.Go(func() { c.says(s, st, theirs) })
				io.Copy(io.Discard, theirs)
				speaking.Wait()
				if took := time.Since(start); took != c.after {
					t.Errorf("closed after %s, want %s", took, c.after)
				}
				s.wait.Wait()
			})
		})
	}
}
