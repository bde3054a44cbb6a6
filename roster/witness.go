package roster

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/quota"
)

// witnesses are the rounds in which this node was asked as an observer.
type witnesses struct {
	*part
	asked []witness // a ring, of maxWitnessed
	next  int
	from  time.Time // before this, a round may be one in which an earlier life has signed
}

// witness is a round in which this node was asked as an observer. It signs
// one verdict for it, however often it is asked.
type witness struct {
	asker     hearsay.NodeID
	from      quota.Sender // whose share it is; zero: this node's
	asked     time.Time
	request   core.WitnessReq
	statement hearsay.Statement // its verdict is zero until the examination is over
}

// WitnessReq takes an accuser's request.
func (ws *witnesses) WitnessReq(now time.Time, p *core.Packet, m *core.WitnessReq) {
	asker := ws.members.get(p.From)
	switch subject := ws.members.get(m.Subject); {
	case asker == nil || !asker.state.Living():
		ws.out.stats.Drops[hearsay.DropStranger]++
	case now.Before(ws.from):
		ws.out.stats.Drops[hearsay.DropUnexpected]++
	case m.Subject == ws.members.me():
		ws.out.stats.Drops[hearsay.DropMisdirected]++ // nobody is his own observer
	case subject == nil, ws.members.incarnation(subject) < m.Incarnation:
		ws.examineHint(now, asker, p, m)
	case ws.members.incarnation(subject) > m.Incarnation || subject.state == hearsay.StateLeft:
		ws.out.answerWith(p, subject) // the asker is behind
	case ws.roster.aways.holdsBack(now, p, subject):
	default:
		// Also one that is dead here: the asker may be unable to count the
		// evidence by its own roster, and then needs statements of its own.
		ws.examine(now, asker, ws.members.addr(subject), p, m)
	}
}

// examine begins an examination, or repeats what came of it, and reports whether it begins one; p is the packet that
// asks, or nil if this node does. A sender gets as many in the time of a round as an accuser has rounds under way, so
// that one does not keep this node from answering the others.
func (ws *witnesses) examine(now time.Time, asker *member, addr netip.AddrPort, p *core.Packet, request *core.WitnessReq) (begun bool) {
	lately, from := 0, quota.Sender{}
	if p != nil {
		from = ws.roster.budgets.senderOf(p)
	}
	for i := range ws.asked {
		w := &ws.asked[i]
		switch {
		case w.request == *request && w.asker != ws.members.id(asker):
			ws.out.stats.Drops[hearsay.DropUnexpected]++ // it is not this one's round
			return false
		case w.request == *request:
			if w.statement.Verdict != 0 {
				ws.answer(now, w)
			}
			return false
		case w.from == from && now.Sub(w.asked) < ws.cfg.RoundEvery:
			lately++
		}
	}
	if lately >= maxRounds || p != nil && !ws.roster.budgets.affordExamination(now, p, from) {
		ws.out.stats.Drops[hearsay.DropRate]++
		return false
	}
	w := witness{asker: ws.members.id(asker), from: from, asked: now, request: *request}
	if len(ws.asked) < maxWitnessed {
		ws.asked = append(ws.asked, w)
	} else {
		ws.asked[ws.next%maxWitnessed] = w
	}
	ws.next++
	ws.out.event(hearsay.Event{
		At: now, Kind: hearsay.EventAsked, Subject: request.Subject, By: ws.members.id(asker), Round: request.Round, Addr: addr,
	})
	return true
}

// Examined is told what an examination of this node found. It signs it and answers all that asked.
func (ws *witnesses) Examined(now time.Time, subject hearsay.NodeID, round hearsay.Round, verdict hearsay.Verdict) {
	for i := range ws.asked {
		w := &ws.asked[i]
		if w.request.Subject != subject || w.request.Round != round || w.statement.Verdict != 0 {
			continue
		}
		if m := ws.members.get(subject); m != nil && ws.members.isAway(m) {
			verdict = hearsay.VerdictAbstains
		}
		w.statement = hearsay.Statement{
			Subject: subject, Incarnation: w.request.Incarnation, Round: round, Verdict: verdict, At: now.UnixMilli(),
		}
		w.statement.Sign(ws.roster.ledger(), ws.roster.signer)
		ws.out.stats.Statements++
		ws.answer(now, w)
	}
}

// answer gives the statement to the accuser that asked for it.
func (ws *witnesses) answer(now time.Time, w *witness) {
	if w.asker == ws.members.me() {
		ws.roster.accusations.Statement(now, &w.statement)
		return
	}
	if addr, ok := ws.members.Addr(w.asker); ok {
		ws.out.Now = append(ws.out.Now, core.Packet{Addr: addr, Body: &core.Statement{Statement: w.statement}})
	}
}

// examineHint has this node examine, as an observer, a member of which it has only a hint: its accuser may be the only
// member that has met it. Each telling of a word has its address examined once: word and request together are more than
// a third of all the pings that they cause.
func (ws *witnesses) examineHint(now time.Time, asker *member, p *core.Packet, request *core.WitnessReq) {
	one := ws.roster.hints.known(request.Subject)
	if one == nil || ws.roster.hints.word(one).Incarnation != request.Incarnation {
		ws.out.stats.Drops[hearsay.DropStranger]++ // nothing to say of it, or not where it is now
		return
	}
	if one.examined && !slices.ContainsFunc(ws.asked, func(w witness) bool { return w.request == *request }) {
		ws.out.stats.Drops[hearsay.DropRate]++
		return
	}
	one.examined = ws.examine(now, asker, ws.roster.hints.word(one).Card.Addr, p, request) || one.examined
}
