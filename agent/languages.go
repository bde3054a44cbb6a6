package agent

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"hearsay"
	"hearsay/guest"
)

// languages are what the configured seeds speak. An earlier program's seed may run where one of ours is expected. One
// that speaks text registers whatever has a colon, a frame too, and lists it until it is started again; one that
// speaks lines logs an error for each frame. So no frame goes by stream to a seed's address until it is known that it
// is understood there: a frame has come from it, or it has answered the question. Datagrams need none: the earlier
// programs listen by TCP only.
type languages struct {
	told func(seed netip.AddrPort, why error) // of one that speaks another language
	// foreign is told once that a quorum of seeds speak another language; nil: nobody is
	foreign func(guest.Language)
	// guests reports whether a guest is at an address, which a frame would be a wrong line to; nil: no guest is known
	guests  atomic.Pointer[func(netip.AddrPort) bool]
	unknown atomic.Int32 // seeds that are not known to speak as we do

	mu    sync.Mutex
	met   bool // a quorum that speaks another language
	seeds map[netip.AddrPort]*language
}

// language is what one seed speaks.
type language struct {
	asking  sync.Mutex // held by whatever asks it: it is asked once at a time
	ours    bool
	times   int             // that it has answered so, one after the other
	foreign guest.Language  // that it has answered, if it has
	text    *guest.TextSeed // it has registered this node; nil: it has not, or that was handed on
	refuses string          // why it has not, if it was to
	askAt   time.Time       // then: not before
	wait    time.Duration   // then: until askAt, since it was asked
}

// A seed that speaks another language is asked again after a while, and then less and less often. One that speaks lines
// logs each question. One that closes without a word is asked again soon: it may be ours, and have no room for the
// connection. Guesses.
const (
	askLinesAfter = 20 * time.Second
	askTextAfter  = 2 * time.Second
	askForeignMax = time.Minute

	textTimes      = 2           // that a seed of text has closed at the question, before it registers this node
	registerWithin = time.Second // of its last answer: another program may be there next
)

func newLanguages(seeds []netip.AddrPort, own netip.AddrPort, told func(netip.AddrPort, error)) *languages {
	l := &languages{told: told, seeds: make(map[netip.AddrPort]*language)}
	for _, addr := range seeds {
		if addr != own {
			l.seeds[addr] = &language{}
		}
	}
	l.unknown.Store(int32(len(l.seeds)))
	return l
}

// heard is told that a frame has come from an address.
func (l *languages) heard(from netip.AddrPort) {
	if l.unknown.Load() > 0 {
		l.mu.Lock()
		l.setOurs(from, true)
		l.mu.Unlock()
	}
}

// lost is told that nothing accepts connections at an address: another program may be there next.
func (l *languages) lost(at netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setOurs(at, false)
}

// forget is told that another program may be at an address than answered last: it is asked at once.
func (l *languages) forget(at netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setOurs(at, false)
	if seed := l.seeds[at]; seed != nil {
		seed.askAt = time.Time{}
	}
}

// setOurs is called with mu held. A registration by what was there before is over.
func (l *languages) setOurs(at netip.AddrPort, ours bool) {
	seed := l.seeds[at]
	if seed == nil || seed.ours == ours {
		return
	}
	seed.ours, seed.foreign, seed.times, seed.askAt, seed.wait = ours, 0, 0, time.Time{}, 0
	if seed.refuses = ""; seed.text != nil {
		seed.text.Close()
		seed.text = nil
	}
	if ours {
		l.unknown.Add(-1)
	} else {
		l.unknown.Add(1)
	}
}

// errGuest is why no frame goes to a guest.
var errGuest = errors.New("what is there speaks only an earlier program's protocol")

// turn waits until nothing else asks at an address, and gives what ends this caller's turn.
func (l *languages) turn(at netip.AddrPort) (end func()) {
	l.mu.Lock()
	seed := l.seeds[at]
	l.mu.Unlock()
	if seed == nil {
		return func() {}
	}
	seed.asking.Lock()
	return seed.asking.Unlock
}

// mustAsk reports whether an address must be asked before a frame goes there. The error says why no frame may go there,
// as long as it is not time to ask again.
func (l *languages) mustAsk(at netip.AddrPort, now time.Time) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch seed := l.seeds[at]; {
	case seed == nil:
		if guests := l.guests.Load(); guests != nil && (*guests)(at) {
			return false, errGuest
		}
		return false, nil
	case seed.ours:
		return false, nil
	case seed.foreign != 0 && now.Before(seed.askAt):
		return false, seed.foreign.ForeignError()
	}
	return true, nil
}

