package node

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/casebook"
	"hearsay/internal/core"
	"hearsay/internal/when"
	"hearsay/ledger"
	"hearsay/roster"
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

// evidenceFetcher fetches for a peer the evidence that rulings name.
type evidenceFetcher struct {
	network hearsay.NetworkID
	id      hearsay.NodeID
	seeds   []ledger.Seed
	roster  *roster.Roster
	cases   *casebook.Book
	out     *core.Effects
	wanted  []wantedEvidence // oldest ruling first
}

// want sees to it that this node gets to know the evidence of a
// ruling.
func (f *evidenceFetcher) want(now time.Time, r *hearsay.Ruling) {
	if r.Evidence.IsZero() || f.roster.Evidence(r.Evidence) != nil {
		return
	}
	for _, e := range f.cases.Of(r.Stay.ID) {
		if e.Kind == hearsay.EventCondemned && e.Evidence.Hash(f.network) == r.Evidence {
			f.roster.KeepEvidence(e.Evidence) // this node has reported it
			return
		}
	}
	if len(f.wanted) >= maxWantedEvidence {
		f.wanted = slices.Delete(f.wanted, 0, 1)
	}
	f.wanted = append(f.wanted, wantedEvidence{hash: r.Evidence, askAt: now})
}

// fetch asks for what is wanted.
func (f *evidenceFetcher) fetch(now time.Time) {
	for i := range f.wanted {
		if w := &f.wanted[i]; !now.Before(w.askAt) {
			if addr, ok := f.source(w); ok {
				f.out.Now = append(f.out.Now, core.Packet{Addr: addr, Stream: true, Body: &core.EvidenceReq{Hash: w.hash}})
			}
			w.askAt = now.Add(evidenceEvery << w.tries)
			w.tries++
		}
	}
	f.wanted = slices.DeleteFunc(f.wanted, func(w wantedEvidence) bool { return w.tries > evidenceTries })
}

// source draws which node to ask.
func (f *evidenceFetcher) source(w *wantedEvidence) (addr netip.AddrPort, ok bool) {
	if w.tries == 0 && f.roster.Living() <= evidenceOfSeeds {
		return f.seeds[int(f.id[0])%len(f.seeds)].Addr, true
	}
	id, ok := f.roster.Draw()
	if !ok {
		return addr, false
	}
	return f.roster.Addr(id)
}

// due is when fetch must be called next, if at all before at.
func (f *evidenceFetcher) due(at time.Time) time.Time {
	for i := range f.wanted {
		at = when.Earlier(at, f.wanted[i].askAt)
	}
	return at
}

// take takes evidence that a ruling names, and reports whether it is
// that: its hash proves it.
func (f *evidenceFetcher) take(e *hearsay.Evidence) bool {
	if len(f.wanted) == 0 {
		return false
	}
	hash := e.Hash(f.network)
	at := slices.IndexFunc(f.wanted, func(w wantedEvidence) bool { return w.hash == hash })
	if at < 0 {
		return false
	}
	f.wanted = slices.Delete(f.wanted, at, at+1)
	f.roster.KeepEvidence(e)
	return true
}
