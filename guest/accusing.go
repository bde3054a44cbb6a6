package guest

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/internal/core"
)

// This file is how a peer at an earlier program's seeds and the others there find that one is dead, as the older peers
// do: it asks others whether they reach it, and if most do not, it tells each seed.

// The limits on that. Guesses.
const (
	votersMost     = 8                       // that are asked about one
	opinionTimeout = 1200 * time.Millisecond // of a probe for another that asks, which waits 2 s
	freshPeriods   = 2                       // an answer within so many periods of probes needs no other
)

// voters gives those that are asked about one: others of ours that watch it, and guests, first those that are linked.
func (a *Abroad) voters(suspect netip.AddrPort) (asked []netip.AddrPort) {
	linked := a.links.linkedWith()
	a.mu.Lock()
	defer a.mu.Unlock()
	var guests []netip.AddrPort
	for addr, l := range a.listed {
		switch {
		case addr == suspect:
		case a.living[addr] && a.rankOf(addr, suspect) < watchers:
			asked = append(asked, addr)
		case l.known && !l.ours && l.misses == 0 && !a.living[addr]:
			guests = append(guests, addr)
		}
	}
	far := func(addr netip.AddrPort) uint64 { return placeOf(addr) - placeOf(suspect) }
	slices.SortFunc(guests, func(x, y netip.AddrPort) int {
		if l := slices.Contains(linked, x); l != slices.Contains(linked, y) {
			if l {
				return -1
			}
			return 1
		}
		return cmp.Compare(far(x), far(y))
	})
	asked = append(asked, guests...)
	return asked[:min(len(asked), votersMost)]
}

// accuse asks others about one that does not answer this node, and reports it if most find so, too. The older peers
// only connect: of one that hangs, and is connected to from here as well, they do not know whether it lives.
func (a *Abroad) accuse(suspect netip.AddrPort) {
	if a.tongue == core.Text { // which has no votes
		a.reportText(suspect)
		return
	}
	asked := a.voters(suspect)
	a.mu.Lock()
	hangs := a.listed[suspect] != nil && a.listed[suspect].hangs
	a.mu.Unlock()
	var alive, dead atomic.Int32
	var wait sync.WaitGroup
	for _, other := range asked {
		wait.Go(func() {
			ctx, cancel := context.WithTimeout(a.ctx, probePeerTimeout)
			defer cancel()
			answer, err := a.host.call(ctx, other, dialect.AppendSuspect(nil, &dialect.Suspect{Peer: suspect, Requester: a.self}, time.Now()))
			if err != nil {
				return
			}
			switch lives, err := dialect.ReadSuspectAck(answer); {
			case err != nil: // it abstains
			case lives && hangs && a.IsGuest(other): // it abstains
			case lives:
				alive.Add(1)
			default:
				dead.Add(1)
			}
		})
	}
	wait.Wait()
	if a.ctx.Err() != nil {
		return
	}
	external := int(dead.Load())
	votes := 1 + external + int(alive.Load()) // this node's own is for dead
	majority := votes/2 + 1
	agreed := 1+external >= majority
	a.host.Note(func(*Phrases) string {
		return dialect.PhraseAgreed(suspect, 1+external, votes, majority, external, agreed)
	})
	a.mu.Lock()
	if l := a.listed[suspect]; l != nil {
		l.opinion = fmt.Sprintf("of %d others asked %d do not reach it either, and %d do", len(asked), external, votes-1-external)
	}
	a.mu.Unlock()
	if agreed {
		a.report(suspect)
	}
}

// report tells each seed that lists one that it is dead.
func (a *Abroad) report(dead netip.AddrPort) {
	var accepts atomic.Int32
	var wait sync.WaitGroup
	for _, s := range a.seeds {
		a.mu.Lock()
		out := s.answered && !slices.Contains(s.list, dead)
		a.mu.Unlock()
		if out {
			continue
		}
		wait.Go(func() {
			answer, err := a.askSeed(s, dialect.AppendDeadReport(nil, dead, a.self, time.Now()))
			if err != nil {
				return
			}
			if success, _, err := dialect.ReadOutcome(answer, dialect.Death); err == nil && success {
				accepts.Add(1)
			}
		})
	}
	wait.Wait()
	text := fmt.Sprintf(dialect.PhraseReported, dead, accepts.Load(), len(a.seeds))
	a.host.Note(func(*Phrases) string { return text })
	a.refresh()
}

// opinion answers another that asks whether one is alive. Of what is listed and none of ours this node finds out,
// unless it knows; a stranger it does not serve. Nil: the roster has the answer.
func (a *Abroad) opinion(ctx context.Context, r *dialect.Suspect, from netip.AddrPort) dialect.Reply {
	ack := &dialect.SuspectAck{Suspect: r.Peer, Confirmer: a.self, Alive: true}
	a.mu.Lock()
	l, known := a.listed[r.Peer], from.Addr() == a.self.Addr()
	for addr := range a.listed {
		known = known || addr.Addr() == from.Addr()
	}
	looks := l != nil && a.tongue == core.Lines && known && a.asking < ProbesMax && !a.living[r.Peer]
	fresh := l != nil && time.Since(l.heard) < freshPeriods*a.period
	if looks && !fresh {
		a.asking++
	}
	a.mu.Unlock()
	switch {
	case r.Peer == a.self:
		return ack
	case !looks:
		return nil
	case fresh:
		return ack
	}
	ctx, cancel := context.WithTimeout(ctx, opinionTimeout)
	defer cancel()
	_, err := a.probe(ctx, r.Peer)
	a.mu.Lock()
	a.asking--
	a.mu.Unlock()
	if ack.Alive = err == nil; err != nil {
		ack.Reason = reasonSilent
	}
	return ack
}

