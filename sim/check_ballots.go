package sim

import (
	"math"
	"slices"
	"time"

	"hearsay"
	"hearsay/quorum"
)

// This file holds seeds to the rules of ballots: each cast by its own seed, on
// its own check, and by nobody whose memory is lost.

// votes is what seeds have cast, and with which keys.
type votes struct {
	cast  map[string]caster      // by the bytes that were signed
	given map[uint8]hearsay.Life // seats that were given anew
	lost  map[uint64]string      // Raft ids of lives whose disk is gone, and whose they were
}

func newVotes() votes {
	return votes{cast: make(map[string]caster), given: make(map[uint8]hearsay.Life), lost: make(map[uint64]string)}
}

// caster is who has cast a ballot.
type caster struct {
	machine int32
	key     hearsay.PublicKey
	trial   vigil
}

// vigil is what the own probes of who casts a ballot had come to.
type vigil struct {
	inVain time.Duration // by its clock, as long as those took that were not answered, and what lay between them
	since  time.Duration // likewise, from the last to the ballot
}

// tried is what a seed's own probes of somebody came to, one after the other. Times
// are what its clock showed: its rate may change meanwhile.
type tried struct {
	reached bool          // a probe was answered once
	inVain  bool          // since then there was one that was not
	failing time.Duration // when the first of these began
	failed  time.Duration // when the last of them ended
	silent  time.Duration // how long they took, and what lay between them
	since   time.Duration // when the first of those began that silent counts
	nothing time.Duration // when a probe last came to nothing by the seed's own fault

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
func (c *checker) signs(m *machine, message []byte) {
	if len(message) < len(ballotHead) || string(message[:len(ballotHead)]) != ballotHead {
		return
	}
	c.views[m.index].cast = append(c.views[m.index].cast, string(message))
}

// readCast reads a ballot from what was signed: all but the reason.
func readCast(message string) hearsay.Ballot {
	r := hearsay.NewCanonical([]byte(message[len(ballotHead):]))
	r.Take(len(hearsay.NetworkID{}) + len(hearsay.Hash{}))
	return hearsay.Ballot{
		Case: hearsay.CaseID(r.Uint64()), About: r.Hash(), Stay: r.Stay(), Slot: r.Byte(), Life: r.Life(),
		Verdict: hearsay.BallotVerdict(r.Byte()), At: int64(r.Uint64()),
	}
}

// casts judges the ballots that a seed has signed in this step.
func (c *checker) casts(m *machine, now time.Duration) {
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
			c.checked(m, &b, &t, now)
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
func (c *checker) checked(m *machine, b *hearsay.Ballot, t *tried, now time.Duration) {
	switch name := c.name(b.Stay.ID); {
	case b.Stay.Epoch == 0 && !t.reached:
		c.violate(now, m, RuleBallots, "would admit %s, who has not answered it", name)
	case b.Stay.Epoch > 0 && !t.inVain:
		c.violate(now, m, RuleBallots, "would remove %s, whom it reaches", name)
	}
}

// tried measures a trial by the clock of who tries.
func (m *machine) tried(t *tried, now time.Duration) vigil {
	if !t.inVain {
		return vigil{}
	}
	return vigil{t.silent, m.clock.shows(now) - t.failed}
}

// enough says what is wrong with the trial behind a ballot that has removed
// somebody, if anything.
func (t vigil) enough(rule hearsay.Rule) string {
	shipped := quorum.DefaultConfig()
	least, fresh := shipped.Trial, 2*time.Second
	if rule != hearsay.RuleMajority {
		least, fresh = shipped.ShortTrial, 8*time.Second
	}
	switch {
	case t.inVain < least-rounding:
		return "who had probed it in vain for " + short(t.inVain)
	case t.since > fresh+rounding:
		return "who had not probed it for " + short(t.since)
	}
	return ""
}

// opens checks a case that a seed has opened by itself: its own probes of the
// member must have been in vain for long, or for the short trial and the member suspect
// for as long, and enough of them for its own ballot. A proposal may wait for long where no
// quorum is heard; else not for much longer than the member has answered again.
func (c *checker) opens(m *machine, e *hearsay.Event, now time.Duration) {
	if e.Rule != hearsay.RuleWatch || e.By != m.id {
		return
	}
	v, at := &c.views[m.index], m.clock.shows(now)
	t := v.triedOf(e.Subject)
	t.noteDue(at)
	late := at-t.due > proposalsLast
	if t.answered > t.due && t.due > v.lostAt {
		late = at-t.answered > answeredLast
	}
	earlier := m.life > 1 && now-v.began < proposalsLast // what a life before has proposed may come yet, and of its probes nothing is known
	if t.inVain && late && !earlier {
		c.violate(now, m, RuleBallots, "opens a case on %s by itself, which it had probed in vain for %s", c.name(e.Subject), short(m.tried(&t, now).inVain))
	}
}

// How long a seed's proposal may wait until it is an entry.
const (
	proposalsLast = time.Minute
	answeredLast  = 10 * time.Second // of one on a member that has answered since. Guess: twice as long as it is proposed again
)

// suspects notes that a seed's roster holds somebody suspect, or does no more.
func (c *checker) suspects(m *machine, id hearsay.NodeID, suspect bool, now time.Duration) {
	v := &c.views[m.index]
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
	if t.inVain && t.silent >= shipped.ShortTrial-rounding && (suspect || long >= shipped.SilentFor-rounding) {
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
func (c *checker) hearsSeed(m *machine, slot uint8, now time.Duration) {
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
func (c *checker) tries(m *machine, e *hearsay.Event, now time.Duration) {
	v := &c.views[m.index]
	if v.tried == nil {
		v.tried = make(map[hearsay.NodeID]tried)
	}
	t := v.triedOf(e.Subject)
	t.noteDue(m.clock.shows(now))
	if c.ledger.seeds > 1 {
		v.noteDeaf(m.clock.shows(now))
	}
	switch e.Verdict {
	case hearsay.VerdictReachable:
		t.reached, t.inVain = true, false
		if t.answered <= t.due { // the first answer since: no later one explains why it is brought before the others
			t.answered = m.clock.shows(now)
		}
	case hearsay.VerdictUnreachable:
		ended, shipped := m.clock.shows(now), quorum.DefaultConfig()
		began := ended - e.Took
		if !t.inVain || t.since < v.deafAt {
			t.inVain, t.failing, t.failed, t.since, t.silent = true, began, began, began, 0
		}
		switch gap := began - t.failed; {
		case gap > shipped.GapMost+rounding && c.peers <= probesMost:
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
func (c *checker) balloted(m *machine, r *hearsay.Ruling, now time.Duration) {
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
		switch by, cast := c.castBy(b, c.signedIn(m)); {
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
func (c *checker) castBy(b *hearsay.Ballot, in hearsay.LedgerID) (by caster, cast bool) {
	by, cast = c.ledger.votes.cast[string(b.AppendSigned(nil, in))]
	return by, cast && int(by.machine) == c.peers+int(b.Slot) && b.Verify(in, &c.verifier, by.key)
}

// lives is told as which life a seed runs.
func (c *checker) lives(m *machine, life hearsay.Life) { c.identities[m.identity].life = life }

// seated reports whether a seed has the seat that it began with, or was given
// another.
func (c *checker) seated(m *machine) bool {
	life, given := c.ledger.votes.given[uint8(int(m.index)-c.peers)]
	return !given && m.disks == 1 || given && life == c.identities[m.identity].life
}

// wiped is told that a machine has lost its disk: no earlier life of it may
// vote any more.
func (c *checker) wiped(m *machine) {
	for i := range c.identities {
		if one := &c.identities[i]; one.machine == m.index && !one.life.IsZero() {
			c.ledger.votes.lost[c.raftID(m, one.life)] = one.name
		}
	}
}

func (c *checker) raftID(m *machine, life hearsay.Life) uint64 {
	return hearsay.Seat{Slot: uint8(int(m.index) - c.peers), Life: life}.RaftID(c.network)
}

// takesPart looks at what a seed sends to others.
func (c *checker) takesPart(m *machine, p *hearsay.Packet, now time.Duration) {
	var id uint64
	switch body := p.Body.(type) {
	case *hearsay.Raft:
		if int(body.Slot) != int(m.index)-c.peers {
			return // it shows another what that one has signed
		}
		id = body.From
	case *hearsay.SeatHello:
		id = c.raftID(m, body.Life)
	default:
		return
	}
	if whose, gone := c.ledger.votes.lost[id]; gone {
		c.violate(now, m, RuleBallots, "takes part with the seat of %s, whose disk is gone", whose)
	}
}

// heads checks that a seed tells of no ruling that is not on its disk: up to
// kept.
func (c *checker) heads(m *machine, p *hearsay.Packet, kept hearsay.Epoch, now time.Duration) {
	told, is := p.Body.(*hearsay.Rulings)
	if !is {
		return
	}
	for i := range told.Heads {
		if h := &told.Heads[i]; int(h.Slot) == int(m.index)-c.peers && h.Epoch > kept {
			c.violate(now, m, RuleLedger, "signs the head of epoch %d before that is on its disk: %d is", h.Epoch, kept)
		}
	}
}
