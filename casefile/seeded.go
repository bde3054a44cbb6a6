package casefile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/casebook"
	"hearsay/internal/when"
)

// This file tells the steps of a case of a seeded network: from the first probe that
// failed to the ruling. What the ledger says is told also where this life of the node did not see it happen.

// seeded is a case of a seeded network while it is told.
type seeded struct {
	*story
	seated   []seating // of a seed: rulings that gave it a seat, or its seat to another
	tellsBar bool      // that the member is barred has been said
}

// tell makes the case file of one node.
func (s *seeded) tell(file *hearsay.CaseFile) {
	if s.Member.Role == hearsay.RoleSeed {
		s.seated = s.seatings()
	}
	for i := range s.Seeded.Rulings {
		file.Steps = append(file.Steps, s.ruling(&s.Seeded.Rulings[i])...)
	}
	file.Steps = append(file.Steps, s.seatSteps()...)
	for i := range s.Events {
		e := &s.Events[i]
		switch e.Kind {
		case hearsay.EventRuled: // the ledger tells it, if it goes back so far
			if e.Epoch >= s.Seeded.Oldest {
				continue
			}
		case hearsay.EventBallot:
			if s.ruledBy(e) {
				continue
			}
		case hearsay.EventMemberRemoved, hearsay.EventMemberLeft: // what a ruling says
			continue
		}
		file.Steps = append(file.Steps, s.seededStep(e))
	}
	slices.SortStableFunc(file.Steps, func(a, b hearsay.Step) int { return a.At.Compare(b.At) })
	s.sum(file)
}

// ruledBy reports whether a ballot stands in a ruling that is told.
func (s *seeded) ruledBy(e *hearsay.Event) bool {
	in := func(r *hearsay.Ruling) bool {
		return slices.ContainsFunc(r.Ballots, func(b hearsay.Ballot) bool {
			return b.Case == e.Case && b.Slot == e.Ballot.Slot
		})
	}
	return slices.ContainsFunc(s.Seeded.Rulings, func(r casebook.Ruling) bool { return in(r.Ruling) }) ||
		slices.ContainsFunc(s.seated, func(g seating) bool { return in(g.ruling) })
}

// last gives the newest ruling about the node, or nil.
func (s *seeded) last() *casebook.Ruling {
	if n := len(s.Seeded.Rulings); n > 0 {
		return &s.Seeded.Rulings[n-1]
	}
	return nil
}

// seed names the seed that cast a ballot, which may have that seat no more.
func (s *seeded) seed(b *hearsay.Ballot) string {
	same := func(seat hearsay.Seat) bool { return seat.Slot == b.Slot && seat.Life == b.Life && !seat.Key.IsZero() }
	seats := s.Seeded.Seats
	now := slices.IndexFunc(seats, same)
	var key hearsay.PublicKey
	if now >= 0 {
		key = seats[now].Key
	} else if earlier := s.earlierSeats(); slices.ContainsFunc(earlier, same) {
		key = earlier[slices.IndexFunc(earlier, same)].Key
	} else if at := int(b.Slot); at < len(seats) && !seats[at].Key.IsZero() && seats[at].Life.IsZero() {
		return fmt.Sprintf("a seed in slot %d", b.Slot) // the list pins a key, and that seed was not met yet
	} else {
		return fmt.Sprintf("an earlier seed in slot %d", b.Slot)
	}
	if name, listed := s.Names[key.NodeID()]; listed {
		return name
	}
	if addrs := s.Seeded.Seeds; now >= 0 && int(b.Slot) < len(addrs) {
		return fmt.Sprintf("the seed at %v", addrs[b.Slot])
	}
	return "key " + key.Short()
}

// earlierSeats gives all seats that were given, as far back as this node knows.
func (s *seeded) earlierSeats() []hearsay.Seat {
	seats := slices.Clone(s.Seeded.Founding)
	for _, r := range s.Seeded.SeatRulings {
		seats = append(seats, r.Seats...)
	}
	return seats
}

// timing is what seeds wait for, and a remark on how this node knows.
func (s *seeded) timing() (t casebook.Timing, source string) {
	if s.Seeded.Timing.Assumed {
		return s.Seeded.Timing, " by default"
	}
	return s.Seeded.Timing, ""
}

// needed is how many equal ballots decide, of how many seeds.
func (s *seeded) needed() (quorum, seeds int) {
	seeds = len(s.Seeded.Seeds)
	return hearsay.QuorumOf(seeds), seeds
}

// quorum is how many equal ballots a ruling needed, of how many seeds: 0, if that is not known.
type quorum struct{ needed, seeds int }

// decided gives that of a ruling. How many seeds there were before one began anew is not kept; a ruling counts no more
// ballots than it needs.
func (s *seeded) decided(r *hearsay.Ruling) (q quorum) {
	for _, anew := range s.Seeded.SeatRulings {
		if anew.Kind == hearsay.RulingRecover && r.Epoch < anew.Epoch {
			return quorum{needed: len(r.Ballots)}
		}
	}
	q.needed, q.seeds = s.needed()
	return q
}

