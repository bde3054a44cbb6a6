package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/store"
	"hearsay/wire"
)

// quick is a configuration with which a death takes a second or two.
func quick(name string, join ...string) Config {
	cfg := DefaultConfig()
	cfg.Name, cfg.Bind, cfg.Join = name, "127.0.0.1:0", join
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.Detect.Period = 300 * time.Millisecond
	cfg.Detect.TimeoutMin, cfg.Detect.TimeoutMax = 30*time.Millisecond, 100*time.Millisecond
	// three times what an observer takes at most
	cfg.Roster.SuspicionMin, cfg.Roster.RoundEvery = 1500*time.Millisecond, 1500*time.Millisecond
	cfg.Roster.DeadHold = 500 * time.Millisecond
	cfg.Roster.JoinBackoffMin, cfg.Roster.ContactEvery = 100*time.Millisecond, 500*time.Millisecond
	return cfg
}

func start(t *testing.T, cfg Config) *Agent {
	t.Helper()
	a, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// await waits until holds does. What is asked is often of more than what a
// has events for: other nodes, sockets, figures.
func await(t *testing.T, a *Agent, what string, holds func() bool) {
	t.Helper()
	ctx := patient(t)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-ctx.Done():
			for _, r := range a.Ledger(0, 100) {
				t.Logf("%s: epoch %d: %s of %v, case %d: %v", a.cfg.Name, r.Epoch, r.Kind, r.Stay, r.Case, r.Ballots)
			}
			t.Fatalf("%s: not seen by %s; epoch %d; members: %v", what, a.cfg.Name, a.Epoch(), a.Members())
		}
	}
}

// awaitStates waits until a lists its members so: "a alive, b dead".
func awaitStates(t *testing.T, a *Agent, want string) {
	t.Helper()
	await(t, a, want, func() bool { return states(a) == want })
}

func states(a *Agent) string {
	var all []string
	for _, m := range a.Members() {
		all = append(all, m.Name+" "+m.State.String())
	}
	return strings.Join(all, ", ")
}

func addrOf(a *Agent) string { return a.Self().Addr.String() }

func TestLifeOfThree(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	withData := func(name string, join ...string) Config {
		cfg := quick(name, join...)
		cfg.Data = filepath.Join(data, name)
		return cfg
	}
	a := start(t, withData("a"))
	b := start(t, withData("b", addrOf(a)))
	c := start(t, withData("c", "localhost:"+addrOf(a)[len("127.0.0.1:"):])) // by host name
	for _, each := range []*Agent{a, b, c} {
		awaitStates(t, each, "a alive, b alive, c alive")
		if !each.Joined() {
			t.Errorf("%s has not joined", each.cfg.Name)
		}
	}

	was := c.Self()
	c.Close() // as hard as a crash: nobody is told
	for _, each := range []*Agent{a, b} {
		awaitStates(t, each, "a alive, b alive, c dead")
	}
	if file, err := a.Why("c"); err != nil || file.Verdict != "dead" || len(file.Steps) == 0 {
		t.Errorf("why: %+v, %v", file, err)
	}

	again := withData("c") // knows the way back from its contacts
	again.Bind = was.Addr.String()
	c = start(t, again)
	if is := c.Self(); is.ID != was.ID {
		t.Errorf("came back as %s, was %s", is.ID, was.ID)
	}
	for _, each := range []*Agent{a, b, c} {
		awaitStates(t, each, "a alive, b alive, c alive")
	}
	if is := c.Self(); is.Incarnation <= was.Incarnation {
		t.Errorf("incarnation %d after %d", is.Incarnation, was.Incarnation)
	}

	if err := b.Leave(patient(t)); err != nil {
		t.Error(err)
	}
	select {
	case <-b.Done():
	default:
		t.Error("still runs after Leave")
	}
	if err := b.Err(); err != nil {
		t.Error(err)
	}
	for _, each := range []*Agent{a, c} {
		awaitStates(t, each, "a alive, b left, c alive")
	}
}

func TestLeaveAlone(t *testing.T) {
	a := start(t, quick("a"))
	if err := a.Leave(patient(t)); err != nil {
		t.Error(err)
	}
	if err := a.Leave(patient(t)); err != nil {
		t.Errorf("the second time: %v", err)
	}
}

