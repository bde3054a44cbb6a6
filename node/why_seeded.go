package node

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/ledger"
	"hearsay/quorum"
)

// This file tells the cases of a seeded network: from the first probe that
// failed to the ruling. What the ledger says stands in the story also where
// nobody of this node's life saw it happen.

// ofAdmission reports whether an event is of asking to be admitted.
func ofAdmission(e *hearsay.Event) bool {
	switch e.Kind {
	case hearsay.EventCaseOpened:
		return e.Text == hearsay.RulingAdmit.String()
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
// tells it, unless a seed was against it.
func (c *casebook) noteAdmission(e hearsay.Event) {
	steps := c.strangers.steps[e.Subject]
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
			c.strangers.drop(e.Subject)
		}
		return
	}
	c.strangers.note(e)
}

func (s *shelf) drop(id hearsay.NodeID) {
	if _, known := s.steps[id]; known {
		delete(s.steps, id)
		s.order = slices.DeleteFunc(s.order, func(o hearsay.NodeID) bool { return o == id })
	}
}

// Limits of what those who are turned away cause.
const (
	turnedEvery = time.Second // so often are they counted anew
	maxTurned   = 5           // told as events in this time; the rest is only kept
)

// turnAway tells that somebody may not even have a case, and why. A claim that
// nobody signed is nobody's, but for a guest's, which has no key.
func (n *Node) turnAway(now time.Time, c *hearsay.Claim, why string) {
	guest := c.Bare() && c.Subject == hearsay.GuestID(n.cfg.Network, c.Card.Addr)
	if !guest && !c.Verify(n.cfg.Network, n.signer) || hearsay.CheckName(c.Card.Name) != nil {
		return
	}
	e := hearsay.Event{
		At: now, Kind: hearsay.EventTurnedAway, Subject: c.Subject, Name: c.Card.Name, Addr: c.Card.Addr, Incarnation: c.Incarnation, Text: why,
	}
	s := &n.seeded
	if now.Sub(s.turnedAt) >= turnedEvery {
		s.turnedAt, s.turned = now, 0
	}
	if s.turned++; s.turned > maxTurned {
		n.cases.note(e)
		return
	}
	n.out.Events = append(n.out.Events, e)
}

// findStrangers looks somebody up who is in no roster: who has asked to be in,
// or was in as far as the ledger here goes back. In an open network nobody is that.
func (n *Node) findStrangers(name string) (found []hearsay.Member) {
	if n.seeded.authority == nil {
		return nil
	}
	is := func(id hearsay.NodeID, called string) bool {
		return called == name || begins(id, name)
	}
	add := func(m hearsay.Member) {
		if at := slices.IndexFunc(found, func(o hearsay.Member) bool { return o.ID == m.ID }); at < 0 {
			found = append(found, m)
		} else if m.Since.After(found[at].Since) {
			found[at] = m
		}
	}
	for r := range n.ledger() {
		if r.Kind == hearsay.RulingAdmit && is(r.Stay.ID, r.Claim.Card.Name) {
			add(r.Claim.Member(moment(r.At)))
		}
	}
	for _, books := range []*shelf{&n.cases.strangers, &n.cases.shelf} {
		for _, id := range books.order {
			for i := range books.steps[id] {
				if e := &books.steps[id][i]; is(id, e.Name) {
					add(hearsay.Member{ID: id, Name: e.Name, Addr: e.Addr, Role: hearsay.RolePeer, Incarnation: e.Incarnation, Since: e.At})
					break
				}
			}
		}
	}
	for _, m := range n.findSeats(name) {
		add(m)
	}
	if s := n.seeded.seat; s != nil {
		for _, b := range s.Barred(nil) {
			if is(b.ID, "") {
				add(hearsay.Member{ID: b.ID, Name: n.roster.Name(b.ID), Role: hearsay.RolePeer, Since: moment(b.At)})
			}
		}
	}
	return found
}

