package detect

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
)

// This file finds out whether all that this node may send gets through, and not only pings by datagram, by which all
// is alive. Two things get lost alone:
//
// What is large. On the way to a member there may be a link that carries smaller packets than this node's machine
// believes, while the word that says so (ICMP) is dropped: a tunnel, mostly. What is longer is lost, every time:
// rumors, rosters, the log of the seeds, and by stream as well, where TCP does not notice.
//
// Streams. A firewall may carry datagrams and drop TCP. What is longer than a datagram is lost then, and nothing
// shows that before there is such a thing.
//
//	A                             B
//	|--- Ping, long or by stream ->|   to one neighbor in turn
//	|<-------------------- Ack ----|   or none: it may be gone, so the next test begins with a small datagram
//	|--- Ping -------------------->|
//	|<-------------------- Ack ----|
//	|--- Ping, long or by stream ->|   at once, and so by a way that carries datagrams
//
// After so many tests in a row in vain another member is tested. If what is sent gets there, one more test decides
// about the way to the first. If it does not, more members are tested, each once: where nothing gets to any of them, it
// is this node's own machine, and that is told of no member.
//
// Of what is large, pings of other lengths then find out how long a packet may be (as RFC 8899, Packetization Layer
// Path MTU Discovery for Datagram Transports, does it), until the longest is answered.

const (
	// waysMost is how many members are known at a time to which it does not get, or of which that is not clear yet.
	waysMost = 16

	// turnsMost is how many turns are looked through for a member that has not failed. A guess: more than the links of
	// most nodes, between which seeds stand.
	turnsMost = 12

	// ownKept is how many of the members that have failed are tested on where it is this node's own machine, besides
	// others in turn. A guess: each may die.
	ownKept = 3

	largeExact = 64 // bytes within which it is found out how long a packet may be
	smallPing  = 61 // bytes, of one to which nothing is added
	smallExtra = 1  // that are added to a small one all the same: nothing rides on a ping of a test
	// and to one of a member of which this node tells that nothing large gets there, or no stream
	narrowExtra, streamsExtra = 2, 3
)

// TestsBack reports whether a ping is one that a member sends where a test of the way to this node was in vain: the
// other way is worth a test.
func TestsBack(p *core.Packet, m *core.Ping) bool {
	return m.Extra >= smallExtra && m.Extra <= streamsExtra && !p.Stream
}

// wayKind is what a kind of tests looks for.
type wayKind struct {
	name  string // of its draws
	size  int    // bytes of the longest datagram; 0: it tests streams
	first int    // periods between the first two tests, and after one in vain
	every int    // and at most: each test that is answered doubles them
	// and up to so many fewer, drawn each time: nodes that were started together do not test in step
	jitter   int
	tests    int           // in a row, that must be in vain
	told     int           // bytes that are added to a small ping of a member that is told
	patience time.Duration // for an answer, beside two round trips; 0: Config.TimeoutMax

	lost, back       hearsay.EventKind
	lostTo, backTo   string // what these say of a member
	lostOwn, backOwn string // and of this node
	lostIn, backIn   string // and of a member that does not get it to this node
}

// narrow finds where what is large gets lost. A network at rest sends some 25 bytes a second for it: a test every five
// periods would be 290, where all else is 90. Where a tenth of all packets is lost each way, each is in vain by chance
// in one of five, and five are in one of 4,000. Guesses.
var narrow = &wayKind{
	name: "narrow", size: core.MTU, first: 5, every: 60, tests: 5, told: narrowExtra,
	lost: hearsay.EventNarrow, back: hearsay.EventWide,
	lostTo: "nothing large gets to it, though small packets do", backTo: "what is large gets to it again",
	lostOwn: "nothing large gets from this node to others, though small packets do", backOwn: "what is large gets from this node to others again",
	lostIn: "nothing large of it gets to this node, though small packets do", backIn: "what is large gets from it to this node again",
}

