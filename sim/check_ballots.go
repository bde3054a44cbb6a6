package sim

import (
	"math"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/quorum"
)

// This file holds seeds to the rules of ballots: each cast by its own seed, on
// its own check, and by nobody whose memory is lost.

// ballotRule holds seeds to what they may cast, and open.
type ballotRule struct{ check *checker }

// votes is what seeds have cast, and with which keys.
type votes struct {
	cast  map[string]caster      // by the bytes that were signed
	given map[uint8]hearsay.Life // seats that were given anew
	lost  map[uint64]string      // Raft ids of lives whose disk is gone, and whose they were
}

func newVotes() votes {
	return votes{cast: make(map[string]caster), given: make(map[uint8]hearsay.Life), lost: make(map[uint64]string)}
}

// caster is the seed that has cast a ballot.
type caster struct {
	machine int32
	key     hearsay.PublicKey
	trial   ownProbes
}

// ownProbes is what the probes of the seed that casts a ballot had come to.
type ownProbes struct {
	unanswered time.Duration // by its clock, as long as those took that were not answered, and what lay between them
	since      time.Duration // likewise, from the last to the ballot
}

// tried is what a seed's own probes of somebody came to, one after the other. Times
// are what its clock showed: its rate may change meanwhile.
type tried struct {
	reached    bool          // a probe was answered once
	unanswered bool          // since then there was one that was not
	failing    time.Duration // when the first of these began
	failed     time.Duration // when the last of them ended
	silent     time.Duration // how long they took, and what lay between them
	since      time.Duration // when the first of those began that silent counts
	nothing    time.Duration // when a probe last came to nothing by the seed's own fault

	suspect   bool          // it is one, by the roster of this seed
	suspected time.Duration // since when
	due       time.Duration // when the seed last had reason enough to bring it before the others
	answered  time.Duration // when it first answered a probe after that
}

// longAgo is before all that a clock shows, also one that was set back.
const longAgo = time.Duration(math.MinInt64 / 2)

// triedOf gives what a seed's probes of somebody came to until now.
func (v *view) triedOf(id hearsay.NodeID) tried {
	if t, known := v.tried[id]; known {
		return t
	}
	return tried{nothing: longAgo, due: longAgo, answered: longAgo}
}

// ballotHead begins the bytes that are signed of a ballot.
const ballotHead = "hearsay ballot\x00"

// signs is told what a seed signs, and keeps the ballots: they are judged with
// the rest of the step.
func (rule *ballotRule) signs(m *machine, message []byte) {
	if len(message) < len(ballotHead) || string(message[:len(ballotHead)]) != ballotHead {
		return
	}
	rule.check.views[m.index].cast = append(rule.check.views[m.index].cast, string(message))
}

// readCast reads a ballot from what was signed: all but the reason.
func readCast(message string) hearsay.Ballot {
	r := core.NewCanonical([]byte(message[len(ballotHead):]))
	r.Take(len(hearsay.NetworkID{}) + len(hearsay.Hash{}))
	return hearsay.Ballot{
		Case: hearsay.CaseID(r.Uint64()), About: r.Hash(), Stay: r.Stay(), Slot: r.Byte(), Life: r.Life(),
		Verdict: hearsay.BallotVerdict(r.Byte()), At: int64(r.Uint64()),
	}
}

// casts judges the ballots that a seed has signed in this step.
func (rule *ballotRule) casts(m *machine, now time.Duration) {
	c := rule.check
	v := &c.views[m.index]
	for _, message := range v.cast {
		b := readCast(message)
		one := &c.identities[m.identity]
		if int(b.Slot) != int(m.index)-c.peers || b.Life != one.life {
			c.violate(now, m, RuleBallots, "casts a ballot in the slot %d, of a life that is not its own", b.Slot+1)
		}
		c.cases = max(c.cases, b.Case)
		t := c.views[m.index].triedOf(b.Stay.ID)
		if c.ledger.votes.cast[message] = (caster{m.index, one.key, m.tried(&t, now)}); b.Verdict == hearsay.BallotYes && !b.Stay.ID.IsZero() {
			rule.checked(m, &b, &t, now)
			c.votesOnAway(m, &b, now)
			one.votes(&b)
		}
	}
	v.cast = v.cast[:0]
}

