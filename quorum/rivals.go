package quorum

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
)

// This file is about seats that have signed what cannot be together with the
// ledger here. Seeds sign only what their log has committed, so there are two
// logs: a seed has gone on from an older copy of its disk, and two quorums, with
// it in both, have decided.
//
//	A, B  sign epochs 11, 12          B is down, A is put back as it was at 10
//	A, C  sign epochs 11', 12'        B comes back
//	B     hears A's and C's heads     two of three seats have signed another ledger: it tells, and stops
//	C     hears A's old head and B's  likewise
//	A     hears its own old head      it has signed twice: it stops
//	peers keep the ledger that they have
//
// One seat that signs another ledger is told, and stops nobody: its key may be
// stolen. A quorum of them is a proof. Nobody decides by itself which of two
// ledgers is right. It is the same with messages of the log: each is one seat's word,
// is dropped if it cannot be together with the log here, and counts once.

// rivals is the first proof of each seat, by slot. Head.Epoch 0: there is none.
type rivals [hearsay.MaxSeeds]hearsay.Rival

// has reports whether a proof is known already: its head, and that this is of another
// ledger than the one here, if the ledger has come as far.
func (r *rivals) has(proof *hearsay.Rival) bool {
	known := &r[proof.Head.Slot]
	return known.Head == proof.Head && (known.Own != (hearsay.Hash{}) || proof.Own == (hearsay.Hash{}))
}

// rivalOf reports what a head would prove against the ledger here, up to an epoch
// that is settled. Its signature is not checked yet. Before the founding is known
// nothing is proven: a seed that was recovered has signed epochs of two foundings.
func (c *chain) rivalOf(h *hearsay.Head, settled hearsay.Epoch) (r hearsay.Rival, is bool) {
	if int(h.Slot) >= c.seeds || h.Epoch == 0 || c.founding.IsZero() || h.Founding != c.founding {
		return r, false
	}
	var room [signedMost]hearsay.Head
	for _, known := range c.signed(room[:0], h.Slot) {
		if known.Epoch == h.Epoch && known.Hash != h.Hash {
			r.Twin = known
		}
	}
	own, known := c.hashAt(h.Epoch)
	if known && h.Epoch <= settled && own != h.Hash {
		r.Own = own
	} else if r.Twin.Epoch == 0 {
		return r, false
	}
	r.Epoch, r.Other, r.Head = h.Epoch, h.Hash, *h
	return r, true
}

// takeRival keeps a proof, unless as much is known of its seat.
func (c *chain) takeRival(r *hearsay.Rival) bool {
	known := &c.rivals[r.Head.Slot]
	if known.Head.Epoch > 0 && (known.Own != (hearsay.Hash{}) || r.Own == (hearsay.Hash{})) {
		return false
	}
	if r.Twin.Epoch == 0 && r.Head == known.Head {
		r.Twin = known.Twin
	} else if r.Twin.Epoch == 0 && r.Head.Epoch == known.Head.Epoch {
		r.Twin = known.Head
	}
	*known = *r
	return true
}

// headCheck is what came of a head that somebody has sent.
type headCheck struct {
	verified bool // it took a check of a signature
	forged   bool
	news     bool           // it is taken, and the others need it, too
	rival    *hearsay.Rival // it proves this against the ledger here, which was not known
}

// hear takes a head of another seat, and compares it with the ledger here, which is
// settled up to an epoch.
func (c *chain) hear(h *hearsay.Head, key hearsay.PublicKey, settled hearsay.Epoch) (got headCheck) {
	r, against := c.rivalOf(h, settled)
	if key.IsZero() || against && c.rivals.has(&r) || !against && !c.wants(h) {
		return got
	}
	got.verified, got.forged = true, !h.Verify(c.network, c.signer, key)
	switch {
	case got.forged:
	case against:
		got.rival = new(r)
	default:
		got.news = c.takeHead(h)
	}
	return got
}

