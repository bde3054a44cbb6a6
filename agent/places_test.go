package agent

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/quota"
	"hearsay/wire"
)

var (
	seatAddr   = netip.MustParseAddrPort("10.1.0.1:7946")
	memberAddr = netip.MustParseAddrPort("10.2.0.1:7946")
)

// crowd is streams to which a test connects from any address.
type crowd struct {
	*streams
	t        *testing.T
	counters counters
}

// inCrowd runs a test in a bubble, and ends all connections after it.
func inCrowd(t *testing.T, do func(c *crowd)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := &crowd{t: t}
		c.streams = &streams{
			ctx: ctx, cancel: cancel, counters: &c.counters, frames: newQuota(frameShares), known: newKnownSources([]netip.AddrPort{seatAddr}),
			deliver: func([]byte, quota.Class, netip.AddrPort, <-chan struct{}) {},
		}
		c.known.add(memberAddr.Addr())
		do(c)
		c.mu.Lock()
		for _, st := range c.open {
			st.conn.Close()
		}
		c.mu.Unlock()
		c.wait.Wait()
	})
}

// halfOpen connects and begins a frame; it reports whether it was let in.
func (c *crowd) halfOpen(from string) bool { return c.connect(from, []byte{wire.FrameStart, 0, 1}) }

// whole connects and sends a packet.
func (c *crowd) whole(from string) bool { return c.connect(from, frame(&core.Ack{})) }

// flood connects, and sends packets as fast as they are taken.
func (c *crowd) flood(from string) {
	ours, theirs := net.Pipe()
	c.admit(ours, netip.MustParseAddrPort(from))
	c.wait.Go(func() {
		for packet := frame(&core.Ack{}); ; {
			if _, err := theirs.Write(packet); err != nil {
				return
			}
		}
	})
}

func (c *crowd) connect(from string, says []byte) bool {
	ours, theirs := net.Pipe()
	c.admit(ours, netip.MustParseAddrPort(from))
	_, err := theirs.Write(says)
	return err == nil
}

func (c *crowd) held(class quota.Class) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.classes[class]
}

// TestHalfOpenStreamsKeepNobodyOut: connections that bring nothing, of one IPv6
// network or of a thousand addresses, keep neither a seat nor a member out, and
// one network does not keep out another stranger.
func TestHalfOpenStreamsKeepNobodyOut(t *testing.T) {
	for name, address := range map[string]func(n int) string{
		"one IPv6 network":   func(n int) string { return fmt.Sprintf("[2001:db8::%x]:1", n+1) },
		"many IPv6 networks": func(n int) string { return fmt.Sprintf("[2001:db8:%x::1]:1", n+1) },
		"many IPv4 addresses": func(n int) string {
			return fmt.Sprintf("192.0.%d.%d:1", n/256, n%256)
		},
		"one IPv4 address": func(n int) string { return fmt.Sprintf("192.0.2.1:%d", n+1) },
	} {
		t.Run(name, func(t *testing.T) {
			inCrowd(t, func(c *crowd) {
				for n := range 1100 {
					c.halfOpen(address(n))
				}
				synctest.Wait()
				if held := c.held(quota.Stranger); held > streamsStrangers {
					t.Errorf("strangers hold %d places of %d", held, streamsStrangers)
				}
				for port := range 20 {
					if !c.whole(fmt.Sprintf("%s:%d", memberAddr.Addr(), port+1000)) || !c.whole(fmt.Sprintf("%s:%d", seatAddr.Addr(), port+1000)) {
						t.Fatal("there is no place for a member, or for a seat")
					}
				}
				<-time.After(streamGrace + time.Millisecond)
				if !c.whole("[2001:db8:ffff::1]:7946") {
					t.Error("there is no place for another stranger, though the others have brought nothing for a second")
				}
			})
		})
	}
}

