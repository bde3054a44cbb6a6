package guests

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay/test/process"
	"hearsay/test/standin"
)

// say says something at an address, and gives what comes back until the other end closes.
func say(t *testing.T, to, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(soon))
	io.WriteString(conn, text)
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("%q to %s: %v", text, to, err)
	}
	return string(answer)
}

// suspicion asks a peer about an address, as P1's peers do.
func suspicion(t *testing.T, asked, about string) string {
	t.Helper()
	host, port, _ := net.SplitHostPort(about)
	return say(t, asked, fmt.Sprintf(`{"type":"SUSPECT_REQ","payload":{"dead_ip":"%s","dead_port":%s,"requester":"127.0.0.1:9"},"ts":1.5}`+"\n", host, port))
}

// Peers of P1 that seeds of ours have let in are probed without a line in their logs; the death of one is reported, and
// the seeds that do not reach it either say yes; what a peer of ours says of others is what it knows.
func TestP1PeersAtOurSeeds(t *testing.T) {
	t.Parallel()
	w := newNetwork(t, standin.Addresses(3))
	w.runSeeds()
	at := standin.Addresses(5)
	ours := w.run("peer", "ours", at[0])
	w.until(w.seeds, at[0], "alive") // they can decide
	var peers []*standin.Process
	for _, addr := range at[1:] {
		peers = append(peers, w.standin("p1-peer", addr))
	}
	all := append([]*process.Program{ours}, w.seeds...)
	for _, p := range peers {
		w.until(all, p.Addr, "alive")
	}
	dead := peers[3].Addr
	if got := suspicion(t, ours.Said.Addr, dead); !strings.Contains(got, `"alive":true`) {
		t.Errorf("of one that lives: %s", got)
	}
	if got := suspicion(t, ours.Said.Addr, "127.0.0.1:9"); !strings.Contains(got, `"type":"ERROR"`) {
		t.Errorf("of nobody: %s", got)
	}
	peers[3].Kill()
	w.until(all, dead, "dead")
	if got := suspicion(t, ours.Said.Addr, dead); !strings.Contains(got, `"alive":false`) {
		t.Errorf("of one that is dead: %s", got)
	}
	process.Until(t, "its neighbors have reported it", soon, func() string {
		for _, p := range peers[:3] {
			if slices.Contains(p.State(t).Neighbors, dead) {
				return p.Addr + " has it for a neighbor"
			}
		}
		return ""
	})
	reports := 0
	for _, p := range peers[:3] {
		log := p.File(t, "outputfile.txt")
		reports += strings.Count(log, "seed_accepts=3/3")
		if strings.Count(log, "seed_accepts=") > strings.Count(log, "seed_accepts=3/3") {
			t.Errorf("seeds that do not reach it either have not said so to %s:\n%s", p.Addr, log)
		}
		if s := p.State(t); s.Undecodable > 0 || strings.Contains(log, "probe received for "+p.Addr) {
			t.Errorf("%s got %d messages that make no sense, the last %q, and logs\n%s", p.Addr, s.Undecodable, s.Senseless, log)
		}
	}
	if reports == 0 {
		t.Error("nobody has reported it: the test shows nothing")
	}
}
