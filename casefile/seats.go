package casefile

import (
	"fmt"
	"slices"
	"time"

	"hearsay"
	"hearsay/casebook"
)

// This file tells the cases of seeds. No case is opened against a seed: it is a member by the
// list of seeds. But which node has a seat is ruled, where a seed has lost its disk, or its quorum.

// seating is a ruling that has given a node a seat, or its seat to another.
type seating struct {
	ruling *hearsay.Ruling
	seat   hearsay.Seat // as it is from then on
	before string       // the seed before it, in words
}

// seatings gives those that concern the node, oldest first.
func (s *seeded) seatings() (found []seating) {
	seeds := s.Seeded.Seeds
	seats := make([]hearsay.Seat, len(seeds))
	copy(seats, s.Seeded.Founding)
	former := !s.hasSeat(s.Member.ID)
	for _, r := range s.Seeded.SeatRulings {
		for _, seat := range r.Seats {
			if seat.Key.IsZero() || int(seat.Slot) >= len(seats) || seats[seat.Slot] == seat {
				continue
			}
			old := seats[seat.Slot]
			seats[seat.Slot] = seat
			has := seat.Key.NodeID() == s.Member.ID
			had := !old.Key.IsZero() && old.Key.NodeID() == s.Member.ID && old.Key != seat.Key
			if old.Key.IsZero() && former { // a peer does not know the founding
				had = seeds[seat.Slot] == s.Member.Addr
			}
			if has || had {
				found = append(found, seating{r, seat, s.seedBefore(old, seat)})
			}
		}
	}
	return found
}

// hasSeat reports whether a node has a seat now.
func (s *seeded) hasSeat(id hearsay.NodeID) bool { return slices.Contains(s.Seeded.Seated, id) }

// seedBefore names the seed before it in a seat, as far as this node knows.
func (s *seeded) seedBefore(old, given hearsay.Seat) string {
	if !old.Key.IsZero() {
		return s.seedWithID(old.Key.NodeID())
	}
	for _, m := range s.Seeded.Listed {
		if m.Addr == s.Seeded.Seeds[given.Slot] && !s.hasSeat(m.ID) && !s.wasGivenSeat(m.ID) {
			return s.seedWithID(m.ID)
		}
	}
	return "an earlier seed"
}

// wasGivenSeat reports whether a ruling here has given a node a seat: it did not have one before all rulings.
func (s *seeded) wasGivenSeat(id hearsay.NodeID) bool {
	return slices.ContainsFunc(s.Seeded.SeatRulings, func(r *hearsay.Ruling) bool {
		return slices.ContainsFunc(r.Seats, func(seat hearsay.Seat) bool { return !seat.Key.IsZero() && seat.Key.NodeID() == id })
	})
}

// seedWithID names a seed by its identity, too: the next one in its seat often has its name.
func (s *seeded) seedWithID(id hearsay.NodeID) string {
	if name := s.Names[id]; name != "" {
		return fmt.Sprintf("%s (id %s)", name, id.Short())
	}
	return "the seed with id " + id.Short()
}

// words tells what was ruled about a seat, and by which ballots.
func (g *seating) words(s *seeded) string {
	r, whose := g.ruling, s.seedWithID(g.seat.Key.NodeID())
	if r.Kind == hearsay.RulingRecover {
		return fmt.Sprintf("slot %d has been %s's since epoch %d, in which one seed began the ledger anew by its own word; before, it was %s's", g.seat.Slot, whose, r.Epoch, g.before)
	}
	q := s.decided(r)
	return fmt.Sprintf("the ruling of epoch %d gave slot %d to %s at %s, in the place of %s, as of a seed that has lost its directory: %d of %s voted for that, %s; %d were needed",
		r.Epoch, g.seat.Slot, whose, s.ruledAt(r), g.before, len(r.Ballots), q.of(), s.votes(r.Ballots), q.needed)
}

