package agent

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/guest"
	"hearsay/ledger"
)

// oldSeed is an earlier program's seed that answers as a test says.
type oldSeed struct {
	addr   netip.AddrPort
	wait   sync.WaitGroup
	mu     sync.Mutex
	says   map[string]string // by type of request: type and payload of the reply
	asked  map[string]int
	frames int // connections that were none of its protocol, and not the question
}

// newOldSeed listens at a port of its own. It registers whatever asks, and lists this.
func newOldSeed(t *testing.T, list ...string) *oldSeed {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.9:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &oldSeed{addr: listener.Addr().(*net.TCPAddr).AddrPort(), asked: make(map[string]int), says: map[string]string{
		"REGISTER_REQ":  `"type":"REGISTER_COMMIT","payload":{"success":true,"quorum":1}`,
		"PEER_LIST_REQ": listing(list...),
		"DEAD_REPORT":   `"type":"SEED_DEAD_COMMIT","payload":{"success":true,"yes_votes":1,"quorum":1}`,
	}}
	s.wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.wait.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() { listener.Close(); s.wait.Wait() })
	return s
}

func listing(list ...string) string {
	return `"type":"PEER_LIST_RESP","payload":{"peers":["` + strings.Join(list, `","`) + `"],"seed":"127.0.0.9:1"}`
}

func (s *oldSeed) serve(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	line, _ := bufio.NewReader(conn).ReadString('\n')
	_, rest, _ := strings.Cut(line, `"type":"`)
	kind, _, _ := strings.Cut(rest, `"`)
	s.mu.Lock()
	reply := s.says[kind]
	s.asked[kind]++
	if line != dialect.Question && reply == "" {
		s.frames++
	}
	s.mu.Unlock()
	if reply == "" {
		reply = `"type":"REGISTER_COMMIT","payload":{"success":false,"error":"bad JSON"}`
	}
	fmt.Fprintln(conn, "{"+reply+`,"ts":1.5}`)
}

func (s *oldSeed) count(kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[kind]
}

func (s *oldSeed) say(kind, reply string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.says[kind] = reply
}

// quickAbroad is the configuration of a peer that has such seeds.
func quickAbroad(name string, seeds ...*oldSeed) Config {
	cfg := quick(name)
	for _, s := range seeds {
		cfg.Seeds = append(cfg.Seeds, ledger.Seed{Addr: s.addr})
	}
	return cfg
}

// TestAbroad: a peer at an earlier program's seeds says what they are, and what their lists say.
func TestAbroad(t *testing.T) {
	t.Parallel()
	p := newOldPeer(t)
	seeds := []*oldSeed{newOldSeed(t), newOldSeed(t), newOldSeed(t)}
	a := start(t, quickAbroad("a", seeds...))
	list := listing(a.Self().Addr.String(), p.addr.String())
	await(t, a, "what is wrong", func() bool {
		authority := a.Authority()
		return authority.Foreign == "p1" && !authority.Ready && strings.Contains(authority.Why, "0 of the 3 seeds") && strings.Contains(authority.Why, "its list has it not") && !a.Joined()
	})
	for _, s := range seeds {
		s.say("PEER_LIST_REQ", list)
	}
	await(t, a, "a quorum", func() bool { return a.Authority().Ready && a.Authority().Why == "" && a.Joined() })
	await(t, a, "the guest", func() bool { return len(a.Members()) == 2 })
	if m := a.Members()[0]; m.Addr != p.addr || m.Dialect != "p1" || m.State != hearsay.StateAlive {
		t.Errorf("the guest is listed as %+v", m)
	}
	if stats := a.Stats(); stats.Alive != 2 {
		t.Errorf("%d are alive", stats.Alive)
	}
	for name, want := range map[string]string{p.addr.String(): "is a guest", "a": " of 3 list it"} {
		if file, err := a.Why(name); err != nil || !strings.Contains(file.Summary, want) || len(file.Steps) < 3 {
			t.Errorf("why %s: %+v, %v", name, file, err)
		}
	}
	p.hangs.Store(true)
	await(t, a, "a suspicion", func() bool { return a.Members()[0].State == hearsay.StateSuspect })
	await(t, a, "reports", func() bool {
		return seeds[0].count("DEAD_REPORT") > 0 && seeds[1].count("DEAD_REPORT") > 0 && seeds[2].count("DEAD_REPORT") > 0
	})
	if file, err := a.Why(p.addr.String()); err != nil || !strings.Contains(file.Summary, "has not answered this node since") {
		t.Errorf("why a silent guest: %+v, %v", file, err)
	}
	for _, s := range seeds {
		s.say("PEER_LIST_REQ", listing(a.Self().Addr.String()))
	}
	await(t, a, "its end", func() bool { return len(a.Members()) == 1 })
	for _, s := range seeds {
		s.mu.Lock()
		if s.frames > 0 {
			t.Errorf("a seed got %d messages that make no sense", s.frames)
		}
		s.mu.Unlock()
	}
}

