package agent

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearsay/internal/core"
	"hearsay/quota"
)

// served is what the turns of a loop have served.
type served struct {
	calls    int          // of the application
	bySource map[byte]int // of others
	waited   map[byte]int // turns since the last of each
}

// TestTurnsServeAllKinds is the checker of the loop: while packets by stream,
// calls, datagrams and ticks wait all the time, no turn leaves out any of them,
// and no source waits for more than one input of each other source and kind.
func TestTurnsServeAllKinds(t *testing.T) {
	const sources, turns = 5, 2000
	a, err := prepare(t.Context(), quick("a"))
	if err != nil {
		t.Fatal(err)
	}
	l := a.loop
	sender, err := net.Dial("udp", addrOfPrepared(a))
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	got := served{bySource: map[byte]int{}, waited: map[byte]int{}}
	from := func(source byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, source}) }
	var again func(source byte)
	again = func(source byte) {
		a.inbox.putFor(quota.Stranger, from(source), func(time.Time) {
			got.bySource[source]++
			got.waited[source] = -1
			again(source)
		})
	}
	var call func()
	call = func() { a.inbox.put(func(time.Time) { got.calls++; call() }) }
	for source := range byte(sources) {
		for range 1 + 10*int(source) { // some have much more waiting than others
			again(source)
		}
	}
	call()
	for turn := range turns {
		for range 2 { // more than a turn serves is for the kernel to keep
			sender.Write([]byte{0})
		}
		before, calls, began := a.counters.counted().PacketsIn, got.calls, time.Now()
		due := !began.Before(l.node.Deadline())
		if ended, err := l.turn(); ended || err != nil {
			t.Fatalf("turn %d: ended: %v", turn, err)
		}
		if a.counters.counted().PacketsIn == before {
			t.Fatalf("turn %d left out the socket", turn)
		}
		if due && !l.node.Deadline().After(began) {
			t.Fatalf("turn %d left out a tick", turn)
		}
		if turn%2 == 1 && got.calls != (turn+1)/2 {
			t.Fatalf("after turn %d %d calls were made: before it %d", turn, got.calls, calls)
		}
		for source := range byte(sources) {
			if got.waited[source]++; got.waited[source] > 2*sources {
				t.Fatalf("turn %d: source %d has waited for %d turns", turn, source, got.waited[source])
			}
		}
	}
	for source, n := range got.bySource {
		if want := turns / 2 / sources; n < want-1 || n > want+1 {
			t.Errorf("source %d was served %d times, want %d", source, n, want)
		}
	}
	a.run()
	a.Close()
}

func addrOfPrepared(a *Agent) string { return a.conn.LocalAddr().String() }

// TestFloodsDoNotStarve: while there is always more to do in the inbox, each
// input of which takes its time, pings and calls are answered.
func TestFloodsDoNotStarve(t *testing.T) {
	const pings, busy, most = 50, time.Millisecond, 10 * time.Second // of those that starve nothing is ever answered
	a := start(t, quick("a"))
	var ended atomic.Bool
	defer ended.Store(true)
	for source := range byte(2) {
		var again func(time.Time)
		again = func(time.Time) {
			for began := time.Now(); time.Since(began) < busy; {
			}
			if !ended.Load() {
				a.inbox.putFor(quota.Stranger, netip.AddrFrom4([4]byte{10, 0, 0, source}), again)
			}
		}
		for range 100 {
			a.inbox.putFor(quota.Stranger, netip.AddrFrom4([4]byte{10, 0, 0, source}), again)
		}
	}
	s := newStranger(t, a)
	longest := time.Duration(0)
	for range pings {
		began := time.Now()
		s.ping()
		a.Self()
		longest = max(longest, time.Since(began))
	}
	if longest > most {
		t.Errorf("a ping and a call took %v", longest)
	}
}

// TestStreamsWaitForTheLoop: of a stream whose packet waits nothing more is
// read, and what waits counts as received.
func TestStreamsWaitForTheLoop(t *testing.T) {
	t.Parallel()
	b := newQuietBox(t)
	held, taken := make(chan struct{}), make(chan struct{})
	var packets atomic.Int64
	b.streams.deliver = func(packet []byte, _ quota.Class, _ netip.AddrPort, _ <-chan struct{}) {
		packets.Add(1)
		held <- struct{}{}
		<-taken
	}
	b.start()
	defer b.close()
	conn := b.connect(t)
	one := frame(&core.Entries{Bits: 1, Items: make([]core.Entry, 1000)})
	var writing sync.WaitGroup
	defer writing.Wait()
	writing.Go(func() {
		for range 100 {
			if _, err := conn.Write(one); err != nil {
				return
			}
		}
	})
	<-held
	if n := b.receiving.Load(); n < int64(len(one)) || n > int64(len(one)+streamBuffer) {
		t.Errorf("%d bytes are counted while a packet of %d waits", n, len(one))
	}
	if n := packets.Load(); n != 1 {
		t.Errorf("%d packets were handed on while the first waits", n)
	}
	conn.Close()
	close(taken)
	for {
		select {
		case <-held:
			continue
		case <-patient(t).Done():
			t.Fatal("the stream does not end")
		default:
		}
		if b.count() == 0 {
			break
		}
	}
}

// TestInboxLetsGo: at the end those who wait with packets go on, and calls that
// are left are given back, in order.
func TestInboxLetsGo(t *testing.T) {
	conn, _ := bound(t, "127.0.0.1:0")
	i := &inbox{conn: conn}
	var waiting sync.WaitGroup
	for n := range uint16(10) {
		waiting.Go(func() { i.deliver([]byte{1}, quota.Stranger, netip.AddrPortFrom(localhost, n), nil) })
	}
	var made []int
	for n := range 3 {
		i.put(func(time.Time) { made = append(made, n) })
	}
	i.close()
	for _, in := range i.drain() {
		in.call(time.Now())
	}
	waiting.Wait()
	if len(made) != 3 || made[0] != 0 || made[2] != 2 {
		t.Errorf("calls made: %v", made)
	}
	if i.put(func(time.Time) {}) || i.putFor(quota.Stranger, localhost, func(time.Time) {}) {
		t.Error("a call was taken after the end")
	}
	i.deliver([]byte{1}, quota.Stranger, netip.AddrPortFrom(localhost, 1), nil) // returns
}
