package guest

import (
	"net/netip"
	"testing"
	"time"
)

// That a peer asks again and again to be let in, though it is in, is told once.
func TestRepeatedRegistrationIsToldOnce(t *testing.T) {
	m, told := newMentions(stranger), 0
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
