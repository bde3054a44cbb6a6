package quorum

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hearsay"
)

// This file bounds how many may be in, and how fast a ledger grows. It is part of
// the state, so that all seeds refuse the same: what is here is worked out from
// entries alone.
//
// Time is what entries say, each measured against the last one of the same proposer:
// clocks that are wrong do not matter, but for those that jump, by at most maxPause. Time
// goes on with the fastest. A seed that lies can make it run, and has the bounds of growth loosened;
// it cannot stop it.

const (
	// maxPause is how much time may pass between two entries of one proposer: longer
	// than everything that is spent takes to come back. By default that are 43 minutes
	// for a source, 68 for the network.
	maxPause = 2 * time.Hour

	// anAdmission is what an admission spends, so that at n a minute n of it come
	// back each millisecond.
	anAdmission = 60_000

	// What a source may have spent, in times MembersOfSource, when one of it is admitted that
	// has left, or was removed; a newcomer: once. So a whole host can be restarted: all
	// leave, and all come back. A crowd that leaves takes no room from those that were
	// removed. What leaves spend beyond that counts, too.
	leftSpend    = 2
	removedSpend = 3
	mostSpend    = 4

	// shareMost is what of Members may have been spent in the network, in times: a member
	// that was removed finds room where newcomers do not.
	shareMost = 2

	// timeMost bounds times of the state, and what seats say of theirs: 36 million years, so that
	// sums do not overflow.
	timeMost = 1 << 60

	// maxSpending bounds the sources of which is kept what they have spent. All
	// that was spent in the time in which a source gets everything back fits, as the
	// network's own bound is twice Members.
	maxSpending = 16 << 10
)

// writing is when a seat wrote its last entry, by its own clock and by the state's.
type writing struct{ at, then int64 }

// spending is what a source, or the network, has spent, as of a time of the state.
type spending struct {
	source netip.Addr
	spent  int64
	at     int64
}

// spentAt gives what is spent still, if so many admissions a minute come back.
func (s *spending) spentAt(now int64, aMinute uint32) int64 {
	passed := max(0, now-s.at)
	if passed > s.spent/int64(aMinute) {
		return 0
	}
	return s.spent - passed*int64(aMinute)
}

// fits reports whether it can have been spent by a time of the state.
func (s *spending) fits(now, most int64) bool {
	return s.spent >= 0 && s.spent <= most && s.at >= 0 && s.at <= now
}

// bounds is the part of the state that limits it.
type bounds struct {
	limits  hearsay.Limits
	words   []hearsay.LimitsWord // by slot; zero: a seat has said nothing
	now     int64                // milliseconds since the founding, as far as entries tell
	wrote   []writing            // by slot
	network spending
	sources []spending // ascending by source

	// What is derived: members, and cases of admissions, by source.
	members, asking map[netip.Addr]int
	allAsking       int
}

func newBounds(seats int) bounds {
	return bounds{limits: hearsay.DefaultLimits(), words: make([]hearsay.LimitsWord, seats), wrote: make([]writing, seats)}
}

// reseat begins anew with what seats have said and written: there are others. Time
// goes on from what the recovering seat writes now. Without that every admission
// could be refused, no entry would be written, and no time would pass.
func (b *bounds) reseat(seats, own int, at int64) {
	b.words, b.wrote = make([]hearsay.LimitsWord, seats), make([]writing, seats)
	b.wrote[own] = writing{at, b.now}
}

// timeBy gives what time it is when a seat writes an entry.
func (b *bounds) timeBy(slot uint8, at int64) int64 {
	if int(slot) >= len(b.wrote) || b.wrote[slot].at == 0 {
		return b.now
	}
	r := b.wrote[slot]
	return max(b.now, r.then+min(max(0, at-r.at), maxPause.Milliseconds()))
}

// pass lets time pass up to an entry.
func (b *bounds) pass(slot uint8, at int64) {
	if int(slot) < len(b.wrote) {
		b.now = min(b.timeBy(slot, at), timeMost)
		b.wrote[slot] = writing{at, b.now}
	}
}

