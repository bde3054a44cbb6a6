package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hearsay"
	"hearsay/guest"
	"hearsay/internal/core"
)

// abroad has a peer whose list of seeds names those of an earlier program become a peer of theirs. Which program's they
// are is asked as soon as it starts, and on and on as long as no quorum of them has answered: they may be started
// later. What closes at the question may be a port whose program is down: a seed speaks text once it has registered
// this node. A peer that knows a ledger, or the key of a seed, waits for its own seeds.
type abroad struct {
	agent  *Agent
	addr   netip.AddrPort // this node's own
	part   atomic.Pointer[guest.Abroad]
	asking sync.WaitGroup
	ctx    context.Context // ends with close
	cancel context.CancelFunc
}

// ErrSeedsBack is why a peer stops that has joined an earlier program's seeds: a quorum of its list are seeds of ours
// now. One that is started anew with the same configuration joins these. What it has stored meanwhile it has then if it
// has a data directory.
var ErrSeedsBack = errors.New("an earlier program was at the seeds' addresses, and this node has joined that; seeds of hearsay are there now: start it anew, and it joins these")

// The waits between two questions to a seed that nothing accepts connections at. Guesses.
const (
	askSeedAgain   = 500 * time.Millisecond // then twice as long, and so on
	askSeedAgainTo = 10 * time.Second
)

// newAbroad gives that of a peer that has seeds. Of any other node it does nothing.
func newAbroad(a *Agent, addr netip.AddrPort) *abroad {
	b := &abroad{agent: a, addr: addr}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	if a.cfg.Role == hearsay.RolePeer && len(a.cfg.Seeds) > 0 {
		a.streams.languages.foreign = b.met
	}
	return b
}

// start asks the seeds.
func (b *abroad) start() {
	l := b.agent.streams.languages
	if l.foreign == nil {
		return
	}
	for _, s := range b.agent.cfg.Seeds {
		b.asking.Go(func() { b.ask(s.Addr) })
	}
}

// close returns when nothing runs any more.
func (b *abroad) close() {
	b.cancel()
	b.asking.Wait()
	for _, text := range b.agent.streams.languages.takeText() {
		text.Close()
	}
	if part := b.part.Load(); part != nil {
		part.Close()
	}
}

// ask asks a seed what it speaks until that is known of it, or of a quorum.
func (b *abroad) ask(seed netip.AddrPort) {
	streams := b.agent.streams
	for wait := askSeedAgain; ; wait = min(2*wait, askSeedAgainTo) {
		if conn, _ := streams.connect(seed); conn != nil {
			conn.Close() // it is ours
			return
		}
		if streams.languages.mayRegister(seed, time.Now()) && b.mayTurn() {
			b.register(seed)
		}
		if streams.languages.decided(seed) {
			return
		}
		if streams.languages.foreignAt(seed) != 0 {
			wait = askSeedAgain // the languages know when it is time
		}
		select {
		case <-time.After(wait):
		case <-b.ctx.Done():
			return
		}
	}
}

// speaks gives what a seed speaks. Another program may be there than answered last: then it is asked again.
func (b *abroad) speaks(seed netip.AddrPort, again bool) (guest.Language, error) {
	streams := b.agent.streams
	if again {
		streams.languages.forget(seed)
	}
	conn, why := streams.connect(seed)
	if conn != nil {
		conn.Close()
		return guest.Ours, nil
	}
	if speaks := streams.languages.spoken(seed, time.Now()); speaks != 0 {
		return speaks, nil
	}
	return 0, errors.New(cmp.Or(why, "it does not answer"))
}

// mayTurn reports whether this peer knows no seeds of its own.
func (b *abroad) mayTurn() (may bool) {
	b.agent.ask(func(time.Time) { may = b.agent.loop.node.Seeded().MayTurn() })
	return may
}

// register has a seed that has closed at the question register this node, and asks once more.
func (b *abroad) register(seed netip.AddrPort) {
	streams := b.agent.streams
	defer streams.languages.turn(seed)()
	dial := func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
		return dialFrom(ctx, streamDialer, streams.source.now.Load().addr, to)
	}
	text, err := guest.RegisterText(b.ctx, dial, seed, b.addr)
	streams.languages.registered(seed, text, err)
	if err != nil {
		return
	}
	if conn, err := dial(b.ctx, seed); err == nil {
		streams.languages.ask(b.ctx, conn, seed)
		conn.Close()
	}
}

