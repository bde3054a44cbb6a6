package guest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/quota"
)

// knowing answers every request as if all were well.
func knowing(_ context.Context, r dialect.Request, from asker) dialect.Reply {
	switch r := r.(type) {
	case *dialect.Register:
		return &dialect.Outcome{Peer: r.Peer, Success: r.Peer.Addr() == from.Addr(), YesVotes: 3, Quorum: 2}
	case *dialect.DeadReport:
		return &dialect.Outcome{Matter: dialect.Death, Peer: r.Peer, Quorum: 2}
	case *dialect.Vote:
		return &dialect.Opinion{Matter: r.Matter, Proposal: r.Proposal, Voter: from.AddrPort}
	case *dialect.Commit:
		return &dialect.CommitAck{Matter: r.Matter, Reason: "not of this quorum"}
	case *dialect.PeerList:
		return &dialect.Peers{Peers: []netip.AddrPort{memberAddr}}
	case *dialect.Hello:
		return &dialect.HelloAck{Accepted: true, Peer: memberAddr, Degree: 3}
	case *dialect.Gossip:
		return &dialect.GossipAck{Accepted: true}
	case *dialect.Suspect:
		return &dialect.SuspectAck{Suspect: r.Peer, Alive: true}
	}
	return nil
}

var (
	// unhurried is for tests in which no time runs out.
	unhurried = lineTimes{request: patience, answer: patience, write: patience, linger: 100 * time.Millisecond}
	// hasty is for tests in which no whole line comes.
	hasty = lineTimes{request: 500 * time.Millisecond, answer: time.Second, write: patience, linger: 100 * time.Millisecond}
)

const (
	commitLine = `{"type":"REGISTER_COMMIT","payload":{"decision":"ABORT","peer_ip":"127.0.0.1","peer_port":1}}`
	reportLine = `{"type":"DEAD_REPORT","payload":{"dead_ip":"127.0.0.1","dead_port":6001}}`
	listLine   = `{"type":"PEER_LIST_REQ","payload":{}}`
)

func TestEveryRequestIsAnswered(t *testing.T) {
	const register = `{"type":"REGISTER_REQ","payload":{"peer_ip":"%s","peer_port":6001}}`
	for line, want := range map[string]struct {
		role  hearsay.Role
		reply string
	}{
		fmt.Sprintf(register, "127.0.0.1"): {hearsay.RoleSeed, `"REGISTER_COMMIT","payload":{"proposal_id":"reg:127.0.0.1:6001","success":true,"yes_votes":3,"quorum":2}`},
		fmt.Sprintf(register, "10.0.0.1"):  {hearsay.RoleSeed, `"REGISTER_COMMIT","payload":{"proposal_id":"reg:10.0.0.1:6001","success":false,"yes_votes":3,"quorum":2}`},
		reportLine:                         {hearsay.RoleSeed, `"SEED_DEAD_COMMIT","payload":{"proposal_id":"dead:127.0.0.1:6001","success":false,"yes_votes":0,"quorum":2}`},
		commitLine:                         {hearsay.RoleSeed, `"REGISTER_COMMIT","payload":{"ack":false,"ack_only":true,"error":"not of this quorum"}`},
		listLine:                           {hearsay.RoleSeed, `"PEER_LIST_RESP","payload":{"peers":["10.2.0.1:7946"]}`},
		`{"type":"HELLO","payload":{"peer_ip":"127.0.0.1","peer_port":6001,"degree":2}}`: {hearsay.RolePeer, `"HELLO_ACK","payload":{"accepted":true,"peer_ip":"10.2.0.1","peer_port":7946,"degree":3}`},
		`{"type":"GOSSIP_MSG","payload":{"message":"1:10.0.0.1:1"}}`:                     {hearsay.RolePeer, `"GOSSIP_MSG","payload":{"accepted":true,"duplicate":false}`},
		`{"type":"SUSPECT_REQ","payload":{"dead_ip":"127.0.0.1","dead_port":6001}}`:      {hearsay.RolePeer, `"SUSPECT_ACK","payload":{"suspect":"127.0.0.1:6001","alive":true}`},
	} {
		got := newBox(t, want.role, knowing, defaultLineTimes).ask(t, line)
		if !strings.HasPrefix(got, `{"type":`+want.reply+`,"ts":`) {
			t.Errorf("%s: got %s, want %s", line, got, want.reply)
		}
	}
}

