package roster

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
)

// keptEvidence is evidence by its hash.
type keptEvidence struct {
	hash     hearsay.Hash
	evidence *hearsay.Evidence
}

// pending is a death that this node was told of and does not believe yet.
// First it is told to its subject, if there is reason to; then its evidence
// is fetched; then the evidence must hold by this roster.
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

// retryPending is the time between two looks at evidence that does not hold, and between the
// first two requests for evidence; doubled with each: anybody may have told of it. Guess: a few
// round trips.
const retryPending = 300 * time.Millisecond

// claimedDead takes another's word that a living member is dead. Nobody is
// buried on a word: evidence must hold. And if the subject is no suspect here
// (it never was, or has answered this node since), it is told first and has
// time to refute: this is what lets two halves meet that have buried each
// other.
func (r *Roster) claimedDead(now time.Time, p *hearsay.Packet, m *member, c *hearsay.Claim) {
	if r.members.get(p.From) == nil && !r.Expects(p) {
		r.drops[hearsay.DropStranger]++ // it would not be asked for the evidence
		return
	}
	if r.holdsBack(now, p, m) {
		return // an exchange brings it again
	}
	source := hearsay.Source(p.Addr.Addr())
	ofSubject, ofSource, oldest := 0, 0, -1
	for i := range r.pending {
		w := &r.pending[i]
		if w.source == source {
			ofSource++
		}
		if w.subject != r.id(m) || w.incarnation != c.Incarnation {
			continue
		}
		if w.hash == c.Evidence {
			w.informer = p.From // the newest is the likeliest to answer
			return
		}
		if w.informer == p.From {
			return // who has no proof must not take the room of those who do
		}
		if ofSubject++; w.asked > 0 && w.evidence == nil && oldest < 0 {
			oldest = i
		}
	}
	switch {
	case ofSubject >= pendingSubject && oldest >= 0:
		r.pending = slices.Delete(r.pending, oldest, oldest+1) // its informer was asked, and has not answered
	case ofSubject >= pendingSubject, ofSource >= pendingSource, len(r.pending) >= maxPending:
		r.drops[hearsay.DropTableFull]++
		return
	}
	repeated := ofSubject > 0 // its subject has been told, and some evidence is on its way
	surprising, wait := m.state != hearsay.StateSuspect, time.Duration(0)
	if repeated {
		wait = retryPending // mostly the first proves it
	}
	if surprising {
		wait = r.cfg.DeadHold
	}
	if surprising && !repeated {
		claim := hearsay.Claim{Subject: r.id(m), State: hearsay.StateDead, Incarnation: c.Incarnation, By: c.By, Evidence: c.Evidence}
		r.send(r.addr(m), claim)
		r.event(hearsay.Event{At: now, Kind: hearsay.EventClaimDelayed, Subject: r.id(m), By: p.From})
	}
	w := pending{
		subject: r.id(m), incarnation: c.Incarnation, hash: c.Evidence, informer: p.From, source: source,
		tryAt: now.Add(wait), until: now.Add(wait + evidencePatient),
	}
	r.pending = append(r.pending, w)
	r.duePending(w.tryAt)
}

// duePending has the deaths that are not believed looked at by then.
func (r *Roster) duePending(at time.Time) {
	if r.pendingAt.IsZero() || at.Before(r.pendingAt) {
		r.pendingAt = at
	}
}

// tickPending takes the next step with every death that is not believed yet.
func (r *Roster) tickPending(now time.Time) {
	if r.pendingAt.IsZero() || now.Before(r.pendingAt) {
		return
	}
	for i := range r.pending {
		w := &r.pending[i]
		if now.Before(w.tryAt) || !now.Before(w.until) || !r.stands(w) {
			continue
		}
		w.tryAt = now.Add(retryPending)
		if w.evidence == nil {
			w.evidence = r.Evidence(w.hash)
		}
		if w.evidence == nil {
			w.tryAt = now.Add(retryPending << min(w.asked, 8))
			if addr, ok := r.whoKnows(w); ok { // by stream: the answer is longer than the question
				r.out.Now = append(r.out.Now, hearsay.Packet{Addr: addr, Stream: true, Body: &hearsay.EvidenceReq{Hash: w.hash}})
			}
			continue
		}
		if r.work >= workAStep {
			w.tryAt = now.Add(waitingEach)
			continue
		}
		r.work += workVerify * len(w.evidence.Statements)
		switch held, forged := r.holds(now, w); {
		case forged:
			r.drops[hearsay.DropBadSignature]++
			w.until = now
		case held:
			r.Bury(now, w.evidence)
		}
	}
	r.pending = slices.DeleteFunc(r.pending, func(w pending) bool {
		if r.stands(&w) && !now.Before(w.until) {
			r.drops[hearsay.DropUnproven]++
			return true
		}
		return !r.stands(&w)
	})
	r.pendingAt = time.Time{}
	for i := range r.pending {
		r.duePending(earlier(r.pending[i].tryAt, r.pending[i].until))
	}
}

// whoKnows gives where to ask for evidence: at its informer's address, then twice at somebody
// else's, and so on, since an informer may be gone by now, or have lied.
func (r *Roster) whoKnows(w *pending) (netip.AddrPort, bool) {
	addr, listed := r.Addr(w.informer)
	if w.asked++; w.asked%3 != 1 || !listed {
		if m := r.anyone(); r.id(m) != w.subject {
			return r.addr(m), true
		}
	}
	return addr, listed
}

