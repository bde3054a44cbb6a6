package guest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/internal/core"
)

// The limits on a peer at an earlier program's seeds. All are guesses, but for linesMisses and reportEach, which the
// earlier programs have.
const (
	watchers  = 3 // of ours probe each that is listed and is none of ours
	reporters = 2 // of ours, the first of these, accuse it

	linesMisses  = 2                // probes one after the other that it may not answer
	reportEach   = 20 * time.Second // between two reports of one; then twice as long, and so on
	reportEachTo = 10 * time.Minute
	// ReportsPerSecond is how many are reported at most: a seed that lies may list as many as it likes.
	ReportsPerSecond = 2

	beatsEach   = 4 // looks at what is due in a period of probes
	contactEach = 5 * time.Second
)

// Abroad is the part of a peer of ours whose list of seeds names those of an earlier program. It registers with them,
// as their peers do, and their lists, which nobody has signed, say which nodes are in. Nodes of ours among these speak
// to each other as in an open network (node.TurnOpen); all others are guests.
//
// Which of the listed are ours shows as they are probed: a node of ours answers with facts. Each that is none of ours
// is probed by some of ours, of which two ask it for a link, and report it when it does not answer.
type Abroad struct {
	host   *Host
	links  *Links
	self   netip.AddrPort
	tongue core.Dialect  // of the seeds, and of all guests
	period time.Duration // of probes
	began  time.Time
	seeds  []*foreignSeed
	quorum int

	language func(seed netip.AddrPort, again bool) (Language, error) // that a seed speaks
	back     func()                                                  // a quorum of the seeds are ours

	changed atomic.Bool // members of ours have come or gone

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu     sync.Mutex
	listed map[netip.AddrPort]*listing
	at     map[hearsay.NodeID]netip.AddrPort // the listed, as guests
	living map[netip.AddrPort]bool           // other members of ours
	ring   []placed                          // these and this node
	asking int                               // probes under way
	new    unheard                           // what of these has never answered
	met    map[netip.AddrPort]bool           // of text: guests that no list has had
	gone   map[netip.AddrPort]bool           // of text: those that this node has reported
	paid   time.Time                         // until then what was reported is paid for: see ReportsPerSecond
	told   bool                              // that a quorum has registered this node
	isBack bool                              // a quorum of the seeds are ours
}

// listing is a node that is listed, other than this one.
type listing struct {
	since    time.Time // it is listed here
	ours     bool      // by its last answer, or our roster
	known    bool      // it has answered this node, or was of ours: else it may be an address that a seed has made up
	lists    int       // of the seeds that have it
	shown    bool      // among the members, as a guest: it is known, and none of ours, as far as is known
	heard    time.Time // it answered last; zero: it has not
	misses   int       // probes in vain since
	silent   time.Time // since the first of these
	hangs    bool      // it was connected to, and did not answer
	due      time.Time // the next probe
	probing  bool
	met      time.Time // it was last made a contact
	reportAt time.Time // not before
	reported int       // times
	opinion  string    // of others, as of the last report
	pinged   time.Time // by datagram, of text
	ping     uint64    // that one's number
}

// placed is a node of ours on the ring, which says which of these watch a guest.
type placed struct {
	place uint64
	addr  netip.AddrPort
}

