package agent

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hearsay/quota"
	"hearsay/wire"
)

// Two strangers' addresses hold 200 streams each, on each of which a long frame has begun, and connect again when
// one is closed. The long frame of a third stranger, which is there whole, gets its turn.
func TestLongFramesTakeTurns(t *testing.T) {
	inCrowd(t, func(c *crowd) {
		var arrived atomic.Int64
		c.deliver = func([]byte, quota.Class, netip.AddrPort, <-chan struct{}) { arrived.Add(1) }
		third := netip.MustParseAddr("203.0.113.1") // sources share places by a hash that is drawn: one of its own
		for slot := func(host netip.Addr) int { return receivingSlot(host) }; slot(third) == slot(netip.MustParseAddr("192.0.2.1")) || slot(third) == slot(netip.MustParseAddr("198.51.100.1")); {
			third = third.Next()
		}
		half := append([]byte{wire.FrameStart, 0x03, 0xff, 0xff}, make([]byte, 9<<10)...)
		over := make(chan struct{})
		port := atomic.Int64{}
		for _, host := range []string{"192.0.2.1", "198.51.100.1"} {
			for range 200 {
				c.wait.Go(func() {
					for {
						ours, theirs := net.Pipe()
						c.admit(ours, netip.MustParseAddrPort(fmt.Sprintf("%s:%d", host, port.Add(1)%60000+1)))
						theirs.Write(half)
						closed := make(chan struct{})
						go func() { theirs.Read(make([]byte, 1)); close(closed) }()
						select {
						case <-closed:
						case <-over:
							theirs.Close()
							<-closed
							return
						}
					}
				})
			}
		}
		synctest.Wait()
		<-time.After(2 * time.Second)
		began := time.Now()
		whole := append([]byte{wire.FrameStart, 0x00, 0x40, 0x00}, make([]byte, 0x4000)...) // 16 KiB
		ours, theirs := net.Pipe()
		c.admit(ours, netip.AddrPortFrom(third, 1))
		c.wait.Go(func() { theirs.Write(whole) })
		for arrived.Load() == 0 && time.Since(began) < 10*time.Minute {
			<-time.After(time.Second)
		}
		if time.Since(began) > 10*time.Second { // roster.answerTime: nobody waits for an answer any longer
			t.Errorf("two addresses keep the long frame of a third one waiting for %v", time.Since(began))
		}
		close(over)
	})
}
