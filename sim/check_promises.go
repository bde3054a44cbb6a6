package sim

import (
	"slices"
	"time"

	"hearsay"
)

// This file holds nodes of seeded networks to what they promise in their case files: that a
// member which does not answer is brought before the seeds, is out, or that its case has ended,
// by some time; and that one answer to any seed that has not voted yet keeps it in. Each rests on this, and is void
// otherwise: nothing further is done to the world, the node that promised and a quorum of seeds
// are well all the while, and, of what silence brings, the member stays silent.

const (
	// promisesAtOnce is how many cases a node is asked to tell at a time, once in checkEvery.
	// Guess: few, as each walks the ledger.
	promisesAtOnce = 2

	// promiseSlack is what "about" stands for: the entry of a case or a ruling has to be
	// committed, to disks that take up to promiseDisk, behind loss of a tenth. A guess.
	promiseSlack = time.Second
	promiseDisk  = 100 * time.Millisecond

	// forgotFor is how long after its start a seed is none of those on which promises rest: until peers have heard of
	// its start, and asked it whether it takes part. Guess: that a question is lost, and asked again.
	forgotFor = 2 * time.Second

	// answerCommits is how long the ballot of a seed that was answered may take to be in the log:
	// until then those of the others may decide. Likewise.
	answerCommits = 2 * time.Second
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
}

// promises are those of a world.
type promises struct {
	teller int // machines whose turn it was last
	about  int
	open   []promised
}

// askWhy asks a node about members that do not answer, and keeps what it promises.
func (w *World) askWhy() {
	p := &w.check.promises
	w.judgePromises()
	if w.config.Seeds == 0 || w.config.Hostile > 0 || !w.decides() {
		return
	}
	var teller *machine
	for range w.machines {
		p.teller = (p.teller + 1) % len(w.machines)
		if m := &w.machines[p.teller]; w.isWell(m) && m.node.Joined() && !w.isBefore(m) {
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
		if w.isSeed(m) || m.id.IsZero() || !w.ruledIn(m.id) || w.check.identities[m.identity].twinned {
			continue
		}
		silent := m.condition == conditionCrashed || m.condition == conditionPaused
		if !silent && !w.suspects(teller, m.id) {
			continue
		}
		w.promisesOf(teller, m, silent)
		if asked++; asked == promisesAtOnce {
			return
		}
	}
}

// promisesOf has a node tell the case of another.
func (w *World) promisesOf(teller, about *machine, silent bool) {
	now := w.timeOf(teller)
	file, err := teller.node.Why(now, about.id.String())
	if err != nil {
		return
	}
	if tells := teller.twist.tells; tells != nil {
		tells(w, teller, &file)
	}
	for _, one := range file.Promises {
		k := promised{
			Promise: one, subject: about.id, silent: -1, teller: teller.index, life: teller.life,
			told: w.now, due: w.now + teller.clock.span(one.By.Sub(now)) + promiseSlack, trouble: w.lastTrouble,
		}
		if silent {
			k.silent = about.index
		}
		w.check.promises.open = append(w.check.promises.open, k)
	}
}

// suspects reports whether a machine's node holds another suspect.
func (w *World) suspects(m *machine, id hearsay.NodeID) bool {
	w.members = m.node.Members(w.members[:0])
	return slices.ContainsFunc(w.members, func(one hearsay.Member) bool { return one.ID == id && one.State == hearsay.StateSuspect })
}

// isWell reports whether a machine runs, its disk is not so slow that it stands still, and nothing is between it and the others that are well.
func (w *World) isWell(m *machine) bool {
	if m.condition != conditionRunning || m.doomed || w.syncTime(m) > promiseDisk {
		return false
	}
	if well := w.core.well; well != nil {
		return well[m.index]
	}
	return w.whole()
}

// decides reports whether a quorum of seeds is well, and has been for a while. One whose disk is an older copy may wait,
// and take no part: that is for whatever promises to know.
func (w *World) decides() bool {
	well := 0
	for i := w.config.Nodes; i < len(w.machines); i++ {
		m := &w.machines[i]
		if w.isWell(m) && w.now-w.check.views[m.index].began >= forgotFor {
			well++
		}
	}
	return well >= hearsay.QuorumOf(w.config.Seeds)
}

// binds reports whether all on which a promise rests has held until now.
func (w *World) binds(k *promised) bool {
	teller := &w.machines[k.teller]
	return w.lastTrouble == k.trouble && teller.life == k.life && w.isWell(teller) && w.decides()
}

// judgePromises looks at those that are due. Silent ones were silent all the while, as nothing was done.
func (w *World) judgePromises() {
	p := &w.check.promises
	p.open = slices.DeleteFunc(p.open, func(k promised) bool {
		switch {
		case k.kept:
			w.counts.Promises++
		case w.now < k.due:
			return false
		case k.silent >= 0 && w.binds(&k):
			w.check.violate(w.now, &w.machines[k.teller], RulePromise, "promised at %s that %s is %s by about %s, and it is not by %s",
				seconds(k.told), w.check.name(k.subject), k.What, seconds(k.due-promiseSlack), seconds(w.now))
		}
		return true
	})
}

// redeems is told what a seed says has happened, which may be what was promised.
func (w *World) redeems(m *machine, e *hearsay.Event) {
	if !w.isSeed(m) {
		return
	}
	against := w.check.identities[m.identity].against
	if e.Kind == hearsay.EventCaseAborted || e.Kind == hearsay.EventRuled {
		delete(against, e.Subject)
	}
	for i := range w.check.promises.open {
		k := &w.check.promises.open[i]
		if k.subject != e.Subject {
			continue
		}
		switch e.Kind {
		case hearsay.EventExamined:
			if e.Verdict == hearsay.VerdictReachable && k.answered == 0 && w.isWell(m) && !against[e.Subject] {
				k.answered = w.now
			}
		case hearsay.EventCaseOpened:
			k.kept = k.kept || k.What == hearsay.PromiseBrought
		case hearsay.EventCaseAborted:
			k.kept = k.kept || k.What == hearsay.PromiseDecided
		case hearsay.EventRuled:
			if e.Ruling.Kind == hearsay.RulingRemove && k.AnySeed && !k.kept && k.answered > 0 && w.now-k.answered > answerCommits && w.binds(k) {
				w.check.violate(w.now, &w.machines[k.teller], RulePromise, "promised at %s that one answer to any seed that has not voted keeps %s in, and it is out, though it answered at %s",
					seconds(k.told), w.check.name(k.subject), seconds(k.answered))
			}
			k.kept = true
		}
	}
}
