package roster

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
)

// Limits of joining.
const (
	joinAtOnce  = 4                // contacts asked for their roster at a time
	askedAtOnce = 64               // contacts whose answer is awaited
	answerTime  = 10 * time.Second // after which an answer is no longer expected

	// One try of so many at a contact goes by stream: so long it takes to meet a node again to which no datagrams get.
	// With 1,000 gone contacts, of which four are tried each second, that is up to 33 min; of the 16 proven ones, of
	// which one is tried in two seconds, up to 4 min. A guess.
	streamEach = 8
)

// asked is a contact whose answer is awaited.
type asked struct {
	addr  netip.AddrPort
	id    hearsay.NodeID // the node that was last there; zero if that is not known
	seq   uint64         // of the ping; zero for a Join
	met   bool           // by a Join at a configured contact, any identity, while this node has joined already
	until time.Time
}

// contacts are the addresses at which this node looks for the network: to join it, and then for members that are gone.
type contacts struct {
	*part
	configured []netip.AddrPort
	asked      []asked
	joined     bool
	attempts   int            // to join
	tried      netip.AddrPort // the last
	next       int            // the one that is tried next
	nextProven int            // likewise, of those known longest
	tryAt      time.Time
	unlisted   unlisted // the first stranger that has pinged this node since one was asked
}

// await notes that an answer is awaited; the oldest makes room.
func (c *contacts) await(a asked) {
	if len(c.asked) >= askedAtOnce {
		c.asked = slices.Delete(c.asked, 0, 1)
	}
	c.asked = append(c.asked, a)
}

// Contact adds configured addresses, and tries them now if this node is not in yet; else
// those that are new are the next to be tried. If there are too many, those make room that were
// not given for the longest time: a name may stand for other addresses each day.
func (c *contacts) Contact(now time.Time, addrs []netip.AddrPort) {
	added := 0
	for _, again := range []bool{true, false} {
		for _, addr := range addrs {
			addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
			at := slices.Index(c.configured, addr)
			switch {
			case addr == c.members.addr(c.members.self), (at >= 0) != again:
				continue
			case again:
				c.configured = slices.Delete(c.configured, at, at+1)
			case len(c.configured) >= maxContacts:
				c.configured = slices.Delete(c.configured, 0, 1)
			}
			c.configured = append(c.configured, addr)
			if !again {
				added++
			}
		}
	}
	if c.joined && added > 0 {
		c.next = max(0, len(c.configured)-added)
	}
	if !c.joined && c.attempts == 0 {
		c.tryAt = now
	}
}

// Joined reports whether this node has the roster of a member, or has nobody to ask for one.
func (c *contacts) Joined() bool {
	return c.joined || len(c.members.living) > 0 || len(c.configured)+len(c.roster.addresses.former) == 0
}

// seeking reports whether there is a contact to try.
func (c *contacts) seeking() bool {
	if c.members.self.state == hearsay.StateLeft {
		return false
	}
	if !c.joined { // nobody answers a node that is not in by the ledger
		return len(c.configured)+len(c.roster.addresses.former) > 0 && (!c.members.seeded() || c.members.role(c.members.me()) != 0)
	}
	return len(c.roster.addresses.former)+len(c.configured)+len(c.members.gone) > 0
}

// due gives when tick must be called next, if before at.
func (c *contacts) due(at time.Time) time.Time {
	if c.seeking() {
		at = when.Earlier(at, c.tryAt)
	}
	return at
}

// tick tries to join, or, once in, some of those that are gone.
func (c *contacts) tick(now time.Time) {
	c.asked = slices.DeleteFunc(c.asked, func(a asked) bool { return now.After(a.until) })
	if !c.seeking() || now.Before(c.tryAt) {
		return
	}
	if c.joined {
		c.tryAt = now.Add(c.cfg.ContactEvery)
		c.tryGone(now)
		return
	}
	var tried []contact
	for _, addr := range c.configured {
		tried = append(tried, contact{addr: addr})
	}
	tried = append(tried, c.roster.addresses.former...)
	if c.attempts > 0 && !c.members.seeded() {
		c.out.event(hearsay.Event{
			At: now, Kind: hearsay.EventJoinFail, Addr: c.tried, Count: c.attempts,
			Text: fmt.Sprintf("no roster from any of %d contacts yet", len(tried)),
		})
	}
	// the longer, the more often each was tried
	wait := min(c.cfg.JoinBackoffMin<<min(c.next/max(1, len(tried)), 16), c.cfg.JoinBackoffMax)
	c.tryAt = now.Add(wait/2 + time.Duration(c.random.Int64N(int64(wait))))
	c.attempts++
	for range min(joinAtOnce, len(tried)) {
		one := &tried[c.next%len(tried)]
		c.tried = one.addr
		c.join(now, one.addr, one.id)
		c.next++
	}
}

