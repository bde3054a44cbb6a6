package quorum

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/ring"
)

// trial is this seed's own check of an open case.
type trial struct {
	began   time.Time // when this seed learned of the case
	checked bool
	unfit   string // what the check found wrong, without any probe
	ballot  hearsay.Ballot
	castAt  time.Time // when the ballot was proposed last; zero: there is none yet
}

// watch is what this seed's own probes see of one node. It begins when the
// seed first hears of a suspicion, so that a removal need not wait for it.
type watch struct {
	addr     netip.AddrPort
	began    time.Time
	reached  time.Time // began of the newest probe that was answered
	failing  time.Time // began of the first probe that was not, since the last that was; zero: none
	failed   time.Time // end of the newest that was not
	askAt    time.Time // when a probe is wanted next
	asked    time.Time // when the probe under way was wanted; zero: there is none
	queued   bool      // one is wanted as soon as there is room
	answered bool

	abstained time.Time // when a probe last came to nothing by this seed's own fault
}

const (
	// maxProbing is how many probes are wanted at a time. A detector examines
	// 64, and some of them are others' (detect.maxExaminations).
	maxProbing = 48

	// probePatience is how long a probe may take. Guess: longer than any does.
	probePatience = 5 * time.Second
)

// forgetTrials begins anew: another state takes the place of this one.
func (q *Quorum) forgetTrials() {
	q.trials, q.watched = make(map[hearsay.CaseID]*trial), make(map[hearsay.NodeID]*watch)
	q.knocks = make(map[hearsay.NodeID]*knock)
	q.probing, q.probes = 0, nil
}

// try begins this seed's own check of a case.
func (q *Quorum) try(now time.Time, c *openCase) {
	q.trials[c.id] = &trial{began: now}
	switch c.opening.op {
	case opAdmit:
		id, addr := c.opening.claim.Subject, c.opening.claim.Card.Addr
		if w := q.watched[id]; w == nil || w.addr != addr || !w.answered || now.Sub(w.reached) >= admitPatience {
			q.unwatch(now, id) // what answered before may have been elsewhere, or long ago
		}
		delete(q.knocks, id) // it asked another seed, too, which was faster
		q.watchAt(now, id, addr)
	case opRemove:
		q.watch(now, c.opening.stay.ID)
	case opSeat:
		if int(c.opening.seat.Slot) != q.cfg.Slot {
			q.askSeat(now, int(c.opening.seat.Slot))
		}
	}
	if !q.quiet {
		q.consider(now, c)
	}
}

// Suspected tells this seed that a member is suspect somewhere: it probes it
// from now on.
func (q *Quorum) Suspected(now time.Time, id hearsay.NodeID) {
	if q.state != nil && q.state.members.get(id) != nil {
		q.watch(now, id)
	}
}

// Cleared tells this seed that a suspicion has ended.
func (q *Quorum) Cleared(now time.Time, id hearsay.NodeID) {
	if q.state != nil && q.state.removing[id] == nil && q.state.admitting[id] == nil {
		q.unwatch(now, id)
	}
}

func (q *Quorum) unwatch(now time.Time, id hearsay.NodeID) {
	if w := q.watched[id]; w != nil {
		delete(q.watched, id)
		q.probed(now, w)
	}
}

func (q *Quorum) watch(now time.Time, id hearsay.NodeID) { q.watchAt(now, id, q.where(id)) }

// where gives the newest address of a member.
func (q *Quorum) where(id hearsay.NodeID) (addr netip.AddrPort) {
	if m := q.state.members.get(id); m != nil {
		addr = m.Claim.Card.Addr
	}
	if q.directory.Addr != nil {
		if newest, ok := q.directory.Addr(id); ok {
			addr = newest
		}
	}
	return addr
}

// rewatch begins the watch of a member anew if it has another address now: that
// it does not answer where it was says nothing.
func (q *Quorum) rewatch(now time.Time, id hearsay.NodeID, w *watch) {
	if q.state.members.get(id) == nil {
		return
	}
	if addr := q.where(id); addr != w.addr {
		q.probed(now, w) // nothing that comes of it counts
		w.addr, w.began, w.failing, w.failed, w.askAt = addr, now, time.Time{}, time.Time{}, now
	}
}

func (q *Quorum) watchAt(now time.Time, id hearsay.NodeID, addr netip.AddrPort) {
	if q.watched[id] != nil {
		return
	}
	if len(q.watched) >= maxWatched && q.state.removing[id] == nil && q.state.admitting[id] == nil {
		q.drops[hearsay.DropTableFull]++
		return
	}
	q.watched[id] = &watch{addr: addr, began: now, askAt: now}
	if !q.quiet {
		q.wantProbe(now, id, q.watched[id])
	}
}

