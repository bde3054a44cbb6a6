package ledger

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
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

	// AnAdmission is what an admission spends, so that at n a minute n of it come
	// back each millisecond.
	AnAdmission = 60_000

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

	// TimeMost bounds times of the state, and what seats say of theirs: 36 million years, so that
	// sums do not overflow.
	TimeMost = 1 << 60

	// maxSpending bounds the sources of which is kept what they have spent. All
	// that was spent in the time in which a source gets everything back fits, as the
	// network's own bound is twice Members.
	maxSpending = 16 << 10
)

// writing is when a seat wrote its last entry, by its own clock and by the state's.
type writing struct{ at, Then int64 }

// Spending is what a source, or the network, has spent, as of a time of the state.
type Spending struct {
	Source netip.Addr
	Spent  int64
	At     int64
}

// spentAt gives what is spent still, if so many admissions a minute come back.
func (s *Spending) spentAt(now int64, aMinute uint32) int64 {
	passed := max(0, now-s.At)
	if passed > s.Spent/int64(aMinute) {
		return 0
	}
	return s.Spent - passed*int64(aMinute)
}

// fits reports whether it can have been spent by a time of the state.
func (s *Spending) fits(now, most int64) bool {
	return s.Spent >= 0 && s.Spent <= most && s.At >= 0 && s.At <= now
}

// Usage is the part of the state that limits it.
type Usage struct {
	Limits  hearsay.Limits
	Words   []core.LimitsWord // by slot; zero: a seat has said nothing
	Now     int64             // milliseconds since the founding, as far as entries tell
	Wrote   []writing         // by slot
	Network Spending
	Sources []Spending // ascending by source

	// What is derived: members, and cases of admissions, by source.
	members, asking map[netip.Addr]int
	allAsking       int
}

// NewUsage is that of a network with so many seats, of which nothing is spent.
func NewUsage(seats int) Usage {
	return Usage{Limits: hearsay.DefaultLimits(), Words: make([]core.LimitsWord, seats), Wrote: make([]writing, seats)}
}

// Reseat begins anew with what seats have said and written: there are others. Time
// goes on from what the recovering seat writes now. Without that every admission
// could be refused, no entry would be written, and no time would pass.
func (b *Usage) Reseat(seats, own int, at int64) {
	b.Words, b.Wrote = make([]core.LimitsWord, seats), make([]writing, seats)
	b.Wrote[own] = writing{at, b.Now}
}

// TimeBy gives what time it is when a seat writes an entry.
func (b *Usage) TimeBy(slot uint8, at int64) int64 {
	if int(slot) >= len(b.Wrote) || b.Wrote[slot].at == 0 {
		return b.Now
	}
	r := b.Wrote[slot]
	return max(b.Now, r.Then+min(max(0, at-r.at), maxPause.Milliseconds()))
}

// pass lets time pass up to an entry.
func (b *Usage) pass(slot uint8, at int64) {
	if int(slot) < len(b.Wrote) {
		b.Now = min(b.TimeBy(slot, at), TimeMost)
		b.Wrote[slot] = writing{at, b.Now}
	}
}

// find gives what a source has spent.
func (b *Usage) find(source netip.Addr) (at int, found bool) {
	return slices.BinarySearchFunc(b.Sources, source, func(s Spending, a netip.Addr) int { return s.Source.Compare(a) })
}

// SpentOf is what a source has spent and not got back by a time.
func (b *Usage) SpentOf(source netip.Addr, now int64) int64 {
	if at, found := b.find(source); found {
		return b.Sources[at].spentAt(now, b.Limits.SourceAdmissions)
	}
	return 0
}

// Spend counts what a source and the network spend, or takes it back where it is
// negative.
func (b *Usage) Spend(source netip.Addr, own, network int64) {
	b.Network = Spending{Spent: max(0, b.Network.spentAt(b.Now, b.Limits.Admissions)+network), At: b.Now}
	if source.IsLoopback() {
		return
	}
	at, found := b.find(source)
	if !found {
		if len(b.Sources) >= maxSpending {
			b.Sources = slices.DeleteFunc(b.Sources, func(s Spending) bool { return s.spentAt(b.Now, b.Limits.SourceAdmissions) == 0 })
			at, _ = b.find(source)
		}
		if len(b.Sources) >= maxSpending {
			return
		}
		b.Sources = slices.Insert(b.Sources, at, Spending{Source: source})
	}
	s := &b.Sources[at]
	spent := s.spentAt(b.Now, b.Limits.SourceAdmissions) + own
	s.Spent, s.At = min(max(0, spent), b.MostOfSource()), b.Now
}

