package roster

import (
	"net/netip"
	"time"

	"hearsay"
	"hearsay/quota"
)

// An examination that a stranger asks for has the node ping a member nine times. A
// stranger here is anybody whose packets come from where the roster does not have the
// member that they name: it may be that member behind an address translation, and asks
// again three times a second. So by chance one in so many of its requests is taken that
// what they cause is no more than three times what was sent, however fast they come.
const (
	examinationBytes = 1200 // pings with what rides on them, acks and the statement, in all. As sim's attack "amplify" measures it
	examinationTimes = 2    // times as many bytes as a stranger sends may be so caused, in the mean: what is caused besides is up to once
)

// examinationShares are the examinations that strangers ask for: few beside the 64 that
// may be under way, up to twice as many where many ask (see quota.Share). A member has a limit of its
// own; see witness.
var examinationShares = &quota.Shares{
	quota.Stranger: {All: quota.PerSecond(8, 16), Each: quota.PerSecond(4, 8)},
}

// affordExamination reports whether a request is one that may have this node examine
// its subject.
func (r *Roster) affordExamination(now time.Time, p *hearsay.Packet, from quota.Sender) bool {
	return from.Class != quota.Stranger ||
		r.random.IntN(examinationBytes) < examinationTimes*p.Size && r.examines.Take(now, from, 1)
}

// witness is a round in which this node was asked as an observer. It signs
// one verdict for it, however often it is asked.
type witness struct {
	asker     hearsay.NodeID
	from      quota.Sender // whose share it is; zero: this node's
	asked     time.Time
	request   hearsay.WitnessReq
	statement hearsay.Statement // its verdict is zero until the examination is over
}

// WitnessReq takes an accuser's request.
func (r *Roster) WitnessReq(now time.Time, p *hearsay.Packet, m *hearsay.WitnessReq) {
	asker := r.members.get(p.From)
	switch subject := r.members.get(m.Subject); {
	case asker == nil || !asker.state.Living():
		r.drops[hearsay.DropStranger]++
	case now.Before(r.witnessFrom):
		r.drops[hearsay.DropUnexpected]++
	case m.Subject == r.id(r.self):
		r.drops[hearsay.DropMisdirected]++ // nobody is his own observer
	case subject == nil, r.incarnation(subject) < m.Incarnation:
		r.witnessHint(now, asker, p, m)
	case r.incarnation(subject) > m.Incarnation || subject.state == hearsay.StateLeft:
		r.answerWith(p, subject) // the asker is behind
	case r.holdsBack(now, p, subject):
	default:
		// Also one that is dead here: the asker may be unable to count the
		// evidence by its own roster, and then needs statements of its own.
		r.witness(now, asker, r.addr(subject), p, m)
	}
}

// witness begins an examination, or repeats what came of it, and reports whether it
// begins one; p is the packet that asks, or nil if this node does. A sender gets as many in
// the time of a round as an accuser has rounds under way, so that one does not keep this
// node from answering the others.
func (r *Roster) witness(now time.Time, asker *member, addr netip.AddrPort, p *hearsay.Packet, request *hearsay.WitnessReq) (begun bool) {
	lately, from := 0, quota.Sender{}
	if p != nil {
		from = r.senderOf(p)
	}
	for i := range r.witnessed {
		w := &r.witnessed[i]
		switch {
		case w.request == *request && w.asker != r.id(asker):
			r.drops[hearsay.DropUnexpected]++ // it is not this one's round
			return false
		case w.request == *request:
			if w.statement.Verdict != 0 {
				r.state(now, w)
			}
			return false
		case w.from == from && now.Sub(w.asked) < r.cfg.RoundEvery:
			lately++
		}
	}
	if lately >= maxRounds || p != nil && !r.affordExamination(now, p, from) {
		r.drops[hearsay.DropRate]++
		return false
	}
	w := witness{asker: r.id(asker), from: from, asked: now, request: *request}
	if len(r.witnessed) < maxWitnessed {
		r.witnessed = append(r.witnessed, w)
	} else {
		r.witnessed[r.witnessNext%maxWitnessed] = w
	}
	r.witnessNext++
	r.event(hearsay.Event{
		At: now, Kind: hearsay.EventAsked, Subject: request.Subject, By: r.id(asker), Round: request.Round, Addr: addr,
	})
	return true
}

// Examined is told what an examination of this node found. It signs it and
// answers all who asked.
func (r *Roster) Examined(now time.Time, subject hearsay.NodeID, round hearsay.Round, verdict hearsay.Verdict) {
	for i := range r.witnessed {
		w := &r.witnessed[i]
		if w.request.Subject != subject || w.request.Round != round || w.statement.Verdict != 0 {
			continue
		}
		if m := r.members.get(subject); m != nil && r.isAway(m) {
			verdict = hearsay.VerdictAbstains
		}
		w.statement = hearsay.Statement{
			Subject: subject, Incarnation: w.request.Incarnation, Round: round, Verdict: verdict, At: now.UnixMilli(),
		}
		w.statement.Sign(r.ledger(), r.signer)
		r.stats.Statements++
		r.state(now, w)
	}
}

// state gives the statement to who asked for it.
func (r *Roster) state(now time.Time, w *witness) {
	if w.asker == r.id(r.self) {
		r.Statement(now, &w.statement)
		return
	}
	if addr, ok := r.Addr(w.asker); ok {
		statement := w.statement
		r.out.Now = append(r.out.Now, hearsay.Packet{Addr: addr, Body: &statement})
	}
}
