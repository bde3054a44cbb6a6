package agent

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"hearsay"
	"hearsay/guest"
	"hearsay/internal/core"
	"hearsay/node"
	"hearsay/quota"
	"hearsay/wire"
)

const (
	// lateListen is how late a deadline must be noticed for the loop to hear
	// first what came in meanwhile: an answer that waits in the socket was in
	// time.
	lateListen     = 10 * time.Millisecond
	lateListenFor  = time.Millisecond
	lateListenMost = 256 // datagrams

	// datagramsPerTurn is how many datagrams that wait are received before the
	// next input of the inbox. A guess: a node gets a few a second, and these take
	// about as long as one packet by stream.
	datagramsPerTurn = 16

	// readFailsMax is how many reads of the socket may fail one after the other
	// before the agent gives up.
	readFailsMax = 100

	// seekEvery is how often the loop asks itself whether names must be looked up, or members have gone, and
	// mostFades how long a roster is remembered that had more than twice as many.
	seekEvery = time.Second
	mostFades = time.Hour

	// encodeBuffer holds any datagram; what is longer gets a buffer of its own.
	encodeBuffer = core.MTU + 128
)

// encodeBuffers are for datagrams while they are sent. All agents of a process
// share them: an agent that sends nothing needs none.
var encodeBuffers = sync.Pool{New: func() any { return new([encodeBuffer]byte) }}

// loop owns the node: one goroutine that hands it packets, time and calls, and
// sees to what the node asks for.
type loop struct {
	node       *node.Node
	network    hearsay.NetworkID
	decoder    *wire.Decoder
	datagrams  *datagrams
	streams    *streams
	commits    *commitQueue
	inbox      *inbox
	reader     *reader
	changes    *changes
	counters   *counters
	resolver   *resolver
	questions  *questions
	duplicates *guest.Duplicates // nil: rumors that come again are not told of
	// called once the node has left, or gone away: nil, or what did not come of it
	gone     func(why error)
	failed   func(error)                  // called when it cannot go on
	diskTold func(behind bool, bytes int) // called when the disk does not keep up, and when it does again

	callers *callers
	lines   *guest.Server // answers lines

	guests     *guest.Probes // of a network with seeds, else nil
	guestLinks *guest.Links  // of a peer of such a network, else nil
	guestLists *guest.Abroad // of a peer whose seeds are an earlier program's, else nil
	host       *guest.Host

	seekAt    time.Time   // when names are thought of next
	most      int         // members that were living at once, lately
	mostAt    time.Time   // when there were so many last
	packet    core.Packet // the one being received
	ticked    bool        // at least once
	readFails int         // one after the other
	ends      ending
	behind    bool  // the disk does not keep up, as far as was told
	departed  bool  // members have moved or gone since the second began: see acquaint
	told      bool  // gone was called, or will be
	lost      error // why nothing can be made durable any more
}

// run runs until the inbox is closed, or the socket fails: then it says why.
func (l *loop) run() error {
	for {
		if ended, err := l.turn(); ended {
			return err
		}
	}
}

// turn is a tick if one is due, one input of the inbox if there is one, and what
// waits in the socket, up to a bound. So no kind of input waits for more than one
// turn of the others, whatever comes of them. It reports whether the loop is to
// end, and why if that is a failure.
func (l *loop) turn() (ended bool, err error) {
	l.node.DiskWaits(l.commits.unwritten())
	now := l.tick(time.Now())
	l.checkMustStop()
	l.checkDisk()
	in, queued, open := l.inbox.next()
	switch {
	case !open:
		return true, nil
	case queued:
		l.work(now, in)
		return l.listen()
	case !time.Now().Before(l.node.Deadline()): // the tick took longer than until the next
		return l.listen()
	case l.inbox.sleepUntil(l.node.Deadline()):
		packet, from, err := l.datagrams.receive()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			l.inbox.awake()
		case errors.Is(err, net.ErrClosed):
			return true, nil
		}
		_, err = l.heard(packet, from, err)
		return err != nil, err
	}
	return false, nil
}

