package store_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quorum"
	"hearsay/store"
	"hearsay/wire"
)

// Three seeds on real disks, with real signatures, and packets as bytes. All of
// it but the commits is one goroutine, so what it takes of the processor is
// what the three take together.

type seed struct {
	slot    int
	q       *quorum.Quorum
	disk    *store.Disk
	out     *core.Effects
	stats   hearsay.Stats
	decoder *wire.Decoder
	addr    netip.AddrPort
	inbox   []arrived
	probes  []quorum.Probe
	failed  error
	sent    int // bytes
}

type arrived struct {
	from  netip.AddrPort
	bytes []byte
}

type seeds struct {
	testing.TB
	network hearsay.NetworkID
	all     []*seed
	addrs   map[netip.AddrPort]*seed
	commits int
}

func startSeeds(tb testing.TB, n int) *seeds {
	s := &seeds{TB: tb, network: hearsay.NetworkIDOf("bench"), addrs: make(map[netip.AddrPort]*seed)}
	cfg := quorum.DefaultConfig()
	cfg.Network = s.network
	for slot := range n {
		cfg.Seeds = append(cfg.Seeds, ledger.Seed{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(slot + 1)}), 5000)})
	}
	for slot := range n {
		disk, err := store.Open(tb.TempDir(), "bench")
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { disk.Close() })
		one := &seed{slot: slot, addr: cfg.Seeds[slot].Addr, disk: disk, out: &core.Effects{}, decoder: wire.NewDecoder(s.network)}
		cfg.Slot = slot
		random := rand.New(rand.NewPCG(uint64(slot), 1))
		one.q, err = quorum.New(cfg, hearsay.NewIdentity(disk.Identity()), random, quorum.Directory{}, nil, &one.stats, one.out, time.Now())
		if err != nil {
			tb.Fatal(err)
		}
		s.all, s.addrs[cfg.Seeds[slot].Addr] = append(s.all, one), one
	}
	return s
}

// turn lets each seed take what has come in and what time brings, and carries
// out what comes of it: one commit for all of it, on each disk by itself.
func (s *seeds) turn() {
	var syncs sync.WaitGroup
	for _, one := range s.all {
		s.step(one)
		if len(one.out.Persist) > 0 {
			s.commits++
			syncs.Go(func() { one.failed = one.disk.Persist(one.out.Persist) })
		}
	}
	syncs.Wait()
	for _, one := range s.all {
		if one.failed != nil {
			s.Fatal(one.failed)
		}
		s.carryOut(one)
	}
}

func (s *seeds) step(one *seed) {
	now := time.Now()
	inbox, probes := one.inbox, one.probes
	one.inbox, one.probes = nil, nil
	for _, b := range inbox {
		var p core.Packet
		if drop, ok := one.decoder.Decode(b.bytes, &p); !ok {
			s.Fatal(drop)
		}
		p.Addr, p.Stream = b.from, true
		one.q.Receive(now, &p)
	}
	for _, p := range probes {
		one.q.Probed(now, p)
	}
	if !one.q.Deadline().After(now) {
		one.q.Tick(now)
	}
}

func (s *seeds) carryOut(one *seed) {
	for i := range one.out.Send {
		p := &one.out.Send[i]
		if to := s.addrs[p.Addr]; to != nil {
			b := wire.AppendPacket(nil, s.network, p)
			if len(b) > core.MaxStreamPacket {
				s.Fatalf("%d bytes of %T", len(b), p.Body)
			}
			one.sent += len(b)
			to.inbox = append(to.inbox, arrived{one.addr, b})
		}
	}
	for _, e := range one.out.Events {
		if e.Kind == hearsay.EventProbeWanted {
			one.probes = append(one.probes, quorum.Probe{Subject: e.Subject, Addr: e.Addr, Verdict: hearsay.VerdictReachable, Began: e.At})
		}
	}
	*one.out = core.Effects{}
}

