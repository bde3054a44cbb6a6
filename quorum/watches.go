package quorum

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// This file is what a seed sees by its own probes: of those a case is about, of
// suspects, and, when many members are silent, of everybody. A seed to which a
// member has been silent for long opens the case itself.

// watch is what this seed's own probes see of one node. It begins when the
// seed first hears of a suspicion, so that a removal need not wait for it, and it
// lasts as long as the node is silent.
type watch struct {
	addr     netip.AddrPort
	began    time.Time
	reached  time.Time // began of the newest probe that was answered
	failing  time.Time // began of the first probe that was not, since the last that was; zero: none
	failed   time.Time // end of the newest that was not
	since    time.Time // began of the first of those between which this seed went on probing: see missed
	silent   time.Duration
	waited   time.Time // since when there has been no room for the next, after the newest that ended; zero: there was room
	askAt    time.Time // when a probe is wanted next
	asked    time.Time // when the probe under way was wanted; zero: there is none
	queued   bool      // one is wanted as soon as there is room
	first    bool      // it stands in the queue of those that go first
	answered bool
	trusted  bool // nobody suspects it any more, or nobody did: the watch ends with the next answer
	relayed  bool // it began because others say that they reach it
	accused  bool // this seed has accused it since it answered last

	suspect   time.Time // since when it is suspect, as this seed has heard; zero: it is not
	abstained time.Time // when a probe last came to nothing by this seed's own fault
	vain      int       // cases about its silence that ended without a ruling, one after the other
	vainAt    time.Time // when the last did
}

const (
	// maxProbing is how many probes are wanted at a time. Where a round trip takes 100 ms a
	// probe that is not answered takes a second, and each of four hundred silent members is probed
	// every silentPeriod: with less room the silence of one would not count in full. With
	// those that ask to be in (maxKnocks) a detector has room (detect.maxProbes), also for
	// answers that come late. Guess.
	maxProbing = 256

	// probePatience is how long a probe may take. Guess: longer than any does.
	probePatience = 5 * time.Second

	// Of somebody that has been silent for so long one more probe says little: then
	// it is probed so often. Guesses: longer than Config.Trial, and some probes in
	// Config.ShortTrial.
	longSilent   = 2 * time.Second
	silentPeriod = 2 * time.Second

	// probeLeast is how long a probe that is not answered takes at least: a suspect is
	// probed once more so long before it has been silent for Config.ShortTrial.
	probeLeast = 500 * time.Millisecond

	// turnEvery lies between the seeds' turns to bring the same suspect before all:
	// most commits are faster. Guess.
	turnEvery = 250 * time.Millisecond

	// hearsMembers is how long ago a member must have answered this seed, so that the
	// silence of others is their own, and not this seed's that is cut off. Guess.
	hearsMembers = 2 * time.Second

	// maxVain bounds how often the time is doubled after which a seed brings a
	// member before the others again, in vain so far: then it is 16 times as long,
	// 8 minutes. Such a member answers some seeds and not others.
	maxVain = 4

	// When one in manySilent members is silent to this seed, or suspect and has not answered it since, it
	// looks at all, one each lookEvery and all at most once in lookLap: when most die at once, the few that
	// are left would take minutes to find all of them, and one that dies later must be found, too. If such a
	// member answers again it goes on for lookFor, as one that is slow or behind loss is silent now and then: of ten
	// members that each probe one in a second, drawn at random, one that dies is once in some hundred times
	// probed by nobody for five seconds.
	// Guesses: in a large network that is more than die one by one, and manySilentMost are never, as each is silent for two
	// or three seconds until it is removed; lookFor is some suspicions of one that
	// is slow; four hundred are looked at in two seconds; of few each is looked at as often as all others
	// together probe it.
	manySilent     = 32
	manySilentMost = 8
	lookFor        = 30 * time.Second
	lookLap        = time.Second
	lookEvery      = 5 * time.Millisecond
	lookMost       = 20 // in one tick
)

// Suspected tells this seed that a member is suspect somewhere: it probes it
// from now on.
func (q *Quorum) Suspected(now time.Time, id hearsay.NodeID) {
	if q.state == nil || q.state.Members.Get(id) == nil {
		return
	}
	q.watch(now, id)
	if w := q.watched[id]; w != nil {
		w.trusted = false
		if w.suspect.IsZero() {
			w.suspect = now
		}
	}
}

// Relayed tells this seed that a member has not answered it, and others say that it
// answers them: it looks for itself.
func (q *Quorum) Relayed(now time.Time, id hearsay.NodeID) {
	if q.state == nil || q.state.Members.Get(id) == nil || q.watched[id] != nil {
		return
	}
	q.look(now, id)
	if w := q.watched[id]; w != nil {
		w.relayed = true
	}
}

