package sim

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/node"
	"hearsay/testkit"
)

// This file holds the planted bugs of networks with seeds.

// admitUnruled tells of members, and not of the rulings that admitted them.
func admitUnruled(_ *World, _ *machine, e *core.Effects) {
	e.Events = slices.DeleteFunc(e.Events, func(e hearsay.Event) bool {
		return e.Kind == hearsay.EventRuled && e.Ruling.Kind == hearsay.RulingAdmit
	})
}

// letGo has a node not list the last peer that it lists.
func letGo(w *World, m *machine, shown *standing) {
	shown.members = slices.Clone(shown.members)
	for i := range shown.members {
		if one := &shown.members[i]; one.ID != m.id && one.Role == hearsay.RolePeer && one.State == hearsay.StateAlive && w.now > stormBegins {
			shown.members = slices.Delete(shown.members, i, i+1)
			return
		}
	}
}

// letGoAfterFork does that once two ledgers are told of.
func letGoAfterFork(w *World, m *machine, shown *standing) {
	if w.check.fork.said && !w.check.views[m.index].parted {
		letGo(w, m, shown)
	}
}

// hearOutsiders has a rumor come from a seed, which is in by no ruling.
func hearOutsiders(w *World, _ *machine, e *hearsay.Event) []hearsay.Event {
	if e.Kind == hearsay.EventRumor && e.Subject != e.By {
		e.By = w.machines[w.config.Nodes].id
	}
	return nil
}

func forgeLeave(_ *World, _ *machine, e *hearsay.Event) []hearsay.Event {
	if e.Kind == hearsay.EventRuled && e.Ruling.Kind == hearsay.RulingLeave {
		forged := *e.Ruling
		forged.Leave[0] ^= 1
		e.Ruling = &forged
	}
	return nil
}

// otherRoster has every other machine hold one less in its ledger.
func otherRoster(_ *World, m *machine, shown *standing) {
	if m.index%2 == 1 && len(shown.stays) > 1 {
		shown.stays = shown.stays[1:]
	}
}

// resurrect has a node list somebody as living who is out.
func resurrect(w *World, _ *machine, shown *standing) {
	shown.members = slices.Clone(shown.members)
	for i := range shown.members {
		if one := &shown.members[i]; one.State == hearsay.StateDead && one.Role == hearsay.RolePeer {
			one.State = hearsay.StateAlive
			return
		}
	}
}

func dropEvidence(_ *World, _ *machine, e *hearsay.Event) []hearsay.Event {
	if e.Kind == hearsay.EventRuled {
		e.Evidence = nil
	}
	return nil
}

func sameStay(w *World, _ *machine, e *hearsay.Event) []hearsay.Event {
	if e.Kind == hearsay.EventRuled && e.Ruling.Kind == hearsay.RulingAdmit && e.Epoch > 8 {
		other := *e.Ruling
		other.Stay.Epoch--
		e.Ruling = &other
	}
	return nil
}

// loseEntries has a seed start without the newer half of its log.
func loseEntries(_ *World, _ *machine, records []core.Record) []core.Record {
	newest := uint64(0)
	for _, record := range records {
		if r, is := record.(*core.KeptEntry); is {
			newest = max(newest, r.Entry.Index)
		}
	}
	return slices.DeleteFunc(records, func(record core.Record) bool {
		r, is := record.(*core.KeptEntry)
		return is && r.Entry.Index > newest/2
	})
}

// sendsHeads has a seed send its heads, and the rulings below them, at once.
func sendsHeads(w *World, m *machine, e *core.Effects) {
	e.Send = slices.DeleteFunc(e.Send, func(p core.Packet) bool {
		_, is := p.Body.(*core.Rulings)
		if is && w.isSeed(m) {
			e.Now = append(e.Now, p)
			return true
		}
		return false
	})
}

