package agent

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// oldPeer is a peer that knows nothing but lines of JSON.
type oldPeer struct {
	t        *testing.T
	listener net.Listener
	addr     netip.AddrPort
	hangs    atomic.Bool // it accepts connections, and says nothing
	asked    atomic.Int64
	strange  atomic.Int64 // connections that were none of its protocol
	wait     sync.WaitGroup
}

// newOldPeer listens at the 9th loopback address.
func newOldPeer(t *testing.T) *oldPeer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.9:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &oldPeer{t: t, listener: listener, addr: listener.Addr().(*net.TCPAddr).AddrPort()}
	p.wait.Go(p.serve)
	t.Cleanup(func() { listener.Close(); p.wait.Wait() })
	return p
}

func (p *oldPeer) serve() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wait.Go(func() {
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			line, _ := bufio.NewReader(conn).ReadString('\n')
			if strings.Contains(line, `"HELLO"`) || strings.Contains(line, `"GOSSIP_MSG"`) {
				fmt.Fprintln(conn, `{"type":"HELLO_ACK","payload":{"accepted":true},"ts":1.5}`) // any answer does
				return
			}
			if !strings.Contains(line, `"PEER_LIST_REQ"`) {
				p.strange.Add(1)
				return
			}
			if p.asked.Add(1); p.hangs.Load() {
				io.Copy(io.Discard, conn) // until the other end has enough of it
				return
			}
			fmt.Fprintln(conn, `{"type":"ERROR","payload":{"reason":"Unsupported type: PEER_LIST_REQ"},"ts":1.5}`)
		})
	}
}

// speak sends a line from an address, and gives the one that comes back. How long that takes is held by TestLineTimes
// and, for processes, by test/abuse: here dozens of nodes share a process and its cores.
func speak(t *testing.T, from string, to netip.AddrPort, request string) string {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.DialContext(patient(t), "tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintln(conn, request)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Errorf("%s: %v", request, err)
	}
	return line
}

// registration is the line with which an older peer asks to be let in.
func registration(p *oldPeer) string {
	return fmt.Sprintf(`{"type":"REGISTER_REQ","payload":{"peer_ip":"127.0.0.9","peer_port":%d},"ts":1}`, p.addr.Port())
}

// insist sends a request until it is told how it was decided. More than once, it
// is told less of that: it was decided just after the time of an answer.
func insist(t *testing.T, from string, to netip.AddrPort, request string) (line string, asked int) {
	t.Helper()
	for ctx := patient(t); ; {
		line, asked = speak(t, from, to, request), asked+1
		if !strings.Contains(line, "no answer in time") && !strings.Contains(line, "it is being decided") || ctx.Err() != nil {
			return line, asked
		}
	}
}

// wantLine checks what stands in a line.
func wantLine(t *testing.T, line string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(line, part) {
			t.Errorf("%swant %s", line, part)
		}
	}
}