// overtaken gives what heads prove that were signed of epochs beyond the ledger here,
// and to which it has come by now. The older ones of a seat have done their part then.
func (c *chain) overtaken(settled hearsay.Epoch) (found []hearsay.Rival) {
	var room [signedMost + 2]hearsay.Head
	for slot := range uint8(c.seeds) {
		of := &c.rivals[slot]
		for _, h := range append(c.signed(room[:0], slot), of.Head, of.Twin) {
			if r, is := c.rivalOf(&h, settled); is && r.Own != (hearsay.Hash{}) && of.Own == (hearsay.Hash{}) {
				found = append(found, r)
				break
			}
		}
		for i := range c.early[slot] {
			if c.early[slot][i].Epoch <= settled {
				c.early[slot][i] = hearsay.Head{}
			}
		}
	}
	return found
}

// against counts the seats that have signed another ledger or log than the one here.
func (c *chain) against() (n int) {
	for slot := range c.seeds {
		if c.rivals[slot].Own != (hearsay.Hash{}) || c.others[slot] != "" {
			n++
		}
	}
	return n
}

// forked reports whether a quorum of seats has signed another ledger or log.
func (c *chain) forked() bool { return c.against() >= hearsay.QuorumOf(c.seeds) }

// fork sums up what is known of another ledger; nil: nothing.
func (c *chain) fork(seeds []Seed) *hearsay.Fork {
	f := &hearsay.Fork{Ours: []int{}, Theirs: []int{}, Twice: []int{}, Proven: c.forked()}
	for slot := range c.seeds {
		r := &c.rivals[slot]
		if r.Head.Epoch > 0 || c.others[slot] != "" {
			f.Theirs = append(f.Theirs, slot)
		}
		if r.Head.Epoch == 0 {
			continue
		}
		if r.Twin.Epoch > 0 {
			f.Twice = append(f.Twice, slot)
		}
		if older := r.Own != (hearsay.Hash{}) && (f.Own == hearsay.Hash{} || r.Epoch < f.Epoch); older || f.Epoch == 0 {
			f.Epoch, f.Own, f.Other = r.Epoch, r.Own, r.Other
		}
	}
	if len(f.Theirs) == 0 {
		return nil
	}
	for slot := range c.seeds {
		h, twin := &c.heads[slot], &c.rivals[slot].Twin
		if f.Epoch > 0 && (h.Epoch >= f.Epoch && c.fits(h) || twin.Epoch == f.Epoch && twin.Hash == f.Own) {
			f.Ours = append(f.Ours, slot)
		}
	}
	f.Text = c.sentence(f, seeds)
	return f
}

// oneOfTwo is what an operator does about a contradiction that no quorum of seats
// vouches for. No directory is given up for it.
const oneOfTwo = "a seed runs on an older copy of its data directory, or its key is not its own; " +
	"compare what `hearsay status` says on all seeds, and delete nothing before it is clear which seed it is"

// forkEvent tells that a seat has signed another ledger or log.
func (c *chain) forkEvent(now time.Time, epoch hearsay.Epoch, slot uint8, keys []hearsay.PublicKey, seeds []Seed) hearsay.Event {
	return hearsay.Event{
		At: now, Kind: hearsay.EventLedgerForked, Subject: keys[slot].NodeID(), Addr: seeds[slot].Addr, Epoch: epoch, Count: c.against(), Text: c.fork(seeds).Text,
	}
}

// sentence says what a fork is, and what would be right.
func (c *chain) sentence(f *hearsay.Fork, seeds []Seed) string {
	var said []string
	named := func(slots []int) string {
		var names []string
		for _, slot := range slots {
			names = append(names, seeds[slot].Addr.String())
		}
		if len(names) == 0 {
			return "no seed that is known"
		}
		return strings.Join(names, ", ")
	}
	theirs := named(slices.DeleteFunc(slices.Clone(f.Theirs), func(slot int) bool { return c.rivals[slot].Head.Epoch == 0 }))
	switch {
	case f.Epoch == 0:
	case f.Own == hearsay.Hash{}:
		said = append(said, fmt.Sprintf("of epoch %d, which the ledger here has not come to, hash %s and another were signed by %s", f.Epoch, short(f.Other), theirs))
	default:
		said = append(said, fmt.Sprintf("of epoch %d hash %s was signed by %s, and hash %s, which this node has, by %s",
			f.Epoch, short(f.Other), theirs, short(f.Own), named(f.Ours)))
	}
	for _, slot := range f.Theirs {
		if c.others[slot] != "" {
			said = append(said, c.others[slot])
		}
	}
	switch what := strings.Join(said, "; "); {
	case !f.Proven:
		return what + ": " + oneOfTwo
	case f.Epoch == 0:
		return "a quorum of seats has another log than this seed, which takes no part: " + what + ". Decide which is right: if it is theirs, " +
			"start this seed with an empty directory; if it is the one here, see `hearsay seed recover`"
	default:
		return "the ledger has forked: " + what + ". This node follows neither. Decide which is right, keep one seed that has it (hearsay seed recover), " +
			"and start all other nodes with empty directories"
	}
}

