package quorum

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/when"
	"hearsay/ledger"
)

// This file is what a seed sees by its own probes: of those a case is about, of
// suspects, and, when many members are silent, of everybody. A seed to which a
// member has been silent for long opens the case itself.

// watches are this seed's own probes of members, and how long one is silent.
type watches struct {
	seed *Quorum

	watched map[hearsay.NodeID]*watch
	probing int              // probes under way
	first   []hearsay.NodeID // watched, whose probes wait for room and go first, in order
	probes  []hearsay.NodeID // the others whose probes wait for room, in order
	// When many are silent, this seed looks at all members.
	manyUnheard bool
	heardAgain  time.Time      // when one of them last answered after all, or its suspicion ended; zero: never
	looked      hearsay.NodeID // the last it has looked at
	lookedAt    time.Time
	lapAt       time.Time // when it began to look at the first
	heardMember time.Time // when a member has last answered one of this seed's own probes
}

// watch is what this seed's own probes see of one node. It begins when the
// seed first hears of a suspicion, so that a removal need not wait for it, and it
// lasts as long as the node is silent.
type watch struct {
	addr    netip.AddrPort
	began   time.Time
	reached time.Time // began of the newest probe that was answered
	failing time.Time // began of the first probe that was not, since the last that was; zero: none
	failed  time.Time // end of the newest that was not
	since   time.Time // began of the first of those between which this seed went on probing: see missed
	silent  time.Duration
	// since when there has been no room for the next, after the newest that ended; zero: there was room
	waited   time.Time
	askAt    time.Time // when a probe is wanted next
	asked    time.Time // when the probe under way was wanted; zero: there is none
	queued   bool      // one is wanted as soon as there is room
	first    bool      // it stands in the queue of those that go first
	answered bool
	trusted  bool // nobody suspects it any more, or nobody did: the watch ends with the next answer
	relayed  bool // it began because others say that they reach it
	accused  int  // how often this seed has accused it since it answered last

	accusedAt time.Time // when it did last
	suspect   time.Time // since when it is suspect, as this seed has heard; zero: it is not
	freed     time.Time // when it was suspect last, likewise
	abstained time.Time // when a probe last came to nothing by this seed's own fault
	vain      int       // cases about its silence that ended without a ruling, one after the other
	vainAt    time.Time // when the last did
}

const (
	// maxProbing is how many probes are wanted at a time. Where a round trip takes 100 ms a
	// probe that is not answered takes a second, and each of four hundred silent members is probed
	// every silentPeriod: with less room the silence of one would not count in full. With
	// those that ask to be in (maxJoiners) a detector has room (detect.maxProbes), also for
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

	// accusesMost is how often a seed accuses a silent member. What ends the first accusation may be a word that the
	// member has said before it died, and a member that answers others refutes again. Guess.
	accusesMost = 2

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

	// When one in manySilent members is silent to this seed, or suspect and has not answered it since, it looks
	// at all, one each lookEvery and all at most once in lookLap: when most die at once, the few that are left
	// would take minutes to find all of them, and one that dies later must be found, too. If such a member
	// answers again it goes on for lookFor, as one that is slow or behind loss is silent now and then: of ten
	// members that each probe one in a second, drawn at random, one that dies is once in some hundred times
	// probed by nobody for five seconds. Guesses: in a large network that is more than die one by one, and
	// manySilentMost are never, as each is silent for two or three seconds until it is removed; lookFor is some
	// suspicions of one that is slow; four hundred are looked at in two seconds; of few each is looked at as
	// often as all others together probe it.
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
	q.watches.watch(now, id)
	if w := q.watches.watched[id]; w != nil {
		w.trusted = false
		if w.suspect.IsZero() {
			w.suspect = now
		}
	}
}

// Relayed tells this seed that a member has not answered it, and others say that it
// answers them: it looks for itself.
func (q *Quorum) Relayed(now time.Time, id hearsay.NodeID) {
	if q.state == nil || q.state.Members.Get(id) == nil || q.watches.watched[id] != nil {
		return
	}
	q.watches.look(now, id)
	if w := q.watches.watched[id]; w != nil {
		w.relayed = true
	}
}

