package agent

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"reflect"
	"slices"
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
func knowing(_ context.Context, r dialect.Request, from netip.AddrPort) dialect.Reply {
	switch r := r.(type) {
	case *dialect.Register:
		return &dialect.Outcome{Peer: r.Peer, Success: r.Peer.Addr() == from.Addr(), YesVotes: 3, Quorum: 2, Facts: r.Facts}
	case *dialect.DeadReport:
		return &dialect.Outcome{Matter: dialect.Death, Peer: r.Peer, Quorum: 2}
	case *dialect.Vote:
		return &dialect.Opinion{Matter: r.Matter, Proposal: r.Proposal, Voter: from}
	case *dialect.Commit:
		return &dialect.CommitAck{Matter: r.Matter, Reason: "not of this quorum"}
	case *dialect.PeerList:
		return &dialect.Peers{Peers: []netip.AddrPort{r.Requester}}
	case *dialect.Hello:
		return &dialect.HelloAck{Accepted: true, Peer: r.Peer, Degree: r.Degree + 1}
	case *dialect.Gossip:
		return &dialect.GossipAck{Accepted: true}
	case *dialect.Suspect:
		return &dialect.SuspectAck{Suspect: r.Peer, Alive: true}
	}
	return nil
}

// newLineBox is a box that answers JSON lines, too, and asker that asks in it.
func newLineBox(t *testing.T, role hearsay.Role, answer answering, times lineTimes) (*box, *asker) {
	t.Helper()
	b := newQuietBox(t)
	b.lines = newLineServer(role, answer, &b.counters)
	b.lines.times = times
	b.start()
	t.Cleanup(b.close)
	return b, newAsker(role, newOutbound(localhost))
}

var (
	// unhurried is for tests in which no time runs out.
	unhurried = lineTimes{request: patience, answer: patience, write: patience, linger: 100 * time.Millisecond}
	// hasty is for tests in which no whole line comes.
	hasty = lineTimes{request: 500 * time.Millisecond, answer: time.Second, write: patience, linger: 100 * time.Millisecond}
)

func TestEveryRequestIsAnswered(t *testing.T) {
	peer := netip.MustParseAddrPort("127.0.0.1:6001")
	for _, c := range []struct {
		role    hearsay.Role
		request dialect.Request
		want    dialect.Reply
	}{
		{hearsay.RoleSeed, &dialect.Register{Peer: peer, Facts: []byte("x")}, &dialect.Outcome{Peer: peer, Success: true, YesVotes: 3, Quorum: 2, Facts: []byte("x")}},
		{hearsay.RoleSeed, &dialect.Register{Peer: netip.MustParseAddrPort("10.0.0.1:1")}, &dialect.Outcome{Peer: netip.MustParseAddrPort("10.0.0.1:1"), YesVotes: 3, Quorum: 2}},
		{hearsay.RoleSeed, &dialect.DeadReport{Peer: peer}, &dialect.Outcome{Matter: dialect.Death, Peer: peer, Quorum: 2}},
		{hearsay.RoleSeed, &dialect.Commit{Proposal: "p", Peer: peer}, &dialect.CommitAck{Reason: "not of this quorum"}},
		{hearsay.RoleSeed, &dialect.PeerList{Requester: peer}, &dialect.Peers{Peers: []netip.AddrPort{peer}}},
		{hearsay.RolePeer, &dialect.Hello{Peer: peer, Degree: 2}, &dialect.HelloAck{Accepted: true, Peer: peer, Degree: 3}},
		{hearsay.RolePeer, &dialect.Gossip{Text: "1:10.0.0.1:1"}, &dialect.GossipAck{Accepted: true}},
		{hearsay.RolePeer, &dialect.Suspect{Peer: peer}, &dialect.SuspectAck{Suspect: peer, Alive: true}},
	} {
		b, asker := newLineBox(t, c.role, knowing, defaultLineTimes)
		got, err := asker.ask(patient(t), b.addr, c.request)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v: got %+v, %v", c.request, got, err)
		}
	}
}

