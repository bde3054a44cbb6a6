package standin

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay/test/process"
)

// A seed of text registers whatever has a colon, and what it answers is poisoned from then on.
func TestTextSeedIsPoisoned(t *testing.T) {
	for _, faults := range []bool{false, true} {
		s := &textSeed{newNode(options{json: true, faults: faults}, "127.0.0.1:5001"), p0}
		for _, c := range []struct{ text, want, wantFaults string }{
			{"10.0.0.7:6001", "127.0.0.1:6001", ",127.0.0.1:6001,"},
			{"127.0.0.1:6002", "127.0.0.1:6001,127.0.0.1:6002", ",127.0.0.1:6001,127.0.0.1:6002,"},
			{"127.0.0.1:6001", "127.0.0.1:6002,127.0.0.1:6001", ",127.0.0.1:6001,127.0.0.1:6002,127.0.0.1:6001,"},
			{"hearsay?\n", "refused", "refused"},
			{"Dead Node:127.0.0.1:6001:1.5:127.0.0.1", "", ""},
			{`{"type":1}`, "127.0.0.1:6002,127.0.0.1:1}", ",127.0.0.1:6002,127.0.0.1:1},"},
			{"Dead Node:127.0.0.1:1.5:127.0.0.1", "", ""}, // names two
			{"GET / HTTP/1.1\r\nHost: x\r\n", "127.0.0.1:6002,127.0.0.1:1},127.0.0.1: x\r\n", ",127.0.0.1:6002,127.0.0.1:1},127.0.0.1: x\r\n,"},
		} {
			got, err := s.handle("127.0.0.1", c.text)
			if err != nil {
				got = err.Error()
			}
			if want := map[bool]string{false: c.want, true: c.wantFaults}[faults]; got != want {
				t.Errorf("faults %t, %q: answered %q, want %q", faults, c.text, got, want)
			}
		}
	}
}

func TestTextPeerIsStrict(t *testing.T) {
	const refused = "refused"
	for _, c := range []struct {
		kind             *textKind
		text             string
		want, wantFaults string
	}{
		{p2, "New Connect Request From:127.0.0.1:6001", "New Connect Accepted", "New Connect Accepted"},
		{p2, "New Connection Request From:127.0.0.1:6001", refused, refused},
		{p2, "New Connect Request From:127.0.0.1", refused, refused},
		{p0, "New Connect Request From:127.0.0.1:6001", "New Connect Accepted", "New Connect Accepted"},
		{p0, "New Connection Request From:127.0.0.1:6001", "New Connection Accepted", refused},
		{p2, "Liveness Request:1.5:127.0.0.2", "Liveness Reply:1.5:127.0.0.2:127.0.0.1", "Liveness Reply:1.5:127.0.0.2:127.0.0.1"},
		{p2, "Liveness Request:x:127.0.0.2", refused, refused},
		{p2, "1.5:127.0.0.1:6001:GOSSIP1", "", ""},
		{p2, "1.5:127.0.0.1:1", "", refused},
		{p2, "1.5:127.0.0.1:6001:GOSSIP11.5:127.0.0.1:6001:GOSSIP2", refused, refused}, // two in one segment
		{p2, "1.5:127.0.0.1:6001:GOSSIP", refused, refused},
		{p2, "1.5:127.0.0.1:GOSSIP1", refused, refused},
		{p2, "hearsay?\n", refused, refused},
		{p2, "Dead Node:127.0.0.1:6001:1.5:127.0.0.1", refused, refused},
	} {
		for faults, want := range map[bool]string{false: c.want, true: c.wantFaults} {
			p := &textPeer{node: newNode(options{json: true, faults: faults}, "127.0.0.1:6000"), kind: c.kind, self: "127.0.0.1:6000"}
			got, err := p.handle("127.0.0.1", c.text)
			if err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("%s, faults %t, %q: answered %q, want %q", c.kind.name, faults, c.text, got, want)
			}
		}
	}
}

