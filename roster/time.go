package roster

import "time"

// forgetCheck is how often the gone are looked through for who is to be
// forgotten.
const forgetCheck = time.Minute

// Deadline is when Tick must be called next.
func (r *Roster) Deadline() time.Time {
	at := r.forgetAt
	if r.news.waiting() > 0 {
		at = earlier(at, r.news.told.Add(r.cfg.NewsEvery))
	}
	if len(r.waiting) > 0 {
		at = earlier(at, r.waitUntil)
	}
	at = r.awayDue(r.hintsDue(at))
	if r.seeking() {
		at = earlier(at, r.contacts.tryAt)
	}
	if !r.refute.due.IsZero() {
		at = earlier(at, r.refute.due)
	}
	if len(r.lingering.suspects) > 0 {
		at = earlier(at, r.lingering.tellAt)
	}
	for _, a := range r.accusations {
		if a.closes.IsZero() {
			at = earlier(at, a.nextRound)
			continue
		}
		at = earlier(at, earlier(a.closes, a.askAt))
	}
	if !r.pendingAt.IsZero() {
		at = earlier(at, r.pendingAt)
	}
	return at
}

// Tick lets time pass.
func (r *Roster) Tick(now time.Time) {
	r.tickWaiting(now)
	r.tickRefutation(now)
	r.tickAway(now)
	r.tickFarewell(now)
	r.tickAccusations(now)
	r.tickLingering(now)
	r.tickPending(now)
	r.tickContacts(now)
	r.tickHints(now)
	r.tickNews(now)
	if !now.Before(r.forgetAt) {
		r.forgetAt = now.Add(forgetCheck)
		r.tickForget(now)
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