// Frames and lines come to one port.
func TestLinesBesideFrames(t *testing.T) {
	b, asker := newLineBox(t, hearsay.RoleSeed, knowing, defaultLineTimes)
	a := newBox(t)
	ping := frame(&hearsay.Ping{Seq: 1})
	a.send(b.addr, ping)
	if got := b.receive(t); !bytes.Equal(got.packet, payload(t, ping)) {
		t.Errorf("got %x", got.packet)
	}
	if _, err := asker.ask(patient(t), b.addr, &dialect.Commit{Peer: b.addr}); err != nil {
		t.Error(err)
	}
	a.send(b.addr, ping)
	b.receive(t)
	stranger := a.connect(t)
	io.WriteString(stranger, `{"type":`) // nobody there speaks lines
	wantClosed(t, stranger)
	if n := a.counters.drops[hearsay.DropMalformed].Load(); n != 1 {
		t.Errorf("counted %d", n)
	}
}

// typed sends text as somebody with a keyboard does, and gives all that comes
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
		"unsupported":         {`{"type":"HELLO","payload":{}}` + "\n", true, `{"type":"ERROR","payload":{"reason":"Unsupported type: HELLO"}`, hearsay.DropMalformed},
		"long":                {`{"type":"` + strings.Repeat("x", dialect.RequestLineMax) + "\"}\n", true, failed + "line longer than 8192 bytes", hearsay.DropOversized},
		"endless":             {`{"type":"` + strings.Repeat("x", 4*lineDiscardMax), true, failed + "line longer than 8192 bytes", hearsay.DropOversized},
	} {
		times := unhurried
		if name == "half a line, kept" {
			times = hasty
		}
		b, _ := newLineBox(t, hearsay.RoleSeed, knowing, times)
		got := typed(t, b, c.text, c.stay)
		// Of what is endless the answer may be destroyed by what follows it.
		if !strings.HasPrefix(got, c.want) && !(got == "" && name == "endless") || strings.Count(got, "\n") > 1 {
			t.Errorf("%s: got %q, want %s", name, got, c.want)
		}
		b.close()
		for drop := range b.counters.drops {
			want := uint64(0)
			if hearsay.Drop(drop) == c.drop && c.drop != 0 {
				want = 1
			}
			if n := b.counters.drops[drop].Load(); n != want {
				t.Errorf("%s: counted %d of %s, want %d", name, n, hearsay.Drop(drop), want)
			}
		}
	}
}

// Who connects and says nothing looks whether somebody is there: it gets no
// answer and is not counted.
func TestSilentProbe(t *testing.T) {
	b, _ := newLineBox(t, hearsay.RolePeer, knowing, unhurried)
	for range 20 {
		if got := typed(t, b, "", false); got != "" {
			t.Errorf("got %q", got)
		}
	}
	b.close()
	for drop := range b.counters.drops {
		if n := b.counters.drops[drop].Load(); n != 0 {
			t.Errorf("counted %d of %s", n, hearsay.Drop(drop))
		}
	}
}

