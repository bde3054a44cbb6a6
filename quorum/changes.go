package quorum

import (
	"time"

	"hearsay"
)

// changed tells what applying an entry did, and sees what this seed has to do
// about it.
func (q *Quorum) changed(now time.Time, changes []change) {
	for i := range changes {
		switch c := &changes[i]; c.outcome {
		case outRefused:
			q.refused(now, c)
		case outOpened:
			q.opened(now, c.c)
		case outBalloted:
			q.balloted(now, c)
		case outRuled:
			q.ruled(now, c)
		case outAborted:
			q.aborted(now, c)
		case outBarred:
			q.cameAbout(c.id, opBar)
			q.event(hearsay.Event{At: now, Kind: hearsay.EventBarred, Subject: c.id, Text: c.why})
		case outLifted:
			q.cameAbout(c.id, opLift)
			q.event(hearsay.Event{At: now, Kind: hearsay.EventLifted, Subject: c.id, Text: c.why})
		case outMoved:
			claim := &c.moved.Claim
			q.event(hearsay.Event{
				At: now, Kind: hearsay.EventMemberMoved, Subject: c.id, Addr: claim.Card.Addr, Incarnation: claim.Incarnation, Epoch: c.moved.Stay.Epoch,
			})
		}
	}
}

// refused tells whoever asked here why no case was opened.
func (q *Quorum) refused(now time.Time, c *change) {
	if c.c != nil {
		q.drops[hearsay.DropBadSignature]++
		return
	}
	if q.forget(c.id) {
		q.event(hearsay.Event{At: now, Kind: hearsay.EventCaseRefused, Subject: c.id, Text: c.why})
	}
}

func (q *Quorum) opened(now time.Time, c *openCase) {
	q.forget(subjectOf(c))
	e := hearsay.Event{At: now, Kind: hearsay.EventCaseOpened, Subject: subjectOf(c), Case: c.id, Count: q.Needed(), Text: c.kind().String()}
	switch c.opening.op {
	case opAdmit:
		e.Addr, e.Name, e.Incarnation = c.opening.claim.Card.Addr, c.opening.claim.Card.Name, c.opening.claim.Incarnation
	case opRemove:
		e.Epoch, e.By, e.Evidence, e.Rule = c.opening.stay.Epoch, c.opening.by, c.opening.evidence, c.opening.rule
		e.Text += " by " + c.opening.rule.String()
	}
	q.event(e)
	q.try(now, c)
}

// subjectOf is whom a case is about.
func subjectOf(c *openCase) hearsay.NodeID {
	if c.opening.op == opSeat {
		return c.opening.seat.Key.NodeID()
	}
	return c.stay().ID
}

func (q *Quorum) balloted(now time.Time, c *change) {
	q.event(hearsay.Event{
		At: now, Kind: hearsay.EventBallot, Subject: subjectOf(c.c), Case: c.c.id, Epoch: c.c.stay().Epoch,
		By: c.id, Ballot: &c.ballot, Count: q.Needed(),
	})
}

func (q *Quorum) ruled(now time.Time, c *change) {
	r := c.ruling
	var evidence *hearsay.Evidence
	if c.c != nil {
		evidence = c.c.opening.evidence
		q.settled(now, c.c)
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

func (q *Quorum) aborted(now time.Time, c *change) {
	if c.c.opening.op == opRemove {
		delete(q.trials, c.c.id)
		q.unheeded(now, c.c)
	} else {
		q.settled(now, c.c)
	}
	if c.c.opening.op == opRemove && len(q.paused) < maxPaused {
		q.paused[c.c.opening.stay] = now.Add(q.cfg.ReportPause)
		if !c.c.short() { // a word without evidence must not make a removal slow
			q.weighed[c.c.opening.stay] = now.Add(q.cfg.EvidencePause)
		}
	}
	q.event(hearsay.Event{
		At: now, Kind: hearsay.EventCaseAborted, Subject: subjectOf(c.c), Case: c.c.id, Epoch: c.c.stay().Epoch,
		Count: q.Needed(), Text: c.why, Evidence: c.c.opening.evidence,
	})
}

// settled ends this seed's own trial of a case.
func (q *Quorum) settled(now time.Time, c *openCase) {
	delete(q.trials, c.id)
	if c.opening.op != opSeat {
		q.unwatch(now, c.stay().ID)
	}
}