// placeOf is an address's place on the ring.
func placeOf(addr netip.AddrPort) uint64 {
	h := fnv.New64a()
	ip := addr.Addr().As16()
	h.Write(append(ip[:], byte(addr.Port()>>8), byte(addr.Port())))
	x := h.Sum64() // neighboring addresses have neighboring sums: mix them (MurmurHash3's finalizer)
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// NewAbroad gives the part of a peer that is reached at an address, whose seeds speak a dialect, and has its links go
// by their lists. Seeds of text may have registered it before. It is called in the goroutine that owns the node, once
// that is of an open network. The period is that of probes.
func NewAbroad(h *Host, links *Links, self netip.AddrPort, tongue core.Dialect, seeds []netip.AddrPort, before map[netip.AddrPort]*TextSeed, period time.Duration, now time.Time) *Abroad {
	a := &Abroad{
		host: h, links: links, self: self, tongue: tongue, period: period, began: now, quorum: hearsay.QuorumOf(len(seeds)),
		listed: make(map[netip.AddrPort]*listing), at: make(map[hearsay.NodeID]netip.AddrPort),
		met: make(map[netip.AddrPort]bool), gone: make(map[netip.AddrPort]bool),
		new: unheard{paid: make(map[netip.Addr]time.Time)},
	}
	for _, addr := range seeds {
		a.seeds = append(a.seeds, &foreignSeed{addr: addr, wake: make(chan struct{}, 1), before: before[addr]})
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.learn()
	links.goBy(register{
		speaks: a.speaks, isOurs: a.isOurs, guestsAt: a.guestsAt,
		where: func(id hearsay.NodeID) netip.AddrPort {
			if addr, is := a.Guest(id); is {
				return addr
			}
			return h.Node.Addresses().Where(id)
		},
		strange: a.strange,
	})
	return a
}

// Start begins. It is called once. What a seed speaks is asked of speaks, again if it may have changed; back is called
// when a quorum of the seeds are ours, once.
func (a *Abroad) Start(speaks func(seed netip.AddrPort, again bool) (Language, error), back func()) {
	a.language, a.back = speaks, back
	a.host.Note(func(p *Phrases) string { p.abroad = true; return "" })
	for _, s := range a.seeds {
		a.wait.Go(func() { a.keep(s) })
	}
	a.wait.Go(a.watch)
}

// Close gives up all that waits, and returns when nothing runs any more.
func (a *Abroad) Close() {
	a.cancel()
	a.wait.Wait()
}

// Note learns from what happened that members of ours have come or gone.
func (a *Abroad) Note(e *hearsay.Event) {
	switch e.Kind {
	case hearsay.EventMemberJoined, hearsay.EventMemberReturned, hearsay.EventMemberMoved,
		hearsay.EventMemberDead, hearsay.EventMemberLeft, hearsay.EventMemberRemoved:
		a.changed.Store(true)
	}
}

// learn takes from the roster which members of ours live. It is called in the goroutine that owns the node.
func (a *Abroad) learn() {
	a.changed.Store(false)
	others := a.host.Node.Addresses().Others()
	living := make(map[netip.AddrPort]bool, len(others))
	ring := []placed{{placeOf(a.self), a.self}}
	for _, addr := range others {
		living[addr] = true
		ring = append(ring, placed{placeOf(addr), addr})
	}
	slices.SortFunc(ring, func(x, y placed) int { return cmp.Or(cmp.Compare(x.place, y.place), x.addr.Compare(y.addr)) })
	defer a.meetOurs(others)
	a.mu.Lock()
	defer a.mu.Unlock()
	for addr := range a.living {
		if l := a.listed[addr]; l != nil && !living[addr] { // its observers have examined it
			l.misses, l.silent, l.due = a.missesMost()-1, time.Now(), time.Time{}
		}
	}
	a.living, a.ring = living, ring
	for addr, l := range a.listed {
		if living[addr] {
			a.isOne(time.Now(), addr, l)
		}
	}
}

// meetOurs is told of the members of ours that live: those that the lists here lack have registered since.
func (a *Abroad) meetOurs(others []netip.AddrPort) {
	a.mu.Lock()
	lacks := false
	for _, addr := range others {
		if a.listed[addr] != nil {
			continue
		}
		lacks = true
		if a.tongue == core.Text && len(a.met) < dialect.PeersMost {
			a.met[addr] = true
			delete(a.gone, addr)
		}
	}
	told := a.told
	a.mu.Unlock()
	switch {
	case !lacks:
	case a.tongue == core.Text:
		a.merge()
	case told:
		a.refresh()
	}
}

// rank is this node's place among those of ours that watch an address, from 0. Its caller holds a.mu.
func (a *Abroad) rank(addr netip.AddrPort) int { return a.rankOf(a.self, addr) }

// rankOf is the place of one of ours among those that watch another. Its caller holds a.mu.
func (a *Abroad) rankOf(one, watched netip.AddrPort) int {
	find := func(place uint64) int {
		i, _ := slices.BinarySearchFunc(a.ring, place, func(p placed, place uint64) int { return cmp.Compare(p.place, place) })
		return i
	}
	n := len(a.ring)
	return (find(placeOf(one)) - find(placeOf(watched)) + 2*n) % n
}

// IsGuest reports whether one is listed at an address that is none of ours.
func (a *Abroad) IsGuest(addr netip.AddrPort) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.listed[addr]
	return l != nil && !l.ours && !a.living[addr]
}

// speaks gives what the guest that is listed at an address speaks; 0: none is.
func (a *Abroad) speaks(addr netip.AddrPort) core.Dialect {
	if a.IsGuest(addr) {
		return a.tongue
	}
	return 0
}

// guestsAt gives the guests of a dialect at an IP address.
func (a *Abroad) guestsAt(ip netip.Addr, speaks core.Dialect) (at []netip.AddrPort) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for addr, l := range a.listed {
		if a.tongue == speaks && addr.Addr() == ip && !l.ours && !a.living[addr] {
			at = append(at, addr)
		}
	}
	slices.SortFunc(at, netip.AddrPort.Compare)
	return at
}

