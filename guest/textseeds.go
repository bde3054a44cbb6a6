package guest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hearsay/dialect"
	"hearsay/internal/core"
)

// This file is a peer of ours at seeds that speak text. They register whatever has a colon, give their list to one that
// registers, and at no other time, and hold a thread for each connection that has ended. So a peer registers once,
// over a connection that stays, and reports over that. Who comes later it learns from links that are asked for, and who
// has gone from its own probes, as the program's peers do.

// The limits on that. All but textMisses, of which the earlier programs have three with far longer waits, are guesses.
const (
	metMost    = 256                   // that no list has had
	textMisses = 5                     // questions one after the other without an answer
	textQuiet  = 50 * time.Millisecond // after which a list is whole
	pingEach   = 5 * time.Second       // whether a node of ours is there, by datagram
	textSettle = time.Second           // one that is of ours has said so by then
)

// keepText has a seed of text register this node, once for each connection, which it keeps.
func (a *Abroad) keepText(s *foreignSeed) {
	for wait := registerEach; ; wait = min(2*wait, registerEachTo) {
		has, err := a.registeredText(s)
		var conn net.Conn
		if err == nil {
			conn = has.conn
			a.takeTextList(s, has.list)
			wait = registerEach
			a.note(s, nil)
			err = a.holdText(s, conn)
		}
		if a.ctx.Err() != nil {
			return
		}
		a.note(s, err)
		a.lookBack()
		if !a.pause(wait/2+rand.N(wait), nil) {
			return
		}
	}
}

// registeredText gives the registration that there was before, the first time, and else a new one.
func (a *Abroad) registeredText(s *foreignSeed) (*TextSeed, error) {
	if has := s.before; has != nil {
		s.before = nil
		return has, nil
	}
	if err := a.checkLanguage(s, true); err != nil {
		return nil, err
	}
	return RegisterText(a.ctx, a.host.Dial, s.addr, a.self)
}

// TextSeed is a seed that has shown that it speaks text: it has registered this node, and has given its list.
type TextSeed struct {
	conn net.Conn // over which it has
	list []netip.AddrPort
}

// Close ends the connection with a seed. It does not undo the registration.
func (s *TextSeed) Close() { s.conn.Close() }

