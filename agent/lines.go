package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"hearsay"
	"hearsay/dialect"
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
	factsPerSecond  = 200  // requests that are work: with facts of ours to verify, 60 µs a signature and up to 16 of them; walks of the roster
	factsPerClass   = 1000 //
	factsClassBurst = 4000 // a network that starts together
	parsesPerSecond = 400  // lines that are taken apart, at some 0.5 ms for the longest: a fifth of a processor
	parsesPerClass  = 1600 // the longest are as much as a processor can do; most are 20 times shorter

	// Lists of peers are the longest replies by far: 74 kB of 4,096 peers, for a line of 60
	// bytes. So they are bounded in bytes a second, as what answers for the ledger is.
	listBytesPerSource = 512 << 10 //
	listBytesPerClass  = 2 << 20   //
	listLeast          = 1 << 10   // that each counts as
)

var (
	caseShares  = perSource(quota.PerSecond(casesPerSecond, casesBurst), quota.PerSecond(casesPerClass, casesPerClass))
	factShares  = perSource(quota.PerSecond(factsPerSecond, factsPerSecond), quota.PerSecond(factsPerClass, factsClassBurst))
	parseShares = perSource(quota.PerSecond(parsesPerSecond, parsesPerSecond), quota.PerSecond(parsesPerClass, parsesPerClass))
	listShares  = perSource(quota.PerSecond(listBytesPerSource, listBytesPerSource), quota.PerSecond(listBytesPerClass, listBytesPerClass))
)

// lineTimes are how long the parts of an exchange may take.
type lineTimes struct {
	request time.Duration // from its first byte to its end
	answer  time.Duration // from the first byte of the request until there is one
	write   time.Duration // of the reply
	linger  time.Duration // until the other end closes, too: else what it still sends may destroy the reply under way
}

var defaultLineTimes = lineTimes{
	request: time.Second,
	answer:  1450 * time.Millisecond,
	write:   2 * time.Second,
	linger:  500 * time.Millisecond,
}

// lineDiscardMax is how much, in bytes, is read and thrown away of a connection
// that was answered already.
const lineDiscardMax = 1 << 20

// answering answers a request that came from an address. Its context ends when
// the answer must be there; nil says that there is none by then.
type answering func(ctx context.Context, r dialect.Request, from netip.AddrPort) dialect.Reply

// lineServer answers those who connect and speak JSON lines.
type lineServer struct {
	role     hearsay.Role
	answer   answering
	counters *counters
	times    lineTimes

	mu       sync.Mutex
	open     [quota.Seat + 1]int // by class
	bySource map[netip.Addr]int  // open
	cases    *quota.Quota
	facts    *quota.Quota
	parses   *quota.Quota
	lists    *quota.Quota // in bytes
	listed   int          // bytes of the last list: the next one counts as that

	parsing parsing
}

// parsing has lines taken apart one at a time: many that wait for a processor would
// keep the loop waiting for its own turn. Those that wait have their turns as in the inbox:
// a flood of strangers' lines does not delay a member's.
type parsing struct {
	mu      sync.Mutex
	busy    bool
	waiting turns
}

// begin waits for the turn of a sender.
func (p *parsing) begin(sender quota.Sender) {
	p.mu.Lock()
	if !p.busy {
		p.busy = true
		p.mu.Unlock()
		return
	}
	turn := make(chan struct{})
	p.waiting.classes[sender.Class].add(sender.Addr.Addr(), input{taken: turn})
	p.mu.Unlock()
	<-turn
}

// end gives the turn to the next.
func (p *parsing) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	class, waits := p.waiting.next()
	if !waits {
		p.busy, p.waiting = false, turns{last: p.waiting.last} // and the room that a burst took
		return
	}
	p.waiting.take(class)
}

func newLineServer(role hearsay.Role, answer answering, counters *counters) *lineServer {
	return &lineServer{
		role: role, answer: answer, counters: counters, times: defaultLineTimes,
		bySource: make(map[netip.Addr]int),
		cases:    newQuota(caseShares), facts: newQuota(factShares), parses: newQuota(parseShares), lists: newQuota(listShares),
	}
}