// ask asks at the other end of a connection that is new. The error says why no frame may go there.
func (l *languages) ask(ctx context.Context, conn net.Conn, at netip.AddrPort) error {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	speaks, err := guest.AskLanguage(conn, streamDialTimeout)
	foreign := guest.Language(0)
	defer func() {
		if foreign != 0 {
			l.foreign(foreign)
		}
	}()
	l.mu.Lock()
	defer l.mu.Unlock()
	seed := l.seeds[at]
	switch {
	case err != nil:
		return err
	case speaks == guest.Ours:
		l.setOurs(at, true)
		return nil
	case seed.ours:
		return nil // a frame has come meanwhile
	}
	why, first := speaks.ForeignError(), seed.foreign != speaks
	switch {
	case !first:
		seed.wait = min(2*seed.wait, askForeignMax)
	case speaks == guest.Lines:
		seed.wait = askLinesAfter
	default:
		seed.wait = askTextAfter
	}
	if first {
		seed.times = 0
		l.told(at, why)
	}
	seed.foreign, seed.times, seed.askAt = speaks, seed.times+1, time.Now().Add(seed.wait)
	if l.foreign != nil && !l.met && l.sure(speaks) >= hearsay.QuorumOf(len(l.seeds)) {
		l.met, foreign = true, speaks
	}
	return why
}

// decided reports whether a seed need not be asked on to find out what a quorum speaks.
func (l *languages) decided(at netip.AddrPort) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	seed := l.seeds[at]
	return seed == nil || seed.ours || l.met || seed.foreign == guest.Lines || seed.text != nil && seed.times >= textTimes
}

// foreignAt gives what a seed speaks, if it is another language than this node; else 0.
func (l *languages) foreignAt(at netip.AddrPort) guest.Language {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seed := l.seeds[at]; seed != nil && !seed.ours {
		return seed.foreign
	}
	return 0
}

// spoken gives what a seed that is not ours has answered, if it need not be asked again yet; else 0.
func (l *languages) spoken(at netip.AddrPort, now time.Time) guest.Language {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seed := l.seeds[at]; seed != nil && !seed.ours && now.Before(seed.askAt) {
		return seed.foreign
	}
	return 0
}

// sure counts the seeds that surely speak a language. A port that closes without a word may be one whose program is
// down, or one of ours without room: so a seed of text must have registered this node, too, and have closed at the
// question after that. Its caller holds mu.
func (l *languages) sure(speaks guest.Language) (n int) {
	for _, seed := range l.seeds {
		if seed.foreign == speaks && (speaks == guest.Lines || seed.text != nil && seed.times >= textTimes) {
			n++
		}
	}
	return n
}

// mayRegister reports whether a seed closes at the question, has just done so, and has not registered this node.
func (l *languages) mayRegister(at netip.AddrPort, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	seed := l.seeds[at]
	return !l.met && seed != nil && !seed.ours && seed.foreign == guest.Text && seed.text == nil && seed.times >= textTimes &&
		now.Sub(seed.askAt.Add(-seed.wait)) < registerWithin
}

// registered is told what came of a registration with a seed. It must close at the question once more.
func (l *languages) registered(at netip.AddrPort, text *guest.TextSeed, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seed := l.seeds[at]
	switch {
	case err != nil:
		seed.refuses = err.Error()
	case seed.ours || l.met: // meanwhile
		text.Close()
	default:
		seed.text, seed.refuses, seed.times = text, "", textTimes-1
	}
}

// takeText hands on the registrations that there are.
func (l *languages) takeText() map[netip.AddrPort]*guest.TextSeed {
	l.mu.Lock()
	defer l.mu.Unlock()
	has := make(map[netip.AddrPort]*guest.TextSeed)
	for addr, seed := range l.seeds {
		if seed.text != nil {
			has[addr], seed.text = seed.text, nil
		}
	}
	return has
}

// refusal is why a seed that closes at the question has not registered this node; "": it has, or was not asked to.
func (l *languages) refusal(at netip.AddrPort) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seed := l.seeds[at]; seed != nil {
		return seed.refuses
	}
	return ""
}
