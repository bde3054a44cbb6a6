package rumor

import (
	"cmp"
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/quota"
)

// Limits of exchanges, per node.
const (
	// of rumors given at a time; with what is missed they must fit core.MaxStreamPacket
	giveBytes  = 160 << 10
	giveMost   = 1024                   // rumors given at a time, in packets of core.MaxRumors at most
	giveMissed = 2048                   // ranges in one packet
	onItsWay   = 300 * time.Millisecond // what came this recently is not given
	rangeSize  = 24                     // bytes that a range takes, about
	seenRate   = 16 << 10               // bytes of ranges sent to members in a second where nothing is gained by them
	seenBurst  = 4 * time.Second        // this much of it at once
	answerIn   = 500 * time.Millisecond // after which the answer of one from which this node catches up is lost
)

// giveShares is how often a node gives in a second, which looks at all that is held: 20 times, by class of those that
// ask, and up to twice that where many do (see quota.Share). Strangers are those that say they are a member and come
// from elsewhere than that is listed, as one that has just moved does. Seats carry no rumors. One member has up to two
// thirds of the members' share.
var giveShares = &quota.Shares{
	quota.Stranger: {All: quota.PerSecond(4, 4), Each: quota.PerSecond(1, 1)},
	quota.Member:   {All: quota.PerSecond(14, 15), Each: quota.PerSecond(4, 5)},
	quota.Seat:     {All: quota.PerSecond(2, 2), Each: quota.PerSecond(2, 2)},
}

// seenShares is how many bytes of ranges are sent to strangers: a quarter of what members may have, which have all of
// seenRate; up to twice that where many ask.
var seenShares = &quota.Shares{quota.Stranger: {All: quota.PerSecond(seenRate/4, seenRate), Each: quota.PerSecond(seenRate/16, seenRate/4)}}

// exchange is how two nodes that have not seen the same give each other what is lacking: by the ranges that they have
// seen. A node catches up from one at a time, and goes on at once while there is more: the giver's last word is its
// hash again.
type exchange struct {
	*shared
	from   hearsay.NodeID // the node whose rumors this node waits for
	until  time.Time      // and until when
	gained bool           // something new came since ranges were last sent

	gives     *quota.Quota
	paid      time.Time    // up to then the time for sending ranges to members is spent
	strangers *quota.Quota // bytes of ranges that are sent to strangers
}

// answered notes what a Rumors says besides its rumors: that the other has the same, or that what this node waits for
// has come.
func (ex *exchange) answered(from hearsay.NodeID, l *link, m *core.Rumors) {
	switch {
	case len(m.Items) > 0 || len(m.Missed) > 0:
		if from == ex.from {
			ex.until = time.Time{}
		}
	case l != nil && l.asking:
		l.agree(l.asked)
	}
}

// ask sends, by stream, what this node has seen, unless it waits for another's answer to that, or has lately sent too
// much of it for nothing.
func (ex *exchange) ask(now time.Time, p *core.Packet, answer bool) {
	if now.Before(ex.until) && (ex.from != p.From || !p.Stream) {
		return // also one that asks by datagram, in the name of the one that is waited for
	}
	if ex.paid.Before(now) {
		ex.paid = now
	}
	from := ex.directory.sender(p)
	stranger := from.Class == quota.Stranger
	switch {
	case stranger && !ex.strangers.Take(now, from, 0):
		ex.out.stats.Drops[hearsay.DropRate]++
		return
	case !stranger && ex.paid.Sub(now) > seenBurst && !ex.gained:
		return
	}
	packet := p.Reply(nil)
	if !p.Stream {
		addr, living := ex.directory.Addr(p.From)
		if !living {
			return
		}
		packet = core.Packet{Addr: addr, Stream: true}
	}
	drawn := ex.random.Uint32()
	ranges, of := ex.rumors.seen.ranges(int(drawn>>1), drawn&1 == 0)
	if stranger { // its answer is not waited for: else it kept this node from asking members
		ex.strangers.Take(now, from, rangeSize*len(ranges))
	} else {
		ex.paid = ex.paid.Add(time.Second * time.Duration(rangeSize*len(ranges)) / seenRate)
		ex.from, ex.until, ex.gained = p.From, now.Add(answerIn), false
	}
	ex.out.stats.RumorExchanges++
	packet.Body = &core.Seen{Ranges: ranges, Of: of, Answer: answer}
	ex.out.send(false, packet)
}