// the names the seeds behind an article.
func (q quorum) the() string {
	if q.seeds == 0 {
		return "seeds of that time"
	}
	return fmt.Sprintf("%d seeds", q.seeds)
}

// of names the seeds behind a number of them.
func (q quorum) of() string {
	if q.seeds == 0 {
		return "the " + q.the()
	}
	return q.the()
}

// ruling tells a ruling: what was reported, which seeds cast which ballots, and what
// followed.
func (s *seeded) ruling(r *casebook.Ruling) (steps []hearsay.Step) {
	if e := r.Brought; e != nil && !s.counted(e.Round) {
		steps = append(steps, s.statements(e)...)
	}
	q := s.decided(r.Ruling)
	opened := slices.ContainsFunc(s.Events, func(e hearsay.Event) bool {
		return e.Kind == hearsay.EventCaseOpened && e.Case == r.Case
	})
	if !opened && r.Kind == hearsay.RulingRemove && len(r.Ballots) > 0 {
		steps = append(steps, hearsay.Step{
			At: casebook.Moment(r.Ballots[0].At).Add(-time.Millisecond), Kind: hearsay.EventCaseOpened.String(), By: "the seeds",
			Text: s.removalWords(r.Rule, r.Brought, r.Stay.Epoch, q, s.askedWords(r.Case)), Detail: join(caseWords(r.Case)+", before the first ballot", s.byClock(&r.Ballots[0])),
		})
	}
	for i := range r.Ballots {
		steps = append(steps, s.ballot(&r.Ballots[i]))
	}
	step := hearsay.Step{At: casebook.Moment(r.At), Kind: hearsay.EventRuled.String(), By: "the seeds", Detail: fmt.Sprintf("epoch %d, %s", r.Epoch, caseWords(r.Case))}
	switch r.Kind {
	case hearsay.RulingAdmit:
		step.Text = fmt.Sprintf("ruled: %s is in from epoch %d, at %s: %d of %s checked that it answers there; %d were needed",
			s.Member.Name, r.Epoch, r.Claim.Card.Addr, len(r.Ballots), q.of(), q.needed)
	case hearsay.RulingRemove:
		step.Text = fmt.Sprintf("ruled: the stay of %s since epoch %d is over with epoch %d: %d of %s found it unreachable themselves; %d were needed",
			s.Member.Name, r.Stay.Epoch, r.Epoch, len(r.Ballots), q.of(), q.needed)
		if r.Rule == hearsay.RuleTrial {
			step.Detail += ", asked for " + s.askedWords(r.Case)
		}
	case hearsay.RulingLeave:
		step.By = s.Member.Name
		step.Text = fmt.Sprintf("the stay of %s since epoch %d is over with epoch %d, by its own signed word", s.Member.Name, r.Stay.Epoch, r.Epoch)
	}
	step.Detail = join(step.Detail, s.dated(r.Ruling))
	if r.At > 0 && len(r.Ballots) > 0 { // the ballots came first, whatever the clocks of their seeds say
		step.At = when.Later(step.At, casebook.Moment(r.Ballots[len(r.Ballots)-1].At))
	}
	return append(steps, step)
}

// askedWords says which node has brought a case without evidence. The log of the seeds names it, and no ruling does. A
// node that an operator has asked brings it in its own name; but any member may sign such a report, and a seed that
// lies names any. So that an operator has asked is known at that node alone.
func (s *seeded) askedWords(c hearsay.CaseID) string {
	at := slices.IndexFunc(s.Events, func(e hearsay.Event) bool { return e.Kind == hearsay.EventCaseOpened && e.Case == c })
	switch {
	case at < 0:
		return "by a node that is not known here, as a ruling does not name it"
	case s.Events[at].By.IsZero():
		return "by a node that the seeds' log does not name: one of an earlier program, or asked by way of a seed of an earlier version"
	case s.Events[at].By == s.Teller.ID && s.operatorAsked(s.Events[at].Epoch):
		return "by an operator at " + s.Teller.Name
	}
	return fmt.Sprintf("by %s, as the seeds' log says (an operator may have asked there)", s.by(&s.Events[at]))
}

// operatorAsked reports whether an operator has asked this node that the stay since an epoch be over.
func (s *seeded) operatorAsked(epoch hearsay.Epoch) bool {
	return slices.ContainsFunc(s.Events, func(e hearsay.Event) bool { return e.Kind == hearsay.EventRemovalAsked && e.Epoch == epoch })
}