// TestAway: one that ends and is started again with its data is listed as away meanwhile, and is neither suspected nor
// dead.
func TestAway(t *testing.T) {
	a, data := start(t, quick("a")), t.TempDir()
	again := func() *Agent {
		cfg := quick("b", addrOf(a))
		cfg.Data = data
		return start(t, cfg)
	}
	b := again()
	awaitStates(t, a, "a alive, b alive")
	if err := b.Away(patient(t)); err != nil {
		t.Fatal(err)
	}
	<-b.Done()
	if m := a.Members()[1]; m.State != hearsay.StateAlive || m.AwayUntil.IsZero() || a.Stats().Away != 1 {
		t.Errorf("while it is away: %+v", m)
	}
	again()
	await(t, a, "back", func() bool { return a.Stats().Away == 0 })
	if stats := a.Stats(); stats.Suspicions > 0 || stats.Dead > 0 {
		t.Errorf("%d suspicions, %d dead; want none", stats.Suspicions, stats.Dead)
	}
}

func TestLeaveOfWhoIsClosed(t *testing.T) {
	a := start(t, quick("a"))
	a.Close()
	if err := a.Leave(patient(t)); err == nil || !strings.Contains(err.Error(), "closed before it had left") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := start(t, quick("b", "127.0.0.1:1"))
	if err := b.Leave(ctx); err != nil && !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("got %v", err)
	}
}

// TestCallsFromWithin: every method may be called from within the iteration
// over events, Close too, and after it.
func TestCallsFromWithin(t *testing.T) {
	a := start(t, quick("a"))
	start(t, quick("b", addrOf(a)))
	calls := func() {
		a.Self()
		a.Started()
		a.Joined()
		a.Stats()
		a.Why("b")
		if len(a.Members()) != 2 {
			t.Errorf("%d members", len(a.Members()))
		}
	}
	for number, e := range a.EventsAfter(patient(t), 0) {
		if e.Kind == hearsay.EventMemberJoined {
			calls()
			for inner := range a.EventsAfter(patient(t), number-1) {
				if inner != number {
					t.Errorf("the event after %d is %d", number-1, inner)
				}
				break
			}
			a.Close()
		}
	}
	calls()
	a.Close()
	for range a.Events(patient(t)) {
		t.Error("an event after the end")
	}
	if patient(t).Err() != nil {
		t.Error("the iteration did not end with the agent")
	}
}

// TestCallsFromTheLog: the logger is code of users, too.
func TestCallsFromTheLog(t *testing.T) {
	cfg := quick("a")
	logged := make(chan string, 100)
	var a *Agent
	ready := make(chan struct{})
	cfg.Logger = slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		<-ready
		a.Members()
		a.Stats()
		logged <- string(p)
		return len(p), nil
	}), nil))
	a = start(t, cfg)
	close(ready)
	b := start(t, quick("b", addrOf(a)))
	for line := range coming(t, logged) {
		if strings.Contains(line, `msg="A member joined" event=member-joined member=b id=`+b.Self().ID.Short()) {
			break
		}
	}
}

