package roster

import (
	"time"

	"hearsay/internal/when"
)

// Deadline is when Tick must be called next.
func (r *Roster) Deadline() time.Time {
	at := when.Earlier(r.forgetAt, r.listed.due())
	at = r.accusations.due(r.contacts.due(r.aways.due(r.hints.due(r.news.due(at)))))
	for _, due := range []time.Time{r.queue.until, r.suspicions.tellAt, r.ownWord.refute.due, r.deaths.at, r.names.checkAt} {
		at = sooner(at, due)
	}
	return at
}

// Tick lets time pass.
func (r *Roster) Tick(now time.Time) {
	r.queue.tick(now)
	r.ownWord.tick(now)
	r.aways.tick(now)
	r.aways.tickOwn(now)
	r.accusations.tick(now)
	r.suspicions.tick(now)
	r.deaths.tick(now)
	r.contacts.tick(now)
	r.listed.tick(now)
	r.hints.tick(now)
	r.news.tick(now)
	r.names.tick(now)
	if !now.Before(r.forgetAt) {
		r.forgetAt = now.Add(forgetCheck)
		r.tickForget(now)
	}
}

// Postpone is told that this node was late by so much: what it did not hear
// meanwhile says nothing, and no suspicion grew older.
func (r *Roster) Postpone(now time.Time, by time.Duration) {
	r.accusations.postpone(now, by)
	for i := range r.deaths.pending {
		r.deaths.pending[i].until = r.deaths.pending[i].until.Add(by)
	}
	r.listed.asked = when.Later(r.listed.pinged, r.listed.asked).Add(by) // that it was not pinged meanwhile says nothing
}

// sooner gives the earlier of two times, of which the second may be zero: then nothing is due.
func sooner(at, due time.Time) time.Time {
	if due.IsZero() {
		return at
	}
	return when.Earlier(at, due)
}

// Rejoin begins a new stay of this node: its own word is over with the last.
func (o *ownWord) Rejoin(now time.Time) {
	o.raise(now, 0)
	o.roster.news.tell(o.members.self)
}