// ledger gives the rulings that this node has in memory, oldest first.
func (n *Node) ledger() func(yield func(*hearsay.Ruling) bool) {
	const page = 1024 // rulings
	return func(yield func(*hearsay.Ruling) bool) {
		a := n.seeded.authority
		for after := a.Oldest() - 1; ; {
			items := a.Rulings(after, page)
			if len(items) == 0 {
				return
			}
			for _, r := range items {
				if !yield(r) {
					return
				}
				after = r.Epoch
			}
		}
	}
}

// story is all that this node has of one node of a seeded network.
type story struct {
	n        *Node
	m        hearsay.Member
	events   []hearsay.Event   // oldest first
	rulings  []*hearsay.Ruling // about it, oldest first
	given    []seating         // of a seed
	promises []hearsay.Promise // made in words so far
	seats    []hearsay.Seat
	sat      []hearsay.Seat // who was given a seat before, as far as this node has it
	bar      *hearsay.Bar   // on a seed, if it is barred
	anew     hearsay.Epoch  // when one seed began anew by its own word, 0 if none did: before, others decided
}

func (n *Node) storyOf(m hearsay.Member) *story {
	s := &story{n: n, m: m, seats: n.seeded.authority.Seats(nil)}
	if seat := n.seeded.seat; seat != nil {
		s.sat = seat.Founding()
	}
	for r := range n.ledger() {
		s.sat = append(s.sat, r.Seats...)
		if r.Kind == hearsay.RulingRecover {
			s.anew = r.Epoch
		}
		if r.Stay.ID == m.ID {
			s.rulings = append(s.rulings, r)
		}
	}
	if m.Role == hearsay.RoleSeed {
		s.given = s.seatings()
	}
	s.events = append(slices.Clone(n.cases.strangers.steps[m.ID]), n.cases.steps[m.ID]...)
	slices.SortStableFunc(s.events, func(a, b hearsay.Event) int { return a.At.Compare(b.At) })
	if seat := n.seeded.seat; seat != nil {
		for _, b := range seat.Barred(nil) {
			if b.ID == m.ID {
				s.bar = &b
			}
		}
	}
	return s
}

// tellSeeded makes the case file of one node of a seeded network.
func (n *Node) tellSeeded(now time.Time, m hearsay.Member) hearsay.CaseFile {
	s := n.storyOf(m)
	file := hearsay.CaseFile{Member: m, Verdict: m.State.String(), Steps: []hearsay.Step{}}
	for _, r := range s.rulings {
		file.Steps = append(file.Steps, s.ruling(r)...)
	}
	file.Steps = append(file.Steps, s.seatSteps()...)
	for i := range s.events {
		e := &s.events[i]
		switch e.Kind {
		case hearsay.EventRuled: // the ledger tells it, if it goes back so far
			if e.Epoch >= n.seeded.authority.Oldest() {
				continue
			}
		case hearsay.EventBallot:
			if s.counted(e) {
				continue
			}
		case hearsay.EventMemberRemoved, hearsay.EventMemberLeft: // what a ruling says
			continue
		}
		file.Steps = append(file.Steps, s.step(e))
	}
	slices.SortStableFunc(file.Steps, func(a, b hearsay.Step) int { return a.At.Compare(b.At) })
	s.sum(now, &file)
	file.Promises = s.promises
	return file
}

// counted reports whether a ballot stands in a ruling that is told.
func (s *story) counted(e *hearsay.Event) bool {
	in := func(r *hearsay.Ruling) bool {
		return slices.ContainsFunc(r.Ballots, func(b hearsay.Ballot) bool {
			return b.Case == e.Case && b.Slot == e.Ballot.Slot
		})
	}
	return slices.ContainsFunc(s.rulings, in) || slices.ContainsFunc(s.given, func(g seating) bool { return in(g.ruling) })
}

// last gives the newest ruling about the node, or nil.
func (s *story) last() *hearsay.Ruling {
	if len(s.rulings) == 0 {
		return nil
	}
	return s.rulings[len(s.rulings)-1]
}