// Away tells this seed that a member has said that it is away: what its probes have found until now counts
// no more.
func (q *Quorum) Away(now time.Time, id hearsay.NodeID) {
	if q.state != nil {
		q.unwatch(now, id)
	}
}

// away reports whether a member has said that it is away, and until when no case is opened about it.
func (q *Quorum) away(id hearsay.NodeID) (until time.Time, is bool) {
	if q.directory.Away == nil {
		return until, false
	}
	return q.directory.Away(id)
}

// look watches a member that nobody suspects until it answers.
func (q *Quorum) look(now time.Time, id hearsay.NodeID) {
	if q.watched[id] != nil {
		return
	}
	q.watch(now, id)
	if w := q.watched[id]; w != nil {
		w.trusted = true
	}
}

// Cleared tells this seed that a suspicion has ended. What others say does not end
// its own watch as long as the member does not answer this seed itself.
func (q *Quorum) Cleared(now time.Time, id hearsay.NodeID) {
	w := q.watched[id]
	if q.state == nil || w == nil {
		return
	}
	q.hearsAgain(now, w)
	w.suspect = time.Time{}
	switch {
	case q.open(id):
	case !w.failing.IsZero():
		w.trusted = true
	default:
		q.unwatch(now, id)
	}
}

// unheard reports whether a member does not answer, or is suspect and has not answered yet.
func (w *watch) unheard() bool {
	return !w.failing.IsZero() || !w.suspect.IsZero() && !w.answered
}

// hearsAgain notes that a member that was unheard is well after all.
func (q *Quorum) hearsAgain(now time.Time, w *watch) {
	if q.manyUnheard && w.unheard() {
		q.heardAgain = now
	}
}

// open reports whether a case is open about a node.
func (q *Quorum) open(id hearsay.NodeID) bool {
	return q.state.Removing[id] != nil || q.state.Admitting[id] != nil
}

func (q *Quorum) unwatch(now time.Time, id hearsay.NodeID) {
	if w := q.watched[id]; w != nil {
		delete(q.watched, id)
		q.probed(now, w)
	}
}

// watch begins the watch of a member, unless that is away.
func (q *Quorum) watch(now time.Time, id hearsay.NodeID) {
	if _, away := q.away(id); !away {
		q.watchAt(now, id, q.where(id))
	}
}