// Members gives the guests, ordered by address.
func (a *Abroad) Members() (all []hearsay.Member) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, addr := range a.at {
		if l := a.listed[addr]; l.shown {
			all = append(all, a.member(id, addr, l))
		}
	}
	slices.SortFunc(all, func(x, y hearsay.Member) int { return x.Addr.Compare(y.Addr) })
	return all
}

// member is what a list of members has of a guest.
func (a *Abroad) member(id hearsay.NodeID, addr netip.AddrPort, l *listing) hearsay.Member {
	m := hearsay.Member{ID: id, Name: addr.String(), Addr: addr, Role: hearsay.RolePeer, State: hearsay.StateAlive, Since: l.since, Dialect: a.tongue.String()}
	if l.misses >= a.missesMost() {
		m.State, m.Since = hearsay.StateSuspect, l.silent
	}
	return m
}

// Count counts the guests, and of these those that do not answer this node.
func (a *Abroad) Count() (guests, silent int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.listed {
		if !l.shown {
			continue
		}
		if guests++; l.misses >= a.missesMost() {
			silent++
		}
	}
	return guests, silent
}

// Named gives the guest that is meant by its address, its NodeID, or the beginning of that.
func (a *Abroad) Named(name string) (id hearsay.NodeID, is bool) {
	for _, m := range a.Members() {
		begins := len(name) >= idDigitsMin && strings.HasPrefix(m.ID.String(), strings.ToLower(name))
		switch {
		case m.Name == name:
			return m.ID, true
		case begins && is:
			return id, false // of several
		case begins:
			id, is = m.ID, true
		}
	}
	return id, is
}

// idDigitsMin is how many digits of a NodeID name it: as in package node.
const idDigitsMin = 3

// Case is the case of a guest.
func (a *Abroad) Case(id hearsay.NodeID) (file hearsay.CaseFile, is bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	addr, is := a.at[id]
	if !is {
		return file, false
	}
	l := a.listed[addr]
	file.Member = a.member(id, addr, l)
	file.Verdict = file.Member.State.String()
	file.Steps = a.steps(addr)
	var own string
	switch {
	case l.misses >= a.missesMost():
		own = "It has not answered this node since " + l.silent.UTC().Format(time.RFC3339) + ". "
		file.Nearest = "An answer to this node ends the suspicion; its removal is for those seeds to decide."
		if l.opinion != "" {
			file.Steps = append(file.Steps, hearsay.Step{At: l.reportAt.Add(-reportEach), Kind: hearsay.EventUnreachable.String(), By: a.self.String(), Text: "others were asked about it", Detail: l.opinion})
		}
	case !l.heard.IsZero():
		own = "It answered this node last at " + l.heard.UTC().Format(time.RFC3339) + ". "
	case a.rank(addr) >= watchers:
		own = "This node does not probe it: others of ours do. "
	default:
		own = "It has not been heard by this node yet. "
	}
	file.Summary = fmt.Sprintf("%v is a guest: it speaks only an earlier program's protocol (%s). %s%s", addr, a.program(), own, a.listWords(addr))
	return file, true
}

// AddLists adds to the case of one of ours what those seeds' lists say of it.
func (a *Abroad) AddLists(file *hearsay.CaseFile) {
	a.mu.Lock()
	defer a.mu.Unlock()
	addr := file.Member.Addr
	file.Summary += " " + a.listWords(addr)
	file.Steps = append(file.Steps, a.steps(addr)...)
	slices.SortStableFunc(file.Steps, func(x, y hearsay.Step) int { return x.At.Compare(y.At) })
}

// listWords say how many of the seeds list an address, and what that means. Its caller holds a.mu.
func (a *Abroad) listWords(addr netip.AddrPort) string {
	lists, words := 0, "list it; their lists, which nobody has signed, say which nodes are in."
	for _, s := range a.seeds {
		if slices.Contains(s.list, addr) {
			lists++
		}
	}
	if a.tongue == core.Text {
		words = "listed it when this node registered; they say no more, and nobody has signed it: that nodes have met since, and their own probes, say which are in."
	}
	return fmt.Sprintf("The seeds are an earlier program's (%s): %d of %d %s", a.program(), lists, len(a.seeds), words)
}

// steps are what each seed's list says of an address. Its caller holds a.mu.
func (a *Abroad) steps(addr netip.AddrPort) (steps []hearsay.Step) {
	for _, s := range a.seeds {
		step := hearsay.Step{At: s.listedAt, Kind: hearsay.EventSeedAnswered.String(), By: s.addr.String(), Text: "lists it"}
		switch {
		case s.listedAt.IsZero():
			continue
		case !slices.Contains(s.list, addr):
			step.Text = "does not list it"
		}
		if !s.answered {
			step.Detail = "it has not answered since: " + s.failed
		}
		steps = append(steps, step)
	}
	return steps
}