// evidence gives what was reported before a ruling, if it is here.
func (s *story) evidence(r *hearsay.Ruling) *hearsay.Evidence {
	if r.Evidence.IsZero() {
		return nil
	}
	if seat := s.n.seeded.seat; seat != nil {
		if e := seat.EvidenceOf(r.Epoch); e != nil {
			return e
		}
	}
	for i := range s.events {
		if e := s.events[i].Evidence; e != nil && e.Hash(s.n.cfg.Network) == r.Evidence {
			return e
		}
	}
	return s.n.roster.Evidence(r.Evidence)
}

// seed names the seed that cast a ballot, which may sit there no more.
func (s *story) seed(b *hearsay.Ballot) string {
	same := func(seat hearsay.Seat) bool { return seat.Slot == b.Slot && seat.Life == b.Life && !seat.Key.IsZero() }
	now := slices.IndexFunc(s.seats, same)
	var key hearsay.PublicKey
	if then := slices.IndexFunc(s.sat, same); now >= 0 {
		key = s.seats[now].Key
	} else if then >= 0 {
		key = s.sat[then].Key
	} else if at := int(b.Slot); at < len(s.seats) && !s.seats[at].Key.IsZero() && s.seats[at].Life.IsZero() {
		return fmt.Sprintf("a seed in slot %d", b.Slot) // the list pins a key, and that seed was not met yet
	} else {
		return fmt.Sprintf("an earlier seed in slot %d", b.Slot)
	}
	if m, known := s.n.roster.Member(key.NodeID()); known {
		return m.Name
	}
	if seeds := s.n.seeds(); now >= 0 && int(b.Slot) < len(seeds) {
		return fmt.Sprintf("the seed at %v", seeds[b.Slot].Addr)
	}
	return "key " + key.Short()
}

// seedIn names who sits in a slot now.
func (s *story) seedIn(slot uint8) string {
	if int(slot) < len(s.seats) && !s.seats[slot].Key.IsZero() {
		return s.seed(&hearsay.Ballot{Slot: slot, Life: s.seats[slot].Life})
	}
	if seeds := s.n.seeds(); int(slot) < len(seeds) {
		return fmt.Sprintf("the seed at %v", seeds[slot].Addr)
	}
	return fmt.Sprintf("seed %d", slot)
}

// seeds gives the configured seeds.
func (n *Node) seeds() []ledger.Seed {
	if n.seeded.seat != nil {
		return n.cfg.Quorum.Seeds
	}
	return n.cfg.Follower.Seeds
}

// timing is what seeds wait for. A peer tells the defaults, and says so: it does
// not know the seeds' own settings.
func (n *Node) timing() (q quorum.Config, source string) {
	if n.seeded.seat != nil {
		return n.cfg.Quorum, ""
	}
	return quorum.DefaultConfig(), " by default"
}

// needed is how many equal ballots decide, of how many seeds.
func (s *story) needed() (quorum, seeds int) {
	seeds = len(s.n.seeds())
	return hearsay.QuorumOf(seeds), seeds
}

// decided is how many equal ballots a ruling needed, and of which seeds. How many seeds
// there were before one began anew is not kept; a ruling counts no more ballots
// than it needs.
func (s *story) decided(r *hearsay.Ruling) (quorum int, of string) {
	if r.Epoch < s.anew {
		return len(r.Ballots), "the seeds of that time"
	}
	quorum, seeds := s.needed()
	return quorum, fmt.Sprintf("%d seeds", seeds)
}

