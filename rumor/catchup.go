package rumor

import (
	"cmp"
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/quota"
)

// This file is the net below the strategies: two compare what they have seen,
// and each gives what the other lacks (hearsay.Heard).
//
//   - A hash of it rides on pings for a while after something new came, and now
//     and then always. A node that is pinged by one that has seen other things compares
//     with its neighbors, and tells the pinger. So as long as all have the same
//     nothing is sent for it.
//   - A pair of neighbors that knows itself equal does not compare again until one
//     of them sees something. Equal hashes are answered by a Rumors that is empty, or
//     who asked would not know; but not while there is always something new, and
//     what one knows is soon void.
//   - What came just now is on its way to others, too. It is not given, and
//     comparing waits until nothing new comes, or has waited long.
//   - A node catches up from one at a time, and goes on at once while there is
//     more: the giver's last word is its hash again.
//   - Two may stay unequal: one has seen rumors of an origin that the other does
//     not know, or has forgotten; or is the only one to have seen what nobody holds
//     any more. They compare ever more rarely.
//   - What a giver has seen and no longer holds, it tells as missed. A liar
//     could so take rumors away before they are said. So two neighbors must say it,
//     or the origin itself, or the only neighbor there is. Who believes it asks
//     for it no more, but takes it all the same when it comes.

// Limits of catching up, per node.
const (
	giveBytes  = 160 << 10              // of rumors given at a time; with what is missed they must fit hearsay.MaxStreamPacket
	giveMost   = 1024                   // rumors given at a time, in packets of hearsay.MaxRumors at most
	giveMissed = 2048                   // ranges in one packet
	onItsWay   = 300 * time.Millisecond // what came this recently is not given
	rangeSize  = 24                     // bytes that a range takes, about
	seenRate   = 16 << 10               // bytes of ranges sent to members in a second where nothing is gained by them
	seenBurst  = 4 * time.Second        // this much of it at once
	answerIn   = 500 * time.Millisecond // after which the answer of one from which this node catches up is lost
	fullAt     = 8                      // as a part of what may be held, new since last compared
	vainRounds = 4                      // of all neighbors in vain, after which comparisons take twice as long
	vainMost   = 6                      // times that they do
	hurryEvery = 100 * time.Millisecond // between comparisons when others are likely to lack something
	pingsFor   = 15 * time.Second       // after something new came every ping carries the hash: of a thousand nodes, none is then missed by all (e^-15 each)
	pingsEach  = 8                      // and else one of so many
)

// giveShares is how often a node gives in a second, which looks at all that is
// held: 20 times, by class of those that ask, and up to twice that where many do (see
// quota.Share). Strangers are those that say they are
// a member and come from elsewhere than that is listed, as who has just moved does.
// Seats carry no rumors. One member has up to two thirds of the members' share.
var giveShares = &quota.Shares{
	quota.Stranger: {All: quota.PerSecond(4, 4), Each: quota.PerSecond(1, 1)},
	quota.Member:   {All: quota.PerSecond(14, 15), Each: quota.PerSecond(4, 5)},
	quota.Seat:     {All: quota.PerSecond(2, 2), Each: quota.PerSecond(2, 2)},
}

// seenShares is how many bytes of ranges are sent to strangers: a quarter of what
// members may have, who have all of seenRate; up to twice that where many ask.
var seenShares = &quota.Shares{quota.Stranger: {All: quota.PerSecond(seenRate/4, seenRate), Each: quota.PerSecond(seenRate/16, seenRate/4)}}

// comparison is what is known of a neighbor's seen.
type comparison struct {
	agreed   uint64        // its hash was this when last compared, and so was ours
	compared bool          // agreed says something
	asked    uint64        // the hash sent to it
	asking   bool          // and not answered
	missed   clock.Context // what it has seen and does not hold, as it said
	told     int           // ranges in missed, at most
}