// seedSummary tells of a seed.
func (s *seeded) seedSummary() (summary, nearest string) {
	m := &s.Member
	needed, seeds := s.needed()
	summary = fmt.Sprintf("%s is a seed, %s since %s: a member by configuration, which no case can name.", m.Name, m.State, s.since())
	nearest = fmt.Sprintf("Only the list of seeds says where seeds are. Of the %d, %d must be heard for anybody to be admitted or removed, or given the seat of one that has lost its directory.", seeds, needed)
	if h := s.hear(); m.State == hearsay.StateSuspect && h.accuser != "" {
		summary += fmt.Sprintf(" %s got no answer from it.", h.accuser)
		nearest = "It is held alive as soon as it answers. " + nearest
	}
	if !s.hasSeat(m.ID) {
		summary = fmt.Sprintf("%s runs as a seed, and has no seat by the ledger here.", s.seedWithID(m.ID))
		if len(s.seated) > 0 {
			summary = fmt.Sprintf("%s was a seed, and has no seat now.", s.seedWithID(m.ID))
			nearest = "It would have its seat, had it kept its data directory: with that goes its key."
		}
	}
	if silent := s.Seeded.Silent; silent != nil {
		how, hint := silent.SilentWords()
		summary += fmt.Sprintf(" It %s: %s.", how, hint)
	}
	summary += s.pauseWords()
	for i := range s.seated {
		summary += " " + capital(s.seated[i].words(s)) + "."
	}
	return summary + s.ofSeeds(), nearest
}

// seatSteps tells the rulings about the node's seat.
func (s *seeded) seatSteps() (steps []hearsay.Step) {
	for i := range s.seated {
		r := s.seated[i].ruling
		for j := range r.Ballots {
			steps = append(steps, s.ballot(&r.Ballots[j]))
		}
		steps = append(steps, hearsay.Step{
			At: casebook.Moment(r.At), Kind: hearsay.EventRuled.String(), By: "the seeds",
			Text: s.seated[i].words(s), Detail: join(fmt.Sprintf("epoch %d, %s", r.Epoch, caseWords(r.Case)), s.dated(r)),
		})
	}
	return steps
}

// pauseWords says since when this node has not heard a seed that is suspect, and by which means; of one that is
// not any more, how long it was; and of the teller itself, how long it stood still, and what it has refuted since.
func (s *seeded) pauseWords() (text string) {
	me := s.Teller.Name
	if s.Member.State == hearsay.StateSuspect {
		if pinged := s.pingedInVain(); !pinged.IsZero() {
			text = fmt.Sprintf(" %s has had no answer to its own pings since %s.", me, s.sinceWords(pinged))
		}
		if heard := s.Seeded.Heard; !heard.IsZero() {
			return text + fmt.Sprintf(" By stream (TCP) %s heard it last at %s.", me, s.sinceWords(heard))
		}
		if other := s.Seeded.Other; !other.IsZero() {
			return text + fmt.Sprintf(" By stream (TCP) something else has answered %s at its address, last at %s: not the seed by the ledger here.", me, s.sinceWords(other))
		}
		return text + fmt.Sprintf(" By stream (TCP) %s has not heard it since %s itself was started.", me, me)
	}
	if s.Member.ID == s.Teller.ID {
		return s.stoodStillWords()
	}
	var began, ended time.Time
	for i := range s.Events {
		switch e := &s.Events[i]; e.Kind {
		case hearsay.EventMemberSuspected:
			if began.IsZero() || !ended.IsZero() {
				began, ended = e.At, time.Time{}
			}
		case hearsay.EventMemberReturned, hearsay.EventSuspectFreed, hearsay.EventCleared:
			ended = e.At
		}
	}
	if began.IsZero() || ended.IsZero() {
		return ""
	}
	return fmt.Sprintf(" It was suspect before, from %s to %s (%s), and then it answered.", exactly(began.UnixMilli()), s.sinceWords(ended), ended.Sub(began).Round(time.Millisecond))
}

// pingedInVain is when the first ping of this node's own went out that a suspect has not answered; zero: it knows none.
func (s *seeded) pingedInVain() (first time.Time) {
	for i := range s.Events {
		switch e := &s.Events[i]; e.Kind {
		case hearsay.EventMemberReturned, hearsay.EventSuspectFreed, hearsay.EventCleared:
			first = time.Time{}
		case hearsay.EventUnreachable:
			if first.IsZero() {
				first = e.At.Add(-e.Took)
			}
		}
	}
	return first
}

// stoodStillWords says of the seed that tells it how long it stood still last, and what it has refuted last.
func (s *seeded) stoodStillWords() (text string) {
	refuted := ""
	for i := range s.Events {
		switch e := &s.Events[i]; e.Kind {
		case hearsay.EventLate:
			text = fmt.Sprintf(" It was paused or starved for %s, until %s.", e.Took.Round(time.Millisecond), s.sinceWords(e.At))
		case hearsay.EventRefuted:
			refuted = " " + s.refutedWords(e)
		}
	}
	return text + refuted
}
