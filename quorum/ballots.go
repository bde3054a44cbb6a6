package quorum

import (
	"maps"
	"slices"
	"time"

	"hearsay"
	"hearsay/ledger"
	"hearsay/ring"
)

// ballots gives this seed's own verdicts, and tells what has become of cases.
type ballots struct {
	seed *Quorum

	checks  map[hearsay.CaseID]*check
	paused  map[hearsay.Stay]time.Time // until when reports without a majority wait
	weighed map[hearsay.Stay]time.Time // until when reports with evidence wait, too
}

// check is how far this seed's own check of an open case is.
type check struct {
	began   time.Time // when this seed learned of the case
	checked bool
	unfit   hearsay.Why // what the check found wrong, without any probe
	ballot  hearsay.Ballot
	castAt  time.Time // when the ballot was proposed last; zero: there is none yet
}

// forgetChecks begins anew: another state takes the place of this one.
func (b *ballots) forgetChecks() {
	b.checks, b.seed.watches.watched = make(map[hearsay.CaseID]*check), make(map[hearsay.NodeID]*watch)
	b.seed.joiners.pending = make(map[hearsay.NodeID]*joiner)
	b.seed.watches.probing, b.seed.watches.first, b.seed.watches.probes = 0, nil, nil
}

// begin starts this seed's own check of a case.
func (b *ballots) begin(now time.Time, c *ledger.Case) {
	b.checks[c.ID] = &check{began: now}
	switch c.Opening.Op {
	case ledger.OpAdmit:
		id, addr := c.Opening.Claim.Subject, c.Opening.Claim.Card.Addr
		if w := b.seed.watches.watched[id]; w == nil || w.addr != addr || !w.answered || now.Sub(w.reached) >= admitPatience {
			b.seed.watches.unwatch(now, id) // what answered before may have been elsewhere, or long ago
		}
		delete(b.seed.joiners.pending, id) // it asked another seed, too, which was faster
		b.seed.watches.watchAt(now, id, addr)
	case ledger.OpRemove:
		b.seed.watches.watch(now, c.Opening.Stay.ID)
	case ledger.OpSeat:
		if int(c.Opening.Seat.Slot) != b.seed.cfg.Slot {
			b.seed.seats.askSeat(now, int(c.Opening.Seat.Slot))
		}
	}
	if !b.seed.quiet {
		b.consider(now, c)
	}
}

// tickChecks casts ballots whose time has come, and proposes again what may have
// got lost.
func (b *ballots) tickChecks(now time.Time) {
	b.seed.watches.tickWatches(now)
	for _, c := range b.seed.state.Cases {
		b.consider(now, c)
	}
	over := func(_ hearsay.Stay, until time.Time) bool { return !now.Before(until) }
	maps.DeleteFunc(b.paused, over)
	maps.DeleteFunc(b.weighed, over)
}

// consider casts this seed's ballot on a case as soon as it has one, and
// repeats it until it is an entry of the log.
func (b *ballots) consider(now time.Time, c *ledger.Case) {
	t := b.checks[c.ID]
	if t == nil || !b.seed.Seated() || c.BallotOf(uint8(b.seed.cfg.Slot)) != nil {
		return
	}
	if t.castAt.IsZero() {
		verdict, why := b.judge(now, c, t)
		if verdict == 0 {
			return
		}
		t.ballot = hearsay.Ballot{
			Case: c.ID, About: c.About, Stay: c.Stay(), Slot: uint8(b.seed.cfg.Slot), Life: b.seed.life,
			Verdict: verdict, Why: why, At: now.UnixMilli(),
		}
		t.ballot.Sign(b.seed.Ledger(), b.seed.signer)
	} else if now.Sub(t.castAt) < b.seed.cfg.RetryEvery {
		return
	}
	t.castAt = now
	b.seed.commits.propose(now, ledger.Command{Op: ledger.OpBallot, Ballot: t.ballot})
}

// judge gives this seed's own verdict on a case, or none yet.
func (b *ballots) judge(now time.Time, c *ledger.Case, t *check) (hearsay.BallotVerdict, hearsay.Why) {
	if !t.checked {
		t.checked = true
		switch c.Opening.Op {
		case ledger.OpAdmit:
			t.unfit = b.seed.requests.unfit(&c.Opening.Claim)
		case ledger.OpRemove:
			if m := b.seed.state.Members.Get(c.Opening.Stay.ID); m != nil && c.Opening.Evidence != nil {
				t.unfit = b.unproven(now, c.Opening.Evidence, m)
			}
		}
	}
	if c.Opening.Evidence != nil && t.unfit.IsZero() {
		if m := b.seed.state.Members.Get(c.Opening.Stay.ID); m != nil && c.Opening.Evidence.Incarnation < b.newest(m) {
			t.unfit = hearsay.Why{Reason: hearsay.ReasonRefuted} // since the check
		}
	}
	if !t.unfit.IsZero() {
		return hearsay.BallotNo, t.unfit
	}
	switch c.Opening.Op {
	case ledger.OpAdmit:
		return b.judgeAdmission(now, c, t)
	case ledger.OpRemove:
		return b.judgeRemoval(now, c, t)
	}
	return b.seed.seats.judgeSeat(now, c)
}

