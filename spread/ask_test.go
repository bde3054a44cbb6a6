package spread

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/kv"
)

// Nodes whose pings come, and that answer no question, keep a node from asking no other: that is asked as soon as one
// that is slow to answer has had its time. Each of them is asked ever more seldom.
func TestThoseThatDoNotAnswerAreNoHindrance(t *testing.T) {
	now := time.UnixMilli(1 << 40)
	out, stats := new(core.Effects), new(hearsay.Stats)
	directory := Directory{
		Addr: func(id hearsay.NodeID) (netip.AddrPort, bool) {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, id[0]}), 1), true
		},
		Next: func(hearsay.NodeID) []hearsay.NodeID { return nil },
	}
	s := New(DefaultConfig(), hearsay.NodeID{1}, directory, nil, stats, out, now)
	asked := make(map[byte]int)
	pass := func(d time.Duration) {
		now = now.Add(d)
		s.Tick(now)
		for _, p := range out.Send {
			asked[p.Addr.Addr().As4()[3]]++
		}
		out.Send = nil
	}
	for range 600 {
		for mute := byte(10); mute < 16; mute++ {
			s.Pinged(now, hearsay.NodeID{mute}, 7)
		}
		pass(200 * time.Millisecond)
	}
	for mute := byte(10); mute < 16; mute++ { // at 0, 1, 3, 7, 15, 31, 63 and 95 s
		if n := asked[mute]; n < 6 || n > 9 {
			t.Errorf("node %d was asked %d times in two minutes", mute, n)
		}
	}
	s.Pinged(now, hearsay.NodeID{20}, 7)
	pass(answerSoon)
	s.Pinged(now, hearsay.NodeID{20}, 7)
	pass(0)
	if asked[20] == 0 {
		t.Error("the one that answers is not asked")
	}

	if err := s.Put(now, kv.Write{Key: "k"}); err != nil {
		t.Fatal(err)
	}
	before := asked[10]
	s.Linked(hearsay.NodeID{10}) // it is back
	pass(answerIn)
	if pass(askEvery); asked[10] == before {
		t.Error("one that did not answer before is not asked once it is linked")
	}
}
