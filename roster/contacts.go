package roster

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"hearsay"
)

// Limits of joining.
const (
	joinAtOnce  = 4                // contacts asked for their roster at a time
	askedAtOnce = 64               // contacts whose answer is awaited
	answerTime  = 10 * time.Second // after which an answer is no longer expected
)

// Who was here for long is likelier to be back than who came and died, and anybody can have
// hundreds come and die. All four are guesses.
const (
	provenAfter  = time.Minute // a member that was known for so long before it died is proven
	provenFirst  = 16          // of the proven ones, those known longest, one is tried each time
	othersEach   = 64          // and of so many others one, to
	othersMost   = 8           // so many: 500 bytes in two seconds
	unprovenMost = 16          // addresses on disk of members that died, or left, sooner
)

// contact is an address at which the network may be found, outside the roster.
type contact struct {
	addr        netip.AddrPort
	id          hearsay.NodeID // who was last there; zero if nobody yet
	incarnation hearsay.Incarnation
	proven      bool // the member was known for provenAfter; or an earlier life kept the address
}

// asked is a contact whose answer is awaited.
type asked struct {
	addr  netip.AddrPort
	id    hearsay.NodeID // the node that was last there; zero if that is not known
	seq   uint64         // of the ping; zero for a Join
	met   bool           // by a Join at a configured contact, any identity, while this node has joined already
	until time.Time
}

// contacts outlive forgetting: by them a network finds together again after
// a partition of any length.
type contacts struct {
	configured []netip.AddrPort
	past       []contact // from earlier lives, and of forgotten members; at most maxContacts
	left       []contact // forgotten members that had left: not tried, and not taken back; at most maxContacts
	kept       []int32   // members whose address is on disk, by number; at most maxContacts
	asked      []asked
	joined     bool
	attempts   int            // to join
	tried      netip.AddrPort // the last
	next       int            // whose turn it is
	nextProven int            // likewise, of those known longest
	tryAt      time.Time
	unlisted   unlisted // the first stranger that has pinged this node since one was asked
}

// remember takes a contact that an earlier life kept. What there is no room
// for goes off the disk.
func (r *Roster) remember(record *hearsay.Contact) {
	c := &r.contacts
	if len(c.past) >= maxContacts {
		r.dropAddr(record.Addr)
		return
	}
	c.past = append(c.past, contact{addr: record.Addr, id: record.ID, proven: true})
}

// last gives the incarnation at which a member was forgotten that was dead.
func (c *contacts) last(id hearsay.NodeID) (hearsay.Incarnation, bool) { return lastOf(c.past, id) }

// lastLeft gives the incarnation at which a member was forgotten that had left.
func (c *contacts) lastLeft(id hearsay.NodeID) (hearsay.Incarnation, bool) { return lastOf(c.left, id) }

func lastOf(list []contact, id hearsay.NodeID) (hearsay.Incarnation, bool) {
	for i := range list {
		if list[i].id == id && list[i].incarnation != 0 {
			return list[i].incarnation, true
		}
	}
	return 0, false
}

// recall takes a member that is back off the past.
func (r *Roster) recall(id hearsay.NodeID) {
	c := &r.contacts
	c.left = slices.DeleteFunc(c.left, func(o contact) bool { return o.id == id })
	if i := slices.IndexFunc(c.past, func(o contact) bool { return o.id == id }); i >= 0 {
		addr := c.past[i].addr
		c.past = slices.Delete(c.past, i, i+1)
		r.dropAddr(addr)
	}
}

