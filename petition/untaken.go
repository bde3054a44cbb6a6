package petition

import (
	"time"

	"hearsay"
)

// untakenFor is for how long no seed must have taken a report, and each have been asked, until that is told. Guess:
// where seeds are started again, or elect another leader, one takes it within that time.
const untakenFor = 5 * time.Second

// Untaken gives the reports that no seed takes, although each has been asked for long, as they were brought.
func (t *Petitions) Untaken(now time.Time) (untaken []hearsay.Untaken) {
	for _, r := range t.reports {
		if u := &r.untaken; t.noQuorum && !u.Since.IsZero() && now.Sub(u.Since) >= untakenFor {
			untaken = append(untaken, *u)
		}
	}
	return untaken
}

// InVain gives the report about a node if the seed that was asked last did not take it, or if there is none of it,
// one that no seed takes.
func (t *Petitions) InVain(id hearsay.NodeID) (u hearsay.Untaken, is bool) {
	for _, r := range t.reports {
		if r.stay.ID == id {
			return r.untaken, !r.untaken.Since.IsZero()
		}
		if t.noQuorum && !is {
			u, is = r.untaken, !r.untaken.Since.IsZero()
		}
	}
	return u, is
}
