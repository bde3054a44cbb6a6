package agent

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/casebook"
	"hearsay/casefile"
	"hearsay/internal/core"
	"hearsay/node"
	"hearsay/store"
)

// This file is what an application learns of a network with seeds, and what an
// operator asks of them.

const (
	recoverEvery    = 200 * time.Millisecond // between two tries
	recoverPatience = 10 * time.Second       // for seeds that were started with empty directories. A guess: some hellos
)

// Epoch is the newest change of the roster that this node has applied; 0 in an
// open network.
func (a *Agent) Epoch() hearsay.Epoch { return a.Authority().Epoch }

// Authority tells of the seeds: which they are, whether a quorum of them decides
// now, and how far the ledger is here. In an open network Seeded is false.
func (a *Agent) Authority() (authority hearsay.Authority) {
	var answers []casebook.Answer
	a.ask(func(time.Time) {
		authority, answers = a.loop.node.Seeded().Authority(), a.loop.node.Seeded().Answers()
	})
	casefile.AddAnswers(&authority, answers)
	a.abroad.addSeeds(&authority)
	return authority
}

// Ledger gives the rulings after an epoch, oldest first, at most limit of them:
// copies. A seed has all, but for those that it still fetches after it was away
// for long; a peer the newest.
func (a *Agent) Ledger(after hearsay.Epoch, limit int) []hearsay.Ruling {
	var found []*hearsay.Ruling
	for len(found) < limit {
		var (
			more   []*hearsay.Ruling
			newest hearsay.Epoch
		)
		a.ask(func(time.Time) {
			more, newest = a.loop.node.Seeded().Ledger(after, limit-len(found)), a.loop.node.Seeded().Authority().Epoch
		})
		if len(more) == 0 && after < newest && a.disk != nil {
			more = onDisk(a.disk, after, limit-len(found))
		}
		if len(more) == 0 {
			break
		}
		found, after = append(found, more...), more[len(more)-1].Epoch
	}
	rulings := make([]hearsay.Ruling, len(found))
	for i, r := range found {
		rulings[i] = *r
		rulings[i].Ballots = slices.Clone(r.Ballots)
		rulings[i].Seats = slices.Clone(r.Seats)
	}
	return rulings
}

// onDisk gives rulings that are not in memory any more. What cannot be read
// lacks.
func onDisk(disk *store.Disk, after hearsay.Epoch, limit int) (found []*hearsay.Ruling) {
	kept, err := disk.Rulings(after, limit)
	if err != nil {
		return nil
	}
	for _, k := range kept {
		found = append(found, k.Ruling)
	}
	return found
}

// Evidence gives what was brought before the remove ruling of an epoch, if
// something was and this node has it.
func (a *Agent) Evidence(epoch hearsay.Epoch) (evidence hearsay.Evidence, ok bool) {
	a.ask(func(time.Time) {
		if e := a.loop.node.Seeded().Evidence(epoch); e != nil {
			evidence, ok = *e, true
			evidence.Statements = slices.Clone(e.Statements)
		}
	})
	if ok || epoch == 0 || a.disk == nil {
		return evidence, ok
	}
	kept, err := a.disk.Rulings(epoch-1, 1)
	if err != nil || len(kept) == 0 || kept[0].Evidence == nil {
		return evidence, false
	}
	return *kept[0].Evidence, true
}

// Remove asks the seeds, as an operator, that a member be out: by name, NodeID
// or the beginning of its NodeID. They still decide by their own probes: a member that
// answers them stays. It returns what it came to, or an error when ctx ends
// before.
func (a *Agent) Remove(ctx context.Context, name string) (hearsay.Outcome, error) {
	var (
		stay hearsay.Stay
		err  error
	)
	a.ask(func(time.Time) { stay, err = a.loop.node.StayOf(name) })
	if err != nil {
		return hearsay.Outcome{}, fmt.Errorf("remove: %w", err)
	}
	outcome, err := a.petition(ctx, stay)
	if err != nil {
		return outcome, fmt.Errorf("remove %s: %w", name, err)
	}
	return outcome, nil
}

// Bar asks the seeds that a node is admitted no more: given as to Remove, or by
// its whole NodeID, whether it was ever in or not. It removes nobody. Only a
// seed takes it; it returns when the seeds have it.
func (a *Agent) Bar(ctx context.Context, name, why string) error {
	return a.decide(ctx, "bar "+name, hearsay.EventBarred, func(now time.Time) (hearsay.NodeID, *core.Effects, error) {
		return a.loop.node.Bar(now, name, why)
	})
}

// Lift asks the seeds that a bar ends.
func (a *Agent) Lift(ctx context.Context, name string) error {
	return a.decide(ctx, "lift the bar of "+name, hearsay.EventLifted, func(now time.Time) (hearsay.NodeID, *core.Effects, error) {
		return a.loop.node.Lift(now, name)
	})
}