// short is the beginning of a hash, for people: nobody finds two alike by chance.
func short(h hearsay.Hash) string { return h.String()[:16] }

// Fork tells what is known of another ledger than the one here; nil: nothing.
func (q *Quorum) Fork() *hearsay.Fork { return q.chain.fork(q.cfg.Seeds) }

// Fork tells what is known of another ledger than the one here; nil: nothing.
func (f *Follower) Fork() *hearsay.Fork { return f.chain.fork(f.cfg.Seeds) }

// noteRival keeps a proof, tells it, and has the others know. With a quorum of
// them this seed stops.
func (q *Quorum) noteRival(now time.Time, r *hearsay.Rival) {
	if !q.chain.takeRival(r) {
		return
	}
	q.persist(&hearsay.KeptRival{Slot: r.Head.Slot, Rival: *r})
	q.event(q.chain.forkEvent(now, r.Epoch, r.Head.Slot, q.keys(), q.cfg.Seeds))
	q.stopIfForked()
	q.tellHeads()
	q.askBack(int(r.Head.Slot))
}

// noteOther keeps that a message of the log cannot be together with the log here, and
// tells it as noteRival does. Its sender is asked what this seed has signed.
func (q *Quorum) noteOther(now time.Time, slot uint8, why string) {
	if q.drops[hearsay.DropUnexpected]++; !now.Before(q.replica.askAt) {
		q.replica.askAt = now.Add(q.cfg.HelloEvery)
		q.askBack(int(slot))
	}
	if q.chain.others[slot] != "" {
		return
	}
	q.chain.others[slot] = why
	q.event(q.chain.forkEvent(now, q.Epoch(), slot, q.keys(), q.cfg.Seeds))
	q.stopIfForked()
	q.tellHeads()
}

// askBack asks a seed for the heads that it has, and for what this seed has signed.
func (q *Quorum) askBack(slot int) {
	if q.doomed == "" {
		q.send(q.cfg.Seeds[slot].Addr, &hearsay.LedgerReq{After: q.Epoch()})
	}
}

// tellHeads sends all heads that are known to the other seeds and, if this one
// stops, to some members: they are what others find out by.
func (q *Quorum) tellHeads() {
	var to []netip.AddrPort
	for slot := range q.others() {
		to = append(to, q.cfg.Seeds[slot].Addr)
	}
	if q.doomed != "" && q.state != nil {
		to = append(to, q.drawMembers(announceTo)...)
	}
	for _, addr := range to {
		q.send(addr, &hearsay.Rulings{Heads: q.chain.newest()})
	}
}

// stopIfForked has this seed take no part any more if a quorum of seats has
// signed another ledger.
func (q *Quorum) stopIfForked() {
	if q.chain.forked() && !q.cfg.Recover {
		q.doomed = q.Fork().Text
	}
}

