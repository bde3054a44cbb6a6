package quorum

import (
	"fmt"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quota"

	"go.etcd.io/raft/v3/raftpb"
)

// This file is about a data directory that is an older copy of itself, as from
// a backup: the same life, and less than it has promised. Others count on what
// it has confirmed, so it must not go on: with it a quorum could decide another
// ledger. A seed cannot see that by itself. Others show it what it has signed: its
// newest head, and how far of the log it has told. Their own word is no proof.
//
//	A, older                        B
//	  |<-- MsgHeartbeat{Commit} ----|   signed by B: perhaps B is wrong, or its key is stolen
//	  |--- LedgerReq -------------->|   which A sends at its start, too
//	  |<-- MsgAppResp{Index} -------|   signed by A: the entry was here
//	  |<-- Rulings{Heads} ----------|   A's own head is among them

// MustStop says why this seed must stop, or "".
func (q *Quorum) MustStop() string { return q.mustStop }

// right says what to do with a seed whose directory is not all that its key has signed.
func (d *diskCheck) right() string {
	if len(d.seed.cfg.Seeds) <= 2 { // the others cannot give it its seat
		return lastUsed("this seed", "the data directory that it")
	}
	return "start this seed with an empty one, and the others give it its seat"
}

// stop has this seed take no part from now on. Where this life had all that was decided before it, its directory was no
// older one: another process has signed that since.
func (d *diskCheck) stop(promised string) {
	right := d.right()
	if d.seed.driver.stood > 0 {
		d.seed.mustStop = fmt.Sprintf("another process uses the key of this seed, which is %x: %s, and this process had caught up with all that was decided before its start; "+
			"a copy of this data directory is used elsewhere: end that process, and %s", d.seed.signer.Public(), promised, right)
		return
	}
	d.seed.mustStop = fmt.Sprintf("it is older than what this seed has promised: %s; it is a copy from before, and must not be used: %s", promised, right)
}

// ownHead looks at a head that is said to be this seed's own: it is kept before
// it is sent, so that there is none that is newer than the ledger here, or of another.
// Only this key can have signed it, wherever it comes from.
func (d *diskCheck) ownHead(now time.Time, from quota.Sender, h *hearsay.Head) (forged bool) {
	r, twice := d.seed.chain.RivalOf(h, d.seed.Epoch())
	twice = twice && r.Own != (hearsay.Hash{})
	if h.Epoch <= d.seed.Epoch() && !twice || d.seed.state != nil && !d.seed.Seated() || !d.seed.heads.affordsCheck(now, from) {
		return false
	}
	d.seed.heads.checked(now, from, 1)
	switch {
	case !h.Verify(d.seed.cfg.Network, d.seed.plain, d.seed.signer.Public()):
		d.seed.stats.Drops[hearsay.DropBadSignature]++
		return true
	case twice:
		d.seed.mustStop = fmt.Sprintf("the key of this seed, which is %x, has signed two ledgers: of epoch %d hash %s, and hash %s is here; this data directory is a copy from before, "+
			"or a copy of it is used elsewhere: end what uses that, and %s", d.seed.signer.Public(), h.Epoch, ledger.ShortHash(h.Hash), ledger.ShortHash(r.Own), d.right())
		d.seed.heads.noteRival(now, &r)
	default:
		d.stop(fmt.Sprintf("it has signed epoch %d, and the ledger here ends with %d", h.Epoch, d.seed.Epoch()))
	}
	return false
}

// tellsOfLog gives the last entry of the log that the sender of a message must have.
func tellsOfLog(f *core.Raft) uint64 {
	switch {
	case len(f.Entries) > 0 || f.Snapshot != nil || len(f.Context) > heartbeatBytes: // it would be long
	case f.Type == uint8(raftpb.MsgAppResp) && !f.Reject:
		return f.Index
	case f.Type == uint8(raftpb.MsgHeartbeat):
		return f.Commit
	}
	return 0
}

// remember keeps the verified message by which a seed has told the most of its log in
// the newest term, to show it that one again: of a heartbeat see showOwn.
func (r *replica) remember(f *core.Raft) {
	last, known := tellsOfLog(f), r.told[f.Slot]
	if last > 0 && (known == nil || known.From != f.From || f.Term > known.Term || f.Term == known.Term && last > tellsOfLog(known)) {
		r.told[f.Slot] = f
	}
}

// showOwn shows a seed that asks for the ledger the message by which it has told the most
// of its log. A seed asks from any port and says its own name, so it goes to the configured
// address only: others could send it again in that seed's place. A heartbeat waits until its
// term is over: sent again before, it would be a lead. It returns its length in bytes.
func (d *diskCheck) showOwn(p *core.Packet) (size int) {
	if d.seed.replica == nil {
		return 0
	}
	term := d.seed.replica.node.BasicStatus().GetTerm()
	for slot := range d.seed.cfg.Seeds {
		f := d.seed.replica.told[slot]
		if f == nil || d.seed.seats.known[slot].seat.Key.NodeID() != p.From || f.Type == uint8(raftpb.MsgHeartbeat) && f.Term >= term {
			continue
		}
		size += len(f.AppendBinary(nil))
		d.seed.send(d.seed.cfg.Seeds[slot].Addr, f)
	}
	return size
}

// ownMessage looks at a message of the log that is said to be this seed's own. What it
// tells of was on disk before it was sent. What is acknowledged only to a leader of before
// may have given way to other entries.
func (d *diskCheck) ownMessage(now time.Time, from quota.Sender, f *core.Raft) {
	r := d.seed.replica
	switch {
	case r == nil || f.From != r.id:
		d.seed.stats.Drops[hearsay.DropStranger]++ // of a life before
		return
	case tellsOfLog(f) <= r.log.last(), f.Type == uint8(raftpb.MsgAppResp) && f.Term < r.node.BasicStatus().GetTerm():
		return // as it should be
	case f.Type == uint8(raftpb.MsgAppResp) && d.acknowledged(f):
		return // in this life: the log here is no older one
	case !d.seed.heads.affordsCheck(now, from):
		d.seed.stats.Drops[hearsay.DropRate]++
		return
	}
	d.seed.heads.checked(now, from, 1)
	f.Founding = d.seed.founding
	if !f.Verify(d.seed.cfg.Network, d.seed.plain, d.seed.signer.Public()) {
		d.seed.stats.Drops[hearsay.DropBadSignature]++
		return
	}
	d.stop(fmt.Sprintf("it has told that it has entry %d of the log, and %d are here", tellsOfLog(f), r.log.last()))
}

// acknowledged reports whether this life has told a seed so itself.
func (d *diskCheck) acknowledged(f *core.Raft) bool {
	slot, known := d.seed.seats.slotOf(f.To)
	return known && f.Term == d.seed.replica.ackedTerm && f.Index <= d.seed.replica.acked[slot]
}

// remind asks all others, once after a start, for the heads that they have: this seed's own,
// too.
func (d *diskCheck) remind(now time.Time) {
	if !d.seed.mayLag {
		return
	}
	d.seed.mayLag, d.seed.heads.fetchAt = false, now.Add(fetchEvery)
	for slot := range d.seed.others() {
		d.seed.send(d.seed.cfg.Seeds[slot].Addr, &core.LedgerReq{After: d.seed.state.Epoch})
	}
}
