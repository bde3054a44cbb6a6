package spread

import (
	"slices"
	"time"

	"hearsay"
)

// This file says which node is asked next. One exchange runs at a time: what lacks would come from each.

// vain is a node whose last exchange brought nothing.
type vain struct {
	id   hearsay.NodeID
	mute bool          // it gave no answer
	wait time.Duration // until it is asked again, the last time
	at   time.Time     // not before
}

// mayAsk reports whether a question may go out: no exchange is under way, or the one that was asked is slow to answer.
func (s *Store) mayAsk(now time.Time) bool {
	if !s.until.IsZero() && now.Before(s.until) {
		return !s.heard && len(s.giving) == 0 && now.Sub(s.asked) >= s.trips(answerSoon, 2)
	}
	return !now.Before(s.askAt)
}

// ask begins an exchange, unless one is under way. Each that brought nothing has the same node wait for twice as long:
// others may answer, and hold what lacks here.
func (s *Store) ask(now time.Time, id hearsay.NodeID) {
	if i := s.inVain(id); !s.mayAsk(now) || id == s.from && now.Before(s.until) || i >= 0 && now.Before(s.vain[i].at) {
		return
	}
	if !s.until.IsZero() {
		s.ended(now) // the last one was not answered
		if now.Before(s.askAt) {
			return
		}
	}
	s.begin(now, id)
}

func (s *Store) inVain(id hearsay.NodeID) int {
	return slices.IndexFunc(s.vain, func(v vain) bool { return v.id == id })
}

// ended notes that an exchange is over.
func (s *Store) ended(now time.Time) {
	if s.askAt = now; s.heard {
		s.askAt = now.Add(askEvery)
	}
	one := vain{id: s.from, mute: !s.heard, wait: askEvery}
	if i := s.inVain(s.from); i >= 0 {
		one.wait = s.vain[i].wait
		s.vain = slices.Delete(s.vain, i, i+1)
	}
	if !s.gained {
		if len(s.vain) == vainMost {
			s.vain = slices.Delete(s.vain, 0, 1)
		}
		one.wait = min(2*one.wait, AskMost)
		one.at = now.Add(one.wait)
		s.vain = append(s.vain, one)
	}
	s.until, s.busy, s.giving, s.shared = time.Time{}, s.busy[:0], s.giving[:0], false
}
