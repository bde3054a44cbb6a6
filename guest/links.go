package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/internal/core"
)

// LinksOpen is how many connections to guests there are at most at a time, for what they are told. A guess.
const LinksOpen = 64

// The limits on links to guests. All are guesses.
const (
	linksMost    = 256                     // guests that are linked, or have asked to be
	waitingMost  = 256 << 10               // bytes of messages that wait for one guest, of which the oldest go
	earlyMost    = 16                      // messages of one that asks, until it is in
	linkers      = 2                       // of a guest's observers, that ask it for a link
	linkEach     = 5 * time.Second         // between two requests for a link to one guest
	linkRefused  = time.Minute             // the same, to one that has refused
	tellTimeout  = 1500 * time.Millisecond // of a message, as the older peers have it
	tellAgain    = time.Second             // after which a message that did not get through is sent again
	textMost     = 2 << 10                 // bytes of a message that guests are told as it is
	lineOverhead = 256                     // bytes of a line besides its text, at most
	backlogMost  = 1 << 10                 // messages that a guest is told which were said before it was linked
	ownTexts     = 1 << 12                 // texts of our own that are known when guests bring them back
	triesMost    = 5                       // to send one message: a guest may fail at one, and take the next
	strangers    = 8                       // of one IP address, that are not in
	relayWait    = time.Second             // until what is passed on without its origin is taken: it may be on its way
	relaysMost   = 1 << 10                 // of these at a time
	sayEach      = time.Second / 50        // between two messages of one guest: it passes on what all others say
	sayBurst     = 10 * time.Second        // of these at once
	backlogEach  = 10 * time.Second        // between two times that one is told what was said before: it was started again
)

// Links are a peer's links to guests: what is said goes both ways over them. A guest asks for some itself, once; so two
// of its observers ask it besides, and no guest is cut off from ours. What it says goes out as a rumor in its name
// (hearsay.Rumor.Guest), once though it says that to several.
type Links struct {
	host *Host
	self netip.AddrPort
	register

	// of the goroutine that owns the node
	texts map[string]struct{} // that are ours
	order []string            // of these, the oldest first
	from  netip.AddrPort      // the guest whose message is being taken

	waits atomic.Int32  // messages that wait for what may be on its way
	open  chan struct{} // has one for each connection to a guest

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu  sync.Mutex
	all map[netip.AddrPort]*guestLink
}

// register says who is in: by the ledger, or by the lists of an earlier program's seeds (Abroad). It is read in the
// goroutine that owns the node.
type register struct {
	speaks   func(netip.AddrPort) core.Dialect               // what the guest that is in at an address speaks; 0: none is
	isOurs   func(netip.AddrPort) bool                       // a node of ours is
	guestsAt func(netip.Addr, core.Dialect) []netip.AddrPort // the guests of a dialect at an IP address
	where    func(hearsay.NodeID) netip.AddrPort             // where a member or a guest is, or was last
	strange  func(netip.AddrPort)                            // told that one asks or says something; or nil
}

// guestLink is a link to a guest, or what is known of one that may get one.
type guestLink struct {
	since   time.Time        // it is known
	linked  bool             // either end has asked for it
	refused bool             // it has enough links: it is told what is said, and is asked again
	spells  dialect.Spelling // of text: in which it has asked
	takes   dialect.Spelling // of text: in which it was asked last, and has accepted if it did
	told    time.Time        // what was said before
	paid    time.Time        // until then what it said is paid for: see sayEach
	asked   time.Time        // when this node did last
	speaks  core.Dialect     // by the ledger; 0: it is not in
	early   []*dialect.Gossip
	waiting [][]byte // lines, the oldest first
	bytes   int      // of these
	sending bool     // by a goroutine
}