// castForOthers has a ballot signed by who knows a seed's key, and is not it.
func castForOthers(w *World, _ *machine, e *hearsay.Event) []hearsay.Event {
	if e.Kind == hearsay.EventRuled && len(e.Ruling.Ballots) > 0 {
		other := *e.Ruling
		other.Ballots = slices.Clone(other.Ballots)
		b := &other.Ballots[0]
		seed := &w.machines[w.config.Nodes+int(b.Slot)]
		b.At++
		b.Sign(w.check.ledger.id(), testkit.NewSigner(w.config.Seed, int(seed.index)+1, seed.disks))
		e.Ruling = &other
	}
	return nil
}

// watchOnce has a seed open a case by itself at once.
func watchOnce(_ *World, _ *machine, c *node.Config) { c.Quorum.SilentFor = 1 }

func probeOnce(_ *World, _ *machine, c *node.Config) { c.Quorum.Trial, c.Quorum.ShortTrial = 1, 1 }

// tryShort has a seed wait for observers half as long as it should.
func tryShort(_ *World, _ *machine, c *node.Config) { c.Quorum.ShortTrial = 2 * time.Second }

// probeSeldom has a seed vote on two probes, far apart.
func probeSeldom(_ *World, _ *machine, c *node.Config) {
	c.Quorum.ProbeEvery, c.Quorum.GapMost = 6*time.Second, time.Hour
}

// electsSeldom has a seed hold for twelve seconds that it hears a quorum, when it hears none.
func electsSeldom(_ *World, _ *machine, c *node.Config) { c.Quorum.ElectionTicks = 60 }

// opensAgain tells of a case after a probe in vain that is the first since an answer.
func opensAgain(w *World, m *machine, e *hearsay.Event) []hearsay.Event {
	t := w.check.views[m.index].triedOf(e.Subject)
	if !w.isSeed(m) || e.Kind != hearsay.EventExamined || e.Verdict != hearsay.VerdictUnreachable || t.unanswered || m.clock.shows(w.now)-t.due > proposalsLast {
		return nil
	}
	return []hearsay.Event{{At: e.At, Kind: hearsay.EventCaseOpened, Subject: e.Subject, By: m.id, Rule: hearsay.RuleWatch}}
}

// noteLife keeps the life of a seed's disk outside of it, and keepLife brings
// it to the next disk.
func noteLife(w *World, m *machine, e *core.Effects) {
	for _, record := range e.Persist {
		if life, is := record.(*core.SeedLife); is {
			if w.lives == nil {
				w.lives = make(map[int32]*core.SeedLife)
			}
			w.lives[m.index] = life
		}
	}
}

func keepLife(w *World, m *machine, records []core.Record) []core.Record {
	if life := w.lives[m.index]; life != nil && len(records) == 0 {
		return append(records, life)
	}
	return records
}

func probeLong(_ *World, _ *machine, c *node.Config) { c.Quorum.Trial = 9 * time.Second }

// noteRemoval keeps when a seed last applied a removal, and refuseJoiners lets
// none in for a while after that.
func noteRemoval(w *World, m *machine, e *core.Effects) {
	for i := range e.Events {
		if e.Events[i].Kind == hearsay.EventRuled && e.Events[i].Ruling.Kind == hearsay.RulingRemove {
			if w.removals == nil {
				w.removals = make([]time.Duration, len(w.machines))
			}
			w.removals[m.index] = w.now
		}
	}
}

func refuseJoiners(w *World, m *machine, p *core.Packet) bool {
	_, is := p.Body.(*core.Register)
	return !is || !w.isSeed(m) || w.removals == nil || w.removals[m.index] == 0 || w.now-w.removals[m.index] > 15*time.Second
}

// refuseCrowds has a seed hear no registration of a crowd.
func refuseCrowds(w *World, m *machine, p *core.Packet) bool {
	_, is := p.Body.(*core.Register)
	from, found := w.network.machineAt(p.Addr)
	return !is || !w.isSeed(m) || !found || !w.operator.crowded(&w.machines[from])
}

