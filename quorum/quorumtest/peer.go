package quorumtest

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/testkit"
)

// Follower is what a world asks of a peer that follows the seeds' ledger: *follower.Follower.
type Follower interface {
	Tick(now time.Time)
	Deadline() time.Time
	Receive(now time.Time, p *core.Packet) bool
	Epoch() hearsay.Epoch
	Head() hearsay.Hash
	Roster(dst []ledger.Member) []ledger.Member
}

// Peer is one that follows the seeds' ledger, on its disk.
type Peer[Q Seed] struct {
	hearsay.Stats // what it counts

	F      Follower
	W      *World[Q]
	N      int
	Key    *testkit.Signer
	Addr   netip.AddrPort
	Out    *core.Effects
	Disk   testkit.Disk
	Links  []netip.AddrPort
	Deaf   bool
	Life   int
	News   []hearsay.Event        // that it has told in this life
	Hellos map[netip.AddrPort]int // sent

	open func(p *Peer[Q]) Follower
}

// NewPeer makes a peer with links to others, which Start starts. open makes it of what its disk holds.
func (w *World[Q]) NewPeer(open func(p *Peer[Q]) Follower, links ...*Peer[Q]) *Peer[Q] {
	n := len(w.Peers)
	p := &Peer[Q]{
		W: w, N: n, Key: NewKeyed(uint64(9000 + n)), Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(n + 1)}), 6000),
		Hellos: make(map[netip.AddrPort]int), open: open,
	}
	for _, o := range links {
		p.Links, o.Links = append(p.Links, o.Addr), append(o.Links, p.Addr)
	}
	w.Peers = append(w.Peers, p)
	return p
}

// Start starts a peer, or starts it again.
func (p *Peer[Q]) Start() {
	p.Life++
	p.Out, p.News = &core.Effects{}, nil
	p.F = p.open(p)
	p.Step(func() { p.F.Tick(p.W.Now) })
}

// Step lets a peer do something and takes what it wants carried out.
func (p *Peer[Q]) Step(do func()) {
	before := p.F.Epoch()
	do()
	out := *p.Out
	*p.Out = core.Effects{}
	p.Disk.Sync(out.Persist)
	for _, packet := range out.Send {
		if _, ok := packet.Body.(*core.SeatHello); ok {
			p.Hellos[packet.Addr]++
		}
		if !p.Deaf {
			p.W.Send(100+p.N, p.Key.Public().NodeID(), p.Addr, packet)
		}
	}
	p.News = append(p.News, out.Events...)
	p.check(before)
	life := p.Life
	p.W.After(max(0, p.F.Deadline().Sub(p.W.Now)), func() {
		if p.Life == life && !p.F.Deadline().After(p.W.Now) {
			p.Step(func() { p.F.Tick(p.W.Now) })
		}
	})
}

// check: epochs only grow, and what a follower believes is what seeds ruled.
func (p *Peer[Q]) check(before hearsay.Epoch) {
	w, epoch := p.W, p.F.Epoch()
	if epoch < before {
		w.T.Errorf("follower %d went from epoch %d back to %d", p.N, before, epoch)
	}
	if hash, ok := w.Hashes[epoch]; epoch > before && !w.Forks && (!ok || hash != p.F.Head()) {
		w.T.Errorf("follower %d believes another ledger at epoch %d", p.N, epoch)
	}
}

// Follow reports whether all peers that hear are where the seeds are.
func (w *World[Q]) Follow() bool {
	if !w.Agree() {
		return false
	}
	seed := w.Machines[0].Q
	same := func(a, b ledger.Member) bool { return a.Stay == b.Stay }
	return !slices.ContainsFunc(w.Peers, func(p *Peer[Q]) bool {
		return !p.Deaf && (p.F.Epoch() != seed.Epoch() || !slices.EqualFunc(p.F.Roster(nil), seed.Roster(nil), same))
	})
}

// Count counts what a peer has told, in this life, of seeds that are not as listed.
func (p *Peer[Q]) Count(text string) (n int) {
	for _, e := range p.News {
		if e.Kind == hearsay.EventSeedDiffers && strings.Contains(e.Text, text) {
			n++
		}
	}
	return n
}
