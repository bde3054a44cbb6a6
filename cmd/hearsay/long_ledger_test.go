package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hearsay"
	"hearsay/agent"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quorum"
	"hearsay/store"
	"hearsay/web"
	"hearsay/wire"
)

// longNetwork is the network of the ledgers below.
const longNetwork = "long"

// writeLedger writes the data directory of a lone seed that has ruled so often:
// peers come and go. It runs the seed's authority without a network, in time
// that does not pass.
func writeLedger(t *testing.T, dir string, addr netip.AddrPort, rulings int) {
	t.Helper()
	disk, err := store.Open(dir, longNetwork)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	network := hearsay.NetworkIDOf(longNetwork)
	cfg := quorum.DefaultConfig()
	cfg.Network, cfg.Seeds = network, []ledger.Seed{{Addr: addr}}
	// it rules more than is admitted in such a time
	cfg.Limits.Members, cfg.Limits.Admissions = hearsay.MaxLimit, hearsay.MaxLimit
	var stats hearsay.Stats
	out := &core.Effects{}
	now := time.Now().Add(-24 * time.Hour)
	q, err := quorum.New(cfg, hearsay.NewIdentity(disk.Identity()), rand.New(rand.NewPCG(1, 2)), quorum.Directory{}, nil, &stats, out, now)
	if err != nil {
		t.Fatal(err)
	}
	var batch store.Batch
	runs := func(what string, so func() bool) {
		t.Helper()
		for end := now.Add(time.Minute); !so(); {
			if !now.Before(end) {
				t.Fatalf("not within a minute: %s; epoch %d", what, q.Epoch())
			}
			now = q.Deadline()
			q.Tick(now)
			for len(out.Events) > 0 {
				events := out.Events
				out.Events = nil
				for _, e := range events {
					if e.Kind == hearsay.EventProbeWanted {
						q.Probed(now, quorum.Probe{Subject: e.Subject, Addr: e.Addr, Verdict: hearsay.VerdictReachable, Began: now})
					}
				}
			}
			batch.Add(out.Persist)
			*out = core.Effects{}
			if batch.Size() > 1<<20 {
				if err := disk.Commit(&batch); err != nil {
					t.Fatal(err)
				}
				batch.Reset()
			}
		}
	}
	runs("it founds", q.Ready)
	const peers = 100
	for round := 0; int(q.Epoch()) < rulings; round++ {
		from := q.Epoch()
		for n := range peers {
			c := hearsay.Claim{State: hearsay.StateAlive, Incarnation: hearsay.Incarnation(round + 1), Card: hearsay.Card{
				Name: fmt.Sprintf("peer-%d", n), Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 9, 9, byte(n)}), 6001), Role: hearsay.RolePeer,
			}}
			c.Sign(network, identity(byte(n)))
			q.Admit(now, &c)
		}
		runs("all are in", func() bool { return q.Epoch() == from+peers })
		for n := range peers {
			m, _ := q.Member(identity(byte(n)).Public().NodeID())
			l := core.Leave{Stay: m.Stay}
			l.Sign(q.Ledger(), identity(byte(n)))
			q.Leave(now, &l)
		}
		runs("all are out", func() bool { return q.Epoch() == from+2*peers })
	}
	runs("it is signed", func() bool { return q.Proven() == q.Epoch() })
	if err := disk.Commit(&batch); err != nil {
		t.Fatal(err)
	}
}

