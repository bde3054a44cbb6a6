package quorum

import (
	"fmt"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// stallAfter is how long something is asked of the log, or is known to be missing here, and
// nothing comes into the log, until this seed says that the log decides nothing. Guess: two elections
// and a handover take less.
const stallAfter = 5 * time.Second

// progress is whether the log decides what it is asked. That a quorum is heard says too little:
// one seat that claims the lead again and again is heard, and keeps the others from deciding.
type progress struct {
	applied uint64    // of the log, when it was looked at last
	since   time.Time // since when nothing was applied although something was wanted; zero: it was never looked at
	idle    time.Time // since when nothing is wanted
	stalled bool
	told    bool      // that it has stalled, since it was told that it goes on
	triedAt time.Time // when an entry without commands was last put into a log that has stalled
}

// tickProgress looks at whether the log goes on. A log that has stalled is so until it goes on, also
// while nothing is asked: requests end, and what is ready then would be asked in vain. Who leads
// may be the one that led before, and adds nothing by itself, so this seed asks for something.
func (q *Quorum) tickProgress(now time.Time) {
	p := &q.progress
	wanted := len(q.asked) > 0 || q.lags()
	if wanted {
		p.idle = now
	}
	if applied := q.replica.log.applied; p.since.IsZero() || applied != p.applied || !p.stalled && now.Sub(p.idle) >= stallAfter {
		*p = progress{applied: applied, since: now, idle: p.idle, told: p.told}
	}
	p.stalled = p.stalled || wanted && now.Sub(p.since) >= stallAfter
	if p.stalled != p.told && (p.told || q.Ready()) { // that no quorum is heard is told as that
		q.tellProgress(now)
	}
	if p.stalled && !wanted && now.Sub(p.triedAt) >= stallAfter {
		p.triedAt = now
		q.tryLog(now)
	}
}

// tellProgress tells that the log has stalled, or goes on again.
func (q *Quorum) tellProgress(now time.Time) {
	e := hearsay.Event{At: now, Kind: hearsay.EventLogGoesOn}
	if q.progress.told = q.progress.stalled; q.progress.told {
		e.Kind, e.Took, e.Text = hearsay.EventLogStalled, now.Sub(q.progress.since), q.whyStalled()
	}
	if slot, led := q.Leader(); led {
		e.By, e.Addr = q.seats.known[slot].seat.Key.NodeID(), q.cfg.Seeds[slot].Addr
	}
	q.event(e)
}

// whyStalled says of a log that has stalled since when, and who leads.
func (q *Quorum) whyStalled() string {
	if q.lags() {
		return q.whyLags()
	}
	leads := "a leader"
	if slot, led := q.Leader(); led {
		leads = fmt.Sprintf("the seed at %v", q.cfg.Seeds[slot].Addr)
	}
	return fmt.Sprintf("the log decides nothing of what it is asked since %s, though %s leads: nobody is admitted or removed meanwhile; that passes within seconds where seeds were cut off or another leads now: "+
		"if it does not, see to that seed, and to the way to it, as its key may be stolen", q.progress.since.UTC().Format(time.RFC3339), leads)
}

// tryLog puts an entry without commands into the log, unless one waits there already: it
// changes nothing but that the log goes on, if it does.
func (q *Quorum) tryLog(now time.Time) {
	log := q.replica.log
	if q.replica.leader() == 0 || log.last() > log.applied || log.unsettled() {
		return
	}
	if err := q.replica.node.Propose(ledger.AppendEntry(nil, nil)); err == nil { // else the leader is gone
		q.work(now)
	}
}

// lags reports whether this seed lacks what a quorum has signed, or gets a snapshot of who leads
// instead of the log.
func (q *Quorum) lags() bool {
	slot, led := q.Leader()
	return q.behind() || led && q.replica.offers[slot] != nil
}

// whyLags says what this seed waits for that lags.
func (q *Quorum) whyLags() string {
	slot, led := q.Leader()
	what := "what is missing has not come"
	if led && q.replica.offers[slot] != nil {
		what = "heads of a quorum are missing that prove the snapshot of the seed that leads"
		if !q.knowsSeats(q.replica.offers[slot]) {
			what = "it does not know all seats that the seed that leads names, and looks for the rulings that gave them"
		}
	}
	return fmt.Sprintf("this seed is behind the others, at epoch %d, and takes no part in what they rule: %s; if it stays so while a quorum of the others is well, start it with an empty data directory", q.Epoch(), what)
}

// Decides reports whether this seed takes part in a log that decides what it is asked.
func (q *Quorum) Decides() bool { return q.Seated() && q.Ready() && !q.progress.stalled }