// Most is what the network may have spent, and mostOfSource what a source may.
func (b *Usage) Most() int64 { return shareMost * AnAdmission * int64(b.Limits.Members) }

// MostOfSource is how much one source may have spent.
func (b *Usage) MostOfSource() int64 {
	return mostSpend * AnAdmission * int64(b.Limits.MembersOfSource)
}

// Hold has limits hold. Nothing has spent more than may be spent by them.
func (b *Usage) Hold(l hearsay.Limits) {
	b.Limits = l
	b.Network.Spent = min(b.Network.Spent, b.Most())
	for i := range b.Sources {
		b.Sources[i].Spent = min(b.Sources[i].Spent, b.MostOfSource())
	}
}

// tally keeps how many there are by source: members, or cases of admissions.
func tally(of map[netip.Addr]int, addr netip.AddrPort, n int) {
	source := core.Source(addr.Addr())
	if of[source] += n; of[source] == 0 {
		delete(of, source)
	}
}

// RefusesMore says why an admission would be too much, at a time of the state, if so. Ahead of it are some that have
// no case yet, and of them some of its source.
func (s *State) RefusesMore(c *hearsay.Claim, now int64, ahead, aheadOfSource int) (why string) {
	l, source := s.Usage.Limits, core.Source(c.Card.Addr.Addr())
	share, spendShare := int64(1), int64(1)
	switch removed, was := s.WasIn(c.Subject); {
	case removed:
		share, spendShare = shareMost, removedSpend // nobody else takes its place
	case was:
		spendShare = leftSpend
	}
	ofSource := int64(s.Usage.members[source] + s.Usage.asking[source] + aheadOfSource)
	switch all := int64(s.Members.Count + s.Usage.allAsking + ahead); {
	case all >= share*int64(l.Members):
		return fmt.Sprintf("the network has %d members, those that are being admitted counted, and may have %d (limits.members)", all, l.Members)
	case s.Usage.Network.spentAt(now, l.Admissions)+AnAdmission*int64(1+ahead) > share*AnAdmission*int64(l.Members):
		return fmt.Sprintf("too many were admitted lately: %d a minute may be (limits.admissions)", l.Admissions)
	case source.IsLoopback():
		return ""
	case ofSource >= share*int64(l.MembersOfSource):
		return fmt.Sprintf("the network has %d members from %s, those that are being admitted counted, and may have %d (limits.members_of_source)", ofSource, source, l.MembersOfSource)
	case s.Usage.SpentOf(source, now)+AnAdmission*int64(1+aheadOfSource) > spendShare*AnAdmission*int64(l.MembersOfSource):
		return fmt.Sprintf("too many were admitted from %s lately, or have left: %d a minute may be (limits.source_admissions)", source, l.SourceAdmissions)
	}
	return ""
}

// refusesMove says why a member cannot move to an address, if so: its source has its
// share.
func (s *State) refusesMove(from, to netip.AddrPort) (why string) {
	source := core.Source(to.Addr())
	if source == core.Source(from.Addr()) || source.IsLoopback() || s.Usage.members[source] < 2*int(s.Usage.Limits.MembersOfSource) {
		return ""
	}
	return fmt.Sprintf("the network has %d members from %s, and may have %d there, half of them newcomers (limits.members_of_source)",
		s.Usage.members[source], source, 2*s.Usage.Limits.MembersOfSource)
}

// WasIn reports whether a node was in before, as far back as that is remembered, and
// whether it was removed then, or has left.
func (s *State) WasIn(id hearsay.NodeID) (removed, was bool) {
	for _, d := range slices.Backward(s.Departed) {
		if d.id == id {
			return d.removed, true
		}
	}
	return false, false
}

// OpenAdmission opens the case of an admission, if that is within the limits.
func (s *State) OpenAdmission(id hearsay.CaseID, c *Command) []Change {
	why := s.RefusesAdmission(&c.Claim)
	if why == "" {
		why = s.RefusesMore(&c.Claim, s.Usage.Now, 0, 0)
	}
	if why == "" {
		s.Usage.Spend(core.Source(c.Claim.Card.Addr.Addr()), AnAdmission, AnAdmission)
	}
	return s.open(id, c, c.Claim.Subject, why)
}

