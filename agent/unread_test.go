package agent

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"hearsay/internal/core"
	"hearsay/quota"
)

// TestUnreadAnswersAreFew: strangers that ask and read nothing are each sent what the
// kernel was told to keep, and no more of their requests are taken. They lose their
// streams, and others are answered.
func TestUnreadAnswersAreFew(t *testing.T) {
	t.Parallel()
	const strangers, requests, answerLen = 16, 200, 100_000
	// The kernel keeps twice strangersBuffer here, and what fits the window of the
	// other end, which is as small; one more is being written.
	const most = strangers * (4*strangersBuffer + 2*answerLen)
	b := newQuietBox(t)
	answer := make([]byte, answerLen)
	b.deliver = func(packet []byte, _ quota.Class, from netip.AddrPort, _ <-chan struct{}) {
		b.arrived <- delivery{packet, from}
		b.reply(from, answer)
	}
	b.arrived = make(chan delivery, strangers*requests+1)
	b.start()
	t.Cleanup(b.close)
	ask := frame(&core.LedgerReq{After: 1})
	for range strangers {
		conn := b.connect(t)
		conn.(*net.TCPConn).SetReadBuffer(4096)
		for range requests {
			if _, err := conn.Write(ask); err != nil {
				t.Fatal(err)
			}
		}
	}
	awaitThat(t, "the streams are closed", func() bool { return len(b.arrived) >= strangers && b.count() == 0 })
	sent := int(b.counters.counted().StreamOut)
	t.Logf("%d bytes were sent to each of %d, for %d requests taken of %d", sent/strangers, strangers, len(b.arrived)/strangers, requests)
	if sent > most || len(b.arrived) > strangers*(4*strangersBuffer/answerLen+2) {
		t.Errorf("%d bytes were sent for %d requests, want at most %d bytes", sent, len(b.arrived), most)
	}
	reader := b.connect(t)
	reader.Write(ask)
	reader.SetReadDeadline(time.Now().Add(patience))
	room := make([]byte, answerLen)
	for got := 0; got < answerLen; {
		n, err := reader.Read(room)
		if got += n; err != nil {
			t.Fatalf("another is answered with %d bytes of %d: %v", got, answerLen, err)
		}
	}
}

// awaitThat waits until something holds of which no event tells.
func awaitThat(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, ticker := patient(t), time.NewTicker(lookEvery)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("not so: %s", what)
		}
	}
}

// TestUnsentOfStrangersIsBounded: what waits for strangers that read nothing is bounded
// in all their streams together. A short answer to another, and any to a member, still
// finds room.
func TestUnsentOfStrangersIsBounded(t *testing.T) {
	inCrowd(t, func(c *crowd) {
		waits := func(addr string, n int) (added bool) {
			at := netip.MustParseAddrPort(addr)
			before := c.counters.counted().SendFails
			c.reply(at, make([]byte, n))
			return c.counters.counted().SendFails == before
		}
		for n := range strangersPerSource {
			addr := fmt.Sprintf("192.0.2.1:%d", n+1)
			c.whole(addr)
			for waits(addr, 200_000) {
			}
		}
		if c.unsent > streamUnsentMax || c.unsent < streamUnsentMax-200_000 {
			t.Errorf("%d bytes wait, may be %d", c.unsent, streamUnsentMax)
		}
		member := netip.AddrPortFrom(memberAddr.Addr(), 5).String()
		for addr, n := range map[string]int{"192.0.2.2:1": streamFree, member: 200_000} {
			if c.whole(addr); !waits(addr, n) {
				t.Errorf("%d bytes for %s find no room", n, addr)
			}
		}
		c.mu.Lock()
		for _, st := range c.open {
			c.forget(st)
		}
		left := c.unsent
		c.mu.Unlock()
		if left != 0 {
			t.Errorf("%d bytes wait in no stream", left)
		}
	})
}