// find gives what a source has spent.
func (b *bounds) find(source netip.Addr) (at int, found bool) {
	return slices.BinarySearchFunc(b.sources, source, func(s spending, a netip.Addr) int { return s.source.Compare(a) })
}

func (b *bounds) spentOf(source netip.Addr, now int64) int64 {
	if at, found := b.find(source); found {
		return b.sources[at].spentAt(now, b.limits.SourceAdmissions)
	}
	return 0
}

// spend counts what a source and the network spend, or takes it back where it is
// negative.
func (b *bounds) spend(source netip.Addr, own, network int64) {
	b.network = spending{spent: max(0, b.network.spentAt(b.now, b.limits.Admissions)+network), at: b.now}
	if source.IsLoopback() {
		return
	}
	at, found := b.find(source)
	if !found {
		if len(b.sources) >= maxSpending {
			b.sources = slices.DeleteFunc(b.sources, func(s spending) bool { return s.spentAt(b.now, b.limits.SourceAdmissions) == 0 })
			at, _ = b.find(source)
		}
		if len(b.sources) >= maxSpending {
			return
		}
		b.sources = slices.Insert(b.sources, at, spending{source: source})
	}
	s := &b.sources[at]
	spent := s.spentAt(b.now, b.limits.SourceAdmissions) + own
	s.spent, s.at = min(max(0, spent), b.mostOfSource()), b.now
}

// most is what the network may have spent, and mostOfSource what a source may.
func (b *bounds) most() int64 { return shareMost * anAdmission * int64(b.limits.Members) }

func (b *bounds) mostOfSource() int64 {
	return mostSpend * anAdmission * int64(b.limits.MembersOfSource)
}

// hold has limits hold. Nothing has spent more than may be spent by them.
func (b *bounds) hold(l hearsay.Limits) {
	b.limits = l
	b.network.spent = min(b.network.spent, b.most())
	for i := range b.sources {
		b.sources[i].spent = min(b.sources[i].spent, b.mostOfSource())
	}
}

// tally keeps how many there are by source: members, or cases of admissions.
func tally(of map[netip.Addr]int, addr netip.AddrPort, n int) {
	source := hearsay.Source(addr.Addr())
	if of[source] += n; of[source] == 0 {
		delete(of, source)
	}
}

// refusesMore says why an admission would be too much, at a time of the state, if so.
func (s *state) refusesMore(c *hearsay.Claim, now int64) (why string) {
	l, source := s.bounds.limits, hearsay.Source(c.Card.Addr.Addr())
	share, spendShare := int64(1), int64(1)
	switch removed, was := s.wasIn(c.Subject); {
	case removed:
		share, spendShare = shareMost, removedSpend // nobody else takes its place
	case was:
		spendShare = leftSpend
	}
	ofSource := int64(s.bounds.members[source] + s.bounds.asking[source])
	switch all := int64(s.members.count + s.bounds.allAsking); {
	case all >= share*int64(l.Members):
		return fmt.Sprintf("the network has %d members, those that are being admitted counted, and may have %d (limits.members)", all, l.Members)
	case s.bounds.network.spentAt(now, l.Admissions)+anAdmission > share*anAdmission*int64(l.Members):
		return fmt.Sprintf("too many were admitted lately: %d a minute may be (limits.admissions)", l.Admissions)
	case source.IsLoopback():
		return ""
	case ofSource >= share*int64(l.MembersOfSource):
		return fmt.Sprintf("the network has %d members from %s, those that are being admitted counted, and may have %d (limits.members_of_source)", ofSource, source, l.MembersOfSource)
	case s.bounds.spentOf(source, now)+anAdmission > spendShare*anAdmission*int64(l.MembersOfSource):
		return fmt.Sprintf("too many were admitted from %s lately, or have left: %d a minute may be (limits.source_admissions)", source, l.SourceAdmissions)
	}
	return ""
}