// TestAbroadIsBounded: a seed that lies lists as many as it likes, and garbage; a report of a few goes out, and not one
// of each.
func TestAbroadIsBounded(t *testing.T) {
	t.Parallel()
	s := newOldSeed(t)
	a := start(t, quickAbroad("a", s))
	self := a.Self().Addr.String()
	list := []string{self, self, "nobody", "127.0.0.9:99999", "0.0.0.0:1"}
	for i := range 2 * dialect.PeersMost {
		list = append(list, fmt.Sprintf("127.1.%d.%d:1", i/250, 1+i%250))
	}
	s.say("PEER_LIST_REQ", listing(list...))
	await(t, a, "the list", func() bool { return a.Joined() })
	await(t, a, "a report", func() bool { return s.count("DEAD_REPORT") > 0 })
	if n := len(a.Members()); n > dialect.PeersMost {
		t.Errorf("%d members", n)
	}
	if note := a.Authority().Seeds[0].Note; !strings.Contains(note, "entries of its list are no addresses, or too many") {
		t.Errorf("of the garbage: %s", note)
	}
	since := time.Since(a.Started())
	if n := s.count("DEAD_REPORT"); float64(n) > 2+since.Seconds()*guest.ReportsPerSecond {
		t.Errorf("%d reports in %v", n, since)
	}
}

// TestAbroadSparesBystanders: a seed that lies has nobody connect to an address again and again. No list of members has
// what never answered, and honest guests are looked at as before.
func TestAbroadSparesBystanders(t *testing.T) {
	t.Parallel()
	const ports, paced, burst = 60, 20, 8
	began := time.Now()
	p := newOldPeer(t)
	seeds := []*oldSeed{newOldSeed(t), newOldSeed(t), newOldSeed(t)}
	a := start(t, quickAbroad("a", seeds...))
	honest := []string{a.Self().Addr.String(), p.addr.String()}
	lies := slices.Clone(honest)
	var connected atomic.Int64
	for range ports {
		listener, err := net.Listen("tcp", "127.0.0.8:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		go func() {
			for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
				connected.Add(1)
				conn.Close()
			}
		}()
		lies = append(lies, listener.Addr().String())
	}
	seeds[0].say("PEER_LIST_REQ", listing(lies...))
	for _, s := range seeds[1:] {
		s.say("PEER_LIST_REQ", listing(honest...))
	}
	await(t, a, "connections to the bystander", func() bool { return connected.Load() >= paced })
	if n, most := connected.Load(), burst+4*(time.Since(began).Seconds()+1); float64(n) > most {
		t.Errorf("%d connections in %v, want at most %f", n, time.Since(began), most)
	}
	p.hangs.Store(true)
	await(t, a, "a report of the honest guest", func() bool { return seeds[1].count("DEAD_REPORT") > 0 })
	if all := a.Members(); len(all) != 2 {
		t.Errorf("%d members, want this node and the guest: %v", len(all), all)
	}
	if note := a.Authority().Seeds[0].Note; !strings.Contains(note, fmt.Sprintf("lists %d peers, of which %d have not answered", ports+2, ports)) {
		t.Errorf("of the lies: %s", note)
	}
}

// TestNotAbroadAtPortsThatClose: a port that accepts and closes may be one whose program is down, and is no seed of
// text.
func TestNotAbroadAtPortsThatClose(t *testing.T) {
	t.Parallel()
	cfg := quick("a")
	for range 3 {
		listener, err := net.Listen("tcp", "127.0.0.9:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		go func() {
			for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
				conn.Close()
			}
		}()
		cfg.Seeds = append(cfg.Seeds, ledger.Seed{Addr: listener.Addr().(*net.TCPAddr).AddrPort()})
	}
	a := start(t, cfg)
	await(t, a, "what is wrong", func() bool {
		for _, s := range a.Authority().Seeds {
			if !strings.Contains(s.Note, "has not registered this node") {
				return false
			}
		}
		return true
	})
	if authority := a.Authority(); authority.Foreign != "" || !authority.Seeded {
		t.Errorf("it has turned: %+v", authority)
	}
}

// A peer that knows one of its seeds waits for them.
func TestNotAbroadWithKeys(t *testing.T) {
	t.Parallel()
	s := newOldSeed(t)
	cfg := quickAbroad("a", s, newOldSeed(t), newOldSeed(t))
	cfg.Seeds[0].Key = hearsay.PublicKey{1}
	a := start(t, cfg)
	await(t, a, "the question", func() bool { return s.count("") > 0 })
	await(t, a, "an answer", func() bool { return strings.Contains(a.Authority().Why, "an earlier program's lines") })
	if a.Authority().Foreign != "" || s.count("REGISTER_REQ") > 0 {
		t.Error("it has registered")
	}
}