// votes keeps a seed's vote to remove a member: it has one in a case.
func (one *identity) votes(b *hearsay.Ballot) {
	if b.Stay.Epoch == 0 {
		return
	}
	if one.against == nil {
		one.against = make(map[hearsay.NodeID]bool)
	}
	one.against[b.Stay.ID] = true
}

// checked checks that a seed's own probes came to what its ballot says. What
// each of them has found is held against the pings, see examined.
func (rule *ballotRule) checked(m *machine, b *hearsay.Ballot, t *tried, now time.Duration) {
	switch name := rule.check.name(b.Stay.ID); {
	case b.Stay.Epoch == 0 && !t.reached:
		rule.check.violate(now, m, RuleBallots, "would admit %s, which has not answered it", name)
	case b.Stay.Epoch > 0 && !t.unanswered:
		rule.check.violate(now, m, RuleBallots, "would remove %s, which it reaches", name)
	}
}

// tried measures a trial by the clock of who tries.
func (m *machine) tried(t *tried, now time.Duration) ownProbes {
	if !t.unanswered {
		return ownProbes{}
	}
	return ownProbes{t.silent, m.clock.shows(now) - t.failed}
}

// enough says what is wrong with the trial behind a ballot that has removed
// somebody, if anything.
func (t ownProbes) enough(rule hearsay.Rule) string {
	shipped := quorum.DefaultConfig()
	least, fresh := shipped.Trial, 2*time.Second
	if rule != hearsay.RuleMajority {
		least, fresh = shipped.ShortTrial, 8*time.Second
	}
	switch {
	case t.unanswered < least-rounding:
		return "which got no answer from it for " + short(t.unanswered)
	case t.since > fresh+rounding:
		return "which had not probed it for " + short(t.since)
	}
	return ""
}

// opens checks a case that a seed has opened by itself: its own probes of the
// member must have had no answer for long, or for the short trial and the member suspect
// for as long, and enough of them for its own ballot. A proposal may wait for long where no
// quorum is heard; else not for much longer than the member has answered again.
func (rule *ballotRule) opens(m *machine, e *hearsay.Event, now time.Duration) {
	if e.Rule != hearsay.RuleWatch || e.By != m.id {
		return
	}
	v, at := &rule.check.views[m.index], m.clock.shows(now)
	t := v.triedOf(e.Subject)
	t.noteDue(at)
	late := at-t.due > proposalsLast
	if t.answered > t.due && t.due > v.lostAt {
		late = at-t.answered > answeredLast
	}
	// what a life before has proposed may come yet, and of its probes nothing is known
	earlier := m.life > 1 && now-v.began < proposalsLast
	if t.unanswered && late && !earlier {
		rule.check.violate(now, m, RuleBallots, "opens a case on %s by itself, which had not answered it for %s", rule.check.name(e.Subject), short(m.tried(&t, now).unanswered))
	}
}

// How long a seed's proposal may wait until it is an entry.
const (
	proposalsLast = time.Minute
	// of one on a member that has answered since. Guess: twice as long as it is proposed again
	answeredLast = 10 * time.Second
)

// suspects notes that a seed's roster holds somebody suspect, or does no more.
func (rule *ballotRule) suspects(m *machine, id hearsay.NodeID, suspect bool, now time.Duration) {
	v := &rule.check.views[m.index]
	if v.tried == nil {
		v.tried = make(map[hearsay.NodeID]tried)
	}
	t, at := v.triedOf(id), m.clock.shows(now)
	if t.noteDue(at); suspect && !t.suspect {
		t.suspected = at
	}
	t.suspect = suspect
	v.tried[id] = t
}

