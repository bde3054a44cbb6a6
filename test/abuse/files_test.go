package abuse

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hearsay"
	"hearsay/test/process"
)

const (
	fewFiles  = 256
	idleConns = 2 * fewFiles // to each port, from as many addresses
)

// TestFewOpenFiles: a seed that may open few files, and to which strangers hold more idle
// connections than that, says so at its start, answers by HTTP, and admits a newcomer.
func TestFewOpenFiles(t *testing.T) {
	besideOthers(t)
	dir := t.TempDir()
	kept := freePort(t)
	own := kept.Addr().(*net.TCPAddr).AddrPort()
	config := filepath.Join(dir, "config.txt")
	if err := os.WriteFile(config, fmt.Appendf(nil, "%s,%d\n", own.Addr(), own.Port()), 0o600); err != nil {
		t.Fatal(err)
	}
	kept.Close()
	log := filepath.Join(dir, "seed.log")
	seed := process.Run(t, log, "sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$@"`, fewFiles), "sh",
		process.Binary(t), "seed", "--json", "--ip", own.Addr().String(), "--port", fmt.Sprint(own.Port()),
		"--config", config, "--data", filepath.Join(dir, "seed"), "--http", "0")
	w := &network{t: t, seeds: []node{seed.Said}}
	w.client.Timeout = requestTimeout
	for n := range idleConns {
		from := netip.AddrFrom4([4]byte{127, 2, byte(n >> 7), byte(n&127 + 1)})
		for _, port := range []string{seed.Said.Addr, seed.Said.HTTP} {
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, Timeout: requestTimeout}
			conn, err := dialer.Dial("tcp", port)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
		}
	}
	process.Run(t, filepath.Join(dir, "peer.log"), process.Binary(t), "peer", "--json", "--ip", "127.0.0.1", "--port", "0",
		"--config", config, "--data", filepath.Join(dir, "peer"), "--http", "off")
	took := process.Until(t, "answering, with a newcomer", requestTimeout, func() string {
		var s hearsay.Stats
		if !w.get(seed.Said, "/v1/stats", &s) {
			return "no answer by HTTP"
		}
		if s.Alive != 2 {
			return fmt.Sprintf("%d are alive", s.Alive)
		}
		return ""
	})
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", seed.Said.PID))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("in after %v; %d of %d files are open", took, len(files), fewFiles)
	said, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(said), "too many open files") || strings.Count(string(said), "ulimit -n") != 1 {
		t.Errorf("it said:\n%s", said)
	}
}
