package detect

import (
	"cmp"
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
	"hearsay/quota"
)

const (
	// MaxFanout is the most that Config.Fanout may be.
	MaxFanout = 16

	// heardMisses is how many pings in a row a member must miss to be unreachable though its counter is heard to rise: so
	// long a lie about it lasts (see heartbeat), in laps of the list. unheardMisses is the same for one whose counter was
	// never heard, as that of a node with another detector. Guesses: where a quarter of all is lost each way, three pings
	// in a row get no answer in one of twelve times, and five in one of sixty.
	heardMisses   = 5
	unheardMisses = 3

	// lossAllowed is the share of packets that may get lost for Config.FailAfter to hold.
	lossAllowed = 0.25
	// falseEach is how many periods shall lie between two false accusations of the whole network at that loss: a day, of
	// seconds. A guess.
	falseEach = 86_400

	// accuseAgain is how many periods lie between two accusations of one whose counter stands still, as with swim, where
	// each fifth probe is of a suspect.
	accuseAgain = suspectEach + 1

	// goneMost is how many counters of members that are gone are remembered. A guess: more than go in a while.
	goneMost = 256
)

// heartbeat is the schedule of van Renesse, Minsky and Hayden (A Gossip-Style Failure Detection Service, 1998). Each
// node raises a counter each period, and tells a few members that are drawn its own and what it has heard of others'.
// One whose counter has not risen for FailAfter (T_fail there) is unreachable. Once it has stood still twice as long
// (T_cleanup) its counter is forgotten: by then nobody tells it any more, as nobody tells one that stood still for
// FailAfter. The counter of a member that went is remembered as long, so that what others still tell of it, when it is
// back, is no sign of life.
//
// A packet has room for MaxBeats counters. Where there are more members, each packet has the next part of the list.
//
// What is told of a third party proves nothing, and anybody can make it up. So a lie can delay an accusation, and is
// bounded: beside its heartbeats each node pings all members in turn, one a period, as with swim but without relays,
// and one that misses heardMisses in a row is unreachable, whatever is told of its counter. A counter that was told too
// high accuses nobody for long, as its owner raises its own above what it hears. These pings carry the hashes by which
// rosters, rumors and stores are compared, and find out which ways are cut.
type heartbeat struct {
	*shared
	next  time.Time // when this node tells others again
	round uint32    // periods since the start
	own   uint32    // its counter; it grows as numbers of RFC 1982 do, around the end
	heard uint32    // the last round in which any counter rose
	table []beat    // of the members on the list; ascending by key
	from  int       // index of the first that the next packet has
	gone  []gone    // the oldest first

	packets [MaxFanout]core.Heartbeat // storage
	targets [MaxFanout]int32          // likewise
}

// beat is what is known of a member's counter. Members may have one key: then what is told counts for both.
type beat struct {
	key     uint32
	seat    int32
	counter uint32 // 0: it is not known
	rose    uint32 // the round in which it was heard to rise last; 0: it never was
}

// gone is the counter of a member that went.
type gone struct{ key, counter, round uint32 }

func newHeartbeat(s *shared, now time.Time) schedule {
	h := &heartbeat{shared: s, own: uint32(now.UnixNano() / int64(s.cfg.Period))} // beyond what an earlier life told
	h.next = now.Add(time.Duration(s.random.Int64N(int64(s.cfg.Period))))
	return h
}

// FailAfter is how many periods a counter may stand still in a network of so many members before its owner is
// unreachable. A node tells each other node of a counter at a rate: in a period it sends f packets to members that
// are drawn of n others, each has one of L parts of the list, and a share q gets there. So those that have heard of a
// new value become 1+λ times as many in a period, λ = q·min(f, n)/L, and of the N nodes all have after ln N / ln(1+λ)
// periods, but for each with the chance e^(-μ) a period, μ = -n·ln(1 - λ/n). It shall be rare that any of N·N counters
// stands still for longer: one in D periods. So
//
//	FailAfter = 1 + ln N / ln(1+λ) + (2·ln N + ln D) / μ
//
// with a period for nodes that are not in step, q = 1-lossAllowed and D = falseEach.
func (c *Config) FailAfter(members int) int {
	all := float64(max(2, members))
	others := all - 1
	parts := math.Ceil(others / core.MaxBeats)
	grows := (1 - lossAllowed) * math.Min(float64(c.Fanout), others) / parts
	misses := -others * math.Log1p(-grows/others)
	return int(math.Ceil(1 + math.Log(all)/math.Log1p(grows) + (2*math.Log(all)+math.Log(falseEach))/misses))
}