// ruling tells a ruling: what was reported, who cast which ballot, and what
// followed.
func (s *story) ruling(r *hearsay.Ruling) (steps []hearsay.Step) {
	if e := s.evidence(r); e != nil && !counted(s.events, e.Round) {
		steps = append(steps, s.n.statements(e)...)
	}
	needed, of := s.decided(r)
	opened := slices.ContainsFunc(s.events, func(e hearsay.Event) bool {
		return e.Kind == hearsay.EventCaseOpened && e.Case == r.Case
	})
	if !opened && r.Kind == hearsay.RulingRemove && len(r.Ballots) > 0 {
		steps = append(steps, hearsay.Step{
			At: moment(r.Ballots[0].At).Add(-time.Millisecond), Kind: hearsay.EventCaseOpened.String(), By: "the seeds",
			Text: s.removalWords(r.Rule, s.evidence(r), r.Stay.Epoch, needed, of), Detail: caseWords(r.Case) + ", before the first ballot",
		})
	}
	for i := range r.Ballots {
		steps = append(steps, s.ballot(&r.Ballots[i]))
	}
	step := hearsay.Step{At: moment(r.At), Kind: hearsay.EventRuled.String(), By: "the seeds", Detail: fmt.Sprintf("epoch %d, %s", r.Epoch, caseWords(r.Case))}
	switch r.Kind {
	case hearsay.RulingAdmit:
		step.Text = fmt.Sprintf("ruled: %s is in from epoch %d, at %s: %d of %s checked that it answers there; %d were needed",
			s.m.Name, r.Epoch, r.Claim.Card.Addr, len(r.Ballots), of, needed)
	case hearsay.RulingRemove:
		step.Text = fmt.Sprintf("ruled: the stay of %s since epoch %d is over with epoch %d: %d of %s found it unreachable themselves; %d were needed",
			s.m.Name, r.Stay.Epoch, r.Epoch, len(r.Ballots), of, needed)
	case hearsay.RulingLeave:
		step.By = s.m.Name
		step.Text = fmt.Sprintf("the stay of %s since epoch %d is over with epoch %d, by its own signed word", s.m.Name, r.Stay.Epoch, r.Epoch)
	}
	if r.At > 0 && len(r.Ballots) > 0 { // the ballots came first, whatever the clocks of their seeds say
		step.At = laterOf(step.At, moment(r.Ballots[len(r.Ballots)-1].At))
	}
	return append(steps, step)
}

func laterOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func caseWords(c hearsay.CaseID) string { return fmt.Sprintf("case %d", uint64(c)) }

// removalWords says by which rule a removal is tried, and how many of which nodes must
// agree.
func (s *story) removalWords(rule hearsay.Rule, e *hearsay.Evidence, epoch hearsay.Epoch, needed int, of string) string {
	t, source := s.n.timing()
	brought := "reported without evidence (rule: trial)"
	wait := t.ShortTrial
	alone := ", and none may reach it"
	switch {
	case rule == hearsay.RuleWatch:
		brought = fmt.Sprintf("opened by a seed whose own probes it had not answered for %s%s as a suspect, or for %s, whatever its observers said (rule: watch)", t.ShortTrial, source, t.SilentFor)
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
		s.m.Name, epoch, brought, needed, of, wait, source, alone)
}

// ballot tells one seed's verdict.
func (s *story) ballot(b *hearsay.Ballot) hearsay.Step {
	by := s.seed(b)
	return hearsay.Step{
		At: moment(b.At), Kind: hearsay.EventBallot.String(), By: by,
		Text: fmt.Sprintf("%s voted %s: %s", by, b.Verdict, b.Why), Detail: caseWords(b.Case),
	}
}

// step puts an event of a seeded network into words.
func (s *story) step(e *hearsay.Event) hearsay.Step {
	if e.Kind == hearsay.EventBallot {
		return s.ballot(e.Ballot)
	}
	named := *e
	named.Name = s.m.Name // when it happened the name may not have been known
	step := s.n.step(&named)
	if e.Case != 0 {
		step.Detail = caseWords(e.Case)
	}
	needed, seeds := s.needed()
	name := s.m.Name
	switch e.Kind {
	case hearsay.EventCaseOpened:
		step.Text = s.removalWords(e.Rule, e.Evidence, e.Epoch, needed, fmt.Sprintf("%d seeds", seeds))
		if ofAdmission(e) {
			t, _ := s.n.timing() // only seeds see it happen
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
		step.Text += "; that is reported to the seeds"
	case hearsay.EventMemberSuspected:
		step.Text += "; it is not routed to, and a member still"
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

func orNothing(why string) string {
	if why == "" {
		return "nothing was said"
	}
	return why
}