// met is told that a quorum of the seeds speak another language.
func (b *abroad) met(speaks guest.Language) {
	a := b.agent
	tongue := core.Lines
	if speaks == guest.Text {
		tongue = core.Text
	}
	a.inbox.put(func(now time.Time) {
		fx, turned := a.loop.node.TurnOpen(now)
		a.loop.carryOut(fx)
		if !turned {
			a.cfg.Logger.Warn("The seeds are an earlier program's, and this node knows others by a key or a ledger: it waits for these",
				"data", a.cfg.Data, "seeds", len(a.cfg.Seeds))
			return
		}
		seeds := make([]netip.AddrPort, len(a.cfg.Seeds))
		for i := range a.cfg.Seeds {
			seeds[i] = a.cfg.Seeds[i].Addr
		}
		part := a.loop.goAbroad(b.addr, tongue, seeds, a.streams.languages.takeText(), a.cfg.Detect.Period, now)
		isGuest := part.IsGuest
		a.streams.languages.guests.Store(&isGuest)
		b.part.Store(part)
		a.cfg.Logger.Info("The seeds are an earlier program's: this node registers with them, and goes by their lists, which nobody has signed",
			"dialect", speaks.Dialect(), "seeds", len(seeds))
		part.Start(b.speaks, func() { a.stop(ErrSeedsBack) })
	})
}

// goAbroad has the node be one whose seeds are an earlier program's.
func (l *loop) goAbroad(addr netip.AddrPort, tongue core.Dialect, seeds []netip.AddrPort, before map[netip.AddrPort]*guest.TextSeed, period time.Duration, now time.Time) *guest.Abroad {
	part := guest.NewAbroad(l.host, l.guestLinks, addr, tongue, seeds, before, period, now)
	l.lines.GoAbroad(part)
	l.guestLists = part
	return part
}

// joined reports whether a node that is in by its own protocol is so by its seeds' lists, if these are an earlier
// program's.
func (b *abroad) joined() bool {
	part := b.part.Load()
	return part == nil || part.Joined()
}

// members adds the guests that the seeds list, ordered by name, then by NodeID.
func (b *abroad) members(all []hearsay.Member) []hearsay.Member {
	part := b.part.Load()
	if part == nil {
		return all
	}
	all = append(all, part.Members()...)
	slices.SortFunc(all, func(x, y hearsay.Member) int { return cmp.Or(cmp.Compare(x.Name, y.Name), x.ID.Compare(y.ID)) })
	return all
}

// why tells the case of a guest, if one is meant.
func (b *abroad) why(name string) (file hearsay.CaseFile, is bool) {
	part := b.part.Load()
	if part == nil {
		return file, false
	}
	id, is := part.Named(name)
	if !is {
		return file, false
	}
	return part.Case(id)
}

// addLists adds to the case of a member what the seeds' lists say of it.
func (b *abroad) addLists(file *hearsay.CaseFile) {
	if part := b.part.Load(); part != nil && file.Member.Addr.IsValid() {
		part.AddLists(file)
	}
}

// addSeeds adds to what is known of the seeds how it is with those of an earlier program.
func (b *abroad) addSeeds(to *hearsay.Authority) {
	if part := b.part.Load(); part != nil {
		part.Tell(to, time.Now())
		return
	}
	languages := b.agent.streams.languages
	var foreign []string
	for i := range to.Seeds {
		s := &to.Seeds[i]
		speaks, refusal := languages.foreignAt(s.Addr), languages.refusal(s.Addr)
		switch {
		case speaks == 0:
		case refusal != "":
			s.Note = "closes connections at the question what it speaks, and has not registered this node: " + refusal
		default:
			s.Note = "is an earlier program's (" + speaks.Dialect() + "), and takes no part"
			foreign = append(foreign, s.Addr.String())
		}
	}
	if len(foreign) == 0 || to.Ready {
		return
	}
	if to.Why != "" {
		to.Why += "; "
	}
	ours := len(to.Seeds) - len(foreign)
	to.Why += fmt.Sprintf("%s of the list: an earlier program's, which take no part in what Hearsay's seeds decide; %d others are left, and %d must agree",
		strings.Join(foreign, ", "), ours, to.Quorum)
	if ours < to.Quorum {
		to.Why += ": give all nodes a list of which a quorum are Hearsay's"
	} else if to.Waits {
		to.Why += ": start one of these with --found"
	}
}

// addGuests adds the guests to a node's figures.
func (b *abroad) addGuests(to *hearsay.Stats) {
	if part := b.part.Load(); part != nil {
		guests, silent := part.Count()
		to.Alive += guests - silent
		to.Suspect += silent
	}
}

// name puts the name of a guest to a rumor that it has said.
func (b *abroad) name(e *hearsay.Event) {
	part := b.part.Load()
	if part == nil || e.Rumor == nil || e.Name != "" || e.Rumor.Guest.IsZero() {
		return
	}
	if addr, is := part.Guest(e.Rumor.Guest); is {
		e.Name = addr.String()
	}
}
