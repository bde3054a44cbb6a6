package quorum

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// changed tells what applying an entry did, and sees what this seed has to do
// about it.
func (b *ballots) changed(now time.Time, changes []ledger.Change) {
	for i := range changes {
		switch c := &changes[i]; c.Outcome {
		case ledger.OutRefused:
			b.refused(now, c)
		case ledger.OutOpened:
			b.opened(now, c.Case)
		case ledger.OutBalloted:
			b.balloted(now, c)
		case ledger.OutRuled:
			b.ruled(now, c)
		case ledger.OutAborted:
			b.aborted(now, c)
		case ledger.OutBarred:
			b.barred(now, c.ID, c.Why)
		case ledger.OutLifted:
			b.lifted(now, c.ID, c.Why)
		case ledger.OutMoved:
			claim := &c.Moved.Claim
			b.seed.event(hearsay.Event{
				At: now, Kind: hearsay.EventMemberMoved, Subject: c.ID, Addr: claim.Card.Addr, Incarnation: claim.Incarnation, Epoch: c.Moved.Stay.Epoch,
			})
		}
	}
}

func (b *ballots) barred(now time.Time, id hearsay.NodeID, why string) {
	b.seed.requests.cameAbout(id, ledger.OpBar)
	b.seed.event(hearsay.Event{At: now, Kind: hearsay.EventBarred, Subject: id, Text: why})
}

func (b *ballots) lifted(now time.Time, id hearsay.NodeID, why string) {
	b.seed.requests.cameAbout(id, ledger.OpLift)
	b.seed.event(hearsay.Event{At: now, Kind: hearsay.EventLifted, Subject: id, Text: why})
}

// rebarred tells which bars were lifted and set in the entries that a snapshot has taken the place of. Bars are in the
// order of their subjects.
func (b *ballots) rebarred(now time.Time, before []hearsay.Bar) {
	is := func(bars []hearsay.Bar, id hearsay.NodeID) bool {
		_, found := slices.BinarySearchFunc(bars, id, func(bar hearsay.Bar, id hearsay.NodeID) int { return bar.ID.Compare(id) })
		return found
	}
	after := b.seed.state.Barred
	for i := range before {
		if !is(after, before[i].ID) {
			b.lifted(now, before[i].ID, "")
		}
	}
	for i := range after {
		if !is(before, after[i].ID) {
			b.barred(now, after[i].ID, after[i].Why)
		}
	}
}

// refused tells those that asked here why no case was opened.
func (b *ballots) refused(now time.Time, c *ledger.Change) {
	if c.Case != nil {
		b.seed.stats.Drops[hearsay.DropBadSignature]++
		return
	}
	if b.seed.requests.forget(c.ID) {
		b.seed.event(hearsay.Event{At: now, Kind: hearsay.EventCaseRefused, Subject: c.ID, Text: c.Why})
	}
}

func (b *ballots) opened(now time.Time, c *ledger.Case) {
	b.seed.requests.forget(subjectOf(c))
	e := hearsay.Event{At: now, Kind: hearsay.EventCaseOpened, Subject: subjectOf(c), Case: c.ID, Count: b.seed.Needed(), Text: c.Kind().String()}
	switch c.Opening.Op {
	case ledger.OpAdmit:
		e.Addr, e.Name, e.Incarnation = c.Opening.Claim.Card.Addr, c.Opening.Claim.Card.Name, c.Opening.Claim.Incarnation
	case ledger.OpRemove:
		e.Epoch, e.By, e.Evidence, e.Rule = c.Opening.Stay.Epoch, c.Opening.By, c.Opening.Evidence, c.Opening.Rule
		e.Text += " by " + c.Opening.Rule.String()
	}
	b.seed.event(e)
	b.begin(now, c)
}

// subjectOf is the node that a case is about.
func subjectOf(c *ledger.Case) hearsay.NodeID {
	if c.Opening.Op == ledger.OpSeat {
		return c.Opening.Seat.Key.NodeID()
	}
	return c.Stay().ID
}

func (b *ballots) balloted(now time.Time, c *ledger.Change) {
	b.seed.event(hearsay.Event{
		At: now, Kind: hearsay.EventBallot, Subject: subjectOf(c.Case), Case: c.Case.ID, Epoch: c.Case.Stay().Epoch,
		By: c.ID, Ballot: &c.Ballot, Count: b.seed.Needed(), Text: c.Ballot.Why.String(),
	})
}

func (b *ballots) ruled(now time.Time, c *ledger.Change) {
	r := c.Ruling
	var evidence *hearsay.Evidence
	if c.Case != nil {
		evidence = c.Case.Opening.Evidence
		b.settled(now, c.Case)
	}
	b.seed.heads.keep(r, evidence)
	switch r.Kind {
	case hearsay.RulingAdmit:
		b.seed.probers.admitted(r.Stay.ID)
		b.seed.returning.forget(r.Stay.ID)
	case hearsay.RulingRemove:
		b.seed.returning.removed(now, c.Gone, time.UnixMilli(r.At))
	}
	e := ledger.Ruled(now, r, b.seed.Needed())
	e.Evidence, e.Before = evidence, b.seed.driver.stood == 0 || b.seed.replica.log.applied < b.seed.driver.stood
	if r.Kind == hearsay.RulingSeat {
		b.seed.leadership.reseat(now, r)
	}
	b.seed.event(e)
}

func (b *ballots) aborted(now time.Time, c *ledger.Change) {
	if c.Case.Opening.Op == ledger.OpRemove {
		delete(b.checks, c.Case.ID)
		b.seed.watches.unheeded(now, c.Case)
	} else {
		b.settled(now, c.Case)
	}
	if c.Case.Opening.Op == ledger.OpRemove && len(b.paused) < maxPaused {
		b.paused[c.Case.Opening.Stay] = now.Add(b.seed.cfg.ReportPause)
		if !c.Case.Short() { // a word without evidence must not make a removal slow
			b.weighed[c.Case.Opening.Stay] = now.Add(b.seed.cfg.EvidencePause)
		}
	}
	b.seed.event(hearsay.Event{
		At: now, Kind: hearsay.EventCaseAborted, Subject: subjectOf(c.Case), Case: c.Case.ID, Epoch: c.Case.Stay().Epoch,
		Count: b.seed.Needed(), Reason: c.Reason, Text: hearsay.Why{Reason: c.Reason}.String(), Evidence: c.Case.Opening.Evidence,
	})
}

// settled ends this seed's own check of a case.
func (b *ballots) settled(now time.Time, c *ledger.Case) {
	delete(b.checks, c.ID)
	if c.Opening.Op != ledger.OpSeat {
		b.seed.watches.unwatch(now, c.Stay().ID)
	}
	b.seed.joiners.openWaiting(now)
}