// contradicts says what a verified message of the log counts on that cannot be together
// with the log here; "": nothing. A leader has all that was ever committed. In a heartbeat it
// says how far that is, but no further than this life has confirmed to it. The library
// trusts all that: it would panic, or take an entry that is not here for progress.
func (q *Quorum) contradicts(f *hearsay.Raft) string {
	log, term := q.replica.log, q.replica.node.BasicStatus().GetTerm()
	if f.Term < term {
		return "" // it leads no more, and may have more than was committed
	}
	by := q.cfg.Seeds[f.Slot].Addr
	other := func(index, term uint64) string {
		if index > log.hard.GetCommit() || index < log.base {
			return ""
		}
		if have, err := log.Term(index); err == nil && have != term {
			return fmt.Sprintf("entry %d of the log was decided here in term %d, and the seed at %v has it of term %d", index, have, by, term)
		}
		return ""
	}
	switch raftpb.MessageType(f.Type) {
	case raftpb.MsgApp:
		why := other(f.Index, f.LogTerm)
		for i := 0; i < len(f.Entries) && why == ""; i++ {
			why = other(f.Entries[i].Index, f.Entries[i].Term)
		}
		return why
	case raftpb.MsgSnap:
		if f.Snapshot != nil {
			return other(f.Snapshot.Index, f.Snapshot.Term)
		}
	case raftpb.MsgHeartbeat:
		if f.Commit > log.last() {
			return fmt.Sprintf("the seed at %v counts on entry %d of the log, and %d are here", by, f.Commit, log.last())
		}
	case raftpb.MsgAppResp:
		if !f.Reject && f.Index > log.last() && f.Term == term && q.replica.leads() {
			return fmt.Sprintf("the seed at %v has decided entry %d of the log, and %d are here", by, f.Index, log.last())
		}
	}
	return ""
}

// forgetRivals drops all proofs: an operator has decided.
func (q *Quorum) forgetRivals() {
	for slot := range q.chain.rivals {
		if q.chain.rivals[slot].Head.Epoch > 0 {
			q.persist(&hearsay.KeptRival{Slot: uint8(slot), Dropped: true})
		}
	}
	q.chain.rivals = rivals{}
}

// noteRival keeps a proof, tells it, and passes it on. With a quorum of them this
// peer follows no ledger any more.
func (f *Follower) noteRival(now time.Time, r *hearsay.Rival) {
	c := &f.chain
	if !c.takeRival(r) {
		return
	}
	f.out.Persist = append(f.out.Persist, &hearsay.KeptRival{Slot: r.Head.Slot, Rival: *r})
	f.out.Events = append(f.out.Events, c.forkEvent(now, r.Epoch, r.Head.Slot, f.keys(), f.cfg.Seeds))
	for _, addr := range f.directory.Links() {
		f.send(addr, &hearsay.Rulings{Heads: c.newest()})
	}
	if c.forked() {
		f.gathering.forget()
	}
}

// parted gives what heads prove that are of rulings which do not follow from the
// ledger here: they are of another, from the epoch before the first on.
func (c *chain) parted(items []*hearsay.Ruling, settled hearsay.Epoch) (found []hearsay.Rival) {
	if len(items) == 0 || items[0].Epoch <= 1 || items[0].Epoch-1 > settled {
		return nil
	}
	at := items[0].Epoch - 1
	own, known := c.hashAt(at)
	signed := slices.ContainsFunc(c.ahead[:c.seeds], func(h hearsay.Head) bool { return h.Epoch > at && h.Epoch <= at+hearsay.Epoch(len(items)) })
	if !known || !signed || own == items[0].Previous {
		return nil
	}
	other := newChain(c.network, c.signer, c.seeds)
	other.restart(at, items[0].Previous)
	for _, r := range items {
		if r.Epoch != other.epoch()+1 || r.Previous != other.headHash() {
			break
		}
		other.append(r, nil)
	}
	for slot := range c.seeds {
		if h := &c.ahead[slot]; h.Epoch > at && other.fits(h) {
			found = append(found, hearsay.Rival{Epoch: at, Own: own, Other: items[0].Previous, Head: *h})
		}
	}
	return found
}

func (f *Follower) parted(now time.Time, items []*hearsay.Ruling) {
	if !f.based {
		return
	}
	for _, r := range f.chain.parted(items, f.epoch) {
		f.noteRival(now, &r)
	}
}

func (q *Quorum) parted(now time.Time, items []*hearsay.Ruling) {
	for _, r := range q.chain.parted(items, q.Epoch()) {
		q.noteRival(now, &r)
	}
}