// join asks the node at an address for a roster; if an id is given, no other one. It gives what is awaited.
func (c *contacts) join(now time.Time, addr netip.AddrPort, id hearsay.NodeID) *asked {
	if c.members.seeded() {
		id = hearsay.NodeID{} // the ledger says which nodes are in
	}
	c.await(asked{addr: addr, id: id, until: now.Add(answerTime)})
	p := core.Packet{Addr: addr, Stream: true, Body: &core.Join{Target: id}}
	c.out.introduce(&p)
	c.out.Send = append(c.out.Send, p)
	return &c.asked[len(c.asked)-1]
}

// tryGone pings contacts that are no living members: members that are dead, those that were forgotten, and configured
// addresses. One of those known longest, and some of all others. It goes on for ever. Now and then one is pinged by
// stream: a node that was cut off may not know that no datagrams get to it any more.
func (c *contacts) tryGone(now time.Time) {
	proven := c.longestKnown()
	if len(proven) > 0 {
		m := c.members.at(proven[c.nextProven%len(proven)])
		c.try(now, c.members.addr(m), c.members.id(m), c.nextProven/len(proven)%streamEach == streamEach-1)
		c.nextProven++
	}
	count := len(c.configured) + len(c.roster.addresses.former) + len(c.members.gone)
	tries := min(1+count/othersEach, othersMost)
	for range count {
		i, stream := c.next%count, (c.next/count+c.next%count)%streamEach == streamEach-1
		c.next++
		target, ok := c.candidate(i)
		if gone := i - len(c.configured) - len(c.roster.addresses.former); !ok || gone >= 0 && slices.Contains(proven, c.members.gone[gone]) {
			continue
		}
		if c.try(now, target.addr, target.id, stream); tries == 1 {
			return
		}
		tries--
	}
}

// Lost counts the dead that were known for provenAfter before they died. A stranger that comes and dies is none.
func (c *contacts) Lost() (lost int) {
	for _, number := range c.members.gone {
		if m := c.members.at(number); m.state == hearsay.StateDead && c.members.knownFor(m) >= provenAfter {
			lost++
		}
	}
	return lost
}

// longestKnown gives the dead that are proven, by number: at most provenFirst, those known longest first.
func (c *contacts) longestKnown() (longest []int32) {
	least := provenAfter // that a place in the list takes
	for _, number := range c.members.gone {
		m := c.members.at(number)
		known := c.members.knownFor(m)
		if m.state != hearsay.StateDead || known < least {
			continue
		}
		at, _ := slices.BinarySearchFunc(longest, known, func(other int32, known time.Duration) int {
			return cmp.Compare(known, c.members.knownFor(c.members.at(other)))
		})
		longest = slices.Insert(longest, at, number)
		if len(longest) > provenFirst {
			longest = longest[:provenFirst]
			least = c.members.knownFor(c.members.at(longest[provenFirst-1]))
		}
	}
	return longest
}

// try pings an address at which a node may be.
func (c *contacts) try(now time.Time, addr netip.AddrPort, id hearsay.NodeID, stream bool) {
	seq := c.random.Uint64() | 1 // not zero, which is a Join's
	c.await(asked{addr: addr, id: id, seq: seq, until: now.Add(answerTime)})
	if stream {
		c.out.PingByStream(addr, seq, id)
		return
	}
	c.out.Ping(addr, seq, id)
}

// candidate gives the i-th contact, unless somebody living is there.
func (c *contacts) candidate(i int) (contact, bool) {
	if i < len(c.configured) {
		addr := c.configured[i]
		return contact{addr: addr}, !slices.ContainsFunc(c.members.living, func(number int32) bool { return c.members.addr(c.members.at(number)) == addr })
	}
	if i -= len(c.configured); i < len(c.roster.addresses.former) {
		if m := c.members.get(c.roster.addresses.former[i].id); m != nil {
			return contact{}, false // listed: living, or among the gone
		}
		return c.roster.addresses.former[i], true
	}
	m := c.members.at(c.members.gone[i-len(c.roster.addresses.former)])
	return contact{addr: c.members.addr(m), id: c.members.id(m)}, c.members.stateOf(m) == hearsay.StateDead
}

// ContactAck takes the answer of a contact. One that this node does not hold living gets its roster or its digest: what
// both hold then meets. One that it lists elsewhere hears where.
func (c *contacts) ContactAck(now time.Time, p *core.Packet, seq uint64) bool {
	if c.roster.hints.ack(now, p.From, seq) {
		return true
	}
	was, is := c.answered(p.Addr, seq)
	if !is {
		return false
	}
	switch m := c.members.get(p.From); {
	case m == nil && was == p.From:
		c.join(now, p.Addr, was)
	case m == nil:
		c.meet(now, p, was)
	case !m.state.Living():
		c.roster.exchange.begin(now, p.Addr, p.From) // it has answered from there
	case p.Addr != c.members.addr(m) && m.state == hearsay.StateAlive:
		c.out.sendClaim(p.Addr, m) // it refutes that it is elsewhere
	}
	return true
}

