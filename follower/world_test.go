package follower

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/ledger"
	"hearsay/quorum"
	"hearsay/quorum/quorumtest"
)

type machine = quorumtest.Machine[*quorum.Quorum]

var (
	testNetwork = quorumtest.Network
	newKeyed    = quorumtest.NewKeyed
	seedAddr    = quorumtest.SeedAddr
	stranger    = quorumtest.Stranger
	from        = quorumtest.From
)

// world is quorumtest's, with seeds, and peers that follow them.
type world struct {
	*quorumtest.World[*quorum.Quorum]
	cfg       quorum.Config
	followers []*following
	poll      time.Duration // of followers, if it is not the default
}

func newWorld(t testing.TB, n int, seed uint64) *world {
	w := &world{World: quorumtest.New[*quorum.Quorum](t, n, seed), cfg: quorum.DefaultConfig()}
	w.cfg.Network = testNetwork
	for _, m := range w.Machines {
		w.cfg.Seeds = append(w.cfg.Seeds, ledger.Seed{Addr: m.Addr})
	}
	w.Driver = quorumtest.Driver[*quorum.Quorum]{
		Open: func(m *machine) (*quorum.Quorum, error) {
			cfg := w.cfg
			cfg.Slot = m.Slot
			return quorum.New(cfg, m.Signer, rand.New(rand.NewPCG(w.Random.Uint64(), 2)), quorum.Directory{Sender: w.Sender}, m.Disk.Load(), &m.Stats, m.Out, w.Now)
		},
		Admit: func(q *quorum.Quorum, now time.Time, c *hearsay.Claim) { q.Admit(now, c) },
		Report: func(q *quorum.Quorum, now time.Time, id, by hearsay.NodeID, e *hearsay.Evidence) {
			q.Report(now, &quorum.Report{Stay: hearsay.Stay{ID: id}, By: by, Evidence: e})
		},
		Probed: func(q *quorum.Quorum, now time.Time, e *hearsay.Event, found hearsay.Verdict, began time.Time) bool {
			return q.Probed(now, quorum.Probe{Subject: e.Subject, Addr: e.Addr, Verdict: found, Began: began})
		},
	}
	return w
}

// startTold starts a seed with an operator's word.
func (w *world) startTold(m *machine) {
	w.cfg.Found = true
	w.Start(m)
	w.cfg.Found = false
}

// truncate has the seeds keep only rulings after an epoch in memory: they start again on a snapshot
// of all that was ruled.
func (w *world) truncate(epoch hearsay.Epoch) {
	cfg := w.cfg
	again := func() {
		for _, m := range w.Machines {
			w.Crash(m)
		}
		w.StartAll()
		w.Must(10*time.Second, "the seeds go on", w.Agree)
	}
	w.cfg.SnapshotEvery = 1
	again()
	w.Step(w.Machines[0], func() { w.Machines[0].Q.Bar(w.Now, hearsay.NodeID{1}, "for a snapshot") })
	w.Must(5*time.Second, "one is barred", func() bool {
		return !slices.ContainsFunc(w.Machines, func(m *machine) bool { return len(m.Q.Barred(nil)) == 0 })
	})
	w.Run(time.Second) // that is on disk
	w.cfg.Tail = int(w.Machines[0].Q.Epoch() - epoch)
	again()
	w.cfg = cfg
	for _, m := range w.Machines {
		if m.Q.Oldest() != epoch+1 {
			w.T.Fatalf("seed %d keeps rulings from epoch %d on, want %d", m.Slot, m.Q.Oldest(), epoch+1)
		}
	}
}

// following is a peer that follows the seeds' ledger.
type following struct {
	*quorumtest.Peer[*quorum.Quorum]
	*Follower
	w *world
}

func (w *world) newFollower(links ...*following) *following {
	f := &following{w: w}
	var linked []*quorumtest.Peer[*quorum.Quorum]
	for _, o := range links {
		linked = append(linked, o.Peer)
	}
	f.Peer = w.NewPeer(f.open, linked...)
	w.followers = append(w.followers, f)
	f.Start()
	return f
}

func (f *following) open(p *quorumtest.Peer[*quorum.Quorum]) quorumtest.Follower {
	cfg := DefaultConfig()
	cfg.Network, cfg.Seeds, cfg.Tail = testNetwork, f.w.cfg.Seeds, 8
	if f.w.poll > 0 {
		cfg.PollEvery = f.w.poll
	}
	directory := Directory{Sender: p.W.Sender, Links: func() []netip.AddrPort { return p.Links }}
	f.Follower = New(cfg, p.Key, rand.New(rand.NewPCG(p.W.Random.Uint64(), 3)), directory, p.Disk.Load(), &p.Stats, p.Out, p.W.Now)
	return f.Follower
}

func followed(t *testing.T, seed uint64, peers int) *world {
	w := newWorld(t, 3, seed)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.Agree)
	for range peers {
		w.NewPerson()
	}
	w.Must(10*time.Second, "all are in", func() bool { return int(w.Machines[0].Q.Epoch()) >= peers && w.Agree() })
	return w
}