// Away tells this seed that a member has said that it is away: what its probes have found until now counts
// no more.
func (q *Quorum) Away(now time.Time, id hearsay.NodeID) {
	if q.state != nil {
		q.watches.unwatch(now, id)
	}
}

// away reports whether a member has said that it is away, and until when no case is opened about it.
func (ws *watches) away(id hearsay.NodeID) (until time.Time, is bool) {
	if ws.seed.directory.Away == nil {
		return until, false
	}
	return ws.seed.directory.Away(id)
}

// look watches a member that nobody suspects until it answers.
func (ws *watches) look(now time.Time, id hearsay.NodeID) {
	if ws.watched[id] != nil {
		return
	}
	ws.watch(now, id)
	if w := ws.watched[id]; w != nil {
		w.trusted = true
	}
}

// Cleared tells this seed that a suspicion has ended. What others say does not end
// its own watch as long as the member does not answer this seed itself.
func (q *Quorum) Cleared(now time.Time, id hearsay.NodeID) {
	w := q.watches.watched[id]
	if q.state == nil || w == nil {
		return
	}
	q.watches.hearsAgain(now, w)
	if !w.suspect.IsZero() {
		w.suspect, w.freed = time.Time{}, now
	}
	switch {
	case q.watches.open(id):
	case !w.failing.IsZero():
		w.trusted = true
	default:
		q.watches.unwatch(now, id)
	}
}

// unheard reports whether a member does not answer, or is suspect and has not answered yet.
func (w *watch) unheard() bool {
	return !w.failing.IsZero() || !w.suspect.IsZero() && !w.answered
}

// hearsAgain notes that a member that was unheard is well after all.
func (ws *watches) hearsAgain(now time.Time, w *watch) {
	if ws.manyUnheard && w.unheard() {
		ws.heardAgain = now
	}
}

// open reports whether a case is open about a node.
func (ws *watches) open(id hearsay.NodeID) bool {
	return ws.seed.state.Removing[id] != nil || ws.seed.state.Admitting[id] != nil
}

func (ws *watches) unwatch(now time.Time, id hearsay.NodeID) {
	if w := ws.watched[id]; w != nil {
		delete(ws.watched, id)
		ws.probed(now, w)
	}
}

// watch begins the watch of a member, unless that is away.
func (ws *watches) watch(now time.Time, id hearsay.NodeID) {
	if _, away := ws.away(id); !away {
		ws.watchAt(now, id, ws.where(id))
	}
}

// where gives the newest address of a member.
func (ws *watches) where(id hearsay.NodeID) (addr netip.AddrPort) {
	if m := ws.seed.state.Members.Get(id); m != nil {
		addr = m.Claim.Card.Addr
	}
	if ws.seed.directory.Addr != nil {
		if newest, ok := ws.seed.directory.Addr(id); ok {
			addr = newest
		}
	}
	return addr
}

// rewatch begins the watch of a member anew if it has another address now: that
// it does not answer where it was says nothing.
func (ws *watches) rewatch(now time.Time, id hearsay.NodeID, w *watch) {
	if ws.seed.state.Members.Get(id) == nil {
		return
	}
	if addr := ws.where(id); addr != w.addr {
		ws.probed(now, w) // nothing that comes of it counts
		w.addr, w.began, w.failing, w.failed, w.since, w.askAt, w.vain = addr, now, time.Time{}, time.Time{}, time.Time{}, now, 0
	}
}

func (ws *watches) watchAt(now time.Time, id hearsay.NodeID, addr netip.AddrPort) {
	if ws.watched[id] != nil {
		return
	}
	if len(ws.watched) >= maxWatched && ws.seed.state.Removing[id] == nil && ws.seed.state.Admitting[id] == nil {
		ws.seed.stats.Drops[hearsay.DropTableFull]++
		return
	}
	ws.watched[id] = &watch{addr: addr, began: now, askAt: now}
	if !ws.seed.quiet {
		ws.wantProbe(now, id, ws.watched[id])
	}
}