// A seed gives its ledger from the founding on, however long that is, and what
// is saved of it can be checked. It comes page by page; what is not in the
// seed's memory comes from its disk.
func TestLedgerFromTheFounding(t *testing.T) {
	rulings, tail := 4_000, core.MaxRulings
	if os.Getenv("HEARSAY_LARGE") != "" {
		rulings, tail = 20_000, quorum.DefaultConfig().Tail
	}
	dir, addr := t.TempDir(), netip.MustParseAddrPort("127.0.77.2:5001")
	began := time.Now()
	writeLedger(t, dir, addr, rulings)
	t.Logf("%d rulings written in %v", rulings, time.Since(began))

	cfg := agent.Config{Name: "s1", Network: longNetwork, Bind: addr.String(), Role: hearsay.RoleSeed, Seeds: []ledger.Seed{{Addr: addr}}, Data: dir}
	cfg.Quorum = quorum.DefaultConfig()
	cfg.Quorum.Tail = tail
	a, err := agent.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	var pages atomic.Int32
	handler := web.Handler(a, web.Info{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages.Add(1)
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()

	began = time.Now()
	saved := filepath.Join(t.TempDir(), "ledger.json")
	file, err := os.Create(saved)
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	if code := run([]string{"ledger", "--json", "--node", server.URL}, file, &stderr); code != 0 || pages.Load() != int32(rulings/1000) {
		t.Fatalf("code %d after %d pages: %s", code, pages.Load(), &stderr)
	}
	file.Close()
	t.Logf("saved in %v", time.Since(began))
	began = time.Now()
	var stdout bytes.Buffer
	code := run([]string{"ledger", "verify", saved}, &stdout, &stderr)
	if want := fmt.Sprintf("holds from epoch 1 to %d", rulings); code != 0 || !strings.Contains(stdout.String(), want) || !strings.Contains(stdout.String(), fmt.Sprintf("prove it up to epoch %d", rulings)) {
		t.Errorf("code %d, want %q: %s%s", code, want, &stdout, &stderr)
	}
	t.Logf("verified in %v", time.Since(began))
	stdout.Reset()
	if code := run([]string{"ledger", "--node", server.URL}, &stdout, &stderr); code != 0 || strings.Count(stdout.String(), "\n") != rulings+1 {
		t.Errorf("code %d, %d lines: %s", code, strings.Count(stdout.String(), "\n"), &stderr)
	}
}

// A stranger that asks for old rulings over and over has few of them read, and keeps no
// loop waiting.
func TestOldRulingsAreReadSeldomForOne(t *testing.T) {
	dir, addr := t.TempDir(), netip.MustParseAddrPort("127.0.77.3:5001")
	writeLedger(t, dir, addr, 2_000)
	cfg := agent.Config{Name: "s1", Network: longNetwork, Bind: addr.String(), Role: hearsay.RoleSeed, Seeds: []ledger.Seed{{Addr: addr}}, Data: dir}
	cfg.Quorum = quorum.DefaultConfig()
	cfg.Quorum.Tail = core.MaxRulings
	a, err := agent.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 78, 1)}}
	conn, err := dialer.DialContext(t.Context(), "tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	network := hearsay.NetworkIDOf(longNetwork)
	var answers atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		decoder := wire.NewDecoder(network)
		var buffer []byte
		for {
			var p core.Packet
			packet, err := wire.ReadFrame(conn, buffer)
			if err != nil {
				return
			}
			buffer = packet
			if _, ok := decoder.Decode(packet, &p); !ok {
				continue
			}
			if m, is := p.Body.(*core.Rulings); is && len(m.Items) > 0 && m.Items[len(m.Items)-1].Epoch == 999 {
				answers.Add(1)
			}
		}
	}()
	const lasts = 2 * time.Second
	question := wire.AppendFrame(nil, network, &core.Packet{From: identity(1).Public().NodeID(), Stream: true, Body: &core.LedgerReq{Before: 1000}})
	var before, after syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	asked, slowest, began := 0, time.Duration(0), time.Now()
	paced := time.NewTicker(4 * time.Millisecond) // a stream that brings over 500 frames a second is ended
	defer paced.Stop()
	for end := began.Add(lasts); time.Now().Before(end); asked++ {
		<-paced.C
		if _, err := conn.Write(question); err != nil {
			t.Error(err)
			break
		}
		called := time.Now()
		a.Self()
		slowest = max(slowest, time.Since(called))
	}
	took := time.Since(began)
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	conn.Close()
	<-done
	busy := time.Duration(after.Utime.Nano() - before.Utime.Nano() + after.Stime.Nano() - before.Stime.Nano())
	t.Logf("%d questions in %v: %d answers, %v of the processor, slowest call %v", asked, took, answers.Load(), busy, slowest)
	if n := answers.Load(); n == 0 || n > int32(took/(200*time.Millisecond))+2 {
		t.Errorf("%d answers in %v, want five a second", n, took)
	}
}
