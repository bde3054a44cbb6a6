package sim

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"hearsay/internal/core"
	"hearsay/wire"
)

// How streams fare. They are TCP's: kept in order, and what is lost on the way
// comes later.
const (
	// a lost SYN or SYN-ACK is sent again after this, doubled each time (RFC 6298, section 2.1)
	handshakeRetry = time.Second
	segmentRetry   = 200 * time.Millisecond // lost data likewise (Linux: TCP_RTO_MIN)
	// what would take longer on a stream is given up, and the stream with it (guess: an agent's deadlines)
	streamPatience = 5 * time.Second
	// a stream on which nothing that was sent is acknowledged ends after this (as the agent's)
	streamStuckMost = 4 * time.Second
	connectionIdle  = 5 * time.Second // an unused connection is closed after this (guess: as the agent does)
	connectionsKept = 1 << 14         // remembered in the world; past it, the idle ones are swept out
)

const (
	port = 7946
	// keptBuffer is the largest buffer of a flight that is used again.
	keptBuffer = 2 * core.MTU
)

// network is what lies between the machines.
type network struct {
	world       *World
	loss        float64
	duplicate   float64       // probability that a datagram comes twice
	reorder     float64       // probability that a datagram is held back
	holdBack    time.Duration // and it is for up to this long
	delay       time.Duration // of a packet at least
	longest     time.Duration // that was, with its spread
	lossiest    float64       // the greatest loss that was, of the network or of a machine
	spread      time.Duration // and up to this much longer
	cuts        map[way]bool  // ways that carry nothing, besides those between groups
	connections map[ends]*connection
	// by way: when a stream was used last that was dialled to a process that listens there no more, and holds it
	held map[way]time.Duration
	// until when something waited, longer than promiseSlack, that one seed sent another: for segments that were lost
	seedsHeldUp time.Duration

	flights []flight // those in use and those that are not
	unused  []int32  // of flights, by number
	frames  frameReader
}

// way is from one machine to another, by index.
type way struct{ from, to int32 }

// ends are the two machines of a connection, the lower index first.
type ends struct{ low, high int32 }

// connection is a stream in both directions between two lives of processes.
type connection struct {
	lives   [2]int32
	dialled int32 // by which machine
	used    time.Duration
	arrives [2]time.Duration // when the last packet arrives, in the direction of low and of high: order is kept
	// likewise. Each end dials a stream of its own: first what goes by the sender's, then what answers on the other's
	stuck [2][2]stuck
}

// stuck is a packet that is too long for the way, sent again and again, behind which all others wait. Zero: none is.
type stuck struct {
	since time.Duration
	bytes int
}

// flight is a packet on its way, as bytes.
type flight struct {
	bytes    []byte
	from, to int32 // machines, by index
	life     int32 // of the receiver: a stream ends with it
	stream   bool
	answer   bool // it goes by the stream that its receiver has dialled
	fresh    bool // by a new stream
}

// addrOf gives the address of a machine: 10.0.0.0/8 has room for them all.
func addrOf(index int) netip.AddrPort {
	n := index + 1
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), port)
}

// crowdMost is how many machines may have one IP address.
const crowdMost = 1 << 10

// crowdOf is the address of a machine of a crowd: that of its first one, by index,
// with a port beyond those that a machine may move to.
func crowdOf(first, index int) netip.AddrPort {
	return netip.AddrPortFrom(addrOf(first).Addr(), uint16(port+movesMost+1+index-first))
}

// machineAt finds the machine with an address.
func (n *network) machineAt(addr netip.AddrPort) (index int32, found bool) {
	index, found = placeOf(addr)
	return index, found && int(index) < len(n.world.machines) && n.world.machines[index].addr == addr
}

// placeOf gives the machine that has an address, or has had or may have it.
func placeOf(addr netip.AddrPort) (index int32, found bool) {
	if !addr.Addr().Is4() || addr.Port() < port || addr.Port() > port+movesMost+crowdMost {
		return 0, false
	}
	ofCrowd := max(0, int(addr.Port())-port-movesMost-1)
	b := addr.Addr().As4()
	n := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
	return int32(n - 1 + ofCrowd), b[0] == 10 && n >= 1
}

// send puts a packet on its way.
func (n *network) send(m *machine, p *core.Packet) {
	if f, ok := n.encode(m, p); ok {
		n.dispatch(f)
	}
}