// listen takes what waits in the socket, up to a bound, and waits for nothing.
func (l *loop) listen() (ended bool, err error) {
	for range datagramsPerTurn {
		if more, err := l.heard(l.datagrams.poll()); !more || err != nil {
			return err != nil, err
		}
	}
	return false, nil
}

// tick lets the node's time pass if it is due. If that is noticed late the loop
// hears first what came in meanwhile.
func (l *loop) tick(now time.Time) time.Time {
	deadline := l.node.Deadline()
	if now.Before(deadline) {
		return now
	}
	if now.Sub(deadline) > lateListen && l.ticked {
		now = l.listenLate()
	}
	l.ticked = true
	l.carryOut(l.node.Tick(now))
	l.checkGone()
	l.seek(now)
	return now
}

// seek has the names of contacts looked up: more often while this node is alone, or sees
// less than half of the members that it saw. Once a second it also has connections known by
// where members are now.
func (l *loop) seek(now time.Time) {
	if now.Before(l.seekAt) {
		return
	}
	l.seekAt = now.Add(seekEvery)
	if l.departed {
		l.departed = false
		l.streams.known.only(l.node.Addresses().Others())
	}
	living := l.node.Living()
	if living >= l.most || now.Sub(l.mostAt) > mostFades {
		l.most, l.mostAt = living, now
	}
	if living < 2 || 2*living < l.most {
		l.resolver.again()
		return
	}
	l.resolver.lookedUpWithin(lookupEvery)
}

// heard takes what a read of the socket gave, and reports whether that was a
// datagram. It fails where the socket does, time after time.
func (l *loop) heard(packet []byte, from netip.AddrPort, err error) (one bool, failure error) {
	switch {
	case err == nil:
		l.readFails = 0
		l.receiveDatagram(time.Now(), packet, from)
		return true, nil
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed):
		l.readFails = 0
		return false, nil
	}
	if l.readFails++; l.readFails == readFailsMax {
		return false, fmt.Errorf("receive datagrams: %w", err)
	}
	return false, nil
}

// listenLate receives what came in while the loop was kept from running.
func (l *loop) listenLate() (now time.Time) {
	now = time.Now()
	l.inbox.awake()
	l.datagrams.conn.SetReadDeadline(now.Add(lateListenFor))
	for range lateListenMost {
		packet, from, err := l.datagrams.receive()
		if err != nil {
			break
		}
		l.receiveDatagram(time.Now(), packet, from)
	}
	return time.Now()
}

// work does what one input of the inbox asks for.
func (l *loop) work(now time.Time, in input) {
	if in.call != nil {
		in.call(now)
	} else {
		l.receive(now, in.packet, in.from, true)
	}
	l.checkGone()
}

// checkMustStop has the agent stop if the node must.
func (l *loop) checkMustStop() {
	if why := l.node.MustStop(); why != "" {
		l.failed(errors.New(why))
	}
}

// checkDisk tells when the node takes on less because of its disk, and when no more.
func (l *loop) checkDisk() {
	if behind := l.node.DiskBehind() > 0; behind != l.behind {
		l.behind = behind
		bytes, _ := l.commits.unwritten()
		l.diskTold(behind, bytes)
	}
}

// ending is how a node is told to end, other than by closing it.
type ending uint8

const (
	endsLeave ending = iota + 1
	endsAway
)

// end has the node leave or go away, unless it was told either before: that counts. It returns which of the
// two it does.
func (l *loop) end(now time.Time, how ending) ending {
	if l.ends != 0 {
		return l.ends
	}
	l.ends = how
	if how == endsAway {
		l.carryOut(l.node.Away(now))
	} else {
		l.carryOut(l.node.Leave(now))
	}
	return how
}

// loseDisk has a node that can make nothing durable any more, which is why, leave before it stops.
func (l *loop) loseDisk(now time.Time, why error) (leaves bool) {
	if l.ends != 0 {
		return false
	}
	_, since := l.commits.unwritten()
	fx, leaves := l.node.LoseDisk(now, since)
	if !leaves {
		return false
	}
	l.ends, l.lost = endsLeave, why
	l.commits.forget()
	l.carryOut(fx)
	return true
}