// program is what a list of members calls the program that the seeds are of.
func (a *Abroad) program() string {
	if a.tongue == core.Text {
		return Text.Dialect()
	}
	return Lines.Dialect()
}

// missesMost is how many probes one after the other may be in vain.
func (a *Abroad) missesMost() int {
	if a.tongue == core.Text {
		return textMisses
	}
	return linesMisses
}

// settles is how long one that is listed may still turn out to be of ours.
func (a *Abroad) settles() time.Duration {
	if a.tongue == core.Text {
		return textSettle
	}
	return 0
}

// isOurs reports whether a member of ours is listed at an address.
func (a *Abroad) isOurs(addr netip.AddrPort) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.living[addr] || addr == a.self
}

// Guest gives the address of a guest.
func (a *Abroad) Guest(id hearsay.NodeID) (addr netip.AddrPort, is bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	addr, is = a.at[id]
	return addr, is
}

// watch has what is due done.
func (a *Abroad) watch() {
	beat := time.NewTicker(a.period / beatsEach)
	defer beat.Stop()
	for {
		select {
		case <-a.ctx.Done():
			return
		case now := <-beat.C:
			if a.changed.Load() {
				a.host.Do(a.self.Addr(), func(time.Time) { a.learn() })
			}
			a.probeDue(now)
		}
	}
}

// probeDue probes those that are due: of those that are no living members of ours each that this node watches, and then
// some of those that have never answered it.
func (a *Abroad) probeDue(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var unheard []netip.AddrPort
	for addr, l := range a.listed { // in any order: all come to it
		if !l.shown && l.known && !l.ours && !a.living[addr] && now.Sub(l.since) >= a.settles() {
			l.shown = true
			a.tell(now, hearsay.EventMemberJoined, addr, "it is listed by the seeds, or has met this node, and speaks only their program's protocol")
		}
		switch {
		case l.probing || now.Before(l.due) || a.living[addr]:
		case !l.known:
			unheard = append(unheard, addr)
		case a.asking < ProbesMax:
			if l.due = now.Add(a.period); a.rank(addr) < watchers {
				a.begin(addr, l)
			}
		}
	}
	a.probeUnheard(now, unheard)
}

// tell tells the application of a guest.
func (a *Abroad) tell(now time.Time, kind hearsay.EventKind, addr netip.AddrPort, why string) {
	e := hearsay.Event{At: now, Kind: kind, Subject: core.GuestID(a.host.Network, addr, a.tongue), Name: addr.String(), Addr: addr, Text: why}
	if kind == hearsay.EventMemberSuspected {
		e.By = a.host.Self
	}
	a.host.Tell(e)
}

// isOne is told that one that is listed is of ours. Its caller holds a.mu.
func (a *Abroad) isOne(now time.Time, addr netip.AddrPort, l *listing) {
	if l.shown {
		a.tell(now, hearsay.EventMemberRemoved, addr, "a node of hearsay is at its address")
	}
	l.ours, l.known, l.shown, l.misses, l.reported = true, true, false, 0, 0
}

// begin probes one that is listed. Its caller holds a.mu.
func (a *Abroad) begin(addr netip.AddrPort, l *listing) {
	l.probing = true
	a.asking++
	if !l.known {
		a.new.asking++
	}
	first := !l.known
	a.wait.Go(func() {
		ours, err := a.probe(a.ctx, addr)
		if first {
			a.triedUnheard(addr, err)
		}
		a.probed(time.Now(), addr, ours, err)
	})
}

// probe asks one that is listed whether it answers, and gives whether it is of ours.
func (a *Abroad) probe(ctx context.Context, addr netip.AddrPort) (ours bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, probePeerTimeout)
	defer cancel()
	if a.tongue == core.Text {
		return false, a.probeText(ctx, addr)
	}
	facts, err := a.host.ask(ctx, addr, dialect.AppendProbe(nil, a.self, time.Now()))
	return err == nil && a.host.knows(facts), err
}