// encode makes a flight of a packet. What does not fit a datagram goes by
// stream, as in the agent.
func (n *network) encode(m *machine, p *core.Packet) (number int32, ok bool) {
	w := n.world
	to, found := n.machineAt(p.Addr)
	if p.Addr == operatorAddr {
		w.counts.Answered++
		return 0, false
	}
	if !found {
		w.counts.Unreachable++
		w.reflects(m, p)
		if ping, is := p.Body.(*core.Ping); is && !ping.Target.IsZero() {
			w.check.pings(m, ping, p.Addr, w.now) // to where its member is no more
		}
		return 0, false
	}
	number = n.takeFlight()
	f := &n.flights[number]
	if p.From.IsZero() {
		p.From = m.id
	}
	f.from, f.to, f.stream, f.answer, f.fresh = m.index, to, p.Stream, p.Answer, p.Fresh
	if !f.stream {
		f.bytes = wire.AppendPacket(f.bytes[:0], w.id, p)
		f.stream = len(f.bytes) > core.MTU
	}
	if f.stream {
		f.bytes = wire.AppendFrame(f.bytes[:0], w.id, p)
		if !n.mayDial(m, p, to) {
			w.counts.Undialled++
			n.releaseFlight(number)
			return 0, false
		}
	}
	if m.twist.sends != nil {
		m.twist.sends(w, m, f)
	}
	w.check.sent(m, p, f, w.now)
	if w.watch != nil {
		w.watch(m, p)
	}
	return number, true
}

// mayDial reports whether a packet may go by stream, as in the agent: on a connection that is open, or
// where the node may open one. A ping goes to where a member listens, and so on no connection that the
// other has opened.
func (n *network) mayDial(m *machine, p *core.Packet, to int32) bool {
	if m.node == nil || m.node.Addresses().MayDial(p.Addr) {
		return true
	}
	open, _, _ := n.connection(m.index, to)
	_, ping := p.Body.(*core.Ping)
	return open != nil && (open.dialled == m.index || !ping)
}

// connection gives the open connection between two machines, if there is one, and the two.
func (n *network) connection(from, to int32) (open *connection, key ends, lives [2]int32) {
	key, lives = ends{from, to}, [2]int32{n.world.machines[from].life, n.world.machines[to].life}
	if from > to {
		key, lives = ends{to, from}, [2]int32{lives[1], lives[0]}
	}
	open = n.connections[key]
	if open != nil && (open.lives != lives || n.world.now-open.used > connectionIdle) {
		open = nil
	}
	return open, key, lives
}

// takeFlight gives an unused flight. Its buffer may be of use.
func (n *network) takeFlight() int32 {
	if last := len(n.unused) - 1; last >= 0 {
		number := n.unused[last]
		n.unused = n.unused[:last]
		return number
	}
	n.flights = append(n.flights, flight{})
	return int32(len(n.flights) - 1)
}

func (n *network) releaseFlight(number int32) {
	if f := &n.flights[number]; cap(f.bytes) > keptBuffer {
		f.bytes = nil
	}
	n.unused = append(n.unused, number)
}

// dispatch hands a flight to the network, which loses it or schedules its
// arrival.
func (n *network) dispatch(number int32) {
	w := n.world
	f := &n.flights[number]
	from := &w.machines[f.from]
	var arrives time.Duration
	var carried bool
	if f.stream {
		w.counts.Streams++
		w.counts.StreamBytes += uint64(len(f.bytes))
		arrives, carried = n.streamArrival(f)
	} else {
		w.counts.Packets++
		w.counts.Bytes += uint64(len(f.bytes))
		// Both are drawn whatever comes of it, so that a cut changes no other draw.
		lost := happens(&from.losses, max(n.lossFrom(f.from, f.to), from.lossDatagrams, w.machines[f.to].lossDatagrams))
		arrives = w.now + n.delay + upTo(&from.delays, n.spread)
		if happens(&from.holds, n.reorder) {
			arrives += upTo(&from.holds, n.holdBack)
			w.counts.HeldBack++
		}
		carried = !lost && n.carries(f.from, f.to) && n.fits(f.from, f.to, len(f.bytes))
		if happens(&from.copies, n.duplicate) && carried {
			n.sendTwin(number)
			w.counts.Duplicated++
			f = &n.flights[number] // the copy may have moved them all
		}
	}
	if !carried {
		w.lose(number)
		return
	}
	w.queue.push(moment{at: arrives, kind: momentArrival, machine: f.to, which: number})
}

// sendTwin makes a copy of a datagram arrive, before or after it.
func (n *network) sendTwin(number int32) {
	again := n.takeFlight()
	f, twin := &n.flights[number], &n.flights[again]
	twin.bytes = append(twin.bytes[:0], f.bytes...)
	twin.from, twin.to, twin.stream, twin.answer, twin.fresh = f.from, f.to, false, false, false
	arrives := n.world.now + n.delay + upTo(&n.world.machines[f.from].copies, n.spread)
	n.world.queue.push(moment{at: arrives, kind: momentArrival, machine: f.to, which: again})
}

// carries reports whether there is a way from one machine to another.
func (n *network) carries(from, to int32) bool {
	return n.world.machines[from].group == n.world.machines[to].group &&
		(len(n.cuts) == 0 || !n.cuts[way{from, to}])
}

// fits reports whether what is as long gets through.
func (n *network) fits(from, to int32, bytes int) bool {
	for _, end := range [...]int32{from, to} {
		if most := n.world.machines[end].narrow; most > 0 && bytes > most {
			return false
		}
	}
	return true
}