// NewLinks gives those of a peer at an address.
func NewLinks(h *Host, self netip.AddrPort) *Links {
	l := &Links{host: h, self: self, texts: make(map[string]struct{}), all: make(map[netip.AddrPort]*guestLink), open: make(chan struct{}, LinksOpen)}
	l.speaks = func(addr netip.AddrPort) core.Dialect {
		m, in := h.Node.Addresses().MemberAt(addr)
		if !in {
			return 0
		}
		return core.GuestDialect(h.Network, addr, m.Stay.ID)
	}
	l.isOurs = func(addr netip.AddrPort) bool {
		m, in := h.Node.Addresses().MemberAt(addr)
		return in && !m.Claim.Card.Key.IsZero()
	}
	l.guestsAt = func(ip netip.Addr, speaks core.Dialect) []netip.AddrPort {
		return h.Node.Addresses().GuestsAt(ip, speaks)
	}
	l.where = func(id hearsay.NodeID) netip.AddrPort { return h.Node.Addresses().Where(id) }
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Close gives up all that waits, and returns when nothing runs any more.
func (l *Links) Close() {
	l.cancel()
	l.wait.Wait()
}

// goBy has another register say who is in.
func (l *Links) goBy(r register) { l.register = r }

// at gives the link to a guest. One that is not in makes room, the oldest first. Nil: there is no room. Its caller
// holds l.mu.
func (l *Links) at(addr netip.AddrPort, now time.Time) *guestLink {
	if one := l.all[addr]; one != nil {
		if one.speaks == 0 {
			one.speaks = l.speaks(addr)
		}
		return one
	}
	var oldest, neighbor netip.AddrPort // that are not in, of all and of its IP address
	neighbors := 0
	for other, one := range l.all { // times differ, or it does not matter which
		if one.speaks != 0 {
			continue
		}
		if !oldest.IsValid() || one.since.Before(l.all[oldest].since) {
			oldest = other
		}
		if other.Addr() == addr.Addr() {
			if neighbors++; !neighbor.IsValid() || one.since.Before(l.all[neighbor].since) {
				neighbor = other
			}
		}
	}
	switch {
	case neighbors >= strangers:
		l.evict(neighbor)
	case len(l.all) < linksMost:
	case !oldest.IsValid():
		return nil
	default:
		l.evict(oldest)
	}
	one := &guestLink{since: now, speaks: l.speaks(addr)}
	l.all[addr] = one
	return one
}

// evict lets go of one that is not in, and counts what it has said. Its caller holds l.mu.
func (l *Links) evict(addr netip.AddrPort) {
	for range l.all[addr].early {
		l.host.Drop(hearsay.DropStranger)
	}
	delete(l.all, addr)
}

// hello answers a guest that asks for a link. A refusal would be final, and leave it without: one that is not in yet
// has its link once it is. It is called in the goroutine that owns the node, as are all up to Probed.
func (l *Links) hello(now time.Time, r *dialect.Hello, from asker) dialect.Reply {
	ack := &dialect.HelloAck{Peer: l.host.Node.Self().Addr, Degree: len(l.host.Node.Gossip().Links()) + l.count()}
	if r.Peer.Addr() != from.Addr() {
		ack.Reason = fmt.Sprintf("asks from %s and says that it is at %s", from.Addr(), r.Peer.Addr())
		return ack
	}
	ack.Accepted = true
	l.link(now, r.Peer, r.Spelling)
	l.meets(r.Peer)
	return ack
}

func (l *Links) count() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.all {
		if one.linked && one.speaks != 0 {
			n++
		}
	}
	return n
}

// meets is told of one that has to do with this node. If it is not in, that may have changed.
func (l *Links) meets(addr netip.AddrPort) {
	if l.strange != nil {
		l.strange(addr)
	}
}

// link has a guest told from now on what is said, and what was said before.
func (l *Links) link(now time.Time, addr netip.AddrPort, spells dialect.Spelling) {
	l.mu.Lock()
	one := l.at(addr, now)
	begins := false
	if one != nil {
		one.linked, one.refused, one.spells = true, false, max(one.spells, spells)
		if begins = one.speaks != 0 && now.Sub(one.told) >= backlogEach; begins {
			one.told = now
		}
	}
	l.mu.Unlock()
	if begins {
		l.tellBacklog(addr)
	}
}

