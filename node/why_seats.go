package node

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hearsay"
)

// This file tells the cases of seeds. No case is opened against a seed: it is a member by the
// list of seeds. But who sits in a seat is ruled, where a seed has lost its disk, or its quorum.

// seating is a ruling that has given a node a seat, or its seat to another.
type seating struct {
	ruling *hearsay.Ruling
	seat   hearsay.Seat // as it is from then on
	before string       // the seed before it, in words
}

// seatings gives those that concern the node, oldest first.
func (s *story) seatings() (found []seating) {
	n, seats := s.n, make([]hearsay.Seat, len(s.n.seeds()))
	if seat := n.seeded.seat; seat != nil {
		copy(seats, seat.Founding())
	}
	former := s.m.Role == hearsay.RoleSeed && !n.isSeed(s.m.ID)
	for r := range n.ledger() {
		for _, seat := range r.Seats {
			if seat.Key.IsZero() || int(seat.Slot) >= len(seats) || seats[seat.Slot] == seat {
				continue
			}
			old := seats[seat.Slot]
			seats[seat.Slot] = seat
			has := seat.Key.NodeID() == s.m.ID
			had := !old.Key.IsZero() && old.Key.NodeID() == s.m.ID && old.Key != seat.Key
			if old.Key.IsZero() && former { // a peer does not know the founding
				had = n.seeds()[seat.Slot].Addr == s.m.Addr
			}
			if has || had {
				found = append(found, seating{r, seat, s.satBefore(old, seat)})
			}
		}
	}
	return found
}

// satBefore names the seed before it in a seat, as far as this node knows.
func (s *story) satBefore(old, given hearsay.Seat) string {
	if !old.Key.IsZero() {
		return s.sitter(old.Key.NodeID())
	}
	for _, m := range s.n.Members(nil) {
		if m.Role == hearsay.RoleSeed && m.Addr == s.n.seeds()[given.Slot].Addr && !s.n.isSeed(m.ID) && !s.hadSeat(m.ID) {
			return s.sitter(m.ID)
		}
	}
	return "an earlier seed"
}

// hadSeat reports whether a ruling here has given a node a seat: it did not sit there before all rulings.
func (s *story) hadSeat(id hearsay.NodeID) bool {
	for r := range s.n.ledger() {
		if slices.ContainsFunc(r.Seats, func(seat hearsay.Seat) bool { return !seat.Key.IsZero() && seat.Key.NodeID() == id }) {
			return true
		}
	}
	return false
}

// sitter names a seed by its identity, too: the next one in its seat often has its name.
func (s *story) sitter(id hearsay.NodeID) string {
	if m, known := s.n.roster.Member(id); known && m.Name != "" {
		return fmt.Sprintf("%s (id %s)", m.Name, id.Short())
	}
	return "the seed with id " + id.Short()
}

// words tells what was ruled about a seat, and by which ballots.
func (g *seating) words(s *story) string {
	r, whose := g.ruling, s.sitter(g.seat.Key.NodeID())
	if r.Kind == hearsay.RulingRecover {
		return fmt.Sprintf("slot %d has been %s's since epoch %d, in which one seed began the ledger anew by its own word; before, it was %s's", g.seat.Slot, whose, r.Epoch, g.before)
	}
	needed, of := s.decided(r)
	return fmt.Sprintf("the ruling of epoch %d gave slot %d to %s at %s, in the place of %s, as of a seed that has lost its directory: %d of %s voted for that, %s; %d were needed",
		r.Epoch, g.seat.Slot, whose, moment(r.At).Format(time.RFC3339), g.before, len(r.Ballots), of, s.votes(r.Ballots), needed)
}

// seedSummary tells of a seed.
func (s *story) seedSummary(now time.Time) (summary, nearest string) {
	needed, seeds := s.needed()
	summary = fmt.Sprintf("%s is a seed, %s since %s: a member by configuration, which no case can name.", s.m.Name, s.m.State, s.since(now))
	nearest = fmt.Sprintf("Only the list of seeds says where seeds are. Of the %d, %d must be heard for anybody to be admitted or removed, or given the seat of one that has lost its directory.", seeds, needed)
	if !s.n.isSeed(s.m.ID) {
		summary = fmt.Sprintf("%s runs as a seed, and has no seat by the ledger here.", s.sitter(s.m.ID))
		if len(s.given) > 0 {
			summary = fmt.Sprintf("%s was a seed, and has no seat now.", s.sitter(s.m.ID))
			nearest = "It would have its seat, had it kept its data directory: with that goes its key."
		}
	}
	for i := range s.given {
		words := s.given[i].words(s)
		summary += " " + strings.ToUpper(words[:1]) + words[1:] + "."
	}
	if a := s.n.Authority(); a.Why != "" {
		summary += fmt.Sprintf(" Of the seeds this node knows: %s.", a.Why)
	}
	return summary, nearest
}

// seatSteps tells the rulings about the node's seat.
func (s *story) seatSteps() (steps []hearsay.Step) {
	for i := range s.given {
		r := s.given[i].ruling
		for j := range r.Ballots {
			steps = append(steps, s.ballot(&r.Ballots[j]))
		}
		steps = append(steps, hearsay.Step{
			At: moment(r.At), Kind: hearsay.EventRuled.String(), By: "the seeds",
			Text: s.given[i].words(s), Detail: fmt.Sprintf("epoch %d, %s", r.Epoch, caseWords(r.Case)),
		})
	}
	return steps
}

// findSeats looks up who had a seat by the ledger here, and is in no roster.
func (n *Node) findSeats(digits string) (found []hearsay.Member) {
	add := func(seats []hearsay.Seat, at time.Time) {
		for _, seat := range seats {
			id := seat.Key.NodeID()
			known := slices.ContainsFunc(found, func(m hearsay.Member) bool { return m.ID == id })
			if seat.Key.IsZero() || known || !begins(id, digits) || int(seat.Slot) >= len(n.seeds()) {
				continue
			}
			m := hearsay.Member{ID: id, Name: id.Short(), Addr: n.seeds()[seat.Slot].Addr, Role: hearsay.RoleSeed, State: hearsay.StateDead, Since: at}
			found = append(found, m)
		}
	}
	if seat := n.seeded.seat; seat != nil {
		add(seat.Founding(), time.Time{})
	}
	for r := range n.ledger() {
		add(r.Seats, moment(r.At))
	}
	return found
}
