package node

import (
	"errors"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// What a node takes on while too much waits for its disk, and that it takes on all again after.
func TestDiskBehind(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	n := crowded(t, 3, now)
	dropped := func(body core.Message) bool {
		before := n.stats.Drops[hearsay.DropQueueFull]
		n.Receive(now, &core.Packet{From: hearsay.NodeID{9}, Addr: crowdAddr(9), Stream: true, Body: body})
		return n.stats.Drops[hearsay.DropQueueFull] > before
	}
	for _, c := range []struct {
		waits  int
		since  time.Duration
		behind bool
	}{{waitsMost, waitsLong, false}, {waitsMost + 1, 0, true}, {0, 0, false}, {1, waitsLong + 1, true}, {1, 0, false}} {
		waits, behind := c.waits, c.behind
		n.DiskWaits(waits, now.Add(-c.since))
		for _, body := range []core.Message{&core.Register{}, &core.Report{}, &core.Depart{}, &core.Raft{}} {
			if got := dropped(body); got != behind {
				t.Errorf("%d bytes wait: %T is dropped: %t", waits, body, got)
			}
		}
		for _, body := range []core.Message{&core.Update{}, &core.Sync{}, &core.Rumors{}} {
			if got := dropped(body); got != (waits > waitsMost) {
				t.Errorf("%d bytes wait: %T is dropped: %t", waits, body, got)
			}
		}
		for _, body := range []core.Message{&core.Ping{Seq: 1, Target: n.id}, &core.LedgerReq{}, &core.SeatHello{}} {
			if dropped(body) {
				t.Errorf("%d bytes wait: %T is dropped", waits, body)
			}
		}
		if _, _, err := n.Say(now, hearsay.NodeID{}, []byte("tea")); errors.Is(err, hearsay.ErrDiskBehind) != behind {
			t.Errorf("%d bytes wait: say: %v", waits, err)
		}
	}
}