// checkGone says once that the node has left, or gone away, when what it sent to tell so is
// on its way.
func (l *loop) checkGone() {
	if l.ends == 0 || l.told || !l.node.Gone() {
		return
	}
	l.told = true
	var why error
	switch {
	case l.lost != nil:
		why = l.lost
	case l.ends == endsAway && l.node.AwayUnheard():
		why = hearsay.ErrAwayUnheard
	case l.ends == endsLeave && !l.node.Left():
		why = hearsay.ErrLeaveUnruled
	}
	l.commits.afterwards(func() { l.gone(why) })
}

func (l *loop) receiveDatagram(now time.Time, packet []byte, from netip.AddrPort) {
	if packet != nil && l.datagrams.allow(now, from.Addr()) {
		l.receive(now, packet, from, false)
	}
}

// receive decodes a packet and hands it to the node.
func (l *loop) receive(now time.Time, packet []byte, from netip.AddrPort, stream bool) {
	if reason, ok := l.decoder.Decode(packet, &l.packet); !ok {
		l.counters.drop(reason)
		return
	}
	l.streams.languages.heard(from)
	l.packet.Addr, l.packet.Stream, l.packet.Size = from, stream, len(packet)
	if stream {
		if sender := l.node.Addresses().Sender(&l.packet); sender.Class != quota.Stranger {
			l.streams.proved(from, sender.Addr)
		}
	}
	if m, ok := l.packet.Body.(*core.Ack); ok && l.guestLists != nil {
		l.guestLists.Answered(now, from, m.Seq)
	}
	if m, ok := l.packet.Body.(*core.Rumors); ok && l.duplicates != nil {
		l.duplicates.Hear(now, &l.packet, m, l.commits.afterwards)
	}
	l.carryOut(l.node.Receive(now, &l.packet))
}

// carryOut does what a step of the node asks for, or queues it in the commit queue.
// It is called before the next step: until then the effects are valid.
func (l *loop) carryOut(fx *core.Effects) {
	if fx.Empty() {
		return
	}
	buffer := encodeBuffers.Get().(*[encodeBuffer]byte)
	defer encodeBuffers.Put(buffer)
	for i := range fx.Now {
		if p := &fx.Now[i]; !l.toGuest(p) {
			if o := l.encode(buffer, p); l.mayDial(&o) {
				l.send(o)
			}
		}
	}
	for _, read := range fx.Read {
		l.reader.read(l, read)
	}
	if len(fx.Persist)+len(fx.Send)+len(fx.Events) == 0 {
		return
	}
	clear := l.commits.persist(fx.Persist)
	for i := range fx.Send {
		if l.toGuest(&fx.Send[i]) {
			continue
		}
		o := l.encode(buffer, &fx.Send[i])
		if !l.mayDial(&o) {
			continue
		}
		if clear {
			l.send(o)
			continue
		}
		if !o.stream {
			o.bytes = append([]byte(nil), o.bytes...)
		}
		if !l.commits.enqueue(o) {
			l.counters.unsent(1)
		}
	}
	if len(fx.Events) > 0 {
		l.report(fx.Events)
	}
}

// toGuest reports whether a packet is to a guest, and sees to it.
func (l *loop) toGuest(p *core.Packet) bool {
	if l.guests == nil || !l.guests.Takes(p) {
		return false
	}
	if ping, is := p.Body.(*core.Ping); is && l.guestLinks != nil && !ping.Target.IsZero() {
		l.guestLinks.Probed(time.Now(), ping.Target, p.Addr)
	}
	return true
}

// report queues events in the commit queue, and looks for contacts where they say
// that there are none.
func (l *loop) report(events []hearsay.Event) {
	for i := range events {
		if e := events[i].Evidence; e != nil {
			kept := *e
			kept.Statements = append([]hearsay.Statement(nil), e.Statements...)
			events[i].Evidence = &kept
		}
		if b := events[i].Ballot; b != nil {
			kept := *b
			events[i].Ballot = &kept
		}
		if l.guests != nil {
			l.guests.Note(&events[i])
		}
		if l.guestLinks != nil {
			l.guestLinks.Note(time.Now(), &events[i])
		}
		if l.guestLists != nil {
			l.guestLists.Note(&events[i])
		}
		l.acquaint(&events[i])
		tellOfThen(&events[i])
		switch events[i].Kind {
		case hearsay.EventFresh:
			l.questions.answer(&events[i])
		case hearsay.EventKeyChanged:
			l.commits.changed(change{l.changes.made.Add(1), events[i].At, events[i].Change})
		case hearsay.EventJoinFail, hearsay.EventAlone:
			l.resolver.again()
		}
	}
	l.commits.report(slices.DeleteFunc(events, l.keeps))
}