// typed sends text as a person at a keyboard does, and gives all that comes
// back until the other end closes.
func typed(t *testing.T, b *box, text string, stay bool) string {
	t.Helper()
	conn := b.connect(t)
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, text) // it may be closed while it writes
	if !stay {
		conn.(*net.TCPConn).CloseWrite()
	}
	answer, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%.40q: still open", text)
	}
	conn.Close()
	return string(answer)
}

func TestTypedLines(t *testing.T) {
	const request = `{"type":"REGISTER_REQ","payload":{"peer_ip":"127.0.0.1","peer_port":6001}}`
	const done = `{"type":"REGISTER_COMMIT","payload":{"proposal_id":"reg:127.0.0.1:6001","success":true,"yes_votes":3,"quorum":2},"ts":`
	const failed = `{"type":"REGISTER_COMMIT","payload":{"success":false,"error":"`
	for name, c := range map[string]struct {
		text string
		stay bool // the connection stays open
		want string
		drop hearsay.Drop // counted once; 0: none is
	}{
		"a line":              {request + "\n", true, done, 0},
		"a line, and closed":  {request + "\n", false, done, 0},
		"without its end":     {request, false, done, 0},
		"two lines":           {request + "\n" + request + "\n", true, done, 0},
		"half a line, closed": {request[:30], false, failed + "bad JSON: unexpected end", hearsay.DropMalformed},
		"half a line, kept":   {request[:30], true, failed + "no whole line within 500ms", hearsay.DropSlow},
		"an answer":           {`{"type":"SEED_DEAD_VOTE","payload":{"action":"RESPONSE"}}` + "\n", true, `{"type":"SEED_DEAD_VOTE","payload":{"vote":false,"ack_only":true},"ts":`, 0},
		"malformed":           {"{]\n", true, failed + "bad JSON", hearsay.DropMalformed},
		"unknown":             {`{"type":"X","payload":{}}` + "\n", true, failed + `Unknown type: \"X\"`, hearsay.DropMalformed},
		"a question":          {"hearsay?\n", true, "hearsay!\n", 0},
		"typed":               {"hello?\n", true, failed + "bad JSON", hearsay.DropMalformed},
		"registers as text":   {"127.0.0.1:6001", false, "10.2.0.1:7946,127.0.0.1:6001", 0},
		"text in pieces":      {"127", true, "", hearsay.DropSlow}, // and nothing more
		"text, and closed":    {"hearsay?", false, "", hearsay.DropMalformed},
		"text and an end":     {"Dead Node:127.0.0.1:6001:1.5:127.0.0.1\n", true, "", hearsay.DropMalformed},
		"text without end":    {strings.Repeat("x", 600), true, "", hearsay.DropMalformed},
		"unsupported":         {`{"type":"HELLO","payload":{}}` + "\n", true, `{"type":"ERROR","payload":{"reason":"Unsupported type: HELLO","hearsay":"`, hearsay.DropMalformed},
		"long":                {`{"type":"` + strings.Repeat("x", dialect.RequestLineMax) + "\"}\n", true, failed + "line longer than 8192 bytes", hearsay.DropOversized},
		"endless":             {`{"type":"` + strings.Repeat("x", 4*lineDiscardMax), true, failed + "line longer than 8192 bytes", hearsay.DropOversized},
	} {
		times := unhurried
		if name == "half a line, kept" || name == "text in pieces" {
			times = hasty
		}
		b := newBox(t, hearsay.RoleSeed, knowing, times)
		got := typed(t, b, c.text, c.stay)
		// Of what is endless the answer may be destroyed by what follows it.
		if !strings.HasPrefix(got, c.want) && !(got == "" && name == "endless") || strings.Count(got, "\n") > 1 || c.want == "" && got != "" {
			t.Errorf("%s: got %q, want %s", name, got, c.want)
		}
		b.close()
		for drop := range b.drops {
			want := uint64(0)
			if hearsay.Drop(drop) == c.drop && c.drop != 0 {
				want = 1
			}
			if n := b.drops[drop].Load(); n != want {
				t.Errorf("%s: counted %d of %s, want %d", name, n, hearsay.Drop(drop), want)
			}
		}
	}
}

