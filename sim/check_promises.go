package sim

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/casefile"
	"hearsay/ring"
)

// This file holds nodes of seeded networks to what they promise in their case files: that a
// member which does not answer is brought before the seeds, is out, or that its case has ended,
// by some time; and that one answer to any seed that has not voted yet keeps it in. Each rests on this, and is void
// otherwise: nothing further is done to the world, the node that promised and a quorum of seeds
// are well all the while, and, of what silence brings, the member stays silent, and nobody becomes its observer.

const (
	// promisesAtOnce is how many cases a node is asked to tell at a time, once in checkEvery.
	// Guess: few, as each walks the ledger.
	promisesAtOnce = 2

	// promiseSlack is what "about" stands for: the entry of a case or a ruling has to be
	// committed, to disks that take up to promiseDisk, behind loss of a tenth. A guess.
	promiseSlack = time.Second
	promiseDisk  = 100 * time.Millisecond

	// promiseMoves is by how much a time that is told again may be later, besides. A guess: as an answer or a round comes
	// later than was to be expected.
	promiseMoves = 4 * time.Second

	// forgotFor is how long after its start, or a pause, a seed is none of those on which promises rest: until peers
	// have heard of its start, and asked it whether it takes part, and until it has pinged a suspect as often as its
	// ballot takes. Guess: that a question is lost, and asked again.
	forgotFor = 2 * time.Second

	// answerCommits is how long the ballot of a seed that was answered may take to be in the log:
	// until then those of the others may decide. Likewise.
	answerCommits = 2 * time.Second

	// deafPeriods is after how many periods a machine to which nothing comes must promise nothing: its node hears of
	// all that the others do by then, or of nothing. What is on the way by stream comes until then, too. Guess: a
	// little more than a node waits for.
	deafPeriods = 4
)

// promised is one promise that is not judged yet.
type promised struct {
	hearsay.Promise
	subject  hearsay.NodeID
	silent   int32 // the machine that does not answer; -1: it may
	teller   int32
	life     int32 // of the teller
	told     time.Duration
	due      time.Duration
	trouble  time.Duration // the world's last when it was told
	answered time.Duration // a seed that is well and had not voted for its removal, first; 0: none
	kept     bool
	cut      bool      // it does not answer the teller alone, as the way between the two is cut
	saidAt   time.Time // told, by the teller's clock
}

// promiseKey is what a promise is about.
type promiseKey struct {
	subject      hearsay.NodeID
	teller, life int32
	what         hearsay.PromiseKind
}

func (k *promised) key() promiseKey {
	return promiseKey{subject: k.subject, teller: k.teller, life: k.life, what: k.What}
}

// promises are those of a world.
type promises struct {
	world  *World
	last   map[promiseKey]promised // the newest of those that rest on a silence
	teller int                     // machines whose turn it was last
	about  int
	open   []promised
	deaf   []time.Duration // by machine: since when nothing comes to it, or goes out; 0: it is not so
}

// askWhy asks a node about members that do not answer, and keeps what it promises.
func (p *promises) askWhy() {
	w := p.world
	p.judgePromises()
	p.askDeaf()
	p.askCut()
	if w.config.Seeds == 0 || w.config.Hostile > 0 || !p.decides() {
		return
	}
	var teller *machine
	for range w.machines {
		p.teller = (p.teller + 1) % len(w.machines)
		if m := &w.machines[p.teller]; p.isWell(m) && m.node.Joined() && !w.isBefore(m) {
			teller = m
			break
		}
	}
	if teller == nil {
		return
	}
	asked := 0
	for range w.machines {
		p.about = (p.about + 1) % len(w.machines)
		m := &w.machines[p.about]
		if w.isSeed(m) || m.id.IsZero() || !w.core.ruledIn(m.id) || w.check.identities[m.identity].twinned {
			continue
		}
		silent := m.condition == conditionCrashed || m.condition == conditionPaused
		if !silent && !p.suspects(teller, m.id) {
			continue
		}
		p.promisesOf(teller, m, silent)
		if asked++; asked == promisesAtOnce {
			return
		}
	}
}