// compare is when this node compares, and from which nodes it catches up.
type compare struct {
	at      time.Time // never if all neighbors agree, or there are none
	last    time.Time // when it last compared
	news    time.Time // when something new last came
	turn    int       // the place of the neighbor to be asked next
	hurried int       // neighbors to be asked quickly
	vain    int       // comparisons since something new came
	pings   uint8     // since one carried the hash
	toldAt  time.Time // when a pinger was last told that it has not the same
	fresh   int       // rumors that came since it last compared
	bytes   int       // and their payload

	from   hearsay.NodeID // whose rumors this node waits for
	until  time.Time      // and until when
	gained bool           // something new came since ranges were last sent

	gives         *quota.Quota
	seenPaid      time.Time    // up to then the time for sending ranges is spent
	seenStrangers *quota.Quota // bytes of them that are sent to strangers
}

// changed tells that a rumor came.
func (r *Rumors) changed(now time.Time, e *entry) {
	c := &r.compare
	c.news, c.vain = now, 0
	c.fresh++
	c.bytes += len(e.Data)
	if r.isFull() {
		c.at = soonest(c.at, now)
	}
}

// PingHash is the hash for the ping that goes out now; zero: none.
func (r *Rumors) PingHash(now time.Time) uint64 {
	c := &r.compare
	if c.pings++; c.pings < pingsEach && now.Sub(c.news) > pingsFor {
		return 0
	}
	c.pings = 0
	return r.seen.hash()
}

// Pinged compares the hash in a ping with this node's. If they differ where
// nothing is on its way, one of the two lacks something.
func (r *Rumors) Pinged(now time.Time, p *hearsay.Packet, hash uint64) {
	c := &r.compare
	if hash == 0 || hash == r.seen.hash() || !r.directory.Known(p.From) {
		return
	}
	quiet := !now.Before(c.news.Add(r.cfg.CompareQuiet))
	if !quiet && now.Before(c.last.Add(r.cfg.CompareBusy)) {
		return
	}
	if c.vain == 0 || c.at == never {
		c.at = soonest(c.at, now.Add(r.between(0, hurryEvery)))
	}
	if wait := r.cfg.CompareEvery << min(c.vain/vainRounds, vainMost); quiet && now.Sub(c.toldAt) >= wait {
		c.toldAt = now
		r.sendHeard(p.From)
	}
}

// isFull reports whether so much came that comparing later might find what was
// missed no longer held.
func (r *Rumors) isFull() bool {
	return r.compare.fresh > r.cfg.KeepCount/fullAt || r.compare.bytes > r.cfg.KeepBytes/fullAt
}

// hurry tells that what came, others are likely to lack, too.
func (r *Rumors) hurry(now time.Time) {
	r.compare.gained, r.compare.vain = true, 0
	r.compare.hurried = len(r.links)
	r.compare.at = soonest(r.compare.at, now.Add(hurryEvery))
}

// meet compares soon, for a new neighbor.
func (r *Rumors) meet(now time.Time) {
	r.compare.hurried++
	r.compare.vain = 0
	r.compare.at = soonest(r.compare.at, now.Add(r.between(0, hurryEvery)))
}

// tickCompare sends the hash to the next neighbor that is not known to agree.
func (r *Rumors) tickCompare(now time.Time) {
	c := &r.compare
	if now.Before(c.at) {
		return
	}
	quiet, latest := c.news.Add(r.cfg.CompareQuiet), c.last.Add(r.cfg.CompareBusy)
	if at := soonest(quiet, latest); c.hurried == 0 && !r.isFull() && now.Before(at) {
		c.at = at.Add(r.between(0, r.cfg.CompareEvery)) // or both ends of a link would ask at the same time
		return
	}
	if now.Before(c.until) {
		c.at = c.until // first what was asked for
		return
	}
	hash := r.seen.hash()
	c.at = never
	for range r.links {
		l := r.links[c.turn%len(r.links)]
		c.turn = (c.turn + 1) % len(r.links)
		if l.compared && l.agreed == hash {
			continue
		}
		c.last, c.gained, c.fresh, c.bytes = now, false, 0, 0
		l.asked, l.asking = hash, true
		r.sendHeard(l.id)
		c.hurried = max(0, c.hurried-1)
		c.at = now.Add(r.cfg.CompareEvery << min(c.vain/(vainRounds*len(r.links)), vainMost))
		if c.vain++; c.hurried > 0 {
			c.at = now.Add(hurryEvery)
		}
		return
	}
	c.hurried, c.fresh, c.bytes = 0, 0, 0
}