func (s *seeds) until(patience time.Duration, what string, done func() bool) {
	s.Helper()
	for end := time.Now().Add(patience); !done(); s.turn() {
		if time.Now().After(end) {
			s.Fatalf("after %v: %s: not so; epochs %d %d", patience, what, s.all[0].q.Epoch(), s.all[1].q.Epoch())
		}
	}
}

func (s *seeds) ready() bool {
	for _, one := range s.all {
		if !one.q.Seated() || !one.q.Ready() {
			return false
		}
	}
	return true
}

func (s *seeds) epoch(n hearsay.Epoch) func() bool {
	return func() bool {
		for _, one := range s.all {
			if one.q.Epoch() < n {
				return false
			}
		}
		return true
	}
}

func newcomer(network hearsay.NetworkID, n int) *hearsay.Claim {
	var secret [32]byte
	binary.BigEndian.PutUint64(secret[:], uint64(n)+1)
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(1 + n>>16), byte(n >> 8), byte(n)}), 6000)
	c := &hearsay.Claim{State: hearsay.StateAlive, Incarnation: 1000, Card: hearsay.Card{Name: fmt.Sprintf("peer-%05d", n), Addr: addr, Role: hearsay.RolePeer}}
	c.Sign(network, hearsay.NewIdentity(secret))
	return c
}

// admit has many ask at once, as many at a time as have room, and waits until
// all are in.
func (s *seeds) admit(from, n int) {
	claims := make([]*hearsay.Claim, n)
	for i := range claims {
		claims[i] = newcomer(s.network, from+i)
	}
	if b, ok := s.TB.(*testing.B); ok {
		b.ResetTimer()
	}
	const atOnce = 500
	for at := 0; at < n; at += atOnce {
		batch := claims[at:min(at+atOnce, n)]
		for i, c := range batch {
			if answer := s.all[i%len(s.all)].q.Admit(time.Now(), c); answer.Code != hearsay.OutcomePending {
				s.Fatalf("%+v", answer)
			}
		}
		s.until(time.Minute, "all are in", s.epoch(hearsay.Epoch(from+at+len(batch))))
	}
}

// BenchmarkAdmissions admits peers by three seeds, each on a disk that syncs.
func BenchmarkAdmissions(b *testing.B) {
	s := startSeeds(b, 3)
	s.until(time.Minute, "founded", s.ready)
	began, commits := time.Now(), s.commits
	s.admit(0, b.N)
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "peers/s")
	b.ReportMetric(float64(s.commits-commits)/float64(b.N), "commits/peer")
	sent := 0
	for _, one := range s.all {
		sent += one.sent
	}
	b.ReportMetric(float64(sent)/float64(b.N), "wire-B/peer")
}

// BenchmarkMember tells how much memory a seed takes for each member.
func BenchmarkMember(b *testing.B) {
	s := startSeeds(b, 1)
	s.until(time.Minute, "founded", s.ready)
	before := heap()
	s.admit(0, b.N)
	b.ReportMetric(float64(heap()-before)/float64(b.N), "heap-B/member")
	b.ReportMetric(float64(heap())/1e6, "heap-MB")
	runtime.KeepAlive(s)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What a seed has kept on disk is what it goes on from, and nothing is
// decided twice.
func TestSeedOnDisk(t *testing.T) {
	s := startSeeds(t, 1)
	s.until(time.Minute, "founded", s.ready)
	s.admit(0, 20)
	one := s.all[0]
	head := one.q.Head()
	records, err := one.disk.Load()
	if err != nil {
		t.Fatal(err)
	}
	cfg := quorum.DefaultConfig()
	cfg.Network = s.network
	cfg.Seeds = []ledger.Seed{{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), 5000)}}
	again, err := quorum.New(cfg, hearsay.NewIdentity(one.disk.Identity()), rand.New(rand.NewPCG(1, 1)), quorum.Directory{}, records, &one.stats, one.out, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if again.Epoch() != 20 || again.Head() != head || len(again.Rulings(0, 30)) != 20 || !again.Seated() {
		t.Errorf("after a restart: epoch %d, %d rulings", again.Epoch(), len(again.Rulings(0, 30)))
	}
}