// TestLoggerThatBlocks: a node whose log nobody reads is as alive as any.
func TestLoggerThatBlocks(t *testing.T) {
	cfg := quick("a")
	cfg.Data = t.TempDir()
	release := make(chan struct{})
	lines := 0
	cfg.Logger = slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		<-release
		lines++
		return len(p), nil
	}), nil))
	a := start(t, cfg)
	unblock := sync.OnceFunc(func() { close(release) })
	t.Cleanup(unblock) // before a is closed, which waits for it
	b := start(t, quick("b", addrOf(a)))
	awaitStates(t, a, "a alive, b alive")
	awaitStates(t, b, "a alive, b alive")
	if err := b.Leave(patient(t)); err != nil {
		t.Error(err)
	}
	awaitStates(t, a, "a alive, b left")
	unblock()
	a.Close()
	if lines < 2 {
		t.Errorf("%d lines were written", lines)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// coming gives what comes by a channel, and fails the test when that takes too
// long.
func coming[T any](t *testing.T, c <-chan T) func(func(T) bool) {
	t.Helper()
	ctx := patient(t)
	return func(yield func(T) bool) {
		for {
			select {
			case v := <-c:
				if !yield(v) {
					return
				}
			case <-ctx.Done():
				t.Fatal("nothing came")
			}
		}
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	running := quick("a")
	running.Data = t.TempDir()
	a := start(t, running)
	for want, change := range map[string]func(*Config){
		"start agent: name: \"a b\": the character":                    func(c *Config) { c.Name = "a b" },
		"start agent: bind " + addrOf(a) + ", TCP: address":            func(c *Config) { c.Bind = addrOf(a) },
		"start agent: bind: no-such-host.invalid: look up this name: ": func(c *Config) { c.Bind = "no-such-host.invalid:0" },
		"is in use by another process":                                 func(c *Config) { c.Data = running.Data },
		"not a directory":                                              func(c *Config) { c.Data = filepath.Join(running.Data, "hearsay.db") },
		"start agent: advertise: ::1: no address of the family":        func(c *Config) { c.Advertise = "::1" },
		"start agent: detect.relays: 0: must be":                       func(c *Config) { c.Detect.Relays = -1 },
		"start agent: detect.period: 0s: must be from 10ms to 1":       func(c *Config) { c.Detect.Period = 0 },
	} {
		cfg := quick("b")
		change(&cfg)
		b, err := Start(t.Context(), cfg)
		if err == nil {
			b.Close()
		}
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "-1: must", "0: must"), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestDataOfAnotherNetwork(t *testing.T) {
	cfg := quick("a")
	cfg.Data = t.TempDir()
	start(t, cfg).Close()
	cfg.Network = "other"
	if _, err := Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), `belongs to the network "hearsay", not "other"`) {
		t.Errorf("got %v", err)
	}
}

// stranger is a socket that talks to an agent without being a member.
type stranger struct {
	t       *testing.T
	conn    net.Conn
	network hearsay.NetworkID
	id      hearsay.NodeID
	seq     uint64
}

func newStranger(t *testing.T, a *Agent) *stranger {
	t.Helper()
	conn, err := net.Dial("udp", addrOf(a))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &stranger{t: t, conn: conn, network: hearsay.NetworkIDOf(a.cfg.Network), id: hearsay.NodeID{1}}
}

func (s *stranger) packet(body core.Message) []byte {
	return wire.AppendPacket(nil, s.network, &core.Packet{From: s.id, Body: body})
}

// ping waits for the agent's ack: then it has had all that was sent before.
func (s *stranger) ping() {
	s.t.Helper()
	s.seq++
	if _, err := s.conn.Write(s.packet(&core.Ping{Seq: s.seq})); err != nil {
		s.t.Fatal(err)
	}
	s.conn.SetReadDeadline(time.Now().Add(patience))
	decoder := wire.NewDecoder(s.network)
	b := make([]byte, datagramBuffer)
	for {
		n, err := s.conn.Read(b)
		if err != nil {
			s.t.Fatalf("no ack: %v", err)
		}
		var p core.Packet
		if drop, ok := decoder.Decode(b[:n], &p); !ok {
			s.t.Fatalf("the agent sent what is %s", drop)
		}
		if ack, ok := p.Body.(*core.Ack); ok && ack.Seq == s.seq {
			return
		}
	}
}

func TestBadPacketsAreCounted(t *testing.T) {
	a := start(t, quick("a"))
	s := newStranger(t, a)
	good := s.packet(&core.Ping{Seq: 7})
	own, other := *s, *s
	own.id = a.Self().ID
	other.network = hearsay.NetworkIDOf("other")
	version := append([]byte{wire.Version + 1}, good[1:]...)
	sealed := append([]byte{wire.Version, 1}, good[2:]...)
	for name, c := range map[string]struct {
		packet []byte
		drop   hearsay.Drop
	}{
		"nothing":               {nil, hearsay.DropTruncated},
		"a byte":                {good[:1], hearsay.DropTruncated},
		"all but the last":      {good[:len(good)-1], hearsay.DropTruncated},
		"text":                  {[]byte("{\"type\":\"HELLO\"}\n, as others would say"), hearsay.DropVersion},
		"another version":       {version, hearsay.DropVersion},
		"another network":       {other.packet(&core.Ping{}), hearsay.DropNetwork},
		"sealed":                {sealed, hearsay.DropSealed},
		"its own":               {own.packet(&core.Ping{}), hearsay.DropOwn},
		"too long":              {make([]byte, core.MTU+1), hearsay.DropOversized},
		"an ack to no ping":     {s.packet(&core.Ack{Seq: 99}), hearsay.DropUnexpected},
		"a roster nobody asked": {s.packet(&core.Roster{}), hearsay.DropUnexpected},
	} {
		before := a.Stats().Drops
		s.conn.Write(c.packet)
		s.ping()
		after := a.Stats().Drops
		before[c.drop]++
		if after != before {
			t.Errorf("%s: want one more %s: before %v, after %v", name, c.drop, before, after)
		}
	}
}

func TestFloodIsLimited(t *testing.T) {
	a := start(t, quick("a"))
	source := netip.MustParseAddrPort("10.0.0.1:1")
	a.ask(func(now time.Time) {
		for range 2*datagramsPerSource + 5 { // the first half is in what all may send uncounted
			a.loop.receiveDatagram(now, []byte{0}, source)
		}
	})
	drops := a.Stats().Drops
	if rate, read := drops[hearsay.DropRate], drops[hearsay.DropVersion]+drops[hearsay.DropTruncated]; rate != 5 || read != 2*datagramsPerSource {
		t.Errorf("%d read, %d not even that", read, rate)
	}
	newStranger(t, a).ping()
}

// TestSlowDisk: while the disk takes its time, acks go out and calls are
// answered; what must be durable first waits.
func TestSlowDisk(t *testing.T) {
	cfg := quick("a")
	cfg.Data = t.TempDir()
	a, err := prepare(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	release, begun, commit := make(chan struct{}), make(chan struct{}, 100), a.commits.commit
	a.commits.commit = func(b *store.Batch) error {
		begun <- struct{}{}
		<-release
		return commit(b)
	}
	a.run()
	t.Cleanup(func() { a.Close() })
	for range coming(t, begun) {
		break // its incarnation is being made durable
	}
	s := newStranger(t, a)
	for range 10 {
		s.ping()
	}
	if a.Self().Name != "a" {
		t.Error("no answer")
	}
	close(release)
	b := start(t, quick("b", addrOf(a)))
	awaitStates(t, b, "a alive, b alive")
}

func TestBrokenDiskStopsTheAgent(t *testing.T) {
	cfg := quick("a")
	cfg.Data = t.TempDir()
	a := start(t, cfg)
	a.disk.Close() // as if it were pulled out
	start(t, quick("b", addrOf(a)))
	select {
	case <-a.Done():
	case <-patient(t).Done():
		t.Fatal("still runs")
	}
	if err := a.Err(); err == nil || !strings.Contains(err.Error(), "hearsay.db") {
		t.Errorf("stopped by %v", err)
	}
	if err := a.Leave(patient(t)); err == nil || !strings.Contains(err.Error(), "hearsay.db") {
		t.Errorf("left with %v", err)
	}
}

// TestRosterByStream: a roster that is longer than a datagram comes whole.
func TestRosterByStream(t *testing.T) {
	const members = 16
	a := start(t, quick("a"))
	for n := range members - 2 {
		start(t, quick(fmt.Sprintf("member-with-a-rather-long-name-%02d", n), addrOf(a)))
	}
	await(t, a, "all but the last", func() bool { return len(a.Members()) == members-1 })
	last := start(t, quick("last", addrOf(a)))
	await(t, last, "all", func() bool { return len(last.Members()) == members })
	if s := last.Stats(); s.StreamsIn == 0 || s.StreamIn <= core.MTU {
		t.Errorf("%d packets, %d bytes by stream", s.StreamsIn, s.StreamIn)
	}
}

func TestIPv6(t *testing.T) {
	needIPv6(t)
	cfg := quick("a")
	cfg.Bind = "[::1]:0"
	a := start(t, cfg)
	cfg = quick("b", addrOf(a))
	cfg.Bind = "[::]:0" // and advertises the way to a
	b := start(t, cfg)
	awaitStates(t, a, "a alive, b alive")
	if addr := b.Self().Addr.Addr(); addr != netip.IPv6Loopback() {
		t.Errorf("advertises %s", addr)
	}
}

func TestFewGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	a := start(t, quick("a"))
	newStranger(t, a).ping()
	if n := runtime.NumGoroutine() - before; n > 4 {
		t.Errorf("%d goroutines for one agent", n)
	}
}

// BenchmarkReceivePing is the path of by far the most packets: a ping comes in
// and its ack goes out.
func BenchmarkReceivePing(b *testing.B) {
	a, err := prepare(b.Context(), quick("a"))
	if err != nil {
		b.Fatal(err)
	}
	sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	from := sink.LocalAddr().(*net.UDPAddr).AddrPort()
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	network := hearsay.NetworkIDOf(DefaultNetwork)
	ping := wire.AppendPacket(nil, network, &core.Packet{From: hearsay.NodeID{1}, Body: &core.Ping{Seq: 1}})
	now := time.Now()
	a.loop.carryOut(a.loop.node.Tick(now))
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(100 * time.Microsecond) // 10,000 a second: less than a source may send
		a.loop.receiveDatagram(now, ping, from)
	}
	a.run()
	a.Close()
}