func (r *Rumors) sendHeard(id hearsay.NodeID) {
	if addr, living := r.directory.Addr(id); living {
		r.stats.Compares++
		r.send(false, hearsay.Packet{Addr: addr, Body: &hearsay.Heard{Hash: r.seen.hash()}})
	}
}

// Heard compares another's hash with this node's.
func (r *Rumors) Heard(now time.Time, p *hearsay.Packet, m *hearsay.Heard) {
	if r.stranger(p) {
		return
	}
	l := r.link(p.From)
	if hash := r.seen.hash(); m.Hash != hash {
		r.sendSeen(now, p, true)
		return
	}
	if l == nil {
		return
	}
	if l.agree(m.Hash); !now.Before(r.compare.news.Add(r.cfg.CompareQuiet)) {
		r.send(false, p.Reply(r.rumors(nil, nil)))
	}
}

func (l *link) agree(hash uint64) {
	l.agreed, l.compared, l.asking, l.missed, l.told = hash, true, false, clock.Context{}, 0
}

// answered notes what a Rumors says besides its rumors: that the other has the
// same, or that what this node waits for has come.
func (r *Rumors) answered(from hearsay.NodeID, l *link, m *hearsay.Rumors) {
	switch {
	case len(m.Items) > 0 || len(m.Missed) > 0:
		if from == r.compare.from {
			r.compare.until = time.Time{}
		}
	case l != nil && l.asking:
		l.agree(l.asked)
	}
}

// sendSeen sends, by stream, what this node has seen, unless it waits for another's
// answer to that, or has lately sent too much of it in vain.
func (r *Rumors) sendSeen(now time.Time, p *hearsay.Packet, answer bool) {
	c := &r.compare
	if now.Before(c.until) && (c.from != p.From || !p.Stream) {
		return // also one that asks by datagram, in the name of the one that is waited for
	}
	if c.seenPaid.Before(now) {
		c.seenPaid = now
	}
	from := r.sender(p)
	stranger := from.Class == quota.Stranger
	switch {
	case stranger && !c.seenStrangers.Take(now, from, 0):
		r.drops[hearsay.DropRate]++
		return
	case !stranger && c.seenPaid.Sub(now) > seenBurst && !c.gained:
		return
	}
	packet := p.Reply(nil)
	if !p.Stream {
		addr, living := r.directory.Addr(p.From)
		if !living {
			return
		}
		packet = hearsay.Packet{Addr: addr, Stream: true}
	}
	drawn := r.random.Uint32()
	ranges, of := r.seen.ranges(int(drawn>>1), drawn&1 == 0)
	if stranger { // its answer is not waited for: else it kept this node from asking members
		c.seenStrangers.Take(now, from, rangeSize*len(ranges))
	} else {
		c.seenPaid = c.seenPaid.Add(time.Second * time.Duration(rangeSize*len(ranges)) / seenRate)
		c.from, c.until, c.gained = p.From, now.Add(answerIn), false
	}
	r.stats.Exchanges++
	packet.Body = &hearsay.Seen{Ranges: ranges, Of: of, Answer: answer}
	r.send(false, packet)
}

// sender tells whose share a packet uses.
func (r *Rumors) sender(p *hearsay.Packet) quota.Sender {
	if r.directory.Sender == nil {
		return quota.Sender{Addr: p.Addr}
	}
	return r.directory.Sender(p)
}

