package standin

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestDecodeIsStrict(t *testing.T) {
	for text, want := range map[string]string{ // "" for no error
		`{"type":"PEER_LIST_REQ","payload":{"requester":7},"ts":1.5}` + "\n":     "",
		`{"payload":{"x":[]},"type":"ERROR"}`:                                    "",
		`{"type":"ERROR","payload":{}}` + "\n" + `{"type":"ERROR","payload":{}}`: "after top-level value",
		`{"type":"ERROR"}`:                                  "no payload",
		`{"type":null,"payload":{}}`:                        "no type",
		`{"type":"ERROR","payload":[]}`:                     "want an object",
		`{"type":"ERROR","payload":null}`:                   "no payload",
		`{"type":"HELLO","payload":{}}`:                     `"HELLO" is no type`,
		`{"type":"ERROR","payload":{"x":"` + "\xff" + `"}}`: "not UTF-8",
		"\x01\x02": "invalid character",
		"\n":       "unexpected end",
	} {
		_, err := decode([]byte(text), seedTypes)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func TestFieldsAreStrict(t *testing.T) {
	m, err := decode([]byte(`{"type":"HELLO","payload":{"a":"127.0.0.1","n":6001,"big":65536,"half":1.5,"digits":"6001"}}`), peerTypes)
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{of: m.Payload}
	if got := r.endpoint("a", "n"); got != "127.0.0.1:6001" || r.err != nil {
		t.Errorf("endpoint %s, %v", got, r.err)
	}
	for _, name := range []string{"big", "half", "digits", "none", "a"} {
		r := &reader{of: m.Payload}
		if got := r.endpoint("a", name); r.err == nil {
			t.Errorf("port %s is taken for %s", name, got)
		}
	}
}

// A line that comes in pieces is one request, two lines at once are none, and what says nothing is not answered.
func TestLinesOfAConnection(t *testing.T) {
	for _, c := range []struct {
		parts []string
		want  string // a part of the reply
	}{
		{[]string{`{"type":"PEER_LIST`, `_REQ","payload":{}}` + "\n"}, `"type":"PEER_LIST_RESP","payload":{"peers":[],"seed":"127.0.0.1:5001"}`},
		{[]string{`{"type":"PEER_LIST_REQ","payload":{}}` + "\n{}\n"}, `"type":"REGISTER_COMMIT","payload":{"error":"invalid character`},
		{[]string{"hearsay?\n"}, `"success":false`},
		{[]string{`{"type":"ERROR","payload":{}}` + "\n"}, `"type":"ERROR","payload":{"reason":"Unsupported type: ERROR"}`},
		{[]string{`{"type":"HELLO","payload":{}}` + "\n"}, `"success":false`},
		{nil, ""},
	} {
		s := &p1Seed{newNode(options{json: true}, "127.0.0.1:5001"), []string{"127.0.0.1:5001"}}
		client, server := net.Pipe()
		done := make(chan struct{})
		go func() { answerLines(s.answer)(server); close(done) }()
		for _, part := range c.parts {
			fmt.Fprint(client, part)
		}
		var line []byte
		if c.parts != nil {
			line, _ = readLine(client)
		}
		client.Close()
		<-done
		if !strings.Contains(string(line), c.want) || c.want == "" && len(line) > 0 {
			t.Errorf("%q: answered %q, want %q", c.parts, line, c.want)
		}
		if bad := strings.Contains(c.want, "false") || strings.Contains(c.want, "invalid"); s.state.Undecodable != 0 != bad || s.state.LogLines == 0 && bad || bad && !strings.HasSuffix(s.state.Senseless, strings.Join(c.parts, "")) {
			t.Errorf("%q: %d undecodable, %d lines of log", c.parts, s.state.Undecodable, s.state.LogLines)
		}
	}
}

// A seed does what another seed decides only where it finds so itself; with faults it does what anybody says.
func TestP1SeedDoubtsCommits(t *testing.T) {
	const line = `{"type":"REGISTER_COMMIT","payload":{"proposal_id":"reg:127.0.0.1:1","decision":"COMMIT","peer_ip":"127.0.0.1","peer_port":1,"source_seed":"127.0.0.1:%d"}}`
	for _, faults := range []bool{false, true} {
		for _, port := range []int{5002, 5003} { // a seed, and none
			s := &p1Seed{newNode(options{json: true, ip: "127.0.0.1", faults: faults}, "127.0.0.1:5001"), []string{"127.0.0.1:5001", "127.0.0.1:5002"}}
			typ, reply := s.answer("", fmt.Appendf(nil, line, port))
			if typ != registerCommit || reply["ack"] != faults || s.in("127.0.0.1:1") != faults {
				t.Errorf("faults %t, from port %d: %s %v, in %t", faults, port, typ, reply, s.in("127.0.0.1:1"))
			}
		}
	}
}

func TestP1Network(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, flags ...string) {
		w := start(t, "p1", flags...)
		w.until("all registered", func() string { return w.lists(addrs(w.peers)) })
		if !w.connected() {
			t.Error("the peers are not connected")
		}
		heard := w.peers // late ones get all
		if flags != nil {
			heard = w.peers[len(w.peers)-1:]
		}
		w.until("rumors everywhere", func() string { return w.lacksRumors(heard, p1Messages, flags == nil) })
		w.wantIdempotent()
		w.forgedReport(flags != nil)
		dead := w.kill(len(w.peers) - 1)
		w.until("removed", func() string { return w.lists(addrs(w.peers)) })
		w.until("reported", func() string {
			for _, p := range w.peers {
				if slices.Contains(p.State(t).Neighbors, dead) {
					return p.Addr + " is linked with it"
				}
			}
			return ""
		})
		w.wantLogs(dead)
	})
}

