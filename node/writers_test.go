package node_test

import (
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/kv"
)

// Where made-up writers leave no room for others it is told in which names the most of them are.
func TestMadeUpWritersAreNamed(t *testing.T) {
	w := newNetwork(t, 4)
	w.run(3 * time.Second)
	n, liar := w.nodes[0], w.nodes[1].Self()
	invent := func(node hearsay.NodeID, lives int) {
		for life := range lives {
			origin := kv.NewOrigin(node, clock.Origin{}, [4]byte{1, byte(life >> 8), byte(life)})
			replica, _ := kv.New(kv.DefaultConfig(origin), kv.Saved{Clock: &clock.Context{}})
			update, _, err := replica.Put(w.now, kv.Write{Key: "k", Value: []byte{1}})
			if err != nil {
				t.Fatal(err)
			}
			w.carry(0, n.Receive(w.now, sized(&core.Packet{From: liar.ID, Addr: liar.Addr, Body: update})))
		}
	}
	invent(w.nodes[2].Self().ID, 2)
	invent(hearsay.NodeID{77}, 100)
	invent(liar.ID, 900)
	if s := n.Stats(); s.StoreRefuses != 0 || s.StoreLives != nil {
		t.Errorf("there is room, and it refuses writers for %v s: %v", s.StoreRefuses, s.StoreLives)
	}
	invent(liar.ID, 1024)
	w.run(time.Second)
	s := n.Stats()
	if len(s.StoreLives) != 2 || s.StoreLives[0].Name != "n1" || s.StoreLives[1] != (hearsay.Lives{Count: 100}) {
		t.Errorf("whose lives are known: %v", s.StoreLives)
	}
	contains(t, "the trouble", strings.Join(s.Troubles(), "; "),
		"the store takes no new writer since ", "1024 are known here", "922 in the name of n1 (id "+liar.ID.Short()+"), 100 of nodes that are no members")
	contains(t, "events", strings.Join(w.events, "\n"), " n0 writers-full ")
}