// tellOfThen takes the incarnation from a removal that was ruled before this node started: the roster has the newest,
// and what it was then is not known.
func tellOfThen(e *hearsay.Event) {
	if e.Before && (e.Kind == hearsay.EventMemberRemoved || e.Kind == hearsay.EventMemberLeft) {
		e.Incarnation = 0
	}
}

// keeps reports whether an event is not among those that the application is told: what one protocol asks of another,
// and the answer, as a seed's own probes, changes of keys, which Watch tells, and what an earlier life has told.
func (l *loop) keeps(e hearsay.Event) bool {
	switch e.Kind {
	case hearsay.EventFresh, hearsay.EventProbeWanted, hearsay.EventKeyChanged:
		return true
	case hearsay.EventExamined:
		return l.node.Self().Role == hearsay.RoleSeed // which is nobody's observer
	}
	return e.Past && e.Kind != hearsay.EventRumor
}

// acquaint has connections known by where members are. That of one that has gone is
// known until the next second begins: see seek.
func (l *loop) acquaint(e *hearsay.Event) {
	switch e.Kind {
	case hearsay.EventMemberDead, hearsay.EventMemberRemoved, hearsay.EventMemberLeft:
		l.departed = true
	case hearsay.EventMemberMoved:
		l.departed = true
		fallthrough
	case hearsay.EventMemberJoined, hearsay.EventMemberReturned:
		if addr, ok := l.node.Addresses().Of(e.Subject); ok {
			l.streams.known.add(addr.Addr())
		}
	}
}

// encode gives the bytes of a packet: a datagram in the buffer, or a frame of
// its own where it goes by stream.
func (l *loop) encode(buffer *[encodeBuffer]byte, p *core.Packet) outgoing {
	if !p.Stream {
		if b := wire.AppendPacket(buffer[:0], l.network, p); len(b) <= core.MTU {
			return outgoing{bytes: b, to: p.Addr}
		}
	}
	o := outgoing{bytes: wire.AppendFrame(nil, l.network, p), to: p.Addr, stream: true, fresh: p.Fresh}
	if m, is := p.Body.(*core.Outcome); is {
		kept := m.Outcome // the core's is valid until the next step
		o.outcome = &kept
		l.lines.Answered(&kept, p.Addr)
	}
	return o
}

// mayDial reports whether a packet may go: by datagram, on a connection that is open, or where the
// node may open one. A caller that has connected is answered.
func (l *loop) mayDial(o *outgoing) bool {
	if !o.stream || l.node.Addresses().MayDial(o.to) || l.streams.isOpen(o.to) || o.outcome != nil {
		return true
	}
	l.counters.drop(hearsay.DropStranger)
	return false
}

// send sends a packet now. It is safe in any goroutine.
func (l *loop) send(o outgoing) {
	switch {
	case o.outcome != nil:
		if !l.callers.deliver(o.to, o.outcome) {
			l.streams.reply(o.to, o.bytes)
		}
	case o.fresh:
		l.streams.sendAfresh(o.to, o.bytes)
	case o.stream:
		l.streams.send(o.to, o.bytes)
	default:
		l.datagrams.send(o.bytes, o.to)
	}
}

// putFor queues a call that a line from an address has caused; see inbox. It is
// safe in any goroutine.
func (l *loop) putFor(addr netip.Addr, call func(now time.Time)) bool {
	return l.inbox.putFor(l.streams.known.class(addr), addr, call)
}

// hand has the node receive a packet that came another way than by the sockets
// of the loop. The packet must not be changed any more.
func (l *loop) hand(p *core.Packet) {
	l.inbox.put(func(now time.Time) { l.carryOut(l.node.Receive(now, p)) })
}
