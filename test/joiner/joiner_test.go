// Package joiner measures, by real processes, how a node with an empty store gets what others hold.
package joiner

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/agent"
	"hearsay/test/process"
)

// The variables that say how much.
const (
	keysVariable  = "HEARSAY_KEYS"  // so many keys; default 2000
	joinsVariable = "HEARSAY_JOINS" // one joiner after the other; default 1
)

const (
	servers   = 4   // that hold the keys before
	valueSize = 100 // bytes
	limit     = 10 * time.Minute
)

// stats are the figures of a node that tell how far it is, and what it took.
type stats struct {
	Values int    `json:"store_values"`
	Bytes  int    `json:"store_bytes"`
	In     uint64 `json:"stream_bytes_in"`
	Out    uint64 `json:"stream_bytes_out"`
	Asks   uint64 `json:"store_asks"`
	Busy   uint64 `json:"store_busy"`
}

func of(t *testing.T, n *process.Program) (s stats) {
	t.Helper()
	got, err := http.Get("http://" + n.Said.HTTP + "/v1/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if err := json.NewDecoder(got.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// resident is the most memory that a process has had.
func resident(t *testing.T, n *process.Program) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if kB, is := strings.CutPrefix(line, "VmHWM:"); is {
			return strings.TrimSpace(kB)
		}
	}
	return "unknown"
}

// filled gives peers that hold as many keys, and their addresses.
func filled(t *testing.T, keys int) (peers []*process.Program, addrs []string) {
	t.Helper()
	cfg := agent.DefaultConfig()
	cfg.Name, cfg.Bind, cfg.Logger = "writer", "127.0.0.1:0", slog.New(slog.DiscardHandler)
	writer, err := agent.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	value := make([]byte, valueSize)
	for number := 0; number < keys; {
		var writes []hearsay.Write
		for ; number < keys && len(writes) < hearsay.MaxWrites; number++ {
			for i := range value {
				value[i] = byte(rand.Uint32())
			}
			writes = append(writes, hearsay.Write{Key: fmt.Sprintf("key-%08d", number), Value: slices.Clone(value)})
		}
		if _, err := writer.Write(t.Context(), writes...); err != nil {
			t.Fatal(err)
		}
	}
	for range servers {
		peers = append(peers, peer(t, fmt.Sprint("p", len(peers)), writer.Self().Addr.String()))
		addrs = append(addrs, peers[len(peers)-1].Said.Addr)
	}
	for _, p := range peers {
		process.Until(t, "all keys at the peers", limit, func() string { return lacking(t, p, keys) })
	}
	if err := writer.Leave(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	return peers, addrs
}

// peer starts a process whose store is empty.
func peer(t *testing.T, name, join string) *process.Program {
	t.Helper()
	return process.Run(t, filepath.Join(t.TempDir(), "log"), process.Binary(t), "peer", "--name", name, "--ip", "127.0.0.1", "--port", "0",
		"--http", "127.0.0.1:0", "--join", join, "--json")
}

func lacking(t *testing.T, n *process.Program, keys int) string {
	t.Helper()
	if held := of(t, n).Values; held != keys {
		return fmt.Sprintf("%d of %d", held, keys)
	}
	return ""
}

// Nodes that hold nothing join four that hold all, one after the other: how long it takes until they hold all, what
// that takes of memory, and how many bytes come, of which neighbor how many.
func TestJoiner(t *testing.T) {
	keys, err := strconv.Atoi(cmp.Or(os.Getenv(keysVariable), "2000"))
	joins, wrong := strconv.Atoi(cmp.Or(os.Getenv(joinsVariable), "1"))
	if err != nil || wrong != nil {
		t.Fatal(err, wrong)
	}
	peers, addrs := filled(t, keys)
	for n := range joins {
		process.Pause(3 * time.Second)
		before := make([]stats, len(peers))
		for i, p := range peers {
			before[i] = of(t, p)
		}
		began := time.Now()
		joiner := peer(t, fmt.Sprint("joiner", n), addrs[n%len(addrs)])
		started := time.Since(began)
		took := process.Until(t, "all keys at the joiner", limit, func() string { return lacking(t, joiner, keys) })
		s := of(t, joiner)
		if s.In > uint64(13*s.Bytes/10)+100<<10 {
			t.Errorf("%d bytes came for %d", s.In, s.Bytes)
		}
		var out []string
		for i, p := range peers {
			out = append(out, fmt.Sprintf("%.1f", float64(of(t, p).Out-before[i].Out)/1e6))
		}
		t.Logf("%d keys: %.2f s (started in %.2f), %s, %.1f MB came for %.1f (%.2f), from each %s MB; asked %d times, %d busy", keys, (took + started).Seconds(), started.Seconds(),
			resident(t, joiner), float64(s.In)/1e6, float64(s.Bytes)/1e6, float64(s.In)/float64(s.Bytes), strings.Join(out, " "), s.Asks, s.Busy)
		joiner.End(t)
	}
}

func TestMain(m *testing.M) { process.Main(m) }
