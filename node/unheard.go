package node

import (
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/internal/when"
	"hearsay/roster"
)

// This file has a node say that it hears nobody, or that nobody answers it: nothing comes to it, or nothing goes
// out, and others may hold it dead by now. While it lists living members it pings one each period, and is pinged as
// often in the mean. So silence means that it is cut off, or that all others have died at once. Once it holds them
// dead it is alone, which is another event. One that doubts itself pings less often, so that it is unanswered counts
// from its first ping in vain.

// unheardPeriods is after how many periods without a packet of any member a node takes itself for cut off. A guess:
// where all answer, it gets some 16 meanwhile, and a ping that is not answered goes to several relays, too. An answer
// is waited for a little longer, so that a node to which nothing comes says that.
const (
	unheardPeriods    = 8
	unansweredPeriods = unheardPeriods + 2
)

// answeredPeriods is how long ago the last answer may be where a node is not the one that is cut off. A guess: each
// period brings one.
const answeredPeriods = 3

// silence is since when something has not come.
type silence struct {
	last time.Time // when it last came, or was first to be expected
	most time.Duration
	kind hearsay.EventKind // that tells of a silence that is longer
	told bool              // it is
}

// lasts is for how many seconds nothing has come, once that is long; else 0.
func (s *silence) lasts(now time.Time) float64 {
	if !s.told {
		return 0
	}
	return now.Sub(s.last).Seconds()
}

// silences are a node's own.
type silences struct {
	heard    silence // no packet of a member comes
	answered silence // no member answers what this node has asked it

	waits  bool      // it has pinged a member, and none has answered since
	probes uint64    // that the detector has begun, as of the last step
	last   time.Time // when a member answered last, or this node began
	alone  time.Time // the last step in which this node expected to hear nobody
	cutOff time.Time // the last step in which it took itself for cut off, or look that found its address gone; zero: none
}

// newSilences are those of a node that starts.
func newSilences(period time.Duration, now time.Time) silences {
	return silences{
		heard:    silence{last: now, most: unheardPeriods * period, kind: hearsay.EventUnheard},
		answered: silence{last: now, most: unansweredPeriods * period, kind: hearsay.EventUnanswered},
		last:     now,
		alone:    now,
	}
}

// noteAnswer takes note of an answer to what this node has asked somebody, and counts one to nothing that it has asked.
func (n *Node) noteAnswer(now time.Time, asked bool) {
	if asked {
		n.silent.answered.last, n.silent.last, n.silent.waits = now, now, false
	}
	n.count(hearsay.DropUnexpected, asked)
}

// waitsFor is told how many probes have begun: from the first on that follows an answer a node waits for the next.
func (s *silences) waitsFor(now time.Time, probes uint64) {
	if !s.waits {
		s.answered.last = now
	}
	s.waits, s.probes = s.waits || probes != s.probes, probes
}

// due is when a node that expects to hear others takes itself for cut off if nothing comes until then; ok is false if
// it has told so.
func (s *silences) due() (at time.Time, ok bool) {
	for _, one := range s.each() {
		if due := one.last.Add(one.most); !one.told && (!ok || due.Before(at)) {
			at, ok = due, true
		}
	}
	return at, ok
}

// expectsOthers reports whether this node lists others that should be heard.
func (n *Node) expectsOthers() bool {
	return n.hasOthers() && (n.seeded.seat != nil || n.Joined())
}

// hasOthers reports whether this node lists others that are not away.
func (n *Node) hasOthers() bool {
	return n.roster.CountOthers() > n.roster.AwayCount() && !n.gone()
}

// noteUnheard looks whether this node hears others, and whether they answer it. What is so first is told, and the
// end when both are over: a packet of a node that holds this one dead does not end it.
func (n *Node) noteUnheard(now time.Time) {
	was := n.silent.any()
	n.silent.waitsFor(now, n.stats.Probes)
	e := n.silent.look(now, n.expectsOthers())
	if n.silent.any() {
		n.silent.cutOff = now
	}
	// One that is out by a ruling that has come hears others, too; one that lists none any more is alone.
	if is := n.silent.any(); is != was && (is || n.hasOthers()) {
		e.Subject = n.id
		n.out.Events = append(n.out.Events, e)
		if !is {
			probeSuspects(now, n.roster, n.detect)
		}
	}
}

// noteCutOff marks an accusation of this node's own that it makes while it takes itself for cut off: it accuses all.
// And it marks that it has refuted one whose accuser is suspect or dead here, while others answer this node: that says
// little of it.
func (n *Node) noteCutOff(e *hearsay.Event) {
	switch e.Kind {
	case hearsay.EventMemberSuspected:
		e.CutOff = n.silent.any() && e.By == n.id
	case hearsay.EventUnreachable, hearsay.EventRoundOpened, hearsay.EventUndecided:
		e.CutOff = n.silent.any()
	case hearsay.EventCondemned: // a node that has heard nobody since may not know yet that it is cut off
		e.CutOff = n.silent.any() || !n.silent.heard.last.After(time.UnixMilli(e.Evidence.Suspected))
	case hearsay.EventRefuted:
		by, listed := n.roster.Member(e.By)
		answered := e.At.Sub(n.silent.last) < answeredPeriods*n.cfg.Detect.Longest()
		e.CutOff = answered && listed && e.State == hearsay.StateSuspect && by.State != hearsay.StateAlive
	}
}

// suspectsMost is how many suspects a node probes at once when it is not cut off any more. A guess: more than a network
// has seeds, and links a node has.
const suspectsMost = 64

// probeSuspects has suspects probed at once: this node has accused them while nobody could answer it.
func probeSuspects(now time.Time, r *roster.Roster, d *detect.Detector) {
	left := suspectsMost
	for _, m := range r.All(nil) {
		if m.State == hearsay.StateSuspect && left > 0 {
			d.Probe(now, m.ID, m.Addr, hearsay.Round(now.UnixNano()))
			left--
		}
	}
}

// look sees what has been silent for too long, and gives the event that tells it.
func (s *silences) look(now time.Time, expects bool) hearsay.Event {
	e := hearsay.Event{At: now, Kind: hearsay.EventHeard}
	if !expects {
		s.alone = now
	}
	for _, one := range s.each() {
		if !expects && !one.told {
			one.last = now // from when on it does
		}
		if one.told = expects && now.Sub(one.last) >= one.most; one.told && e.Took == 0 {
			e.Kind, e.Took = one.kind, now.Sub(one.last)
		}
	}
	return e
}

// each gives both.
func (s *silences) each() [2]*silence { return [...]*silence{&s.heard, &s.answered} }

// any reports whether a node takes itself for cut off.
func (s *silences) any() bool { return s.heard.told || s.answered.told }

// postpone is told that a node was late by so much: what did not come meanwhile says nothing.
func (s *silences) postpone(now time.Time, by time.Duration) {
	for _, one := range s.each() {
		one.last = when.Earlier(now, one.last.Add(by))
	}
}