// expects reports whether an answer of a node at this address is awaited.
func (c *contacts) expects(addr netip.AddrPort, from hearsay.NodeID) bool {
	return slices.ContainsFunc(c.asked, func(a asked) bool { return a.addr == addr && a.seq == 0 && (a.id.IsZero() || a.id == from) })
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
func (r *Roster) Contact(now time.Time, addrs []netip.AddrPort) {
	c, added := &r.contacts, 0
	for _, again := range []bool{true, false} {
		for _, addr := range addrs {
			addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
			at := slices.Index(c.configured, addr)
			switch {
			case addr == r.addr(r.self), (at >= 0) != again:
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

// Joined reports whether this node has the roster of a member, or has nobody
// to ask for one.
func (r *Roster) Joined() bool {
	return r.contacts.joined || len(r.living) > 0 || len(r.contacts.configured)+len(r.contacts.past) == 0
}

// seeking reports whether there is a contact to try.
func (r *Roster) seeking() bool {
	c := &r.contacts
	if r.self.state == hearsay.StateLeft {
		return false
	}
	if !c.joined { // nobody answers a node that is not in by the ledger
		return len(c.configured)+len(c.past) > 0 && (!r.seeded() || r.role(r.id(r.self)) != 0)
	}
	return len(c.past)+len(c.configured)+len(r.gone) > 0
}

// tickContacts tries to join, or, once in, some of those that are gone.
func (r *Roster) tickContacts(now time.Time) {
	c := &r.contacts
	c.asked = slices.DeleteFunc(c.asked, func(a asked) bool { return now.After(a.until) })
	if !r.seeking() || now.Before(c.tryAt) {
		return
	}
	if c.joined {
		c.tryAt = now.Add(r.cfg.ContactEvery)
		r.tryContacts(now)
		return
	}
	var tried []contact
	for _, addr := range c.configured {
		tried = append(tried, contact{addr: addr})
	}
	tried = append(tried, c.past...)
	if c.attempts > 0 && !r.seeded() {
		r.event(hearsay.Event{
			At: now, Kind: hearsay.EventJoinFail, Addr: c.tried, Count: c.attempts,
			Text: fmt.Sprintf("no roster from any of %d contacts yet", len(tried)),
		})
	}
	wait := min(r.cfg.JoinBackoffMin<<min(c.next/max(1, len(tried)), 16), r.cfg.JoinBackoffMax) // the longer, the more often each was tried
	c.tryAt = now.Add(wait/2 + time.Duration(r.random.Int64N(int64(wait))))
	c.attempts++
	for range min(joinAtOnce, len(tried)) {
		one := &tried[c.next%len(tried)]
		c.tried = one.addr
		r.join(now, one.addr, one.id)
		c.next++
	}
}

// join asks the node at an address for a roster; if an id is given, no other one. It gives what is
// awaited.
func (r *Roster) join(now time.Time, addr netip.AddrPort, id hearsay.NodeID) *asked {
	if r.seeded() {
		id = hearsay.NodeID{} // the ledger says which nodes are in
	}
	r.contacts.await(asked{addr: addr, id: id, until: now.Add(answerTime)})
	p := hearsay.Packet{Addr: addr, Stream: true, Body: &hearsay.Join{Target: id}}
	r.Introduce(&p)
	r.out.Send = append(r.out.Send, p)
	return &r.contacts.asked[len(r.contacts.asked)-1]
}

// tryContacts pings contacts that are no living members: members that are dead, those that
// were forgotten, and configured addresses. One of those known longest, and some of all others.
// It goes on for ever.
func (r *Roster) tryContacts(now time.Time) {
	c, proven := &r.contacts, r.longestKnown()
	if len(proven) > 0 {
		m := r.members.at(proven[c.nextProven%len(proven)])
		c.nextProven++
		r.tryContact(now, r.addr(m), r.id(m))
	}
	count := len(c.configured) + len(c.past) + len(r.gone)
	tries := min(1+count/othersEach, othersMost)
	for range count {
		i := c.next % count
		c.next++
		target, ok := r.candidate(i)
		if gone := i - len(c.configured) - len(c.past); !ok || gone >= 0 && slices.Contains(proven, r.gone[gone]) {
			continue
		}
		if r.tryContact(now, target.addr, target.id); tries == 1 {
			return
		}
		tries--
	}
}

// knownFor is how long a member was known before it came into its present state.
func (r *Roster) knownFor(m *member) time.Duration {
	if met, changed := r.met[r.members.number(m)]; changed {
		return r.members.since(m).Sub(time.Unix(0, met))
	}
	return 0
}

// Lost counts the dead that were known for provenAfter before they died. A stranger that comes
// and dies is none.
func (r *Roster) Lost() (lost int) {
	for _, number := range r.gone {
		if m := r.members.at(number); m.state == hearsay.StateDead && r.knownFor(m) >= provenAfter {
			lost++
		}
	}
	return lost
}

// longestKnown gives the dead that are proven, by number: at most provenFirst, those known
// longest first.
func (r *Roster) longestKnown() (longest []int32) {
	least := provenAfter // that a place in the list takes
	for _, number := range r.gone {
		m := r.members.at(number)
		known := r.knownFor(m)
		if m.state != hearsay.StateDead || known < least {
			continue
		}
		at, _ := slices.BinarySearchFunc(longest, known, func(other int32, known time.Duration) int {
			return cmp.Compare(known, r.knownFor(r.members.at(other)))
		})
		longest = slices.Insert(longest, at, number)
		if len(longest) > provenFirst {
			longest = longest[:provenFirst]
			least = r.knownFor(r.members.at(longest[provenFirst-1]))
		}
	}
	return longest
}

// tryContact pings an address at which a node may be.
func (r *Roster) tryContact(now time.Time, addr netip.AddrPort, id hearsay.NodeID) {
	seq := r.random.Uint64() | 1 // not zero, which is a Join's
	r.contacts.await(asked{addr: addr, id: id, seq: seq, until: now.Add(answerTime)})
	r.out.Ping(addr, seq, id)
}

// candidate gives the i-th contact, unless somebody living is there.
func (r *Roster) candidate(i int) (contact, bool) {
	c := &r.contacts
	if i < len(c.configured) {
		addr := c.configured[i]
		return contact{addr: addr}, !slices.ContainsFunc(r.living, func(number int32) bool { return r.addr(r.members.at(number)) == addr })
	}
	if i -= len(c.configured); i < len(c.past) {
		if m := r.members.get(c.past[i].id); m != nil {
			return contact{}, false // listed: living, or among the gone
		}
		return c.past[i], true
	}
	m := r.members.at(r.gone[i-len(c.past)])
	return contact{addr: r.addr(m), id: r.id(m)}, r.stateOf(m) == hearsay.StateDead
}

// ContactAck takes the answer of a contact. One that this node does not hold
// living gets its roster or its digest: what both hold then meets. One that it lists
// elsewhere hears where.
func (r *Roster) ContactAck(now time.Time, p *hearsay.Packet, seq uint64) bool {
	c := &r.contacts
	if r.hintAck(now, p.From, seq) {
		return true
	}
	i := slices.IndexFunc(c.asked, func(a asked) bool { return a.seq == seq && a.addr == p.Addr && seq != 0 })
	if i < 0 {
		return false
	}
	was := c.asked[i].id
	c.asked = slices.Delete(c.asked, i, i+1)
	switch m := r.members.get(p.From); {
	case m == nil && was == p.From:
		r.join(now, p.Addr, was)
	case m == nil:
		r.meet(now, p, was)
	case !m.state.Living():
		r.beginExchange(now, p.Addr, p.From) // it has answered from there
	case p.Addr != r.addr(m) && m.state == hearsay.StateAlive:
		r.tellOne(p.Addr, m) // it refutes that it is elsewhere
	}
	return true
}

// MetSelf is told that a ping of this node came back to itself. If a contact was
// tried with it, that is this node's own address under another name.
func (r *Roster) MetSelf(seq uint64) {
	c := &r.contacts
	if i := slices.IndexFunc(c.asked, func(a asked) bool { return a.seq == seq && seq != 0 }); i >= 0 {
		own := c.asked[i].addr
		c.configured = slices.DeleteFunc(c.configured, func(addr netip.AddrPort) bool { return addr == own })
	}
}

// ContactNotMe takes the word of another identity at the address of a contact.
func (r *Roster) ContactNotMe(now time.Time, p *hearsay.Packet, seq uint64) bool {
	c := &r.contacts
	if r.hintNotMe(p.Addr, seq) {
		return true
	}
	i := slices.IndexFunc(c.asked, func(a asked) bool { return a.seq == seq && a.addr == p.Addr && seq != 0 })
	if i < 0 {
		return false
	}
	was := c.asked[i].id
	c.asked = slices.Delete(c.asked, i, i+1)
	r.meet(now, p, was)
	return true
}

// Join answers a newcomer, whose own claim has been taken already, with the
// whole roster.
func (r *Roster) Join(now time.Time, p *hearsay.Packet) {
	switch {
	case !r.byStream(p): // anybody could forge where a datagram came from
		return
	case r.self.state == hearsay.StateLeft:
		r.drops[hearsay.DropStranger]++
		return
	case !r.affordAnswer(now, p, priceRoster):
		return
	}
	defer r.answered(now, p, len(r.out.Send))
	if c := &r.contacts; len(c.configured)+len(c.past) == 0 {
		c.joined = true // the first of a network: it has its roster
	}
	all := slices.Concat([]int32{r.members.number(r.self)}, r.living, r.gone)
	for len(all) > 0 {
		claims := r.words(all)
		for i := range claims {
			if claims[i].State >= hearsay.StateDead {
				claims[i].Age = now.Sub(r.members.since(r.members.at(all[i])))
			}
		}
		all = all[len(claims):]
		part := p.Reply(&hearsay.Roster{More: len(all) > 0})
		part.Claims = claims
		r.out.Send = append(r.out.Send, part)
	}
}

// Expects reports whether a roster from there was asked for. By datagram it
// was not: anybody could forge where that came from.
func (r *Roster) Expects(p *hearsay.Packet) bool {
	return p.Stream && r.contacts.expects(p.Addr, p.From)
}

// TakeRoster is told that a roster came, after its claims were taken.
func (r *Roster) TakeRoster(now time.Time, p *hearsay.Packet, m *hearsay.Roster) {
	c := &r.contacts
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
			r.event(hearsay.Event{At: now, Kind: hearsay.EventMeeting, Subject: p.From, Addr: p.Addr})
		}
		return
	}
	c.joined, c.attempts, c.tryAt = true, 0, now.Add(r.cfg.ContactEvery)
	r.tell(r.self)
	if r.seeded() {
		return // that is for the seeds to say
	}
	r.event(hearsay.Event{At: now, Kind: hearsay.EventJoined, Subject: r.id(r.self), By: p.From, Addr: p.Addr, Count: r.Living() + len(r.hints.byID)})
}

// keepContact puts a living member's address on disk. If there is no room, that of one makes
// room that is gone: of these the one known for the shortest time.
func (r *Roster) keepContact(m *member) {
	c, number := &r.contacts, r.members.number(m)
	if slices.Contains(c.kept, number) {
		return
	}
	if len(c.kept) >= maxContacts {
		var worst *member
		for _, other := range c.kept {
			if o := r.members.at(other); !o.state.Living() && (worst == nil || r.knownFor(o) < r.knownFor(worst)) {
				worst = o
			}
		}
		if worst == nil {
			return
		}
		r.dropContact(worst)
	}
	c.kept = append(c.kept, number)
	r.out.Persist = append(r.out.Persist, &hearsay.Contact{Addr: r.addr(m), ID: r.id(m)})
}

// buryContact is told that a member is gone: of those that were known only shortly the
// oldest address goes off the disk, if there are many. The next life would try them all.
func (r *Roster) buryContact() {
	oldest, unproven := (*member)(nil), 0
	for _, number := range r.contacts.kept {
		if m := r.members.at(number); !m.state.Living() && r.knownFor(m) < provenAfter {
			if unproven++; oldest == nil {
				oldest = m
			}
		}
	}
	if unproven > unprovenMost {
		r.dropContact(oldest)
	}
}

// dropContact takes it off.
func (r *Roster) dropContact(m *member) {
	c := &r.contacts
	if i := slices.Index(c.kept, r.members.number(m)); i >= 0 {
		c.kept = slices.Delete(c.kept, i, i+1)
		r.dropAddr(r.addr(m))
	}
}

// dropAddr takes an address off the disk, unless it is another's too, who came
// after there.
func (r *Roster) dropAddr(addr netip.AddrPort) {
	there := func(number int32) bool { return r.addr(r.members.at(number)) == addr }
	past := func(o contact) bool { return o.addr == addr }
	if slices.ContainsFunc(r.contacts.kept, there) || slices.ContainsFunc(r.contacts.past, past) {
		return
	}
	r.out.Persist = append(r.out.Persist, &hearsay.Contact{Addr: addr, Dropped: true})
}

// tickForget drops those who have been gone for long. Their addresses stay
// contacts.
func (r *Roster) tickForget(now time.Time) {
	for id, spent := range r.spent { // order does not matter: each is judged for itself
		if max(spent.answered, spent.renewed, spent.away) < r.runs(now)-pricesSaved {
			delete(r.spent, id) // it has saved up all it can
		}
	}
	for i := 0; i < len(r.gone); {
		m := r.members.at(r.gone[i])
		if now.Sub(r.members.since(m)) < r.cfg.ForgetAfter {
			i++
			continue
		}
		r.forget(now, m)
	}
}

// roomMade bounds how many are forgotten at once when the table of members is
// full: looking for them takes longer the more there are.
const roomMade = 256

// makeRoom forgets those who have been gone longest, a sixteenth of all.
func (r *Roster) makeRoom(now time.Time) {
	oldest := slices.SortedFunc(slices.Values(r.gone), func(i, j int32) int {
		a, b := r.members.at(i), r.members.at(j)
		return cmp.Or(r.members.since(a).Compare(r.members.since(b)), r.id(a).Compare(r.id(b)))
	})
	for _, number := range oldest[:min(len(oldest)/16+1, roomMade)] {
		r.forget(now, r.members.at(number))
	}
}

// forget drops one who is gone. Of the dead a contact of the past remains, on
// disk too, and of those who left the incarnation that is over; the oldest
// makes room.
func (r *Roster) forget(now time.Time, m *member) {
	number, state := r.members.number(m), r.stateOf(m)
	r.event(hearsay.Event{At: now, Kind: hearsay.EventMemberForgotten, Subject: r.id(m), State: state})
	if m.told >= 0 {
		r.news.drop(m, number)
	}
	r.gone.remove(number)
	delete(r.held, number)
	r.recall(r.id(m))
	r.retire(m, state)
	delete(r.met, number)
	r.members.remove(m)
}

// retire keeps what remains of a member that is forgotten, in this state.
func (r *Roster) retire(m *member, state hearsay.State) {
	c := &r.contacts
	if state == hearsay.StateLeft {
		r.dropContact(m)
		if len(c.left) >= maxContacts {
			c.left = slices.Delete(c.left, 0, 1)
		}
		c.left = append(c.left, contact{addr: r.addr(m), id: r.id(m), incarnation: r.incarnation(m)})
		return
	}
	if len(c.past) >= maxContacts {
		oldest := max(0, slices.IndexFunc(c.past, func(o contact) bool { return !o.proven }))
		r.recall(c.past[oldest].id)
	}
	number := r.members.number(m)
	kept, proven := slices.Contains(c.kept, number), r.knownFor(m) >= provenAfter
	c.kept = slices.DeleteFunc(c.kept, func(o int32) bool { return o == number })
	if kept || proven {
		r.out.Persist = append(r.out.Persist, &hearsay.Contact{Addr: r.addr(m), ID: r.id(m)})
	}
	c.past = append(c.past, contact{addr: r.addr(m), id: r.id(m), incarnation: r.incarnation(m), proven: proven})
}
