package detect_test

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
)

// An examination that no datagram has answered pings once by stream, where its subject is listed or asks to
// be in: it may get no datagrams. Nothing goes so to an address that was only named, nor where an answer came.
func TestExaminationsPingByStream(t *testing.T) {
	const members, asker = 5, 9
	for name, c := range map[string]struct {
		subject, at int
		examine     func(w *world) func(time.Time, hearsay.NodeID, netip.AddrPort, hearsay.Round)
		answers     bool // datagrams
		want        int  // pings by stream
	}{
		"a member, for a ballot":       {3, 3, func(w *world) func(time.Time, hearsay.NodeID, netip.AddrPort, hearsay.Round) { return w.Probe }, false, 1},
		"a member, for a round":        {3, 3, func(w *world) func(time.Time, hearsay.NodeID, netip.AddrPort, hearsay.Round) { return w.Examine }, false, 1},
		"one that asks":                {asker, asker, func(w *world) func(time.Time, hearsay.NodeID, netip.AddrPort, hearsay.Round) { return w.ProbeAsker }, false, 1},
		"a member that answers":        {3, 3, func(w *world) func(time.Time, hearsay.NodeID, netip.AddrPort, hearsay.Round) { return w.Probe }, true, 0},
		"one that asks, and answers":   {asker, asker, func(w *world) func(time.Time, hearsay.NodeID, netip.AddrPort, hearsay.Round) { return w.ProbeAsker }, true, 0},
		"a member, said to be there":   {3, asker, func(w *world) func(time.Time, hearsay.NodeID, netip.AddrPort, hearsay.Round) { return w.Probe }, false, 0},
		"one that is said to be there": {asker, asker, func(w *world) func(time.Time, hearsay.NodeID, netip.AddrPort, hearsay.Round) { return w.Examine }, false, 0},
	} {
		w := newWorld(t, members)
		w.cfg.StreamPing, w.cfg.Period = true, time.Hour
		w.direct = func(int) bool { return c.answers }
		w.run(3 * time.Second) // its own probe of this hour
		for range 4 {          // enough rounds for what is neither dead nor well
			w.events, w.streams = nil, 0
			c.examine(w)(w.now, id(c.subject), addr(c.at), 1)
			w.run(3 * time.Second)
			want := hearsay.VerdictUnreachable
			if c.answers || c.want > 0 {
				want = hearsay.VerdictReachable
			}
			if all := w.verdicts(); len(all) != 1 || all[0].Verdict != want || w.streams != c.want {
				t.Fatalf("%s: %d pings by stream, want %d; %+v", name, w.streams, c.want, all)
			}
		}
	}
}

// Those that ask to be in, and do not answer, have a node open few streams: as many as there are of them.
func TestAskersHaveFewStreamsOpened(t *testing.T) {
	const asked = 600
	for name, c := range map[string]struct {
		spread, least, most int
	}{
		"of one source":   {1, 8, 20},
		"of many sources": {asked, 32, 100},
	} {
		w := newWorld(t, 1)
		w.cfg.StreamPing, w.cfg.Period = true, time.Hour
		w.direct, w.silent = func(int) bool { return false }, true
		w.run(3 * time.Second) // its own probe of this hour
		w.streams = 0
		for i := range asked {
			w.ProbeAsker(w.now, id(10+i), addr(10+i%c.spread), 1)
		}
		w.run(2 * time.Second)
		if all := w.verdicts(); len(all) != asked || w.streams < c.least || w.streams > c.most {
			t.Errorf("%s: %d pings by stream, want %d to %d; %d verdicts", name, w.streams, c.least, c.most, len(all))
		}
	}
}