// Of two processes on copies of one data directory one finds out that there is
// another, and stops. The other goes on, and the others have it where it is.
func TestTwinStops(t *testing.T) {
	t.Parallel()
	t.Run("open", func(t *testing.T) {
		t.Parallel()
		other := start(t, quick("other"))
		stopOneTwin(t, other, quick("twin", addrOf(other)), false)
	})
	t.Run("one advertised address", func(t *testing.T) {
		t.Parallel()
		other := start(t, quick("other"))
		stopOneTwin(t, other, quick("twin", addrOf(other)), true)
	})
	t.Run("with seeds", func(t *testing.T) {
		t.Parallel()
		n := newSeededNet(t, 1)
		n.start("other")
		stopOneTwin(t, n.peers[0], n.peer("twin"), false)
	})
}

// What a node tells of itself as troubles stands in its case, in the same words, and in no other member's.
func TestWhyOfItselfTellsTroubles(t *testing.T) {
	a := start(t, quick("a"))
	b := start(t, quick("b", addrOf(a)))
	await(t, a, "b", func() bool { return len(a.Members()) == 2 })
	if file, err := a.Why("a"); err != nil || strings.Contains(file.Summary, " But ") {
		t.Errorf("without troubles: %v, %q", err, file.Summary)
	}
	a.address.gone.Store(time.Now().Add(-time.Hour).UnixNano()) // its machine no longer has the address
	stats := a.Stats()
	troubles := stats.Troubles()
	if len(troubles) == 0 {
		t.Fatal("it tells no troubles")
	}
	begins, _, _ := strings.Cut(troubles[0], "3600")
	if file, err := a.Why("a"); err != nil || !strings.Contains(file.Summary, " But "+begins) {
		t.Errorf("%v, %q does not tell %q", err, file.Summary, troubles)
	}
	for teller, of := range map[*Agent]string{a: "b", b: "a"} {
		if file, err := teller.Why(of); err != nil || strings.Contains(file.Summary, begins) {
			t.Errorf("of %s: %v, %q", of, err, file.Summary)
		}
	}
}

