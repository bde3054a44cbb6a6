package web_test

import (
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestManyMembersToClientsThatDoNotRead has clients ask for a list of members that is a
// megabyte long, and read nothing. What they hold is bounded, and a client that reads
// gets the whole list.
func TestManyMembersToClientsThatDoNotRead(t *testing.T) {
	const (
		members = 5000
		clients = 200
		most    = 32 << 20 // bytes: 32 large answers with a copy of the list each; 64 streams with a chunk each
		inTime  = 60 * time.Second
	)
	v := newVillage()
	for i := range members {
		m := v.members[0]
		m.ID[2], m.ID[3], m.Name = byte(i>>8), byte(i), fmt.Sprintf("member-%d", i)
		v.members = append(v.members, m)
	}
	_, base := serve(t, v)
	before := inUse()
	for i := range clients {
		conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.(*net.TCPConn).SetReadBuffer(4096)
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", []string{"/v1/members", "/v1/events", "/v1/topology"}[i%3])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: inTime}
	for whole, began := 0, time.Now(); whole < 3; {
		r, err := client.Get(base + "/v1/members")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err == nil && strings.Count(string(text), `"incarnation"`) == len(v.members) {
			whole++ // on a machine that is busy one may break off before
		} else if time.Since(began) > inTime {
			t.Fatalf("status %d, %d bytes, %v; %d whole lists within %v", r.StatusCode, len(text), err, whole, inTime)
		}
	}
	if after := inUse(); after > before+most {
		t.Errorf("%.1f MB before, %.1f MB with %d clients that do not read", float64(before)/1e6, float64(after)/1e6, clients)
	} else {
		t.Logf("%.1f MB before, %.1f MB after", float64(before)/1e6, float64(after)/1e6)
	}
}

// inUse is what the heap holds, garbage apart: the least of some looks, as what is allocated during a collection counts
// in it though it may be garbage by its end.
func inUse() (least uint64) {
	least = math.MaxUint64
	for range 5 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		least = min(least, stats.HeapAlloc)
	}
	return least
}