// admitPatience is how long one who asks to be admitted may be silent at its
// address before this seed says no: most of the time that a case has.
const admitPatience = 3 * time.Second

func (b *ballots) judgeAdmission(now time.Time, c *ledger.Case, t *check) (hearsay.BallotVerdict, hearsay.Why) {
	w := b.seed.watches.watched[c.Opening.Claim.Subject]
	switch {
	case w == nil:
		return 0, hearsay.Why{}
	case w.answered:
		return hearsay.BallotYes, hearsay.Why{Reason: hearsay.ReasonAnswers, Addr: w.addr}
	case !w.failing.IsZero() && now.Sub(t.began) >= admitPatience:
		return hearsay.BallotNo, b.seed.joiners.noAnswer(w.addr)
	}
	return 0, hearsay.Why{}
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

func (b *ballots) judgeRemoval(now time.Time, c *ledger.Case, t *check) (hearsay.BallotVerdict, hearsay.Why) {
	if until, away := b.seed.watches.away(c.Opening.Stay.ID); away {
		return hearsay.BallotNo, awayUntil(until)
	}
	w := b.seed.watches.watched[c.Opening.Stay.ID]
	if w == nil {
		return 0, hearsay.Why{}
	}
	trial, fresh := b.seed.cfg.Trial, freshFor
	if c.Short() {
		trial, fresh = b.seed.cfg.ShortTrial, freshForShort
	}
	switch {
	case w.answered && !w.reached.Before(t.began):
		return hearsay.BallotNo, hearsay.Why{Reason: hearsay.ReasonAnswers, Addr: w.addr}
	case b.seed.watches.silence(w) < trial || now.Sub(w.failed) > fresh:
		return 0, hearsay.Why{}
	}
	return hearsay.BallotYes, hearsay.Why{Reason: hearsay.ReasonSilent, Addr: w.addr, Took: now.Sub(w.since).Round(time.Millisecond).Milliseconds()}
}

// awayUntil says why nothing is done against a member that is away.
func awayUntil(until time.Time) hearsay.Why {
	return hearsay.Why{Reason: hearsay.ReasonAway, Until: until.UnixMilli()}
}

// newest is the newest incarnation of a member, as it is listed, or else as the log has it. The log may have a newer
// one, of a member that has moved and died before anybody heard it at its new address: nobody lists it with that.
func (b *ballots) newest(m *ledger.Member) hearsay.Incarnation {
	if b.seed.directory.Incarnation != nil {
		if listed := b.seed.directory.Incarnation(m.Stay.ID); listed > 0 {
			return listed
		}
	}
	return m.Claim.Incarnation
}

// signed is the newest incarnation that a member is known to have signed, also in a word of an
// address that has not answered. It may have moved and died, so that nothing ever answers
// there, and where this seed's clock is behind, its time alone allows too little.
func (b *ballots) signed(m *ledger.Member) hearsay.Incarnation {
	if b.seed.directory.Signed == nil {
		return 0
	}
	return b.seed.directory.Signed(m.Stay.ID)
}

// unproven says why evidence does not hold against a member, if it does not:
// statements of one round, signed by observers that this seed's roster
// assigns, of what the member is now; a majority of them, or, when the
// suspicion ran out, as many as there are, but none by anybody who reaches it.
// What it lacks then is made up for by the longer trial (ledger.Case.Short).
func (b *ballots) unproven(now time.Time, e *hearsay.Evidence, m *ledger.Member) (why hearsay.Why) {
	newest := b.newest(m)
	if e.Subject != m.Stay.ID {
		return hearsay.Why{Reason: hearsay.ReasonOtherNode}
	}
	if e.Incarnation < newest {
		return hearsay.Why{Reason: hearsay.ReasonRefuted}
	}
	if e.Incarnation > max(newest, b.signed(m), hearsay.Incarnation(now.UnixMilli())) {
		return hearsay.Why{Reason: hearsay.ReasonNotYet} // to come back it would have to go beyond that
	}
	witnesses := b.seed.state.Members.Witnesses(e.Subject)
	observers := ring.Observers(nil, e.Subject, ring.Of(witnesses), min(b.seed.cfg.Observers, len(witnesses)))
	against := 0
	for i := range e.Statements {
		s := &e.Statements[i]
		repeated := slices.ContainsFunc(e.Statements[:i], func(o hearsay.Statement) bool { return o.Observer == s.Observer })
		if repeated || !slices.Contains(observers, s.Observer) {
			continue
		}
		if !s.Verify(b.seed.Ledger(), b.seed.signer, b.seed.state.Members.Get(s.Observer).Claim.Card.Key) {
			return hearsay.Why{Reason: hearsay.ReasonForged}
		}
		if s.Verdict == hearsay.VerdictUnreachable {
			against++
		}
	}
	needed := len(observers)/2 + 1
	switch {
	case e.Rule == hearsay.RuleTimeout && e.Reachable() > 0:
		return hearsay.Why{Reason: hearsay.ReasonReached}
	case e.Rule != hearsay.RuleTimeout && against < needed:
		return hearsay.Why{Reason: hearsay.ReasonFewObserved, Count: int64(against), Of: int64(len(observers)), Needed: int64(needed)}
	}
	return hearsay.Why{}
}
