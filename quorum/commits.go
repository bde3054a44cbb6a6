package quorum

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// commitQueue is the commands on their way into the log. What removes a member, or is about a seat, goes before what
// admits one: of admissions there may be hundreds, and anybody can ask for one.
type commitQueue struct {
	seed *Quorum

	first, rest []ledger.Command
	flushed     time.Time
	flushAt     time.Time // zero: nothing is queued
}

// propose has a command put into the log. It may get lost: what needs it
// proposes it again.
func (q *commitQueue) propose(now time.Time, c ledger.Command) {
	to := &q.rest
	if q.goesFirst(&c) {
		to = &q.first
	}
	if len(*to) >= maxQueue {
		q.seed.stats.Drops[hearsay.DropTableFull]++
		return
	}
	c.At, c.Proposer = now.UnixMilli(), uint8(q.seed.cfg.Slot)
	if c.Bars() && q.seed.replica != nil {
		c.Seen = q.seed.replica.log.applied
	}
	*to = append(*to, c)
	if q.flushAt.IsZero() {
		q.flushAt = now
		if next := q.flushed.Add(q.seed.cfg.GatherEvery); next.After(now) {
			q.flushAt = next
		}
	}
}

// goesFirst reports whether a command is about no admission, and none that members ask for themselves: those stay in
// their order.
func (q *commitQueue) goesFirst(c *ledger.Command) bool {
	switch c.Op {
	case ledger.OpAdmit, ledger.OpMove, ledger.OpLeave:
		return false
	case ledger.OpBallot:
		open := q.seed.state.CaseOf(c.Ballot.Case)
		return open == nil || open.Opening.Op != ledger.OpAdmit
	}
	return true
}

// flush proposes what was gathered, as much as fits an entry. The rest waits for GatherEvery:
// the leader signs each entry for each of the other seeds, and that takes the longer the more it is. What
// cannot be proposed now waits, too, until it is proposed again in any case.
func (q *commitQueue) flush(now time.Time) {
	q.flushAt, q.flushed = time.Time{}, now
	q.dropOld(now)
	if len(q.first)+len(q.rest) == 0 {
		return
	}
	r := q.seed.replica
	if r == nil || r.leader() == 0 || r.leads() && r.log.unsettled() {
		q.flushAt = now.Add(q.seed.cfg.TickEvery)
		return
	}
	var fits []ledger.Command
	size := 0
	for _, c := range slices.Concat(q.first, q.rest) {
		size += len(c.Append(nil))
		if len(fits) > 0 && size > maxEntryBytes || len(fits) == hearsay.CasesAnEntry {
			break
		}
		fits = append(fits, c)
	}
	if err := r.node.Propose(ledger.AppendEntry(nil, fits)); err != nil {
		q.flushAt = now.Add(q.seed.cfg.TickEvery) // too much is unsettled, or the leader is gone
		return
	}
	first := min(len(fits), len(q.first))
	q.first, q.rest = q.first[first:], q.rest[len(fits)-first:]
	if len(q.first)+len(q.rest) > 0 {
		q.flushAt = now.Add(q.seed.cfg.GatherEvery)
	}
	q.seed.driver.work(now)
}

// dropOld lets go of what has been proposed again by now, or is not asked any more; and of what only a leader
// proposes where this seed leads no more.
func (q *commitQueue) dropOld(now time.Time) {
	before, leads := now.Add(-q.seed.cfg.RetryEvery).UnixMilli(), q.seed.replica != nil && q.seed.replica.leads()
	old := func(c ledger.Command) bool { return c.At <= before || c.Op == ledger.OpExpire && !leads }
	q.first, q.rest = slices.DeleteFunc(q.first, old), slices.DeleteFunc(q.rest, old)
}
