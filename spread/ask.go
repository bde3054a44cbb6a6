package spread

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
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

// lack is an update that waits for what it replaces, which its sender has seen.
type lack struct {
	id     hearsay.NodeID
	update *core.Update
	at     time.Time // when that is asked, unless what lacks has come
}

// lacksMost is of how many senders an update is remembered. More than a node has neighbors.
const lacksMost = 32

// lackEvery is how often one is asked for what an update of it replaces: twice while it waits. A guess.
const lackEvery = 4 * time.Second

// lacking has the sender of an update asked for what it replaces, once that had time to come. Each sender has one turn,
// so that one that makes up what it replaces keeps no other from being asked.
func (s *Store) lacking(now time.Time, id hearsay.NodeID, update *core.Update) {
	s.dropLacks()
	if len(s.lacks) < lacksMost && !slices.ContainsFunc(s.lacks, func(l lack) bool { return l.id == id }) {
		s.lacks = append(s.lacks, lack{id, update, now.Add(s.trips(0, 2))})
	}
}

// dropLacks lets go of updates that wait no longer.
func (s *Store) dropLacks() {
	s.lacks = slices.DeleteFunc(s.lacks, func(l lack) bool { return !s.replica.Waits(l.update) })
}

// askLacking asks the next sender whose time has come. One that is asked, or cannot be now, is behind all others then.
func (s *Store) askLacking(now time.Time) {
	if len(s.lacks) == 0 {
		return
	}
	s.dropLacks()
	for range s.lacks {
		i := slices.IndexFunc(s.lacks, func(l lack) bool { return !now.Before(l.at) })
		if i < 0 {
			return
		}
		next := s.lacks[i]
		s.ask(now, next.id)
		next.at = now.Add(lackEvery)
		s.lacks = append(slices.Delete(s.lacks, i, i+1), next)
		if s.from == next.id && s.asked.Equal(now) {
			return
		}
	}
}