// stopOneTwin starts two with one identity, the second perhaps with the address of
// the first as its own, as copies of a container do.
func stopOneTwin(t *testing.T, other *Agent, cfg Config, sameAddr bool) {
	t.Helper()
	is := func(a *Agent) func() bool {
		return func() bool {
			return slices.ContainsFunc(other.Members(), func(m hearsay.Member) bool {
				return m.Name == "twin" && m.Addr == a.Self().Addr && m.State == hearsay.StateAlive
			})
		}
	}
	cfg.Data = filepath.Join(t.TempDir(), "one")
	one := start(t, cfg)
	await(t, other, "the first", is(one))
	one.Close()
	copied := cfg
	copied.Data = filepath.Join(t.TempDir(), "two")
	copyData(t, cfg.Data, copied.Data)
	one = start(t, cfg)
	await(t, other, "the first again", is(one))
	if sameAddr {
		copied.Advertise = addrOf(one)
	}
	two := start(t, copied)
	stopped, stays := two, one
	select {
	case <-two.Done():
	case <-one.Done():
		stopped, stays = one, two
	case <-patient(t).Done():
		t.Fatal("both go on")
	}
	want := "another process runs with this identity at " + addrOf(stays)
	if err := stopped.Err(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("it stops with %v, want %s", err, want)
	}
	await(t, other, "the one that goes on", is(stays))
	if stays.Err() != nil {
		t.Errorf("the other stops, too: %v", stays.Err())
	}
}