// streamless finds where streams get lost. A test takes some 80 bytes a second, with the packets that open and close
// a stream. A stream takes two seconds to open where the first packet is lost, and no driver tries for longer; where a
// tenth of all packets is lost each way the second is lost too in one of 27 tests, and three in a row are in one
// of 20,000. Guesses.
var streamless = &wayKind{
	name: "streams", first: 12, every: 12, jitter: 4, tests: 3, told: streamsExtra, patience: 2 * time.Second,
	lost: hearsay.EventStreamsLost, back: hearsay.EventStreamsBack,
	lostTo: "no stream gets to it, though datagrams do", backTo: "streams get to it again",
	lostOwn: "no stream gets from this node to others, though datagrams do", backOwn: "streams get from this node to others again",
	lostIn: "no stream of it gets to this node, though datagrams do", backIn: "streams get from it to this node again",
}

const (
	streamedWords = "no datagram gets to it, and all goes by stream"
	unknownWords  = "no member is known any more to which it is so"
	saidNoMore    = "it does not say so any more"
)

// Ways finds the members to which what is large does not get, or no stream. What it wants done goes to out.
type Ways struct {
	cfg     *Config // read only
	kind    *wayKind
	self    hearsay.NodeID
	members Directory
	next    func(turn int) (hearsay.NodeID, bool) // which member is tested in a turn, of those to which much is sent
	out     *core.Effects

	drawn  uint64 // numbers, so far
	test   wayTest
	turn   int
	mute   bool           // the last that was tested answered nothing: the next is another
	doubt  bool           // it may be this node's own machine: others are tested before that is told of a member
	gap    int            // periods between two tests
	asked  hearsay.NodeID // whose way is tested next, as something shows that it may be cut; zero: it goes in turn
	back   bool           // that was so the last time: what others ask for keeps no member from its turn
	at     time.Time      // when the next test begins, or the one under way is judged
	failed []Way          // the oldest first
	retry  int            // whose turn it is of those that are told
	inVain int            // tests in a row, of members that live and are not told, since a test got through
	since  time.Time      // when the first of these began
	own    bool           // it is this node's own machine, as far as it knows
	in     []wayIn        // members that say so of their way to this node
}

// wayTest is the test under way.
type wayTest struct {
	seat         int32
	addr         netip.AddrPort
	target       hearsay.NodeID
	size         int       // bytes of the long datagram; 0: it goes by stream
	lives        bool      // a small ping of this test was answered
	small, whole uint64    // numbers of the pings; zero: there is none, or it was answered
	began, sent  time.Time // when they were sent
}

// Way is the way to a member to which it does not get.
type Way struct {
	seat   int32
	Since  time.Time // when the first of the tests in vain began
	Passes int       // bytes of the longest packet known to get through; of streams 0
	Lost   int       // and of the shortest known to be lost; of streams 0
	tests  int       // in vain
	apart  bool      // a test of another got through since the first of these: it is not this node's own machine
	exact  bool      // the next test is of the longest
}

// NewNarrow makes one that looks for what is large, and has tested nobody.
func NewNarrow(cfg *Config, self hearsay.NodeID, members Directory, next func(turn int) (hearsay.NodeID, bool), out *core.Effects, now time.Time) *Ways {
	return newWays(narrow, cfg, self, members, next, out, now)
}

// NewStreamless makes one that looks for streams, likewise.
func NewStreamless(cfg *Config, self hearsay.NodeID, members Directory, next func(turn int) (hearsay.NodeID, bool), out *core.Effects, now time.Time) *Ways {
	return newWays(streamless, cfg, self, members, next, out, now)
}

func newWays(kind *wayKind, cfg *Config, self hearsay.NodeID, members Directory, next func(turn int) (hearsay.NodeID, bool), out *core.Effects, now time.Time) *Ways {
	w := &Ways{cfg: cfg, kind: kind, self: self, members: members, next: next, out: out, gap: kind.first}
	w.at = now.Add(w.interval())
	return w
}

// interval draws the time between two tests while all are answered.
func (w *Ways) interval() time.Duration {
	most := time.Duration(w.gap) * w.cfg.Period
	if fewer := uint64(w.kind.jitter) * uint64(w.cfg.Period); fewer > 0 {
		most -= time.Duration(w.draw() % fewer)
	}
	return most
}