// gossip takes what a guest says. What one says that is not in yet is taken once it is: it says nothing twice.
func (l *Links) gossip(now time.Time, r *dialect.Gossip, from asker) dialect.Reply {
	if from.speaks == core.Text {
		return l.heardText(now, r, from)
	}
	if r.Sender.Addr() != from.Addr() {
		return &dialect.GossipAck{Reason: fmt.Sprintf("comes from %s and says that it is of %s", from.Addr(), r.Sender)}
	}
	return l.heard(now, r, from.speaks)
}

// heard takes what comes from its sender, which says it by a dialect.
func (l *Links) heard(now time.Time, r *dialect.Gossip, speaks core.Dialect) dialect.Reply {
	switch {
	case l.speaks(r.Sender) != speaks:
		l.meets(r.Sender)
		l.mu.Lock()
		defer l.mu.Unlock()
		if one := l.at(r.Sender, now); one != nil && len(one.early) < earlyMost {
			one.early = append(one.early, r)
			return &dialect.GossipAck{Accepted: true}
		}
		return &dialect.GossipAck{Reason: "its sender is no member"}
	case !l.pays(now, r.Sender):
		return &dialect.GossipAck{Reason: "it says too much; try again"}
	}
	return l.take(now, r)
}

// pays reports whether a guest may say one more.
func (l *Links) pays(now time.Time, addr netip.AddrPort) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.at(addr, now)
	if one == nil {
		return true // one of many, of which each says little
	}
	if earliest := now.Add(-sayBurst); one.paid.Before(earliest) {
		one.paid = earliest
	}
	if one.paid.After(now) {
		l.host.Drop(hearsay.DropRate)
		return false
	}
	one.paid = one.paid.Add(sayEach)
	return true
}

// take tells everybody what a guest has said, or passes on. Its origin is believed where that is the sender, or a node
// of ours; of others any may be named, and their words would be taken for theirs. What has none waits, as it may be of
// ours, or be heard from its origin.
func (l *Links) take(now time.Time, r *dialect.Gossip) dialect.Reply {
	if r.Origin == r.Sender {
		return l.say(now, r, core.GuestID(l.host.Network, r.Sender, l.speaks(r.Sender)))
	}
	if l.isOurText(r.Text) || l.isOurs(r.Origin) {
		return &dialect.GossipAck{Accepted: true, Duplicate: true}
	}
	if !r.Origin.IsValid() && l.isOwn(r) {
		return l.say(now, r, core.GuestID(l.host.Network, r.Sender, core.Lines))
	}
	return l.relay(now, r)
}

// isOwn reports whether a guest has said itself what it names no origin of, as older peers do not: its IP address is in
// it, and no other guest is at that. Of several any may have said it.
func (l *Links) isOwn(r *dialect.Gossip) bool {
	if dialect.OriginIn(r.Text) != r.Sender.Addr() {
		return false
	}
	there := l.guestsAt(r.Sender.Addr(), core.Lines)
	return len(there) == 1 && there[0] == r.Sender
}

// relay takes after a while what its origin has not said to anybody by then.
func (l *Links) relay(now time.Time, r *dialect.Gossip) dialect.Reply {
	if l.waits.Load() >= relaysMost {
		return l.say(now, r, hearsay.AnyGuest)
	}
	l.waits.Add(1)
	time.AfterFunc(relayWait, func() {
		l.waits.Add(-1)
		l.host.Do(r.Sender.Addr(), func(now time.Time) {
			if !l.isOurText(r.Text) {
				l.say(now, r, hearsay.AnyGuest)
			}
		})
	})
	return &dialect.GossipAck{Accepted: true}
}

