package roster

import (
	"net/netip"
	"time"

	"hearsay"
)

// witness is a round in which this node was asked as an observer. It signs
// one verdict for it, however often it is asked.
type witness struct {
	asker     hearsay.NodeID
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
		r.witnessHint(now, asker, m)
	case r.incarnation(subject) > m.Incarnation || subject.state == hearsay.StateLeft:
		r.answerWith(p, subject) // the asker is behind
	default:
		// Also one that is dead here: the asker may be unable to count the
		// evidence by its own roster, and then needs statements of its own.
		r.witness(now, asker, r.addr(subject), m)
	}
}

// witness begins an examination, or repeats what came of it. An asker gets as
// many in the time of a round as an accuser has rounds under way, so that one
// does not keep this node from answering the others.
func (r *Roster) witness(now time.Time, asker *member, addr netip.AddrPort, request *hearsay.WitnessReq) {
	lately := 0
	for i := range r.witnessed {
		w := &r.witnessed[i]
		switch {
		case w.request == *request && w.asker != r.id(asker):
			r.drops[hearsay.DropUnexpected]++ // it is not this one's round
			return
		case w.request == *request:
			if w.statement.Verdict != 0 {
				r.state(now, w)
			}
			return
		case w.asker == r.id(asker) && now.Sub(w.asked) < r.cfg.RoundEvery:
			lately++
		}
	}
	if lately >= maxRounds {
		r.drops[hearsay.DropRate]++
		return
	}
	w := witness{asker: r.id(asker), asked: now, request: *request}
	if len(r.witnessed) < maxWitnessed {
		r.witnessed = append(r.witnessed, w)
	} else {
		r.witnessed[r.witnessNext%maxWitnessed] = w
	}
	r.witnessNext++
	r.event(hearsay.Event{
		At: now, Kind: hearsay.EventAsked, Subject: request.Subject, By: r.id(asker), Round: request.Round, Addr: addr,
	})
}

// Examined is told what an examination of this node found. It signs it and
// answers all who asked.
func (r *Roster) Examined(now time.Time, subject hearsay.NodeID, round hearsay.Round, verdict hearsay.Verdict) {
	for i := range r.witnessed {
		w := &r.witnessed[i]
		if w.request.Subject != subject || w.request.Round != round || w.statement.Verdict != 0 {
			continue
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