// Deadline is when Tick must be called next.
func (w *Ways) Deadline() time.Time { return w.at }

// Tick judges the last test, and begins the next.
func (w *Ways) Tick(now time.Time) {
	if now.Before(w.at) {
		return
	}
	w.judge(now)
	w.tickIn(now)
	w.failed = slices.DeleteFunc(w.failed, func(u Way) bool { _, _, listed := w.members.At(u.seat); return !listed })
	if len(w.failed) == 0 {
		w.endOwn(now, unknownWords)
	}
	w.begin(now)
}

// begin pings the member whose turn it is.
func (w *Ways) begin(now time.Time) {
	w.test, w.at = wayTest{size: w.kind.size, began: now}, now.Add(w.cfg.Period)
	id, ok := w.choose()
	addr, listed := w.members.Addr(id)
	if !ok || !listed || !w.testable(id) {
		return
	}
	w.test.seat, w.test.target, w.test.addr = w.members.Seat(id), id, addr
	i, extra := w.find(), smallExtra
	switch {
	case i < 0 && !w.own && !w.doubt:
		w.ping(now)
		return
	case i >= 0 && !w.own && w.told(&w.failed[i]):
		extra = w.kind.told
	}
	w.test.small = w.seq()
	w.out.LongPing(addr, w.test.small, id, extra)
}

// choose picks the member to test: (1) while it may be this node's own machine, one that has not failed; (2) one that
// has failed too seldom to be told; (3) in turn, one that is told, and another. For one that is told it also says how
// long the packet is.
func (w *Ways) choose() (id hearsay.NodeID, ok bool) {
	mute := w.mute
	w.mute = false
	if w.doubt = !w.own && slices.ContainsFunc(w.failed, w.doubts); w.doubt {
		if id, ok = w.another(); ok && !mute {
			return id, true
		}
		if len(w.failed) == 1 && !ok {
			w.setApart() // there is no other that could show more
		}
	}
	if i := w.pick(); i >= 0 && (!mute || w.doubt) {
		u := &w.failed[i]
		if id, _, ok = w.members.At(u.seat); u.tests >= w.kind.tests && !u.exact && u.Lost-u.Passes > largeExact {
			w.test.size = (u.Lost + u.Passes) / 2
		}
		u.exact = !u.exact
		return id, ok
	}
	if w.back = !w.back && !w.asked.IsZero(); w.back {
		id, w.asked = w.asked, hearsay.NodeID{}
		return id, true
	}
	id, ok = w.next(w.turn)
	w.turn++
	return id, ok
}

// doubts reports whether a member has failed as often as is told, and no test of another has got through since.
func (w *Ways) doubts(u Way) bool {
	id, _, listed := w.members.At(u.seat)
	return u.tests >= w.kind.tests && !u.apart && listed && w.testable(id)
}

// another gives the next member in turn that can be tested and has not failed.
func (w *Ways) another() (id hearsay.NodeID, ok bool) {
	for range turnsMost {
		id, ok = w.next(w.turn)
		w.turn++
		if ok && w.testable(id) && !w.fails(id) {
			return id, true
		}
	}
	return id, false
}

// testable reports whether a test of a member says something: it is neither suspect nor passed over.
func (w *Ways) testable(id hearsay.NodeID) bool {
	return !w.members.suspects(id) && !w.members.passes(id)
}

// fails reports whether the last test of a member was in vain.
func (w *Ways) fails(id hearsay.NodeID) bool {
	return slices.ContainsFunc(w.failed, func(u Way) bool { return u.seat == w.members.Seat(id) })
}

// told reports whether this member's loss has been told.
func (w *Ways) told(u *Way) bool { return u.tests >= w.kind.tests && u.apart }

