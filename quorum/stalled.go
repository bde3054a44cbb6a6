package quorum

import "time"

// stallAfter is how long something is asked of the log, and nothing comes into the log, until
// this seed says that the log decides nothing. Guess: two elections and a handover take less.
const stallAfter = 5 * time.Second

// progress is whether the log decides what it is asked. That a quorum is heard says too little:
// one seat that claims the lead again and again is heard, and keeps the others from deciding.
type progress struct {
	applied uint64    // of the log, when it was looked at last
	since   time.Time // since when nothing was applied although something was asked; zero: it was never looked at
	idle    time.Time // since when nothing is asked
	stalled bool
}

// tickProgress looks at whether the log goes on.
func (q *Quorum) tickProgress(now time.Time) {
	p := &q.progress
	if len(q.asked) > 0 {
		p.idle = now
	}
	if applied := q.replica.log.applied; p.since.IsZero() || applied != p.applied || now.Sub(p.idle) >= stallAfter {
		*p = progress{applied: applied, since: now, idle: p.idle}
	}
	p.stalled = p.stalled || len(q.asked) > 0 && now.Sub(p.since) >= stallAfter
}

// Decides reports whether this seed takes part in a log that decides what it is asked.
func (q *Quorum) Decides() bool { return q.Seated() && q.Ready() && !q.progress.stalled }