// A byte now and then does not win time.
func TestSlowLine(t *testing.T) {
	b, _ := newLineBox(t, hearsay.RolePeer, knowing, hasty)
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
// node ends him.
func TestLateAnswer(t *testing.T) {
	asked := make(chan struct{}, 2)
	late := func(ctx context.Context, _ dialect.Request, _ netip.AddrPort) dialect.Reply {
		asked <- struct{}{}
		<-ctx.Done()
		return nil
	}
	times := unhurried
	times.answer = 200 * time.Millisecond
	b, asker := newLineBox(t, hearsay.RoleSeed, late, times)
	_, err := asker.ask(patient(t), b.addr, &dialect.PeerList{Requester: b.addr})
	if _, refused := errors.AsType[*dialect.RefusedError](err); !refused || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("got %v", err)
	}
	<-asked
	times.answer = time.Hour
	b, asker = newLineBox(t, hearsay.RoleSeed, late, times)
	asking := make(chan error)
	go func() {
		_, err := asker.ask(patient(t), b.addr, &dialect.PeerList{Requester: b.addr})
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
	if d := defaultLineTimes; d.request >= d.answer || d.answer >= askSeedTimeout || d.answer >= askPeerTimeout {
		t.Errorf("times are %+v", d)
	}
}

func TestAskers(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	addr := silent.Addr().(*net.TCPAddr).AddrPort()
	asker := newAsker(hearsay.RolePeer, newOutbound(localhost))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := asker.ask(ctx, addr, &dialect.Hello{Peer: addr}); !errors.Is(err, context.DeadlineExceeded) || err.Error() != "no answer in time" {
		t.Errorf("of silence: %v", err)
	}
	if len(asker.pending) != 0 {
		t.Errorf("%d under way", len(asker.pending))
	}
	for range asksMax {
		asker.pending <- struct{}{}
	}
	if _, err := asker.ask(ctx, addr, &dialect.Hello{Peer: addr}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("of too many: %v", err)
	}
	asker = newAsker(hearsay.RolePeer, newOutbound(localhost))
	nobody := netip.AddrPortFrom(localhost, 1)
	if _, err := asker.ask(t.Context(), nobody, &dialect.Hello{Peer: addr}); err == nil || err.Error() != "connection refused" {
		t.Errorf("of nobody: %v", err)
	}
	if _, err := asker.ask(t.Context(), addr, &dialect.Gossip{Text: strings.Repeat("x", dialect.RequestLineMax)}); !errors.Is(err, errLineLong) {
		t.Errorf("of a long line: %v", err)
	}

	for text, want := range map[string]string{
		"":                                 "without a word",
		"no\n":                             "bad JSON",
		`{"type":"HELLO_ACK"`:              "bad JSON",
		strings.Repeat("{", 2<<20) + "\n":  "too long",
		`{"type":"X","payload":{}}` + "\n": `it is of type "X"`,
	} {
		b, asker := newLineBox(t, hearsay.RolePeer, nil, hasty)
		b.lines = nil
		b.close()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		wait.Go(func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			bufio.NewReader(conn).ReadString('\n')
			io.WriteString(conn, text)
			conn.Close()
		})
		_, err = asker.ask(patient(t), listener.Addr().(*net.TCPAddr).AddrPort(), &dialect.Hello{Peer: addr})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("of %.20q: got %v, want %s", text, err, want)
		}
		listener.Close()
		wait.Wait()
	}
	for role, want := range map[hearsay.Role][2]time.Duration{
		hearsay.RoleSeed: {1800 * time.Millisecond, 1800 * time.Millisecond},
		hearsay.RolePeer: {2 * time.Second, 1500 * time.Millisecond},
	} {
		asker := newAsker(role, newOutbound(netip.Addr{}))
		if got := [2]time.Duration{asker.timeout(&dialect.Register{}), asker.timeout(&dialect.Gossip{})}; got != want {
			t.Errorf("%s: timeouts are %v", role, got)
		}
	}
}

