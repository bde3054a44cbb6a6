package abuse

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/agent"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quorum"
	"hearsay/store"
	"hearsay/test/process"
	"hearsay/wire"
)

const (
	manyPeers      = 10_000
	manyAdmissions = manyPeers/hearsay.MembersMost + 1 // a minute: the fewest that go with so many
	atOnce         = 250                               // that ask to be in at a time
	manyMemory     = 100_000_000                       // bytes, in the middle of all looks
	// at any: a collection that this machine lets run late leaves more behind
	mostMemory = 110_000_000
	watched    = 30 * time.Second
)

// TestSeedOfManyPeers lets a seed's own code admit ten thousand peers into a
// data directory, and then starts a real seed on it. The peers answer its
// probes: all of them are one socket.
func TestSeedOfManyPeers(t *testing.T) {
	if os.Getenv(variable) == "" {
		t.Skipf("takes a minute; set %s, or make abuse", variable)
	}
	peersPort := answerer(t)
	dir := t.TempDir()
	kept := freePort(t)
	own := kept.Addr().(*net.TCPAddr).AddrPort()
	data := filepath.Join(dir, "seed")
	took := fill(t, data, own, peersPort)
	t.Logf("%d peers admitted in %v, one after %v the other", manyPeers, took.Round(time.Millisecond), (took / manyPeers).Round(time.Microsecond))
	config := filepath.Join(dir, "config.txt")
	if err := os.WriteFile(config, fmt.Appendf(nil, "%s,%d\n", own.Addr(), own.Port()), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := filepath.Join(dir, "settings.toml")
	if err := os.WriteFile(settings, fmt.Appendf(nil, "limits.members = %d\nlimits.admissions = %d\n", manyPeers, manyAdmissions), 0o600); err != nil {
		t.Fatal(err)
	}
	kept.Close()
	seed := process.Run(t, data+".log", process.Binary(t), "seed", "--json", "--ip", own.Addr().String(), "--port", fmt.Sprint(own.Port()),
		"--config", config, "--settings", settings, "--data", data, "--http", "0")
	w := &network{t: t}
	w.client.Timeout = requestTimeout
	n := seed.Said
	w.until("answering", removedWithin, func() bool { return w.get(n, "/v1/stats", &hearsay.Stats{}) })
	var looks []int
	for began := time.Now(); time.Since(began) < watched; process.Pause(time.Second) {
		looks = append(looks, w.memory(n))
	}
	slices.Sort(looks)
	middle, most := looks[len(looks)/2], looks[len(looks)-1]
	settled := w.memory(n)
	a := w.ask(n, "PEER_LIST_REQ", map[string]any{"requester": "127.0.0.1:1"})
	if peers, _ := a.Payload["peers"].([]any); len(peers) != manyPeers {
		t.Errorf("it lists %d peers", len(peers))
	}
	if listed, epoch := w.members(n); epoch != manyPeers || len(listed) != manyPeers+1 {
		t.Errorf("it has %d members at epoch %d", len(listed), epoch)
	}
	s := w.stats(n)
	t.Logf("resident in %v %.1f MB in the middle, at most %.1f MB, then %.1f MB, and after it has listed them as a line and as a page %.1f MB; %d alive, %d suspect, %d probes of which %d failed",
		watched, float64(middle)/1e6, float64(most)/1e6, float64(settled)/1e6, float64(w.memory(n))/1e6, s.Alive, s.Suspect, s.Probes, s.ProbeFails)
	if middle > manyMemory || most > mostMemory {
		t.Errorf("a seed with %d peers holds %d bytes, and once %d; want at most %d and %d", manyPeers, middle, most, manyMemory, mostMemory)
	}
	if s.Alive != manyPeers+1 {
		t.Errorf("%d are alive", s.Alive)
	}
}

// answerer is all the peers: it answers every ping in the name of the member that it is
// meant for, at every address of this machine, and gives the port.
func answerer(t *testing.T) uint16 {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4zero})
	if err != nil {
		t.Fatal(err)
	}
	peers := make(map[[core.PingTarget]byte]hearsay.NodeID) // by what a ping has of its target
	for n := range manyPeers {
		id := many(n, 0).Subject
		peers[[core.PingTarget]byte(id[:])] = id
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	go func() {
		defer close(done)
		decoder := wire.NewDecoder(networkID)
		var room [1 << 16]byte
		for {
			size, from, err := conn.ReadFromUDPAddrPort(room[:])
			if err != nil {
				return
			}
			var p core.Packet
			if _, ok := decoder.Decode(room[:size], &p); !ok {
				continue
			}
			if ping, ok := p.Body.(*core.Ping); ok {
				ack := core.Packet{From: peers[[core.PingTarget]byte(ping.Target[:])], Body: &core.Ack{Seq: ping.Seq}}
				conn.WriteToUDPAddrPort(wire.AppendPacket(nil, networkID, &ack), from)
			}
		}
	}()
	return uint16(conn.LocalAddr().(*net.UDPAddr).Port)
}

// freePort listens, so that nobody else takes the port until it is closed.
func freePort(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", netip.AddrPortFrom(home, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

// fill has one seed admit all peers, on its disk.
func fill(t *testing.T, data string, own netip.AddrPort, port uint16) time.Duration {
	t.Helper()
	disk, err := store.Open(data, agent.DefaultNetwork)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	cfg := quorum.DefaultConfig()
	cfg.Network, cfg.Seeds = networkID, []ledger.Seed{{Addr: own}}
	cfg.Limits.Members, cfg.Limits.Admissions = manyPeers, manyAdmissions
	var (
		out   core.Effects
		stats hearsay.Stats
	)
	q, err := quorum.New(cfg, hearsay.NewIdentity(disk.Identity()), rand.New(rand.NewPCG(1, 1)), quorum.Directory{}, nil, &stats, &out, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	began, admitted := time.Now(), 0
	for q.Epoch() < manyPeers {
		if q.Seated() && q.Ready() && int(q.Epoch()) == admitted {
			for range atOnce {
				if a := q.Admit(time.Now(), many(admitted, port)); a.Code != hearsay.OutcomePending {
					t.Fatalf("%+v", a)
				}
				admitted++
			}
		}
		if err := disk.Persist(out.Persist); err != nil {
			t.Fatal(err)
		}
		events := out.Events
		out = core.Effects{}
		for _, e := range events {
			if e.Kind == hearsay.EventProbeWanted {
				q.Probed(time.Now(), quorum.Probe{Subject: e.Subject, Addr: e.Addr, Verdict: hearsay.VerdictReachable, Began: e.At})
			}
		}
		if now := time.Now(); !q.Deadline().After(now) {
			q.Tick(now)
		}
		if time.Since(began) > 3*time.Minute {
			t.Fatalf("only %d of %d are in", q.Epoch(), manyPeers)
		}
	}
	if err := disk.Persist(out.Persist); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

// many is the claim of one of the peers, at an address of its own.
func many(n int, port uint16) *hearsay.Claim {
	var secret [ed25519.SeedSize]byte
	binary.BigEndian.PutUint64(secret[:], uint64(n)+1)
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(n >> 8), byte(n)}), port)
	c := &hearsay.Claim{
		State: hearsay.StateAlive, Incarnation: core.NextIncarnation(0, time.Now()),
		Card: hearsay.Card{Name: fmt.Sprintf("peer-%05d", n), Addr: addr, Role: hearsay.RolePeer},
	}
	c.Sign(networkID, hearsay.NewIdentity(secret))
	return c
}