// lossFrom is the probability that a packet is lost from one machine to another:
// the network's or that of either end, whichever is worst.
func (n *network) lossFrom(from, to int32) float64 {
	return max(n.loss, n.world.machines[from].lossOut, n.world.machines[to].lossIn)
}

// streamArrival says when a packet arrives that goes by stream, and whether it
// does: over the open connection, or over a new one.
func (n *network) streamArrival(f *flight) (arrives time.Duration, carried bool) {
	w := n.world
	from, to := &w.machines[f.from], &w.machines[f.to]
	f.life = to.life
	open, key, lives := n.connection(f.from, f.to)
	side := 0
	if f.from > f.to {
		side = 1
	}
	if n.isHeld(f) {
		return 0, false
	}
	dropped := max(from.lossStreams, to.lossStreams)
	// TCP needs both ways, and a process at the other end: a paused one will do.
	if !n.carries(f.from, f.to) || !n.carries(f.to, f.from) || dropped > 0 && happens(&from.streams, dropped) {
		delete(n.connections, key)
		return 0, false
	}
	loss := max(n.lossFrom(f.from, f.to), n.lossFrom(f.to, f.from)) // what is not acknowledged comes again
	if to.node == nil {
		delete(n.connections, key)
		told := 2 * n.delay
		if loss > 0 {
			told += retries(&from.streams, 1-(1-loss)*(1-loss), handshakeRetry)
		}
		if told <= streamPatience && w.isSeed(to) { // of others the core makes nothing
			w.queue.push(moment{at: w.now + told, kind: momentRefused, machine: f.from, which: f.to})
		}
		return 0, false
	}
	wait := n.delay + upTo(&from.streams, n.spread)
	if open == nil || f.fresh {
		n.sweepConnections()
		open = &connection{lives: lives, dialled: f.from}
		n.connections[key] = open
		wait += 2*n.delay + retries(&from.streams, 1-(1-loss)*(1-loss), handshakeRetry)
	}
	wait += retries(&from.streams, loss, segmentRetry)
	if wait > streamPatience {
		delete(n.connections, key)
		return 0, false
	}
	open.used = w.now
	freed, waits := n.isStuck(f, open, side)
	if waits {
		return 0, false
	}
	open.arrives[side] = max(open.arrives[side], w.now+wait, freed)
	if open.arrives[side]-w.now > promiseSlack && w.isSeed(from) && w.isSeed(to) {
		n.seedsHeldUp = max(n.seedsHeldUp, open.arrives[side])
	}
	return open.arrives[side], true
}

// isHeld reports whether a packet goes by a stream that a process holds which listened at that address before. It ends
// once it is unused for long, or given up for a new one.
func (n *network) isHeld(f *flight) bool {
	if n.held == nil || f.answer {
		return false
	}
	to := way{f.from, f.to}
	used, is := n.held[to]
	if !is || f.fresh || n.world.now-used > connectionIdle {
		delete(n.held, to)
		return false
	}
	n.held[to] = n.world.now
	return true
}

// isStuck reports whether a packet does not get through by stream, as it or one before it is too long for the way. By
// stream it is segments that are lost, each time that they are sent. Else it says when those before it are through. One
// that was too long is lost, as its end gives it up.
func (n *network) isStuck(f *flight, open *connection, side int) (freed time.Duration, waits bool) {
	now, by := n.world.now, 0
	if f.answer {
		by = 1
	}
	held := &open.stuck[side][by]
	switch {
	case held.bytes > 0 && now-held.since >= streamStuckMost:
		*held = stuck{}
	case held.bytes > 0 && n.fits(f.from, f.to, held.bytes): // it gets through when it is sent again
		for again := segmentRetry; freed < now; again *= 2 {
			freed = held.since + again
		}
		*held = stuck{}
	}
	if held.bytes == 0 && !n.fits(f.from, f.to, len(f.bytes)) {
		*held = stuck{since: now, bytes: len(f.bytes)}
	}
	return freed, held.bytes > 0 || freed-now > streamPatience
}

// refused tells a machine's node that no process listens at another's address.
func (n *network) refused(m, by *machine) {
	if m.condition == conditionRunning {
		n.world.counts.Refused++
		n.world.advance(m, func(now time.Time) *core.Effects { return m.node.NotReached(now, by.addr, "connection refused") })
	}
}

// retries draws how long it takes until something gets through that is tried
// again after first, twice that, four times that, and so on.
func retries(stream *rand.PCG, loss float64, first time.Duration) (wait time.Duration) {
	for again := first; happens(stream, loss) && wait <= streamPatience; again *= 2 {
		wait += again
	}
	return wait
}

// sweepConnections forgets those that are closed, when there are many.
func (n *network) sweepConnections() {
	if len(n.connections) < connectionsKept {
		return
	}
	for key, c := range n.connections { // order does not matter: what is closed goes
		if n.world.now-c.used > connectionIdle {
			delete(n.connections, key)
		}
	}
}
