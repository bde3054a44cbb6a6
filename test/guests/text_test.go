package guests

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"hearsay"
	"hearsay/test/process"
	"hearsay/test/standin"
)

// runRefused runs a stand-in that finds no seed, and gives what it knows at its end.
func (w *network) runRefused(kind, addr string) (s standin.State) {
	w.t.Helper()
	host, port, _ := net.SplitHostPort(addr)
	dir := w.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.txt"), []byte(w.config), 0o600); err != nil {
		w.t.Fatal(err)
	}
	said, err := exec.Command(os.Args[0], standin.Inside.Name, kind, speed, "--ip", host, "--port", port, "--dir", dir, "--state", "state.json").CombinedOutput()
	if err == nil {
		w.t.Fatalf("%s has joined: %s", kind, said)
	}
	text, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		w.t.Fatalf("%s: %v; it said %s", kind, err, said)
	}
	return s
}

// A program that speaks text is told nothing that it takes for a list, at once, and is not registered.
func TestTextProgramsAtOurNodes(t *testing.T) {
	t.Parallel()
	w := newNetwork(t, standin.Addresses(1))
	w.runSeeds()
	at := standin.Addresses(3)
	ours := w.run("peer", "ours", at[0])
	w.until(w.seeds, at[0], "alive")
	for i, kind := range []string{"p0-peer", "p2-peer"} {
		if s := w.runRefused(kind, at[1+i]); len(s.Known) > 0 || s.Undecodable > 0 || s.LogLines > 0 {
			t.Errorf("%s knows %q, and has heard %q", kind, s.Known, s.Senseless)
		}
	}
	nodes := append([]*process.Program{ours}, w.seeds...)
	texts := []string{"127.0.0.1:6001", "New Connect Request From:127.0.0.1:6001", "Liveness Request:1.5:127.0.0.1", "1.5:127.0.0.1:6001:GOSSIP1", "Dead Node:" + at[0] + ":1.5:127.0.0.1"}
	for _, n := range nodes {
		for _, text := range texts {
			began := time.Now()
			if got := say(t, n.Said.Addr, text); got != "" {
				t.Errorf("%s answers %q with %q", n.Said.Name, text, got)
			}
			if took := time.Since(began); took > 900*time.Millisecond { // of which a line may take a second
				t.Errorf("%s closes %v after %q", n.Said.Name, took, text)
			}
		}
		var s hearsay.Stats
		w.ask(n, "/v1/stats", &s)
		if got := s.Drops[hearsay.DropUnknownKind]; got < uint64(len(texts)) {
			t.Errorf("%s counts %d of %d texts", n.Said.Name, got, len(texts))
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
		w.until(nodes, at[0], "alive")
		var all struct{ Members []hearsay.Member }
		if w.ask(n, "/v1/members", &all); len(all.Members) != len(nodes) {
			t.Errorf("%s lists %v", n.Said.Name, all.Members)
		}
	}
}