// A connection on which nothing is said is a probe of the older programs: it gets no
// answer and is not counted.
func TestSilentProbe(t *testing.T) {
	b := newBox(t, hearsay.RolePeer, knowing, unhurried)
	for range 20 {
		if got := typed(t, b, "", false); got != "" {
			t.Errorf("got %q", got)
		}
	}
	b.close()
	for drop := range b.drops {
		if n := b.drops[drop].Load(); n != 0 {
			t.Errorf("counted %d of %s", n, hearsay.Drop(drop))
		}
	}
}

// A byte now and then does not win time.
func TestSlowLine(t *testing.T) {
	b := newBox(t, hearsay.RolePeer, knowing, hasty)
	conn := b.connect(t)
	ticker := time.NewTicker(hasty.request / 10)
	defer ticker.Stop()
	var wait sync.WaitGroup
	defer wait.Wait()
	wait.Go(func() {
		for _, err := io.WriteString(conn, "{"); err == nil; _, err = io.WriteString(conn, " ") {
			<-ticker.C
		}
	})
	conn.SetReadDeadline(time.Now().Add(patience))
	got, _ := bufio.NewReader(conn).ReadString('\n')
	conn.Close()
	if !strings.Contains(got, `"ERROR","payload":{"reason":"no whole line within 500ms"`) {
		t.Errorf("got %q", got)
	}
}

// A node that answers late, or never, does not hold up the reply; and the end of the
// node ends the wait.
func TestLateAnswer(t *testing.T) {
	asked := make(chan struct{}, 2)
	late := func(ctx context.Context, _ dialect.Request, _ asker) dialect.Reply {
		asked <- struct{}{}
		<-ctx.Done()
		return nil
	}
	times := unhurried
	times.answer = 200 * time.Millisecond
	b := newBox(t, hearsay.RoleSeed, late, times)
	if got := b.ask(t, listLine); !strings.Contains(got, `"success":false,"error":"no answer in time`) {
		t.Errorf("got %s", got)
	}
	<-asked
	times.answer = time.Hour
	b = newBox(t, hearsay.RoleSeed, late, times)
	asking := make(chan error)
	go func() {
		_, err := b.askFrom(patient(t), localhost, listLine)
		asking <- err
	}()
	<-asked
	b.close()
	if err := <-asking; err == nil {
		t.Error("no error")
	}
}

// By default a request is answered in the time that the older seeds allow,
// whatever happens.
func TestLineTimes(t *testing.T) {
	if d := defaultLineTimes; d.request >= d.answer || d.answer >= probeSeedTimeout || d.answer >= probePeerTimeout {
		t.Errorf("times are %+v", d)
	}
}

// One source opens no more cases than it may; what opens none is not counted.
func TestCasesAreBounded(t *testing.T) {
	b := newBox(t, hearsay.RoleSeed, knowing, defaultLineTimes)
	refused, began := 0, time.Now()
	const may = 2 * casesBurst // the first before anybody is told apart
	const asks = may + 20
	for range asks {
		if strings.Contains(b.ask(t, reportLine), `"REGISTER_COMMIT","payload":{"success":false,"error":"more than`) {
			refused++
		}
	}
	more := int(2*time.Since(began).Seconds()*casesPerSecond) + 1
	if least := asks - may - more; refused < least || refused > asks-casesBurst {
		t.Errorf("%d were refused, want %d at least", refused, least)
	}
	if got := b.ask(t, commitLine); !strings.Contains(got, "not of this quorum") {
		t.Errorf("got %s", got)
	}
	if n := b.drops[hearsay.DropRate].Load(); n != uint64(refused) {
		t.Errorf("counted %d", n)
	}
}

// TestListsAreBounded: one source that asks for the list of 4,096 peers over and over, a
// line of 60 bytes, is sent no more bytes than it may have.
func TestListsAreBounded(t *testing.T) {
	list := make([]netip.AddrPort, 4096)
	for i := range list {
		list[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 7946)
	}
	b := newBox(t, hearsay.RoleSeed, func(context.Context, dialect.Request, asker) dialect.Reply {
		return &dialect.Peers{Peers: list}
	}, defaultLineTimes)
	given, began := 0, time.Now()
	const asks = 100
	for range asks {
		if strings.HasPrefix(b.ask(t, listLine), `{"type":"PEER_LIST_RESP"`) {
			given++
		}
	}
	sent := int(b.wrote.Load())
	each := sent / max(given, 1)
	// as much again before anybody is told apart
	most := int((2+2*time.Since(began).Seconds())*listBytesPerSource) + 4*each
	if given < listBytesPerSource/each || sent > most {
		t.Errorf("%d of %d lists were given, %d bytes; may be %d", given, asks, sent, most)
	}
}