// TestShortFramesAreBounded: strangers' packets, however short and from however many
// sources, cost the loop no more turns than it can spare; a member's are all taken.
func TestShortFramesAreBounded(t *testing.T) {
	inCrowd(t, func(c *crowd) {
		var strangers, members atomic.Int64
		c.deliver = func(_ []byte, class quota.Class, _ netip.AddrPort, _ <-chan struct{}) {
			if class == quota.Stranger {
				strangers.Add(1)
			} else {
				members.Add(1)
			}
		}
		const sources, frames = 200, framesPerStream - 1
		says := slices.Repeat([]byte{wire.FrameStart, 0, 0, 0}, frames)
		for n := range sources {
			for port := range 2 {
				c.connect(fmt.Sprintf("192.0.2.%d:%d", n, port+1), says)
			}
		}
		c.connect(fmt.Sprintf("%s:1", memberAddr.Addr()), says)
		synctest.Wait()
		if took := strangers.Load(); took > 2*framesStrangers || took < framesStrangers/2 {
			t.Errorf("%d of %d packets of strangers were taken at once, want at most %d", took, 2*sources*frames, 2*framesStrangers)
		}
		if took := members.Load(); took != frames {
			t.Errorf("%d of a member's %d packets were taken", took, frames)
		}
	})
}

// TestOneNetworkLeavesRoomAtOnce: a source that holds many places gives one up
// to a source that holds none, however young its streams are.
func TestOneNetworkLeavesRoomAtOnce(t *testing.T) {
	inCrowd(t, func(c *crowd) {
		for n := range strangersPerSource {
			c.halfOpen(fmt.Sprintf("[2001:db8::%x]:1", n+1))
			c.halfOpen(fmt.Sprintf("[2001:db8:1::%x]:1", n+1))
		}
		if held := c.held(quota.Stranger); held != streamsStrangers {
			t.Fatalf("strangers hold %d places, want all %d", held, streamsStrangers)
		}
		if !c.whole("[2001:db8:ffff::1]:7946") {
			t.Error("there is no place for another network")
		}
	})
}

// TestProvenStreamsStay: what has brought a member's packet stays, however many come
// from the same address, and seats find places beside them.
func TestProvenStreamsStay(t *testing.T) {
	inCrowd(t, func(c *crowd) {
		from := func(port int) string { return fmt.Sprintf("%s:%d", memberAddr.Addr(), port+1) }
		const proven = 300
		for port := range proven {
			c.whole(from(port))
			synctest.Wait()
			c.proved(netip.MustParseAddrPort(from(port)), netip.AddrPortFrom(memberAddr.Addr(), uint16(port/provenPerMember+1)))
		}
		for port := range 1100 {
			c.halfOpen(from(proven + port))
			c.halfOpen(fmt.Sprintf("192.0.%d.%d:1", port/256, port%256))
		}
		<-time.After(streamGrace + time.Millisecond)
		for port := range 1100 {
			c.halfOpen(from(2000 + port))
		}
		for port := range proven {
			if !c.isOpen(netip.MustParseAddrPort(from(port))) {
				t.Fatal("a stream that has brought a member's packet was closed for one that has not")
			}
		}
		if !c.whole(fmt.Sprintf("%s:1", seatAddr.Addr())) {
			t.Error("there is no place for a seat")
		}
	})
}

// TestOneNameKeepsFewPlaces: streams from a member's address, all in the name of that
// member, take no places from another member.
func TestOneNameKeepsFewPlaces(t *testing.T) {
	inCrowd(t, func(c *crowd) {
		other := netip.MustParseAddrPort("10.3.0.1:7946")
		c.known.add(other.Addr())
		for port := range streamsMembers {
			from := netip.AddrPortFrom(memberAddr.Addr(), uint16(port+1))
			c.whole(from.String())
			synctest.Wait()
			c.proved(from, memberAddr)
		}
		if held := c.held(quota.Member); held != streamsMembers {
			t.Fatalf("%d places are taken, of %d that members share", held, streamsMembers)
		}
		if !c.whole(other.String()) {
			t.Error("there is no place for another member")
		}
	})
}

