package quorum

import (
	"slices"
	"strings"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
)

// This file is about a data directory that may be an older copy of itself, where
// nothing shows it: the machine was started anew since, as after a power cut, and as
// where a snapshot of the machine was put back. The
// directory says so (SeedLife) until the doubt is over. However often the process is
// started meanwhile, before it votes or signs anything it asks all other seeds what
// it has signed. That may be more than is here though nothing is: the directory may be
// as it was before the network was founded.
//
//	A, unsure                 B                    C
//	  |--- hello, LedgerReq -->|------------------->|   until each has answered once
//	  |<-- Rulings{Heads} -----|                    |   A's own head is newer than its ledger: it stops
//	  |<-- RosterPart{Heads} -----------------------|   the same, if A's ledger ends long before B's
//	  |<-- hello: no ledger ------------------------|   or nothing contradicts it: it takes part
//	  |<-- hello: term 5, entry 5/32                |   and votes for nobody whose log ends before that
//
// What it has acknowledged of the log others know only until they are started again. But what was decided
// with that is in the log of one of them, and each candidate it has voted for has that term on disk. So it
// takes entries, and until its log goes as far as the longest of all, it stands in no election, and votes
// only in later terms and for those with such a log.
//
// Heads without its own are no answer: a seed tells its newest by itself, too. So one that has
// signed none yet, as it has just been given its seat, waits for unsureFor.

// unsureFor is how long an answer of all is waited for. Seeds that lost their
// power together, and one of them for ever, must come back by themselves. A guess:
// longer than a machine takes to start.
const unsureFor = time.Minute

// keepWaited is how much of that a start may repeat: what restarts a seed that is not
// ready must not keep it in doubt for ever. Where the machine does not tell when it was started (package
// store: every system but Linux) each start begins anew. A guess: a write a second does no harm.
const keepWaited = time.Second

// doubtful is what a seed waits for that is not sure of its disk.
type doubtful struct {
	told   bool                   // by the directory, at the start; this seed has no seat yet
	waited time.Duration          // in all starts, as of the last tick
	kept   time.Duration          // of that, what is on disk
	until  time.Time              // zero: it is sure
	waits  [hearsay.MaxSeeds]bool // for what these have of the ledger
	places [hearsay.MaxSeeds]bool // and for how far their log goes
	term   uint64                 // the highest that others have told
	last   hearsay.LogPlace       // and the last entry of the longest log
	asked  [hearsay.MaxSeeds]bool // these were sent a LedgerReq
	askAt  time.Time
}

// doubt has this seed wait for all others if its disk may be an older one.
func (q *Quorum) doubt(now time.Time) {
	if !q.doubtful.told || q.replica == nil || len(q.cfg.Seeds) == 1 || q.cfg.Recover {
		return
	}
	waited := min(q.doubtful.waited, unsureFor)
	q.doubtful = doubtful{waited: waited, kept: waited, until: now.Add(unsureFor - waited), askAt: now}
	for slot := range q.others() {
		q.doubtful.waits[slot], q.doubtful.places[slot] = true, true
	}
}

// unsure reports whether this seed takes no part yet.
func (q *Quorum) unsure() bool {
	d := &q.doubtful
	return !d.until.IsZero() && (slices.Contains(d.waits[:], true) || slices.Contains(d.places[:], true))
}

// answersDoubt gives the slot of the seed whose answer this seed waits for and a packet
// may bring: by stream from its configured address, which no forged source can
// reach, and after the question.
func (q *Quorum) answersDoubt(p *hearsay.Packet) (slot int, is bool) {
	slot = q.slotAt(p.Addr)
	return slot, slot >= 0 && q.unsure() && q.doubtful.waits[slot] && q.doubtful.asked[slot]
}

// answeredBy notes that a seed has told what it knows, or that it knows nothing.
func (q *Quorum) answeredBy(slot int) {
	q.doubtful.waits[slot] = false
	q.endIfCaughtUp()
}

// goesTo takes the answer of a seed how far its log goes, just now and at its address.
func (q *Quorum) goesTo(m *hearsay.SeatHello) {
	d := &q.doubtful
	switch {
	case !m.Founded:
		d.places[m.Slot] = false
		q.answeredBy(int(m.Slot)) // it knows nothing
	case m.Term != 0 && m.Founding == q.founding:
		d.places[m.Slot] = false
		if d.term = max(d.term, m.Term); d.last.Before(m.Last) {
			d.last = m.Last
		}
		q.endIfCaughtUp()
	}
}

// endIfCaughtUp ends the doubt once the log here goes as far as the longest of all, and
// no vote can be forgotten.
func (q *Quorum) endIfCaughtUp() {
	if q.unsure() || q.replica == nil {
		return
	}
	hard, d := q.replica.log.hard, &q.doubtful
	voted := hard.GetTerm() > d.term || hard.GetTerm() == d.term && hard.GetVote() != 0
	if voted && !q.replica.log.end().Before(d.last) {
		q.endDoubt()
	}
}

// mayHaveForgotten reports whether a message asks for votes, this seed's or another's, and this
// seed may have promised something else: its vote in that term, or an entry beyond that log.
func (q *Quorum) mayHaveForgotten(kind raftpb.MessageType, term uint64, end hearsay.LogPlace) bool {
	d := &q.doubtful
	return !d.until.IsZero() && (kind == raftpb.MsgVote || kind == raftpb.MsgPreVote) && (term <= d.term || end.Before(d.last))
}

// endDoubt has this seed take part, also in its next lives.
func (q *Quorum) endDoubt() {
	q.doubtful = doubtful{}
	q.keepLife()
}

// tickDoubt asks those who have not answered, and goes on without them in the
// end.
func (q *Quorum) tickDoubt(now time.Time) {
	d := &q.doubtful
	if d.until.IsZero() {
		return
	}
	if !now.Before(d.until) {
		q.endDoubt()
		return
	}
	if d.waited = unsureFor - d.until.Sub(now); d.waited-d.kept >= keepWaited {
		d.kept = d.waited
		q.keepLife()
	}
	if q.endIfCaughtUp(); !q.unsure() || now.Before(d.askAt) {
		return
	}
	d.askAt = now.Add(q.cfg.HelloEvery)
	var missing []string
	for slot := range q.cfg.Seeds {
		if !d.waits[slot] && !d.places[slot] {
			continue
		}
		missing = append(missing, q.cfg.Seeds[slot].Addr.String())
		d.asked[slot] = true
		q.askSeat(now, slot)
		q.send(q.cfg.Seeds[slot].Addr, &hearsay.LedgerReq{After: q.Epoch()})
	}
	if d.waited > missAfter {
		q.say(hearsay.Event{At: now, Text: "this machine was started anew since the data directory was used last, so that it may be an older copy of itself: " +
			"it takes part when all other seeds have told what it has signed, or after " + unsureFor.String() + "; missing: " + strings.Join(missing, ", ")})
	}
}
