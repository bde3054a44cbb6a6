package quorum

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// This file is about nodes that ask to be in and have not answered this seed's
// own probe yet. Before that they have no case: an identity costs nothing, and
// a case costs every seed entries of the log and probes, so that a flood of
// made-up peers would keep them from what is real.
//
//	P                        seed                     others
//	|--- Register ------------>|                        |
//	|<------------- Ping ------|                        |
//	|--- Ack ----------------->|--- entry: case ------->|   each probes for itself

// maxJoiners bounds the nodes that are being probed so: a probe that nobody answers
// takes half a second to one and a half. They are besides maxProbing, so that
// they keep no member waiting. With both a detector has room (detect.maxProbes).
// A guess.
const maxJoiners = 384

// yieldAfter is how long a node from a source that has many is asked, before
// one from a source that has few may take the place: longer than any answer takes
// that is worth waiting for. A guess.
const yieldAfter = 250 * time.Millisecond

// admissionsMost bounds the admissions that are being decided, or on their way into the log from this seed: each is
// some four commands, and a case of removal waits for those that are in the log before it. Guess: an eighth of a
// second of what is applied, and a thousand that join together are in within some seconds.
const admissionsMost = 128

// joiners are the nodes that ask to be in, and have no case yet.
type joiners struct {
	seed *Quorum

	pending map[hearsay.NodeID]*joiner // have not answered yet
	silent  []Silent                   // of these, the ones that did not
	waiting int                        // that were answered, and wait for room
}

// joiner is a node that asks to be in.
type joiner struct {
	claim hearsay.Claim
	began time.Time
	// began of the probe that was answered
	reached time.Time
	asked   bool // a probe is under way
	missed  bool // and was not answered: this is over

	abstained bool // the newest probe came to nothing by this seed's own fault
	waits     bool // it was answered, and there is no room for its case
}

// ask has a joiner probed.
func (j *joiners) ask(now time.Time, c *hearsay.Claim) hearsay.Outcome {
	k := j.pending[c.Subject]
	switch {
	case k != nil && (k.claim.Card.Addr == c.Card.Addr || k.claim.Incarnation >= c.Incarnation):
		// anybody may have kept an older word
		return j.seed.requests.pending()
	case k == nil && len(j.pending) >= maxJoiners && !j.yields(now, core.Source(c.Card.Addr.Addr())):
		j.seed.stats.Drops[hearsay.DropTableFull]++
		return hearsay.Outcome{Code: hearsay.OutcomeWait, Text: fmt.Sprintf("%d that ask to be in are being probed, and no more are at once; ask again in a second", maxJoiners)}
	}
	k = &joiner{claim: *c, began: now}
	j.pending[c.Subject] = k
	j.probe(now, k)
	return j.seed.requests.pending()
}

// yields makes room for a joiner from a source: of a source that has two more
// than it, and more than any, the one that has asked the longest gives way; to a source that has
// none, also of one that has one. As long as one source is alone it may have all the room.
// So however much others send, and from however many sources, one that comes
// from elsewhere is asked.
func (j *joiners) yields(now time.Time, source netip.Addr) bool {
	counts, most := make(map[netip.Addr]int), 0
	for _, k := range j.pending { // order does not matter: they are counted
		from := core.Source(k.claim.Card.Addr.Addr())
		counts[from]++
		most = max(most, counts[from])
	}
	if own := counts[source]; own > 0 && most <= own+1 {
		return false
	}
	var longest *joiner
	for _, id := range slices.SortedFunc(maps.Keys(j.pending), hearsay.NodeID.Compare) {
		if k := j.pending[id]; counts[core.Source(k.claim.Card.Addr.Addr())] == most && (longest == nil || k.began.Before(longest.began)) {
			longest = k
		}
	}
	if now.Sub(longest.began) < yieldAfter {
		return false
	}
	delete(j.pending, longest.claim.Subject)
	j.turnAway(Silent{Claim: longest.claim, Yielded: true, Why: fmt.Sprintf("busy: %d ask to be in at once, and another has its turn now; it is asked when it asks again", maxJoiners)})
	return true
}

// turnAway has a joiner told that it has no case.
func (j *joiners) turnAway(one Silent) {
	if len(j.silent) < maxJoiners {
		j.silent = append(j.silent, one)
	}
}