// barBefore has a seed tell of a bar before it admits the subject of that bar.
func barBefore(w *World, m *machine, e *core.Effects) {
	for i := range e.Events {
		if one := e.Events[i]; w.isSeed(m) && one.Kind == hearsay.EventRuled && one.Ruling.Kind == hearsay.RulingAdmit {
			e.Events = slices.Insert(e.Events, i, hearsay.Event{At: one.At, Kind: hearsay.EventBarred, Subject: one.Ruling.Stay.ID})
			return
		}
	}
}

// sameCases has a recovery be of the first case that there was.
func sameCases(_ *World, _ *machine, e *hearsay.Event) []hearsay.Event {
	if e.Kind == hearsay.EventRuled && e.Ruling.Kind == hearsay.RulingRecover {
		other := *e.Ruling
		other.Case = 1
		e.Ruling = &other
	}
	return nil
}

// keepSeats has a recovery leave the seeds in their seats that are lost.
func keepSeats(w *World, m *machine, e *hearsay.Event) []hearsay.Event {
	if e.Kind == hearsay.EventRuled && e.Ruling.Kind == hearsay.RulingRecover {
		other := *e.Ruling
		other.Seats = slices.Clone(other.Seats)
		for i := range w.check.identities {
			one := &w.check.identities[i]
			if slot := int(one.machine) - w.config.Nodes; slot >= 0 && one.machine != m.index && i != w.machines[one.machine].identity {
				other.Seats[slot] = hearsay.Seat{Slot: uint8(slot), Key: one.key, Life: one.life}
			}
		}
		e.Ruling = &other
	}
	return nil
}

// admitAll has seeds hold to no limit of admissions.
func admitAll(_ *World, _ *machine, c *node.Config) {
	c.Quorum.Limits = hearsay.Limits{Members: hearsay.MaxLimit, MembersOfSource: hearsay.MaxLimit, Admissions: hearsay.MaxLimit, SourceAdmissions: hearsay.MaxLimit}
}

// neverUnsure has a seed start as if its disk were the newest.
func neverUnsure(_ *World, _ *machine, records []core.Record) []core.Record {
	for i, record := range records {
		if life, is := record.(*core.SeedLife); is {
			sure := *life
			sure.Doubt = false
			records[i] = &sure
		}
	}
	return records
}

// ignoreFork takes nothing that is of another ledger than the node's own.
func ignoreFork(w *World, m *machine, p *core.Packet) bool {
	c := w.check
	if c.fork.epoch == 0 {
		return true
	}
	own, behind := c.views[m.index].parted, m.node.Seeded().Epoch() < c.fork.epoch && w.isSeed(m)
	foreign := func(at hearsay.Epoch, hash hearsay.Hash) bool {
		return at >= c.fork.epoch && (behind || c.fork.other[hash] != own)
	}
	heads := func(heads []hearsay.Head) []hearsay.Head {
		return slices.DeleteFunc(heads, func(h hearsay.Head) bool { return foreign(h.Epoch, h.Hash) })
	}
	switch body := p.Body.(type) {
	case *core.Rulings:
		body.Heads = heads(body.Heads)
		body.Items = slices.DeleteFunc(body.Items, func(r *hearsay.Ruling) bool { return foreign(r.Epoch, r.Hash(w.id)) })
	case *core.RosterPart:
		had := len(body.Heads)
		body.Heads = heads(body.Heads)
		return len(body.Heads) == had
	case *core.Raft, *core.SeatHello:
		from, found := w.network.machineAt(p.Addr)
		if !found || behind {
			return true
		}
		other := &w.machines[from]
		return other.node == nil || other.node.Seeded().Epoch() < c.fork.epoch || c.views[from].parted == own
	}
	return true
}

// promiseEarly has a node tell that something comes sooner than it does.
func promiseEarly(_ *World, _ *machine, file *hearsay.CaseFile) {
	for i := range file.Promises {
		file.Promises[i].By = file.Promises[i].By.Add(-10 * time.Second)
	}
}
