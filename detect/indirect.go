package detect

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
)

// This file notes members that answer this node's probes only through relays: the way between the two is cut, and each
// is well to all others, so that no case comes of it, and nobody is told. A member that is noted is pinged once more
// every few seconds, by datagram and by stream, beside the probes: a lap of a large network takes minutes, both until
// three probes have shown it, and until one shows that it is over.

const (
	// indirectMost is how many such members are known at a time; more are not noted. A guess: several show that it is this
	// node's machine.
	indirectMost = 16

	// indirectAgain is the time between two pings of one that is noted, and a period of the detector at least. So these
	// are some five a second at most. A guess: longer than any round trip.
	indirectAgain = 7 * time.Second

	// indirectFor is for how long, and indirectProbes of how many probes and pings, nothing but relays must have answered
	// for that to be told. Where a tenth of all packets is lost each way, three probes in a row are so in one of a
	// hundred, and the member answers none of the pings in others' place, either. Guesses.
	indirectFor    = 20 * time.Second
	indirectProbes = 3

	// indirectHeld is how long a member that is told may be suspect and is told on: most suspicions are refuted, and that
	// the way is cut was no more over meanwhile. One that is longer may be right. A guess: as a suspicion runs out.
	indirectHeld = 4 * time.Second
)

// indirects are the members that answer through relays alone.
type indirects struct {
	*shared
	list []indirect
}

// indirect is a member that has not answered this node itself since a time.
type indirect struct {
	seat   int32
	since  time.Time // when the first of these probes began
	probes int       // that only relays have answered, and pings that nobody has
	seq    uint64    // of the ping under way; 0: none is
	next   time.Time // when it is pinged once more
	// it was told, and when it was first seen to be suspect since; zero: it is not
	told    bool
	suspect time.Time
	said    bool // as an event, too: once, however often it is suspect meanwhile
}

// note sees whether a member is told, and whether it is suspect.
func (i *indirect) note(now time.Time, suspect bool) {
	switch {
	case !suspect:
		i.suspect = time.Time{}
	case i.suspect.IsZero():
		i.suspect = now
	}
	held := i.told && now.Sub(i.suspect) < indirectHeld
	i.told = i.probes >= indirectProbes && now.Sub(i.since) >= indirectFor && (!suspect || held)
}

// add notes that a member has answered a probe through a relay.
func (in *indirects) add(now time.Time, id hearsay.NodeID, began time.Time) {
	seat := in.directory.Seat(id)
	at := slices.IndexFunc(in.list, func(i indirect) bool { return i.seat == seat })
	switch {
	case at >= 0:
		in.list[at].probes++
	case seat != 0 && len(in.list) < indirectMost:
		in.list = append(in.list, indirect{seat: seat, since: began, probes: 1, next: now.Add(in.again())})
	}
}

func (in *indirects) again() time.Duration { return max(indirectAgain, in.cfg.Period) }

// due gives when tick must be called next, at most at.
func (in *indirects) due(at time.Time) time.Time {
	for i := range in.list {
		at = when.Earlier(at, in.list[i].next)
	}
	return at
}

// tick pings once more each member that is noted, where that is due. A ping that was not answered until then counts. A
// suspect is not pinged: it may not be there for others, either.
func (in *indirects) tick(now time.Time) {
	for at := range in.list {
		i := &in.list[at]
		id, addr, ok := in.directory.At(i.seat)
		if i.note(now, ok && in.directory.suspects(id)); i.told && !i.said {
			i.said = true
			in.out.Events = append(in.out.Events, hearsay.Event{At: now, Kind: hearsay.EventIndirect, Subject: id, Addr: addr, Took: now.Sub(i.since)})
		}
		if now.Before(i.next) {
			continue
		}
		if i.seq != 0 {
			i.probes++
		}
		i.seq, i.next = 0, now.Add(in.again())
		if !ok || in.directory.suspects(id) || in.directory.passes(id) {
			continue
		}
		i.seq = in.seq()
		in.out.Ping(addr, i.seq, id)
		if in.cfg.StreamPing {
			in.out.PingByStream(addr, i.seq, id)
		}
	}
}

// ack takes the answer of a member that is noted.
func (in *indirects) ack(p *core.Packet, seq uint64) (ok bool) {
	seat := in.directory.Seat(p.From)
	return seq != 0 && slices.ContainsFunc(in.list, func(i indirect) bool { return i.seat == seat && i.seq == seq })
}

// abandon has the pings under way count for nothing.
func (in *indirects) abandon() {
	for at := range in.list {
		in.list[at].seq = 0
	}
}

// remove notes that a member has answered this node itself, or is on the list no more, which text says.
func (in *indirects) remove(now time.Time, id hearsay.NodeID, text string) {
	seat := in.directory.Seat(id)
	at := slices.IndexFunc(in.list, func(i indirect) bool { return i.seat == seat })
	if at < 0 {
		return
	}
	if in.list[at].said {
		in.out.Events = append(in.out.Events, hearsay.Event{At: now, Kind: hearsay.EventDirect, Subject: id, Text: text})
	}
	in.list = slices.Delete(in.list, at, at+1)
}

// IndirectSince is since when a member has answered this node through relays alone, also where that is not told yet;
// zero: it answers, as far as this node knows.
func (in *indirects) IndirectSince(id hearsay.NodeID) time.Time {
	seat := in.directory.Seat(id)
	if at := slices.IndexFunc(in.list, func(i indirect) bool { return i.seat == seat }); at >= 0 {
		return in.list[at].since
	}
	return time.Time{}
}

// EachIndirect gives the members that have answered this node through relays alone for long, and since when. That one
// that is suspect for long answers others nobody knows.
func (in *indirects) EachIndirect(now time.Time, yield func(id hearsay.NodeID, since time.Time)) {
	for _, i := range in.list {
		id, _, ok := in.directory.At(i.seat)
		if i.note(now, ok && in.directory.suspects(id)); ok && i.told {
			yield(id, i.since)
		}
	}
}
