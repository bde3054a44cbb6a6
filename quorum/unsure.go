package quorum

import (
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/internal/core"

	"go.etcd.io/raft/v3/raftpb"
)

// This file is about a data directory that may be an older copy of itself, where
// nothing shows it: the machine was started anew since, as after a power cut, and as
// where a snapshot of the machine was put back. The
// directory says so (SeedLife) until the check is over. However often the process is
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
// ready must not make its check last for ever. Where the machine does not tell when it was started (package
// store: every system but Linux) each start begins anew. A guess: a write a second does no harm.
const keepWaited = time.Second

// diskCheck is what a seed waits for that is not sure of its disk.
type diskCheck struct {
	seed *Quorum

	told   bool                   // by the directory, at the start; this seed has no seat yet
	waited time.Duration          // in all starts, as of the last tick
	kept   time.Duration          // of that, what is on disk
	until  time.Time              // zero: it is sure
	waits  [hearsay.MaxSeeds]bool // for what these have of the ledger
	places [hearsay.MaxSeeds]bool // and for how far their log goes
	term   uint64                 // the highest that others have told
	last   core.LogPlace          // and the last entry of the longest log
	asked  [hearsay.MaxSeeds]bool // these were sent a LedgerReq
	askAt  time.Time
}

// begin has this seed wait for all others if its disk may be an older one.
func (d *diskCheck) begin(now time.Time) {
	if !d.told || d.seed.replica == nil || len(d.seed.cfg.Seeds) == 1 || d.seed.cfg.Recover {
		return
	}
	waited := min(d.waited, unsureFor)
	*d = diskCheck{seed: d.seed, waited: waited, kept: waited, until: now.Add(unsureFor - waited), askAt: now}
	for slot := range d.seed.others() {
		d.waits[slot], d.places[slot] = true, true
	}
}

// unsure reports whether this seed takes no part yet.
func (d *diskCheck) unsure() bool {
	return !d.until.IsZero() && (slices.Contains(d.waits[:], true) || slices.Contains(d.places[:], true))
}

// isAnswer reports whether a packet may bring an answer for which this seed waits, and gives the slot of
// its sender: by stream from a configured address, which no forged source can reach, and after the question.
func (d *diskCheck) isAnswer(p *core.Packet) (slot int, is bool) {
	slot = d.seed.heads.slotAt(p.Addr)
	return slot, slot >= 0 && d.unsure() && d.waits[slot] && d.asked[slot]
}

// answeredBy notes that a seed has told what it knows, or that it knows nothing.
func (d *diskCheck) answeredBy(slot int) {
	d.waits[slot] = false
	d.endIfCaughtUp()
}

// goesTo takes the answer of a seed how far its log goes, just now and at its address.
func (d *diskCheck) goesTo(m *core.SeatHello) {
	switch {
	case !m.Founded:
		d.places[m.Slot] = false
		d.answeredBy(int(m.Slot)) // it knows nothing
	case m.Term != 0 && m.Founding == d.seed.founding:
		d.places[m.Slot] = false
		if d.term = max(d.term, m.Term); d.last.Before(m.Last) {
			d.last = m.Last
		}
		d.endIfCaughtUp()
	}
}

// endIfCaughtUp ends the check once the log here goes as far as the longest of all, and
// no vote can be forgotten.
func (d *diskCheck) endIfCaughtUp() {
	if d.unsure() || d.seed.replica == nil {
		return
	}
	hard, d := d.seed.replica.log.hard, d
	voted := hard.GetTerm() > d.term || hard.GetTerm() == d.term && hard.GetVote() != 0
	if voted && !d.seed.replica.log.end().Before(d.last) {
		d.end()
	}
}

// mayHaveForgotten reports whether a message asks for votes, this seed's or another's, and this
// seed may have promised something else: its vote in that term, or an entry beyond that log.
func (d *diskCheck) mayHaveForgotten(kind raftpb.MessageType, term uint64, end core.LogPlace) bool {
	return !d.until.IsZero() && (kind == raftpb.MsgVote || kind == raftpb.MsgPreVote) && (term <= d.term || end.Before(d.last))
}

// end has this seed take part, also in its next lives.
func (d *diskCheck) end() {
	*d = diskCheck{seed: d.seed}
	d.seed.records.keepLife()
}

// tick asks the seeds that have not answered, and goes on without them in the end.
func (d *diskCheck) tick(now time.Time) {
	if d.until.IsZero() {
		return
	}
	if !now.Before(d.until) {
		d.end()
		return
	}
	if d.waited = unsureFor - d.until.Sub(now); d.waited-d.kept >= keepWaited {
		d.kept = d.waited
		d.seed.records.keepLife()
	}
	if d.endIfCaughtUp(); !d.unsure() || now.Before(d.askAt) {
		return
	}
	d.askAt = now.Add(d.seed.cfg.HelloEvery)
	var missing []string
	for slot := range d.seed.cfg.Seeds {
		if !d.waits[slot] && !d.places[slot] {
			continue
		}
		missing = append(missing, d.seed.cfg.Seeds[slot].Addr.String())
		d.asked[slot] = true
		d.seed.seats.askSeat(now, slot)
		d.seed.send(d.seed.cfg.Seeds[slot].Addr, &core.LedgerReq{After: d.seed.Epoch()})
	}
	if d.waited > missAfter {
		d.seed.seats.say(hearsay.Event{At: now, Text: "this machine was started anew since the data directory was used last, so that it may be an older copy of itself: " +
			"it takes part when all other seeds have told what it has signed, or after " + unsureFor.String() + "; missing: " + strings.Join(missing, ", ")})
	}
}
