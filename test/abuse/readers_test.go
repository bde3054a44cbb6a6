package abuse

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hearsay"
	"hearsay/test/process"
)

const (
	heldRumors  = 250 // of 64 KiB: as many as a node holds
	fewReaders  = 60  // always
	manyReaders = 600 // in the whole form
	// likewise, that watch keys
	manyWatchers = 500
	quietFor     = time.Second      // how long memory and answers are watched before
	readersFor   = 2 * time.Second  // and then
	readersLong  = 10 * time.Second // in the whole form
	readersGrow  = 64 << 20         // bytes that clients that do not read may cost, all together
	// for a client that reads: mostly about 1 s; where thousands connect, the kernel asks it to try again after
	// 1 and 3 s
	inTurn = 8 * time.Second
)

// holdsMuch starts one peer that holds rumors of 16 MB.
func holdsMuch(t *testing.T) (*network, node) {
	t.Helper()
	w := &network{t: t}
	w.client.Timeout = patience
	n := process.Run(t, filepath.Join(t.TempDir(), "log"), process.Binary(t),
		"peer", "--json", "--name", "much", "--ip", "127.0.0.1", "--port", "0", "--http", "0").Said
	random := rand.NewChaCha8([32]byte{1})
	data := make([]byte, 1<<16)
	for range heldRumors {
		random.Read(data)
		body, err := json.Marshal(map[string]string{"data": base64.StdEncoding.EncodeToString(data)})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := w.client.Post("http://"+n.HTTP+"/v1/rumors", "application/json", bytes.NewReader(body))
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("say a rumor: %v, %v", answer, err)
		}
		answer.Body.Close()
	}
	return w, n
}

// raw connects and writes, and takes next to nothing of what comes.
func raw(t *testing.T, to, text string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", to, patience)
	if err != nil {
		t.Fatal(err)
	}
	conn.(*net.TCPConn).SetReadBuffer(4096)
	conn.SetWriteDeadline(time.Now().Add(patience))
	io.WriteString(conn, text) // it may have been closed already
	return conn
}

// asks are what a client that reads asks for, in turn.
var asks = []string{"/v1/self", "/v1/rumors", "/v1/members", "/metrics", "/v1/topology", "/v1/stats"}

// watchReaders asks as a client that reads for a while, and gives how long its
// slowest answer took, and the most memory that the node had meanwhile.
func (w *network) watchReaders(n node, during time.Duration) (slowest time.Duration, most int) {
	w.t.Helper()
	client := &http.Client{Timeout: patience}
	for i, began := 0, time.Now(); time.Since(began) < during; i++ {
		path, asked := asks[i%len(asks)], time.Now()
		for !w.whole(client, "http://"+n.HTTP+path) {
			if time.Since(asked) > 2*inTurn {
				w.t.Fatalf("a client that reads asks for %s in vain", path)
			}
		}
		slowest, most = max(slowest, time.Since(asked)), max(most, w.memory(n))
		client.CloseIdleConnections() // each request by a new connection, as of a new client
		process.Pause(20 * time.Millisecond)
	}
	return slowest, most
}

// whole reports whether a whole answer came. Where a machine is so busy that a client
// takes nothing for a second while others wait, an answer breaks off, and it asks again.
func (w *network) whole(client *http.Client, url string) bool {
	answer, err := client.Get(url)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err == nil && answer.StatusCode == http.StatusOK
}

// TestClientsThatDoNotRead has clients ask for what is large and read nothing. They
// must cost a bounded amount of memory, and others must be answered.
func TestClientsThatDoNotRead(t *testing.T) {
	besideOthers(t)
	readers, during := fewReaders, readersFor
	if whole() {
		readers, during = manyReaders, readersLong
	}
	for name, requests := range map[string][]string{
		"large answers": {"/v1/rumors", "/v1/ledger", "/v1/members", "/v1/events", "/metrics"},
		"rumors":        {"/v1/rumors"},
		"events":        {"/v1/events"},
	} {
		t.Run(name, func(t *testing.T) {
			besideOthers(t)
			w, n := holdsMuch(t)
			_, before := w.watchReaders(n, quietFor)
			for i := range readers {
				path := requests[i%len(requests)]
				defer raw(t, n.HTTP, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, n.HTTP)).Close()
			}
			slowest, most := w.watchReaders(n, during)
			t.Logf("%d clients that do not read: %.1f MB before, at most %.1f MB; the slowest answer to one that reads took %v",
				readers, float64(before)/1e6, float64(most)/1e6, slowest.Round(time.Millisecond))
			if most > before+readersGrow || slowest > inTurn {
				t.Errorf("want at most %d MB more, and %v", readersGrow>>20, inTurn)
			}
		})
	}
}