// failAfter is FailAfter in the network as this node knows it.
func (h *heartbeat) failAfter() uint32 { return uint32(h.cfg.FailAfter(len(h.table) + 1)) }

func (h *heartbeat) every() time.Duration { return h.cfg.Period }

func (h *heartbeat) relays() int { return 0 }

func (h *heartbeat) pick(now time.Time) (id hearsay.NodeID, addr netip.AddrPort, ok bool) {
	if id, addr, ok = h.detector.list.pickSpecial(now); ok {
		return id, addr, true // the counter of one that others lack is told by nobody
	}
	return h.detector.list.pick(now)
}

// silent reports whether a member has missed enough pings. A guest has no counter, and its driver tries hard.
func (h *heartbeat) silent(id hearsay.NodeID, misses int) bool {
	most := unheardMisses
	if at, found := h.find(keyOf(id), h.directory.Seat(id)); found && h.table[at].rose > 0 {
		most = heardMisses
	}
	return misses >= most || h.directory.suspects(id) || h.directory.isGuest(id)
}

// keyOf gives what stands for a member in packets.
func keyOf(id hearsay.NodeID) uint32 { return binary.BigEndian.Uint32(id[:]) }

// isAhead reports whether a counter is higher than another (RFC 1982, section 3.2).
func isAhead(counter, than uint32) bool { return int32(counter-than) > 0 }

// find finds a member, or where it belongs.
func (h *heartbeat) find(key uint32, seat int32) (at int, found bool) {
	return slices.BinarySearchFunc(h.table, beat{key: key, seat: seat}, func(a, b beat) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.seat, b.seat))
	})
}

func (h *heartbeat) enter(id hearsay.NodeID) {
	one := beat{key: keyOf(id), seat: h.directory.Seat(id)}
	h.forget()
	if i := slices.IndexFunc(h.gone, func(g gone) bool { return g.key == one.key }); i >= 0 {
		one.counter, one.rose = h.gone[i].counter, h.round
		h.gone = slices.Delete(h.gone, i, i+1)
	}
	if at, found := h.find(one.key, one.seat); !found {
		h.table = slices.Insert(grown(h.table), at, one)
	}
}

func (h *heartbeat) exit(id hearsay.NodeID) {
	at, found := h.find(keyOf(id), h.directory.Seat(id))
	if !found {
		return
	}
	if one := &h.table[at]; one.counter != 0 {
		if len(h.gone) >= goneMost {
			h.gone = slices.Delete(h.gone, 0, 1)
		}
		h.gone = append(h.gone, gone{one.key, one.counter, h.round})
	}
	if h.table = slices.Delete(h.table, at, at+1); at < h.from {
		h.from--
	}
}

// forget lets go of counters of members that went long ago.
func (h *heartbeat) forget() {
	longest := 2 * h.failAfter()
	h.gone = slices.DeleteFunc(h.gone, func(g gone) bool { return h.round-g.round > longest })
}

func (h *heartbeat) due(at time.Time) time.Time { return when.Earlier(at, h.next) }

// tick raises the counter, tells it, and looks which of the others stand still.
func (h *heartbeat) tick(now time.Time) {
	if now.Before(h.next) {
		return
	}
	if h.next = h.next.Add(h.cfg.Period); h.next.Before(now) {
		h.next = now.Add(h.cfg.Period)
	}
	h.round++
	h.own++
	h.look(now)
	for i, seat := range h.draw() {
		_, addr, _ := h.directory.At(seat)
		h.fill(&h.packets[i])
		h.out.Now = append(h.out.Now, core.Packet{Addr: addr, Body: &h.packets[i]})
	}
}