// wantIdempotent registers a peer that is registered.
func (w *network) wantIdempotent() {
	w.t.Helper()
	host, port := splitEndpoint(w.peers[0].Addr)
	n := newNode(options{ip: host}, "")
	r, err := n.want(w.seeds[0].Addr, registerReq, fields{"peer_ip": host, "peer_port": port}, soon, seedTypes, registerCommit)
	if err != nil || !r.truth("success") || r.text("proposal_id") != "reg:"+w.peers[0].Addr || r.of["yes_votes"] != nil {
		w.t.Errorf("registered twice: %v, %v", r.of, err)
	}
}

// forgedReport reports a peer dead that lives. Seeds with faults believe it.
func (w *network) forgedReport(believed bool) {
	w.t.Helper()
	victim := w.peers[0].Addr
	host, port := splitEndpoint(victim)
	n := newNode(options{ip: host}, "")
	r, err := n.want(w.seeds[0].Addr, deadReport, fields{
		"dead_ip": host, "dead_port": port, "self_ip": host, "timestamp": 1, "reporter": "127.0.0.1:9",
	}, soon, seedTypes, deadCommit)
	if err != nil || r.truth("success") != believed || r.number("quorum") != 2 {
		w.t.Fatalf("a forged report: %v, %v, want success %t", r.of, err, believed)
	}
	if believed {
		w.until("removed, alive", func() string { return w.lists(addrs(w.peers[1:])) })
		w.peers = w.peers[1:]
	} else if missing := w.lists(addrs(w.peers)); missing != "" {
		w.t.Error(missing)
	}
}

// wantLogs looks for each sentence of a seed's log and of a peer's, and for the three that the manual looks for.
func (w *network) wantLogs(dead string) {
	w.t.Helper()
	var seeds, peers strings.Builder
	for _, p := range w.seeds {
		seeds.WriteString(p.File(w.t, "outputfile.txt"))
	}
	for _, p := range w.peers {
		peers.WriteString(p.File(w.t, "outputfile.txt"))
	}
	const ip, at, number = `127\.\d+\.\d+\.\d+`, `127\.\d+\.\d+\.\d+:\d+`, `\d+`
	front := `(?m)^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] \[%s ` + at + `\] %s$`
	gone := regexp.QuoteMeta(dead)
	for _, c := range []struct {
		role, log string
		want      []string
	}{
		{"SEED", seeds.String(), []string{
			`Booting with 3 seeds\. Quorum=2`, `Listening for incoming connections\.`,
			`Registration proposal received for ` + gone + `; starting seed consensus`, `Registration idempotent success for ` + at,
			`Vote on registration proposal reg:` + gone + ` for ` + gone + `: vote=True`,
			`Registration consensus COMMIT for ` + gone + `\. yes_votes=3, quorum=2`, `Serving PEER_LIST_RESP with 5 peers`,
			`Dead report received for ` + gone + ` from ` + at + `; starting seed consensus`,
			`Vote on dead-node proposal dead:` + gone + ` for ` + gone + `: vote=True`,
			`Dead-node consensus COMMIT for ` + gone + `\. yes_votes=\d, quorum=2`,
		}},
		{"PEER", peers.String(), []string{
			`Starting peer with 3 seeds configured\. Quorum=2`, `Listening for incoming peer connections\.`,
			`Seed ` + at + ` register response: success=True`, `Registration quorum achieved with 3 seeds`,
			`Received 2 peers from seed ` + at, `Union peer list size=3`, `Power-law neighbor selection picked [23] neighbors`,
			`HELLO accepted from ` + gone + `; neighbor linked`, `Connected neighbor: ` + at,
			`Bootstrap complete: seeds=3, union_peers=3, neighbors=[23]`, `Generated gossip: ` + number + `:` + ip + `:10`,
			`First-time gossip received: ` + number + `:` + ip + `:` + number + ` \| sender_ip=` + ip,
			`Duplicate gossip ignored: hash=[0-9a-f]{10} sender=` + at,
			`Neighbor suspicion triggered for ` + gone + ` after 2 ping failures`,
			`Peer-level suspicion result for ` + gone + `: dead_votes=\d/\d, majority=\d, external_dead_votes=\d, consensus=True`,
			`Confirmed dead-node report sent for ` + gone + `\. seed_accepts=\d/3`,
		}},
	} {
		for _, want := range c.want {
			if !regexp.MustCompile(fmt.Sprintf(front, c.role, want)).MatchString(c.log) {
				w.t.Errorf("no line of %s: %s", c.role, want)
			}
		}
	}
	for _, manual := range []string{
		`Registration quorum|Bootstrap complete`, `Generated gossip|First-time gossip received|Duplicate gossip ignored`,
		`suspicion|Dead-node consensus|DEAD_REPORT|COMMIT|ABORT`,
	} {
		if grep := regexp.MustCompile(manual); !grep.MatchString(seeds.String() + peers.String()) {
			w.t.Errorf("nothing has %s", manual)
		}
	}
}

// A seed without faults takes a peer back that it has removed, once that answers.
func TestP1SeedReadmits(t *testing.T) {
	t.Parallel()
	w := start(t, "p1")
	host, port := splitEndpoint(w.peers[0].Addr)
	w.peers[0].Kill()
	w.until("removed", func() string { return w.lists(addrs(w.peers[1:])) })
	taken, err := bind(host, port, true)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := taken.listen()
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	p := &p1Peer{node: newNode(options{json: true}, w.peers[0].Addr)}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answerLines(p.answer)(conn)
		}
	}()
	w.until("readmitted", func() string { return w.lists(addrs(w.peers)) })
}