// TestLostDataStopsTheAgent: a rumor that would be lost with the directory is not
// acknowledged, and the node does not go on.
func TestLostDataStopsTheAgent(t *testing.T) {
	cfg := quick("a")
	cfg.Data = filepath.Join(t.TempDir(), "data")
	a := start(t, cfg)
	if _, err := a.Broadcast(patient(t), []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(cfg.Data); err != nil {
		t.Fatal(err)
	}
	if id, err := a.Broadcast(patient(t), []byte("second")); err == nil {
		t.Errorf("a rumor is acknowledged as %v", id)
	}
	select {
	case <-a.Done():
	case <-patient(t).Done():
		t.Fatal("still runs")
	}
	if err := a.Err(); err == nil || !strings.Contains(err.Error(), "was removed") {
		t.Errorf("stopped by %v", err)
	}
}

// A peer whose data directory fails leaves, and is held dead by nobody; one whose directory was moved stops at once, as
// another process may use it.
func TestLostDataHasAPeerLeave(t *testing.T) {
	t.Parallel()
	for _, moved := range []bool{false, true} {
		a := start(t, quick("a"))
		cfg := quick("b", addrOf(a))
		cfg.Data = filepath.Join(t.TempDir(), "data")
		b := start(t, cfg)
		awaitStates(t, a, "a alive, b alive")
		if _, err := b.Broadcast(patient(t), []byte("first")); err != nil {
			t.Fatal(err)
		}
		await(t, b, "its incarnation is surely durable", func() bool { return time.Since(b.Started()) > 1500*time.Millisecond })
		lose := os.RemoveAll
		if moved {
			lose = func(dir string) error { return os.Rename(dir, dir+"-elsewhere") }
		}
		if err := lose(cfg.Data); err != nil {
			t.Fatal(err)
		}
		if id, err := b.Broadcast(patient(t), []byte("second")); err == nil {
			t.Errorf("a rumor is acknowledged as %v", id)
		}
		<-b.Done()
		if err := b.Err(); err == nil || !strings.Contains(err.Error(), cfg.Data) {
			t.Errorf("stopped by %v", err)
		}
		if moved {
			awaitStates(t, a, "a alive, b dead")
			continue
		}
		awaitStates(t, a, "a alive, b left")
		for _, r := range a.Rumors(10) {
			if string(r.Rumor.Data) == "second" {
				t.Error("what was not acknowledged is told")
			}
		}
	}
}

// TestSayWhileTheDiskStandsStill: what is said meanwhile is said once the disk goes on, and a caller that does not wait
// is told so. Once the node takes nothing more on, it refuses at once, also while the disk stands still.
func TestSayWhileTheDiskStandsStill(t *testing.T) {
	t.Parallel()
	cfg := quick("a")
	cfg.Data = t.TempDir()
	a, err := prepare(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	release, commit := make(chan struct{}), a.commits.commit
	a.commits.commit = func(b *store.Batch) error {
		<-release
		return commit(b)
	}
	a.run()
	t.Cleanup(func() { a.Close() })
	hasty, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := a.Broadcast(hasty, []byte("first")); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "may still be told") {
		t.Errorf("not durable: %v", err)
	}
	await(t, a, "the disk does not keep up", func() bool { return a.Stats().DiskBehind > 0 })
	if _, err := a.Broadcast(patient(t), []byte("second")); !errors.Is(err, hearsay.ErrDiskBehind) {
		t.Errorf("the disk does not keep up: %v", err)
	}
	close(release)
	await(t, a, "said", func() bool { return len(a.Rumors(10)) > 0 })
	if all := a.Rumors(10); len(all) != 1 || string(all[0].Rumor.Data) != "first" {
		t.Errorf("said: %v", all)
	}
}