// Seen gives what another lacks, and asks for what this node lacks.
func (r *Rumors) Seen(now time.Time, p *hearsay.Packet, m *hearsay.Seen) {
	if r.stranger(p) {
		return
	}
	if !p.Stream { // anybody could forge where that came from, and much may go back
		r.drops[hearsay.DropUnexpected]++
		return
	}
	if !r.compare.gives.Take(now, r.sender(p), 1) {
		r.drops[hearsay.DropRate]++
		return
	}
	if !hearsay.RangesAscend(m.Ranges) {
		r.drops[hearsay.DropMalformed]++
		return
	}
	lacking := false
	var noted []*origin
	byOrigin(m.Ranges, func(id clock.Origin, theirs []clock.Range) {
		if id == hearsay.OriginOf(r.self) {
			r.numbers.take(id, theirs)
		}
		lacking = lacking || !clock.Cover(r.seen.context.Of(id), theirs) // perhaps of an origin that is not known here yet
		if o := r.seen.origins[id]; o != nil {
			o.theirs = theirs
			noted = append(noted, o)
		}
	})
	if l := r.link(p.From); l != nil {
		l.asking = false
	}
	r.give(now, p, m.Of)
	for _, o := range noted {
		o.theirs = nil
	}
	if m.Answer && lacking {
		r.sendSeen(now, p, false)
	}
}

// give sends what another has not seen of some origins, oldest first, and says what
// of that was seen here and is not held any more. What it has seen is noted at each
// origin.
func (r *Rumors) give(now time.Time, p *hearsay.Packet, of hearsay.Span) {
	start, size, own, more := len(r.items), 0, false, false
	for _, e := range r.store.all() {
		if e.age(now) >= r.cfg.KeepFor {
			continue // nobody is told of it any more
		}
		e.origin.hold(e.ID.Counter)
		if more || !of.Has(e.ID.Origin) || has(e.origin.theirs, e.ID.Counter) || r.isOnItsWay(now, e) {
			continue
		}
		if more = size+sizeOf(e) > giveBytes || len(r.items)-start == giveMost; more {
			continue
		}
		r.items = append(r.items, e.told(now))
		size += sizeOf(e)
		own = own || e.by == r.self
	}
	items := r.items[start:len(r.items):len(r.items)]
	missed := r.gone(of)
	if len(items) == 0 && len(missed) == 0 {
		return
	}
	r.stats.Payloads += uint64(len(items))
	packet := p.Reply(nil)
	for len(items) > hearsay.MaxRumors {
		packet.Body = r.rumors(items[:hearsay.MaxRumors:hearsay.MaxRumors], nil)
		r.send(own, packet)
		items = items[hearsay.MaxRumors:]
	}
	packet.Body = r.rumors(items, missed)
	r.send(own, packet)
	if more {
		packet.Body = &hearsay.Heard{Hash: r.seen.hash()}
		r.send(own, packet) // by the same stream, and so after them
	}
}

// isOnItsWay reports whether a rumor is likely to reach others by the strategy.
func (r *Rumors) isOnItsWay(now time.Time, e *entry) bool {
	return now.Sub(e.at) < onItsWay && e.Age < r.cfg.PushFor
}

// hold notes one more number that is held.
func (o *origin) hold(number uint64) {
	if n := len(o.held); n > 0 && o.held[n-1].High == number-1 {
		o.held[n-1].High = number
		return
	}
	o.held = append(o.held, clock.Range{Low: number, High: number})
}

// has reports whether a number is in ranges that ascend.
func has(ranges []clock.Range, number uint64) bool {
	i, _ := slices.BinarySearchFunc(ranges, number, func(r clock.Range, number uint64) int { return cmp.Compare(r.High, number) })
	return i < len(ranges) && ranges[i].Low <= number
}

// gone gives what this node has seen of some origins and another has not, and
// nobody can get here any more. What is held of each origin must be noted, and is
// not afterwards.
func (r *Rumors) gone(of hearsay.Span) (missed []hearsay.SeenRange) {
	for _, o := range r.seen.order {
		held := o.held
		o.held = nil
		if !of.Has(o.id) || len(missed) >= giveMissed {
			continue
		}
		slices.SortFunc(held, func(a, b clock.Range) int { return cmp.Compare(a.Low, b.Low) }) // mostly they came so
		for _, gone := range clock.Without(clock.Without(r.seen.context.Of(o.id), o.theirs), held) {
			missed = append(missed, hearsay.SeenRange{Origin: o.id, Range: gone})
		}
	}
	return missed[:min(len(missed), giveMissed)]
}

