package node_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/follower"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/node"
	"hearsay/overlay"
	"hearsay/petition"
	"hearsay/roster"
	"hearsay/rumor"
	"hearsay/spread"
)

// newPeer makes the i-th node, a peer whose list of seeds names two at which nobody is.
func (w *network) newPeer(i int, keys ...hearsay.PublicKey) *node.Node {
	cfg := node.Config{
		Network: hearsay.NetworkIDOf("test"), Name: fmt.Sprintf("n%d", i), Addr: addr(i), Role: hearsay.RolePeer,
		Detect: detect.DefaultConfig(), Roster: roster.DefaultConfig(),
		Overlay: overlay.DefaultConfig(), Rumors: rumor.DefaultConfig(), Store: spread.DefaultConfig(),
		Follower: follower.DefaultConfig(), Petition: petition.DefaultConfig(),
	}
	seeds := []ledger.Seed{{Addr: addr(100)}, {Addr: addr(101)}}
	for slot, key := range keys {
		seeds[slot].Key = key
	}
	cfg.Follower.Network, cfg.Follower.Seeds = cfg.Network, seeds
	return node.New(cfg, signer{hearsay.PublicKey(sha256.Sum256([]byte{byte(i)}))}, rand.New(rand.NewPCG(7, uint64(i))), nil, w.now)
}

// Peers whose seeds turn out to be an earlier program's are an open network: they meet, and hear each other and guests.
func TestTurnOpen(t *testing.T) {
	w := &network{t: t, now: start, down: map[int]bool{}, pings: map[[2]int]int{}}
	const peers = 3
	for i := range peers {
		w.nodes = append(w.nodes, w.newPeer(i))
	}
	w.run(10 * time.Second)
	id, fx, err := w.nodes[0].Say(w.now, hearsay.NodeID{}, []byte("said before"))
	if err != nil {
		t.Fatal(err)
	}
	w.carry(0, fx)
	for i, n := range w.nodes {
		if n.Joined() {
			t.Fatalf("n%d is in without seeds", i)
		}
		fx, turned := n.TurnOpen(w.now)
		if w.carry(i, fx); !turned || n.Seeded().Authority().Seeded {
			t.Fatalf("n%d has not turned", i)
		}
		if fx, turned := n.TurnOpen(w.now); turned || !fx.Empty() {
			t.Fatalf("n%d has turned twice", i)
		}
		if i > 0 {
			w.carry(i, n.Contact(w.now, []netip.AddrPort{addr(0)}))
		}
	}
	w.run(5 * time.Second)
	guest := core.GuestID(hearsay.NetworkIDOf("test"), addr(50), core.Lines)
	by, fx, err := w.nodes[1].Say(w.now, guest, []byte("1:10.0.0.50:1"))
	if err != nil {
		t.Fatal(err)
	}
	w.carry(1, fx)
	w.run(20 * time.Second)
	for i, n := range w.nodes {
		if !n.Joined() || n.Living() != peers || len(n.Gossip().Links()) != peers-1 {
			t.Errorf("n%d joined %v, lists %d, has %d links", i, n.Joined(), n.Living(), len(n.Gossip().Links()))
		}
		if _, held := n.Gossip().Delivered(id); !held {
			t.Errorf("n%d has not heard what was said before", i)
		}
		if e, held := n.Gossip().Delivered(by); !held || e.Subject != guest {
			t.Errorf("n%d has not heard the guest: %v", i, e)
		}
	}
	w.down[2] = true
	w.run(20 * time.Second)
	if got := w.state(2, 0); got != hearsay.StateDead {
		t.Errorf("n0 has n2 as %s", got)
	}
}

// What knows its seeds waits for them.
func TestTurnOpenNot(t *testing.T) {
	w := &network{t: t, now: start}
	keys := []hearsay.PublicKey{sha256.Sum256([]byte("one")), sha256.Sum256([]byte("two"))}
	if _, turned := w.newPeer(0, keys...).TurnOpen(start); turned {
		t.Error("a peer that has the keys of its seeds has turned")
	}
	if _, turned := w.newPeer(0, keys[0]).TurnOpen(start); turned {
		t.Error("a peer that has the key of one seed of two has turned")
	}
	if _, turned := w.newNode(1).TurnOpen(start); turned {
		t.Error("a node of an open network has turned")
	}
}
