package node

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
)

// A ruling names its evidence by hash only. A peer fetches it from a node that has
// it, so that each node can tell why: the accuser and the seeds do at first,
// and then more and more.

// Limits of fetching evidence.
const (
	maxWantedEvidence = 64                     // of the newest rulings
	evidenceTries     = 8                      // to be asked for, each time waiting twice as long: about a minute
	evidenceEvery     = 500 * time.Millisecond // the first wait: some round trips
	evidenceOfSeeds   = 64                     // members; in a network up to this size the first try is at a seed
)

// wantedEvidence is evidence that a ruling names and this node lacks.
type wantedEvidence struct {
	hash  hearsay.Hash
	askAt time.Time
	tries int
}

// wantEvidence sees to it that this node gets to know the evidence of a
// ruling.
func (n *Node) wantEvidence(now time.Time, r *hearsay.Ruling) {
	s := &n.seeded
	if s.follower == nil || r.Evidence.IsZero() || n.roster.Evidence(r.Evidence) != nil {
		return
	}
	for _, e := range n.cases.steps[r.Stay.ID] {
		if e.Kind == hearsay.EventCondemned && e.Evidence.Hash(n.cfg.Network) == r.Evidence {
			n.roster.KeepEvidence(e.Evidence) // this node has reported it
			return
		}
	}
	if len(s.wanted) >= maxWantedEvidence {
		s.wanted = slices.Delete(s.wanted, 0, 1)
	}
	s.wanted = append(s.wanted, wantedEvidence{hash: r.Evidence, askAt: now})
}

// fetchEvidence asks for what is wanted.
func (n *Node) fetchEvidence(now time.Time) {
	s := &n.seeded
	for i := range s.wanted {
		if w := &s.wanted[i]; !now.Before(w.askAt) {
			if addr, ok := n.whoHasEvidence(w); ok {
				n.out.Now = append(n.out.Now, hearsay.Packet{Addr: addr, Stream: true, Body: &hearsay.EvidenceReq{Hash: w.hash}})
			}
			w.askAt = now.Add(evidenceEvery << w.tries)
			w.tries++
		}
	}
	s.wanted = slices.DeleteFunc(s.wanted, func(w wantedEvidence) bool { return w.tries > evidenceTries })
}

// whoHasEvidence draws which node to ask.
func (n *Node) whoHasEvidence(w *wantedEvidence) (addr netip.AddrPort, ok bool) {
	seeds := n.cfg.Follower.Seeds
	if w.tries == 0 && n.roster.Living() <= evidenceOfSeeds {
		return seeds[int(n.id[0])%len(seeds)].Addr, true
	}
	id, ok := n.roster.Draw()
	if !ok {
		return addr, false
	}
	return n.roster.Addr(id)
}

// evidenceDue is when fetchEvidence must be called next, if at all before at.
func (n *Node) evidenceDue(at time.Time) time.Time {
	for i := range n.seeded.wanted {
		at = earlier(at, n.seeded.wanted[i].askAt)
	}
	return at
}

// takeEvidence takes evidence that a ruling names, and reports whether it is
// that: its hash proves it.
func (n *Node) takeEvidence(e *hearsay.Evidence) bool {
	s := &n.seeded
	if len(s.wanted) == 0 {
		return false
	}
	hash := e.Hash(n.cfg.Network)
	at := slices.IndexFunc(s.wanted, func(w wantedEvidence) bool { return w.hash == hash })
	if at < 0 {
		return false
	}
	s.wanted = slices.Delete(s.wanted, at, at+1)
	n.roster.KeepEvidence(e)
	return true
}