// miss takes another's word that ranges can not be got from it any more.
func (r *Rumors) miss(now time.Time, p *hearsay.Packet, l *link, told []hearsay.SeenRange) {
	if !hearsay.RangesAscend(told) {
		r.drops[hearsay.DropMalformed]++
		return
	}
	missed := false
	byOrigin(told, func(id clock.Origin, gone []clock.Range) {
		if !r.directory.Known(hearsay.NodeID(id)) {
			r.drops[hearsay.DropStranger] += uint64(len(gone))
			return
		}
		highest := uint64(maxNumber)
		if n := len(r.seen.context.Of(id)); n > 0 {
			highest = min(highest, r.seen.context.Of(id)[n-1].High+maxAhead)
		}
		if id == hearsay.OriginOf(r.self) {
			highest = min(uint64(maxNumber), r.numbers.last+maxForgot)
		}
		n := len(gone)
		for ; n > 0 && gone[n-1].Low > highest; n-- {
			r.drops[hearsay.DropFarFuture]++
		}
		// A range that goes on beyond is taken as far as that: the next answer goes on from
		// there. Else nothing of an origin was ever heard again that had said so much meanwhile.
		if gone = gone[:n]; n > 0 && gone[n-1].High > highest {
			gone = append(slices.Clone(gone[:n-1]), clock.Range{Low: gone[n-1].Low, High: highest})
		}
		missed = r.missOf(p, l, id, gone) || missed
	})
	if missed { // and now others can have its word
		r.compare.vain = 0
		r.compare.at = soonest(r.compare.at, now.Add(r.between(0, r.cfg.CompareEvery)))
	}
}

// missOf lets go of what of one origin somebody else has missed, too. It reports whether there was such.
func (r *Rumors) missOf(p *hearsay.Packet, l *link, id clock.Origin, gone []clock.Range) (any bool) {
	if p.From == hearsay.NodeID(id) && r.comesFrom(p) || len(r.links) == 1 && l != nil {
		return r.letGo(id, gone)
	}
	if l == nil {
		return false
	}
	for _, other := range r.links {
		if other != l {
			any = r.letGo(id, clock.Common(gone, other.missed.Of(id))) || any
		}
	}
	if l.told >= hearsay.MaxSeenRanges { // it has been compared with what the others say: what is next has room again
		l.missed, l.told = clock.Context{}, 0
	}
	gone = gone[:min(len(gone), max(0, hearsay.MaxSeenRanges-l.told))]
	l.told += len(gone)
	l.missed.AddRanges(id, gone)
	return any
}

// comesFrom reports whether a packet comes from where its sender is listed, which anybody else has to forge, too.
func (r *Rumors) comesFrom(p *hearsay.Packet) bool {
	addr, listed := r.directory.Addr(p.From)
	return listed && (addr == p.Addr || p.Stream && addr.Addr() == p.Addr.Addr())
}

// letGo counts as seen what nobody can give of one origin, and reports whether there was such. So many
// numbers as a life leaves out are not counted as rumors that were missed.
func (r *Rumors) letGo(id clock.Origin, lost []clock.Range) bool {
	seen := r.seen.context.Of(id)
	unseen := clock.Without(lost, seen)
	// Where all of it does not fit, a part does that cannot make too many. What makes it fewer always fits.
	if most := 2 * r.seen.most(); clock.UnionSize(seen, unseen) > max(most, len(seen)) {
		r.drops[hearsay.DropTableFull]++
		unseen = unseen[:max(0, min(len(unseen), most-len(seen)))]
	}
	if len(unseen) == 0 {
		return false
	}
	r.seen.miss(r.seen.of(id), unseen)
	for _, u := range unseen {
		if count := u.High - u.Low + 1; count < leastLeap {
			r.stats.Missed += count
		}
	}
	return true
}
