package quorum

import (
	"fmt"
	"slices"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// Answer is what can be said at once to who asks for something. What becomes
// of it is told by events about the same subject: EventCaseOpened, then
// EventRuled or EventCaseAborted; or EventCaseRefused.
type Answer struct {
	Code AnswerCode
	Stay hearsay.Stay // AnswerDone of an admission: the stay that it has
	Text string
}

// AnswerCode is what an answer comes to.
type AnswerCode uint8

// The codes.
const (
	AnswerPending AnswerCode = iota + 1 // it is on its way into the log, or being decided
	AnswerDone                          // it is so already
	AnswerRefused                       // it will not be: Text
	AnswerWait                          // not now: Text
)

// asked is a request that the log has not answered yet.
type asked struct {
	subject hearsay.NodeID
	command ledger.Command
	until   time.Time
	retryAt time.Time
}

// ask has a command put into the log, and repeats that until something has
// become of it.
func (q *Quorum) ask(now time.Time, subject hearsay.NodeID, c ledger.Command) Answer {
	if q.state == nil {
		return Answer{Code: AnswerWait, Text: "this seed has no seat yet"}
	}
	if q.isAsked(subject, c.Op) {
		return q.pending()
	}
	return q.put(now, subject, c)
}

// put is ask of what may be asked twice.
func (q *Quorum) put(now time.Time, subject hearsay.NodeID, c ledger.Command) Answer {
	if len(q.asked) >= maxAsked {
		q.drops[hearsay.DropTableFull]++
		return Answer{Code: AnswerWait, Text: fmt.Sprintf("%d requests wait for the log already, the most there may be; try again", maxAsked)}
	}
	a := asked{subject, c, now.Add(q.cfg.AdmitTimeout), now}
	if !a.follows(q.asked) {
		a.retryAt = now.Add(q.cfg.RetryEvery)
		q.propose(now, c)
	}
	q.asked = append(q.asked, a)
	return q.pending()
}

// follows reports whether a request waits for one of those before it: bars of one node and
// their ends come into the log in the order in which they were asked, or the one that
// was asked last might be undone by an earlier one that is proposed again.
func (a *asked) follows(before []asked) bool {
	return a.command.Bars() && slices.ContainsFunc(before, func(o asked) bool { return o.subject == a.subject && o.command.Bars() })
}

// pending answers who asks for what is on its way: without a quorum nobody knows
// for how long, and there may be a seed that hears one.
func (q *Quorum) pending() Answer {
	if !q.Ready() {
		return Answer{Code: AnswerWait, Text: "no quorum of seeds is heard"}
	}
	return Answer{Code: AnswerPending}
}

// isAsked reports whether such a command is on its way into the log.
func (q *Quorum) isAsked(subject hearsay.NodeID, op ledger.Operation) bool {
	return slices.ContainsFunc(q.asked, func(a asked) bool { return a.subject == subject && a.command.Op == op })
}

// forget drops the requests for a case about a subject: something became of them.
func (q *Quorum) forget(subject hearsay.NodeID) (had bool) {
	n := len(q.asked)
	q.asked = slices.DeleteFunc(q.asked, func(a asked) bool { return a.subject == subject && !a.command.Bars() })
	return len(q.asked) < n
}

// lastBarring gives what was asked last of a bar of a node, as long as it is on its way
// into the log; else 0.
func (q *Quorum) lastBarring(id hearsay.NodeID) (last ledger.Operation) {
	for i := range q.asked {
		if a := &q.asked[i]; a.subject == id && a.command.Bars() {
			last = a.command.Op
		}
	}
	return last
}

// Barring reports whether a bar of a node, or its end, is on its way into the log.
func (q *Quorum) Barring(id hearsay.NodeID) bool { return q.lastBarring(id) != 0 }

// cameAbout drops the first request about a bar of a node, if it is what has happened now.
func (q *Quorum) cameAbout(id hearsay.NodeID, op ledger.Operation) {
	first := slices.IndexFunc(q.asked, func(a asked) bool { return a.subject == id && a.command.Bars() })
	if first >= 0 && q.asked[first].command.Op == op {
		q.asked = slices.Delete(q.asked, first, first+1)
	}
}

// tickAsked proposes again what may have got lost.
func (q *Quorum) tickAsked(now time.Time) {
	kept := q.asked[:0]
	for _, a := range q.asked {
		follows := a.follows(kept)
		if !now.Before(a.until) || !follows && q.done(&a.command) {
			continue
		}
		if !follows && !now.Before(a.retryAt) {
			a.retryAt = now.Add(q.cfg.RetryEvery)
			q.propose(now, a.command)
		}
		kept = append(kept, a)
	}
	clear(q.asked[len(kept):])
	q.asked = kept
}

// done reports whether the state says already what a command asks for.
func (q *Quorum) done(c *ledger.Command) bool {
	switch c.Op {
	case ledger.OpAdmit:
		return q.state.Members.Get(c.Claim.Subject) != nil || q.state.Admitting[c.Claim.Subject] != nil
	case ledger.OpRemove:
		open := q.state.Removing[c.Stay.ID]
		return !q.state.Members.Has(c.Stay) || open != nil && !open.OutweighedBy(c)
	case ledger.OpLeave:
		return !q.state.Members.Has(c.Leave.Stay)
	case ledger.OpBar:
		_, found := q.state.FindBar(c.ID)
		return found
	case ledger.OpLift:
		_, found := q.state.FindBar(c.ID)
		return !found
	case ledger.OpLimits:
		return q.state.HasSaid(q.cfg.Slot, c.Limits.Life, c.Limits.Limits)
	case ledger.OpMove:
		m := q.state.Members.Get(c.Claim.Subject)
		return m == nil || m.Claim.Incarnation >= c.Claim.Incarnation
	}
	return false
}

// Admit asks for an admission. Its caller has made sure that the claim
// came from its address: the connection's source has its IP, or holds the
// network key. A guest's claim has no key, and its subject is
// hearsay.GuestID of its address. Who does not answer this seed's probe has no
// case, and is told of by Silent.
func (q *Quorum) Admit(now time.Time, c *hearsay.Claim) Answer {
	if q.state == nil {
		return Answer{Code: AnswerWait, Text: "this seed has no seat yet"}
	}
	if m := q.state.Members.Get(c.Subject); m != nil {
		if c.Incarnation > m.Claim.Incarnation && c.Card.Addr != m.Claim.Card.Addr {
			q.Move(now, c)
		}
		if !q.Ready() { // its stay may have been ended since
			return q.pending()
		}
		return Answer{Code: AnswerDone, Stay: m.Stay}
	}
	if q.state.Admitting[c.Subject] != nil {
		return q.pending()
	}
	if why := q.state.RefusesAdmission(c); why != "" {
		return Answer{Code: AnswerRefused, Text: why}
	}
	if why := q.unfit(c); why != "" {
		return Answer{Code: AnswerRefused, Text: why}
	}
	if why := q.state.RefusesMore(c, q.state.Usage.TimeBy(uint8(q.cfg.Slot), now.UnixMilli())); why != "" {
		q.drops[hearsay.DropTableFull]++
		return Answer{Code: AnswerRefused, Text: why}
	}
	if q.isAsked(c.Subject, ledger.OpAdmit) {
		return q.pending()
	}
	return q.knock(now, c)
}

// unfit says what is wrong with a claim, whenever it is made.
func (q *Quorum) unfit(c *hearsay.Claim) (why string) {
	for i := range q.cfg.Seeds {
		if q.cfg.Seeds[i].Addr == c.Card.Addr {
			return "its address is a seed's"
		}
	}
	switch guest := c.Card.Key.IsZero(); {
	case c.Incarnation > hearsay.MaxIncarnation: // rosters refuse it, so that nobody would watch a member with it
		return "its incarnation is beyond what any clock shows"
	case c.State != hearsay.StateAlive || hearsay.CheckName(c.Card.Name) != nil || !c.Card.Addr.IsValid():
		return "not well-formed"
	case guest && c.Subject != hearsay.GuestID(q.cfg.Network, c.Card.Addr):
		return "not its identity"
	case !guest && !c.Verify(q.cfg.Network, q.signer):
		return "not signed by itself"
	}
	return ""
}

// Report is what is brought against a member.
type Report struct {
	Stay     hearsay.Stay      // epoch 0: whatever stay the node has, as old peers report
	By       hearsay.NodeID    // who reports it; zero if nobody knows, or an operator
	Evidence *hearsay.Evidence // nil: none, so that only the seeds' own probes count
}

// short reports whether no majority of the observers stands behind a report.
func (r *Report) short() bool { return r.Evidence == nil || r.Evidence.Rule != hearsay.RuleMajority }

// unheardOf is what a seed that lags behind says of a stay that begins with an
// epoch to come: it cannot know whether that is over.
const unheardOf = "this seed has not heard of that stay yet"

// Report asks for a removal.
func (q *Quorum) Report(now time.Time, r *Report) Answer {
	if q.state == nil {
		return Answer{Code: AnswerWait, Text: "this seed has no seat yet"}
	}
	m, open := q.state.Members.Get(r.Stay.ID), q.state.Removing[r.Stay.ID]
	until, away := q.away(r.Stay.ID)
	switch {
	case r.Stay.Epoch > q.state.Epoch:
		return Answer{Code: AnswerWait, Text: unheardOf}
	case m == nil || r.Stay.Epoch != 0 && m.Stay != r.Stay:
		return Answer{Code: AnswerDone, Text: "already removed"}
	case open != nil && (r.Evidence == nil || !open.OutweighedBy(&ledger.Command{Op: ledger.OpRemove, Stay: m.Stay, Rule: r.Evidence.Rule})), q.isAsked(r.Stay.ID, ledger.OpRemove):
		return q.pending()
	case away:
		return Answer{Code: AnswerWait, Text: awayUntil(until)}
	case r.short() && now.Before(q.paused[m.Stay]):
		return Answer{Code: AnswerWait, Text: "a case about it has just ended without a ruling"}
	case now.Before(q.weighed[m.Stay]):
		return Answer{Code: AnswerWait, Text: "what its observers say has just been tried"}
	}
	c := ledger.Command{Op: ledger.OpRemove, Stay: m.Stay, Rule: hearsay.RuleTrial, By: r.By}
	if r.Evidence != nil {
		own := *r.Evidence // what came with a packet belongs to the packet
		own.Statements = slices.Clone(own.Statements)
		if why := q.unproven(now, &own, m); why != "" {
			q.drops[hearsay.DropUnproven]++
			return Answer{Code: AnswerRefused, Text: why}
		}
		c.Rule, c.Evidence = own.Rule, &own
	}
	q.watch(now, m.Stay.ID)
	return q.ask(now, m.Stay.ID, c)
}

// Leave takes a member's own signed leave.
func (q *Quorum) Leave(now time.Time, l *hearsay.Leave) Answer {
	if q.state == nil {
		return Answer{Code: AnswerWait, Text: "this seed has no seat yet"}
	}
	if l.Stay.Epoch > q.state.Epoch {
		return Answer{Code: AnswerWait, Text: unheardOf}
	}
	if !q.state.Members.Has(l.Stay) {
		return Answer{Code: AnswerDone, Text: "already removed"}
	}
	if key := q.state.Members.Get(l.Stay.ID).Claim.Card.Key; !l.Verify(q.Ledger(), q.signer, key) {
		q.drops[hearsay.DropBadSignature]++
		return Answer{Code: AnswerRefused, Text: "not signed by the member"}
	}
	return q.ask(now, l.Stay.ID, ledger.Command{Op: ledger.OpLeave, Leave: *l})
}

// Move takes a member's newer signed claim: it has another address.
func (q *Quorum) Move(now time.Time, c *hearsay.Claim) Answer {
	if q.state == nil || q.state.Members.Get(c.Subject) == nil {
		return Answer{Code: AnswerRefused, Text: "not a member"}
	}
	if why := q.unfit(c); why != "" {
		q.drops[hearsay.DropBadSignature]++
		return Answer{Code: AnswerRefused, Text: why}
	}
	q.asked = slices.DeleteFunc(q.asked, func(a asked) bool { // it has gone on since
		return a.subject == c.Subject && a.command.Op == ledger.OpMove && a.command.Claim.Incarnation < c.Incarnation
	})
	return q.ask(now, c.Subject, ledger.Command{Op: ledger.OpMove, Claim: *c})
}

// Bar asks that a node is not admitted from now. It removes nobody.
func (q *Quorum) Bar(now time.Time, id hearsay.NodeID, why string) Answer {
	return q.askIfHeard(now, id, ledger.Command{Op: ledger.OpBar, ID: id, Why: why})
}

// Lift asks that a bar ends.
func (q *Quorum) Lift(now time.Time, id hearsay.NodeID, why string) Answer {
	return q.askIfHeard(now, id, ledger.Command{Op: ledger.OpLift, ID: id, Why: why})
}

// askIfHeard asks only if a quorum is heard: what an operator was told to have
// failed must not be done later.
func (q *Quorum) askIfHeard(now time.Time, id hearsay.NodeID, c ledger.Command) Answer {
	if err := hearsay.CheckWhy(c.Why); err != nil {
		return Answer{Code: AnswerRefused, Text: fmt.Sprintf("the reason: %v", err)}
	}
	if q.state == nil {
		return Answer{Code: AnswerWait, Text: "this seed has no seat yet"}
	}
	if !q.Ready() {
		return Answer{Code: AnswerWait, Text: "no quorum of seeds is heard"}
	}
	switch last := q.lastBarring(id); {
	case last == c.Op:
		return q.pending()
	case last == 0 && q.done(&c):
		return Answer{Code: AnswerDone}
	case last == 0 && c.Op == ledger.OpBar && len(q.state.Barred) >= ledger.MaxBarred:
		return Answer{Code: AnswerRefused, Text: fmt.Sprintf("%d are barred, the most there may be; lift a bar first", ledger.MaxBarred)}
	}
	return q.put(now, id, c)
}

// clip shortens a reason to its limit.
func clip(why string) string { return why[:min(len(why), hearsay.MaxWhyLen)] }