func (l *Links) say(now time.Time, r *dialect.Gossip, guest hearsay.NodeID) dialect.Reply {
	l.from = r.Sender
	id, fx, err := l.host.Node.Say(now, guest, []byte(r.Text))
	l.host.CarryOut(fx)
	l.from = netip.AddrPort{}
	if err != nil {
		return &dialect.GossipAck{Reason: err.Error()}
	}
	return &dialect.GossipAck{Accepted: true, Duplicate: id.Counter == 0}
}

// isOurText reports whether guests were told a text as one of ours.
func (l *Links) isOurText(text string) bool {
	_, is := l.texts[text]
	return is
}

// Note learns from what happened which guests are in, and tells them what was said.
func (l *Links) Note(now time.Time, e *hearsay.Event) {
	switch {
	case e.Kind == hearsay.EventRumor:
		if l.count() == 0 { // as in most networks, where rumors may be many; a backlog has it for the first
			return
		}
		told := l.tell(e)
		l.mu.Lock()
		for addr, one := range l.all { // each has a queue of its own
			if one.linked && one.speaks != 0 && addr != told.origin && addr != l.from {
				l.enqueue(addr, one, told.as(one.speaks))
			}
		}
		l.mu.Unlock()
	case e.Kind == hearsay.EventRuled && e.Ruling.Kind == hearsay.RulingAdmit && e.Ruling.Key.IsZero():
		at := e.Ruling.Claim.Card.Addr
		l.admitted(now, at, core.GuestDialect(l.host.Network, at, e.Ruling.Stay.ID))
	case e.Kind == hearsay.EventRuled && e.Ruling.Kind == hearsay.RulingRemove:
		l.dismiss(l.where(e.Subject))
	}
}

// dismiss lets go of the link to a guest that is not in any more.
func (l *Links) dismiss(addr netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, addr)
}

// admitted has a guest that is in get its link, and what it has said until now taken.
func (l *Links) admitted(now time.Time, addr netip.AddrPort, speaks core.Dialect) {
	l.mu.Lock()
	one := l.all[addr]
	if one == nil {
		l.mu.Unlock()
		return
	}
	one.speaks = speaks
	early, begins := one.early, one.linked
	if one.early = nil; begins {
		one.told = now
	}
	l.mu.Unlock()
	if begins {
		l.tellBacklog(addr)
	}
	// Not in this step, of which this is an effect.
	l.host.Do(addr.Addr(), func(now time.Time) {
		for _, r := range early {
			l.take(now, r)
		}
	})
}

// Probed has this node ask a guest that it observes for a link, if it is one of those that do.
func (l *Links) Probed(now time.Time, id hearsay.NodeID, addr netip.AddrPort) {
	if asked, wants := l.wanting(now, addr); wants {
		observers := l.host.Node.Addresses().Observers(id)
		if slices.Contains(observers[:min(linkers, len(observers))], l.host.Node.Self().ID) {
			l.ask(asked, addr)
		}
	}
}

// want asks a guest for a link, unless there is one.
func (l *Links) want(now time.Time, addr netip.AddrPort) {
	if asked, wants := l.wanting(now, addr); wants {
		l.ask(asked, addr)
	}
}

// wanting reports whether a guest may be asked for a link now, and takes it that it is. What is known of it comes back.
func (l *Links) wanting(now time.Time, addr netip.AddrPort) (asked guestLink, wants bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.at(addr, now)
	if one == nil || one.speaks == 0 || one.linked && !one.refused {
		return asked, false
	}
	wait := linkEach
	if one.refused {
		wait = linkRefused
	}
	if now.Sub(one.asked) < wait {
		return asked, false
	}
	one.asked = now
	return *one, true
}

