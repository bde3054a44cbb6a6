package agent

import (
	"net/netip"
	"time"

	"hearsay"
	"hearsay/quota"
)

// Places are how many streams there may be, accepted and dialled together.
// Strangers share a part, members may have theirs besides, and some are left that
// only configured seeds' addresses get: half-open connections cost a stranger
// nothing, and must not keep members out. Where the process may have
// few files open there are fewer of each kind: see share.
const (
	streamsMax = 1024 // at a time
	// of these, that only seats get. A guess: nine for each of the most seeds there may be
	streamsSeats       = 64
	streamsMembers     = 768 // of these, that members share: the rest is for nodes that join. A guess
	streamsStrangers   = 512 // of these, that strangers share
	streamsPerSource   = 768 // of one source that has members: a whole network may be behind one
	strangersPerSource = 256 // of one source of strangers: a rack that starts together
	// that stay for others. Two nodes have one that each has dialled; twice that, as old ones end late
	provenPerMember = 4
	// a stream that never brought a packet is not closed for another before this, unless its source holds more
	streamGrace = time.Second
	lineGrace   = 5 * time.Second // the same, of one that speaks a JSON line: an exchange ends sooner by itself
	_           = uint(streamsMax - streamsSeats - streamsStrangers)
	_           = uint(streamsMax - streamsSeats - streamsPerSource)
	_           = uint(streamsStrangers - strangersPerSource)
)

// places are the streams that are open, counted.
type places struct {
	most int // at a time; zero: streamsMax
	// by the other end; nil while there is none, as the maps below: most nodes have none
	open    map[netip.AddrPort]*stream
	classes [quota.Seat + 1]int    // how many there are
	sources map[netip.Addr]*int    // likewise
	proven  map[netip.AddrPort]int // likewise, of members: see proved
}

// share scales one of the numbers above to how many places there are.
func (p *places) share(of int) int {
	if p.most == 0 {
		return of
	}
	return max(1, of*p.most/streamsMax)
}

// take gives a stream its place.
func (p *places) take(st *stream) {
	if p.open == nil {
		p.open, p.sources = make(map[netip.AddrPort]*stream), make(map[netip.Addr]*int)
	}
	if st.same = p.sources[st.source]; st.same == nil {
		st.same = new(int)
		p.sources[st.source] = st.same
	}
	*st.same++
	p.classes[st.class]++
	p.open[st.remote] = st
}

// leave takes it away, if it has one.
func (p *places) leave(st *stream) {
	if p.open[st.remote] != st {
		return
	}
	delete(p.open, st.remote)
	p.classes[st.class]--
	if *st.same--; *st.same == 0 {
		delete(p.sources, st.source)
	}
	if st.proves.IsValid() {
		if p.proven[st.proves]--; p.proven[st.proves] == 0 {
			delete(p.proven, st.proves)
		}
	}
	if len(p.open) == 0 {
		p.open, p.sources, p.proven = nil, nil, nil
	}
}

// ofSource counts the streams of one source.
func (p *places) ofSource(source netip.Addr) int {
	if n := p.sources[source]; n != nil {
		return *n
	}
	return 0
}

// makeRoom reports whether there is a place for a new stream, or closes one
// that has to give way to it. It is called with mu held. Its reason is why there
// is none: the source has its share, or all places are taken.
func (s *streams) makeRoom(n *stream) (reason hearsay.Drop, ok bool) {
	strangers, all := s.classes[quota.Stranger], len(s.open)
	share := s.share(streamsPerSource)
	if n.class == quota.Stranger {
		share = s.share(strangersPerSource)
	}
	full := hearsay.DropQueueFull
	switch {
	case s.ofSource(n.source) >= share:
		return hearsay.DropRate, s.evict(n, func(st *stream) bool { return st.source == n.source && st.class == n.class })
	case n.class == quota.Stranger && strangers >= s.share(streamsStrangers):
		return full, s.evict(n, func(st *stream) bool { return st.class == quota.Stranger })
	case n.class == quota.Member && s.classes[quota.Member] >= s.share(streamsMembers):
		return full, s.evict(n, func(st *stream) bool { return st.class == quota.Member })
	case all >= s.share(streamsMax), n.class != quota.Seat && all-s.classes[quota.Seat] >= s.share(streamsMax)-s.share(streamsSeats):
		return full, s.evict(n, func(st *stream) bool { return st.class <= n.class })
	}
	return 0, true
}

// evict closes one of the streams that may go, if any has to give way to a new
// one: of the lowest class, then of the source that holds the most, the one that
// was unused for the longest. What brought a member's packet never gives way to
// a stream that somebody else has opened: see proved.
func (s *streams) evict(n *stream, may func(*stream) bool) bool {
	var worst *stream
	for _, st := range s.open {
		if may(st) && st.yields(n, s.ofSource(n.source)) && (worst == nil || st.before(worst)) {
			worst = st
		}
	}
	if worst == nil {
		return false
	}
	s.drop(worst)
	return true
}

// drop closes a stream whose place is another's now. What it has brought and still waits is
// withdrawn. It is called with mu held.
func (s *streams) drop(st *stream) {
	s.forget(st)
	close(st.evicted)
}

// before reports whether a stream goes before another one.
func (st *stream) before(o *stream) bool {
	switch {
	case st.class != o.class:
		return st.class < o.class
	case *st.same != *o.same:
		return *st.same > *o.same
	}
	return st.used.Before(o.used)
}

// yields reports whether a stream gives way to a new one, whose source holds so
// many.
func (st *stream) yields(n *stream, holds int) bool {
	idle := !st.writing && !st.reading && !st.lines
	switch {
	case st.conn == nil:
		return false // its dialling ends soon
	case st.proves.IsValid():
		return !n.accepted && idle
	case st.brought && idle, *st.same > holds+1, st.class < n.class:
		return true
	case st.lines:
		return time.Since(st.used) > lineGrace
	}
	return !st.writing && time.Since(st.used) > streamGrace
}

// classOf gives the class of a stream.
func (s *streams) classOf(st *stream) quota.Class {
	s.mu.Lock()
	defer s.mu.Unlock()
	return st.class
}

// proved notes that a packet in the name of a member came by a stream, from the IP
// address at which the roster has that member. Nothing proves more: a stream is
// dialled from any port, and packets are not signed. So all that share a member's
// address may use its name, and such streams stay for others only while they are as
// few as a member's own are.
func (s *streams) proved(remote, member netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.open[remote]
	if st == nil || st.proves.IsValid() || s.proven[member] >= provenPerMember {
		return
	}
	if s.proven == nil {
		s.proven = make(map[netip.AddrPort]int)
	}
	st.proves = member
	s.proven[member]++
	s.classes[st.class]--
	waiting := st.size
	s.waits(st, -waiting)
	st.class = max(st.class, quota.Member)
	s.waits(st, waiting)
	s.classes[st.class]++
}