// removalWords says by which rule a removal is tried, and how many of which nodes must
// agree.
func (s *seeded) removalWords(rule hearsay.Rule, e *hearsay.Evidence, epoch hearsay.Epoch, q quorum, asked string) string {
	t, source := s.timing()
	brought := "reported without evidence, " + asked + " (rule: trial)"
	wait := t.ShortTrial
	alone := ", and none may reach it"
	switch {
	case rule == hearsay.RuleWatch:
		brought = fmt.Sprintf("opened by a seed whose own probes it had not answered for %s as a suspect, or for %s, whatever its observers said (rule: watch)", s.shortTrial(), t.SilentFor)
	case rule == hearsay.RuleMajority:
		brought, wait, alone = "reported with its observers' statements (rule: majority)", t.Trial, ""
	case rule == hearsay.RuleTimeout:
		brought = "reported when its suspicion ran out without a majority of its observers (rule: timeout)"
	}
	switch {
	case e != nil && rule == hearsay.RuleTimeout:
		brought += fmt.Sprintf(", with %s: %d of %d observers against it, none that reaches it", plural(len(e.Statements), "statement"), e.Against(), e.Observers)
	case e != nil:
		brought += fmt.Sprintf(", %d of %d against it, %d needed", e.Against(), e.Observers, e.Needed)
	}
	return fmt.Sprintf("a case against the stay of %s since epoch %d was opened: %s. Now %d of %s must find it unreachable by their own probes, for %s%s%s",
		s.Member.Name, epoch, brought, q.needed, q.of(), wait, source, alone)
}

// ballot tells one seed's verdict.
func (s *seeded) ballot(b *hearsay.Ballot) hearsay.Step {
	by := s.seed(b)
	return hearsay.Step{
		At: casebook.Moment(b.At), Kind: hearsay.EventBallot.String(), By: by,
		Text: fmt.Sprintf("%s voted %s: %s", by, b.Verdict, b.Why), Detail: join(caseWords(b.Case), s.byClock(b)),
	}
}

// seededStep puts an event of a seeded network into words.
func (s *seeded) seededStep(e *hearsay.Event) hearsay.Step {
	if e.Kind == hearsay.EventBallot {
		return s.ballot(e.Ballot)
	}
	named := *e
	named.Name = s.Member.Name // when it happened the name may not have been known
	step := s.step(&named)
	if e.Case != 0 {
		step.Detail = caseWords(e.Case)
	}
	needed, seeds := s.needed()
	name := s.Member.Name
	switch e.Kind {
	case hearsay.EventCaseOpened:
		step.Text = s.removalWords(e.Rule, e.Evidence, e.Epoch, quorum{needed, seeds}, s.askedWords(e.Case))
		if casebook.OfAdmission(e) {
			t, _ := s.timing() // only seeds see it happen
			step.By = name
			step.Text = fmt.Sprintf("%s asked to be admitted at %s: %d of %d seeds must see that it answers there, within %s",
				name, e.Addr, needed, seeds, t.AdmitTimeout)
		} else if e.Epoch == 0 {
			step.Text = fmt.Sprintf("%s asked for its seat as a new life: %d of %d seeds must meet it at its address", name, needed, seeds)
		}
	case hearsay.EventCaseRefused, hearsay.EventTurnedAway:
		step.Text = fmt.Sprintf("refused: %s", e.Text)
		if e.Count > 0 {
			step.Text += fmt.Sprintf(" (and %d times before)", e.Count)
		}
	case hearsay.EventCaseAborted:
		step.Text = fmt.Sprintf("the case ended without a ruling: %s; %d of %d seeds would have had to say yes", e.Text, needed, seeds)
	case hearsay.EventRuled:
		step.Text = fmt.Sprintf("ruled: %s, with epoch %d", e.Text, e.Epoch)
	case hearsay.EventCondemned:
		step.Text += "; that goes to the seeds, if a quorum of them is heard"
	case hearsay.EventMemberSuspected:
		step.Text += "; it is not routed to, and a member still"
	case hearsay.EventRemovalAsked:
		step.By, step.Text = "an operator", fmt.Sprintf("an operator asked at %s that %s be removed", s.Teller.Name, name)
	case hearsay.EventBarred:
		step.Text = fmt.Sprintf("%s was barred by an operator: it is not admitted any more. Why: %s", name, orNothing(e.Text))
	case hearsay.EventLifted:
		step.Text = fmt.Sprintf("the bar of %s was lifted by an operator. Why: %s", name, orNothing(e.Text))
	case hearsay.EventSeatFounded:
		step.Text = strings.TrimSpace(fmt.Sprintf("the network was founded with %d seeds %s", e.Count, e.Text))
	case hearsay.EventLedgerForked:
		step.Text = fmt.Sprintf("%s has signed another ledger than the one here: %s", name, e.Text)
	case hearsay.EventSeatTaken:
		step.Text = fmt.Sprintf("%s has its seat among the seeds", name)
	case hearsay.EventSeatWaiting:
		step.Text = fmt.Sprintf("%s has no seat yet: %s", name, e.Text)
	}
	return step
}