// TestHalfFramesLeaveRoomToBytes: however many bytes of frames that do not end
// strangers have sent, those of a seat and of a member arrive whole, and so do short ones
// of another stranger.
func TestHalfFramesLeaveRoomToBytes(t *testing.T) {
	inCrowd(t, func(c *crowd) {
		var arrived atomic.Int64
		c.deliver = func([]byte, quota.Class, netip.AddrPort, <-chan struct{}) { arrived.Add(1) }
		const held = 250 << 10
		half := append([]byte{wire.FrameStart, 0x03, 0xff, 0xff}, make([]byte, held)...)
		send := func(from string, says []byte) { // it may have to wait
			ours, theirs := net.Pipe()
			c.admit(ours, netip.MustParseAddrPort(from))
			c.wait.Go(func() { theirs.Write(says) })
			synctest.Wait()
		}
		for n := range 2 * strangersLong {
			send(fmt.Sprintf("192.0.%d.1:1", n), half)
		}
		<-time.After(time.Second) // at the pace of long frames
		synctest.Wait()
		if n := c.receiving.Load(); n < strangersLong*held || n > streamReceivingMax/2 {
			t.Fatalf("%d bytes are held: the test shows nothing", n)
		}
		whole := append(half[:4:4], make([]byte, 0x3ffff)...)
		send("203.0.113.1:1", whole)
		if arrived.Load() != 0 {
			t.Error("a long packet arrived beyond what strangers may have waiting")
		}
		const short = 4 << 10 // and longer than what is read at a time
		send("198.51.100.1:1", append([]byte{wire.FrameStart, 0, short >> 8, 0}, make([]byte, short)...))
		if arrived.Swap(0) != 1 {
			t.Error("a short packet of another stranger did not arrive")
		}
		for _, from := range []netip.AddrPort{seatAddr, memberAddr} {
			send(from.String(), whole)
		}
		if n := arrived.Load(); n != 2 {
			t.Errorf("%d of two long frames arrived, of a seat and of a member", n)
		}
	})
}

// TestClassesTakeTurns: while the streams of 512 strangers' networks always have
// something waiting for the loop, the packets of a seat and of a member are handled
// within a few turns each.
func TestClassesTakeTurns(t *testing.T) {
	const (
		strangers = 512
		turns     = 1500
		most      = 2 * (quota.Seat + 1) // every other turn is for a call
	)
	inCrowd(t, func(c *crowd) {
		i := &inbox{}
		c.deliver = i.deliver
		defer func() { i.close(); i.drain() }()
		var call func(time.Time)
		call = func(time.Time) { i.put(call) }
		call(time.Time{})
		waiting := map[netip.Addr]int{seatAddr.Addr(): 0, memberAddr.Addr(): 0} // turns since the last
		for n := range strangers {
			c.flood(fmt.Sprintf("[2001:db8:%x::1]:1", n+1))
		}
		for addr := range waiting {
			c.flood(netip.AddrPortFrom(addr, 1).String())
		}
		handled := 0
		for range turns {
			synctest.Wait() // all that may wait, waits
			in, ok, _ := i.next()
			if !ok {
				t.Fatal("nothing waits")
			}
			if in.call != nil {
				in.call(time.Time{})
			}
			for addr, turns := range waiting {
				if waiting[addr]++; in.from.Addr() == addr {
					waiting[addr] = 0
				}
				if turns >= int(most) {
					t.Fatalf("a packet from %s has waited for %d turns", addr, turns)
				}
			}
			if in.from.Addr().Is6() {
				handled++
			}
		}
		if share := turns / int(most); handled < share-1 {
			t.Errorf("%d packets of strangers were handled in %d turns, want %d", handled, turns, share)
		}
	})
}

