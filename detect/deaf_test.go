package detect

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
)

// A node takes itself for the one that gets no datagrams by members of several sources, if there are several:
// many members at one IP address cannot make it believe so.
func TestDeafByMembersOfSeveralSources(t *testing.T) {
	for _, test := range []struct {
		row       string // of which source each was that answered by stream only
		elsewhere bool   // there are members of others
		deaf      bool
	}{
		{"aa", false, false},
		{"aaa", false, true},
		{"aaaaaaaa", true, false},
		{"aaaab", true, true},
		{"aba", true, true},
		{"ab", true, false},
	} {
		var p paths
		for i, source := range test.row {
			addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(source), 1}), uint16(1000+i))
			p.byStream(hearsay.NodeID{byte(i + 1)}, addr, time.Unix(0, 0), 20, func(netip.Addr) bool { return test.elsewhere })
		}
		if p.deaf != test.deaf {
			t.Errorf("%+v: deaf: %t", test, p.deaf)
		}
		if p.byDatagram(hearsay.NodeID{9}, netip.AddrPort{}); p.deaf {
			t.Error("a datagram has come, and it is deaf still")
		}
	}
}
