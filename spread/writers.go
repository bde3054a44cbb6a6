package spread

import (
	"time"

	"hearsay"
)

// This file tells that new writers are refused, as their table is full: what they write may be elsewhere, not here.

// refusedFor is how long it is told after the last writer that was refused, if there is room. A node that lacks what
// was refused is compared with again within AskMost. A guess: twice that.
const refusedFor = 2 * AskMost

// refused is which writers were refused.
type refused struct {
	since time.Time // the first; zero: none, or there is room again
	last  time.Time
}

// refusedWriter is told that a writer was refused just now, and tells it.
func (s *Store) refusedWriter(now time.Time) {
	if s.refused.last = now; s.refused.since.IsZero() {
		s.refused.since = now
		s.out.Events = append(s.out.Events, hearsay.Event{At: now, Kind: hearsay.EventWritersFull, Subject: s.self, Count: len(s.replica.Seen().Origins())})
	}
}

// lookForRoom tells that there is room again, if there is, and no writer was refused lately.
func (s *Store) lookForRoom(now time.Time) {
	if r := &s.refused; !r.since.IsZero() && !s.replica.WritersFull() && now.Sub(r.last) >= refusedFor {
		r.since = time.Time{}
		s.out.Events = append(s.out.Events, hearsay.Event{At: now, Kind: hearsay.EventWritersRoom, Subject: s.self})
	}
}

// RefusesWriters gives since when new writers are refused; zero: they are not.
func (s *Store) RefusesWriters() time.Time { return s.refused.since }
