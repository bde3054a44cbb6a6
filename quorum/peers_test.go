package quorum

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"hearsay/follower"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quorum/quorumtest"
)

// following is a peer that follows the seeds' ledger.
type following struct {
	*quorumtest.Peer[*Quorum]
	*follower.Follower
}

func (w *world) newFollower() *following { return w.newFollowerOf(ledger.Versions()) }

// newFollowerOf is newFollower, of a peer that runs a version of hearsay.
func (w *world) newFollowerOf(v core.LogVersions) *following {
	f := &following{}
	f.Peer = w.NewPeer(func(p *quorumtest.Peer[*Quorum]) quorumtest.Follower {
		cfg := follower.DefaultConfig()
		cfg.Network, cfg.Seeds, cfg.Tail, cfg.Versions = testNetwork, w.cfg.Seeds, 8, v
		directory := follower.Directory{Sender: w.Sender, Links: func() []netip.AddrPort { return p.Links }}
		f.Follower = follower.New(cfg, p.Key, rand.New(rand.NewPCG(w.Random.Uint64(), 3)), directory, p.Disk.Load(), &p.Stats, p.Out, w.Now)
		return f.Follower
	})
	f.Start()
	return f
}

// follows reports whether all followers that hear are where the seeds are.
func (w *world) follows() bool { return w.agree() && w.Follow() }

func followed(t *testing.T, seed uint64, peers int) *world {
	w := newWorld(t, 3, seed)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	for range peers {
		w.NewPerson()
	}
	w.Must(10*time.Second, "all are in", func() bool { return int(w.Machines[0].Q.Epoch()) >= peers && w.agree() })
	return w
}
