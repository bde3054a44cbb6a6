package guest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/internal/core"
)

// The limits on what an earlier program's seeds are asked. Their logs get a line for each list. Guesses.
const (
	askSeedTimeout  = 2 * time.Second // as the older peers have it
	listEach        = 10 * time.Second
	listEachListed  = 500 * time.Millisecond // more for each that is listed: a seed gets two requests a second from all
	refreshEach     = 2 * time.Second        // between two lists of one seed, when the last seems to be old
	registerEach    = time.Second            // after a failure; then twice as long, and so on
	registerEachTo  = 10 * time.Second
	unregisteredFor = 5 * time.Second // after which it is a trouble that no quorum has registered this node
)

// foreignSeed is what a peer knows of one of an earlier program's seeds. All but the first four belong to Abroad's mu.
type foreignSeed struct {
	addr   netip.AddrPort
	wake   chan struct{} // there is reason to ask it now
	saying sync.Mutex    // of text: held by whatever says something to it
	before *TextSeed     // of text: it had registered this node before; nil once that is taken

	registered bool             // this node: it has said so, and its list has it since
	answered   bool             // when it was asked last
	ours       bool             // likewise: it is a seed of ours
	lost       bool             // likewise: another program may be there now
	list       []netip.AddrPort // as it gave it last
	listedAt   time.Time
	bad        int      // entries that make no sense
	failed     string   // what was wrong when it was asked last; "": nothing
	conn       net.Conn // of text: the one over which it has registered this node; else nil
	said       string   // of these, what the log has told
}

// refresh has the seeds asked for their lists soon.
func (a *Abroad) refresh() {
	for _, s := range a.seeds {
		select {
		case s.wake <- struct{}{}:
		default: // it is asked soon
		}
	}
}

// keep has a seed register this node, asks it for its list now and then, and has it register this node again when that
// is not in the list any more.
func (a *Abroad) keep(s *foreignSeed) {
	if a.tongue == core.Text {
		a.keepText(s)
		return
	}
	wait := registerEach
	for {
		err := a.meet(s)
		if a.ctx.Err() != nil {
			return
		}
		a.note(s, err)
		a.lookBack()
		next := wait
		if err == nil {
			wait, next = registerEach, a.listEvery()
		} else {
			wait = min(2*wait, registerEachTo)
		}
		next = next/2 + rand.N(next)
		early := min(next, refreshEach)
		if !a.pause(early, nil) || !a.pause(next-early, s.wake) {
			return
		}
	}
}

// pause waits, until it is woken if it may be. It reports false once all is over.
func (a *Abroad) pause(d time.Duration, wake <-chan struct{}) (goOn bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-a.ctx.Done():
		return false
	}
	return true
}

func (a *Abroad) listEvery() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := 0 // others may be made up
	for _, l := range a.listed {
		if l.known {
			known++
		}
	}
	return max(listEach, time.Duration(known)*listEachListed)
}

// meet registers this node with a seed, unless that is done, and takes its list.
func (a *Abroad) meet(s *foreignSeed) error {
	a.mu.Lock()
	registered := s.registered
	a.mu.Unlock()
	if !registered {
		if err := a.checkLanguage(s, s.lost); err != nil {
			return err
		}
		if err := a.register(s); err != nil {
			return err
		}
	}
	peers, bad, err := a.fetch(s)
	if err != nil {
		return err
	}
	in := slices.Contains(peers, a.self)
	a.mu.Lock()
	s.lost = !in
	s.list, s.listedAt, s.bad, s.answered, s.registered = peers, time.Now(), bad, true, in
	a.mu.Unlock()
	a.merge()
	switch {
	case in:
		return nil
	case !registered:
		return errors.New("it says that this node is registered, and its list has it not")
	}
	return a.meet(s) // it was removed, or the seed was started again
}

// ask sends a seed a line, and gives its answer.
func (a *Abroad) askSeed(s *foreignSeed, line []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(a.ctx, askSeedTimeout)
	defer cancel()
	answer, err := a.host.call(ctx, s.addr, line)
	if err != nil {
		a.mu.Lock()
		s.lost = true
		a.mu.Unlock()
	}
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("no answer within %v", askSeedTimeout)
	}
	if err != nil {
		return nil, why(err)
	}
	return answer, nil
}

func (a *Abroad) register(s *foreignSeed) error {
	answer, err := a.askSeed(s, dialect.AppendRegistration(nil, a.self, factsOf(a.host.Network, a.host.Self), time.Now()))
	if err != nil {
		return err
	}
	success, reason, err := dialect.ReadOutcome(answer, dialect.Registration)
	if err != nil {
		return err
	}
	a.host.Note(func(*Phrases) string { return dialect.PhraseSeedAnswer(s.addr, success) })
	if !success && reason == "" {
		reason = "it refuses, and does not say why"
	}
	if !success {
		return errors.New(reason)
	}
	return nil
}

func (a *Abroad) fetch(s *foreignSeed) (peers []netip.AddrPort, bad int, err error) {
	answer, err := a.askSeed(s, dialect.AppendPeerList(nil, a.self, time.Now()))
	if err != nil {
		return nil, 0, err
	}
	return dialect.ReadPeers(answer)
}

// errOurs is why this node does not register with a seed.
var errOurs = errors.New("it is a seed of hearsay")