// askDeaf asks machines to which nothing comes, or from which nothing goes out, about each other: they promise nothing.
func (p *promises) askDeaf() {
	w := p.world
	if p.deaf == nil {
		p.deaf = make([]time.Duration, len(w.machines))
	}
	for i := range w.machines {
		m := &w.machines[i]
		switch deaf := m.condition == conditionRunning && max(m.lossIn, m.lossOut) >= 1 && m.slow == 0 && w.config.Seeds > 0; {
		case !deaf:
			p.deaf[i] = 0
		case p.deaf[i] == 0:
			p.deaf[i] = w.now
		case w.now-p.deaf[i] > deafPeriods*w.config.Detect.Longest()+streamPatience:
			p.deafPromises(m, &w.machines[int(w.now/checkEvery)%len(w.machines)])
		}
	}
}

// askCut asks seeds about peers that do not answer them alone, as the way between the two is cut: such a seed says when
// it brings the peer before the others. All seeds reach each other.
func (p *promises) askCut() {
	w := p.world
	if len(w.network.cuts) == 0 || w.config.Hostile > 0 || !p.decidesCut() {
		return
	}
	for i := w.config.Nodes; i < len(w.machines); i++ {
		for number := range w.config.Nodes {
			teller, about := &w.machines[i], &w.machines[number]
			if p.isCut(teller, about) && !about.id.IsZero() && w.core.ruledIn(about.id) {
				p.promisesOf(teller, about, true)
			}
		}
	}
}

// isCut reports whether the way between two that run is cut, both ways.
func (p *promises) isCut(a, b *machine) bool {
	cuts := p.world.network.cuts
	return a.condition == conditionRunning && b.condition == conditionRunning && cuts[way{a.index, b.index}] && cuts[way{b.index, a.index}]
}

// decidesCut reports whether all seeds are well, and reach each other, where some ways are cut and nothing else is
// wrong.
func (p *promises) decidesCut() bool {
	w := p.world
	if w.config.Seeds == 0 || w.core.well != nil || !w.sound() {
		return false
	}
	for i := w.config.Nodes; i < len(w.machines); i++ {
		m := &w.machines[i]
		if m.condition != conditionRunning || m.doomed || w.syncTime(m) > promiseDisk || !p.takesPart(m) {
			return false
		}
		for other := w.config.Nodes; other < len(w.machines); other++ {
			if w.network.cuts[way{int32(i), int32(other)}] {
				return false
			}
		}
	}
	return true
}

// deafPromises looks for a promise of such a machine.
func (p *promises) deafPromises(m, about *machine) {
	w := p.world
	if about.id.IsZero() {
		return
	}
	file, err := m.why(w.timeOf(m), about.id.String())
	if err != nil {
		return
	}
	if tells := m.twist.tells; tells != nil {
		tells(w, m, &file)
	}
	for _, one := range file.Promises {
		w.check.violate(w.now, m, RulePromise, "promises that %s is %s, and nothing comes to it, or goes out, since %s",
			w.check.name(about.id), one.What, seconds(p.deaf[m.index]))
	}
}

// why gives the case of a member as a machine's node tells it.
func (m *machine) why(now time.Time, name string) (file hearsay.CaseFile, err error) {
	facts, err := m.node.Facts(now, name)
	if err == nil {
		file = casefile.Tell(facts)
	}
	return file, err
}

