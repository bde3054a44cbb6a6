// Package casebook keeps what has happened to members, and says what one node knows of one of them: facts, of which
// package casefile makes sentences.
package casebook

import (
	"slices"
	"time"

	"hearsay"
)

// Limits of what a node keeps.
const (
	maxSubjects = 256 // of members, and as many of nodes that ask to be admitted
	maxSteps    = 64  // of each: the newest, and the first of a suspicion that goes on
)

// Book keeps what has happened to members, as far as it belongs to a case.
type Book struct {
	members subjects
	askers  subjects // nodes that ask to be admitted: however many they are, nothing of a member is lost
}

// subjects keeps the newest steps of the newest subjects.
type subjects struct {
	steps map[hearsay.NodeID][]hearsay.Event
	order []hearsay.NodeID // the subject first that was new first
}

// Of gives what has happened to a member, oldest first, without its admission. It is read only, and valid until the
// next call of Note.
func (b *Book) Of(id hearsay.NodeID) []hearsay.Event { return b.members.steps[id] }

// All gives all that has happened to a node, oldest first.
func (b *Book) All(id hearsay.NodeID) []hearsay.Event {
	asked := b.askers.steps[id]
	all := append(slices.Clone(asked), b.members.steps[id]...)
	if len(asked) > 0 {
		slices.SortStableFunc(all, func(a, b hearsay.Event) int { return a.At.Compare(b.At) })
	}
	return all
}

// Find gives for each node that is meant the first event that says so.
func (b *Book) Find(is func(id hearsay.NodeID, name string) bool) (found []*hearsay.Event) {
	for _, s := range []*subjects{&b.askers, &b.members} {
		for _, id := range s.order {
			steps := s.steps[id]
			if at := slices.IndexFunc(steps, func(e hearsay.Event) bool { return is(id, e.Name) }); at >= 0 {
				found = append(found, &steps[at])
			}
		}
	}
	return found
}

// Note keeps an event that belongs to a case. That a member joined begins none: it is known from the roster.
func (b *Book) Note(e hearsay.Event) {
	switch e.Kind {
	case hearsay.EventJoined, hearsay.EventJoinFail, hearsay.EventAlone, hearsay.EventMeeting, hearsay.EventMemberJoined,
		hearsay.EventRumor, hearsay.EventLinked, hearsay.EventUnlinked, hearsay.EventProbeWanted, hearsay.EventRelayed:
		return
	}
	if e.Subject.IsZero() {
		return
	}
	_, asks := b.askers.steps[e.Subject]
	_, accused := b.members.steps[e.Subject]
	switch probed := e.Kind == hearsay.EventExamined && !accused; {
	case OfAdmission(&e), probed && asks:
		b.askers.noteAdmission(e)
		if e.Kind == hearsay.EventRuled && accused { // what follows is of another stay, whatever its date says
			b.members.note(e)
		}
	case probed && e.Verdict == hearsay.VerdictReachable: // that begins none either
	default:
		b.members.note(e)
	}
}

// note keeps an event behind those of its subject. Of many probes in a row
// that found the same, the first and the last are kept.
func (s *subjects) note(e hearsay.Event) {
	if s.steps == nil {
		s.steps = make(map[hearsay.NodeID][]hearsay.Event)
	}
	steps, known := s.steps[e.Subject]
	if !known {
		if len(s.order) >= maxSubjects {
			delete(s.steps, s.order[0])
			s.order = slices.Delete(s.order, 0, 1)
		}
		s.order = append(s.order, e.Subject)
	}
	if n := len(steps); n >= 2 && sameProbe(&steps[n-2], &e) && sameProbe(&steps[n-1], &e) {
		steps = steps[:n-1]
	}
	s.steps[e.Subject] = append(makeRoom(steps), e)
}

// sameProbe reports whether two probes found the same.
func sameProbe(a, b *hearsay.Event) bool {
	return a.Kind == hearsay.EventExamined && b.Kind == hearsay.EventExamined && a.Verdict == b.Verdict
}

// OfAdmission reports whether an event is of asking to be admitted.
func OfAdmission(e *hearsay.Event) bool {
	switch e.Kind {
	case hearsay.EventCaseOpened: // of a removal it names a stay, and of a seat nothing
		return e.Addr.IsValid()
	case hearsay.EventBallot:
		return e.Ballot.Stay.Epoch == 0 && !e.Ballot.Stay.ID.IsZero()
	case hearsay.EventCaseAborted:
		return e.Epoch == 0
	case hearsay.EventRuled:
		return e.Ruling.Kind == hearsay.RulingAdmit
	case hearsay.EventCaseRefused, hearsay.EventTurnedAway:
		return true
	}
	return false
}

// noteAdmission keeps what leads to an admission. Once it is ruled, the ledger
// has it, unless a seed was against it.
func (s *subjects) noteAdmission(e hearsay.Event) {
	steps := s.steps[e.Subject]
	switch last := len(steps) - 1; {
	case e.Kind == hearsay.EventTurnedAway && last >= 0 && steps[last].Kind == e.Kind && steps[last].Text == e.Text:
		steps[last].At = e.At // it asks again and again
		steps[last].Count++
		return
	case e.Kind == hearsay.EventRuled:
		against := func(s hearsay.Event) bool {
			return s.Kind == hearsay.EventBallot && s.Ballot.Verdict == hearsay.BallotNo
		}
		if !slices.ContainsFunc(steps, against) {
			s.drop(e.Subject)
		}
		return
	}
	s.note(e)
}

func (s *subjects) drop(id hearsay.NodeID) {
	if _, known := s.steps[id]; known {
		delete(s.steps, id)
		s.order = slices.DeleteFunc(s.order, func(o hearsay.NodeID) bool { return o == id })
	}
}

// Moment is Unix milliseconds by another node's clock, which may say anything,
// held within the years that RFC 3339 and so JSON can write.
func Moment(unixMilli int64) time.Time {
	const last = 253_402_300_799_999 // the end of the year 9999
	return time.UnixMilli(min(max(0, unixMilli), last)).UTC()
}