// stands reports whether a death is still to be believed: its subject is
// living, and has not refuted it.
func (r *Roster) stands(w *pending) bool {
	m := r.members.get(w.subject)
	return m != nil && m.state.Living() && r.incarnation(m) == w.incarnation
}

// TakeEvidence takes evidence that this node asked for.
func (r *Roster) TakeEvidence(now time.Time, e *hearsay.Evidence) {
	hash := e.Hash(r.network)
	i := slices.IndexFunc(r.pending, func(w pending) bool { return w.hash == hash })
	if i < 0 || r.pending[i].evidence != nil {
		r.drops[hearsay.DropUnexpected]++
		return
	}
	own := *e // what came with a packet belongs to the packet
	own.Statements = slices.Clone(e.Statements)
	r.pending[i].evidence, r.pending[i].tryAt = &own, now
	r.duePending(now)
	r.tickPending(now)
}

// holds counts for itself whether the evidence condemns its subject: signed
// statements of one round by observers that this roster assigns. Each
// signature is verified once, and one that is forged voids all: the accuser
// has verified them too.
//
// Two statements suffice when a suspicion ran out, and an accuser may keep to
// itself what others said. So that counts only against a member that this node holds
// suspect itself, for as long as any suspicion lasts.
func (r *Roster) holds(now time.Time, w *pending) (held, forged bool) {
	e, m := w.evidence, r.members.get(w.subject)
	if e.Subject != w.subject || e.Incarnation != w.incarnation {
		return false, false
	}
	observers := r.observers(nil, e.Subject)
	against := 0
	for i := range e.Statements {
		s := &e.Statements[i]
		signer := r.members.get(s.Observer)
		repeated := slices.ContainsFunc(e.Statements[:i], func(o hearsay.Statement) bool { return o.Observer == s.Observer })
		if repeated || signer == nil || !slices.Contains(observers, s.Observer) ||
			s.Subject != e.Subject || s.Incarnation != e.Incarnation || s.Round != e.Round {
			continue
		}
		if w.verified&(1<<i) == 0 && !s.Verify(r.ledger(), r.signer, r.members.word(signer).key) {
			return false, true
		}
		w.verified |= 1 << i
		if s.Verdict == hearsay.VerdictUnreachable {
			against++
		}
	}
	if e.Rule == hearsay.RuleTimeout {
		ranOut := m.state == hearsay.StateSuspect && now.Sub(r.heldOf(m).began) >= r.shortest()
		return ranOut && e.Reachable() == 0 && against >= min(2, r.Living()-1), false
	}
	return against >= majority(len(observers)), false
}

// Bury lists a member as dead: its evidence holds.
func (r *Roster) Bury(now time.Time, e *hearsay.Evidence) {
	m := r.members.get(e.Subject)
	if m == nil || m == r.self || !m.state.Living() || r.incarnation(m) != e.Incarnation {
		return
	}
	hash := e.Hash(r.network)
	r.dropAccusation(m)
	r.setState(now, m, hearsay.StateDead)
	r.hold(m, &held{by: e.Accuser, evidence: hash})
	r.keepEvidence(hash, e)
	r.stats.Deaths++
	r.tell(m)
	r.event(hearsay.Event{At: now, Kind: hearsay.EventMemberDead, Subject: r.id(m), By: e.Accuser, Incarnation: r.incarnation(m), Evidence: e})
}

// keepEvidence keeps the newest.
func (r *Roster) keepEvidence(hash hearsay.Hash, e *hearsay.Evidence) {
	if r.Evidence(hash) != nil {
		return
	}
	if len(r.evidence) >= maxEvidence {
		r.out.Persist = append(r.out.Persist, &hearsay.KeptEvidence{Hash: r.evidence[0].hash})
		r.evidence = slices.Delete(r.evidence, 0, 1)
	}
	r.evidence = append(r.evidence, keptEvidence{hash: hash, evidence: e})
	r.out.Persist = append(r.out.Persist, &hearsay.KeptEvidence{Hash: hash, Evidence: e})
}

// Evidence gives the evidence of this hash, or nil.
func (r *Roster) Evidence(hash hearsay.Hash) *hearsay.Evidence {
	for i := range r.evidence {
		if r.evidence[i].hash == hash {
			return r.evidence[i].evidence
		}
	}
	return nil
}

// EvidenceOf gives the newest evidence against a member, or nil.
func (r *Roster) EvidenceOf(id hearsay.NodeID) *hearsay.Evidence {
	for _, kept := range slices.Backward(r.evidence) {
		if kept.evidence.Subject == id {
			return kept.evidence
		}
	}
	return nil
}

// EvidenceReq answers a member that wants to count for itself.
func (r *Roster) EvidenceReq(now time.Time, p *hearsay.Packet, m *hearsay.EvidenceReq) {
	switch e := r.Evidence(m.Hash); {
	case !r.Known(p.From):
		r.drops[hearsay.DropStranger]++
	case e == nil:
		r.drops[hearsay.DropUnexpected]++
	case !r.byStream(p):
	case r.affordAnswer(now, p, priceEvidence):
		defer r.answered(now, p, len(r.out.Send))
		r.out.Send = append(r.out.Send, p.Reply(e))
	}
}