// Limit takes a seat's word for limits.
func (s *State) Limit(c *Command) []Change {
	w := &c.Limits
	if int(w.Slot) >= len(s.Seats) {
		return nil
	}
	if said := &s.Usage.Words[w.Slot]; said.Life == w.Life && w.At <= said.At {
		return nil // again
	}
	seat := s.Seats[w.Slot]
	var buf [256]byte
	if seat.Life.IsZero() || w.Life != seat.Life || w.At > TimeMost || !s.verify(seat.Key, w.AppendSigned(buf[:0], s.Ledger()), w.Signature) {
		return nil
	}
	s.Usage.Words[w.Slot] = *w
	alike := 0
	for slot := range s.Seats {
		if s.Usage.Words[slot].Limits == w.Limits && s.Usage.Words[slot].Life == s.Seats[slot].Life {
			alike++
		}
	}
	if alike >= s.Quorum() && s.Usage.Limits != w.Limits {
		s.Usage.Hold(w.Limits)
	}
	return nil
}

// WordsHold reports whether the words of a snapshot that no later one can take the place of, or few,
// are the seats' own. Of others no proof is needed: their seats say the next.
func (s *State) WordsHold() bool {
	var buf [256]byte
	for slot := range s.Seats {
		w, seat := &s.Usage.Words[slot], &s.Seats[slot]
		if w.At > TimeMost/2 && w.Life == seat.Life && !s.verify(seat.Key, w.AppendSigned(buf[:0], s.Ledger()), w.Signature) {
			return false
		}
	}
	return true
}

// Said gives what a seat has said last; the defaults if it has said nothing.
func (s *State) Said(slot int) hearsay.Limits {
	if w := &s.Usage.Words[slot]; w.Limits.Valid() && w.Life == s.Seats[slot].Life {
		return w.Limits
	}
	return hearsay.DefaultLimits()
}

// HasSaid reports whether a life has said these limits last, in its seat.
func (s *State) HasSaid(slot int, life hearsay.Life, l hearsay.Limits) bool {
	w := &s.Usage.Words[slot]
	return w.Life == life && w.Limits == l
}

func (b *Usage) appendBinary(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(b.Limits.AppendBinary(dst), uint64(b.Now))
	for slot := range b.Wrote {
		dst = binary.BigEndian.AppendUint64(dst, uint64(b.Wrote[slot].at))
		dst = binary.BigEndian.AppendUint64(dst, uint64(b.Wrote[slot].Then))
		w := &b.Words[slot]
		said := w.Limits.Valid()
		if dst = append(dst, 0); said {
			dst[len(dst)-1] = 1
			dst = w.AppendBinary(dst)
		}
	}
	dst = b.Network.append(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(b.Sources)))
	for i := range b.Sources {
		ip := b.Sources[i].Source.As16()
		dst = b.Sources[i].append(append(dst, ip[:]...))
	}
	return dst
}

func (s *Spending) append(dst []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, uint64(s.Spent)), uint64(s.At))
}

// read reads what appendBinary wrote before the sources.
func (b *Usage) read(r *core.Canonical, seats int) {
	b.Words, b.Wrote = make([]core.LimitsWord, seats), make([]writing, seats)
	b.Limits, b.Now = r.Limits(), int64(r.Uint64())
	for slot := range seats {
		b.Wrote[slot] = writing{int64(r.Uint64()), int64(r.Uint64())}
		if then := b.Wrote[slot].Then; then < 0 || then > b.Now {
			r.Fail()
		}
		if r.Byte() == 1 && !r.Failed() {
			b.Words[slot] = r.LimitsWord()
			if w := &b.Words[slot]; int(w.Slot) != slot || !w.Limits.Valid() || w.At > TimeMost {
				r.Fail()
			}
		}
	}
	b.Network = Spending{Spent: int64(r.Uint64()), At: int64(r.Uint64())}
	if !b.Limits.Valid() || b.Now < 0 || b.Now > TimeMost || !b.Network.fits(b.Now, b.Most()) {
		r.Fail()
	}
}

// readSpending reads what the next source has spent, and reports whether it can be.
func (b *Usage) readSpending(r *core.Canonical) (holds bool) {
	one := Spending{Source: readSource(r), Spent: int64(r.Uint64()), At: int64(r.Uint64())}
	if n := len(b.Sources); !one.fits(b.Now, b.MostOfSource()) || n > 0 && b.Sources[n-1].Source.Compare(one.Source) >= 0 {
		return false
	}
	b.Sources = append(b.Sources, one)
	return true
}

func readSource(r *core.Canonical) (source netip.Addr) {
	if ip := r.Take(16); ip != nil {
		source = netip.AddrFrom16([16]byte(ip)).Unmap()
	}
	return source
}