// TestWatchersThatDoNotRead has clients watch keys and read nothing, while long values are written. They must cost a
// bounded amount of memory, and the writes must go on.
func TestWatchersThatDoNotRead(t *testing.T) {
	besideOthers(t)
	const sources, writes = 5, 24
	watchers := fewReaders
	if whole() {
		watchers = manyWatchers
	}
	w := &network{t: t}
	w.client.Timeout = patience
	n := process.Run(t, filepath.Join(t.TempDir(), "log"), process.Binary(t),
		"peer", "--json", "--name", "much", "--ip", "127.0.0.1", "--port", "0", "--http", "0").Said
	value := bytes.Repeat([]byte("v"), hearsay.MaxValue)
	write := func() (most int) {
		for range writes {
			r, err := http.NewRequest(http.MethodPut, "http://"+n.HTTP+"/v1/kv/k", bytes.NewReader(value))
			if err != nil {
				t.Fatal(err)
			}
			answer, err := w.client.Do(r)
			if err != nil || answer.StatusCode != http.StatusNoContent {
				t.Fatalf("a write: %v, %v", answer, err)
			}
			answer.Body.Close()
			most = max(most, w.memory(n))
			process.Pause(100 * time.Millisecond)
		}
		return most
	}
	before := write() // as many changes are kept as ever
	for i := range watchers {
		from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i%sources))}, Timeout: patience}
		conn, err := from.Dial("tcp", n.HTTP)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.(*net.TCPConn).SetReadBuffer(4096)
		fmt.Fprintf(conn, "GET /v1/events?prefix= HTTP/1.1\r\nHost: %s\r\n\r\n", n.HTTP)
	}
	most := write()
	t.Logf("%d watchers that do not read: %.1f MB before, at most %.1f MB", watchers, float64(before)/1e6, float64(most)/1e6)
	if most > before+readersGrow {
		t.Errorf("want at most %d MB more", readersGrow>>20)
	}
}

// TestConnectionsOfOneSource opens thousands of connections that ask for nothing, for
// a part of something, or send a body byte by byte.
func TestConnectionsOfOneSource(t *testing.T) {
	besideOthers(t)
	count, during := 1000, readersFor
	if whole() {
		count, during = 5000, readersLong
	}
	body := "POST /v1/rumors HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 80000\r\n\r\n{"
	for name, begin := range map[string]string{
		"silent":           "",
		"half a header":    "GET /v1/self HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
		"half a body":      body,
		"pipelined":        string(bytes.Repeat([]byte("GET /v1/stats HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), 100)),
		"stream of events": "GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			besideOthers(t)
			w, n := holdsMuch(t)
			_, before := w.watchReaders(n, quietFor)
			quiet := openFiles(t, n)
			var conns []net.Conn
			for range count {
				conns = append(conns, raw(t, n.HTTP, begin))
			}
			slowest, most := w.watchReaders(n, during)
			kept := openFiles(t, n) - quiet
			for _, conn := range conns {
				conn.Close()
			}
			t.Logf("%d connections: %d are kept, %.1f MB before, at most %.1f MB; the slowest answer to another client took %v",
				count, kept, float64(before)/1e6, float64(most)/1e6, slowest.Round(time.Millisecond))
			if most > before+readersGrow || slowest > inTurn || kept > connsOfSource {
				t.Errorf("want at most %d MB more, %v, and %d kept", readersGrow>>20, inTurn, connsOfSource)
			}
		})
	}
}

// connsOfSource is how many connections a node keeps of one source.
const connsOfSource = 256

// openFiles counts what a node has open.
func openFiles(t *testing.T, n node) int {
	t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", n.PID))
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}