// linkedWith gives the guests that are in and linked.
func (l *Links) linkedWith() (addrs []netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for addr, one := range l.all {
		if one.linked && one.speaks != 0 {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

func (l *Links) ask(asked guestLink, addr netip.AddrPort) {
	degree := len(l.host.Node.Gossip().Links())
	l.wait.Go(func() {
		takes, err := l.askLink(addr, asked.speaks, asked.takes, degree)
		refused := asked.speaks == core.Text && isRefusal(err)
		if err == nil || refused {
			l.host.Do(addr.Addr(), func(now time.Time) { l.asked(now, addr, takes, refused) })
		}
	})
}

// asked links a guest that has answered. One that refuses is told what is said all the same.
func (l *Links) asked(now time.Time, addr netip.AddrPort, takes dialect.Spelling, refused bool) {
	l.link(now, addr, 0)
	l.mu.Lock()
	defer l.mu.Unlock()
	if one := l.all[addr]; one != nil {
		one.takes, one.refused = takes, refused
	}
}

// isRefusal reports whether a guest has answered, and not as one does that accepts.
func isRefusal(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, errTextAnswer) || errors.Is(err, syscall.ECONNRESET)
}

// Name corrects which of the two programs that speak text some members are, where they have shown it to this node: by
// the spelling in which they ask for a link. It is safe in any goroutine.
func (l *Links) Name(members []hearsay.Member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range members {
		m := &members[i]
		if one := l.all[m.Addr]; m.Dialect == core.Text.String() && one != nil && one.spells == dialect.SaysConnection {
			m.Dialect = "p0"
		}
	}
}

// tellBacklog tells a guest what was said before it was linked, as far as it is held: the youngest of it, of so many
// bytes that what is said next has room beside it.
func (l *Links) tellBacklog(addr netip.AddrPort) {
	g := l.host.Node.Gossip()
	names, size := g.Names(backlogMost), 0
	var events []hearsay.Event // the youngest first
	for i := len(names) - 1; i >= 0 && size < waitingMost/2; i-- {
		if e, held := g.Delivered(names[i]); held {
			events, size = append(events, e), size+lineOverhead+min(len(e.Rumor.Data), textMost)
		}
	}
	for _, e := range slices.Backward(events) {
		told := l.tell(&e)
		l.mu.Lock()
		if one := l.all[addr]; one != nil && one.speaks != 0 && addr != told.origin {
			l.enqueue(addr, one, told.as(one.speaks))
		}
		l.mu.Unlock()
	}
}

// remember keeps a text of ours; the oldest make room.
func (l *Links) remember(text string) {
	if l.isOurText(text) {
		return
	}
	if len(l.order) >= ownTexts {
		delete(l.texts, l.order[0])
		l.order = l.order[1:]
	}
	l.texts[text] = struct{}{}
	l.order = append(l.order, text)
}

// enqueue has a line sent to a guest. Its caller holds l.mu.
func (l *Links) enqueue(addr netip.AddrPort, one *guestLink, line []byte) {
	one.waiting, one.bytes = append(one.waiting, line), one.bytes+len(line)
	for one.bytes > waitingMost {
		one.next()
		l.host.Drop(hearsay.DropQueueFull)
	}
	if !one.sending && l.ctx.Err() == nil {
		one.sending = true
		l.wait.Go(func() { l.send(addr, one) })
	}
}

// next lets go of the line that has waited longest.
func (g *guestLink) next() {
	g.bytes -= len(g.waiting[0])
	g.waiting = g.waiting[1:]
}

// send sends what waits for a guest, one after the other, and again what does not get through, some times.
func (l *Links) send(addr netip.AddrPort, one *guestLink) {
	for tries := 1; ; tries++ {
		l.mu.Lock()
		if len(one.waiting) == 0 || l.all[addr] != one || l.ctx.Err() != nil {
			one.sending = false
			l.mu.Unlock()
			return
		}
		line, speaks := one.waiting[0], one.speaks
		l.mu.Unlock()
		failed := l.exchange(addr, speaks, line) != nil
		if failed && tries < triesMost {
			select {
			case <-time.After(tellAgain):
			case <-l.ctx.Done():
			}
			continue
		}
		if failed {
			l.host.Drop(hearsay.DropSlow)
		}
		tries = 0
		l.mu.Lock()
		if len(one.waiting) > 0 && &one.waiting[0][0] == &line[0] { // else it had to make room
			one.next()
		}
		l.mu.Unlock()
	}
}
