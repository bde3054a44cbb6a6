package quorum

import (
	"fmt"
	"strings"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// sayLimits has this seed say which limits it was told, if it has said others or others
// hold, and tells where those of others differ. A seed that has said nothing counts as
// told the defaults; it must say so where others hold, or those would stay for ever.
func (q *Quorum) sayLimits(now time.Time) {
	if !q.Seated() || !q.Ready() {
		return
	}
	s, own := q.state, q.cfg.Limits
	said, at := &s.Usage.Words[q.cfg.Slot], now.UnixMilli()
	if said.Life == q.life {
		at = max(at, said.At+1)
	}
	if at <= ledger.TimeMost && (s.Said(q.cfg.Slot) != own || own != s.Usage.Limits && !s.HasSaid(q.cfg.Slot, q.life, own)) {
		w := hearsay.LimitsWord{Slot: uint8(q.cfg.Slot), Life: q.life, Limits: own, At: at}
		w.Sign(q.Ledger(), q.signer)
		q.ask(now, q.signer.Public().NodeID(), ledger.Command{Op: ledger.OpLimits, Limits: w})
	}
	if q.limitsAt.IsZero() {
		q.limitsAt = now.Add(limitsAfter)
	}
	for slot := range q.cfg.Seeds {
		theirs, note := s.Said(slot), q.doubts[slot].note
		if slot == q.cfg.Slot || theirs == own || note != "" && note != otherLimits || s.Seats[slot].Life.IsZero() || now.Before(q.limitsAt) {
			continue
		}
		q.differs(now, slot, s.Seats[slot].Key, doubt{note: otherLimits, text: fmt.Sprintf("the seed at %v was told other limits than this one: %s; want the same on all; %s",
			q.cfg.Seeds[slot].Addr, differing(theirs, own, "there", "here"), q.whichHold())})
	}
}

// limitsAfter is how long a seed waits, once it is ready, until it says that others
// have other limits: they may be saying theirs. A guess.
const limitsAfter = 5 * time.Second

// whichHold says whether the limits that hold are this seed's.
func (q *Quorum) whichHold() string {
	if hold := q.state.Usage.Limits; hold != q.cfg.Limits {
		return "a quorum's hold: " + differing(hold, q.cfg.Limits, "they are", "here")
	}
	return "this one's hold"
}

// differing names the limits that two differ in.
func differing(a, b hearsay.Limits, aIs, bIs string) string {
	var all []string
	for _, l := range []struct {
		name string
		a, b uint32
	}{
		{"limits.members", a.Members, b.Members},
		{"limits.members_of_source", a.MembersOfSource, b.MembersOfSource},
		{"limits.admissions", a.Admissions, b.Admissions},
		{"limits.source_admissions", a.SourceAdmissions, b.SourceAdmissions},
	} {
		if l.a != l.b {
			all = append(all, fmt.Sprintf("%s %s %d, %s %d", l.name, aIs, l.a, bIs, l.b))
		}
	}
	return strings.Join(all, "; ")
}

// otherLimits is what is wrong with a seed that was told other limits.
const otherLimits = "has other limits"

// Limits gives the limits that hold, or those by default as long as no network is
// founded.
func (q *Quorum) Limits() hearsay.Limits {
	if q.state == nil {
		return hearsay.DefaultLimits()
	}
	return q.state.Usage.Limits
}