// noteDue notes whether the seed has reason to bring it before the others.
func (t *tried) noteDue(at time.Duration) {
	shipped, long := quorum.DefaultConfig(), t.failed-t.failing
	suspect := t.suspect && at-t.suspected >= shipped.ShortTrial-rounding
	if t.unanswered && t.silent >= shipped.ShortTrial-rounding && (suspect || long >= shipped.SilentFor-rounding) {
		t.due = at
	}
}

// rounding is how much a span of time may be off after it was told from a clock
// whose rate has changed meanwhile.
const rounding = 10 * time.Millisecond

// probesMost is how many peers a seed probes at a time (quorum, maxProbing): of so many none waits
// for room.
const probesMost = 48

// hearsSeed is told that a message of the log, or the answer to a question, has come to a seed from the one in a slot.
func (rule *ballotRule) hearsSeed(m *machine, slot uint8, now time.Duration) {
	c := rule.check
	if c.isSeed(m) && int(slot) != int(m.index)-c.peers && int(slot) < c.ledger.seeds {
		v := &c.views[m.index]
		v.noteDeaf(m.clock.shows(now))
		v.heardAt = m.clock.shows(now)
	}
}

// noteDeaf notes that a seed has heard none of the others for two elections: it may be cut off
// itself, so that what it finds silent until then is no silence.
func (v *view) noteDeaf(at time.Duration) {
	shipped := quorum.DefaultConfig()
	if at-v.heardAt > 2*time.Duration(shipped.ElectionTicks)*shipped.TickEvery+rounding {
		v.deafAt = at
	}
}

// tries notes what a seed's probe came to. What lies between two that were not answered
// counts as the core has it (see quorum.Config.GapMost), but for a time in which a probe came
// to nothing. After a longer time the silence begins anew, unless the probe may have waited
// for room: then as much counts as lies between two probes.
func (rule *ballotRule) tries(m *machine, e *hearsay.Event, now time.Duration) {
	v := &rule.check.views[m.index]
	if v.tried == nil {
		v.tried = make(map[hearsay.NodeID]tried)
	}
	t := v.triedOf(e.Subject)
	t.noteDue(m.clock.shows(now))
	if rule.check.ledger.seeds > 1 {
		v.noteDeaf(m.clock.shows(now))
	}
	switch e.Verdict {
	case hearsay.VerdictReachable:
		t.reached, t.unanswered = true, false
		if t.answered <= t.due { // the first answer since: no later one explains why it is brought before the others
			t.answered = m.clock.shows(now)
		}
	case hearsay.VerdictUnreachable:
		ended, shipped := m.clock.shows(now), quorum.DefaultConfig()
		began := ended - e.Took
		if !t.unanswered || t.since < v.deafAt {
			t.unanswered, t.failing, t.failed, t.since, t.silent = true, began, began, began, 0
		}
		switch gap := began - t.failed; {
		case gap > shipped.GapMost+rounding && rule.check.peers <= probesMost:
			t.silent, t.failed, t.since = 0, began, began
		case gap > 0 && t.nothing > t.failed:
		case gap > shipped.GapMost+rounding:
			t.silent += shipped.ProbeEvery
		case gap > 0:
			t.silent += gap
		}
		t.silent += ended - max(began, t.failed)
		t.failing, t.failed = min(t.failing, began), ended
	default:
		t.nothing = m.clock.shows(now)
	}
	v.tried[e.Subject] = t
}

