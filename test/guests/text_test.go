package guests

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearsay"
	"hearsay/test/process"
	"hearsay/test/standin"
)

// sayText says something at an address that may not be answered, and gives what comes back until the other end closes,
// which it does once this end has nothing more to say.
func sayText(t *testing.T, to, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(soon))
	io.WriteString(conn, text)
	conn.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) { // as where not all was read
		t.Fatalf("%.80q to %s: %v", text, to, err)
	}
	return string(answer)
}

// Text that is none, forged, or of nobody that answers changes nothing: nobody is listed, and nobody removed.
func TestForgedText(t *testing.T) {
	t.Parallel()
	w := newNetwork(t, standin.Addresses(1))
	w.runSeeds()
	at := standin.Addresses(1)
	ours := w.run("peer", "ours", at[0])
	w.until(w.seeds, at[0], "alive")
	nodes := append([]*process.Program{ours}, w.seeds...)
	host, _, _ := net.SplitHostPort(at[0])
	refused := []string{
		"127.0.0.1:9", "127.0.0.1:0", "127.0.0.1:65536", `127.0.0.1:"REGISTER_REQ"`, "127.0.0.1:6001\r\n", "GET http://127.0.0.1:6001/ HTTP/1.1\r\n\r\n",
		"New Connect Request From:10.9.8.7:6001", "New Connect Accepted:1", "127.0.0.1:\xff", strings.Repeat("1:", 1<<14),
	}
	for _, n := range nodes {
		for _, text := range refused {
			if got := sayText(t, n.Said.Addr, text); got != "" {
				t.Errorf("%s answers %q with %q", n.Said.Name, text, got)
			}
		}
		for _, text := range []string{
			"1.5:127.0.0.1:6001:GOSSIP1", "1.5:127.0.0.1:1", "Dead Node:" + at[0] + ":1.5:127.0.0.1", "Dead Node:" + host + ":1.5:127.0.0.1",
		} {
			if got := sayText(t, n.Said.Addr, text); got != "" {
				t.Errorf("%s answers %q with %q", n.Said.Name, text, got)
			}
		}
		own, _, _ := net.SplitHostPort(n.Said.Addr)
		if got, want := sayText(t, n.Said.Addr, "Liveness Request:1.5:127.0.0.1"), "Liveness Reply:1.5:127.0.0.1:"+own; got != want {
			t.Errorf("%s says %q, want %q", n.Said.Name, got, want)
		}
		conn, err := net.Dial("tcp", n.Said.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(soon))
		fmt.Fprint(conn, "hearsay?\n")
		if got, err := bufio.NewReader(conn).ReadString('\n'); got != "hearsay!\n" {
			t.Errorf("%s says that it is %q, %v", n.Said.Name, got, err)
		}
	}
	process.Pause(4 * time.Second) // as long as a trial without evidence takes
	w.until(nodes, at[0], "alive")
	for _, n := range nodes {
		var all struct{ Members []hearsay.Member }
		if w.ask(n, "/v1/members", &all); len(all.Members) != len(nodes) {
			t.Errorf("%s lists %v", n.Said.Name, all.Members)
		}
		var s hearsay.Stats
		w.ask(n, "/v1/stats", &s)
		if s.Deaths != 0 || s.Drops[hearsay.DropMalformed] == 0 {
			t.Errorf("%s has removed %d, and counts %d malformed", n.Said.Name, s.Deaths, s.Drops[hearsay.DropMalformed])
		}
	}
	if rumors := len(w.rumors(ours)); rumors > 0 {
		t.Errorf("%d rumors of nobody", rumors)
	}
}

// rumors gives what a node of ours has heard.
func (w *network) rumors(n *process.Program) []heard {
	w.t.Helper()
	var all struct{ Rumors []heard }
	w.ask(n, "/v1/rumors", &all)
	return all.Rumors
}