// RegisterText has a seed that speaks text, as far as is known, register a peer. What is none does not answer with a
// list that has the peer.
func RegisterText(ctx context.Context, dial func(context.Context, netip.AddrPort) (net.Conn, error), seed, self netip.AddrPort) (*TextSeed, error) {
	ctx, cancel := context.WithTimeout(ctx, askSeedTimeout)
	defer cancel()
	conn, err := dial(ctx, seed)
	if err != nil {
		return nil, why(err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	conn.SetDeadline(time.Now().Add(askSeedTimeout))
	list, err := registerOver(conn, self)
	if err != nil || !stop() {
		conn.Close()
		return nil, cmp.Or(err, ctx.Err())
	}
	conn.SetDeadline(time.Time{})
	return &TextSeed{conn, list}, nil
}

// registerOver registers a peer over a connection, and gives the list that comes back.
func registerOver(conn net.Conn, self netip.AddrPort) ([]netip.AddrPort, error) {
	if _, err := conn.Write(dialect.AppendRegister(nil, self)); err != nil {
		return nil, why(err)
	}
	text, err := readQuiet(conn)
	if err != nil {
		return nil, err
	}
	list, err := dialect.ReadList(text)
	if err == nil && !slices.Contains(list, self) {
		err = fmt.Errorf("it has not listed this node as %v", self)
	}
	return list, err
}

// readQuiet reads what comes until nothing has for a moment.
func readQuiet(conn net.Conn) (text []byte, err error) {
	part := make([]byte, dialect.TextReceived)
	for len(text) < dialect.ReplyLineMax {
		n, err := conn.Read(part)
		text = append(text, part[:n]...)
		switch {
		case err != nil && len(text) > 0 && (errors.Is(err, os.ErrDeadlineExceeded) || err == io.EOF):
			return text, nil
		case err == io.EOF:
			return nil, errors.New("it closes the connection without a list")
		case err != nil:
			return nil, why(err)
		}
		conn.SetReadDeadline(time.Now().Add(textQuiet))
	}
	return nil, fmt.Errorf("its list is longer than %d bytes", dialect.ReplyLineMax)
}

// takeTextList takes the list that a seed gave as it registered this node.
func (a *Abroad) takeTextList(s *foreignSeed, peers []netip.AddrPort) {
	a.mu.Lock()
	s.list, s.listedAt, s.answered, s.registered = peers[:min(len(peers), dialect.PeersMost)], time.Now(), true, true
	s.bad = len(peers) - len(s.list)
	for _, peer := range s.list {
		delete(a.gone, peer)
	}
	a.mu.Unlock()
	a.host.Note(func(*Phrases) string { return dialect.PhraseSeedAnswer(s.addr, true) })
	a.merge()
}

// holdText returns when the connection with a seed ends. What a seed says by itself is not read for anything.
func (a *Abroad) holdText(s *foreignSeed, conn net.Conn) error {
	stop := context.AfterFunc(a.ctx, func() { conn.Close() })
	defer stop()
	a.mu.Lock()
	s.conn = conn
	a.mu.Unlock()
	_, err := io.Copy(io.Discard, conn)
	a.mu.Lock()
	s.conn = nil
	a.mu.Unlock()
	conn.Close()
	if err != nil {
		return why(err)
	}
	return errors.New("it has closed the connection")
}

// probeText asks one that is listed whether it lives, and by a datagram, which the earlier programs do not hear,
// whether a node of ours is there.
func (a *Abroad) probeText(ctx context.Context, addr netip.AddrPort) error {
	now := time.Now()
	a.mu.Lock()
	l := a.listed[addr]
	pings := l != nil && now.Sub(l.pinged) >= pingEach
	if pings {
		l.pinged, l.ping = now, rand.Uint64()|1
		a.host.Ping(addr, l.ping)
	}
	a.mu.Unlock()
	return a.host.isAlive(ctx, addr)
}

// Answered is told that a node of ours has answered a datagram with a number at an address. It is called in the
// goroutine that owns the node.
func (a *Abroad) Answered(now time.Time, addr netip.AddrPort, number uint64) {
	if a.tongue != core.Text {
		return
	}
	a.mu.Lock()
	l := a.listed[addr]
	is := l != nil && l.ping == number && number != 0
	if is {
		a.isOne(now, addr, l)
		l.heard = now
	}
	a.mu.Unlock()
	if is {
		a.links.dismiss(addr)
		a.host.CarryOut(a.host.Node.Contact(now, []netip.AddrPort{addr}))
	}
}

// strange is told of a node that has to do with this one. Mostly no list has it, or it has never answered.
func (a *Abroad) strange(addr netip.AddrPort) {
	if a.IsGuest(addr) {
		a.hear(addr)
		return
	}
	if a.tongue != core.Text {
		a.refresh()
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.listed[addr] != nil || a.living[addr] || addr == a.self || a.asking >= ProbesMax || len(a.met) >= metMost || a.ctx.Err() != nil {
		return
	}
	a.asking++
	a.wait.Go(func() {
		ctx, cancel := context.WithTimeout(a.ctx, probePeerTimeout)
		defer cancel()
		err := a.host.isAlive(ctx, addr)
		a.mu.Lock()
		if a.asking--; err == nil && len(a.met) < metMost {
			a.met[addr] = true
			delete(a.gone, addr)
		}
		a.mu.Unlock()
		a.merge()
	})
}

// reportText tells each seed that one is dead, over the connection that there is, and lists it no more: that program's
// lists tell nobody that they have changed.
func (a *Abroad) reportText(dead netip.AddrPort) {
	var told atomic.Int32
	var wait sync.WaitGroup
	for _, s := range a.seeds {
		wait.Go(func() {
			if a.sayText(s, dialect.AppendDeath(nil, dead, a.self.Addr(), time.Now())) {
				told.Add(1)
			}
		})
	}
	wait.Wait()
	a.mu.Lock()
	for _, s := range a.seeds {
		s.list = slices.DeleteFunc(s.list, func(addr netip.AddrPort) bool { return addr == dead })
	}
	delete(a.met, dead)
	if len(a.gone) < dialect.PeersMost {
		a.gone[dead] = true
	}
	a.mu.Unlock()
	text := fmt.Sprintf(dialect.PhraseReported, dead, told.Load(), len(a.seeds))
	a.host.Note(func(*Phrases) string { return text })
	a.merge()
}

// sayText says something to a seed, in a segment of its own: what comes together is one message to it.
func (a *Abroad) sayText(s *foreignSeed, text []byte) (said bool) {
	s.saying.Lock()
	defer s.saying.Unlock()
	a.mu.Lock()
	conn := s.conn
	a.mu.Unlock()
	if conn == nil {
		return false
	}
	conn.SetWriteDeadline(time.Now().Add(askSeedTimeout))
	if _, err := conn.Write(text); err != nil {
		return false
	}
	a.pause(textQuiet, nil)
	return true
}
