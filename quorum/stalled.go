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
	seed *Quorum

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
func (p *progress) tickProgress(now time.Time) {
	wanted := len(p.seed.requests.asked) > 0 || p.lags()
	if wanted {
		p.idle = now
	}
	if applied := p.seed.replica.log.applied; p.since.IsZero() || applied != p.applied || !p.stalled && now.Sub(p.idle) >= stallAfter {
		*p = progress{seed: p.seed, applied: applied, since: now, idle: p.idle, told: p.told}
	}
	p.stalled = p.stalled || wanted && now.Sub(p.since) >= stallAfter
	if p.stalled != p.told && (p.told || p.seed.Ready()) { // that no quorum is heard is told as that
		e := hearsay.Event{At: now, Kind: hearsay.EventLogGoesOn}
		if p.told = p.stalled; p.told {
			e.Kind, e.Took, e.Text = hearsay.EventLogStalled, now.Sub(p.since), p.whyStalled()
		}
		e.By, e.Addr = p.seed.leading()
		p.seed.event(e)
	}
	if p.stalled && !wanted && now.Sub(p.triedAt) >= stallAfter {
		p.triedAt = now
		p.tryLog(now)
	}
}

// whyStalled says of a log that has stalled since when, and who leads.
func (p *progress) whyStalled() string {
	if p.lags() {
		return p.whyLags()
	}
	leads, cure := "a leader", "see to that seed, and to the way to it, as its key may be stolen"
	if by, addr := p.seed.leading(); by == p.seed.signer.Public().NodeID() {
		leads, cure = "this seed", "see to the ways between it and the other seeds, and to the disks of those"
	} else if addr.IsValid() {
		leads = fmt.Sprintf("the seed at %v", addr)
	}
	return fmt.Sprintf("the log decides nothing of what it is asked since %s, though %s leads: nobody is admitted or removed meanwhile; that passes within seconds where seeds were cut off or another leads now: "+
		"if it does not, %s", p.since.UTC().Format(time.RFC3339), leads, cure)
}

// tryLog puts an entry without commands into the log, unless one waits there already: it
// changes nothing but that the log goes on, if it does.
func (p *progress) tryLog(now time.Time) {
	log := p.seed.replica.log
	if p.seed.replica.leader() == 0 || log.last() > log.applied || log.unsettled() {
		return
	}
	if err := p.seed.replica.node.Propose(ledger.AppendEntry(nil, nil)); err == nil { // else the leader is gone
		p.seed.driver.work(now)
	}
}

// lags reports whether this seed lacks what a quorum has signed, or gets a snapshot of who leads
// instead of the log.
func (p *progress) lags() bool {
	slot, led := p.seed.Leader()
	return p.behind() || led && p.seed.replica.offers[slot] != nil
}

// whyLags says what this seed waits for that lags.
func (p *progress) whyLags() string {
	slot, led := p.seed.Leader()
	what := "what is missing has not come"
	if led && p.seed.replica.offers[slot] != nil {
		what = "heads of a quorum are missing that prove the snapshot of the seed that leads"
		if !p.seed.offers.knowsSeats(p.seed.replica.offers[slot]) {
			what = "it does not know all seats that the seed that leads names, and looks for the rulings that gave them"
		}
	}
	return fmt.Sprintf("this seed is behind the others, at epoch %d, and takes no part in what they rule: %s; if it stays so while a quorum of the others is well, start it with an empty data directory", p.seed.Epoch(), what)
}

// Stalled reports whether this seed takes part, and the log decides nothing of what it is asked.
func (q *Quorum) Stalled() bool {
	return q.Seated() && q.Ready() && q.progress.stalled && !q.progress.lags()
}

// Decides reports whether this seed takes part in a log that decides what it is asked.
func (q *Quorum) Decides() bool { return q.Seated() && q.Ready() && !q.progress.stalled }
