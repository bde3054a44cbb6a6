package guest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"hearsay"
	"hearsay/dialect"
	"hearsay/internal/core"
	"hearsay/quota"
)

// This file is about connections of text. What is asked is answered as what is asked by lines is, and bounded by the
// same shares; but a message has no end, and there may be more of them on a connection.

const (
	textBuffer = 1 << 10 // bytes of a connection that are not taken apart: as the earlier programs have it
	// after which a message is whole at which a buffer was full: what has come besides is here at once. A guess
	textMore = 50 * time.Millisecond
	// between two looks at what is being decided. A guess
	textDecided = 100 * time.Millisecond
)

var errTextEnds = errors.New("the connection ends")

// serveText answers what is said over a connection until that ends, by either side: that is how a request is refused.
// Between messages it holds no place of Server's.
func (l *Server) serveText(ctx context.Context, conn net.Conn, r *bufio.Reader, from netip.AddrPort) {
	said := make([]byte, textBuffer)
	n, _ := r.Read(said[:min(r.Buffered(), textBuffer)]) // what is here: the rest is read past r, which keeps count
	more := n == r.Size()
	for {
		rest, err := l.takeText(ctx, conn, said[:n], more, from)
		if err != nil {
			return
		}
		n = copy(said, rest)
		wait := l.times.idle
		switch {
		case more:
			wait = textMore
		case n > 0:
			wait = l.times.request
		}
		conn.SetReadDeadline(time.Now().Add(wait))
		came, err := conn.Read(said[n:])
		switch {
		case err == nil:
			more = n+came == len(said)
			n += came
		case more: // nothing has: what is here is all
			more = false
		default:
			if n > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
				l.host.Drop(hearsay.DropSlow)
			} else if n > 0 && errors.Is(err, io.EOF) {
				l.host.Drop(hearsay.DropTruncated)
			}
			return
		}
	}
}

// takeText answers all messages that are whole, and gives the rest. An error says that the connection is to be closed.
func (l *Server) takeText(ctx context.Context, conn net.Conn, said []byte, more bool, from netip.AddrPort) (rest []byte, err error) {
	if len(said) == 0 {
		return nil, nil
	}
	sender := l.host.Sender(from.Addr())
	if !l.enter(sender.Class, sender.Addr.Addr()) {
		l.host.Drop(hearsay.DropRate)
		return nil, errTextEnds
	}
	defer l.leave(sender.Class, sender.Addr.Addr())
	all, rest, err := l.parseText(said, more, sender)
	if err != nil {
		return nil, err
	}
	for _, one := range all {
		if err := l.answerText(ctx, conn, one, sender, asker{from, core.Text}); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// parseText takes apart what has come in its sender's turn.
func (l *Server) parseText(said []byte, more bool, sender quota.Sender) (all []dialect.Request, rest []byte, err error) {
	l.mu.Lock()
	allowed := l.parses.Take(time.Now(), sender, 1)
	l.mu.Unlock()
	if !allowed {
		l.host.Drop(hearsay.DropRate)
		return nil, nil, errTextEnds
	}
	defer l.host.Turn(sender)()
	all, rest, err = dialect.ReadText(said, l.host.Role, more)
	if err != nil {
		l.host.Drop(hearsay.DropMalformed)
	}
	l.host.Read(len(said) - len(rest))
	return all, rest, err
}

// answerText answers a message, if it is one that is answered. An error is the refusal.
func (l *Server) answerText(ctx context.Context, conn net.Conn, request dialect.Request, sender quota.Sender, from asker) error {
	within := l.times.answer
	if _, registers := request.(*dialect.Register); registers {
		within = l.times.admit
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	refused := l.refuse(request, sender) != ""
	if refused {
		l.host.Drop(hearsay.DropRate)
	}
	var answer []byte
	switch r := request.(type) {
	case *dialect.Gossip, *dialect.DeadReport:
		if !refused {
			l.answer(ctx, r, from)
		}
		return nil
	case *dialect.Liveness:
		if !refused && l.isAlive(ctx, from) {
			answer = dialect.AppendAlive(nil, r, localIP(conn))
		}
	case *dialect.Hello:
		if refused {
			break
		}
		if ack, is := l.answer(ctx, r, from).(*dialect.HelloAck); is && ack.Accepted {
			answer = dialect.AppendLinked(nil, r.Spelling)
		}
	case *dialect.Register:
		r.Peer = netip.AddrPortFrom(from.Addr(), r.Peer.Port())
		list := &dialect.PeerList{}
		if !refused && l.admits(ctx, r, from) && l.refuse(list, sender) == "" {
			if peers, is := l.answer(ctx, list, from).(*dialect.Peers); is {
				answer = dialect.AppendList(nil, peers.Peers, r.Peer)
			}
		}
	}
	if answer == nil {
		return errTextEnds
	}
	conn.SetWriteDeadline(time.Now().Add(l.times.write))
	n, err := conn.Write(answer)
	l.host.Wrote(n)
	return err
}

// admits reports whether a peer is let in, however long that is being decided: another seed may have been asked, too.
func (l *Server) admits(ctx context.Context, r *dialect.Register, from asker) bool {
	for {
		outcome, is := l.answer(ctx, r, from).(*dialect.Outcome)
		if !is || outcome.Success || !outcome.Pending {
			return is && outcome.Success
		}
		select {
		case <-time.After(textDecided):
		case <-ctx.Done():
			return false
		}
	}
}

// isAlive reports whether the goroutine that owns the node has its turn in time: that is what a node that lives does.
func (l *Server) isAlive(ctx context.Context, from asker) bool {
	turn := make(chan struct{})
	if !l.host.Do(from.Addr(), func(time.Time) { close(turn) }) {
		return false
	}
	select {
	case <-turn:
		return true
	case <-ctx.Done():
		return false
	}
}

// localIP is the IP address of this end of a connection.
func localIP(conn net.Conn) netip.Addr {
	if addr, is := conn.LocalAddr().(*net.TCPAddr); is {
		return addr.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// isAlive asks a guest that speaks text whether it lives. Nothing but the right answer says so.
func (h *Host) isAlive(ctx context.Context, to netip.AddrPort) error {
	return h.askText(ctx, to, func(own netip.Addr) []byte { return dialect.AppendLiveness(nil, own, time.Now()) }, dialect.IsAlive)
}

var errTextAnswer = errors.New("it answers something else")

// askText says something to a guest, over a connection of its own as it has no end, and waits until it has answered,
// if it is one that answers. This side closes first: else an earlier program that ends could not listen at its port
// again for a minute.
func (h *Host) askText(ctx context.Context, to netip.AddrPort, question func(own netip.Addr) []byte, answers func(answer, question []byte) bool) error {
	conn, err := h.Dial(ctx, to)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	asked := question(localIP(conn))
	if _, err := conn.Write(asked); err != nil || answers == nil {
		return err
	}
	answer, n := make([]byte, dialect.TextReceived), 0
	for n < len(answer) {
		came, err := conn.Read(answer[n:])
		if n += came; answers(answer[:n], asked) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return errTextAnswer
}
