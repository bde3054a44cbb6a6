package node

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"hearsay"
)

// Limits of the stories that a node keeps.
const (
	maxCases = 256 // subjects
	maxSteps = 64  // of each: the newest, and the first of a suspicion that goes on
)

// casebook keeps what happened to members about which there is a story.
type casebook struct {
	shelf
	strangers shelf // who asks to be admitted: however many they are, no story of a member goes
}

// shelf keeps the newest stories.
type shelf struct {
	steps map[hearsay.NodeID][]hearsay.Event
	order []hearsay.NodeID // oldest case first
}

// note keeps an event that belongs to a story. That a member joined begins
// none: it is known from the roster.
func (c *casebook) note(e hearsay.Event) {
	switch e.Kind {
	case hearsay.EventJoined, hearsay.EventJoinFail, hearsay.EventAlone, hearsay.EventMeeting, hearsay.EventMemberJoined,
		hearsay.EventRumor, hearsay.EventLinked, hearsay.EventUnlinked, hearsay.EventProbeWanted, hearsay.EventRelayed:
		return
	}
	if e.Subject.IsZero() {
		return
	}
	_, asks := c.strangers.steps[e.Subject]
	_, accused := c.steps[e.Subject]
	switch probed := e.Kind == hearsay.EventExamined && !accused; {
	case ofAdmission(&e), probed && asks:
		c.noteAdmission(e)
	case probed && e.Verdict == hearsay.VerdictReachable: // that begins none either
	default:
		c.shelf.note(e)
	}
}

