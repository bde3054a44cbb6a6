package abuse

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience is how long an answer is waited for. The older programs wait 1.8 s.
const (
	patience = 10 * time.Second
	inTime   = 1800 * time.Millisecond
)

// answer is a line that came back.
type answer struct {
	Type    string         `json:"type"`
	Payload map[string]any `json:"payload"`
	text    string
	took    time.Duration // from dialling to the answer
	dialled time.Duration // of it, until there was a connection
}

// is reports whether a field has a value.
func (a *answer) is(field string, want any) bool {
	got, ok := a.Payload[field]
	return ok && fmt.Sprint(got) == fmt.Sprint(want)
}

func (a *answer) String() string {
	return fmt.Sprintf("%q after %v, %v of it to connect", a.text, a.took, a.dialled)
}

// exchange connects from an address, writes bytes, and reads until the other
// end closes.
func exchange(to string, from netip.Addr, write []byte) (*answer, error) {
	began := time.Now()
	dialer := net.Dialer{Timeout: patience, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	conn, err := dialer.Dial("tcp", to)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	dialled := time.Since(began)
	conn.SetDeadline(began.Add(patience))
	go conn.Write(write) // the answer may come before it is all written
	reply, err := bufio.NewReader(conn).ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("%d bytes, then %w", len(reply), err)
	}
	a := &answer{text: string(reply), took: time.Since(began), dialled: dialled}
	if err := json.Unmarshal(reply, a); err != nil {
		return nil, fmt.Errorf("%q: %w", reply, err)
	}
	if rest, _ := io.ReadAll(conn); len(rest) > 0 {
		return nil, fmt.Errorf("%q behind the answer", rest)
	}
	return a, nil
}

// line writes a request.
func line(kind string, payload map[string]any) []byte {
	text, err := json.Marshal(map[string]any{"type": kind, "payload": payload, "ts": float64(time.Now().UnixMilli()) / 1000})
	if err != nil {
		panic(err)
	}
	return append(text, '\n')
}

// fields names a peer as requests do: peer_ip and peer_port, or dead_ip and
// dead_port.
func fields(prefix, addr string, more map[string]any) map[string]any {
	peer := netip.MustParseAddrPort(addr)
	all := map[string]any{prefix + "_ip": peer.Addr().String(), prefix + "_port": int(peer.Port())}
	for key, value := range more {
		all[key] = value
	}
	return all
}

var home = netip.MustParseAddr("127.0.0.1")

// ask makes a request, and wants an answer in time.
func (w *network) ask(n node, kind string, payload map[string]any) *answer {
	w.t.Helper()
	a, err := exchange(n.Addr, home, line(kind, payload))
	if err != nil {
		w.t.Fatalf("%s asked of %s: %v", kind, n.Name, err)
	}
	w.timed(kind+" asked of "+n.Name, a)
	return a
}

// lateShare is of how many answers one may be late in a test that asks one at a
// time: the machine may keep any process from running for a moment.
const lateShare = 10

// timed counts an answer, and tells of it if it was late.
func (w *network) timed(what string, a *answer) {
	w.t.Helper()
	if w.answers++; a.took > inTime {
		w.late++
		w.t.Logf("late: %s: %v", what, a)
	}
}

// wantInTime wants nearly all answers of a test to have been in time.
func (w *network) wantInTime() {
	w.t.Helper()
	if w.late*lateShare > w.answers {
		w.t.Errorf("%d of %d answers took longer than %v", w.late, w.answers, inTime)
	}
}

// want checks fields of an answer.
func want(t *testing.T, a *answer, kind string, wanted map[string]any) {
	t.Helper()
	if a.Type != kind {
		t.Errorf("%v: want a %s", a, kind)
	}
	for field, value := range wanted {
		if !a.is(field, value) {
			t.Errorf("%v: want %s %v", a, field, value)
		}
	}
}

// guest is a peer that speaks lines only, as the older ones do: it answers
// whether it can reach somebody, and closes what says nothing.
type guest struct {
	listener net.Listener
	addr     string
	hangs    atomic.Bool // it accepts and says nothing
	asked    atomic.Int64

	mu   sync.Mutex
	open map[net.Conn]bool
	wait sync.WaitGroup
}

func newGuest(t *testing.T) *guest {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &guest{listener: listener, addr: listener.Addr().String(), open: make(map[net.Conn]bool)}
	g.wait.Go(g.run)
	t.Cleanup(g.stop)
	return g
}

// stop is what a crash does: nobody listens any more.
func (g *guest) stop() {
	g.listener.Close()
	g.mu.Lock()
	for conn := range g.open {
		conn.Close()
	}
	g.mu.Unlock()
	g.wait.Wait()
}

func (g *guest) run() {
	for {
		conn, err := g.listener.Accept()
		if err != nil {
			return
		}
		g.mu.Lock()
		g.open[conn] = true
		g.mu.Unlock()
		g.wait.Go(func() {
			defer func() {
				conn.Close()
				g.mu.Lock()
				delete(g.open, conn)
				g.mu.Unlock()
			}()
			g.serve(conn)
		})
	}
}

func (g *guest) serve(conn net.Conn) {
	if g.hangs.Load() {
		io.Copy(io.Discard, conn) // until the other end has had enough
		return
	}
	conn.SetDeadline(time.Now().Add(inTime))
	request, err := bufio.NewReader(conn).ReadBytes('\n')
	var asked struct{ Type string }
	if err != nil || json.Unmarshal(bytes.TrimSpace(request), &asked) != nil {
		return
	}
	if asked.Type == "PEER_LIST_REQ" {
		g.asked.Add(1)
	}
	conn.Write(line("ERROR", map[string]any{"reason": "Unsupported type: " + asked.Type}))
}