// wantProbe asks the node for a probe, as soon as there is room. Whatever it
// finds comes in by Probed.
func (q *Quorum) wantProbe(now time.Time, id hearsay.NodeID, w *watch) {
	w.askAt = now.Add(q.cfg.ProbeEvery)
	switch {
	case !w.asked.IsZero() || w.queued:
		return
	case q.probing >= maxProbing:
		w.queued = true
		q.probes = append(q.probes, id)
		return
	}
	w.asked = now
	q.probing++
	round := hearsay.Round(q.random.Uint64())
	q.event(hearsay.Event{At: now, Kind: hearsay.EventProbeWanted, Subject: id, Addr: w.addr, Round: round})
}

// probed makes room when a probe is over, for those that wait.
func (q *Quorum) probed(now time.Time, w *watch) {
	if w.asked.IsZero() {
		return
	}
	w.asked = time.Time{}
	q.probing--
	for len(q.probes) > 0 && q.probing < maxProbing {
		id := q.probes[0]
		q.probes = q.probes[1:]
		if next := q.watched[id]; next != nil && next.queued {
			next.queued = false
			q.wantProbe(now, id, next)
		}
	}
}

// Probe is what a probe of this seed's own has found.
type Probe struct {
	Subject hearsay.NodeID
	Addr    netip.AddrPort // where it was probed
	Verdict hearsay.Verdict
	Began   time.Time // when its first ping went out
}

// Probed tells what a probe has found, whether it was wanted or not. That somebody
// did not answer counts only if a quorum of seeds was heard all the while: then this
// seed sends and receives. Else it may be this seed that is cut off.
func (q *Quorum) Probed(now time.Time, p Probe) {
	if p.Verdict == hearsay.VerdictUnreachable && (q.heardFrom.IsZero() || p.Began.Before(q.heardFrom)) {
		p.Verdict = hearsay.VerdictAbstains
	}
	if k := q.knocks[p.Subject]; k != nil && p.Addr == k.claim.Card.Addr {
		q.answered(now, k, &p)
		return
	}
	w := q.watched[p.Subject]
	if w == nil || q.state == nil {
		return
	}
	q.rewatch(now, p.Subject, w)
	if p.Addr.IsValid() && p.Addr != w.addr {
		return // it is elsewhere, or says so
	}
	q.probed(now, w)
	switch p.Verdict {
	case hearsay.VerdictReachable:
		w.answered, w.failing = true, time.Time{}
		if p.Began.After(w.reached) {
			w.reached = p.Began
		}
	case hearsay.VerdictUnreachable:
		w.failed = now
		if w.failing.IsZero() || p.Began.Before(w.failing) {
			w.failing = p.Began
		}
	default:
		w.abstained = now // askAt stays: this node was late, has its hands full, or hears no quorum
		return
	}
	for _, c := range []*openCase{q.state.removing[p.Subject], q.state.admitting[p.Subject]} {
		if c != nil {
			q.consider(now, c)
		}
	}
}

// tickTrials wants probes, casts ballots whose time has come, and proposes
// again what may have got lost.
func (q *Quorum) tickTrials(now time.Time) {
	for _, id := range slices.SortedFunc(maps.Keys(q.watched), hearsay.NodeID.Compare) {
		w := q.watched[id]
		open := q.state.removing[id] != nil || q.state.admitting[id] != nil
		if !w.asked.IsZero() && now.Sub(w.asked) >= probePatience {
			q.probed(now, w) // nothing came of it
		}
		q.rewatch(now, id, w)
		switch {
		case !open && now.Sub(w.began) >= q.cfg.WatchFor:
			q.unwatch(now, id)
		case !now.Before(w.askAt):
			q.wantProbe(now, id, w)
		}
	}
	for _, c := range q.state.cases {
		q.consider(now, c)
	}
	over := func(_ hearsay.Stay, until time.Time) bool { return !now.Before(until) }
	maps.DeleteFunc(q.paused, over)
	maps.DeleteFunc(q.weighed, over)
}

// consider casts this seed's ballot on a case as soon as it has one, and
// repeats it until it is an entry of the log.
func (q *Quorum) consider(now time.Time, c *openCase) {
	t := q.trials[c.id]
	if t == nil || !q.Seated() || c.ballotOf(uint8(q.cfg.Slot)) != nil {
		return
	}
	if t.castAt.IsZero() {
		verdict, why := q.judge(now, c, t)
		if verdict == 0 {
			return
		}
		t.ballot = hearsay.Ballot{
			Case: c.id, About: c.about, Stay: c.stay(), Slot: uint8(q.cfg.Slot), Life: q.life,
			Verdict: verdict, Why: clip(why), At: now.UnixMilli(),
		}
		t.ballot.Sign(q.Ledger(), q.signer)
	} else if now.Sub(t.castAt) < q.cfg.RetryEvery {
		return
	}
	t.castAt = now
	q.propose(now, command{op: opBallot, ballot: t.ballot})
}