// serve answers the one request of a connection of which the first byte is
// here. The caller closes the connection. Its place is held until the reply is written:
// replies that nobody reads are no more than there are places.
func (l *lineServer) serve(ctx context.Context, conn net.Conn, r *bufio.Reader, from netip.AddrPort, class quota.Class) {
	began, source := time.Now(), hearsay.Source(from.Addr())
	if !l.enter(class, source) {
		l.counters.drop(hearsay.DropRate)
		if l.write(conn, dialect.BadInput(l.role, "too many connections; try again")) {
			l.linger(conn)
		}
		return
	}
	sender := quota.Sender{Class: class, Addr: netip.AddrPortFrom(source, 0)}
	reply := l.exchange(ctx, conn, r, from, sender, began)
	written := reply != nil && l.write(conn, reply)
	l.leave(class, source)
	if written {
		l.linger(conn)
	}
}

// write writes a reply, and reports whether that went well.
func (l *lineServer) write(conn net.Conn, reply dialect.Reply) bool {
	line := dialect.AppendReply(nil, reply, time.Now())
	if _, isList := reply.(*dialect.Peers); isList {
		l.mu.Lock()
		l.listed = len(line)
		l.mu.Unlock()
	}
	conn.SetWriteDeadline(time.Now().Add(l.times.write))
	n, err := conn.Write(line)
	l.counters.streamsOut.Add(1)
	l.counters.streamOut.Add(uint64(n))
	return err == nil
}

// linger waits until the other end closes, too.
func (l *lineServer) linger(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		conn.SetReadDeadline(time.Now().Add(l.times.linger))
		io.Copy(io.Discard, io.LimitReader(conn, lineDiscardMax)) // past r, which keeps count; whatever it says, and however it ends
	}
}

// exchange reads a request and gives the reply; nil if there is nobody any
// more who would read it.
func (l *lineServer) exchange(ctx context.Context, conn net.Conn, r *bufio.Reader, from netip.AddrPort, sender quota.Sender, began time.Time) dialect.Reply {
	conn.SetReadDeadline(began.Add(l.times.request))
	line, err := readLine(r, dialect.RequestLineMax)
	switch {
	case errors.Is(err, errLineLong):
		l.counters.drop(hearsay.DropOversized)
		return dialect.BadInput(l.role, fmt.Sprintf("line longer than %d bytes", dialect.RequestLineMax))
	case errors.Is(err, os.ErrDeadlineExceeded):
		l.counters.drop(hearsay.DropSlow)
		return dialect.BadInput(l.role, fmt.Sprintf("no whole line within %v", l.times.request))
	case errors.Is(err, errBudget):
		l.counters.drop(hearsay.DropQueueFull)
		return dialect.BadInput(l.role, "too much is being received; try again")
	case err != nil:
		return nil
	}
	l.counters.streamsIn.Add(1)
	l.counters.streamIn.Add(uint64(len(line)))
	request, reply := l.parse(line, sender)
	if request == nil {
		switch reply.(type) {
		case *dialect.Refusal, *dialect.Failure:
			l.counters.drop(hearsay.DropMalformed)
		}
		return reply
	}
	if why := l.refuse(request, sender); why != "" {
		l.counters.drop(hearsay.DropRate)
		return dialect.BadInput(l.role, why)
	}
	ctx, cancel := context.WithDeadline(ctx, began.Add(l.times.answer))
	defer cancel()
	if reply = l.answer(ctx, request, from); reply == nil {
		reply = dialect.BadInput(l.role, "no answer in time; try again")
	}
	return reply
}

// parse takes a line apart in its sender's turn. What a sender has no share left for is
// refused unread.
func (l *lineServer) parse(line []byte, sender quota.Sender) (dialect.Request, dialect.Reply) {
	l.mu.Lock()
	allowed := l.parses.Take(time.Now(), sender, 1)
	l.mu.Unlock()
	if !allowed {
		l.counters.drop(hearsay.DropRate)
		return nil, dialect.BadInput(l.role, tooMany("lines", parsesPerSecond, parsesPerClass, sender))
	}
	l.parsing.begin(sender)
	defer l.parsing.end()
	return dialect.ReadRequest(line, l.role)
}