// checkLanguage says why this node cannot register with a seed, which may be one of ours: it would be a guest there.
func (a *Abroad) checkLanguage(s *foreignSeed, again bool) error {
	speaks, err := a.language(s.addr, again)
	switch {
	case err != nil:
		return err
	case speaks == Ours:
		return errOurs
	case speaks.Dialect() != a.program():
		return fmt.Errorf("it speaks %s, as no quorum of the seeds does", languageWords[speaks])
	}
	return nil
}

// lookBack tells once that a quorum of the seeds are ours: another program was at their addresses for a while.
func (a *Abroad) lookBack() {
	a.mu.Lock()
	ours := 0
	for _, s := range a.seeds {
		if s.ours {
			ours++
		}
	}
	isBack := ours >= a.quorum && !a.isBack
	a.isBack = a.isBack || isBack
	a.mu.Unlock()
	if isBack {
		a.back()
	}
}

// note keeps what came of asking a seed, and has the log tell what is new.
func (a *Abroad) note(s *foreignSeed, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s.ours = err == errOurs
	if err == nil {
		s.failed, s.said = "", ""
		a.tellRegistered()
		return
	}
	if s.failed = err.Error(); s.failed != s.said {
		s.said = s.failed
		text := fmt.Sprintf(dialect.PhraseSeedFailed, s.addr, s.failed)
		a.host.Note(func(*Phrases) string { return text })
	}
	s.answered = false
}

// tellRegistered has the log tell once that a quorum has registered this node. Its caller holds a.mu.
func (a *Abroad) tellRegistered() {
	n := a.registered()
	if a.told || n < a.quorum {
		return
	}
	a.told = true
	listed := len(a.listed)
	a.host.Note(func(p *Phrases) string { return fmt.Sprintf(dialect.PhraseQuorum, n) })
	a.host.Note(func(p *Phrases) string { return fmt.Sprintf(dialect.PhraseBootstrap, n, listed, p.links()) })
}

// registered counts the seeds that have registered this node. Its caller holds a.mu.
func (a *Abroad) registered() (n int) {
	for _, s := range a.seeds {
		if s.registered {
			n++
		}
	}
	return n
}

// merge takes as listed whatever a seed lists that answers. If none does, all stays as it is. Of text a list is as it
// was when this node registered, with those that it has met since, and without those that it has reported.
func (a *Abroad) merge() {
	a.mu.Lock()
	lists, in := make(map[netip.AddrPort]int), make(map[netip.AddrPort]*foreignSeed)
	var union []netip.AddrPort
	add := func(addr netip.AddrPort) {
		if lists[addr]++; lists[addr] == 1 && !a.gone[addr] {
			union = append(union, addr)
		}
	}
	for _, s := range a.seeds {
		for _, addr := range s.list {
			if (s.answered || a.tongue == core.Text) && in[addr] != s { // once
				in[addr] = s
				add(addr)
			}
		}
	}
	for addr := range a.met {
		add(addr)
		lists[addr] += len(a.seeds) // it has answered
	}
	slices.SortStableFunc(union, func(x, y netip.AddrPort) int { return cmp.Compare(lists[y], lists[x]) })
	a.mu.Unlock()
	a.take(time.Now(), union[:min(len(union), dialect.PeersMost)], lists)
}

// Joined reports whether a quorum of the seeds has registered this node.
func (a *Abroad) Joined() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.registered() >= a.quorum
}

// Tell adds to what is known of the seeds of a node what these are, and how it is with each.
func (a *Abroad) Tell(to *hearsay.Authority, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, answer := a.registered(), 0
	to.Early = now.Sub(a.began) < unregisteredFor
	var lacking string
	for slot, s := range a.seeds {
		if s.registered && s.failed == "" {
			answer++
		}
		status := hearsay.SeedStatus{Addr: s.addr, Slot: slot, Note: "not asked yet"}
		switch {
		case s.failed != "" && s.registered:
			status.Note = fmt.Sprintf("has registered this node, and does not answer now: %s", s.failed)
		case s.failed != "":
			status.Note = "has not registered this node: " + s.failed
		case s.registered:
			status.Note = fmt.Sprintf("has registered this node, and lists %d peers", len(s.list))
			if silent := a.neverHeard(s.list); silent > 0 {
				status.Note += fmt.Sprintf(", of which %d have not answered this node", silent)
			}
		}
		if s.bad > 0 {
			status.Note += fmt.Sprintf("; %d entries of its list are no addresses, or too many", s.bad)
		}
		if s.failed != "" && lacking == "" {
			lacking = fmt.Sprintf("; the one at %v: %s", s.addr, s.failed)
		}
		to.Seeds = append(to.Seeds, status)
	}
	to.Foreign, to.Quorum, to.Ready = a.program(), a.quorum, answer >= a.quorum
	switch {
	case to.Ready:
	case n < a.quorum:
		to.Why = fmt.Sprintf("%d of the %d seeds, which are an earlier program's (%s), have registered this node, and %d must", n, len(a.seeds), to.Foreign, a.quorum) + lacking
	default:
		to.Why = fmt.Sprintf("%d of the %d seeds, which are an earlier program's (%s), answer, and %d must: nobody comes in or goes out meanwhile", answer, len(a.seeds), to.Foreign, a.quorum) + lacking
	}
}