// promisesOf has a node tell the case of another.
func (p *promises) promisesOf(teller, about *machine, silent bool) {
	w := p.world
	now := w.timeOf(teller)
	file, err := teller.why(now, about.id.String())
	if err != nil {
		return
	}
	if tells := teller.twist.tells; tells != nil {
		tells(w, teller, &file)
	}
	for _, one := range file.Promises {
		if !one.By.After(now) {
			w.check.violate(w.now, teller, RulePromise, "promises that %s is %s by a time that is over by %v", about.name, one.What, now.Sub(one.By))
		}
		k := promised{
			Promise: one, subject: about.id, silent: -1, teller: teller.index, life: teller.life,
			told: w.now, due: w.now + teller.clock.span(one.By.Sub(now)) + promiseSlack, trouble: w.lastTrouble, saidAt: now,
			cut: about.condition == conditionRunning && p.isCut(teller, about),
		}
		if k.cut && k.What != hearsay.PromiseBrought {
			continue // what others do rests on the ways between them
		}
		if silent {
			k.silent = about.index
			p.follows(&k)
		}
		p.open = append(p.open, k)
	}
}

// follows looks whether a promise goes back on the one before it: a later time has a cause that was not there then, and
// the text says it.
func (p *promises) follows(k *promised) {
	w, key := p.world, k.key()
	before, is := p.last[key]
	if is && k.due > before.due+promiseMoves && p.binds(&before) && !k.Again.After(before.saidAt) {
		w.check.violate(w.now, &w.machines[k.teller], RulePromise, "promised at %s that %s is %s by about %s, and now by about %s, and says no cause of that",
			seconds(before.told), w.check.name(k.subject), k.What, seconds(before.due-promiseSlack), seconds(k.due-promiseSlack))
	}
	if is && k.Again.After(before.saidAt) { // what was said is withdrawn
		p.open = slices.DeleteFunc(p.open, func(o promised) bool { return o.key() == key && o.told <= before.told && !o.kept })
	}
	if p.last == nil {
		p.last = make(map[promiseKey]promised)
	}
	p.last[key] = *k
}

// suspects reports whether a machine's node holds another suspect.
func (p *promises) suspects(m *machine, id hearsay.NodeID) bool {
	p.world.members = m.node.Members(p.world.members[:0])
	return slices.ContainsFunc(p.world.members, func(one hearsay.Member) bool { return one.ID == id && one.State == hearsay.StateSuspect })
}

// isWell reports whether a machine runs, its disk is not so slow that it stands still, and nothing is between
// it and the others that are well.
func (p *promises) isWell(m *machine) bool {
	if m.condition != conditionRunning || m.doomed || p.world.syncTime(m) > promiseDisk {
		return false
	}
	if well := p.world.core.well; well != nil {
		return well[m.index]
	}
	return p.world.whole()
}

// decides reports whether a quorum of seeds is well, and has been for a while. One whose disk is an older copy
// may wait, and take no part: that is for whatever promises to know.
func (p *promises) decides() bool {
	w := p.world
	well := 0
	for i := w.config.Nodes; i < len(w.machines); i++ {
		m := &w.machines[i]
		if p.isWell(m) && p.takesPart(m) {
			well++
		}
	}
	return well >= hearsay.QuorumOf(w.config.Seeds)
}

// takesPart reports whether a seed has run for forgotFor without a stop.
func (p *promises) takesPart(m *machine) bool {
	c := p.world.check
	return p.world.now-max(c.views[m.index].began, c.identities[m.identity].troubled) >= forgotFor
}

// binds reports whether all on which a promise rests has held until now: that seeds hear each other at once, too.
// Behind loss a segment is lost four times in a row now and then, which costs them 3 s, and the one that leads its
// lead.
func (p *promises) binds(k *promised) bool {
	w, teller := p.world, &p.world.machines[k.teller]
	if k.cut {
		return w.lastTrouble == k.trouble && teller.life == k.life && p.isCut(teller, &w.machines[k.silent]) && p.decidesCut()
	}
	return w.lastTrouble == k.trouble && teller.life == k.life && p.isWell(teller) && p.decides() && w.network.seedsHeldUp <= k.told
}

