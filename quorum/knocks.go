package quorum

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// This file is about those who ask to be in and have not answered this seed's
// own probe yet. Before that they have no case: an identity costs nothing, and
// a case costs every seed entries of the log and probes, so that a flood of
// made-up peers would keep them from what is real.
//
//	P                        seed                     others
//	|--- Register ------------>|                        |
//	|<------------- Ping ------|                        |
//	|--- Ack ----------------->|--- entry: case ------->|   each probes for itself

// maxKnocks bounds those who are being probed so: a probe that nobody answers
// takes half a second to one and a half. They are besides maxProbing, so that
// they keep no member waiting. With both a detector has room (detect.maxProbes).
// A guess.
const maxKnocks = 384

// yieldAfter is how long somebody from a source that has many is asked, before
// one from a source that has few may take the place: longer than any answer takes
// that is worth waiting for. A guess.
const yieldAfter = 250 * time.Millisecond

// knock is somebody who asks to be in.
type knock struct {
	claim  hearsay.Claim
	began  time.Time
	asked  bool // a probe is under way
	missed bool // and was not answered: this is over

	abstained bool // the newest probe came to nothing by this seed's own fault
}

// knock has somebody probed who asks to be in.
func (q *Quorum) knock(now time.Time, c *hearsay.Claim) Answer {
	k := q.knocks[c.Subject]
	switch {
	case k != nil && (k.claim.Card.Addr == c.Card.Addr || k.claim.Incarnation >= c.Incarnation): // anybody may have kept an older word
		return q.pending()
	case k == nil && len(q.knocks) >= maxKnocks && !q.yields(now, hearsay.Source(c.Card.Addr.Addr())):
		q.drops[hearsay.DropTableFull]++
		return Answer{Code: AnswerWait, Text: fmt.Sprintf("%d that ask to be in are being probed, and no more are at once; ask again in a second", maxKnocks)}
	}
	k = &knock{claim: *c, began: now}
	q.knocks[c.Subject] = k
	q.probeKnock(now, k)
	return q.pending()
}

// yields makes room for somebody from a source: of a source that has two more
// than it, and more than any, the one that has asked the longest gives way; to a source that has
// none, also of one that has one. As long as one source is alone it may have all the room.
// So however much others send, and from however many sources, one that comes
// from elsewhere is asked.
func (q *Quorum) yields(now time.Time, source netip.Addr) bool {
	counts, most := make(map[netip.Addr]int), 0
	for _, k := range q.knocks { // order does not matter: they are counted
		from := hearsay.Source(k.claim.Card.Addr.Addr())
		counts[from]++
		most = max(most, counts[from])
	}
	if own := counts[source]; own > 0 && most <= own+1 {
		return false
	}
	var longest *knock
	for _, id := range slices.SortedFunc(maps.Keys(q.knocks), hearsay.NodeID.Compare) {
		if k := q.knocks[id]; counts[hearsay.Source(k.claim.Card.Addr.Addr())] == most && (longest == nil || k.began.Before(longest.began)) {
			longest = k
		}
	}
	if now.Sub(longest.began) < yieldAfter {
		return false
	}
	delete(q.knocks, longest.claim.Subject)
	q.turnAway(Silent{Claim: longest.claim, Yielded: true, Why: fmt.Sprintf("busy: %d ask to be in at once, and another has its turn now; it is asked when it asks again", maxKnocks)})
	return true
}

// turnAway has somebody told that it has no case.
func (q *Quorum) turnAway(one Silent) {
	if len(q.silent) < maxKnocks {
		q.silent = append(q.silent, one)
	}
}

func (q *Quorum) probeKnock(now time.Time, k *knock) {
	k.asked, k.abstained = true, false
	round := hearsay.Round(q.random.Uint64())
	q.event(hearsay.Event{At: now, Kind: hearsay.EventProbeWanted, Subject: k.claim.Subject, Addr: k.claim.Card.Addr, Round: round})
}

// answered takes what a probe of somebody who asks to be in has found.
func (q *Quorum) answered(now time.Time, k *knock, p *Probe) {
	switch p.Verdict {
	case hearsay.VerdictReachable:
		delete(q.knocks, p.Subject)
		q.unwatch(now, p.Subject)
		if len(q.watched) < maxWatched {
			q.watched[p.Subject] = &watch{addr: p.Addr, began: p.Began, reached: p.Began, answered: true, askAt: now.Add(q.cfg.ProbeEvery)}
		}
		q.ask(now, p.Subject, ledger.Command{Op: ledger.OpAdmit, Claim: k.claim})
	case hearsay.VerdictUnreachable:
		// A guest that has just come back is asked again: what it was asked
		// before takes as long as a line may.
		guest := k.claim.Card.Key.IsZero()
		k.asked, k.missed = !guest, !guest
	default:
		k.asked, k.abstained = false, true // this seed was late, has its hands full, or hears no quorum: at the next tick again
	}
}

// tickKnocks probes again those of which nothing is known, and turns away those
// who do not answer.
func (q *Quorum) tickKnocks(now time.Time) {
	for _, id := range slices.SortedFunc(maps.Keys(q.knocks), hearsay.NodeID.Compare) {
		switch k := q.knocks[id]; {
		case k.missed || now.Sub(k.began) >= admitPatience:
			delete(q.knocks, id)
			why := q.noAnswer(k.claim.Card.Addr)
			if !k.missed { // nothing is known of it: its probe has not ended yet, or came to nothing
				why = Abstains
			}
			q.turnAway(Silent{Claim: k.claim, Why: why})
		case !k.asked:
			q.probeKnock(now, k)
		}
	}
}

// Silent is one that asked to be in, and has no case.
type Silent struct {
	Claim   hearsay.Claim
	Yielded bool // its place was given to another: nothing is known of it
	Why     string
}

// Silent gives the joiners since it was called last that did not answer at their
// address, or that this seed could not probe.
func (q *Quorum) Silent() (silent []Silent) {
	silent, q.silent = q.silent, nil
	return silent
}

// Abstains is what a seed says that could not probe: nothing of the other.
const Abstains = "this seed abstains: it was late, has too much to do, or hears no quorum"

// noAnswer is what one is told of which no answer came from its address. In a crowd that may be this seed's
// own fault: answers are lost that come faster than it takes them.
func (q *Quorum) noAnswer(addr netip.AddrPort) string {
	if len(q.knocks) >= maxKnocks/2 {
		return fmt.Sprintf("busy: no answer came from %v, and %d ask to be in at once, so that it may have been lost; it is asked when it asks again", addr, len(q.knocks))
	}
	return fmt.Sprintf("it does not answer at %v", addr)
}