func (j *joiners) probe(now time.Time, k *joiner) {
	k.asked, k.abstained = true, false
	round := hearsay.Round(j.seed.random.Uint64())
	j.seed.event(hearsay.Event{At: now, Kind: hearsay.EventProbeWanted, Subject: k.claim.Subject, Addr: k.claim.Card.Addr, Round: round})
}

// answered takes what a probe of a joiner has found.
func (j *joiners) answered(now time.Time, k *joiner, p *Probe) {
	switch p.Verdict {
	case hearsay.VerdictReachable:
		k.waits, k.reached = true, p.Began
		j.waiting++
		j.openWaiting(now)
	case hearsay.VerdictUnreachable:
		// A guest that has just come back is asked again: what it was asked
		// before takes as long as a line may.
		guest := k.claim.Card.Key.IsZero()
		k.asked, k.missed = !guest, !guest
	default:
		// this seed was late, has its hands full, or hears no quorum: at the next tick again
		k.asked, k.abstained = false, true
	}
}

// openWaiting asks for the admission of those that were answered, the one that has asked the longest first, as far as
// there is room.
func (j *joiners) openWaiting(now time.Time) {
	room := admissionsMost - len(j.seed.state.Admitting) - j.seed.requests.countAsked(ledger.OpAdmit)
	if j.waiting == 0 || room <= 0 {
		return
	}
	var waiting []*joiner
	for _, id := range slices.SortedFunc(maps.Keys(j.pending), hearsay.NodeID.Compare) {
		if k := j.pending[id]; k.waits {
			waiting = append(waiting, k)
		}
	}
	slices.SortStableFunc(waiting, func(a, b *joiner) int { return a.began.Compare(b.began) })
	j.waiting = max(0, len(waiting)-room) // some may have got their case by another seed
	for _, k := range waiting[:min(room, len(waiting))] {
		id := k.claim.Subject
		delete(j.pending, id)
		j.seed.watches.unwatch(now, id)
		if len(j.seed.watches.watched) < maxWatched {
			j.seed.watches.watched[id] = &watch{addr: k.claim.Card.Addr, began: k.reached, reached: k.reached, answered: true, askAt: now.Add(j.seed.cfg.ProbeEvery)}
		}
		j.seed.requests.ask(now, id, ledger.Command{Op: ledger.OpAdmit, Claim: k.claim})
	}
}

// ahead counts the admissions that are asked for here and have no case yet, and those of a claim's source.
func (j *joiners) ahead(c *hearsay.Claim) (all, ofSource int) {
	source := core.Source(c.Card.Addr.Addr())
	for i := range j.seed.requests.asked {
		if a := &j.seed.requests.asked[i].command; a.Op == ledger.OpAdmit && a.Claim.Subject != c.Subject {
			if all++; core.Source(a.Claim.Card.Addr.Addr()) == source {
				ofSource++
			}
		}
	}
	return all, ofSource
}

// tick probes again the joiners of which nothing is known, and turns away those
// that do not answer.
func (j *joiners) tick(now time.Time) {
	j.openWaiting(now)
	for _, id := range slices.SortedFunc(maps.Keys(j.pending), hearsay.NodeID.Compare) {
		switch k := j.pending[id]; {
		case k.missed || now.Sub(k.began) >= admitPatience:
			delete(j.pending, id)
			why := j.noAnswer(k.claim.Card.Addr).String()
			if k.waits {
				why = fmt.Sprintf("busy: %d are being admitted at once; it is asked when it asks again", admissionsMost)
			} else if !k.missed { // nothing is known of it: its probe has not ended yet, or came to nothing
				why = abstains
			}
			j.turnAway(Silent{Claim: k.claim, Why: why})
		case !k.asked:
			j.probe(now, k)
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
	silent, q.joiners.silent = q.joiners.silent, nil
	return silent
}

// abstains is what a seed says that could not probe: nothing of the other.
const abstains = "this seed abstains: it was late, has too much to do, or hears no quorum"

// noAnswer is what one is told of which no answer came from its address. In a crowd that may be this seed's
// own fault: answers are lost that come faster than it takes them.
func (j *joiners) noAnswer(addr netip.AddrPort) hearsay.Why {
	if len(j.pending) >= maxJoiners/2 {
		return hearsay.Why{Reason: hearsay.ReasonCrowd, Addr: addr, Count: int64(len(j.pending))}
	}
	return hearsay.Why{Reason: hearsay.ReasonNoAnswer, Addr: addr}
}
