package quorum

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"hearsay"
	"hearsay/ledger"
	"hearsay/ring"
)

// trial is this seed's own check of an open case.
type trial struct {
	began   time.Time // when this seed learned of the case
	checked bool
	unfit   string // what the check found wrong, without any probe
	ballot  hearsay.Ballot
	castAt  time.Time // when the ballot was proposed last; zero: there is none yet
}

// forgetTrials begins anew: another state takes the place of this one.
func (q *Quorum) forgetTrials() {
	q.trials, q.watched = make(map[hearsay.CaseID]*trial), make(map[hearsay.NodeID]*watch)
	q.knocks = make(map[hearsay.NodeID]*knock)
	q.probing, q.first, q.probes = 0, nil, nil
}

// try begins this seed's own check of a case.
func (q *Quorum) try(now time.Time, c *ledger.Case) {
	q.trials[c.ID] = &trial{began: now}
	switch c.Opening.Op {
	case ledger.OpAdmit:
		id, addr := c.Opening.Claim.Subject, c.Opening.Claim.Card.Addr
		if w := q.watched[id]; w == nil || w.addr != addr || !w.answered || now.Sub(w.reached) >= admitPatience {
			q.unwatch(now, id) // what answered before may have been elsewhere, or long ago
		}
		delete(q.knocks, id) // it asked another seed, too, which was faster
		q.watchAt(now, id, addr)
	case ledger.OpRemove:
		q.watch(now, c.Opening.Stay.ID)
	case ledger.OpSeat:
		if int(c.Opening.Seat.Slot) != q.cfg.Slot {
			q.askSeat(now, int(c.Opening.Seat.Slot))
		}
	}
	if !q.quiet {
		q.consider(now, c)
	}
}

// tickTrials casts ballots whose time has come, and proposes again what may have
// got lost.
func (q *Quorum) tickTrials(now time.Time) {
	q.tickWatches(now)
	for _, c := range q.state.Cases {
		q.consider(now, c)
	}
	over := func(_ hearsay.Stay, until time.Time) bool { return !now.Before(until) }
	maps.DeleteFunc(q.paused, over)
	maps.DeleteFunc(q.weighed, over)
}

// consider casts this seed's ballot on a case as soon as it has one, and
// repeats it until it is an entry of the log.
func (q *Quorum) consider(now time.Time, c *ledger.Case) {
	t := q.trials[c.ID]
	if t == nil || !q.Seated() || c.BallotOf(uint8(q.cfg.Slot)) != nil {
		return
	}
	if t.castAt.IsZero() {
		verdict, why := q.judge(now, c, t)
		if verdict == 0 {
			return
		}
		t.ballot = hearsay.Ballot{
			Case: c.ID, About: c.About, Stay: c.Stay(), Slot: uint8(q.cfg.Slot), Life: q.life,
			Verdict: verdict, Why: clip(why), At: now.UnixMilli(),
		}
		t.ballot.Sign(q.Ledger(), q.signer)
	} else if now.Sub(t.castAt) < q.cfg.RetryEvery {
		return
	}
	t.castAt = now
	q.propose(now, ledger.Command{Op: ledger.OpBallot, Ballot: t.ballot})
}

// judge gives this seed's own verdict on a case, or none yet.
func (q *Quorum) judge(now time.Time, c *ledger.Case, t *trial) (hearsay.BallotVerdict, string) {
	if !t.checked {
		t.checked = true
		switch c.Opening.Op {
		case ledger.OpAdmit:
			t.unfit = q.unfit(&c.Opening.Claim)
		case ledger.OpRemove:
			if m := q.state.Members.Get(c.Opening.Stay.ID); m != nil && c.Opening.Evidence != nil {
				t.unfit = q.unproven(now, c.Opening.Evidence, m)
			}
		}
	}
	if c.Opening.Evidence != nil && t.unfit == "" {
		if m := q.state.Members.Get(c.Opening.Stay.ID); m != nil && c.Opening.Evidence.Incarnation < q.newest(m) {
			t.unfit = refuted // since the check
		}
	}
	if t.unfit != "" {
		return hearsay.BallotNo, t.unfit
	}
	switch c.Opening.Op {
	case ledger.OpAdmit:
		return q.judgeAdmission(now, c, t)
	case ledger.OpRemove:
		return q.judgeRemoval(now, c, t)
	}
	return q.judgeSeat(now, c)
}

// admitPatience is how long one who asks to be admitted may be silent at its
// address before this seed says no: most of the time that a case has.
const admitPatience = 3 * time.Second

