package roster

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/quota"
)

// This file takes the claims of a packet. What they cost is mostly signatures, and a packet by stream may have a
// thousand claims; so long the node would not answer a ping. So one step looks closer at a few, and the rest wait and
// are taken in the steps after it.

// Work is in units of some 10 µs.
const (
	workVerify = 8  // a signature
	workOther  = 1  // a suspicion or a death, for which others are asked
	workAStep  = 32 // four signatures: a third of a millisecond

	// waitingEach is the time between two steps that take claims which wait. So half of the time is left for all else.
	waitingEach = time.Millisecond

	// waitingAStep bounds the claims of all sorts that one step takes of those that
	// wait: one that is refused before its signature is verified, or that says nothing
	// new, is no work by the units above, and still takes half a microsecond.
	waitingAStep = 256

	// claims of members that wait, and of seats. A guess: a roster of 8,000 that comes as fast as it can be sent
	waitingMost      = 16 * core.MaxClaims
	waitingStrangers = waitingMost / 2 // and of strangers
)

// queue is the claims of packets that have too many for a step.
type queue struct {
	*part
	list  []waiting
	until time.Time // when more of them are taken; zero: there are none
}

// waiting is the part of a packet that is not taken yet.
type waiting struct {
	packet core.Packet  // without its body
	class  quota.Class  // of its sender, when it came
	roster *core.Roster // that it is, else nil
}

// Claims takes the claims of a packet. It reports false if some of them wait, and
// so does its body, if that is a Roster, which says what to do after its claims.
func (q *queue) Claims(now time.Time, p *core.Packet) (all bool) {
	roster, isRoster := p.Body.(*core.Roster)
	after := isRoster && len(q.list) > 0 // parts of one roster keep their order
	taken := 0
	for !after && taken < len(p.Claims) && q.roster.budgets.work < workAStep {
		q.roster.takeClaim(now, p, &p.Claims[taken])
		taken++
	}
	q.roster.deaths.tick(now)
	left, class := p.Claims[taken:], quota.Stranger
	if len(left) > 0 {
		class = q.roster.budgets.senderOf(p).Class
	}
	if len(left) == 0 && !after || !q.mayWait(p, class, len(left)) {
		return true
	}
	w := waiting{class: class, packet: core.Packet{Addr: p.Addr, Stream: p.Stream, From: p.From, Claims: slices.Clone(left)}}
	if isRoster {
		w.roster = &core.Roster{More: roster.More}
	}
	if len(q.list) == 0 {
		q.until = now.Add(waitingEach)
	}
	q.list = append(q.list, w)
	return false
}

// mayWait reports whether there is room for so many more claims. Each class of senders has its own, and one source has
// half of it at most. What is dropped an exchange brings again.
func (q *queue) mayWait(p *core.Packet, class quota.Class, count int) bool {
	most := waitingMost
	if class == quota.Stranger {
		most = waitingStrangers
	}
	all, same := count+1, count+1 // a packet without claims takes room, too
	source := core.Source(p.Addr.Addr())
	for i := range q.list {
		w := &q.list[i].packet
		if q.list[i].class != class {
			continue
		}
		all += len(w.Claims) + 1
		if core.Source(w.Addr.Addr()) == source {
			same += len(w.Claims) + 1
		}
	}
	if all <= most && same <= most/2 {
		return true
	}
	q.out.stats.Drops[hearsay.DropTableFull] += uint64(count)
	return false
}

// tick takes some of the claims that wait, those first that came first.
func (q *queue) tick(now time.Time) {
	if q.until.IsZero() || now.Before(q.until) {
		return
	}
	q.until = now.Add(waitingEach)
	for taken := 0; len(q.list) > 0 && taken < waitingAStep; taken++ {
		w := &q.list[0]
		for len(w.packet.Claims) > 0 && q.roster.budgets.work < workAStep && taken < waitingAStep {
			q.roster.takeClaim(now, &w.packet, &w.packet.Claims[0])
			w.packet.Claims = w.packet.Claims[1:]
			taken++
		}
		if len(w.packet.Claims) > 0 {
			return
		}
		if w.roster != nil {
			q.roster.contacts.TakeRoster(now, &w.packet, w.roster)
		}
		q.list[0] = waiting{}
		if q.list = q.list[1:]; len(q.list) == 0 {
			q.list, q.until = nil, time.Time{}
		}
	}
}