// MetSelf is told that a ping of this node came back to itself. If a contact was
// tried with it, that is this node's own address under another name.
func (c *contacts) MetSelf(seq uint64) {
	if i := slices.IndexFunc(c.asked, func(a asked) bool { return a.seq == seq && seq != 0 }); i >= 0 {
		own := c.asked[i].addr
		c.configured = slices.DeleteFunc(c.configured, func(addr netip.AddrPort) bool { return addr == own })
	}
}

// ContactNotMe takes the word of another identity at the address of a contact.
func (c *contacts) ContactNotMe(now time.Time, p *core.Packet, seq uint64) bool {
	if c.roster.hints.notMe(now, p.Addr, seq) {
		return true
	}
	was, is := c.answered(p.Addr, seq)
	if is {
		c.meet(now, p, was)
	}
	return is
}

// answered ends that the answer to a ping is awaited, if it is, and gives the node that was last at that address.
func (c *contacts) answered(addr netip.AddrPort, seq uint64) (was hearsay.NodeID, is bool) {
	i := slices.IndexFunc(c.asked, func(a asked) bool { return a.seq == seq && a.addr == addr && seq != 0 })
	if i < 0 {
		return was, false
	}
	was = c.asked[i].id
	c.asked = slices.Delete(c.asked, i, i+1)
	return was, true
}

// Expects reports whether a roster from there was asked for. By datagram it
// was not: anybody could forge where that came from.
func (c *contacts) Expects(p *core.Packet) bool {
	return p.Stream && slices.ContainsFunc(c.asked, func(a asked) bool {
		return a.addr == p.Addr && a.seq == 0 && (a.id.IsZero() || a.id == p.From)
	})
}

// TakeRoster is told that a roster came, after its claims were taken.
func (c *contacts) TakeRoster(now time.Time, p *core.Packet, m *core.Roster) {
	if m.More {
		return
	}
	meets := false
	c.asked = slices.DeleteFunc(c.asked, func(a asked) bool {
		was := a.addr == p.Addr && a.seq == 0
		meets = meets || was && a.met
		return was
	})
	if c.joined {
		if meets {
			c.out.event(hearsay.Event{At: now, Kind: hearsay.EventMeeting, Subject: p.From, Addr: p.Addr})
		}
		return
	}
	c.joined, c.attempts, c.tryAt = true, 0, now.Add(c.cfg.ContactEvery)
	c.roster.news.tell(c.members.self)
	if c.members.seeded() {
		return // that is for the seeds to say
	}
	c.out.event(hearsay.Event{At: now, Kind: hearsay.EventJoined, Subject: c.members.me(), By: p.From, Addr: p.Addr, Count: c.members.Living() + len(c.roster.hints.byID)})
}

// Towards gives some of the addresses that must reach this node: contacts, and members.
func (c *contacts) Towards(most int) []netip.AddrPort {
	addrs := slices.Clone(c.configured[:min(most, len(c.configured))])
	for _, number := range c.members.living[:min(most, len(c.members.living))] {
		addrs = append(addrs, c.members.addr(c.members.at(number)))
	}
	return addrs
}

// unlistedAfter is how long a stranger that has pinged this node must be unknown here until one that pings it is asked.
// Guess: members hear sooner of a newcomer, which pings them at once.
const unlistedAfter = 5 * time.Second

// unlisted is a stranger that has pinged this node by name, and when.
type unlisted struct {
	id hearsay.NodeID
	at time.Time
}

// askUnlisted asks a stranger that pings this node by name whether it is there, with a packet that is no
// longer: it lists this node, and none that this node knows lists it, as where disks were put back. If it
// answers, it is asked for its roster (see ContactAck).
func (c *contacts) askUnlisted(now time.Time, p *core.Packet) {
	ping, is := p.Body.(*core.Ping)
	if !is || p.Stream || c.members.seeded() || !ping.Names(c.members.me()) || p.From == c.members.me() || c.roster.hints.known(p.From) != nil || c.members.self.state == hearsay.StateLeft {
		return
	}
	switch first := &c.unlisted; {
	case first.id.IsZero(), c.members.get(first.id) != nil: // that one was only new
		*first = unlisted{p.From, now}
	case now.Sub(first.at) >= unlistedAfter:
		*first = unlisted{}
		c.try(now, p.Addr, p.From, false)
		c.out.Now[len(c.out.Now)-1].Answer = true
	}
}

// meet asks another identity than the one that was there, at a contact, for its roster: only with
// seeds, or if the contact is configured, so that it may be anybody.
func (c *contacts) meet(now time.Time, p *core.Packet, was hearsay.NodeID) {
	if !c.members.seeded() && !was.IsZero() {
		c.out.stats.Drops[hearsay.DropStranger]++
		return
	}
	c.join(now, p.Addr, hearsay.NodeID{}).met = !c.members.seeded() && c.joined
}
