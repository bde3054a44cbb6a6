package roster

import (
	"time"

	"hearsay"
)

// witness is a round in which this node was asked as an observer. It signs
// one verdict for it, however often it is asked.
type witness struct {
	asker     hearsay.NodeID
	request   hearsay.WitnessReq
	statement hearsay.Statement // its verdict is zero until the examination is over
}

// WitnessReq takes an accuser's request.
func (r *Roster) WitnessReq(now time.Time, p *hearsay.Packet, m *hearsay.WitnessReq) {
	asker := r.members[p.From]
	switch subject := r.members[m.Subject]; {
	case asker == nil || !asker.state.Living():
		r.drops[hearsay.DropStranger]++
	case m.Subject == r.self.id:
		r.drops[hearsay.DropMisdirected]++ // nobody is his own observer
	case subject != nil && (subject.incarnation > m.Incarnation || subject.state == hearsay.StateLeft):
		r.tellOne(p.Addr, subject) // the asker is behind
	default:
		// Also one that is dead here: the asker may be unable to count the
		// evidence by its own roster, and then needs statements of its own.
		r.witness(now, asker, m)
	}
}

// witness begins an examination, or repeats what came of it.
func (r *Roster) witness(now time.Time, asker *member, request *hearsay.WitnessReq) {
	for i := range r.witnessed {
		w := &r.witnessed[i]
		if w.asker == asker.id && w.request == *request {
			if w.statement.Verdict != 0 {
				r.state(now, w)
			}
			return
		}
	}
	w := witness{asker: asker.id, request: *request}
	if len(r.witnessed) < maxWitnessed {
		r.witnessed = append(r.witnessed, w)
	} else {
		r.witnessed[r.witnessNext%maxWitnessed] = w
	}
	r.witnessNext++
	asked := hearsay.Event{At: now, Kind: hearsay.EventAsked, Subject: request.Subject, By: asker.id, Round: request.Round}
	if subject := r.members[request.Subject]; subject != nil {
		asked.Addr = subject.card.Addr
	}
	r.event(asked)
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
		w.statement.Sign(r.network, r.signer)
		r.stats.Statements++
		r.state(now, w)
	}
}

// state gives the statement to who asked for it.
func (r *Roster) state(now time.Time, w *witness) {
	if w.asker == r.self.id {
		r.Statement(now, &w.statement)
		return
	}
	if addr, ok := r.Addr(w.asker); ok {
		statement := w.statement
		r.out.Now = append(r.out.Now, hearsay.Packet{Addr: addr, Body: &statement})
	}
}