// A peer accepts four links; with faults it accepts any number.
func TestLinksOfTextPeers(t *testing.T) {
	for _, faults := range []bool{false, true} {
		p := &textPeer{node: newNode(options{json: true, faults: faults}, "127.0.0.1:6000"), kind: p2, self: "127.0.0.1:6000"}
		for i := range textLinks + 1 {
			_, err := p.handle("127.0.0.1", fmt.Sprintf("%s127.0.0.1:%d", connectRequest, 6001+i))
			if want := i < textLinks || faults; (err == nil) != want {
				t.Errorf("faults %t, link %d: %v, want accepted %t", faults, i+1, err, want)
			}
		}
	}
}

// A seed closes a connection that has ended; with faults it never does.
func TestTextSeedsCloseTheirSide(t *testing.T) {
	for _, faults := range []bool{false, true} {
		s := &textSeed{newNode(options{json: true, faults: faults}, "127.0.0.1:5001"), p2}
		at, err := bind("127.0.0.1", 0, false)
		if err == nil {
			err = at.serve(s.connection)
		}
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", at.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		conn.SetReadDeadline(time.Now().Add(map[bool]time.Duration{false: soon, true: soon / 100}[faults]))
		if _, err := conn.Read(make([]byte, 1)); (err == io.EOF) == faults {
			t.Errorf("faults %t: %v", faults, err)
		}
	}
}

func TestListsOfTextPeers(t *testing.T) {
	for _, c := range []struct {
		kind *textKind
		text string
		want string // joined; "" for an error
	}{
		{p0, ",127.0.0.1:1,127.0.0.1:2,", "127.0.0.1:1 127.0.0.1:2"},
		{p0, "127.0.0.1:1", "127.0.0.1:1"},
		{p2, "127.0.0.1:1,127.0.0.1:2", "127.0.0.1:1 127.0.0.1:2"},
		{p2, ",127.0.0.1:1,", ""},
		{p2, "127.0.0.1: x", ""},
		{p2, "", ""},
	} {
		p := &textPeer{kind: c.kind}
		if list, err := p.parseList(c.text); strings.Join(list, " ") != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s %q: %q, %v, want %q", c.kind.name, c.text, list, err, c.want)
		}
	}
}

func TestTextNetworks(t *testing.T) {
	t.Parallel()
	for _, kind := range []*textKind{p0, p2} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			modes(t, func(t *testing.T, flags ...string) { textNetwork(t, kind, flags...) })
		})
	}
}

func textNetwork(t *testing.T, kind *textKind, flags ...string) {
	faults := flags != nil
	w := start(t, kind.name, flags...)
	registered := map[string]int{}
	for _, s := range w.seeds {
		for _, peer := range s.State(t).Known {
			registered[peer]++
			if want := kind.received + peer + "\n"; !strings.Contains(s.File(t, kind.seedLog), want) {
				t.Errorf("log of seed %s lacks %q", s.Addr, want)
			}
		}
	}
	for _, p := range w.peers {
		if s := p.State(t); registered[p.Addr] != 2 || s.Self != p.Addr {
			t.Errorf("%s is registered at %d seeds, want 2, and takes itself for %s", p.Addr, registered[p.Addr], s.Self)
		}
	}
	w.until("connected", func() string {
		if !w.connected() {
			return "the peers are not connected"
		}
		return ""
	})
	switch {
	case !faults:
		w.until("rumors everywhere", func() string { return w.lacksRumors(w.peers, textMessages, false) })
	case kind == p2: // of p0 with faults no two are linked
		w.until("rumors of the last everywhere", func() string { return w.lacksRumors(w.peers[peersCount-1:], textMessages, false) })
	}
	victim := peersCount - 1
	if faults && kind == p0 { // it knows those that came before, and they do not know it
		victim = 0
	}
	dead := w.kill(victim)
	// With faults a reporter tells two seeds, of which one has the dead peer, or both.
	left := map[bool]int{false: 0, true: 1}[faults]
	w.until("removed", func() string {
		var listed []string
		for _, s := range w.seeds {
			if slices.Contains(s.State(t).Known, dead) {
				listed = append(listed, s.Addr)
			}
		}
		if len(listed) > left {
			return fmt.Sprintf("seeds %q list it", listed)
		}
		return ""
	})
	w.wantDeadNode(kind, dead, !faults)
}