// TestLongFramesOfStrangersArePaced: what strangers send is read so fast and no
// faster, and neither a member's long frame nor a stranger's short one waits for it.
func TestLongFramesOfStrangersArePaced(t *testing.T) {
	inCrowd(t, func(c *crowd) {
		const streams, frames = 8, 16
		long := append([]byte{wire.FrameStart, 0x03, 0xff, 0xff}, make([]byte, 0x3ffff)...)
		began, arrived := time.Now(), make(map[netip.Addr]time.Duration)
		var mu sync.Mutex
		c.deliver = func(_ []byte, _ quota.Class, from netip.AddrPort, _ <-chan struct{}) {
			mu.Lock()
			defer mu.Unlock()
			arrived[from.Addr()] = time.Since(began)
		}
		var sending sync.WaitGroup
		for n := range streams {
			ours, theirs := net.Pipe()
			c.admit(ours, netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:1", n)))
			sending.Go(func() {
				for range frames {
					theirs.Write(long)
				}
			})
		}
		short := netip.MustParseAddrPort("198.51.100.1:1")
		c.connect(memberAddr.String(), long)
		c.whole(short.String())
		sending.Wait()
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		for _, from := range []netip.AddrPort{memberAddr, short} {
			if took, did := arrived[from.Addr()]; !did || took > 0 {
				t.Errorf("what %v sent arrived: %t, after %v", from.Addr(), did, took)
			}
		}
		const free = streams * frames * streamFree
		least := time.Duration(streams*frames*len(long)-2*free) * time.Second / strangersASecond
		if took := time.Since(began); took < least || took > 2*least {
			t.Errorf("%d bytes were read in %v, want %v at least", streams*frames*len(long), took, least)
		}
	})
}

func TestKnownSources(t *testing.T) {
	a := newKnownSources([]netip.AddrPort{seatAddr})
	a.add(memberAddr.Addr())
	a.add(netip.MustParseAddr("2001:db8::1"))
	a.add(netip.MustParseAddr("2001:db8::2")) // of the same source
	a.contacts([]netip.AddrPort{netip.MustParseAddrPort("10.9.9.9:1")})
	want := func(addr string, class quota.Class) {
		t.Helper()
		if got := a.class(netip.MustParseAddr(addr)); got != class {
			t.Errorf("%s is of class %d, want %d", addr, got, class)
		}
	}
	want("10.1.0.1", quota.Seat)
	want("::ffff:10.1.0.1", quota.Seat)
	want("10.2.0.1", quota.Member)
	want("2001:db8::77", quota.Member)
	want("10.9.9.9", quota.Member)
	want("10.2.0.2", quota.Stranger)
	a.add(netip.MustParseAddr("10.2.0.2")) // the first has moved, and the others died
	want("10.2.0.2", quota.Member)
	a.only([]netip.AddrPort{netip.MustParseAddrPort("10.2.0.2:7"), netip.MustParseAddrPort("10.2.0.2:8")})
	want("10.2.0.1", quota.Stranger)
	want("10.2.0.2", quota.Member)
	want("2001:db8::77", quota.Stranger)
	if len(a.members) != 1 {
		t.Errorf("%d sources are kept of two members at one", len(a.members))
	}
}

// TestEvictedPacketsAreWithdrawn: while the loop is busy no more packets wait for it than
// there are places, however many have come and had to give way.
func TestEvictedPacketsAreWithdrawn(t *testing.T) {
	inCrowd(t, func(c *crowd) {
		i := &inbox{}
		c.deliver = i.deliver
		defer func() { i.close(); i.drain() }()
		const streams = 4 * streamsStrangers
		for n := range streams {
			if !c.whole(fmt.Sprintf("[2001:db8:%x::1]:1", n+1)) {
				t.Fatal("a stream found no place")
			}
			synctest.Wait()
		}
		waiting := 0
		for _, s := range i.others.classes[quota.Stranger].turns {
			waiting += len(s.inputs)
		}
		if waiting != streamsStrangers || len(i.others.classes[quota.Stranger].sources) != streamsStrangers {
			t.Errorf("%d packets of %d sources wait, of %d streams; want %d", waiting, len(i.others.classes[quota.Stranger].sources), streams, streamsStrangers)
		}
		if held := c.receiving.Load(); held > streamsStrangers*streamBuffer {
			t.Errorf("%d bytes count as received", held)
		}
	})
}

// TestReusedPortsLeaveNothing: a stream that is opened from the port of one whose packet still
// waits for the loop takes its place, and that packet waits no more.
func TestReusedPortsLeaveNothing(t *testing.T) {
	inCrowd(t, func(c *crowd) {
		i := &inbox{}
		c.deliver = i.deliver
		defer func() { i.close(); i.drain() }()
		for range 100 {
			if !c.whole("192.0.2.1:1") {
				t.Fatal("a stream found no place")
			}
			synctest.Wait()
		}
		sources := i.others.classes[quota.Stranger].turns
		if len(sources) != 1 || len(sources[0].inputs) != 1 {
			t.Errorf("of %d sources packets wait, of the first %d; want 1 of one", len(sources), len(sources[0].inputs))
		}
		if held := c.receiving.Load(); held > 2*streamBuffer {
			t.Errorf("%d bytes count as received", held)
		}
	})
}

// TestLongFramesOfStrangersWait: of many strangers that send long frames at once none is
// closed, no more are held than may be, and all frames arrive.
func TestLongFramesOfStrangersWait(t *testing.T) {
	inCrowd(t, func(c *crowd) {
		var arrived atomic.Int64
		c.deliver = func([]byte, quota.Class, netip.AddrPort, <-chan struct{}) { arrived.Add(1) }
		long := append([]byte{wire.FrameStart, 0x03, 0xff, 0xff}, make([]byte, 0x3ffff)...)
		began := time.Now()
		var sending sync.WaitGroup
		for n := range streamsStrangers {
			ours, theirs := net.Pipe()
			c.admit(ours, netip.MustParseAddrPort(fmt.Sprintf("192.0.%d.%d:1", n/256, n%256)))
			sending.Go(func() { theirs.Write(long) })
		}
		synctest.Wait()
		if held := c.receiving.Load(); held < streamsStrangers*streamFree || held > streamReceivingMax/2 {
			t.Errorf("%d bytes are held", held)
		}
		sending.Wait()
		<-time.After(time.Second) // what was read last is handed on at the pace of long frames
		synctest.Wait()
		if n, closed := arrived.Load(), c.counters.counted().Drops[hearsay.DropQueueFull]; n != streamsStrangers || closed != 0 {
			t.Errorf("%d of %d long frames arrived, %d streams were closed, after %v", n, streamsStrangers, closed, time.Since(began))
		}
		if c.long.reading != 0 || len(c.long.waiting) != 0 {
			t.Errorf("%d are being read, and %d wait, when all have arrived", c.long.reading, len(c.long.waiting))
		}
	})
}

// TestLongFramesAreBounded: one source does not take all turns, what waits is bounded, and
// the oldest is closed beyond that.
func TestLongFramesAreBounded(t *testing.T) {
	var l longFrames
	var all []*longFrame
	for range strangersLong {
		all = append(all, l.take(1, true))
	}
	if l.reading != strangersLongPerSource {
		t.Errorf("%d of one source are read at a time, want %d", l.reading, strangersLongPerSource)
	}
	other := l.take(2, true)
	if !other.mine {
		t.Error("another source waits for the first")
	}
	if l.take(1, false) != nil {
		t.Error("one that must not wait does")
	}
	for len(l.waiting) < strangersWaiting {
		all = append(all, l.take(1, true))
	}
	oldest := l.waiting[0]
	last := l.take(1, true)
	select {
	case <-oldest.ready:
	default:
		t.Error("the oldest waits on, beyond the bound")
	}
	if oldest.mine || len(l.waiting) != strangersWaiting {
		t.Errorf("the oldest has its turn: %t; %d wait", oldest.mine, len(l.waiting))
	}
	for _, f := range append(all, other, last) {
		l.end(f)
	}
	if l.reading != 0 || l.bySource != [receivingSlots]uint8{} || len(l.waiting) != 0 {
		t.Errorf("at the end %d are read, and %d wait", l.reading, len(l.waiting))
	}
}

// TestMembersAddressesAreKnown: connections from a member's address have a member's places
// as long as it is one.
func TestMembersAddressesAreKnown(t *testing.T) {
	t.Parallel()
	a := start(t, quick("a"))
	other := quick("b", addrOf(a))
	other.Bind = "127.0.0.2:0"
	b := start(t, other)
	class := func() quota.Class { return a.streams.known.class(netip.MustParseAddr("127.0.0.2")) }
	await(t, a, "b is a member, and so is its address", func() bool { return class() == quota.Member })
	if err := b.Leave(patient(t)); err != nil {
		t.Error(err)
	}
	await(t, a, "b has left, and its address is a stranger's", func() bool { return class() == quota.Stranger })
}
