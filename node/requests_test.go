package node

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// One source asks a seed no more than it may, and is told so; another is heard, and so is the driver, which asks
// for its own callers.
func TestAsksAreBounded(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	n := crowded(t, 3, now)
	ask := func(from netip.AddrPort) (told *hearsay.Outcome, limited bool) {
		before := n.stats.Drops[hearsay.DropRate]
		out := n.Receive(now, &core.Packet{From: hearsay.NodeID{9}, Addr: from, Stream: true, Body: &core.Depart{Leave: core.Leave{Stay: hearsay.Stay{ID: hearsay.NodeID{9}}}}})
		for i := range out.Send {
			if m, is := out.Send[i].Body.(*core.Outcome); is && out.Send[i].Addr == from && out.Send[i].Stream {
				told = &m.Outcome
			}
		}
		return told, n.stats.Drops[hearsay.DropRate] > before
	}
	source := func(host, port int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(host)}), uint16(port))
	}
	const asks = 4 * asksPerSource
	refused := 0
	for i := range asks {
		told, limited := ask(source(1, 1+i))
		if told == nil || told.Kind != hearsay.RulingLeave || limited && told.Code != hearsay.OutcomeWait {
			t.Fatalf("told %+v", told)
		}
		if limited {
			refused++
		}
	}
	// as much again before anybody is told apart
	if may := 2 * asksPerSource; refused < asks-may || refused > asks-asksPerSource {
		t.Errorf("%d of %d were refused", refused, asks)
	}
	heard := 0
	for host := 2; host < 6; host++ { // some may share its slot
		if _, limited := ask(source(host, 1)); !limited {
			heard++
		}
	}
	if heard < 3 {
		t.Errorf("%d of 4 others are heard", heard)
	}
	caller := netip.AddrPortFrom(netip.IPv6Unspecified(), 1)
	n.DiskWaits(waitsMost+1, now)
	if told := answerOf(t, n.Ask(now, caller, hearsay.Stay{ID: hearsay.NodeID{9}}, AskedByGuest), caller); told.Code != hearsay.OutcomeWait || told.Text != "the disk of this seed does not keep up" {
		t.Errorf("told %+v while its disk is behind", told)
	}
	n.DiskWaits(0, now)
	if told := answerOf(t, n.Ask(now, caller, hearsay.Stay{ID: hearsay.NodeID{9}}, AskedByGuest), caller); told.Text == "the disk of this seed does not keep up" {
		t.Errorf("told %+v once its disk keeps up", told)
	}
}

// answerOf gives the outcome that goes to an address.
func answerOf(t *testing.T, out *core.Effects, to netip.AddrPort) *hearsay.Outcome {
	t.Helper()
	for i := range out.Send {
		if m, is := out.Send[i].Body.(*core.Outcome); is && out.Send[i].Addr == to {
			return &m.Outcome
		}
	}
	t.Fatal("no answer")
	return nil
}

// What is asked by datagram, or of a peer, is dropped: anybody could forge where it came from.
func TestAsksComeByStream(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	n := crowded(t, 3, now)
	for _, body := range []core.Message{&core.Register{}, &core.Report{}, &core.Depart{}} {
		before := n.stats.Drops[hearsay.DropUnexpected]
		out := n.Receive(now, &core.Packet{From: hearsay.NodeID{9}, Addr: crowdAddr(9), Body: body})
		if n.stats.Drops[hearsay.DropUnexpected] != before+1 || len(out.Send) > 0 {
			t.Errorf("%T: sends %d packets, and counts %d", body, len(out.Send), n.stats.Drops[hearsay.DropUnexpected]-before)
		}
	}
}
