package agent

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"hearsay"
	"hearsay/dialect"
)

// TestConnectionsFromOnePort: who connects again from the same port, before its first
// request is given up, gets the answer to the second.
func TestConnectionsFromOnePort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{
			loop:    &loop{inbox: &inbox{}, streams: &streams{known: newAcquaintances(nil)}},
			waiting: make(map[netip.AddrPort]chan *answer),
		}
		pending := func(time.Time) (*hearsay.Packet, dialect.Reply) { return &hearsay.Packet{}, nil }
		first, giveUp := context.WithCancel(t.Context())
		go d.bring(first, memberAddr, pending)
		synctest.Wait()
		got := make(chan *answer, 1)
		go func() {
			a, _ := d.bring(t.Context(), memberAddr, pending)
			got <- a
		}()
		synctest.Wait()
		giveUp()
		synctest.Wait()
		if !d.deliver(memberAddr, &answer{}) {
			t.Fatal("nobody waits for the answer any more")
		}
		if a := <-got; a == nil {
			t.Error("the second request got no answer")
		}
	})
}

// That a peer asks again and again to be let in, though it is in, is told once.
func TestRepeatedRegistrationIsToldOnce(t *testing.T) {
	m, told := newMentions(newAcquaintances(nil)), 0
	now := time.Unix(1000, 0)
	ask := func(peer netip.AddrPort) {
		if !m.again(peer, now) {
			told++
		}
	}
	for range 100 {
		ask(memberAddr)
		now = now.Add(5 * time.Second)
	}
	if told != 1 {
		t.Errorf("told %d times of one that asked for 500 s", told)
	}
	now = now.Add(2 * repeatedFor)
	ask(memberAddr)
	for port := range uint16(3 * repeatedMost) {
		ask(netip.AddrPortFrom(memberAddr.Addr(), port))
	}
	if told != 2+3*repeatedMost || len(m.repeated) > repeatedMost {
		t.Errorf("told %d times, %d are kept", told, len(m.repeated))
	}
}