// probed takes what a probe has found.
func (a *Abroad) probed(now time.Time, addr netip.AddrPort, ours bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asking--
	l := a.listed[addr]
	if l == nil || a.ctx.Err() != nil {
		return
	}
	l.probing = false
	switch {
	case a.living[addr]: // meanwhile
	case err != nil:
		if l.misses == 0 {
			l.silent = now
		}
		l.hangs = !errors.Is(err, errNoConnection)
		if l.misses++; l.misses == a.missesMost() && l.shown {
			a.tell(now, hearsay.EventMemberSuspected, addr, "it does not answer this node")
		}
		if l.misses >= a.missesMost() {
			a.suspect(now, addr, l)
		}
	case ours:
		a.isOne(now, addr, l)
		l.heard = now
		if now.Sub(l.met) >= contactEach {
			l.met = now
			a.host.Do(addr.Addr(), func(now time.Time) {
				a.links.dismiss(addr)
				a.host.CarryOut(a.host.Node.Contact(now, []netip.AddrPort{addr}))
			})
		}
	default:
		if l.misses >= a.missesMost() && l.shown {
			a.tell(now, hearsay.EventSuspectFreed, addr, "it answers this node")
		}
		l.heard, l.known, l.misses, l.reported = now, true, 0, 0
		if l.ours = l.ours && a.tongue == core.Text; l.ours { // it answers as a guest would
			return
		}
		if a.rank(addr) < linkers && now.Sub(l.since) >= a.settles() {
			a.host.Do(addr.Addr(), func(now time.Time) { a.links.want(now, addr) })
		}
	}
}

// suspect accuses one that does not answer, if this node is of those that do, and it is time. Its caller holds a.mu.
func (a *Abroad) suspect(now time.Time, addr netip.AddrPort, l *listing) {
	paid, each := &a.paid, time.Second/ReportsPerSecond
	if !l.known {
		paid, each = &a.new.reported, unheardReportEach
	}
	if a.rank(addr) >= reporters || now.Before(l.reportAt) || now.Before(*paid) {
		return
	}
	*paid = now.Add(each)
	l.reportAt = now.Add(min(reportEach<<min(l.reported, 16), reportEachTo))
	first, misses := l.reported == 0, l.misses
	l.reported++
	a.wait.Go(func() {
		if first {
			a.host.Note(func(*Phrases) string { return fmt.Sprintf(dialect.PhraseSuspicion, addr, misses) })
		}
		a.accuse(addr)
	})
}

// take is told what the seeds list now, and how many of them each, the most first. Of one IP address only so many are
// taken that have never answered.
func (a *Abroad) take(now time.Time, union []netip.AddrPort, lists map[netip.AddrPort]int) {
	a.mu.Lock()
	listed := make(map[netip.AddrPort]*listing, len(union))
	unheard := make(map[netip.Addr]int)
	var came, went []netip.AddrPort
	for _, addr := range union {
		if addr == a.self || listed[addr] != nil {
			continue
		}
		l := a.listed[addr]
		if l == nil || !l.known {
			if unheard[addr.Addr()] >= unheardOfIP && !a.living[addr] {
				continue
			}
			unheard[addr.Addr()]++
		}
		if l == nil {
			l = &listing{since: now, ours: a.living[addr], known: a.living[addr]}
			a.at[core.GuestID(a.host.Network, addr, a.tongue)] = addr
			came = append(came, addr)
		}
		listed[addr], l.lists = l, lists[addr]
	}
	for addr, l := range a.listed {
		if listed[addr] == nil {
			if l.shown {
				a.tell(now, hearsay.EventMemberRemoved, addr, "no seed that answers lists it any more, or this node has reported it")
			}
			delete(a.at, core.GuestID(a.host.Network, addr, a.tongue))
			went = append(went, addr)
		}
	}
	a.listed = listed
	a.new.keep(unheard)
	a.mu.Unlock()
	if len(came)+len(went) == 0 {
		return
	}
	a.host.Do(a.self.Addr(), func(now time.Time) {
		for _, addr := range went {
			a.links.dismiss(addr)
		}
		for _, addr := range came {
			if a.IsGuest(addr) {
				a.links.admitted(now, addr, a.tongue)
			}
		}
	})
}
