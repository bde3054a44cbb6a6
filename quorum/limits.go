package quorum

import (
	"fmt"
	"strings"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// sayLimits has this seed say which limits it was told, if it has said others or others
// hold, and tells where those of others differ. A seed that has said nothing counts as
// told the defaults; it must say so where others hold, or those would stay for ever.
func (r *requests) sayLimits(now time.Time) {
	if !r.seed.Seated() || !r.seed.Ready() {
		return
	}
	s, own := r.seed.state, r.seed.cfg.Limits
	said, at := &s.Usage.Words[r.seed.cfg.Slot], now.UnixMilli()
	if said.Life == r.seed.life {
		at = max(at, said.At+1)
	}
	if at <= ledger.TimeMost && (s.Said(r.seed.cfg.Slot) != own || own != s.Usage.Limits && !s.HasSaid(r.seed.cfg.Slot, r.seed.life, own)) {
		w := core.LimitsWord{Slot: uint8(r.seed.cfg.Slot), Life: r.seed.life, Limits: own, At: at}
		w.Sign(r.seed.Ledger(), r.seed.signer)
		r.ask(now, r.seed.signer.Public().NodeID(), ledger.Command{Op: ledger.OpLimits, Limits: w})
	}
	if r.limitsAt.IsZero() {
		r.limitsAt = now.Add(limitsAfter)
	}
	for slot := range r.seed.cfg.Seeds {
		theirs, note := s.Said(slot), r.seed.mismatches[slot].Note
		if slot == r.seed.cfg.Slot || theirs == own || note != "" && note != otherLimits || s.Seats[slot].Life.IsZero() || now.Before(r.limitsAt) {
			continue
		}
		r.seed.seats.differs(now, slot, s.Seats[slot].Key, ledger.Mismatch{Note: otherLimits, Text: fmt.Sprintf("the seed at %v was told other limits than this one: %s; want the same on all; %s",
			r.seed.cfg.Seeds[slot].Addr, differing(theirs, own, "there", "here"), r.whichHold())})
	}
}

// limitsAfter is how long a seed waits, once it is ready, until it says that others
// have other limits: they may be saying theirs. A guess.
const limitsAfter = 5 * time.Second

// whichHold says whether the limits that hold are this seed's.
func (r *requests) whichHold() string {
	if hold := r.seed.state.Usage.Limits; hold != r.seed.cfg.Limits {
		return "a quorum's hold: " + differing(hold, r.seed.cfg.Limits, "they are", "here")
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