// Seen gives what another lacks, and asks for what this node lacks.
func (ex *exchange) Seen(now time.Time, p *core.Packet, m *core.Seen) {
	switch {
	case ex.stranger(p):
		return
	case !p.Stream: // anybody could forge where that came from, and much may go back
		ex.out.stats.Drops[hearsay.DropUnexpected]++
		return
	case !ex.gives.Take(now, ex.directory.sender(p), 1):
		ex.out.stats.Drops[hearsay.DropRate]++
		return
	case !core.RangesAscend(m.Ranges):
		ex.out.stats.Drops[hearsay.DropMalformed]++
		return
	}
	seen, lacking := &ex.rumors.seen, false
	var noted []*origin
	byOrigin(m.Ranges, func(id clock.Origin, theirs []clock.Range) {
		if id == hearsay.OriginOf(ex.self) {
			ex.rumors.numbers.leaveOut(id, theirs)
		}
		// perhaps of an origin that is not known here yet
		lacking = lacking || !clock.Cover(seen.context.Of(id), theirs)
		if o := seen.origins[id]; o != nil {
			o.theirs = theirs
			noted = append(noted, o)
		}
	})
	if l := ex.rumors.links.of(p.From); l != nil {
		l.asking = false
	}
	ex.give(now, p, m.Of)
	for _, o := range noted {
		o.theirs = nil
	}
	if m.Answer && lacking {
		ex.ask(now, p, false)
	}
}

// give sends what another has not seen of some origins, oldest first, and says what of that was seen here and is not
// held any more. What it has seen is noted at each origin.
func (ex *exchange) give(now time.Time, p *core.Packet, of core.Span) {
	out := &ex.out
	start, size, own, more := len(out.items), 0, false, false
	for _, e := range ex.rumors.store.all() {
		if e.age(now) >= ex.cfg.KeepFor {
			continue // nobody is told of it any more
		}
		e.origin.hold(e.ID.Counter)
		if more || !of.Has(e.ID.Origin) || has(e.origin.theirs, e.ID.Counter) || ex.isOnItsWay(now, e) {
			continue
		}
		if more = size+sizeOf(e) > giveBytes || len(out.items)-start == giveMost; more {
			continue
		}
		out.items = append(out.items, e.told(now))
		size += sizeOf(e)
		own = own || e.by == ex.self
	}
	items := out.items[start:len(out.items):len(out.items)]
	missed := ex.rumors.seen.unheld(of)
	if len(items) == 0 && len(missed) == 0 {
		return
	}
	out.stats.RumorPayloads += uint64(len(items))
	packet := p.Reply(nil)
	for len(items) > core.MaxRumors {
		packet.Body = out.body(items[:core.MaxRumors:core.MaxRumors], nil)
		out.send(own, packet)
		items = items[core.MaxRumors:]
	}
	packet.Body = out.body(items, missed)
	out.send(own, packet)
	if more {
		packet.Body = &core.Heard{Hash: ex.rumors.seen.Hash()}
		out.send(own, packet) // by the same stream, and so after them
	}
}

// isOnItsWay reports whether a rumor is likely to reach others by the strategy.
func (ex *exchange) isOnItsWay(now time.Time, e *entry) bool {
	return now.Sub(e.at) < onItsWay && e.Age < ex.cfg.PushFor
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
func has(ranges []clock.Range, number uint64) bool { return free(ranges, number) != number }

// unheld gives what this node has seen of some origins and another has not, and nobody can get here any more. What is
// held of each origin must be noted, and is not afterwards.
func (s *seen) unheld(of core.Span) (missed []core.SeenRange) {
	for _, o := range s.order {
		held := o.held
		o.held = nil
		if !of.Has(o.id) || len(missed) >= giveMissed {
			continue
		}
		slices.SortFunc(held, func(a, b clock.Range) int { return cmp.Compare(a.Low, b.Low) }) // mostly they came so
		for _, gone := range clock.Without(clock.Without(s.context.Of(o.id), o.theirs), held) {
			missed = append(missed, core.SeenRange{Origin: o.id, Range: gone})
		}
	}
	return missed[:min(len(missed), giveMissed)]
}