// balloted checks that a ruling has equal ballots of a quorum of the configured
// seeds, each of which its own seed has cast.
func (rule *ballotRule) balloted(m *machine, r *hearsay.Ruling, now time.Duration) {
	c := rule.check
	var slots []uint8
	about := r.About(c.network)
	for i := range r.Ballots {
		b := &r.Ballots[i]
		switch {
		case b.Verdict != hearsay.BallotYes || b.Case != r.Case || b.About != about || slices.Contains(slots, b.Slot):
			continue
		case r.Kind != hearsay.RulingSeat && b.Stay.ID != r.Stay.ID:
			continue
		}
		switch by, cast := rule.castBy(b, c.signedIn(m)); {
		case !cast:
			c.violate(now, m, RuleBallots, "epoch %d has a ballot that no seed of slot %d has cast", r.Epoch, b.Slot+1)
		case r.Kind == hearsay.RulingRemove && by.trial.enough(r.Rule) != "":
			c.violate(now, m, RuleBallots, "epoch %d removes %s by the ballot of s%d, %s", r.Epoch, c.name(r.Stay.ID), b.Slot+1, by.trial.enough(r.Rule))
		}
		slots = append(slots, b.Slot)
	}
	needed := hearsay.QuorumOf(c.ledger.seeds)
	switch r.Kind {
	case hearsay.RulingAdmit, hearsay.RulingRemove, hearsay.RulingSeat:
		if len(slots) < needed {
			c.violate(now, m, RuleBallots, "%s of %s in epoch %d with %d ballots, %d needed", r.Kind, c.name(r.Stay.ID), r.Epoch, len(slots), needed)
		}
	}
}

// castBy says who has cast a ballot in a ledger, and reports whether a machine of the slot has cast a ballot, as
// one of its identities: a wiped seed has another.
func (rule *ballotRule) castBy(b *hearsay.Ballot, in hearsay.LedgerID) (by caster, cast bool) {
	by, cast = rule.check.ledger.votes.cast[string(b.AppendSigned(nil, in))]
	return by, cast && int(by.machine) == rule.check.peers+int(b.Slot) && b.Verify(in, &rule.check.verifier, by.key)
}

// lives is told as which life a seed runs.
func (rule *ballotRule) lives(m *machine, life hearsay.Life) {
	rule.check.identities[m.identity].life = life
}

// seated reports whether a seed has the seat that it began with, or was given
// another.
func (rule *ballotRule) seated(m *machine) bool {
	life, given := rule.check.ledger.votes.given[uint8(int(m.index)-rule.check.peers)]
	return !given && m.disks == 1 || given && life == rule.check.identities[m.identity].life
}

// wiped is told that a machine has lost its disk: no earlier life of it may
// vote any more.
func (rule *ballotRule) wiped(m *machine) {
	for i := range rule.check.identities {
		if one := &rule.check.identities[i]; one.machine == m.index && !one.life.IsZero() {
			rule.check.ledger.votes.lost[rule.raftID(m, one.life)] = one.name
		}
	}
}

func (rule *ballotRule) raftID(m *machine, life hearsay.Life) uint64 {
	return hearsay.Seat{Slot: uint8(int(m.index) - rule.check.peers), Life: life}.RaftID(rule.check.network)
}

// takesPart looks at what a seed sends to others.
func (rule *ballotRule) takesPart(m *machine, p *core.Packet, now time.Duration) {
	var id uint64
	switch body := p.Body.(type) {
	case *core.Raft:
		if int(body.Slot) != int(m.index)-rule.check.peers {
			return // it shows another what that one has signed
		}
		id = body.From
	case *core.SeatHello:
		id = rule.raftID(m, body.Life)
	default:
		return
	}
	if whose, gone := rule.check.ledger.votes.lost[id]; gone {
		rule.check.violate(now, m, RuleBallots, "takes part with the seat of %s, whose disk is gone", whose)
	}
}

// heads checks that a seed tells of no ruling that is not on its disk: up to
// kept.
func (rule *ballotRule) heads(m *machine, p *core.Packet, kept hearsay.Epoch, now time.Duration) {
	told, is := p.Body.(*core.Rulings)
	if !is {
		return
	}
	for i := range told.Heads {
		if h := &told.Heads[i]; int(h.Slot) == int(m.index)-rule.check.peers && h.Epoch > kept {
			rule.check.violate(now, m, RuleLedger, "signs the head of epoch %d before that is on its disk: %d is", h.Epoch, kept)
		}
	}
}
