package quorum

import (
	"fmt"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// requests are what is on its way into the log.
type requests struct {
	seed *Quorum

	limitsAt time.Time // from when on it is told that others have other limits; zero: this seed was not ready yet
	asked    []asked
}

// asked is a request that the log has not answered yet.
type asked struct {
	subject hearsay.NodeID
	command ledger.Command
	until   time.Time
	retryAt time.Time
	newer   bool // than what was proposed: of a move, see Quorum.Move
}

// ask has a command put into the log, and repeats that until something has
// become of it.
func (r *requests) ask(now time.Time, subject hearsay.NodeID, c ledger.Command) hearsay.Outcome {
	if r.seed.state == nil {
		return hearsay.Outcome{Code: hearsay.OutcomeWait, Text: "the seed has no seat yet"}
	}
	if r.isAsked(subject, c.Op) {
		return r.pending()
	}
	return r.put(now, subject, c)
}

// put is ask of what may be asked twice.
func (r *requests) put(now time.Time, subject hearsay.NodeID, c ledger.Command) hearsay.Outcome {
	if len(r.asked) >= maxAsked {
		r.seed.stats.Drops[hearsay.DropTableFull]++
		return hearsay.Outcome{Code: hearsay.OutcomeWait, Text: fmt.Sprintf("%d requests wait for the log already, the most there may be; try again", maxAsked)}
	}
	a := asked{subject: subject, command: c, until: now.Add(r.seed.cfg.AdmitTimeout), retryAt: now}
	if !a.follows(r.asked) {
		a.retryAt = now.Add(r.seed.cfg.RetryEvery)
		r.seed.commits.propose(now, c)
	}
	r.asked = append(r.asked, a)
	return r.pending()
}

// follows reports whether a request waits for one of those before it: bars of one node and
// their ends come into the log in the order in which they were asked, or the one that
// was asked last might be undone by an earlier one that is proposed again.
func (a *asked) follows(before []asked) bool {
	return a.command.Bars() && slices.ContainsFunc(before, func(o asked) bool { return o.subject == a.subject && o.command.Bars() })
}

// pending answers who asks for what is on its way: without a quorum nobody knows
// for how long, and there may be a seed that hears one.
func (r *requests) pending() hearsay.Outcome {
	if !r.seed.Ready() {
		return r.noQuorum()
	}
	return hearsay.Outcome{Code: hearsay.OutcomePending}
}

// noQuorum answers that nothing can be decided now. That no quorum is heard is said once it is told (noteLeader).
func (r *requests) noQuorum() hearsay.Outcome {
	why := "no quorum of seeds is heard"
	if r.seed.led && !r.seed.lost {
		why = "the seeds elect who leads; try again"
	}
	return hearsay.Outcome{Code: hearsay.OutcomeWait, Text: why}
}

// countAsked counts the requests of a kind that are on their way into the log.
func (r *requests) countAsked(op ledger.Operation) (n int) {
	for i := range r.asked {
		if r.asked[i].command.Op == op {
			n++
		}
	}
	return n
}

// isAsked reports whether such a command is on its way into the log.
func (r *requests) isAsked(subject hearsay.NodeID, op ledger.Operation) bool {
	return slices.ContainsFunc(r.asked, func(a asked) bool { return a.subject == subject && a.command.Op == op })
}

// forget drops the requests for a case about a subject: something became of them. A move keeps its place until its
// next would be proposed.
func (r *requests) forget(subject hearsay.NodeID) (had bool) {
	r.asked = slices.DeleteFunc(r.asked, func(a asked) bool {
		about := a.subject == subject && !a.command.Bars() && a.command.Op != ledger.OpMove
		had = had || about
		return about
	})
	if move := r.moveOf(subject); move != nil && !move.newer && !r.done(&move.command) {
		move.until, had = move.retryAt, true
	}
	return had
}

// moveOf gives the move of a member that was proposed within RetryEvery, or is to be; nil if there is none.
func (r *requests) moveOf(id hearsay.NodeID) *asked {
	at := slices.IndexFunc(r.asked, func(a asked) bool { return a.subject == id && a.command.Op == ledger.OpMove })
	if at < 0 {
		return nil
	}
	return &r.asked[at]
}

// lastBarring gives what was asked last of a bar of a node, as long as it is on its way
// into the log; else 0.
func (r *requests) lastBarring(id hearsay.NodeID) (last ledger.Operation) {
	for i := range r.asked {
		if a := &r.asked[i]; a.subject == id && a.command.Bars() {
			last = a.command.Op
		}
	}
	return last
}

// Barring reports whether a bar of a node, or its end, is on its way into the log.
func (q *Quorum) Barring(id hearsay.NodeID) bool { return q.requests.lastBarring(id) != 0 }

// cameAbout drops the first request about a bar of a node, if it is what has happened now.
func (r *requests) cameAbout(id hearsay.NodeID, op ledger.Operation) {
	first := slices.IndexFunc(r.asked, func(a asked) bool { return a.subject == id && a.command.Bars() })
	if first >= 0 && r.asked[first].command.Op == op {
		r.asked = slices.Delete(r.asked, first, first+1)
	}
}

// tickAsked proposes again what may have got lost.
func (r *requests) tickAsked(now time.Time) {
	kept := r.asked[:0]
	for _, a := range r.asked {
		follows := a.follows(kept)
		over, due := !now.Before(a.until) || !follows && r.done(&a.command), !now.Before(a.retryAt)
		if over && (due || a.command.Op != ledger.OpMove) {
			continue
		}
		if !over && !follows && due {
			a.retryAt, a.newer = now.Add(r.seed.cfg.RetryEvery), false
			r.seed.commits.propose(now, a.command)
		}
		kept = append(kept, a)
	}
	clear(r.asked[len(kept):])
	r.asked = kept
}

// done reports whether the state says already what a command asks for.
func (r *requests) done(c *ledger.Command) bool {
	switch c.Op {
	case ledger.OpAdmit:
		return r.seed.state.Members.Get(c.Claim.Subject) != nil || r.seed.state.Admitting[c.Claim.Subject] != nil
	case ledger.OpRemove:
		open := r.seed.state.Removing[c.Stay.ID]
		return !r.seed.state.Members.Has(c.Stay) || open != nil && !open.OutweighedBy(c)
	case ledger.OpLeave:
		return !r.seed.state.Members.Has(c.Leave.Stay)
	case ledger.OpBar:
		_, found := r.seed.state.FindBar(c.ID)
		return found
	case ledger.OpLift:
		_, found := r.seed.state.FindBar(c.ID)
		return !found
	case ledger.OpLimits:
		return r.seed.state.HasSaid(r.seed.cfg.Slot, c.Limits.Life, c.Limits.Limits)
	case ledger.OpMove:
		m := r.seed.state.Members.Get(c.Claim.Subject)
		return m == nil || m.Claim.Incarnation >= c.Claim.Incarnation
	}
	return false
}

// Admit asks for an admission. Its caller has made sure that the claim
// came from its address: the connection's source has its IP, or holds the
// network key. A guest's claim has no key, and its subject is
// core.GuestID of its address and dialect. Who does not answer this seed's probe has no
// case, and is told of by Silent.
func (q *Quorum) Admit(now time.Time, c *hearsay.Claim) hearsay.Outcome {
	if q.state == nil {
		return hearsay.Outcome{Code: hearsay.OutcomeWait, Text: "the seed has no seat yet"}
	}
	if m := q.state.Members.Get(c.Subject); m != nil {
		if c.Incarnation > m.Claim.Incarnation && c.Card.Addr != m.Claim.Card.Addr {
			q.Move(now, c)
		}
		if !q.Ready() { // its stay may have been ended since
			return q.requests.pending()
		}
		return hearsay.Outcome{Code: hearsay.OutcomeDone, Stay: m.Stay}
	}
	if q.state.Admitting[c.Subject] != nil {
		return q.requests.pending()
	}
	if why := q.state.RefusesAdmission(c); why != "" {
		return hearsay.Outcome{Code: hearsay.OutcomeRefused, Text: why}
	}
	if why := q.requests.unfit(c); !why.IsZero() {
		return refused(why)
	}
	all, ofSource := q.joiners.ahead(c)
	if why := q.state.RefusesMore(c, q.state.Usage.TimeBy(uint8(q.cfg.Slot), now.UnixMilli()), all, ofSource); why != "" {
		q.stats.Drops[hearsay.DropTableFull]++
		return hearsay.Outcome{Code: hearsay.OutcomeRefused, Text: why, Reason: hearsay.ReasonLimits}
	}
	if q.requests.isAsked(c.Subject, ledger.OpAdmit) {
		return q.requests.pending()
	}
	return q.joiners.ask(now, c)
}

// refused answers that something will not be, and why.
func refused(why hearsay.Why) hearsay.Outcome {
	return hearsay.Outcome{Code: hearsay.OutcomeRefused, Text: why.String(), Reason: why.Reason}
}

// unfit says what is wrong with a claim, whenever it is made.
func (r *requests) unfit(c *hearsay.Claim) hearsay.Why {
	for i := range r.seed.cfg.Seeds {
		if r.seed.cfg.Seeds[i].Addr == c.Card.Addr {
			return hearsay.Why{Reason: hearsay.ReasonSeedsAddr}
		}
	}
	switch guest := c.Card.Key.IsZero(); {
	case c.Incarnation > hearsay.MaxIncarnation: // rosters refuse it, so that nobody would watch a member with it
		return hearsay.Why{Reason: hearsay.ReasonBeyondClocks}
	case c.State != hearsay.StateAlive || hearsay.CheckName(c.Card.Name) != nil || !c.Card.Addr.IsValid():
		return hearsay.Why{Reason: hearsay.ReasonMalformed}
	case guest && core.GuestDialect(r.seed.cfg.Network, c.Card.Addr, c.Subject) == 0:
		return hearsay.Why{Reason: hearsay.ReasonOthersID}
	case !guest && !c.Verify(r.seed.cfg.Network, r.seed.signer):
		return hearsay.Why{Reason: hearsay.ReasonUnsigned}
	}
	return hearsay.Why{}
}

// Report is what is brought against a member.
type Report struct {
	Stay     hearsay.Stay      // epoch 0: whatever stay the node has, as old peers report
	By       hearsay.NodeID    // which node reports it, or was asked to by an operator; zero: not known, as of guests
	Evidence *hearsay.Evidence // nil: none, so that only the seeds' own probes count
}

// short reports whether no majority of the observers stands behind a report.
func (r *Report) short() bool { return r.Evidence == nil || r.Evidence.Rule != hearsay.RuleMajority }

// unheardOf is what a seed that lags behind says of a stay that begins with an
// epoch to come: it cannot know whether that is over.
const unheardOf = "this seed has not heard of that stay yet"

// Report asks for a removal.
func (q *Quorum) Report(now time.Time, r *Report) hearsay.Outcome {
	if q.state == nil {
		return hearsay.Outcome{Code: hearsay.OutcomeWait, Text: "the seed has no seat yet"}
	}
	m, open := q.state.Members.Get(r.Stay.ID), q.state.Removing[r.Stay.ID]
	until, away := q.watches.away(r.Stay.ID)
	switch {
	case r.Stay.Epoch > q.state.Epoch:
		return hearsay.Outcome{Code: hearsay.OutcomeWait, Text: unheardOf}
	case m == nil || r.Stay.Epoch != 0 && m.Stay != r.Stay:
		return hearsay.Outcome{Code: hearsay.OutcomeDone, Text: "already removed"}
	case open != nil && (r.Evidence == nil || !open.OutweighedBy(&ledger.Command{Op: ledger.OpRemove, Stay: m.Stay, Rule: r.Evidence.Rule})), q.requests.isAsked(r.Stay.ID, ledger.OpRemove):
		return q.requests.pending()
	case away:
		return hearsay.Outcome{Code: hearsay.OutcomeWait, Text: awayUntil(until).String()}
	case r.By == q.signer.Public().NodeID() && r.short() && !q.hearing.hasHeardSince(now, r.Evidence):
		return hearsay.Outcome{Code: hearsay.OutcomeWait, Text: "this seed has not heard a quorum since it suspects the member"}
	case r.short() && now.Before(q.ballots.paused[m.Stay]):
		return hearsay.Outcome{Code: hearsay.OutcomeWait, Text: "a case about it has just ended without a ruling"}
	case now.Before(q.ballots.weighed[m.Stay]):
		return hearsay.Outcome{Code: hearsay.OutcomeWait, Text: "what its observers say has just been tried"}
	}
	c := ledger.Command{Op: ledger.OpRemove, Stay: m.Stay, Rule: hearsay.RuleTrial, By: r.By}
	if r.Evidence != nil {
		own := *r.Evidence // what came with a packet belongs to the packet
		own.Statements = slices.Clone(own.Statements)
		if why := q.ballots.unproven(now, &own, m); !why.IsZero() {
			q.stats.Drops[hearsay.DropUnproven]++
			return refused(why)
		}
		c.Rule, c.Evidence = own.Rule, &own
	}
	q.watches.watch(now, m.Stay.ID)
	return q.requests.ask(now, m.Stay.ID, c)
}

// Leave takes a member's own signed leave.
func (q *Quorum) Leave(now time.Time, l *core.Leave) hearsay.Outcome {
	if q.state == nil {
		return hearsay.Outcome{Code: hearsay.OutcomeWait, Text: "the seed has no seat yet"}
	}
	if l.Stay.Epoch > q.state.Epoch {
		return hearsay.Outcome{Code: hearsay.OutcomeWait, Text: unheardOf}
	}
	if !q.state.Members.Has(l.Stay) {
		return hearsay.Outcome{Code: hearsay.OutcomeDone, Text: "already removed"}
	}
	if key := q.state.Members.Get(l.Stay.ID).Claim.Card.Key; !l.Verify(q.Ledger(), q.signer, key) {
		q.stats.Drops[hearsay.DropBadSignature]++
		return hearsay.Outcome{Code: hearsay.OutcomeRefused, Text: "not signed by the member"}
	}
	return q.requests.ask(now, l.Stay.ID, ledger.Command{Op: ledger.OpLeave, Leave: *l})
}

// Move takes a member's newer signed claim: it has another address. A member may sign as many as it likes: one of
// them is proposed in RetryEvery, and the newest in the end.
func (q *Quorum) Move(now time.Time, c *hearsay.Claim) hearsay.Outcome {
	if q.state == nil || q.state.Members.Get(c.Subject) == nil {
		return hearsay.Outcome{Code: hearsay.OutcomeRefused, Text: "not a member"}
	}
	if why := q.requests.unfit(c); !why.IsZero() {
		q.stats.Drops[hearsay.DropBadSignature]++
		return refused(why)
	}
	if move := q.requests.moveOf(c.Subject); move != nil {
		if move.command.Claim.Incarnation < c.Incarnation { // it has gone on since
			move.command.Claim, move.until, move.newer = *c, now.Add(q.cfg.AdmitTimeout), true
		}
		return q.requests.pending()
	}
	return q.requests.ask(now, c.Subject, ledger.Command{Op: ledger.OpMove, Claim: *c})
}

// Bar asks that a node is not admitted from now. It removes nobody.
func (q *Quorum) Bar(now time.Time, id hearsay.NodeID, why string) hearsay.Outcome {
	return q.requests.askIfHeard(now, id, ledger.Command{Op: ledger.OpBar, ID: id, Why: why})
}

// Lift asks that a bar ends.
func (q *Quorum) Lift(now time.Time, id hearsay.NodeID, why string) hearsay.Outcome {
	return q.requests.askIfHeard(now, id, ledger.Command{Op: ledger.OpLift, ID: id, Why: why})
}

// askIfHeard asks only if a quorum is heard: what an operator was told to have
// failed must not be done later.
func (r *requests) askIfHeard(now time.Time, id hearsay.NodeID, c ledger.Command) hearsay.Outcome {
	if err := hearsay.CheckWhy(c.Why); err != nil {
		return hearsay.Outcome{Code: hearsay.OutcomeRefused, Text: fmt.Sprintf("the reason: %v", err)}
	}
	if r.seed.state == nil {
		return hearsay.Outcome{Code: hearsay.OutcomeWait, Text: "the seed has no seat yet"}
	}
	if !r.seed.Ready() {
		return r.noQuorum()
	}
	switch last := r.lastBarring(id); {
	case last == c.Op:
		return r.pending()
	case last == 0 && r.done(&c):
		return hearsay.Outcome{Code: hearsay.OutcomeDone}
	case last == 0 && c.Op == ledger.OpBar && len(r.seed.state.Barred) >= ledger.MaxBarred:
		return hearsay.Outcome{Code: hearsay.OutcomeRefused, Text: fmt.Sprintf("%d are barred, the most there may be; lift a bar first", ledger.MaxBarred)}
	}
	return r.put(now, id, c)
}
