package roster

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
)

// deaths are those that this node was told of and does not believe yet.
type deaths struct {
	*part
	pending []pending
	at      time.Time // when the first of them is due
}

// pending is a death that this node was told of and does not believe yet. First it is told to its subject, if there is
// reason to; then its evidence is fetched; then the evidence must hold by this roster.
type pending struct {
	subject     hearsay.NodeID
	incarnation hearsay.Incarnation
	hash        hearsay.Hash
	informer    hearsay.NodeID
	source      netip.Addr        // of the packet that told of it first
	asked       int               // requests for the evidence so far
	evidence    *hearsay.Evidence // fetched, but it did not hold yet
	verified    uint16            // bit i: the signature of its statement i (there are at most MaxStatements)
	tryAt       time.Time         // the next step: to fetch, or to look again
	until       time.Time         // then it is let go: an exchange will bring it again
}

// retryPending is the time between two looks at evidence that does not hold, and between the first two requests for
// evidence; doubled with each: anybody may have told of it. Guess: a few round trips.
const retryPending = 300 * time.Millisecond

// claimed takes another's word that a living member is dead. Nobody is buried on a word: evidence must hold. And if the
// subject is no suspect here (it never was, or has answered this node since), it is told first and has time to refute:
// this is what lets two halves meet that have buried each other.
func (d *deaths) claimed(now time.Time, p *core.Packet, m *member, c *hearsay.Claim) {
	if d.members.get(p.From) == nil && !d.roster.contacts.Expects(p) {
		d.out.stats.Drops[hearsay.DropStranger]++ // it would not be asked for the evidence
		return
	}
	if d.roster.aways.holdsBack(now, p, m) {
		return // an exchange brings it again
	}
	source := core.Source(p.Addr.Addr())
	ofSubject, ofSource, oldest := 0, 0, -1
	for i := range d.pending {
		w := &d.pending[i]
		if w.source == source {
			ofSource++
		}
		if w.subject != d.members.id(m) || w.incarnation != c.Incarnation {
			continue
		}
		if w.hash == c.Evidence {
			w.informer = p.From // the newest is the likeliest to answer
			return
		}
		if w.informer == p.From {
			return // an informer without proof must not take the room of those that have it
		}
		if ofSubject++; w.asked > 0 && w.evidence == nil && oldest < 0 {
			oldest = i
		}
	}
	switch {
	case ofSubject >= pendingSubject && oldest >= 0:
		d.pending = slices.Delete(d.pending, oldest, oldest+1) // its informer was asked, and has not answered
	case ofSubject >= pendingSubject, ofSource >= pendingSource, len(d.pending) >= maxPending:
		d.out.stats.Drops[hearsay.DropTableFull]++
		return
	}
	repeated := ofSubject > 0 // its subject has been told, and some evidence is on its way
	surprising, wait := m.state != hearsay.StateSuspect, time.Duration(0)
	if repeated {
		wait = retryPending // mostly the first proves it
	}
	if surprising {
		wait = d.cfg.DeadHold
	}
	if surprising && !repeated {
		claim := hearsay.Claim{Subject: d.members.id(m), State: hearsay.StateDead, Incarnation: c.Incarnation, By: c.By, Evidence: c.Evidence}
		d.out.send(d.members.addr(m), claim)
		d.out.event(hearsay.Event{At: now, Kind: hearsay.EventClaimDelayed, Subject: d.members.id(m), By: p.From})
	}
	w := pending{
		subject: d.members.id(m), incarnation: c.Incarnation, hash: c.Evidence, informer: p.From, source: source,
		tryAt: now.Add(wait), until: now.Add(wait + evidenceWait),
	}
	d.pending = append(d.pending, w)
	d.lookBy(w.tryAt)
}

// lookBy has the deaths that are not believed looked at by then.
func (d *deaths) lookBy(at time.Time) {
	d.at = sooner(at, d.at)
}

// tick takes the next step with every death that is not believed yet.
func (d *deaths) tick(now time.Time) {
	if d.at.IsZero() || now.Before(d.at) {
		return
	}
	for i := range d.pending {
		w := &d.pending[i]
		if now.Before(w.tryAt) || !now.Before(w.until) || !d.stands(w) {
			continue
		}
		w.tryAt = now.Add(retryPending)
		if w.evidence == nil {
			w.evidence = d.roster.evidence.Evidence(w.hash)
		}
		if w.evidence == nil {
			w.tryAt = now.Add(retryPending << min(w.asked, 8))
			if addr, ok := d.evidenceSource(w); ok { // by stream: the answer is longer than the question
				d.out.Now = append(d.out.Now, core.Packet{Addr: addr, Stream: true, Body: &core.EvidenceReq{Hash: w.hash}})
			}
			continue
		}
		if d.roster.budgets.work >= workAStep {
			w.tryAt = now.Add(waitingEach)
			continue
		}
		d.roster.budgets.work += workVerify * len(w.evidence.Statements)
		switch held, forged := d.holds(now, w); {
		case forged:
			d.out.stats.Drops[hearsay.DropBadSignature]++
			w.until = now
		case held:
			d.roster.MarkDead(now, w.evidence)
		}
	}
	d.pending = slices.DeleteFunc(d.pending, func(w pending) bool {
		if d.stands(&w) && !now.Before(w.until) {
			d.out.stats.Drops[hearsay.DropUnproven]++
			return true
		}
		return !d.stands(&w)
	})
	d.at = time.Time{}
	for i := range d.pending {
		d.lookBy(when.Earlier(d.pending[i].tryAt, d.pending[i].until))
	}
}