// note keeps an event behind those of its subject. Of many probes in a row
// that found the same, the first and the last are kept.
func (s *shelf) note(e hearsay.Event) {
	if s.steps == nil {
		s.steps = make(map[hearsay.NodeID][]hearsay.Event)
	}
	steps, known := s.steps[e.Subject]
	if !known {
		if len(s.order) >= maxCases {
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

// Why tells the case of a member, given by name, NodeID or the beginning of
// its NodeID. A name of nobody gives a case file that says so; a name of
// several is an error that lists them.
func (n *Node) Why(now time.Time, name string) (hearsay.CaseFile, error) {
	found := n.find(name)
	var whole hearsay.NodeID
	if isID := whole.UnmarshalText([]byte(name)) == nil; len(found) == 0 || isID && found[0].ID != whole {
		if strangers := n.findStrangers(name); len(found) == 0 || len(strangers) > 0 {
			found = strangers // an id is meant before a name that looks like one
		}
	}
	if len(found) == 1 {
		if listed := n.find(found[0].ID.String()); len(listed) == 1 && listed[0].Name != found[0].Name {
			file := n.tellOne(now, listed[0])
			file.Summary = fmt.Sprintf("%s is called %s now. ", found[0].Name, listed[0].Name) + file.Summary
			return file, nil
		}
	}
	switch len(found) {
	case 0:
		file := hearsay.CaseFile{
			Member:  hearsay.Member{Name: name},
			Verdict: "unknown",
			Summary: fmt.Sprintf("Nobody called %s has been heard of here, or it was forgotten (%s after it died or left).", name, n.cfg.Roster.ForgetAfter),
			Steps:   []hearsay.Step{},
		}
		if n.seeded.authority != nil {
			n.tellNobody(&file)
		}
		if len(name) < idDigitsMin && isHex(name) {
			file.Summary += fmt.Sprintf(" For the beginning of an id it is too short: %d digits are needed.", idDigitsMin)
		}
		return file, nil
	case 1:
		return n.tellOne(now, found[0]), nil
	}
	listed := make([]string, len(found))
	for i, m := range found {
		listed[i] = fmt.Sprintf("%s with id %s (%s, %s)", m.Name, m.ID, m.Addr, m.State)
	}
	return hearsay.CaseFile{}, fmt.Errorf("%q: %w: %s; give an id, or more of it", name, hearsay.ErrAmbiguous, strings.Join(listed, ", "))
}

// tellOne tells the case of one member.
func (n *Node) tellOne(now time.Time, m hearsay.Member) (file hearsay.CaseFile) {
	if n.seeded.authority != nil {
		file = n.tellSeeded(now, m)
	} else {
		file = n.tell(now, m)
	}
	file.Summary += n.awayWords(now, m.ID) + n.twinWords(now, m.ID) + n.unheardWords(now, m.ID)
	return file
}

// Two processes with one identity tell others of their addresses in turn.
const (
	twinMoves    = 3               // so often a member moved: then it may be two processes. A guess: no network changes addresses so fast
	twinMovesFor = 3 * time.Minute // and as long ago at most. A guess: longer than two processes run together
)

// twinWords says that a member is two processes, as far as this node hears of that; "" if it
// hears nothing.
func (n *Node) twinWords(now time.Time, id hearsay.NodeID) string {
	if at := n.roster.Twin(now); id == n.id && at.IsValid() {
		return " But " + hearsay.TwinWords(at) + "."
	}
	moves, places := 0, []string(nil)
	for _, e := range n.cases.steps[id] {
		if e.Kind != hearsay.EventMemberMoved || now.Sub(e.At) > twinMovesFor {
			continue
		}
		if moves++; !slices.Contains(places, e.Addr.String()) {
			places = append(places, e.Addr.String())
		}
	}
	if moves < twinMoves || len(places) >= moves {
		return ""
	}
	return fmt.Sprintf(" But it has moved %d times within %s, to %s and back: two processes may run with its identity, on a data directory and a copy of it.",
		moves, twinMovesFor, list(places, "and"))
}

const (
	idDigitsMin   = 3 // of an id's beginning. Guess: fewer are often several members'
	idDigitsShown = 8 // by NodeID.Short, in tables and logs
)

// begins reports whether an id begins so.
func begins(id hearsay.NodeID, digits string) bool {
	return len(digits) >= idDigitsMin && strings.HasPrefix(id.String(), strings.ToLower(digits))
}

func isHex(text string) bool { return strings.Trim(text, "0123456789abcdefABCDEF") == "" }

// barredOf gives which of several is barred, as the only one; -1: none, or several, or this
// node does not know.
func (n *Node) barredOf(members []hearsay.Member) (at int) {
	at = -1
	for _, b := range n.Barred() {
		if i := slices.IndexFunc(members, func(m hearsay.Member) bool { return m.ID == b.ID }); i >= 0 && at >= 0 {
			return -1
		} else if i >= 0 {
			at = i
		}
	}
	return at
}

// find looks a member up: by its NodeID; by name; else by the beginning of its
// NodeID. Of several with the name the only living one is meant, or the only barred one. A name may be
// made to look like an id: if it is as many digits as tables show, a member that has such
// an id may be meant, too.
func (n *Node) find(name string) []hearsay.Member {
	var named, living, numbered []hearsay.Member
	for _, m := range n.Members(nil) {
		if m.ID.String() == name {
			return []hearsay.Member{m}
		}
		if m.Name == name {
			named = append(named, m)
			if m.State.Living() {
				living = append(living, m)
			}
		}
		if m.Name != name && begins(m.ID, name) {
			numbered = append(numbered, m)
		}
	}
	if len(living) == 1 {
		named = living
	} else if one := n.barredOf(named); len(living) == 0 && one >= 0 {
		named = named[one : one+1]
	}
	switch {
	case len(named) == 0:
		return numbered
	case len(name) >= idDigitsShown:
		return append(named, numbered...)
	}
	return named
}

// tell makes the case file of one member.
func (n *Node) tell(now time.Time, m hearsay.Member) hearsay.CaseFile {
	file := hearsay.CaseFile{Member: m, Verdict: m.State.String(), Steps: []hearsay.Step{}}
	file.Steps = append(file.Steps, hearsay.Step{
		At: n.roster.Met(m.ID), Kind: hearsay.EventMemberJoined.String(), By: n.Self().Name,
		Text: fmt.Sprintf("%s first heard of %s at %s", n.Self().Name, m.Name, m.Addr),
	})
	events := n.cases.steps[m.ID]
	for i := range events {
		if e := &events[i]; e.Kind == hearsay.EventMemberDead && e.Evidence != nil && !counted(events, e.Round, e.Evidence.Round) {
			file.Steps = append(file.Steps, n.statements(e.Evidence)...)
		}
		file.Steps = append(file.Steps, n.step(&events[i]))
	}
	slices.SortStableFunc(file.Steps, func(a, b hearsay.Step) int { return a.At.Compare(b.At) })
	file.Summary = n.summary(now, m, events)
	file.Nearest = n.nearestOpen(m, events)
	return file
}

// counted reports whether this node counted the statements of a round itself.
func counted(events []hearsay.Event, rounds ...hearsay.Round) bool {
	return slices.ContainsFunc(events, func(e hearsay.Event) bool {
		return e.Kind == hearsay.EventStatement && slices.Contains(rounds, e.Round)
	})
}

// statements tells what the observers signed, when this node did not count
// them itself. The times are the observers' own.
func (n *Node) statements(e *hearsay.Evidence) []hearsay.Step {
	steps := []hearsay.Step{{
		At: moment(e.Suspected), Kind: hearsay.EventUnreachable.String(), By: n.roster.Name(e.Accuser),
		Text: fmt.Sprintf("%s got no answer from %s, neither itself nor through others", n.accuser(e), n.roster.Name(e.Subject)),
	}}
	for i := range e.Statements {
		s := &e.Statements[i]
		steps = append(steps, hearsay.Step{
			At: moment(s.At), Kind: hearsay.EventStatement.String(), By: n.roster.Name(s.Observer),
			Text:   fmt.Sprintf("observer %s signed: %s", n.roster.Name(s.Observer), s.Verdict),
			Detail: fmt.Sprintf("round %016x", uint64(s.Round)),
		})
	}
	return steps
}

// accuser gives the name of who accused. Evidence is signed by its observers:
// who has gathered it has signed nothing, unless it is one of them, has brought
// a seed the evidence or is this node: anybody could have gathered it, and put that name there.
func (n *Node) accuser(e *hearsay.Evidence) string {
	name := n.roster.Name(e.Accuser)
	signed := func(s hearsay.Statement) bool {
		return s.Observer == e.Accuser && s.Verdict == hearsay.VerdictUnreachable
	}
	reported := func(c hearsay.Event) bool { // by a member of which a seed has checked that
		return c.Kind == hearsay.EventCaseOpened && c.By == e.Accuser && c.Evidence != nil && c.Evidence.Round == e.Round
	}
	events := n.cases.steps[e.Subject]
	own := e.Accuser == n.id && counted(events, e.Round)
	if own || slices.ContainsFunc(e.Statements, signed) || slices.ContainsFunc(events, reported) {
		return name
	}
	unsigned := func(c hearsay.Event) bool {
		return c.Kind == hearsay.EventCaseOpened && c.By.IsZero() && c.Evidence != nil && c.Evidence.Round == e.Round
	}
	if slices.ContainsFunc(events, unsigned) {
		return name + " (whose report was not signed)"
	}
	return name + " (whom the evidence names, and who has signed nothing in it)"
}

// moment is Unix milliseconds by somebody else's clock, who may say what it
// likes, held within the years that RFC 3339 and so JSON can write.
func moment(unixMilli int64) time.Time {
	const last = 253_402_300_799_999 // the end of the year 9999
	return time.UnixMilli(min(max(0, unixMilli), last)).UTC()
}

// step puts an event into words.
func (n *Node) step(e *hearsay.Event) hearsay.Step {
	me := n.Self().Name
	s := hearsay.Step{At: e.At, Kind: e.Kind.String(), By: me}
	if e.ByName != "" {
		s.By = e.ByName
	}
	if e.Round != 0 {
		s.Detail = fmt.Sprintf("round %016x", uint64(e.Round))
	}
	took := e.Took.Round(time.Millisecond)
	switch e.Kind {
	case hearsay.EventUnreachable:
		s.Text = fmt.Sprintf("%s pinged %s, and through relays (%d asked): no answer in %s", me, e.Name, e.Count, took)
		s.Detail = e.Text
	case hearsay.EventMemberSuspected:
		s.Text = fmt.Sprintf("%s is suspect: accused by %s", e.Name, s.By)
	case hearsay.EventRoundOpened:
		if folded(e) {
			s.Text = foldedWords(e)
			break
		}
		s.Text = fmt.Sprintf("%s asked the observers of %s (%d) to probe it now", me, e.Name, e.Count)
	case hearsay.EventAsked:
		if e.By == n.id {
			s.Text = fmt.Sprintf("%s is an observer of %s itself and probes it now, too", me, e.Name)
			break
		}
		s.Text = fmt.Sprintf("%s asked %s, an observer, to probe %s now", s.By, me, e.Name)
	case hearsay.EventExamined:
		s.Text = fmt.Sprintf("%s pinged %s %d times in %s: %s", me, e.Name, e.Count, took, e.Verdict)
	case hearsay.EventStatement:
		s.Text = fmt.Sprintf("observer %s signed: %s", s.By, e.Verdict)
	case hearsay.EventUndecided:
		s.Text = fmt.Sprintf("the round closed without a decision: %d against", e.Count)
	case hearsay.EventCleared:
		s.Text = fmt.Sprintf("cleared: of its observers %d reach %s", e.Count, e.Name)
	case hearsay.EventCondemned:
		s.Text = fmt.Sprintf("condemned: %d of %d observers do not reach %s; %s", e.Count, e.Evidence.Observers, e.Name, needed(e.Evidence))
	case hearsay.EventMemberDead:
		s.Text = fmt.Sprintf("%s is dead: condemned by its observers on the accusation of %s", e.Name, s.By)
	case hearsay.EventMemberReturned:
		s.By = e.Name
		s.Text = fmt.Sprintf("%s is alive by its own signed word (it was %s)", e.Name, e.State)
		s.Detail = fmt.Sprintf("incarnation %d", e.Incarnation)
	case hearsay.EventMemberMoved:
		s.Text = fmt.Sprintf("%s moved to %s", e.Name, e.Addr)
	case hearsay.EventMemberLeft:
		s.Text = fmt.Sprintf("%s left by its own signed word", e.Name)
	case hearsay.EventRefuted:
		s.Text = fmt.Sprintf("%s was claimed %s and refuted it with a higher incarnation", me, e.State)
		if e.State == hearsay.StateAlive {
			s.Text = fmt.Sprintf("%s heard that it is at %v, by %s; it took a higher incarnation", me, e.Addr, e.Text)
		}
		s.Detail = fmt.Sprintf("incarnation %d", e.Incarnation)
	case hearsay.EventClaimDelayed:
		s.Text = fmt.Sprintf("%s says that %s is dead; %s is told first and has %s to refute", s.By, e.Name, e.Name, n.cfg.Roster.DeadHold)
	case hearsay.EventSuspectFreed:
		s.Text = fmt.Sprintf("%s answered %s: the suspicion ends here", e.Name, me)
	case hearsay.EventNameConflict:
		s.Text = e.Text
	case hearsay.EventLate:
		s.Text = fmt.Sprintf("%s was paused or starved for %s and accuses nobody for now", me, took)
	case hearsay.EventUnheard, hearsay.EventHeard:
		s.Text = unheardStep(e, me)
	default:
		s.Text = cmp.Or(awayStep(e, me), e.Text)
	}
	return s
}

// needed says by which rule evidence condemned.
func needed(e *hearsay.Evidence) string {
	if e.Rule == hearsay.RuleTimeout {
		return "the suspicion ran out, and nobody reached it"
	}
	return wereWords(int(e.Needed)) + " needed"
}

// summary is the case in one paragraph.
func (n *Node) summary(now time.Time, m hearsay.Member, events []hearsay.Event) string {
	since := fmt.Sprintf("%s (%s ago)", m.Since.Format(time.RFC3339), now.Sub(m.Since).Round(time.Second))
	switch m.State {
	case hearsay.StateLeft:
		return fmt.Sprintf("%s left by its own signed word at %s.", m.Name, since)
	case hearsay.StateDead:
		return n.deathSummary(m, since)
	case hearsay.StateSuspect:
		return n.suspectSummary(m, since, events)
	}
	for i := range slices.Backward(events) {
		switch e := &events[i]; e.Kind {
		case hearsay.EventMemberReturned:
			return fmt.Sprintf("%s is alive since %s, by its own signed word with a higher incarnation; before that it was %s here.", m.Name, since, e.State)
		case hearsay.EventCleared:
			return fmt.Sprintf("%s is alive. It was accused, and cleared: %d of its observers reached it.", m.Name, e.Count)
		case hearsay.EventSuspectFreed:
			return fmt.Sprintf("%s is alive. It was suspect, and then answered %s itself.", m.Name, n.Self().Name)
		case hearsay.EventRefuted:
			if e.State == hearsay.StateAlive {
				return fmt.Sprintf("%s is this node, and heard that it is at %v, by %s.", m.Name, e.Addr, e.Text)
			}
			return fmt.Sprintf("%s is this node. It was claimed %s by %s, and refuted that.", m.Name, e.State, n.roster.Name(e.By))
		}
	}
	if m.ID == n.id && n.unheard {
		return fmt.Sprintf("%s is this node, and alive.", m.Name)
	}
	return fmt.Sprintf("%s is alive since %s, and nothing has been held against it here.", m.Name, since)
}

// deathSummary tells who decided a death.
func (n *Node) deathSummary(m hearsay.Member, since string) string {
	e := n.roster.EvidenceOf(m.ID)
	if e == nil {
		return fmt.Sprintf("%s is dead since %s; that was before this node was in, and it has not seen the evidence.", m.Name, since)
	}
	began := moment(e.Suspected)
	if seen := suspectedAt(n.cases.steps[m.ID], moment(e.Condemned)); !seen.IsZero() && seen.Before(began) {
		began = seen // who condemned it was not the first to accuse it
	}
	returns := "It returns by itself if it lives."
	if spent(m.Incarnation) {
		returns = strings.ToUpper(spentWords[:1]) + spentWords[1:]
	}
	return fmt.Sprintf("%s is dead since %s: %s got no answer from it and asked %s; %s could not reach it either; %s. "+
		"From the suspicion to the decision it took %s. %s",
		m.Name, since, n.accuser(e), observersWords(e), n.againstWords(e), needed(e),
		moment(e.Condemned).Sub(began).Round(time.Millisecond), returns)
}

// suspectSummary tells how a case stands in an open network: who accuses, and
// what the observers said so far.
func (n *Node) suspectSummary(m hearsay.Member, since string, events []hearsay.Event) string {
	accuser, reachable, against := "", 0, 0
	for i := range events {
		switch e := &events[i]; {
		case e.Kind == hearsay.EventMemberSuspected:
			if accuser = e.ByName; accuser == "" {
				accuser = n.roster.Name(e.By)
			}
		case e.Kind == hearsay.EventRoundOpened:
			reachable, against = 0, 0
		case e.Kind == hearsay.EventStatement && e.Verdict == hearsay.VerdictReachable:
			reachable++
		case e.Kind == hearsay.EventStatement && e.Verdict == hearsay.VerdictUnreachable:
			against++
		}
	}
	text := fmt.Sprintf("%s is suspect since %s", m.Name, since)
	if accuser != "" {
		text += fmt.Sprintf(": %s got no answer from it", accuser)
	}
	return text + fmt.Sprintf(". Its observers are asked; of those who answered this node %d reach it and %d do not."+
		" Nothing is decided: it is alive again as soon as it answers, and dead when a majority of its observers cannot reach it.", reachable, against)
}
