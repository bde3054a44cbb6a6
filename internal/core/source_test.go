package core_test

import (
	"net/netip"
	"testing"

	"hearsay/internal/core"
)

func TestSource(t *testing.T) {
	for _, c := range []struct{ addr, source string }{
		{"192.0.2.7", "192.0.2.7"},
		{"::ffff:192.0.2.7", "192.0.2.7"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
		{"fe80::1%eth0", "fe80::"},
		{"::1", "::"},
	} {
		if got := core.Source(netip.MustParseAddr(c.addr)); got.String() != c.source {
			t.Errorf("the source of %s is %s, want %s", c.addr, got, c.source)
		}
	}
	if got := core.Source(netip.Addr{}); got.IsValid() {
		t.Errorf("no address has the source %s", got)
	}
}
