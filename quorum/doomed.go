package quorum

import (
	"fmt"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
	"hearsay/quota"
)

// This file is about a data directory that is an older copy of itself, as from
// a backup: the same life, and less than it has promised. Others count on what
// it has confirmed, so it must not go on: with it a quorum could decide another
// ledger. A seed cannot see that by itself, and is told by what it has signed.

// Doomed says why this seed must stop, or "".
func (q *Quorum) Doomed() string { return q.doomed }

// doom has this seed take no part from now on.
func (q *Quorum) doom(promised string) {
	right := "start this seed with an empty one, and the others give it its seat"
	if len(q.cfg.Seeds) <= 2 { // who cannot
		right = lastUsed("this seed", "the data directory that it")
	}
	q.doomed = fmt.Sprintf("it is older than what this seed has promised: %s; it is a copy from before, and must not be used: %s", promised, right)
}

// forgotten reports whether a verified message of the log counts on entries that
// this seed has confirmed and does not have. A leader says in a heartbeat how far
// the log is committed, but no further than this life has confirmed to it.
func (q *Quorum) forgotten(f *hearsay.Raft) bool {
	last := q.replica.log.last()
	if f.Type != uint8(raftpb.MsgHeartbeat) || f.Commit <= last || f.Term < q.replica.node.BasicStatus().GetTerm() {
		return false
	}
	q.doom(fmt.Sprintf("entry %d of the log, and %d are here", f.Commit, last))
	return true
}

// ownHead looks at a head that is said to be this seed's own: it is kept before
// it is sent, so that there is none that is newer than the ledger here.
func (q *Quorum) ownHead(now time.Time, from quota.Sender, h *hearsay.Head) (forged bool) {
	if h.Epoch <= q.state.epoch {
		return q.signedTwice(now, from, h)
	}
	if !q.Seated() || !q.affordsCheck(now, from) {
		return false
	}
	q.checked(now, from, 1)
	if !h.Verify(q.cfg.Network, q.plain, q.signer.Public()) {
		q.drops[hearsay.DropBadSignature]++
		return true
	}
	q.doom(fmt.Sprintf("it has signed epoch %d, and the ledger here ends with %d", h.Epoch, q.state.epoch))
	return false
}

// remind asks all others, once after a start, for the heads that they have: this seed's own,
// too.
func (q *Quorum) remind(now time.Time) {
	if !q.mayLag {
		return
	}
	q.mayLag, q.fetchAt = false, now.Add(fetchEvery)
	for slot := range q.cfg.Seeds {
		if slot != q.cfg.Slot {
			q.out.Send = append(q.out.Send, hearsay.Packet{Addr: q.cfg.Seeds[slot].Addr, Stream: true, Body: &hearsay.LedgerReq{After: q.state.epoch}})
		}
	}
}