// TestGuest: who speaks only lines is in by a quorum as everybody, found dead
// when it hangs, and told nothing that it does not understand.
func TestGuest(t *testing.T) {
	t.Parallel()
	n := newSeededNet(t, 3)
	n.start("a", "b")
	n.agree(2, "a b")
	p := newOldPeer(t)
	request := registration(p)

	wantLine(t, speak(t, "127.0.0.8", n.list[0].Addr, request), `"REGISTER_COMMIT"`, `"success":false`, `asks from 127.0.0.8 and says that it is at 127.0.0.9`)
	line, asked := insist(t, "127.0.0.9", n.list[1].Addr, request)
	wantLine(t, line, `"REGISTER_COMMIT"`, fmt.Sprintf(`"proposal_id":"reg:%s"`, p.addr), `"success":true`)
	if asked == 1 {
		wantLine(t, line, `"yes_votes":2`, `"quorum":2`)
	}
	name := p.addr.String()
	n.agree(3, name+" a b")
	line = speak(t, "127.0.0.9", n.list[2].Addr, request)
	wantLine(t, line, `"success":true`)
	if strings.Contains(line, "yes_votes") {
		t.Errorf("voted again: %s", line)
	}
	for _, m := range n.peers[0].Members() {
		if guest := m.Name == name; guest != (m.Dialect == "p1") || guest && m.ID != core.GuestID(hearsay.NetworkIDOf(DefaultNetwork), p.addr, core.Lines) {
			t.Errorf("%s is listed as %+v", name, m)
		}
	}
	for _, s := range n.list {
		line := speak(t, "127.0.0.9", s.Addr, fmt.Sprintf(`{"type":"PEER_LIST_REQ","payload":{"requester":"%s"},"ts":1}`, p.addr))
		wantLine(t, line, `"PEER_LIST_RESP"`, `"`+name+`"`, `"`+addrOf(n.peers[0])+`"`, `"`+addrOf(n.peers[1])+`"`, `"seed":"`+s.Addr.String()+`"`)
		if strings.Contains(line, n.list[0].Addr.String()) && s != n.list[0] {
			t.Errorf("lists a seed: %s", line)
		}
	}

	for _, a := range n.peers {
		await(t, a, "one link, with the other peer that speaks as it does", func() bool { return len(a.Links()) == 1 })
	}

	p.hangs.Store(true)
	n.agree(4, "a b")
	late := fmt.Sprintf(`{"type":"DEAD_REPORT","payload":{"dead_ip":"127.0.0.9","dead_port":%d,"self_ip":"127.0.0.8","timestamp":1,"reporter":"127.0.0.8:1"},"ts":1}`, p.addr.Port())
	wantLine(t, speak(t, "127.0.0.8", n.list[0].Addr, late), `"success":true`, `"already":true`)
	p.hangs.Store(false)
	wantLine(t, speak(t, "127.0.0.9", n.list[0].Addr, request), `"REGISTER_COMMIT"`)
	n.agree(5, name+" a b") // whether or not that was within the time of an answer
	wantLine(t, speak(t, "127.0.0.9", n.list[0].Addr, request), `"success":true`)
	if p.asked.Load() == 0 || p.strange.Load() != 0 {
		t.Errorf("the guest was asked %d times, and %d times in another way", p.asked.Load(), p.strange.Load())
	}
}

// TestGuestsObserveNobody: they cannot sign what they see, so that the word of
// the others must do.
func TestGuestsObserveNobody(t *testing.T) {
	t.Parallel()
	n := newSeededNet(t, 1)
	n.start("a", "b", "c")
	n.agree(3, "a b c")
	for range 4 {
		line, _ := insist(t, "127.0.0.9", n.list[0].Addr, registration(newOldPeer(t)))
		wantLine(t, line, `"success":true`)
	}
	n.stopPeer()
	seed := n.seeds[0]
	await(t, seed, "the removal", func() bool { return seed.Epoch() == 8 })
	if r := seed.Ledger(7, 1); len(r) != 1 || r[0].Kind != hearsay.RulingRemove || r[0].Rule != hearsay.RuleMajority {
		t.Errorf("ruled %+v, want a removal by the majority of observers", r)
	}
}

// TestReportWhileDeciding: while the seeds decide about a peer, one whose own probes of it fail says so to an older
// program that reports it. Nobody observes the only peer, so that the seeds take their time.
func TestReportWhileDeciding(t *testing.T) {
	t.Parallel()
	n := newDecidingNet(t, 3, 6*time.Second)
	n.start("a")
	n.agree(1, "a")
	dead := n.peers[0].Self().Addr
	n.stopPeer()
	report := fmt.Sprintf(`{"type":"DEAD_REPORT","payload":{"dead_ip":"%s","dead_port":%d,"self_ip":"127.0.0.8","timestamp":1,"reporter":"127.0.0.8:1"},"ts":1}`, dead.Addr(), dead.Port())
	await(t, n.seeds[0], "a seed that holds it dead before the ruling", func() bool {
		line := speak(t, "127.0.0.8", n.list[0].Addr, report)
		if strings.Contains(line, `"already":true`) {
			t.Fatalf("ruled, and no report before was answered so: %s", line)
		}
		return strings.Contains(line, `"success":true`) && n.seeds[0].Epoch() == 1
	})
	n.agree(2, "")
}