// drop lets go of what was told of a member.
func (d *deaths) drop(now time.Time, m *member) {
	d.pending = slices.DeleteFunc(d.pending, func(w pending) bool { return w.subject == d.members.id(m) })
	d.lookBy(now)
}

// evidenceSource gives where to ask for evidence: at its informer's address, then twice at somebody
// else's, and so on, since an informer may be gone by now, or have lied.
func (d *deaths) evidenceSource(w *pending) (netip.AddrPort, bool) {
	addr, listed := d.members.Addr(w.informer)
	if w.asked++; w.asked%3 != 1 || !listed {
		if m := d.members.anyone(); d.members.id(m) != w.subject {
			return d.members.addr(m), true
		}
	}
	return addr, listed
}

// stands reports whether a death is still to be believed: its subject is living, and has not refuted it.
func (d *deaths) stands(w *pending) bool {
	m := d.members.get(w.subject)
	return m != nil && m.state.Living() && d.members.incarnation(m) == w.incarnation
}

// TakeEvidence takes evidence that this node asked for.
func (d *deaths) TakeEvidence(now time.Time, e *hearsay.Evidence) {
	hash := e.Hash(d.roster.network)
	i := slices.IndexFunc(d.pending, func(w pending) bool { return w.hash == hash })
	if i < 0 || d.pending[i].evidence != nil {
		d.out.stats.Drops[hearsay.DropUnexpected]++
		return
	}
	d.pending[i].evidence, d.pending[i].tryAt = ownCopy(e), now
	d.lookBy(now)
	d.tick(now)
}

// holds counts for itself whether the evidence condemns its subject: signed statements of one round by observers that
// this roster assigns. Each signature is verified once, and one that is forged voids all: the accuser has verified them
// too.
//
// Two statements suffice when a suspicion ran out, and an accuser may keep to itself what others said. So that counts
// only against a member that this node holds suspect itself, for as long as any suspicion lasts.
func (d *deaths) holds(now time.Time, w *pending) (held, forged bool) {
	e, m := w.evidence, d.members.get(w.subject)
	if e.Subject != w.subject || e.Incarnation != w.incarnation {
		return false, false
	}
	observers := d.members.observers(nil, e.Subject)
	against := 0
	for i := range e.Statements {
		s := &e.Statements[i]
		signer := d.members.get(s.Observer)
		repeated := slices.ContainsFunc(e.Statements[:i], func(o hearsay.Statement) bool { return o.Observer == s.Observer })
		if repeated || signer == nil || !slices.Contains(observers, s.Observer) ||
			s.Subject != e.Subject || s.Incarnation != e.Incarnation || s.Round != e.Round {
			continue
		}
		if w.verified&(1<<i) == 0 && !s.Verify(d.roster.ledger(), d.roster.signer, d.members.word(signer).key) {
			return false, true
		}
		w.verified |= 1 << i
		if s.Verdict == hearsay.VerdictUnreachable {
			against++
		}
	}
	if e.Rule == hearsay.RuleTimeout {
		ranOut := m.state == hearsay.StateSuspect && now.Sub(d.members.heldOf(m).began) >= d.roster.suspicions.timeoutMin()
		return ranOut && e.Reachable() == 0 && against >= min(2, d.members.Living()-1), false
	}
	return against >= majority(len(observers)), false
}

// MarkDead lists a member as dead: its evidence holds.
func (r *Roster) MarkDead(now time.Time, e *hearsay.Evidence) {
	m := r.members.get(e.Subject)
	if m == nil || m == r.members.self || !m.state.Living() || r.members.incarnation(m) != e.Incarnation {
		return
	}
	hash := e.Hash(r.network)
	r.dies(now, m, &held{by: e.Accuser, evidence: hash})
	r.evidence.keep(hash, e)
	r.out.stats.Deaths++
	r.news.tell(m)
	r.out.event(hearsay.Event{At: now, Kind: hearsay.EventMemberDead, Subject: r.members.id(m), By: e.Accuser, Incarnation: r.members.incarnation(m), Evidence: e})
}

// dies lists a member as dead, of which that is held.
func (r *Roster) dies(now time.Time, m *member, h *held) {
	r.accusations.drop(m)
	r.setState(now, m, hearsay.StateDead)
	r.members.hold(m, h)
}