// TestUnreadRepliesHoldTheirPlaces: a client that does not read its reply is still one of those that
// are served.
func TestUnreadRepliesHoldTheirPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newServer(newHost(hearsay.RoleSeed, localhost), knowing)
		ours, theirs := net.Pipe()
		defer theirs.Close()
		go func() {
			l.Serve(t.Context(), ours, bufio.NewReader(ours), memberAddr, quota.Stranger)
			ours.Close()
		}()
		io.WriteString(theirs, commitLine+"\n")
		synctest.Wait()
		served := func() int {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.open[quota.Stranger]
		}
		if n := served(); n != 1 {
			t.Errorf("%d are served while one does not read its reply", n)
		}
		<-time.After(defaultLineTimes.write)
		synctest.Wait()
		if n := served(); n != 0 {
			t.Errorf("%d are served after the reply was given up", n)
		}
	})
}

// Those that hold as many exchanges as they may, from several addresses, leave
// room for another address.
func TestExchangesAreShared(t *testing.T) {
	l := newServer(newHost(hearsay.RoleSeed, localhost), knowing)
	source := func(n byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, n}) }
	const sources = 20
	held := 0
	for range linesPerSource {
		for n := range byte(sources) {
			if l.enter(quota.Stranger, source(n)) {
				held++
			}
		}
	}
	if held < linesStrangers/2 || held > linesStrangers {
		t.Errorf("%d of %d exchanges are under way", held, linesStrangers)
	}
	if !l.enter(quota.Stranger, source(sources)) {
		t.Errorf("there is no room for another address beside %d exchanges of %d", held, sources)
	}
}

// One address can connect as often as it likes, all at once: others are served
// meanwhile, what is held is bounded, and then it is served, too.
func TestManyConnections(t *testing.T) {
	connections := 2000
	if os.Getenv("HEARSAY_LARGE") != "" {
		connections = 10_000
	}
	var answering, most atomic.Int64
	release := make(chan struct{})
	slow := func(ctx context.Context, r dialect.Request, from asker) dialect.Reply {
		if from.Addr() == localhost {
			now := answering.Add(1)
			for was := most.Load(); now > was && !most.CompareAndSwap(was, now); was = most.Load() {
			}
			defer answering.Add(-1)
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		return knowing(ctx, r, from)
	}
	b := newBox(t, hearsay.RoleSeed, slow, unhurried)

	var wait sync.WaitGroup
	defer wait.Wait()
	conns := make(chan net.Conn, connections)
	var dialled atomic.Int64
	const dialers = 50
	for range dialers {
		wait.Go(func() {
			for dialled.Add(1) <= int64(connections) {
				conn, err := net.Dial("tcp", b.addr.String())
				if err != nil {
					continue
				}
				fmt.Fprintln(conn, commitLine)
				conns <- conn
			}
		})
	}
	wait.Wait()
	ctx := patient(t)
	for { // while the others are held
		_, err := b.askFrom(ctx, netip.MustParseAddr("127.0.0.2"), commitLine)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Errorf("another address is not served: %v", err)
			break
		}
	}
	close(release)
	close(conns)
	answered, busy := 0, 0
	for conn := range conns {
		conn.SetReadDeadline(time.Now().Add(patience))
		line, err := bufio.NewReader(conn).ReadString('\n')
		conn.Close()
		switch {
		case strings.Contains(line, "not of this quorum"):
			answered++
		case strings.Contains(line, "too many connections"):
			busy++
		case errors.Is(err, os.ErrDeadlineExceeded):
			t.Error("neither answered nor closed")
		}
	}
	t.Logf("of %d connections %d were answered, %d told to try again; at most %d at a time", connections, answered, busy, most.Load())
	if answered == 0 || most.Load() > linesPerSource {
		t.Errorf("%d were answered, %d at a time", answered, most.Load())
	}
	// Within this second it may have had all the connections that it may have.
	for ctx = patient(t); ; {
		_, err := b.askFrom(ctx, localhost, commitLine)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("it is not served afterwards: %v", err)
		}
	}
}
