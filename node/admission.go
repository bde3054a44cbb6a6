package node

import (
	"time"

	"hearsay"
	"hearsay/casebook"
)

// This file has what the seeds have answered a peer that is not in.

// heardFor is how long a seed that has answered counts as heard. A guess: twice
// the longest that a peer waits between two questions, after it was refused.
const heardFor = 20 * time.Second

// hears reports whether a seed has answered a question for admission lately.
func (s *Seeded) hears(slot int) bool {
	if s.petitions == nil {
		return false
	}
	a := &s.petitions.Answers()[slot]
	return !a.At.IsZero() && a.Code != 0 && a.Code != hearsay.OutcomeLost && s.stepped.Sub(a.At) < heardFor
}

// Answers gives what each seed has answered last, by slot, if this node is a peer that is not in and asks to be: those
// that it has not asked have no time, nor those that it did not reach, and has heard since.
func (s *Seeded) Answers() (answers []casebook.Answer) {
	if s.petitions == nil || s.stay.Epoch != 0 || s.roster.HasLeft() {
		return nil
	}
	seats := s.authority.Seats(nil)
	for slot, a := range s.petitions.Answers() {
		answer := casebook.Answer{Addr: s.seeds()[slot].Addr, At: a.At, Since: a.Since, Code: a.Code, Text: a.Text, Reason: a.Reason}
		heard, _ := s.follower.HeardAt(slot)
		if unreached := a.Code == 0 || a.Code == hearsay.OutcomeLost; unreached && heard.After(a.At) {
			answer = casebook.Answer{Addr: answer.Addr}
		}
		if slot < len(seats) && !seats[slot].Key.IsZero() {
			m, _ := s.roster.Member(seats[slot].Key.NodeID())
			answer.Name = m.Name
		}
		answers = append(answers, answer)
	}
	return answers
}