// decide puts something before the seeds, and waits for the event that tells
// that they have it.
func (a *Agent) decide(ctx context.Context, what string, done hearsay.EventKind, put func(time.Time) (hearsay.NodeID, *core.Effects, error)) error {
	var (
		id  hearsay.NodeID
		err error
	)
	since := a.hub.newest()
	for sure := false; ; sure = true {
		settled := false
		open := a.put(func(now time.Time) {
			var fx *core.Effects
			id, fx, err = put(now)
			settled = err == nil && a.loop.settled(done, id)
			a.loop.carryOut(fx)
		})
		switch {
		case !open:
			return fmt.Errorf("%s: %w", what, a.ended())
		case err != nil:
			return fmt.Errorf("%s: %w", what, err)
		case settled && sure:
			return nil
		}
		if !settled {
			break
		}
		// Another seed may have decided something a moment ago that this one has not heard of.
		if err = a.Fresh(ctx, func() {}); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	for _, e := range a.hub.from(ctx, since) {
		if e.Kind == done && e.Subject == id {
			return nil
		}
		if e.Kind == hearsay.EventLagged {
			settled := false
			if a.ask(func(time.Time) { settled = a.loop.settled(done, id) }); settled {
				return nil
			}
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: not decided in time: %w", what, ctx.Err())
	}
	return fmt.Errorf("%s: %w", what, a.ended())
}

// settled reports whether it is as the event would say, and stays so: nothing else
// that was asked before is on its way. It is called in the loop.
func (l *loop) settled(done hearsay.EventKind, id hearsay.NodeID) bool {
	barred := slices.ContainsFunc(l.node.Seeded().Barred(), func(b hearsay.Bar) bool { return b.ID == id })
	return barred == (done == hearsay.EventBarred) && !l.node.Seeded().Barring(id)
}

// Barred gives the nodes that are admitted no more, ordered by NodeID, as a seed has them, each with its name
// if the roster or the ledger has that. A peer does not know, and gives nil.
func (a *Agent) Barred() (barred []hearsay.Bar) {
	a.ask(func(time.Time) { barred = a.loop.node.Seeded().BarredByName() })
	return barred
}

// put has do done by the loop and waits for it. It reports false, and does
// nothing, if the agent has stopped.
func (a *Agent) put(do func(now time.Time)) bool {
	done := make(chan struct{})
	if !a.inbox.put(func(now time.Time) { do(now); close(done) }) {
		return false
	}
	<-done
	return true
}

// Recover begins the ledger anew from the data directory of a seed that is
// stopped, because its quorum is lost for ever: for a list that names this seed
// alone, or others that have been started with empty directories and are waited
// for a little. It says what is given up by that. Afterwards the seed is
// started as always, with the same list.
func Recover(ctx context.Context, cfg Config) (givenUp string, err error) {
	cfg = cfg.withDefaults()
	cfg.Role, cfg.Quorum.Recover = hearsay.RoleSeed, true
	a, err := Start(ctx, cfg)
	if err != nil {
		return "", err
	}
	defer a.Close()
	ctx, cancel := context.WithTimeout(ctx, recoverPatience)
	defer cancel()
	again := time.NewTicker(recoverEvery)
	defer again.Stop()
	for {
		durable := make(chan struct{})
		open := a.put(func(now time.Time) {
			var fx *core.Effects
			givenUp, fx, err = a.loop.node.Recover(now)
			a.loop.carryOut(fx)
			a.commits.afterwards(func() { close(durable) })
		})
		switch {
		case !open:
			return "", fmt.Errorf("recover: %w", a.ended())
		case err == nil:
			return givenUp, a.await(durable)
		case len(cfg.Seeds) == 1:
			return "", err // there is no other seed to wait for
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return "", err
		}
	}
}

// await waits until something that was queued in the commit queue is done.
func (a *Agent) await(done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-a.done:
	}
	select {
	case <-done:
		return nil
	default:
		return a.ended()
	}
}

// petition asks the seeds for a removal, without evidence, until it has come to
// something.
func (a *Agent) petition(ctx context.Context, stay hearsay.Stay) (hearsay.Outcome, error) {
	for {
		outcome, err := a.askOnce(ctx, stay)
		switch {
		case err != nil:
			return outcome, err
		case ctx.Err() != nil:
			return outcome, fmt.Errorf("not decided in time: %w", ctx.Err())
		case outcome.Code != hearsay.OutcomePending:
			return outcome, nil
		}
	}
}

// askOnce asks the seeds through this node, which may be one.
func (a *Agent) askOnce(ctx context.Context, stay hearsay.Stay) (hearsay.Outcome, error) {
	// No node is at this address: it stands for the caller.
	caller := netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(a.callers.Add(1)))
	answered, done := a.loop.callers.await(caller)
	defer done()
	if !a.inbox.put(func(now time.Time) { a.loop.carryOut(a.loop.node.Ask(now, caller, stay, node.AskedByOperator)) }) {
		return hearsay.Outcome{}, a.ended()
	}
	select {
	case outcome := <-answered:
		return *outcome, nil
	case <-a.done:
		return hearsay.Outcome{}, a.ended()
	case <-ctx.Done():
		return hearsay.Outcome{Kind: hearsay.RulingRemove, Stay: stay, Code: hearsay.OutcomePending}, nil
	}
}