// where gives the newest address of a member.
func (q *Quorum) where(id hearsay.NodeID) (addr netip.AddrPort) {
	if m := q.state.Members.Get(id); m != nil {
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
	if q.state.Members.Get(id) == nil {
		return
	}
	if addr := q.where(id); addr != w.addr {
		q.probed(now, w) // nothing that comes of it counts
		w.addr, w.began, w.failing, w.failed, w.since, w.askAt, w.vain = addr, now, time.Time{}, time.Time{}, time.Time{}, now, 0
	}
}

func (q *Quorum) watchAt(now time.Time, id hearsay.NodeID, addr netip.AddrPort) {
	if q.watched[id] != nil {
		return
	}
	if len(q.watched) >= maxWatched && q.state.Removing[id] == nil && q.state.Admitting[id] == nil {
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
	if !w.asked.IsZero() {
		return // and again as soon as that is over
	}
	w.askAt = now.Add(q.cfg.ProbeEvery)
	if !w.failing.IsZero() && !q.open(id) && now.Sub(w.failing) >= longSilent {
		w.askAt = now.Add(max(silentPeriod, q.cfg.ProbeEvery))
		if last := w.failing.Add(q.cfg.ShortTrial - probeLeast); last.After(now) && last.Before(w.askAt) {
			w.askAt = last
		}
	}
	first := q.goesFirst(id, w)
	switch {
	case w.queued && (w.first || !first):
		return
	case q.probing >= maxProbing && first:
		w.queued, w.first = true, true
		w.waits(now)
		q.first = append(q.first, id)
		return
	case q.probing >= maxProbing:
		w.queued = true
		w.waits(now)
		q.probes = append(q.probes, id)
		return
	}
	w.asked, w.queued, w.first = now, false, false
	q.probing++
	round := hearsay.Round(q.random.Uint64())
	q.event(hearsay.Event{At: now, Kind: hearsay.EventProbeWanted, Subject: id, Addr: w.addr, Round: round})
}

// waits notes that there is no room for a probe.
func (w *watch) waits(now time.Time) {
	if w.waited.IsZero() {
		w.waited = now
	}
}

// abstains notes that a probe has come to nothing: what was waited for it is over.
func (w *watch) abstains(now time.Time) { w.abstained, w.waited = now, time.Time{} }

// goesFirst reports whether a probe goes before those of members that have been
// silent for long, of which there may be hundreds: of one that asks to be in, of
// one that its observers do not reach, and the first of anybody.
func (q *Quorum) goesFirst(id hearsay.NodeID, w *watch) bool {
	c := q.state.Removing[id]
	return q.state.Admitting[id] != nil || c != nil && !c.Short() || w.failing.IsZero()
}

// probed makes room when a probe is over, for those that wait.
func (q *Quorum) probed(now time.Time, w *watch) {
	if w.asked.IsZero() {
		return
	}
	w.asked = time.Time{}
	q.probing--
	for q.probing < maxProbing && len(q.first)+len(q.probes) > 0 {
		queue := &q.first
		if len(q.first) == 0 {
			queue = &q.probes
		}
		id := (*queue)[0]
		*queue = (*queue)[1:]
		if next := q.watched[id]; next != nil && next.queued {
			next.queued, next.first = false, false
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
// seed sends and receives. Else it may be this seed that is cut off. It reports whether
// this seed accuses the member now.
func (q *Quorum) Probed(now time.Time, p Probe) (accuses bool) {
	q.noteHearing(now)
	if p.Verdict == hearsay.VerdictUnreachable && (q.heardFrom.IsZero() || p.Began.Before(q.heardFrom)) {
		p.Verdict = hearsay.VerdictAbstains
	}
	if k := q.knocks[p.Subject]; k != nil && p.Addr == k.claim.Card.Addr {
		q.answered(now, k, &p)
		return false
	}
	w := q.watched[p.Subject]
	if w == nil || q.state == nil {
		return false
	}
	q.rewatch(now, p.Subject, w)
	if p.Addr.IsValid() && p.Addr != w.addr {
		return false // it is elsewhere, or says so
	}
	q.probed(now, w)
	switch p.Verdict {
	case hearsay.VerdictReachable:
		q.hearsAgain(now, w)
		w.answered, w.failing, w.since, w.vain, w.accused = true, time.Time{}, time.Time{}, 0, false
		if q.state.Members.Get(p.Subject) != nil {
			q.heardMember = now
		}
		if p.Began.After(w.reached) {
			w.reached = p.Began
		}
	case hearsay.VerdictUnreachable:
		q.missed(now, w, p.Began)
		if w.failing.IsZero() || p.Began.Before(w.failing) {
			w.failing = p.Began
		}
		accuses = q.mayAccuse(now, p.Subject, w)
	default:
		w.abstains(now) // askAt stays: this node was late, has its hands full, or hears no quorum
		return false
	}
	for _, c := range []*ledger.Case{q.state.Removing[p.Subject], q.state.Admitting[p.Subject]} {
		if c != nil {
			q.consider(now, c)
		}
	}
	return accuses
}

// mayAccuse reports whether this seed accuses a member that does not answer it: the
// member is told, and has time to refute; the other seeds are told, and begin to probe it,
// too, if they have not heard of a suspicion. When most members die at once, the few that
// are left would take minutes to accuse all. It does so once, until the member answers, and
// not before the member has been silent for Trial, which is longer than a probe of a
// detector takes that asks relays, too; not if others say that they reach it, nor if no
// member answers this seed.
func (q *Quorum) mayAccuse(now time.Time, id hearsay.NodeID, w *watch) bool {
	if w.failed.Sub(w.failing) < q.cfg.Trial || w.relayed || w.accused || q.open(id) || q.state.Members.Get(id) == nil || now.Sub(q.heardMember) > hearsMembers {
		return false
	}
	w.accused = true
	return true
}

// missed counts a probe that was not answered as silence: as long as it took, and
// the time since the one before it. That does not count if a probe came to nothing
// meanwhile; of a wait for room no more counts than lies between two probes else. If it
// was longer than GapMost until the wait, or no quorum was heard meanwhile, this
// seed does not know of a silence then, and counts anew.
func (q *Quorum) missed(now time.Time, w *watch, began time.Time) {
	gap, unseen := max(0, began.Sub(w.failed)), began.Sub(w.failed)
	if !w.waited.IsZero() {
		unseen = w.waited.Sub(w.failed)
	}
	switch {
	case w.since.IsZero() || w.since.Before(q.heardFrom) || unseen > q.cfg.GapMost:
		w.since, w.silent, w.failed, gap = began, 0, began, 0
	case w.abstained.After(w.failed):
		gap = 0
	case gap > q.cfg.GapMost:
		gap = q.cfg.ProbeEvery
	}
	if began.Before(w.failed) {
		began = w.failed // they overlap
	}
	w.silent += gap + now.Sub(began)
	w.failed, w.waited = now, time.Time{}
}

// silence is for how long a node has not answered this seed's own probes, as far as
// this seed has probed it and hears a quorum.
func (q *Quorum) silence(w *watch) time.Duration {
	if w.since.IsZero() || q.heardFrom.IsZero() || w.since.Before(q.heardFrom) {
		return 0
	}
	return w.silent
}

// tickWatches wants probes, ends watches, and opens cases about members that have
// been silent to this seed for long.
func (q *Quorum) tickWatches(now time.Time) {
	silent := 0
	for _, id := range slices.SortedFunc(maps.Keys(q.watched), hearsay.NodeID.Compare) {
		w := q.watched[id]
		if !w.asked.IsZero() && now.Sub(w.asked) >= probePatience {
			q.probed(now, w)
			w.abstains(now) // nothing came of it
		}
		q.rewatch(now, id, w)
		if w.unheard() {
			silent++
		}
		switch {
		case !q.open(id) && q.over(now, id, w):
			q.unwatch(now, id)
		case q.mayReport(now, id, w):
			q.reportSilent(now, id)
		case !now.Before(w.askAt):
			q.wantProbe(now, id, w)
		}
	}
	q.lookAround(now, silent)
}

// over reports whether a watch without a case has ended: of one that has answered,
// and of which nothing else is to come. A member that is silent is watched on.
func (q *Quorum) over(now time.Time, id hearsay.NodeID, w *watch) bool {
	if !w.failing.IsZero() {
		return q.state.Members.Get(id) == nil // it has left
	}
	return w.trusted && w.answered || now.Sub(w.began) >= q.cfg.WatchFor
}

// mayReport reports whether this seed opens the case about a member itself: the
// member has answered none of its probes for SilentFor or, if it is suspect and has not
// refuted that, for ShortTrial: reports about it may get lost, and those that bring them
// may be lost themselves. All the while it heard a quorum, and of late they were enough for its
// own ballot. The seeds do so one after the other, as one case is enough. After a case that
// came to nothing it takes SilentFor, and twice as long each time.
func (q *Quorum) mayReport(now time.Time, id hearsay.NodeID, w *watch) bool {
	m := q.state.Members.Get(id)
	if m == nil || w.failing.IsZero() || q.state.Removing[id] != nil || !q.Seated() {
		return false
	}
	failed, brought := q.reportsAfter(id, w)
	return !w.failed.Before(failed) && !now.Before(brought) && q.silence(w) >= q.cfg.ShortTrial &&
		now.Sub(w.failed) <= q.cfg.ShortTrial && !q.isAsked(id, ledger.OpRemove)
}

// reportsAfter is when a probe of a silent member must have failed, and since when
// it may be brought, for this seed to open the case.
func (q *Quorum) reportsAfter(id hearsay.NodeID, w *watch) (failed, brought time.Time) {
	since := later(w.failing, later(w.vainAt, q.heardFrom))
	if !w.suspect.IsZero() && w.vain == 0 {
		turn := time.Duration(q.cfg.Slot) * turnEvery
		return since.Add(q.cfg.ShortTrial), w.suspect.Add(q.cfg.ShortTrial + turn)
	}
	turn := time.Duration(q.cfg.Slot) * q.cfg.RetryEvery
	return since.Add(q.cfg.SilentFor<<min(w.vain, maxVain) + turn), q.paused[q.state.Members.Get(id).Stay]
}

// reportSilent brings a member before the seeds because it is silent to this one.
func (q *Quorum) reportSilent(now time.Time, id hearsay.NodeID) {
	stay := q.state.Members.Get(id).Stay
	q.ask(now, id, ledger.Command{Op: ledger.OpRemove, Stay: stay, Rule: hearsay.RuleWatch, By: q.signer.Public().NodeID()})
}

// unheeded is told that a case about a member has come to nothing. A seed to which
// the member is silent watches on.
func (q *Quorum) unheeded(now time.Time, c *ledger.Case) {
	id := c.Stay().ID
	w := q.watched[id]
	if w == nil || w.failing.IsZero() {
		q.unwatch(now, id)
		return
	}
	w.vainAt = now
	if c.Opening.Rule == hearsay.RuleWatch {
		w.vain++
	}
}

// lookAround has the members probed that nobody suspects, some at a time in the
// order of their identities, while many others are silent, and for a while after one of them has
// answered again.
func (q *Quorum) lookAround(now time.Time, silent int) {
	q.manyUnheard = silent >= min(max(1, q.state.Members.Count/manySilent), manySilentMost)
	if !q.manyUnheard && (q.heardAgain.IsZero() || now.Sub(q.heardAgain) > lookFor) {
		q.lookedAt, q.lapAt = now, now
		return
	}
	room := min(int(now.Sub(q.lookedAt)/lookEvery), lookMost)
	if room > 0 {
		q.lookedAt = now
	}
	for passed := 0; room > 0 && passed < q.state.Members.Count; passed++ {
		id, ok := q.state.Members.After(q.looked)
		if q.looked = id; !ok { // round once
			q.lookedAt = later(now, q.lapAt.Add(lookLap))
			q.lapAt = q.lookedAt
			return
		}
		if len(q.watched) >= maxLooking {
			return
		}
		if q.watched[id] == nil {
			q.look(now, id)
			room--
		}
	}
}