func (q *Quorum) judgeAdmission(now time.Time, c *ledger.Case, t *trial) (hearsay.BallotVerdict, string) {
	w := q.watched[c.Opening.Claim.Subject]
	switch {
	case w == nil:
		return 0, ""
	case w.answered:
		return hearsay.BallotYes, fmt.Sprintf("it answers at %v", w.addr)
	case !w.failing.IsZero() && now.Sub(t.began) >= admitPatience:
		return hearsay.BallotNo, q.noAnswer(w.addr)
	}
	return 0, ""
}

// A ballot for a removal rests on probes the newest of which ended at most so long
// ago: how long a trial is does not make older ones count. Guesses: four probes
// that come as ProbeEvery has them; and of a short report, which is the kind that
// comes when most members die at once, what probing four hundred takes, maxProbing
// at a time.
const (
	freshFor      = 2 * time.Second
	freshForShort = 8 * time.Second
)

func (q *Quorum) judgeRemoval(now time.Time, c *ledger.Case, t *trial) (hearsay.BallotVerdict, string) {
	if until, away := q.away(c.Opening.Stay.ID); away {
		return hearsay.BallotNo, awayUntil(until)
	}
	w := q.watched[c.Opening.Stay.ID]
	if w == nil {
		return 0, ""
	}
	trial, fresh := q.cfg.Trial, freshFor
	if c.Short() {
		trial, fresh = q.cfg.ShortTrial, freshForShort
	}
	switch {
	case w.answered && !w.reached.Before(t.began):
		return hearsay.BallotNo, fmt.Sprintf("it answers at %v", w.addr)
	case q.silence(w) < trial || now.Sub(w.failed) > fresh:
		return 0, ""
	}
	return hearsay.BallotYes, fmt.Sprintf("no answer from %v for %v", w.addr, now.Sub(w.since).Round(time.Millisecond))
}

// awayUntil says why nothing is done against a member that is away.
func awayUntil(until time.Time) string {
	return fmt.Sprintf("it has said that its process is started again: it has until %s", until.UTC().Format(time.TimeOnly))
}

const refuted = "it has refuted that"

// newest is the newest incarnation of a member, as it is listed or as the log has it.
func (q *Quorum) newest(m *ledger.Member) hearsay.Incarnation {
	if q.directory.Incarnation == nil {
		return m.Claim.Incarnation
	}
	return max(m.Claim.Incarnation, q.directory.Incarnation(m.Stay.ID))
}

// signed is the newest incarnation that a member is known to have signed, also in a word of an
// address that has not answered. It may have moved and died, so that nothing ever answers
// there, and where this seed's clock is behind, its time alone allows too little.
func (q *Quorum) signed(m *ledger.Member) hearsay.Incarnation {
	if q.directory.Signed == nil {
		return 0
	}
	return q.directory.Signed(m.Stay.ID)
}

// unproven says why evidence does not hold against a member, if it does not:
// statements of one round, signed by observers that this seed's roster
// assigns, of what the member is now; a majority of them, or, when the
// suspicion ran out, as many as there are, but none by anybody who reaches it.
// What it lacks then is made up for by the longer trial (see openCase.short).
func (q *Quorum) unproven(now time.Time, e *hearsay.Evidence, m *ledger.Member) (why string) {
	newest := q.newest(m)
	if e.Subject != m.Stay.ID {
		return "evidence about another"
	}
	if e.Incarnation < newest {
		return refuted
	}
	if e.Incarnation > max(newest, q.signed(m), hearsay.Incarnation(now.UnixMilli())) {
		return "of an incarnation that it cannot have" // to come back it would have to go beyond that
	}
	witnesses := q.state.Members.Witnesses(e.Subject)
	observers := ring.Observers(nil, e.Subject, ring.Of(witnesses), min(q.cfg.Observers, len(witnesses)))
	against := 0
	for i := range e.Statements {
		s := &e.Statements[i]
		repeated := slices.ContainsFunc(e.Statements[:i], func(o hearsay.Statement) bool { return o.Observer == s.Observer })
		if repeated || !slices.Contains(observers, s.Observer) {
			continue
		}
		if !s.Verify(q.Ledger(), q.signer, q.state.Members.Get(s.Observer).Claim.Card.Key) {
			return "a statement that its observer did not sign"
		}
		if s.Verdict == hearsay.VerdictUnreachable {
			against++
		}
	}
	needed := len(observers)/2 + 1
	switch {
	case e.Rule == hearsay.RuleTimeout && e.Reachable() > 0:
		return "an observer reaches it"
	case e.Rule != hearsay.RuleTimeout && against < needed:
		return fmt.Sprintf("%d of %d observers against it, %d needed", against, len(observers), needed)
	}
	return ""
}