// judge gives this seed's own verdict on a case, or none yet.
func (q *Quorum) judge(now time.Time, c *openCase, t *trial) (hearsay.BallotVerdict, string) {
	if !t.checked {
		t.checked = true
		switch c.opening.op {
		case opAdmit:
			t.unfit = q.unfit(now, &c.opening.claim)
		case opRemove:
			if m := q.state.members.get(c.opening.stay.ID); m != nil && c.opening.evidence != nil {
				t.unfit = q.unproven(now, c.opening.evidence, m)
			}
		}
	}
	if c.opening.evidence != nil && t.unfit == "" {
		if m := q.state.members.get(c.opening.stay.ID); m != nil && c.opening.evidence.Incarnation < q.newest(m) {
			t.unfit = refuted // since the check
		}
	}
	if t.unfit != "" {
		return hearsay.BallotNo, t.unfit
	}
	switch c.opening.op {
	case opAdmit:
		return q.judgeAdmission(now, c, t)
	case opRemove:
		return q.judgeRemoval(now, c, t)
	}
	return q.judgeSeat(now, c)
}

// admitPatience is how long one who asks to be admitted may be silent at its
// address before this seed says no: most of the time that a case has.
const admitPatience = 3 * time.Second

func (q *Quorum) judgeAdmission(now time.Time, c *openCase, t *trial) (hearsay.BallotVerdict, string) {
	w := q.watched[c.opening.claim.Subject]
	switch {
	case w == nil:
		return 0, ""
	case w.answered:
		return hearsay.BallotYes, fmt.Sprintf("it answers at %v", w.addr)
	case !w.failing.IsZero() && now.Sub(t.began) >= admitPatience:
		return hearsay.BallotNo, NoAnswer(w.addr)
	}
	return 0, ""
}

func (q *Quorum) judgeRemoval(now time.Time, c *openCase, t *trial) (hearsay.BallotVerdict, string) {
	w := q.watched[c.opening.stay.ID]
	if w == nil {
		return 0, ""
	}
	trial := q.cfg.Trial
	if c.short() {
		trial = q.cfg.ShortTrial
	}
	switch {
	case w.answered && !w.reached.Before(t.began):
		return hearsay.BallotNo, fmt.Sprintf("it answers at %v", w.addr)
	case w.failing.IsZero() || w.failed.Sub(w.failing) < trial || now.Sub(w.failed) > 2*trial:
		return 0, ""
	}
	return hearsay.BallotYes, fmt.Sprintf("no answer from %v for %v", w.addr, now.Sub(w.failing).Round(time.Millisecond))
}

const refuted = "it has refuted that"

// newest is the newest incarnation that a member has signed.
func (q *Quorum) newest(m *Member) hearsay.Incarnation {
	if q.directory.Incarnation == nil {
		return m.Claim.Incarnation
	}
	return max(m.Claim.Incarnation, q.directory.Incarnation(m.Stay.ID))
}

// unproven says why evidence does not hold against a member, if it does not:
// statements of one round, signed by observers that this seed's roster
// assigns, of what the member is now; a majority of them, or, when the
// suspicion ran out, as many as there are, but none by anybody who reaches it.
// What it lacks then is made up for by the longer trial (see openCase.short).
func (q *Quorum) unproven(now time.Time, e *hearsay.Evidence, m *Member) (why string) {
	newest := q.newest(m)
	if e.Subject != m.Stay.ID {
		return "evidence about another"
	}
	if e.Incarnation < newest {
		return refuted
	}
	if e.Incarnation > max(newest, hearsay.Incarnation(now.UnixMilli())) {
		return "of an incarnation that it cannot have" // to come back it would have to go beyond that
	}
	witnesses := q.state.members.witnesses(e.Subject)
	observers := ring.Observers(nil, e.Subject, ring.Of(witnesses), min(q.cfg.Observers, len(witnesses)))
	against := 0
	for i := range e.Statements {
		s := &e.Statements[i]
		repeated := slices.ContainsFunc(e.Statements[:i], func(o hearsay.Statement) bool { return o.Observer == s.Observer })
		if repeated || !slices.Contains(observers, s.Observer) {
			continue
		}
		if !s.Verify(q.Ledger(), q.signer, q.state.members.get(s.Observer).Claim.Card.Key) {
			return "a statement that its observer did not sign"
		}
		if s.Verdict == hearsay.VerdictUnreachable {
			against++
		}
	}
	needed := len(observers)/2 + 1
	switch {
	case e.Rule == hearsay.RuleTimeout && e.Reachable() > 0:
		return "an observer reaches it"
	case e.Rule != hearsay.RuleTimeout && against < needed:
		return fmt.Sprintf("%d of %d observers against it, %d needed", against, len(observers), needed)
	}
	return ""
}