// refusesMove says why a member cannot move to an address, if so: its source has its
// share.
func (s *state) refusesMove(from, to netip.AddrPort) (why string) {
	source := hearsay.Source(to.Addr())
	if source == hearsay.Source(from.Addr()) || source.IsLoopback() || s.bounds.members[source] < 2*int(s.bounds.limits.MembersOfSource) {
		return ""
	}
	return fmt.Sprintf("the network has %d members from %s, and may have %d there, half of them newcomers (limits.members_of_source)",
		s.bounds.members[source], source, 2*s.bounds.limits.MembersOfSource)
}

// wasIn reports whether a node was in before, as far back as that is remembered, and
// whether it was removed then, or has left.
func (s *state) wasIn(id hearsay.NodeID) (removed, was bool) {
	for _, d := range slices.Backward(s.departed) {
		if d.id == id {
			return d.removed, true
		}
	}
	return false, false
}

// openAdmission opens the case of an admission, if that is within the limits.
func (s *state) openAdmission(id hearsay.CaseID, c *command) []change {
	why := s.refusesAdmission(&c.claim)
	if why == "" {
		why = s.refusesMore(&c.claim, s.bounds.now)
	}
	if why == "" {
		s.bounds.spend(hearsay.Source(c.claim.Card.Addr.Addr()), anAdmission, anAdmission)
	}
	return s.open(id, c, c.claim.Subject, why)
}

// limit takes a seat's word for limits.
func (s *state) limit(c *command) []change {
	w := &c.limits
	if int(w.Slot) >= len(s.seats) {
		return nil
	}
	if said := &s.bounds.words[w.Slot]; said.Life == w.Life && w.At <= said.At {
		return nil // again
	}
	seat := s.seats[w.Slot]
	var buf [256]byte
	if seat.Life.IsZero() || w.Life != seat.Life || w.At > timeMost || !s.verify(seat.Key, w.AppendSigned(buf[:0], s.ledger()), w.Signature) {
		return nil
	}
	s.bounds.words[w.Slot] = *w
	alike := 0
	for slot := range s.seats {
		if s.bounds.words[slot].Limits == w.Limits && s.bounds.words[slot].Life == s.seats[slot].Life {
			alike++
		}
	}
	if alike >= s.quorum() && s.bounds.limits != w.Limits {
		s.bounds.hold(w.Limits)
	}
	return nil
}

// wordsHold reports whether the words of a snapshot that no later one can take the place of, or few,
// are the seats' own. Of others no proof is needed: their seats say the next.
func (s *state) wordsHold() bool {
	var buf [256]byte
	for slot := range s.seats {
		w, seat := &s.bounds.words[slot], &s.seats[slot]
		if w.At > timeMost/2 && w.Life == seat.Life && !s.verify(seat.Key, w.AppendSigned(buf[:0], s.ledger()), w.Signature) {
			return false
		}
	}
	return true
}

// said gives what a seat has said last; the defaults if it has said nothing.
func (s *state) said(slot int) hearsay.Limits {
	if w := &s.bounds.words[slot]; w.Limits.Valid() && w.Life == s.seats[slot].Life {
		return w.Limits
	}
	return hearsay.DefaultLimits()
}

// hasSaid reports whether a life has said these limits last, in its seat.
func (s *state) hasSaid(slot int, life hearsay.Life, l hearsay.Limits) bool {
	w := &s.bounds.words[slot]
	return w.Life == life && w.Limits == l
}

func (b *bounds) appendBinary(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(b.limits.AppendBinary(dst), uint64(b.now))
	for slot := range b.wrote {
		dst = binary.BigEndian.AppendUint64(dst, uint64(b.wrote[slot].at))
		dst = binary.BigEndian.AppendUint64(dst, uint64(b.wrote[slot].then))
		w := &b.words[slot]
		said := w.Limits.Valid()
		if dst = append(dst, 0); said {
			dst[len(dst)-1] = 1
			dst = w.AppendBinary(dst)
		}
	}
	dst = b.network.append(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(b.sources)))
	for i := range b.sources {
		ip := b.sources[i].source.As16()
		dst = b.sources[i].append(append(dst, ip[:]...))
	}
	return dst
}