// TestForgedLines: what is said without proof changes nothing.
func TestForgedLines(t *testing.T) {
	t.Parallel()
	n := newSeededNet(t, 3)
	n.start("a", "b")
	n.agree(2, "a b")
	seed, victim := n.list[0].Addr, n.peers[0].Self().Addr
	dead := fmt.Sprintf(`"dead_ip":"%s","dead_port":%d`, victim.Addr(), victim.Port())
	peer := fmt.Sprintf(`"peer_ip":"%s","peer_port":%d`, victim.Addr(), victim.Port())

	line, _ := insist(t, "127.0.0.8", seed, fmt.Sprintf(`{"type":"DEAD_REPORT","payload":{%s,"self_ip":"127.0.0.8","timestamp":1,"reporter":"127.0.0.8:1"},"ts":1}`, dead))
	wantLine(t, line, `"SEED_DEAD_COMMIT"`, fmt.Sprintf(`"proposal_id":"dead:%s"`, victim), `"success":false`, `"quorum":2`)
	line = speak(t, "127.0.0.8", seed, `{"type":"DEAD_REPORT","payload":{"dead_ip":"127.0.0.8","dead_port":9,"self_ip":"127.0.0.8","timestamp":1,"reporter":"127.0.0.8:1"},"ts":1}`)
	wantLine(t, line, `"SEED_DEAD_COMMIT"`, `"success":true`, `"already":false,"unknown":true`)

	line = speak(t, "127.0.0.8", seed, fmt.Sprintf(`{"type":"DEAD_REPORT","payload":{"dead_ip":"%s","dead_port":%d,"self_ip":"127.0.0.8","timestamp":1,"reporter":"127.0.0.8:1"},"ts":1}`, seed.Addr(), seed.Port()))
	wantLine(t, line, `"SEED_DEAD_COMMIT"`, `"success":false`, "no case is opened about seeds")

	// What is no line of JSON is answered, too, also where it does not begin like one.
	for _, line := range []string{"hello?", "GET / HTTP/1.1", `{"type":`, `"type"`} {
		for _, node := range []*Agent{n.seeds[0], n.peers[0]} {
			wantLine(t, speak(t, "127.0.0.8", node.Self().Addr, line), "bad JSON: ")
		}
	}

	for _, matter := range []string{`"SEED_DEAD_COMMIT","payload":{"proposal_id":"dead:x",` + dead, `"REGISTER_COMMIT","payload":{"proposal_id":"reg:x","peer_ip":"127.0.0.8","peer_port":9`} {
		line = speak(t, "127.0.0.8", seed, fmt.Sprintf(`{"type":%s,"decision":"COMMIT","source_seed":"%s","ack_only":true},"ts":1}`, matter, n.list[1].Addr))
		wantLine(t, line, `"ack":false`, `"ack_only":true`, `"error":`)
	}

	for want, vote := range map[string]string{
		`"vote":false`: `"SEED_DEAD_VOTE","payload":{"action":"REQUEST","proposal_id":"dead:x",` + dead,
		`"vote":true`:  `"SEED_DEAD_VOTE","payload":{"action":"REQUEST","proposal_id":"dead:x","dead_ip":"127.0.0.8","dead_port":9`,
	} {
		wantLine(t, speak(t, "127.0.0.8", seed, fmt.Sprintf(`{"type":%s,"proposer":"127.0.0.3:1"},"ts":1}`, vote)), `"SEED_DEAD_VOTE"`, want, `"voter":"`+seed.String()+`"`)
	}
	for voted, want := range map[string]string{
		peer:                                  `"vote":true`, // it is in, by whatever identity
		`"peer_ip":"127.0.0.8","peer_port":9`: `"vote":true`,
		fmt.Sprintf(`"peer_ip":"%s","peer_port":%d`, seed.Addr(), seed.Port()): `"vote":false`, // a seed's
	} {
		line = speak(t, "127.0.0.8", seed, fmt.Sprintf(`{"type":"REGISTER_VOTE","payload":{"action":"REQUEST","proposal_id":"reg:x",%s,"proposer":"127.0.0.3:1"},"ts":1}`, voted))
		wantLine(t, line, `"REGISTER_VOTE"`, want)
	}

	wantLine(t, speak(t, "127.0.0.8", seed, `{"type":"REGISTER_REQ"`), `"REGISTER_COMMIT"`, `"success":false`, `"error":`)
	wantLine(t, speak(t, "127.0.0.8", seed, `{"type":"HELLO","payload":{},"ts":1}`), `"ERROR"`, `Unsupported type: HELLO`)

	// Who cannot be reached where it says to be is not let in.
	wantLine(t, speak(t, "127.0.0.8", seed, `{"type":"REGISTER_REQ","payload":{"peer_ip":"127.0.0.8","peer_port":9},"ts":1}`), `"REGISTER_COMMIT"`, `"success":false`, `first something must answer at its address`)
	n.agree(2, "a b")
}
