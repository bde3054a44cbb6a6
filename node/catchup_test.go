package node

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/kv"
	"hearsay/quota"
	"hearsay/spread"
)

// A node that came in says how far its store is, and once that it holds what another holds.
func TestCatchUp(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now, from := began, hearsay.NodeID{2}
	other, _ := kv.New(kv.DefaultConfig(kv.NewOrigin(from, clock.Origin{}, [4]byte{2})), kv.Saved{})
	for range 5 {
		if _, _, err := other.Put(now, kv.Write{Key: "k", Value: []byte("v")}); err != nil {
			t.Fatal(err)
		}
	}
	out, stats := new(core.Effects), new(hearsay.Stats)
	directory := spread.Directory{
		Addr:   func(hearsay.NodeID) (addr netip.AddrPort, living bool) { return addr, true },
		Next:   func(hearsay.NodeID) []hearsay.NodeID { return nil },
		Sender: func(*core.Packet) quota.Sender { return quota.Sender{Class: quota.Member} },
	}
	g := &Gossip{store: spread.New(spread.DefaultConfig(), hearsay.NodeID{1}, directory, nil, stats, out, now), stats: stats, out: out}
	figures := func(catchesUp bool, lacks uint64, told int) {
		t.Helper()
		g.lookCaughtUp(now)
		s := hearsay.Stats{At: now}
		g.measureStore(&s)
		if (s.StoreCatchUp > 0) != catchesUp || s.StoreLacks != lacks || len(out.Events) != told {
			t.Errorf("catches up for %v s, lacks %d, %d events; want %v, %d, %d", s.StoreCatchUp, s.StoreLacks, len(out.Events), catchesUp, lacks, told)
		}
	}
	hears := func(m *core.Sync) {
		p := &core.Packet{From: from, Stream: true, Body: m}
		if g.store.Sync(now, p, m) {
			g.compared(now, p, m)
		}
	}

	// Nobody compares: nobody holds more.
	g.catchUp.begin(now)
	figures(true, 0, 0)
	now = now.Add(catchUpQuiet)
	figures(false, 0, 0)
	hears(other.Ask())
	figures(false, 0, 0)

	began = now
	g.catchUp.begin(now)
	hears(other.Ask())
	now = now.Add(catchUpLost - time.Second)
	figures(true, 5, 0)
	hears(other.Sync(now, &core.Sync{Asks: true}, 1<<20).Reply)
	figures(true, 0, 0)
	now = now.Add(catchUpEnds)
	figures(false, 0, 1)
	if e := out.Events[0]; e.Kind != hearsay.EventStoreCaughtUp || e.By != from || e.Count != 1 || e.Took != now.Sub(began) {
		t.Errorf("told %+v", e)
	}
	hears(other.Ask())
	now = now.Add(catchUpEnds)
	figures(false, 0, 1)

	// A ping of one that holds the same tells so at once.
	g.catchUp.begin(now)
	g.pinged(now, from, other.Hash().Low+1)
	figures(true, 0, 1)
	g.pinged(now, from, other.Hash().Low)
	figures(false, 0, 2)

	// Who says that something lacks, and then nothing more, is not waited for.
	g.catchUp.begin(now)
	lie := other.Ask()
	lie.Clock[0].Seen = []clock.Range{{Low: 1, High: 1 << 40}}
	hears(lie)
	now = now.Add(catchUpLost)
	figures(false, 0, 2)
}