// ping sends the ping of which it is not clear whether it gets through, and has it judged once the answer is late.
func (w *Ways) ping(now time.Time) {
	t := &w.test
	t.whole, t.sent = w.seq(), now
	if t.size > 0 {
		w.out.LongPing(t.addr, t.whole, t.target, t.size-smallPing)
	} else {
		ping := &core.Ping{Seq: t.whole, Target: t.target, Extra: smallExtra}
		// where the last test of this member was in vain it may be the stream that is stuck, and not the way
		w.out.Now = append(w.out.Now, core.Packet{Addr: t.addr, Stream: true, Fresh: w.find() >= 0, Body: ping})
	}
	w.at = when.Later(t.began.Add(w.cfg.Period), now.Add(cmp.Or(w.kind.patience, w.cfg.TimeoutMax)+2*now.Sub(t.began)))
}

// TestSoon has the way to a member tested next, and soon: its test of this node was in vain, or it does not answer what
// goes by stream. However often that is said, it makes a test in kind.first periods at most, as in a node that has just
// been started.
func (w *Ways) TestSoon(now time.Time, id hearsay.NodeID) {
	if w.fails(id) {
		return // it is tested anyway
	}
	w.asked, w.gap = id, w.kind.first
	underWay := w.test.small != 0 || w.test.whole != 0
	if soon := when.Later(now, w.test.began.Add(w.interval())); !underWay && soon.Before(w.at) {
		w.at = soon
	}
}

// pick gives which of those that have failed is tested next; -1 if it is another's turn.
func (w *Ways) pick() int {
	open := func(u Way) bool {
		id, _, listed := w.members.At(u.seat)
		return u.tests < w.kind.tests && listed && w.testable(id)
	}
	if i := slices.IndexFunc(w.failed, open); i >= 0 {
		return i
	}
	if w.retry++; len(w.failed) == 0 || w.retry%2 == 0 {
		return -1
	}
	return w.retry / 2 % len(w.failed)
}

// Ack takes an answer, and reports whether it is one to a test. One that came the other way says nothing of this one.
func (w *Ways) Ack(now time.Time, p *core.Packet, seq uint64) (ok bool) {
	t := &w.test
	switch {
	case seq != 0 && slices.ContainsFunc(w.in, func(i wayIn) bool { return i.seq == seq }):
		return true // of one that was asked back
	case seq == 0 || p.From != t.target:
		return false
	case seq == t.small:
		t.small, t.lives = 0, true
		switch i := w.find(); {
		case !p.Stream:
			w.ping(now)
		case w.kind.size == 0:
			w.passes(now)
		case i >= 0:
			w.end(now, i, streamedWords) // none can show that it is over
		}
	case seq == t.whole:
		if t.whole = 0; p.Stream == (w.kind.size == 0) {
			w.passes(now)
		}
	default:
		return false
	}
	return true
}

// seq draws the number of a ping, which shows that an answer answers. It is not zero.
func (w *Ways) seq() uint64 { return w.draw() | 1 }

// draw gives a number that follows from the node's secret: those drawn so far tell nobody what is drawn next. It is
// drawn too seldom to keep the 300 bytes of a generator's state.
func (w *Ways) draw() uint64 {
	w.drawn++
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], w.members.Secret)
	binary.BigEndian.PutUint64(seed[8:], w.drawn)
	copy(seed[16:], w.kind.name)
	return rand.NewChaCha8(seed).Uint64()
}

// Pause is told that this node was late: what it did not hear meanwhile says nothing, and it may be in another network
// now, as a laptop is that slept.
func (w *Ways) Pause(now time.Time) {
	w.test, w.gap = wayTest{}, w.kind.first
	if first := now.Add(w.interval()); first.Before(w.at) {
		w.at = first
	}
}

// find gives the place of the member that is tested.
func (w *Ways) find() int {
	return slices.IndexFunc(w.failed, func(u Way) bool { return u.seat == w.test.seat })
}

// passes notes that what was sent was answered. Where a way is well again the others that had failed may be, too, and
// are tested at once.
func (w *Ways) passes(now time.Time) {
	i, size, ended := w.find(), w.test.size, false
	if size == w.kind.size {
		w.inVain, w.gap = 0, min(2*w.gap, w.kind.every)
		w.endOwn(now, w.kind.backOwn)
		w.setApart()
	}
	switch {
	case i < 0:
	case size == w.kind.size:
		w.end(now, i, w.kind.backTo)
		ended = true
	default:
		if u := &w.failed[i]; size >= u.Lost { // a shorter one was lost by chance
			u.Passes, u.Lost = size, core.MTU
		} else {
			u.Passes = max(u.Passes, size)
		}
	}
	switch {
	case len(w.failed) == 0:
		w.at = when.Later(now, w.test.began.Add(w.interval()))
	case ended:
		w.at, w.retry = now, 0
	default:
		w.at = when.Later(now, w.test.began.Add(w.cfg.Period))
	}
}