func (s *spending) append(dst []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, uint64(s.spent)), uint64(s.at))
}

// read reads what appendBinary wrote before the sources.
func (b *bounds) read(r *hearsay.Canonical, seats int) {
	b.words, b.wrote = make([]hearsay.LimitsWord, seats), make([]writing, seats)
	b.limits, b.now = r.Limits(), int64(r.Uint64())
	for slot := range seats {
		b.wrote[slot] = writing{int64(r.Uint64()), int64(r.Uint64())}
		if then := b.wrote[slot].then; then < 0 || then > b.now {
			r.Fail()
		}
		if r.Byte() == 1 && !r.Failed() {
			b.words[slot] = r.LimitsWord()
			if w := &b.words[slot]; int(w.Slot) != slot || !w.Limits.Valid() || w.At > timeMost {
				r.Fail()
			}
		}
	}
	b.network = spending{spent: int64(r.Uint64()), at: int64(r.Uint64())}
	if !b.limits.Valid() || b.now < 0 || b.now > timeMost || !b.network.fits(b.now, b.most()) {
		r.Fail()
	}
}

// readSpending reads what the next source has spent, and reports whether it can be.
func (b *bounds) readSpending(r *hearsay.Canonical) (holds bool) {
	one := spending{source: readSource(r), spent: int64(r.Uint64()), at: int64(r.Uint64())}
	if n := len(b.sources); !one.fits(b.now, b.mostOfSource()) || n > 0 && b.sources[n-1].source.Compare(one.source) >= 0 {
		return false
	}
	b.sources = append(b.sources, one)
	return true
}

func readSource(r *hearsay.Canonical) (source netip.Addr) {
	if ip := r.Take(16); ip != nil {
		source = netip.AddrFrom16([16]byte(ip)).Unmap()
	}
	return source
}

// sayLimits has this seed say which limits it was told, if it has said others or others
// hold, and tells where those of others differ. A seed that has said nothing counts as
// told the defaults; it must say so where others hold, or those would stay for ever.
func (q *Quorum) sayLimits(now time.Time) {
	if !q.Seated() || !q.Ready() {
		return
	}
	s, own := q.state, q.cfg.Limits
	said, at := &s.bounds.words[q.cfg.Slot], now.UnixMilli()
	if said.Life == q.life {
		at = max(at, said.At+1)
	}
	if at <= timeMost && (s.said(q.cfg.Slot) != own || own != s.bounds.limits && !s.hasSaid(q.cfg.Slot, q.life, own)) {
		w := hearsay.LimitsWord{Slot: uint8(q.cfg.Slot), Life: q.life, Limits: own, At: at}
		w.Sign(q.Ledger(), q.signer)
		q.ask(now, q.signer.Public().NodeID(), command{op: opLimits, limits: w})
	}
	if q.limitsAt.IsZero() {
		q.limitsAt = now.Add(limitsAfter)
	}
	for slot := range q.cfg.Seeds {
		theirs, note := s.said(slot), q.doubts[slot].note
		if slot == q.cfg.Slot || theirs == own || note != "" && note != otherLimits || s.seats[slot].Life.IsZero() || now.Before(q.limitsAt) {
			continue
		}
		q.differs(now, slot, s.seats[slot].Key, doubt{note: otherLimits, text: fmt.Sprintf("the seed at %v was told other limits than this one: %s; want the same on all; %s",
			q.cfg.Seeds[slot].Addr, differing(theirs, own, "there", "here"), q.whichHold())})
	}
}

// limitsAfter is how long a seed waits, once it is ready, until it says that others
// have other limits: they may be saying theirs. A guess.
const limitsAfter = 5 * time.Second

// whichHold says whether the limits that hold are this seed's.
func (q *Quorum) whichHold() string {
	if hold := q.state.bounds.limits; hold != q.cfg.Limits {
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
	return q.state.bounds.limits
}