// enter counts a connection, if there is room for it. One source may hold as
// many as are still free to its class, so that some sources, each holding what it
// may, leave an equal share to the next.
func (l *lineServer) enter(class quota.Class, source netip.Addr) bool {
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

func (l *lineServer) leave(class quota.Class, source netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[class]--
	if l.bySource[source]--; l.bySource[source] == 0 {
		delete(l.bySource, source)
	}
}

// refuse says why a request is not looked at: its source asks too much. One
// with facts of ours proves itself, and so is counted apart: a flood of words
// from an address must not shut out what a node there can prove.
func (l *lineServer) refuse(r dialect.Request, sender quota.Sender) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	_, suspects := r.(*dialect.Suspect)
	_, lists := r.(*dialect.PeerList)
	switch proven := len(dialect.FactsOf(r)) > 0; {
	case lists && !l.lists.Take(now, sender, max(l.listed, listLeast)):
		return tooMany("bytes of lists", listBytesPerSource, listBytesPerClass, sender)
	case (proven || suspects || lists) && !l.facts.Take(now, sender, 1):
		return tooMany("requests", factsPerSecond, factsPerClass, sender)
	case !proven && dialect.OpensCase(r) && !l.cases.Take(now, sender, 1):
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

// The limits on requests that this node makes.
const (
	asksMax = 64 // under way at a time; more wait. A guess

	askSeedTimeout   = 1800 * time.Millisecond // of a seed, as the older seeds have it
	askPeerTimeout   = 2 * time.Second         // of a peer, as the older peers have it
	askGossipTimeout = 1500 * time.Millisecond // and for a message
)

// asker makes requests in JSON lines.
type asker struct {
	role    hearsay.Role
	source  *outbound     // from which it asks
	pending chan struct{} // one for each request under way
}

// newAsker makes an asker for a node of this role. Seeds look where a request comes from.
func newAsker(role hearsay.Role, source *outbound) *asker {
	return &asker{role: role, source: source, pending: make(chan struct{}, asksMax)}
}

// timeout is how long a request may take, from dialling to the reply.
func (a *asker) timeout(r dialect.Request) time.Duration {
	_, gossip := r.(*dialect.Gossip)
	switch {
	case a.role == hearsay.RoleSeed:
		return askSeedTimeout
	case gossip:
		return askGossipTimeout
	}
	return askPeerTimeout
}

// noAnswerError says that nothing came in time.
type noAnswerError struct{ error }

func (noAnswerError) Error() string   { return "no answer in time" }
func (e noAnswerError) Unwrap() error { return e.error }

// ask makes one request and gives its reply. A refusal is a
// *dialect.RefusedError. No error names who was asked: the caller does.
func (a *asker) ask(ctx context.Context, to netip.AddrPort, r dialect.Request) (dialect.Reply, error) {
	select {
	case a.pending <- struct{}{}:
		defer func() { <-a.pending }()
	case <-ctx.Done():
		return nil, noAnswerError{ctx.Err()}
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout(r))
	defer cancel()
	line, err := a.exchange(ctx, to, dialect.AppendRequest(nil, r, time.Now()))
	failed, ok := errors.AsType[*os.SyscallError](err)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, noAnswerError{ctx.Err()} // and not that the connection was closed for it
	case ok:
		return nil, failed.Err // without from where to where
	case err != nil:
		return nil, err
	}
	return dialect.ReadReply(line, r)
}

// exchange sends one line and gives the one that comes back.
func (a *asker) exchange(ctx context.Context, to netip.AddrPort, line []byte) ([]byte, error) {
	if len(line) > dialect.RequestLineMax {
		return nil, errLineLong
	}
	conn, err := dialFrom(ctx, net.Dialer{}, a.source.now.Load().addr, to)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := conn.Write(line); err != nil {
		return nil, err
	}
	reply, err := readLine(bufio.NewReader(conn), dialect.ReplyLineMax)
	if errors.Is(err, io.EOF) {
		err = errors.New("it closed the connection without a word")
	}
	return reply, err
}