// setApart notes that it is not this node's own machine: those that have failed before are told if they fail once more.
func (w *Ways) setApart() {
	for i := range w.failed {
		if u := &w.failed[i]; !u.apart {
			u.apart, u.tests = true, min(u.tests, w.kind.tests-1)
		}
	}
}

// end takes a member from those that have failed, and says why if it was told.
func (w *Ways) end(now time.Time, i int, why string) {
	if id, addr, listed := w.members.At(w.failed[i].seat); listed && w.told(&w.failed[i]) {
		w.out.Events = append(w.out.Events, hearsay.Event{At: now, Kind: w.kind.back, Subject: id, Addr: addr, Text: why})
	}
	w.failed = slices.Delete(w.failed, i, i+1)
	w.gap = w.kind.first // the ways have changed just now, and may again
}

// endOwn ends that it is this node's own machine, if it is.
func (w *Ways) endOwn(now time.Time, why string) {
	if w.own {
		w.own = false
		w.out.Events = append(w.out.Events, hearsay.Event{At: now, Kind: w.kind.back, Subject: w.self, Text: why})
	}
}

// judge notes that a test was in vain: its ping was not answered in time.
func (w *Ways) judge(now time.Time) {
	t := &w.test
	i := w.find()
	if t.small != 0 && i >= 0 && w.failed[i].tests == 1 { // it answers nothing
		w.failed = slices.Delete(w.failed, i, i+1)
		return
	}
	if t.whole == 0 {
		if w.mute = t.small != 0; w.mute && i >= 0 { // the others that have failed come first
			last := w.failed[i]
			w.failed = append(slices.Delete(w.failed, i, i+1), last)
		}
		return
	}
	w.gap = w.kind.first
	if i < 0 {
		if len(w.failed) >= waysMost || w.own {
			return
		}
		i = len(w.failed)
		w.failed = append(w.failed, Way{seat: t.seat, Since: t.began, Passes: min(smallPing, w.kind.size), Lost: w.kind.size})
	}
	u := &w.failed[i]
	was := w.told(u)
	u.Lost, u.tests = min(u.Lost, t.size), min(u.tests+1, w.kind.tests)
	switch is := w.told(u); {
	case is && !was:
		w.out.Events = append(w.out.Events, hearsay.Event{At: now, Kind: w.kind.lost, Subject: t.target, Addr: t.addr, Text: w.kind.lostTo})
	case !is && !w.own && t.lives:
		w.judgeOwn(now)
	}
}

// judgeOwn counts a test in vain of a member that lives and is not told, and looks whether it is this node's own
// machine: nothing has got to several members, and to none since.
func (w *Ways) judgeOwn(now time.Time) {
	if w.inVain++; w.inVain == 1 {
		w.since = w.failed[w.find()].Since
	}
	if len(w.failed) < 2 || w.inVain < 2*w.kind.tests {
		return
	}
	w.own, w.failed = true, w.failed[:min(len(w.failed), ownKept)]
	for i := range w.failed {
		w.failed[i].tests = w.kind.tests
	}
	w.out.Events = append(w.out.Events, hearsay.Event{At: now, Kind: w.kind.lost, Subject: w.self, Text: w.kind.lostOwn})
}

// Own reports whether it is this node from which nothing of that kind gets to others, and since when.
func (w *Ways) Own() (since time.Time, own bool) { return w.since, w.own }

// Each gives the members to which it does not get; of this node's own machine some of them.
func (w *Ways) Each(yield func(id hearsay.NodeID, u Way)) {
	for _, u := range w.failed {
		if id, _, listed := w.members.At(u.seat); listed && (w.own || w.told(&u)) {
			yield(id, u)
		}
	}
}