// heldAway reports whether a seed has heard a member say that it is away, as the node that promised may not have yet:
// it votes for no removal meanwhile.
func (p *promises) heldAway(id hearsay.NodeID) bool {
	w := p.world
	for i := range w.machines {
		if w.isSeed(&w.machines[i]) && w.check.views[i].away[id].counts {
			return true
		}
	}
	return false
}

// judgePromises looks at those that are due. Silent ones were silent all the while, as nothing was done. The node that
// promised is asked once more: it may tell a cause by now for which what it said is withdrawn, as that it heard no
// quorum.
func (p *promises) judgePromises() {
	w := p.world
	p.open = slices.DeleteFunc(p.open, func(k promised) bool { return p.heldAway(k.subject) })
	for _, k := range slices.Clone(p.open) {
		if !k.kept && w.now >= k.due && k.silent >= 0 && p.binds(&k) {
			p.promisesOf(&w.machines[k.teller], &w.machines[k.silent], true)
		}
	}
	p.open = slices.DeleteFunc(p.open, func(k promised) bool {
		switch {
		case k.kept:
			w.counts.Promises++
		case w.now < k.due:
			return false
		case k.silent >= 0 && p.binds(&k):
			w.check.violate(w.now, &w.machines[k.teller], RulePromise, "promised at %s that %s is %s by about %s, and it is not by %s",
				seconds(k.told), w.check.name(k.subject), k.What, seconds(k.due-promiseSlack), seconds(w.now))
		}
		return true
	})
}

// observes reports whether a node is an observer of a member by all that is ruled. If it has been let in since a
// removal was promised, statements of others count no more, and the case begins again with those of the new ones.
func (p *promises) observes(id, subject hearsay.NodeID) bool {
	w := p.world
	var in []hearsay.NodeID
	for i := range w.machines {
		if m := &w.machines[i]; !w.isSeed(m) && !m.id.IsZero() && w.core.ruledIn(m.id) {
			in = append(in, m.id)
		}
	}
	return slices.Contains(ring.Observers(nil, subject, ring.Of(in), w.config.Roster.Observers), id)
}

// redeems is told what a seed says has happened, which may be what was promised.
func (p *promises) redeems(m *machine, e *hearsay.Event) {
	w := p.world
	if !w.isSeed(m) {
		return
	}
	against := w.check.identities[m.identity].against
	if e.Kind == hearsay.EventCaseAborted || e.Kind == hearsay.EventRuled {
		delete(against, e.Subject)
	}
	if e.Kind == hearsay.EventRuled && e.Ruling.Kind == hearsay.RulingAdmit {
		p.open = slices.DeleteFunc(p.open, func(k promised) bool {
			return k.What == hearsay.PromiseRemoved && !k.kept && k.subject != e.Subject && p.observes(e.Subject, k.subject)
		})
	}
	for i := range p.open {
		k := &p.open[i]
		if k.subject != e.Subject {
			continue
		}
		switch e.Kind {
		case hearsay.EventExamined:
			if e.Verdict == hearsay.VerdictReachable && k.answered == 0 && p.isWell(m) && !against[e.Subject] {
				k.answered = w.now
			}
		case hearsay.EventCaseOpened:
			k.kept = k.kept || k.What == hearsay.PromiseBrought
		case hearsay.EventCaseAborted:
			k.kept = k.kept || k.What == hearsay.PromiseDecided
		case hearsay.EventRuled:
			if e.Ruling.Kind == hearsay.RulingRemove && k.AnySeed && !k.kept && k.answered > 0 && w.now-k.answered > answerCommits && p.binds(k) {
				w.check.violate(w.now, &w.machines[k.teller], RulePromise, "promised at %s that one answer to any seed that has not voted keeps %s in, and it is out, though it answered at %s",
					seconds(k.told), w.check.name(k.subject), seconds(k.answered))
			}
			k.kept = true
		}
	}
}
