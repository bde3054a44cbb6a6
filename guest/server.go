package guest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/internal/core"
	"hearsay/quota"
)

// The limits on JSON lines. A connection is one request and one reply. The
// older programs wait 1.8 s for that (seeds) or 2 s (peers), so a node answers
// within 1.45 s, if it is asked in one piece: on a busy machine the way takes
// some of the rest.
const (
	linesMax       = 512 // at a time. A guess: each has a goroutine, and at most a line
	linesSeats     = 32  // of these, that only seats get
	linesStrangers = 256 // of these, that strangers share
	linesPerSource = 128 // from one source at a time. A guess: a bulk of peers may be behind one

	// What may be asked, of one source and of all sources of a class: so much a
	// second, and so much at once; up to twice that (see quota.Share). All are guesses.
	casesPerSecond  = 5    // cases that are opened: five peers of one host that start together
	casesBurst      = 20   //
	casesPerClass   = 200  //
	walksPerSecond  = 200  // walks of the roster
	walksPerClass   = 1000 //
	parsesPerSecond = 400  // lines that are taken apart, at some 0.5 ms for the longest: a fifth of a processor
	parsesPerClass  = 1600 // the longest are as much as a processor can do; most are 20 times shorter

	// Lists of peers are the longest replies by far: 74 kB of 4,096 peers, for a line of 60
	// bytes. So they are bounded in bytes a second, as what answers for the ledger is.
	listBytesPerSource = 512 << 10 //
	listBytesPerClass  = 2 << 20   //
	listLeast          = 1 << 10   // that each counts as
)

var (
	caseShares  = quota.PerSource(quota.PerSecond(casesPerSecond, casesBurst), quota.PerSecond(casesPerClass, casesPerClass))
	walkShares  = quota.PerSource(quota.PerSecond(walksPerSecond, walksPerSecond), quota.PerSecond(walksPerClass, walksPerClass))
	parseShares = quota.PerSource(quota.PerSecond(parsesPerSecond, parsesPerSecond), quota.PerSecond(parsesPerClass, parsesPerClass))
	listShares  = quota.PerSource(quota.PerSecond(listBytesPerSource, listBytesPerSource), quota.PerSecond(listBytesPerClass, listBytesPerClass))
)

// newQuota makes a quota of which nothing is used.
func newQuota(shares *quota.Shares) *quota.Quota { return quota.New(rand.Uint64(), shares) }

// lineTimes are how long the parts of an exchange may take.
type lineTimes struct {
	request time.Duration // from its first byte to its end
	answer  time.Duration // from the first byte of the request until there is one
	write   time.Duration // of the reply
	linger  time.Duration // until the other end closes, too: else what it still sends may destroy the reply under way
	idle    time.Duration // of a connection of text, between two messages
	admit   time.Duration // as answer, of a registration by text: the earlier programs wait, and never ask again
}

var defaultLineTimes = lineTimes{
	request: time.Second,
	answer:  1450 * time.Millisecond,
	write:   2 * time.Second,
	linger:  500 * time.Millisecond,
	admit:   5 * time.Second,
	idle:    10 * time.Minute, // a guess: what they say comes every 13 s at least; one whose place is needed goes earlier
}

// lineDiscardMax is how much, in bytes, is read and thrown away of a connection
// that was answered already.
const lineDiscardMax = 1 << 20

// asker is what asks: where its connection comes from, and what it speaks.
type asker struct {
	netip.AddrPort
	speaks core.Dialect
}

// answering answers a request that came from an address. Its context ends when
// the answer must be there; nil says that there is none by then.
type answering func(ctx context.Context, r dialect.Request, from asker) dialect.Reply

// Server answers connections that speak JSON lines, and text.
type Server struct {
	host   *Host
	seed   *seed // of a seed's node, else nil
	peer   *peer // of a peer's, else nil
	answer answering
	times  lineTimes

	mu       sync.Mutex
	open     [quota.Seat + 1]int // by class
	bySource map[netip.Addr]int  // open
	cases    *quota.Quota
	walks    *quota.Quota
	parses   *quota.Quota
	lists    *quota.Quota // in bytes
	listed   int          // bytes of the last list: the next one counts as that
}

// NewServer gives what answers lines as a seed's node does, or as a peer's, which has links to guests: nil in an open
// network.
func NewServer(h *Host, links *Links) *Server {
	if h.Role != hearsay.RoleSeed {
		peer := newPeer(h, links)
		s := newServer(h, peer.answer)
		s.peer = peer
		return s
	}
	seed := newSeed(h)
	s := newServer(h, seed.answer)
	s.seed = seed
	return s
}