// One source opens no more cases than it may; what can prove itself is counted
// apart, and what opens none is not counted.
func TestCasesAreBounded(t *testing.T) {
	b, asker := newLineBox(t, hearsay.RoleSeed, knowing, defaultLineTimes)
	refused, began := 0, time.Now()
	const may = 2 * casesBurst // the first before anybody is told apart
	const asks = may + 20
	for range asks {
		_, err := asker.ask(patient(t), b.addr, &dialect.DeadReport{Peer: b.addr})
		if _, ok := errors.AsType[*dialect.RefusedError](err); ok {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	more := int(2*time.Since(began).Seconds()*casesPerSecond) + 1
	if least := asks - may - more; refused < least || refused > asks-casesBurst {
		t.Errorf("%d were refused, want %d at least", refused, least)
	}
	for _, r := range []dialect.Request{
		&dialect.DeadReport{Peer: b.addr, Facts: []byte("evidence")},
		&dialect.Commit{Peer: b.addr},
	} {
		if _, err := asker.ask(patient(t), b.addr, r); err != nil {
			t.Errorf("%T: %v", r, err)
		}
	}
	if n := b.counters.drops[hearsay.DropRate].Load(); n != uint64(refused) {
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
	b, asker := newLineBox(t, hearsay.RoleSeed, func(context.Context, dialect.Request, netip.AddrPort) dialect.Reply {
		return &dialect.Peers{Peers: list}
	}, defaultLineTimes)
	given, began := 0, time.Now()
	const asks = 100
	for range asks {
		_, err := asker.ask(patient(t), b.addr, &dialect.PeerList{Requester: b.addr})
		if _, refused := errors.AsType[*dialect.RefusedError](err); err != nil && !refused {
			t.Fatal(err)
		} else if !refused {
			given++
		}
	}
	sent := int(b.counters.streamOut.Load())
	each := sent / max(given, 1)
	most := int((2+2*time.Since(began).Seconds())*listBytesPerSource) + 4*each // as much again before anybody is told apart
	if given < listBytesPerSource/each || sent > most {
		t.Errorf("%d of %d lists were given, %d bytes; may be %d", given, asks, sent, most)
	}
}

// TestUnreadRepliesHoldTheirPlaces: who does not read its reply is still one of those that
// are served.
func TestUnreadRepliesHoldTheirPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var counters counters
		l := newLineServer(hearsay.RoleSeed, knowing, &counters)
		ours, theirs := net.Pipe()
		defer theirs.Close()
		go func() {
			l.serve(t.Context(), ours, bufio.NewReader(ours), seatAddr, quota.Stranger)
			ours.Close()
		}()
		theirs.Write(dialect.AppendRequest(nil, &dialect.Commit{Peer: memberAddr}, time.Now()))
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

// Those who hold as many exchanges as they may, from several addresses, leave
// room for another address.
func TestExchangesAreShared(t *testing.T) {
	var counters counters
	l := newLineServer(hearsay.RoleSeed, knowing, &counters)
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
	slow := func(ctx context.Context, r dialect.Request, from netip.AddrPort) dialect.Reply {
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
	b, _ := newLineBox(t, hearsay.RoleSeed, slow, unhurried)

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
				fmt.Fprintf(conn, `{"type":"REGISTER_COMMIT","payload":{"decision":"ABORT","peer_ip":"127.0.0.1","peer_port":1}}`+"\n")
				conns <- conn
			}
		})
	}
	wait.Wait()
	other, ctx := newAsker(hearsay.RoleSeed, newOutbound(netip.MustParseAddr("127.0.0.2"))), patient(t)
	for { // while the others are held; it asks as older peers do, for less than 2 s
		_, err := other.ask(ctx, b.addr, &dialect.Commit{Peer: b.addr})
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
	again := newAsker(hearsay.RoleSeed, newOutbound(localhost))
	for ctx = patient(t); ; {
		_, err := again.ask(ctx, b.addr, &dialect.Commit{Peer: b.addr})
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("it is not served afterwards: %v", err)
		}
	}
}

// TestClassesOfLinesTakeTurns: a flood of strangers' lines does not delay those of a member
// and of a seat: each is taken apart within a few turns.
func TestClassesOfLinesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p parsing
		var order []quota.Class
		p.begin(quota.Sender{}) // one is being taken apart
		come := func(class quota.Class, n byte) {
			go func() {
				p.begin(quota.Sender{Class: class, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(class), 0, n}), 0)})
				order = append(order, class)
				p.end()
			}()
			synctest.Wait()
		}
		for n := range byte(linesStrangers - 1) {
			come(quota.Stranger, n)
		}
		come(quota.Member, 1)
		come(quota.Seat, 1)
		p.end()
		synctest.Wait()
		for _, class := range []quota.Class{quota.Member, quota.Seat} {
			if at := slices.Index(order, class); at < 0 || at > int(quota.Seat)+1 {
				t.Errorf("a line of class %d had to wait for %d of %d others", class, at, len(order)-1)
			}
		}
		if len(order) != linesStrangers+1 || p.busy {
			t.Errorf("%d lines were taken apart, and one is under way: %t", len(order), p.busy)
		}
	})
}
