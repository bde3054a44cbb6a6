package guest

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/dialect"
	"hearsay/internal/core"
)

func addrOf(n int) netip.AddrPort {
	var ip [4]byte
	binary.BigEndian.PutUint32(ip[:], 10<<24+uint32(n))
	return netip.AddrPortFrom(netip.AddrFrom4(ip), 6001)
}

// Where no guest is linked a rumor costs nothing here, however many there are.
func TestRumorsCostNothingWithoutGuests(t *testing.T) {
	l := NewLinks(&Host{}, addrOf(1))
	defer l.Close()
	rumor := &hearsay.Event{Kind: hearsay.EventRumor, Rumor: &hearsay.Rumor{Data: []byte("tea")}}
	if n := testing.AllocsPerRun(100, func() { l.Note(time.Time{}, rumor) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// Strangers that ask for links, and say much, take no link from a guest, and what is kept of them is bounded.
func TestLinksAreBounded(t *testing.T) {
	guest := addrOf(0)
	drops := 0
	l := NewLinks(&Host{Drop: func(hearsay.Drop) { drops++ }}, addrOf(1<<20))
	defer l.Close()
	l.speaks = func(addr netip.AddrPort) core.Dialect {
		if addr == guest {
			return core.Lines
		}
		return 0
	}
	now := time.Unix(1, 0)
	l.mu.Lock()
	l.at(guest, now)
	l.mu.Unlock()
	for i := range 10 * linksMost {
		now = now.Add(time.Millisecond)
		stranger := addrOf(1 + i)
		for range 2 * earlyMost {
			l.gossip(now, &dialect.Gossip{Text: "tea", Sender: stranger}, asker{stranger, core.Lines})
		}
	}
	early := 0
	for _, one := range l.all {
		early += len(one.early)
	}
	if len(l.all) != linksMost || early > linksMost*earlyMost || l.all[guest] == nil {
		t.Errorf("%d links, %d messages, the guest's %v", len(l.all), early, l.all[guest])
	}
	for port := range uint16(10 * strangers) { // of one host, whose ports are others' words
		now = now.Add(time.Millisecond)
		one := netip.AddrPortFrom(addrOf(1<<19).Addr(), 1+port)
		l.gossip(now, &dialect.Gossip{Text: "tea", Sender: one}, asker{one, core.Lines})
	}
	neighbors := 0
	for addr := range l.all {
		if addr.Addr() == addrOf(1<<19).Addr() {
			neighbors++
		}
	}
	if neighbors != strangers {
		t.Errorf("%d that are not in are known of one address", neighbors)
	}
	said := 0
	for range 2 * int(sayBurst/sayEach) {
		if l.pays(now, guest) {
			said++
		}
	}
	if said != int(sayBurst/sayEach)+1 {
		t.Errorf("a guest may say %d messages at once", said)
	}
	drops = 0
	if ack := l.gossip(now, &dialect.Gossip{Text: "tea", Sender: guest}, asker{addrOf(7), core.Lines}).(*dialect.GossipAck); ack.Accepted {
		t.Error("a message is taken from elsewhere than its sender")
	}
	one := l.all[guest]
	one.sending = true // and stands still
	const line, most = 1 << 10, waitingMost >> 10
	for range 2 * most {
		l.enqueue(guest, one, make([]byte, line))
	}
	if len(one.waiting) != most || one.bytes != waitingMost || drops != most {
		t.Errorf("%d wait, of %d bytes, and %d were dropped", len(one.waiting), one.bytes, drops)
	}
	for i := range 2 * ownTexts {
		l.remember(addrOf(i).String())
	}
	if len(l.texts) != ownTexts || len(l.order) != ownTexts || l.isOurText(addrOf(0).String()) || !l.isOurText(addrOf(2*ownTexts-1).String()) {
		t.Errorf("%d texts are known", len(l.texts))
	}
}

// What guests cannot be told as it is has one stand-in, whichever node tells it and whenever: else it would be two
// rumors to a guest with two links. Rumors of two lives, or of two nodes at one IP address, have two.
func TestStandInsAreOne(t *testing.T) {
	stands := func(at time.Time, life byte, number uint64) (lines, text string) {
		l := NewLinks(&Host{}, addrOf(1))
		defer l.Close()
		l.where = func(hearsay.NodeID) netip.AddrPort { return addrOf(7) }
		rumor := &hearsay.Rumor{ID: clock.Dot{Origin: clock.Origin{life}, Counter: number}, Data: make([]byte, textMost+1)}
		told := l.tell(&hearsay.Event{At: at, Kind: hearsay.EventRumor, Rumor: rumor})
		if !l.isOurText(told.gossip.Text) || !l.isOurText(told.line) {
			t.Errorf("%q and %q are not known when they come back", told.gossip.Text, told.line)
		}
		return told.gossip.Text, told.line
	}
	lines, text := stands(time.Unix(1, 0), 1, 1)
	if l, x := stands(time.Unix(2, 5), 1, 1); l != lines || x != text {
		t.Errorf("%q and %q, and later %q and %q", lines, text, l, x)
	}
	if !dialect.IsText(lines) || !dialect.IsLine(text) {
		t.Errorf("guests do not take %q and %q", lines, text)
	}
	for _, other := range []struct {
		life   byte
		number uint64
	}{{2, 1}, {1, 2}} {
		if l, x := stands(time.Unix(1, 0), other.life, other.number); l == lines || x == text {
			t.Errorf("life %d, number %d: %q and %q, too", other.life, other.number, l, x)
		}
	}
}

// However many guests are told something, and however many of these hang, few connections are open at a time.
func TestFewConnectionsToGuests(t *testing.T) {
	var open, most atomic.Int32
	hang := make(chan struct{})
	host := newHost(hearsay.RolePeer, localhost)
	host.Dial = func(ctx context.Context, _ netip.AddrPort) (net.Conn, error) {
		if n := open.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer open.Add(-1)
		select {
		case <-hang:
		case <-ctx.Done():
		}
		return nil, errors.New("it hangs")
	}
	l := NewLinks(host, addrOf(1))
	l.speaks = func(netip.AddrPort) core.Dialect { return core.Lines }
	l.mu.Lock()
	for i := range 2 * LinksOpen {
		one := l.at(addrOf(2+i), time.Unix(1, 0))
		l.enqueue(addrOf(2+i), one, []byte("tea\n"))
	}
	l.mu.Unlock()
	for open.Load() < LinksOpen {
		runtime.Gosched()
	}
	close(hang)
	l.Close()
	if most.Load() > LinksOpen {
		t.Errorf("%d were open at a time, want at most %d", most.Load(), LinksOpen)
	}
}

// An older peer names no origin. What has its IP address in it is its own, unless there are several at that address.
func TestOldPeersOwnWords(t *testing.T) {
	l := NewLinks(&Host{}, addrOf(1))
	defer l.Close()
	there := []netip.AddrPort{addrOf(2)}
	l.guestsAt = func(ip netip.Addr, speaks core.Dialect) []netip.AddrPort {
		if ip != addrOf(2).Addr() || speaks != core.Lines {
			t.Errorf("guests of dialect %d at %s are asked for", speaks, ip)
		}
		return there
	}
	said := func(text string, sender netip.AddrPort) bool {
		return l.isOwn(&dialect.Gossip{Text: text, Sender: sender})
	}
	own := dialect.Text(time.Unix(1, 0), addrOf(2).Addr(), 1)
	if !said(own, addrOf(2)) {
		t.Error("what the one guest at its IP address says is not its own")
	}
	if said(own, addrOf(3)) || said("tea", addrOf(2)) {
		t.Error("what another has said, or nobody knows who, is a guest's own")
	}
	if there = append(there, netip.AddrPortFrom(addrOf(2).Addr(), 6002)); said(own, addrOf(2)) {
		t.Error("what one of two at an IP address says is its own")
	}
}