// GoAbroad has a peer's node answer as one whose seeds are an earlier program's.
func (l *Server) GoAbroad(a *Abroad) { l.peer.abroad.Store(a) }

func newServer(h *Host, answer answering) *Server {
	return &Server{
		host: h, answer: answer, times: defaultLineTimes,
		bySource: make(map[netip.Addr]int),
		cases:    newQuota(caseShares), walks: newQuota(walkShares), parses: newQuota(parseShares), lists: newQuota(listShares),
	}
}

// Answered is told of each outcome that a seed's node sends, in the goroutine that owns it: a peer that is in, and asks
// to be let in, is told of in the log.
func (l *Server) Answered(o *hearsay.Outcome, to netip.AddrPort) {
	if l.seed != nil && o.Kind == hearsay.RulingAdmit && o.Code == hearsay.OutcomeDone && o.Yes == 0 {
		l.seed.repeats(l.host.Node.Addresses().Where(o.Stay.ID), to)
	}
}

// Serve answers the one request of a connection of which the first byte is
// here, or all that is said by text. The caller closes the connection, unless it was only asked what is here: then
// frames may follow. Its place is held until the reply is written: replies that nobody reads are no more than there are
// places.
func (l *Server) Serve(ctx context.Context, conn net.Conn, r *bufio.Reader, from netip.AddrPort, class quota.Class) (asked bool) {
	began, source := time.Now(), core.Source(from.Addr())
	said, _ := r.Peek(r.Buffered())
	opening := dialect.ReadOpening(said)
	if opening == dialect.OpensQuestion || opening == dialect.OpensText {
		return l.meet(ctx, conn, r, from, opening)
	}
	if !l.enter(class, source) {
		l.host.Drop(hearsay.DropRate)
		if opening == dialect.OpensLine && l.write(conn, dialect.BadInput(l.host.Role, "too many connections; try again")) {
			l.linger(conn)
		}
		return false
	}
	conn.SetReadDeadline(began.Add(l.times.request))
	if opening = await(r, opening); opening != dialect.OpensLine {
		l.leave(class, source)
		return l.meet(ctx, conn, r, from, opening)
	}
	sender := quota.Sender{Class: class, Addr: netip.AddrPortFrom(source, 0)}
	reply := l.exchange(ctx, conn, r, from, sender, began)
	written := reply != nil && l.write(conn, reply)
	l.leave(class, source)
	if written {
		l.linger(conn)
	}
	return false
}

// await reads on until what has come shows what the connection is. What never does is text without an end.
func await(r *bufio.Reader, opening dialect.Opening) dialect.Opening {
	for opening == 0 {
		if _, err := r.Peek(r.Buffered() + 1); err != nil {
			return dialect.OpensText
		}
		said, _ := r.Peek(r.Buffered())
		opening = dialect.ReadOpening(said)
	}
	return opening
}

// meet says what is here to a node that asks, and serves text. It reports whether it was asked that.
func (l *Server) meet(ctx context.Context, conn net.Conn, r *bufio.Reader, from netip.AddrPort, opening dialect.Opening) (asked bool) {
	if opening != dialect.OpensQuestion {
		l.serveText(ctx, conn, r, from)
		return false
	}
	r.ReadSlice('\n') // it is here
	conn.SetWriteDeadline(time.Now().Add(l.times.write))
	n, err := io.WriteString(conn, dialect.Answer)
	l.host.Wrote(n)
	return err == nil
}

// write writes a reply, and reports whether that went well.
func (l *Server) write(conn net.Conn, reply dialect.Reply) bool {
	if failure, is := reply.(*dialect.Failure); is {
		failure.Facts = factsOf(l.host.Network, l.host.Self)
	}
	line := dialect.AppendReply(nil, reply, time.Now())
	if _, isList := reply.(*dialect.Peers); isList {
		l.mu.Lock()
		l.listed = len(line)
		l.mu.Unlock()
	}
	conn.SetWriteDeadline(time.Now().Add(l.times.write))
	n, err := conn.Write(line)
	l.host.Wrote(n)
	return err == nil
}

// linger waits until the other end closes, too.
func (l *Server) linger(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		conn.SetReadDeadline(time.Now().Add(l.times.linger))
		// past r, which keeps count; whatever it says, and however it ends
		io.Copy(io.Discard, io.LimitReader(conn, lineDiscardMax))
	}
}

