package agent

import (
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1":        "10.0.0.1 10.0.0.1 7",
		"10.0.0.1:80":     "10.0.0.1 10.0.0.1 80",
		"::1":             "::1 ::1 7",
		"[::1]":           "::1 ::1 7",
		"[::1]:80":        "::1 ::1 80",
		"fd00::1":         "fd00::1 fd00::1 7",
		"::ffff:10.0.0.1": "::ffff:10.0.0.1 10.0.0.1 7",
		"a.example:80":    "a.example invalid IP 80",
		"my_host-1":       "my_host-1 invalid IP 7",
	} {
		a, err := parseAddress(text, 7)
		if got := a.host + " " + a.ip.String() + " " + netip.AddrPortFrom(localhost, a.port).String()[len("127.0.0.1:"):]; err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                       "it names no host; want an IP address or the name of a host",
		":80":                    "it names no host; want an IP address or the name of a host",
		"1.2.3":                  "it is no IP address, and digits alone name no host; want an IP address",
		"1.2.3.4.5:80":           "it is no IP address, and digits alone name no host; want an IP address",
		"a:b":                    "want a port from 0 to 65535",
		"a:65536":                "want a port",
		"a:-1":                   "want a port",
		"a:1:2":                  "want host:port",
		"[::1":                   "want host:port",
		"http://a:80":            "want host:port",
		"a b":                    "has no ' '",
		strings.Repeat("x", 254): "at most 253 bytes",
	} {
		if _, err := parseAddress(text, 7); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestAdvertised(t *testing.T) {
	bound := netip.MustParseAddrPort("127.0.0.1:700")
	all := netip.MustParseAddrPort("0.0.0.0:700")
	join, _ := parseJoin("127.0.0.9:1")
	for name, c := range map[string]struct {
		advertise string
		bound     netip.AddrPort
		join      []address
		want      string
	}{
		"what is bound":      {"", bound, nil, "127.0.0.1:700"},
		"what is said":       {"10.1.2.3:9", bound, nil, "10.1.2.3:9"},
		"the bound port":     {"10.1.2.3", all, nil, "10.1.2.3:700"},
		"a name":             {"localhost:9", bound, nil, "127.0.0.1:9"},
		"towards the others": {"", all, []address{join}, "127.0.0.1:700"},
	} {
		cfg := Config{Advertise: c.advertise}
		got, err := cfg.advertised(t.Context(), c.bound, c.join)
		if err != nil || got.String() != c.want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, c.want)
		}
	}
	cfg := Config{Advertise: "[fd00::1]:9"}
	if got, err := cfg.advertised(t.Context(), bound, nil); err == nil || !strings.Contains(err.Error(), "no address of the family") {
		t.Errorf("IPv6 for an IPv4 socket: %s, %v", got, err)
	}
	// Whatever this machine is like, an answer is one address or an error that
	// says what to do.
	got, err := (&Config{}).advertised(t.Context(), all, nil)
	if err != nil && !strings.Contains(err.Error(), "set --advertise") || err == nil && (got.Addr().IsUnspecified() || got.Port() != 700) {
		t.Errorf("all addresses: %s, %v", got, err)
	}
}

func TestFamilies(t *testing.T) {
	v4, v6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")
	for _, c := range []struct {
		local netip.Addr
		to4   bool
		to6   bool
	}{
		{v4, true, false},
		{netip.IPv4Unspecified(), true, false},
		{v6, false, true},
		{netip.IPv6Unspecified(), true, true},
	} {
		if sameFamily(c.local, v4) != c.to4 || sameFamily(c.local, v6) != c.to6 {
			t.Errorf("from %s", c.local)
		}
	}
}

// TestResolver: names are looked up until each was found, then only when
// asked, not too often, and only what is new is handed out.
func TestResolver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := netip.MustParseAddrPort("10.0.0.1:1"), netip.MustParseAddrPort("10.0.0.2:1")
		var mu sync.Mutex
		known := map[string][]netip.AddrPort{}
		know := func(host string, addrs ...netip.AddrPort) {
			mu.Lock()
			defer mu.Unlock()
			known[host] = addrs
		}
		var handed []netip.AddrPort
		fails := 0
		r := newResolver([]address{{host: "a", port: 1}, {host: "10.9.9.9", ip: localhost, port: 1}, {host: "b", port: 1}}, localhost)
		r.query = func(a address) ([]netip.AddrPort, error) {
			mu.Lock()
			defer mu.Unlock()
			if addrs := known[a.host]; addrs != nil {
				return addrs, nil
			}
			return nil, errors.New("no such host")
		}
		r.found = func(addrs []netip.AddrPort) { handed = append(handed, addrs...) }
		r.failed = func(string, error) { fails++ }
		want := func(addrs ...netip.AddrPort) {
			t.Helper()
			synctest.Wait()
			if len(handed) != len(addrs) || len(addrs) > 0 && handed[0] != addrs[0] {
				t.Errorf("handed %v, want %v", handed, addrs)
			}
			handed = nil
		}
		r.again()
		want()
		if fails != 2 || !r.empty() {
			t.Errorf("%d failures, empty %v", fails, r.empty())
		}
		know("a", one)
		r.again() // is looking already
		time.Sleep(lookupBackoffMin)
		want(one)
		know("b", two)
		time.Sleep(2 * lookupBackoffMin)
		want(two)
		if r.empty() {
			t.Error("empty")
		}
		three, four := netip.MustParseAddrPort("10.0.0.3:1"), netip.MustParseAddrPort("10.0.0.4:1")
		know("a", three)
		r.again()
		want() // it was looked up just now
		time.Sleep(lookupAgain)
		r.lookedUpWithin(lookupEvery)
		want()
		r.again()
		want(three)
		know("a", four)
		time.Sleep(lookupEvery)
		r.lookedUpWithin(lookupEvery)
		want(four)
		know("a")
		time.Sleep(lookupAgain)
		r.again()
		want()
		r.close() // while it waits to look again
		r.again()
		want()
	})
}