// wantProbe asks the node for a probe, as soon as there is room. Whatever it
// finds comes in by Probed.
func (ws *watches) wantProbe(now time.Time, id hearsay.NodeID, w *watch) {
	if !w.asked.IsZero() {
		return // and again as soon as that is over
	}
	w.askAt = now.Add(ws.seed.cfg.ProbeEvery)
	if !w.failing.IsZero() && !ws.open(id) && now.Sub(w.failing) >= longSilent {
		w.askAt = now.Add(max(silentPeriod, ws.seed.cfg.ProbeEvery))
		if last := w.failing.Add(ws.seed.cfg.ShortTrial - probeLeast); last.After(now) && last.Before(w.askAt) {
			w.askAt = last
		}
	}
	first := ws.goesFirst(id, w)
	switch {
	case w.queued && (w.first || !first):
		return
	case ws.probing >= maxProbing && first:
		w.queued, w.first = true, true
		w.waits(now)
		ws.first = append(ws.first, id)
		return
	case ws.probing >= maxProbing:
		w.queued = true
		w.waits(now)
		ws.probes = append(ws.probes, id)
		return
	}
	w.asked, w.queued, w.first = now, false, false
	ws.probing++
	round := hearsay.Round(ws.seed.random.Uint64())
	ws.seed.event(hearsay.Event{At: now, Kind: hearsay.EventProbeWanted, Subject: id, Addr: w.addr, Round: round})
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
func (ws *watches) goesFirst(id hearsay.NodeID, w *watch) bool {
	c := ws.seed.state.Removing[id]
	return ws.seed.state.Admitting[id] != nil || c != nil && !c.Short() || w.failing.IsZero()
}

// probed makes room when a probe is over, for those that wait.
func (ws *watches) probed(now time.Time, w *watch) {
	if w.asked.IsZero() {
		return
	}
	w.asked = time.Time{}
	ws.probing--
	for ws.probing < maxProbing && len(ws.first)+len(ws.probes) > 0 {
		queue := &ws.first
		if len(ws.first) == 0 {
			queue = &ws.probes
		}
		id := (*queue)[0]
		*queue = (*queue)[1:]
		if next := ws.watched[id]; next != nil && next.queued {
			next.queued, next.first = false, false
			ws.wantProbe(now, id, next)
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
	q.hearing.noteHearing(now)
	if p.Verdict == hearsay.VerdictUnreachable && (q.hearing.heardFrom.IsZero() || p.Began.Before(q.hearing.heardFrom)) {
		p.Verdict = hearsay.VerdictAbstains
	}
	if k := q.joiners.pending[p.Subject]; k != nil && p.Addr == k.claim.Card.Addr {
		q.joiners.answered(now, k, &p)
		return false
	}
	w := q.watches.watched[p.Subject]
	switch {
	case q.state == nil:
		return false
	case w == nil:
		q.returning.probed(now, &p)
		return false
	}
	q.watches.rewatch(now, p.Subject, w)
	if p.Addr.IsValid() && p.Addr != w.addr {
		return false // it is elsewhere, or says so
	}
	q.watches.probed(now, w)
	switch p.Verdict {
	case hearsay.VerdictReachable:
		q.watches.hearsAgain(now, w)
		w.answered, w.failing, w.since, w.vain, w.accused, w.accusedAt = true, time.Time{}, time.Time{}, 0, 0, time.Time{}
		if q.state.Members.Get(p.Subject) != nil {
			q.watches.heardMember = now
		}
		if p.Began.After(w.reached) {
			w.reached = p.Began
		}
	case hearsay.VerdictUnreachable:
		q.watches.missed(now, w, p.Began)
		if w.failing.IsZero() || p.Began.Before(w.failing) {
			w.failing = p.Began
		}
		accuses = q.watches.mayAccuse(now, p.Subject, w)
	default:
		w.abstains(now) // AskAt stays: this node was late, has its hands full, or hears no quorum
		return false
	}
	for _, c := range []*ledger.Case{q.state.Removing[p.Subject], q.state.Admitting[p.Subject]} {
		if c != nil {
			q.ballots.consider(now, c)
		}
	}
	return accuses
}

// mayAccuse reports whether this seed accuses a member that does not answer it: the
// member is told, and has time to refute; the other seeds are told, and begin to probe it,
// too, if they have not heard of a suspicion. When most members die at once, the few that
// are left would take minutes to accuse all. It does so twice at most, until the member answers, and
// not before the member has been silent for Trial, which is longer than a probe of a
// detector takes that asks relays, too; not if others say that they reach it, nor if no
// member answers this seed.
func (ws *watches) mayAccuse(now time.Time, id hearsay.NodeID, w *watch) bool {
	if w.failed.Sub(w.failing) < ws.seed.cfg.Trial || w.relayed || w.accused >= accusesMost || now.Sub(w.accusedAt) < 2*ws.seed.cfg.Trial || !w.suspect.IsZero() && w.accused > 0 || ws.open(id) || ws.seed.state.Members.Get(id) == nil || now.Sub(ws.heardMember) > hearsMembers {
		return false
	}
	w.accused, w.accusedAt = w.accused+1, now
	return true
}

// missed counts a probe that was not answered as silence: as long as it took, and
// the time since the one before it. That does not count if a probe came to nothing
// meanwhile; of a wait for room no more counts than lies between two probes else. If it
// was longer than GapMost until the wait, or no quorum was heard meanwhile, this
// seed does not know of a silence then, and counts anew.
func (ws *watches) missed(now time.Time, w *watch, began time.Time) {
	gap, unseen := max(0, began.Sub(w.failed)), began.Sub(w.failed)
	if !w.waited.IsZero() {
		unseen = w.waited.Sub(w.failed)
	}
	switch {
	case w.since.IsZero() || w.since.Before(ws.seed.hearing.heardFrom) || unseen > ws.seed.cfg.GapMost:
		w.since, w.silent, w.failed, gap = began, 0, began, 0
	case w.abstained.After(w.failed):
		gap = 0
	case gap > ws.seed.cfg.GapMost:
		gap = ws.seed.cfg.ProbeEvery
	}
	if began.Before(w.failed) {
		began = w.failed // they overlap
	}
	w.silent += gap + now.Sub(began)
	w.failed, w.waited = now, time.Time{}
}

// silence is for how long a node has not answered this seed's own probes, as far as
// this seed has probed it and hears a quorum.
func (ws *watches) silence(w *watch) time.Duration {
	if w.since.IsZero() || ws.seed.hearing.heardFrom.IsZero() || w.since.Before(ws.seed.hearing.heardFrom) {
		return 0
	}
	return w.silent
}

// tickWatches wants probes, ends watches, and opens cases about members that have
// been silent to this seed for long.
func (ws *watches) tickWatches(now time.Time) {
	silent := 0
	for _, id := range slices.SortedFunc(maps.Keys(ws.watched), hearsay.NodeID.Compare) {
		w := ws.watched[id]
		if !w.asked.IsZero() && now.Sub(w.asked) >= probePatience {
			ws.probed(now, w)
			w.abstains(now) // nothing came of it
		}
		ws.rewatch(now, id, w)
		if w.unheard() {
			silent++
		}
		switch {
		case !ws.open(id) && ws.over(now, id, w):
			ws.unwatch(now, id)
		case ws.mayReport(now, id, w):
			ws.reportSilent(now, id)
		case !now.Before(w.askAt):
			ws.wantProbe(now, id, w)
		}
	}
	ws.lookAround(now, silent)
}

// over reports whether a watch without a case has ended: of one that has answered,
// and of which nothing else is to come. A member that is silent is watched on.
func (ws *watches) over(now time.Time, id hearsay.NodeID, w *watch) bool {
	if !w.failing.IsZero() {
		return ws.seed.state.Members.Get(id) == nil // it has left
	}
	return w.trusted && w.answered || now.Sub(w.began) >= ws.seed.cfg.WatchFor
}

// mayReport reports whether this seed opens the case about a member itself: the
// member has answered none of its probes for SilentFor or, if it is suspect and has not
// refuted that, for ShortTrial: reports about it may get lost, and those that bring them
// may be lost themselves. All the while it heard a quorum, and of late they were enough for its
// own ballot. The seeds do so one after the other, as one case is enough. After a case that
// came to nothing it takes SilentFor, and twice as long each time.
func (ws *watches) mayReport(now time.Time, id hearsay.NodeID, w *watch) bool {
	m := ws.seed.state.Members.Get(id)
	if m == nil || w.failing.IsZero() || ws.seed.state.Removing[id] != nil || !ws.seed.Seated() {
		return false
	}
	failed, brought := ws.reportsAfter(id, w)
	return !w.failed.Before(failed) && !now.Before(brought) && ws.silence(w) >= ws.seed.cfg.ShortTrial &&
		now.Sub(w.failed) <= ws.seed.cfg.ShortTrial && !ws.seed.requests.isAsked(id, ledger.OpRemove)
}

// silentFrom is since when the silence of a member counts towards a case that this seed opens.
func (ws *watches) silentFrom(w *watch) time.Time {
	return when.Later(w.failing, when.Later(w.vainAt, ws.seed.hearing.heardFrom))
}

// reportsAfter is when a probe of a silent member must have failed, and since when
// it may be brought, for this seed to open the case.
func (ws *watches) reportsAfter(id hearsay.NodeID, w *watch) (failed, brought time.Time) {
	since := ws.silentFrom(w)
	if !w.suspect.IsZero() && w.vain == 0 {
		turn := time.Duration(ws.seed.cfg.Slot) * turnEvery
		return since.Add(ws.seed.cfg.ShortTrial), w.suspect.Add(ws.seed.cfg.ShortTrial + turn)
	}
	turn := time.Duration(ws.seed.cfg.Slot) * ws.seed.cfg.RetryEvery
	return since.Add(ws.seed.cfg.SilentFor<<min(w.vain, maxVain) + turn), ws.seed.ballots.paused[ws.seed.state.Members.Get(id).Stay]
}

// reportSilent brings a member before the seeds because it is silent to this one.
func (ws *watches) reportSilent(now time.Time, id hearsay.NodeID) {
	stay := ws.seed.state.Members.Get(id).Stay
	ws.seed.requests.ask(now, id, ledger.Command{Op: ledger.OpRemove, Stay: stay, Rule: hearsay.RuleWatch, By: ws.seed.signer.Public().NodeID()})
}

// unheeded is told that a case about a member has come to nothing. A seed to which
// the member is silent watches on.
func (ws *watches) unheeded(now time.Time, c *ledger.Case) {
	id := c.Stay().ID
	w := ws.watched[id]
	if w == nil || w.failing.IsZero() {
		ws.unwatch(now, id)
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
func (ws *watches) lookAround(now time.Time, silent int) {
	ws.manyUnheard = silent >= min(max(1, ws.seed.state.Members.Count/manySilent), manySilentMost)
	if !ws.manyUnheard && !ws.seed.probers.lacking() && (ws.heardAgain.IsZero() || now.Sub(ws.heardAgain) > lookFor) {
		ws.lookedAt, ws.lapAt = now, now
		return
	}
	room := min(int(now.Sub(ws.lookedAt)/lookEvery), lookMost)
	if room > 0 {
		ws.lookedAt = now
	}
	for passed := 0; room > 0 && passed < ws.seed.state.Members.Count; passed++ {
		id, ok := ws.seed.state.Members.After(ws.looked)
		if ws.looked = id; !ok { // round once
			ws.lookedAt = when.Later(now, ws.lapAt.Add(lookLap))
			ws.lapAt = ws.lookedAt
			return
		}
		if len(ws.watched) >= maxLooking {
			return
		}
		if ws.watched[id] == nil {
			ws.look(now, id)
			room--
		}
	}
}