// exchange reads a request and gives the reply; nil if the other end is gone
// and would not read it, or if the node ends.
func (l *Server) exchange(ctx context.Context, conn net.Conn, r *bufio.Reader, from netip.AddrPort, sender quota.Sender, began time.Time) dialect.Reply {
	conn.SetReadDeadline(began.Add(l.times.request))
	line, err := readLine(r, dialect.RequestLineMax)
	switch {
	case errors.Is(err, errLineLong):
		l.host.Drop(hearsay.DropOversized)
		return dialect.BadInput(l.host.Role, fmt.Sprintf("line longer than %d bytes", dialect.RequestLineMax))
	case errors.Is(err, os.ErrDeadlineExceeded):
		l.host.Drop(hearsay.DropSlow)
		return dialect.BadInput(l.host.Role, fmt.Sprintf("no whole line within %v", l.times.request))
	case errors.Is(err, l.host.Busy):
		l.host.Drop(hearsay.DropQueueFull)
		return dialect.BadInput(l.host.Role, "too much is being received; try again")
	case err != nil:
		return nil
	}
	l.host.Read(len(line))
	request, reply := l.parse(line, sender)
	if request == nil {
		switch reply.(type) {
		case *dialect.Refusal, *dialect.Failure:
			l.host.Drop(hearsay.DropMalformed)
		}
		return reply
	}
	if why := l.refuse(request, sender); why != "" {
		l.host.Drop(hearsay.DropRate)
		return dialect.BadInput(l.host.Role, why)
	}
	inTime, cancel := context.WithDeadline(ctx, began.Add(l.times.answer))
	defer cancel()
	if reply = l.answer(inTime, request, asker{from, core.Lines}); reply == nil && ctx.Err() == nil { // else the node ends
		reply = dialect.BadInput(l.host.Role, "no answer in time; try again")
	}
	return reply
}

// parse takes a line apart in its sender's turn. What a sender has no share left for is
// refused unread.
func (l *Server) parse(line []byte, sender quota.Sender) (dialect.Request, dialect.Reply) {
	l.mu.Lock()
	allowed := l.parses.Take(time.Now(), sender, 1)
	l.mu.Unlock()
	if !allowed {
		l.host.Drop(hearsay.DropRate)
		return nil, dialect.BadInput(l.host.Role, tooMany("lines", parsesPerSecond, parsesPerClass, sender))
	}
	defer l.host.Turn(sender)()
	return dialect.ReadRequest(line, l.host.Role)
}

// enter counts a connection, if there is room for it. One source may hold as
// many as are still free to its class, so that some sources, each holding what it
// may, leave an equal share to the next.
func (l *Server) enter(class quota.Class, source netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	strangers := l.open[quota.Stranger]
	free := linesMax - strangers - l.open[quota.Member] - l.open[quota.Seat]
	switch class {
	case quota.Stranger:
		free = min(free-linesSeats, linesStrangers-strangers)
	case quota.Member:
		free -= linesSeats
	}
	if l.bySource[source] >= min(linesPerSource, free) {
		return false
	}
	l.open[class]++
	l.bySource[source]++
	return true
}

func (l *Server) leave(class quota.Class, source netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[class]--
	if l.bySource[source]--; l.bySource[source] == 0 {
		delete(l.bySource, source)
	}
}

// refuse says why a request is not looked at: its source asks too much.
func (l *Server) refuse(r dialect.Request, sender quota.Sender) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	work := r.Work()
	switch {
	case work == dialect.List && !l.lists.Take(now, sender, max(l.listed, listLeast)):
		return tooMany("bytes of lists", listBytesPerSource, listBytesPerClass, sender)
	case (work == dialect.Walk || work == dialect.List) && !l.walks.Take(now, sender, 1):
		return tooMany("requests", walksPerSecond, walksPerClass, sender)
	case work == dialect.Case && !l.cases.Take(now, sender, 1):
		return tooMany("cases", casesPerSecond, casesPerClass, sender)
	}
	return ""
}

// tooMany says why more is refused.
func tooMany(what string, each, all int, sender quota.Sender) string {
	return fmt.Sprintf("more than %d %s a second from %s, or %d from all like it; try again", each, what, sender.Addr.Addr(), all)
}

var errLineLong = errors.New("the line is too long")

// readLine reads to the end of the line, or of all that comes. It takes no more
// room than what has come in.
func readLine(r *bufio.Reader, most int) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > most {
			return nil, errLineLong
		}
		line = append(line, part...)
		switch {
		case err == nil, errors.Is(err, io.EOF) && len(line) > 0:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
