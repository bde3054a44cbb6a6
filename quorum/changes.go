package quorum

import (
	"time"

	"hearsay"
	"hearsay/ledger"
)

// changed tells what applying an entry did, and sees what this seed has to do
// about it.
func (q *Quorum) changed(now time.Time, changes []ledger.Change) {
	for i := range changes {
		switch c := &changes[i]; c.Outcome {
		case ledger.OutRefused:
			q.refused(now, c)
		case ledger.OutOpened:
			q.opened(now, c.Case)
		case ledger.OutBalloted:
			q.balloted(now, c)
		case ledger.OutRuled:
			q.ruled(now, c)
		case ledger.OutAborted:
			q.aborted(now, c)
		case ledger.OutBarred:
			q.cameAbout(c.ID, ledger.OpBar)
			q.event(hearsay.Event{At: now, Kind: hearsay.EventBarred, Subject: c.ID, Text: c.Why})
		case ledger.OutLifted:
			q.cameAbout(c.ID, ledger.OpLift)
			q.event(hearsay.Event{At: now, Kind: hearsay.EventLifted, Subject: c.ID, Text: c.Why})
		case ledger.OutMoved:
			claim := &c.Moved.Claim
			q.event(hearsay.Event{
				At: now, Kind: hearsay.EventMemberMoved, Subject: c.ID, Addr: claim.Card.Addr, Incarnation: claim.Incarnation, Epoch: c.Moved.Stay.Epoch,
			})
		}
	}
}

// refused tells those that asked here why no case was opened.
func (q *Quorum) refused(now time.Time, c *ledger.Change) {
	if c.Case != nil {
		q.drops[hearsay.DropBadSignature]++
		return
	}
	if q.forget(c.ID) {
		q.event(hearsay.Event{At: now, Kind: hearsay.EventCaseRefused, Subject: c.ID, Text: c.Why})
	}
}

func (q *Quorum) opened(now time.Time, c *ledger.Case) {
	q.forget(subjectOf(c))
	e := hearsay.Event{At: now, Kind: hearsay.EventCaseOpened, Subject: subjectOf(c), Case: c.ID, Count: q.Needed(), Text: c.Kind().String()}
	switch c.Opening.Op {
	case ledger.OpAdmit:
		e.Addr, e.Name, e.Incarnation = c.Opening.Claim.Card.Addr, c.Opening.Claim.Card.Name, c.Opening.Claim.Incarnation
	case ledger.OpRemove:
		e.Epoch, e.By, e.Evidence, e.Rule = c.Opening.Stay.Epoch, c.Opening.By, c.Opening.Evidence, c.Opening.Rule
		e.Text += " by " + c.Opening.Rule.String()
	}
	q.event(e)
	q.try(now, c)
}

// subjectOf is the node that a case is about.
func subjectOf(c *ledger.Case) hearsay.NodeID {
	if c.Opening.Op == ledger.OpSeat {
		return c.Opening.Seat.Key.NodeID()
	}
	return c.Stay().ID
}

func (q *Quorum) balloted(now time.Time, c *ledger.Change) {
	q.event(hearsay.Event{
		At: now, Kind: hearsay.EventBallot, Subject: subjectOf(c.Case), Case: c.Case.ID, Epoch: c.Case.Stay().Epoch,
		By: c.ID, Ballot: &c.Ballot, Count: q.Needed(),
	})
}

func (q *Quorum) ruled(now time.Time, c *ledger.Change) {
	r := c.Ruling
	var evidence *hearsay.Evidence
	if c.Case != nil {
		evidence = c.Case.Opening.Evidence
		q.settled(now, c.Case)
	}
	q.keep(r, evidence)
	e := hearsay.Event{
		At: now, Kind: hearsay.EventRuled, Subject: r.Stay.ID, Epoch: r.Epoch, Case: r.Case, Ruling: r, Count: q.Needed(), Evidence: evidence,
		Text: r.Kind.String(), Before: q.stood == 0 || q.replica.log.applied < q.stood,
	}
	switch r.Kind {
	case hearsay.RulingAdmit:
		e.State, e.Name, e.Addr, e.Incarnation = hearsay.StateAlive, r.Claim.Card.Name, r.Claim.Card.Addr, r.Claim.Incarnation
	case hearsay.RulingRemove:
		e.State = hearsay.StateDead
	case hearsay.RulingLeave:
		e.State = hearsay.StateLeft
	case hearsay.RulingSeat:
		e.Subject = r.Seats[0].Key.NodeID()
		q.reseat(now, r)
	}
	q.event(e)
}

func (q *Quorum) aborted(now time.Time, c *ledger.Change) {
	if c.Case.Opening.Op == ledger.OpRemove {
		delete(q.trials, c.Case.ID)
		q.unheeded(now, c.Case)
	} else {
		q.settled(now, c.Case)
	}
	if c.Case.Opening.Op == ledger.OpRemove && len(q.paused) < maxPaused {
		q.paused[c.Case.Opening.Stay] = now.Add(q.cfg.ReportPause)
		if !c.Case.Short() { // a word without evidence must not make a removal slow
			q.weighed[c.Case.Opening.Stay] = now.Add(q.cfg.EvidencePause)
		}
	}
	q.event(hearsay.Event{
		At: now, Kind: hearsay.EventCaseAborted, Subject: subjectOf(c.Case), Case: c.Case.ID, Epoch: c.Case.Stay().Epoch,
		Count: q.Needed(), Text: c.Why, Evidence: c.Case.Opening.Evidence,
	})
}

// settled ends this seed's own trial of a case.
func (q *Quorum) settled(now time.Time, c *ledger.Case) {
	delete(q.trials, c.ID)
	if c.Opening.Op != ledger.OpSeat {
		q.unwatch(now, c.Stay().ID)
	}
}