// wantDeadNode looks for the line about a dead peer, in the log of a peer and in those of all seeds, or of some.
func (w *network) wantDeadNode(kind *textKind, dead string, all bool) {
	w.t.Helper()
	line := regexp.MustCompile(`(?m)^Dead Node:` + regexp.QuoteMeta(dead) + `:\d+(\.\d+)?:127\.\d+\.\d+\.\d+$`)
	w.until("logged", func() string {
		reports, told := 0, 0
		for _, p := range w.peers {
			log := kind.peerLog
			if kind == p2 {
				_, port := splitEndpoint(p.Addr)
				log = fmt.Sprintf(log, port)
			}
			report := line.FindString(p.File(w.t, log))
			if report == "" {
				continue
			}
			reports++
			for _, s := range w.seeds {
				if strings.Contains(s.File(w.t, kind.seedLog), report) {
					told++
				}
			}
		}
		if reports == 0 || told < 2*reports || all && told != len(w.seeds)*reports {
			return fmt.Sprintf("%d reports are in %d logs of seeds", reports, told)
		}
		return ""
	})
}

// The port is asked on standard input, and what has no colon is not answered. Where the seed has closed a connection
// its address is taken for a while.
func TestTextSeedAsksForItsPort(t *testing.T) {
	t.Parallel()
	seed := Addresses(1)[0]
	host, port := splitEndpoint(seed)
	command := func() (p *exec.Cmd, said io.Reader) {
		p = exec.Command(os.Args[0], Inside.Name, "p2-seed", "--dir", t.TempDir(), "--ip", host)
		p.Stdin = strings.NewReader(fmt.Sprintln(port))
		said, err := p.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		return p, said
	}
	asked, said := command()
	process.Start(t, asked, func() string { return "" })
	line, err := readLine(said)
	if err != nil || string(line) != "ready "+seed+"\n" {
		t.Fatalf("said %q, %v", line, err)
	}
	p := &textPeer{node: newNode(options{ip: host}, host+":6001")}
	if reply, err := p.exchange(seed, p.addr, soon); reply != p.addr || err != nil {
		t.Errorf("answered %q, %v", reply, err)
	}
	if reply, err := p.exchange(seed, "hearsay?\n", soon); reply != "" || err != io.EOF {
		t.Errorf("answered %q, %v", reply, err)
	}
	asked.Process.Kill()
	if _, err := io.Copy(io.Discard, said); err != nil { // until it has ended
		t.Fatal(err)
	}
	again, _ := command()
	process.Start(t, again, func() string { return "" })
	if again.Wait(); again.ProcessState.ExitCode() != 1 {
		t.Errorf("started again: %v, want exit code 1", again.ProcessState)
	}
}

// A peer takes the last entry of a list for its own address, and knows the others.
func TestTextPeerTakesTheLastForItself(t *testing.T) {
	at, err := bind("127.0.0.1", 0, false)
	if err == nil {
		err = at.serve(func(conn net.Conn) {
			defer conn.Close()
			conn.Read(make([]byte, textBytes))
			io.WriteString(conn, "127.0.0.1:1,127.0.0.1:3,127.0.0.1:2")
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &textPeer{node: newNode(options{json: true}, "127.0.0.1:3"), kind: p2, self: "127.0.0.1:3"}
	if others := p.register([]string{at.addr}); !slices.Equal(others, []string{"127.0.0.1:1", "127.0.0.1:3"}) || p.self != "127.0.0.1:2" {
		t.Errorf("knows %q, and takes itself for %s", others, p.self)
	}
}

// A neighbor that does not answer three times in a row is dead, and one that hangs is as one that is not there.
func TestTextPeerLooksThreeTimes(t *testing.T) {
	t.Parallel()
	hangs, err := bind("127.0.0.1", 0, false)
	if err == nil {
		_, err = hangs.listen()
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &textPeer{node: newNode(options{json: true}, "127.0.0.1:6000"), kind: p2, self: "127.0.0.1:6000"}
	p.state.Neighbors = []string{hangs.addr, "127.0.0.1:1"}
	misses := map[string]int{}
	for i := range textMisses {
		if len(p.state.Deaths) > 0 {
			t.Errorf("dead after %d misses: %q", i, p.state.Deaths)
		}
		p.look(misses)
	}
	if !slices.Equal(p.state.Deaths, []string{hangs.addr, "127.0.0.1:1"}) || len(p.state.Neighbors) > 0 {
		t.Errorf("dead: %q, neighbors %q", p.state.Deaths, p.state.Neighbors)
	}
}