// draw draws members that are told.
func (h *heartbeat) draw() []int32 {
	seats, targets := h.detector.list.seats, h.targets[:0]
	most := min(h.cfg.Fanout, MaxFanout, len(seats))
	first := 0
	if len(seats) > 0 {
		first = h.random.IntN(len(seats))
	}
	for i := 0; len(targets) < most && i < len(seats); i++ {
		seat := seats[(first+i)%len(seats)] // few are drawn of few: in turn from the first
		if len(seats) > 4*MaxFanout {
			if i > 4*MaxFanout { // a bound on unlucky draws
				break
			}
			seat = seats[h.random.IntN(len(seats))]
		}
		id, _, ok := h.directory.At(seat)
		if ok && !h.directory.passes(id) && !h.directory.isGuest(id) && !slices.Contains(targets, seat) {
			targets = append(targets, seat)
		}
	}
	return targets
}

// fill fills a packet with the next part of what is known: counters that have risen of late.
func (h *heartbeat) fill(p *core.Heartbeat) {
	p.Own, p.Beats = h.own, p.Beats[:0]
	longest := h.failAfter()
	for range h.table {
		if len(p.Beats) == core.MaxBeats {
			return
		}
		if h.from >= len(h.table) {
			h.from = 0
		}
		if one := &h.table[h.from]; one.rose > 0 && h.round-one.rose <= longest {
			p.Beats = append(p.Beats, core.Beat{Key: one.key, Counter: one.counter})
		}
		h.from++
	}
}

// look accuses those whose counters stand still. Where none has risen for long it is rather this node that hears
// nobody, or all others have died at once: its own pings tell.
func (h *heartbeat) look(now time.Time) {
	longest := h.failAfter()
	if h.round-h.heard > longest/2 {
		return
	}
	late := h.detector.health.isLate(now)
	for i := range h.table {
		one := &h.table[i]
		still := h.round - one.rose
		if one.rose == 0 || still < longest {
			continue
		}
		if still >= 2*longest {
			one.counter, one.rose = 0, 0
			continue
		}
		id, _, ok := h.directory.At(one.seat)
		if ok && !h.directory.passes(id) && !late && (still-longest)%accuseAgain == 0 {
			h.stats.ProbeFails++
			h.out.Events = append(h.out.Events, hearsay.Event{
				At: now, Kind: hearsay.EventUnreachable, Subject: id, Count: int(still), Took: time.Duration(still) * h.cfg.Period,
				Text: "its counter stands still",
			})
		}
	}
}

// pardon gives all the time anew in which their counters must rise.
func (h *heartbeat) pardon() {
	longest := h.failAfter()
	for i := range h.table {
		if one := &h.table[i]; one.rose > 0 && h.round-one.rose < longest {
			one.rose = h.round
		}
	}
}

// heartbeat takes the counters that a member tells.
func (h *heartbeat) heartbeat(p *core.Packet, m *core.Heartbeat) (drop hearsay.Drop, ok bool) {
	if h.directory.sender(p).Class == quota.Stranger {
		return hearsay.DropStranger, false
	}
	h.take(keyOf(p.From), m.Own)
	for _, b := range m.Beats {
		h.take(b.Key, b.Counter)
	}
	return 0, true
}

// take takes one counter. Of this node's own others may hold a higher one: it was told too high, or this node's clock
// was put back.
func (h *heartbeat) take(key, counter uint32) {
	if key == keyOf(h.self) && isAhead(counter, h.own) {
		h.own = counter
	}
	at, _ := h.find(key, 0)
	for ; at < len(h.table) && h.table[at].key == key; at++ {
		one := &h.table[at]
		if counter == 0 || one.counter != 0 && !isAhead(counter, one.counter) {
			continue
		}
		if h.round-h.heard > h.failAfter()/2 {
			h.pardon() // it heard nobody
		}
		one.counter, one.rose = counter, max(1, h.round)
		h.heard = max(1, h.round)
	}
}
