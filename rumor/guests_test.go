package rumor

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
)

// What a guest says to two members, which both tell everybody, is delivered once; what another guest says in the same
// words is another message. One that is not known is the first that is.
func TestGuestsAreHeardOnce(t *testing.T) {
	one, two := nodeID(101), nodeID(102)
	for name, c := range map[string]struct {
		by    []hearsay.NodeID // at the first and the last node, at once; then at the first
		heard int
	}{
		"one guest, twice":            {[]hearsay.NodeID{one, one, one}, 1},
		"two guests":                  {[]hearsay.NodeID{one, two, one}, 2},
		"one, and one that is unsaid": {[]hearsay.NodeID{one, hearsay.AnyGuest, two}, 2},
		"unsaid, twice":               {[]hearsay.NodeID{hearsay.AnyGuest, hearsay.AnyGuest, hearsay.AnyGuest}, 1},
	} {
		w := newNetwork(t, 5, DefaultConfig())
		for i := range 4 {
			w.link(i, i+1)
		}
		var heard [5]int
		count := func() {
			for i, n := range w.nodes {
				heard[i] = len(slices.DeleteFunc(n.Names(100), func(id clock.Dot) bool {
					e, held := n.Delivered(id)
					return !held || e.Rumor.Guest.IsZero()
				}))
			}
		}
		for i, at := range []int{0, 4, 0} {
			n := w.nodes[at]
			w.step(n, func() {
				if _, err := n.Say(w.now, c.by[i], []byte("tea")); err != nil {
					t.Fatal(err)
				}
			})
			if i > 0 {
				w.run(5 * time.Second)
			}
		}
		if count(); slices.ContainsFunc(heard[:], func(n int) bool { return n != c.heard }) {
			t.Errorf("%s: heard %v times, want %d", name, heard, c.heard)
		}
	}
}

// A rumor in the name of one that is no guest is refused: who speaks as we do says its own.
func TestMadeUpGuestIsRefused(t *testing.T) {
	w := newNetwork(t, 2, DefaultConfig())
	w.link(0, 1)
	w.step(w.nodes[0], func() { w.nodes[0].Say(w.now, nodeID(1), []byte("tea")) })
	w.run(time.Second)
	if names := w.nodes[1].Names(10); len(names) > 0 || w.nodes[1].stats.Drops[hearsay.DropStranger] == 0 {
		t.Errorf("it holds %v", names)
	}
}

// What is remembered of guests is bounded as what is held is, and goes with it.
func TestGuestsAreForgotten(t *testing.T) {
	cfg := DefaultConfig()
	cfg.KeepCount = 10
	w := newNetwork(t, 1, cfg)
	n := w.nodes[0]
	for i := range 30 {
		w.step(n, func() { n.Say(w.now, nodeID(101), fmt.Appendf(nil, "%d", i)) })
	}
	if len(n.guests.order) > 11 || len(n.guests.by) > 11 {
		t.Errorf("remembers %d, %d", len(n.guests.order), len(n.guests.by))
	}
	w.now = w.now.Add(cfg.KeepFor)
	w.step(n, func() {
		if id, _ := n.Say(w.now, nodeID(101), []byte("29")); id.Counter == 0 {
			t.Error("what it said long ago is not told again")
		}
	})
	if len(n.guests.order) != 1 || len(n.guests.by) != 1 {
		t.Errorf("remembers %d, %d", len(n.guests.order), len(n.guests.by))
	}
}
