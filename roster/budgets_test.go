package roster_test

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/quota"
)

// However many signatures strangers have this node verify, and however many of
// their claims wait, those of members, of seats and of a roster that this node has
// asked for are taken.
func TestStrangersLeaveClaimsTheirShare(t *testing.T) {
	from := func(a, b, c byte) netip.AddrPort { return netip.AddrPortFrom(netip.AddrFrom4([4]byte{a, 16, b, c}), 9) }
	seat, contact := from(172, 0, 1), from(172, 0, 2)
	forged := newStranger(7777).word(hearsay.StateAlive)
	forged.Card.Signature[0]++
	claims := func(n int) (all []hearsay.Claim) {
		for range n {
			all = append(all, forged)
		}
		return all
	}
	for _, c := range []struct {
		what   string
		claims []hearsay.Claim // of a packet of a stranger, and of the others
		most   int
	}{
		{"a claim", claims(1), 20_000},
		{"a packet with claims that wait", claims(hearsay.MaxClaims), 100},
	} {
		b := newBench(t, 3)
		b.tellApart(seat)
		b.Contact(b.now, []netip.AddrPort{contact})
		b.step(0)
		gives := func(by netip.AddrPort, body hearsay.Message, claims []hearsay.Claim) (refused bool) {
			id, before := newStranger(8888).id(), b.drops[hearsay.DropRate]+b.drops[hearsay.DropTableFull]
			if by == b.others[0].addr {
				id = b.others[0].id()
			}
			b.out.Reset()
			b.Begin()
			b.Claims(b.now, &hearsay.Packet{From: id, Addr: by, Stream: true, Body: body, Claims: claims})
			return b.drops[hearsay.DropRate]+b.drops[hearsay.DropTableFull] > before
		}
		served := 0
		for n := 0; n < c.most && !gives(from(10, byte(n>>8), byte(n)), &hearsay.News{}, c.claims); n++ {
			served++
		}
		if served == 0 || served == c.most {
			t.Errorf("%s: %d of strangers' were taken: the test shows nothing", c.what, served)
		}
		if gives(b.others[0].addr, &hearsay.News{}, c.claims) {
			t.Errorf("%s of a member is refused after %d of strangers", c.what, served)
		}
		if gives(seat, &hearsay.News{}, c.claims) {
			t.Errorf("%s of a seat is refused after %d of strangers", c.what, served)
		}
		if gives(contact, &hearsay.Roster{More: true}, c.claims) {
			t.Errorf("%s of a roster that was asked for is refused after %d of strangers", c.what, served)
		}
	}
}

// tellApart has the roster know a seat, and members, by their addresses.
func (b *bench) tellApart(seat netip.AddrPort) {
	b.TellApart(func(p *hearsay.Packet) quota.Sender {
		addr, listed := b.Addr(p.From)
		switch {
		case p.Addr == seat:
			return quota.Sender{Class: quota.Seat, Addr: seat}
		case listed && addr == p.Addr:
			return quota.Sender{Class: quota.Member, Addr: addr}
		}
		return quota.Sender{Addr: p.Addr}
	})
}

// A request in a member's name that does not come from where the member is has few
// examinations begin: they cost three times at most what such requests cost their sender.
// And the member has all that it had before.
func TestForgedRequestsCauseLittle(t *testing.T) {
	const size, requests = 66, 4000
	b := newBench(t, 5)
	subject, named := b.others[0], b.others[1]
	begun := 0
	for round := range hearsay.Round(requests) {
		b.out.Reset()
		b.Begin()
		p := &hearsay.Packet{From: named.id(), Addr: netip.MustParseAddrPort("192.0.2.7:9"), Size: size}
		b.WitnessReq(b.now, p, request(subject, round+1))
		for _, e := range b.out.Events {
			if e.Kind == hearsay.EventAsked {
				begun++
			}
		}
		b.now = b.now.Add(200 * time.Millisecond)
	}
	const bytes = 1200 // of an examination
	if times := float64(begun*bytes) / (size * requests); times > 3 || times < 0.5 {
		t.Errorf("%d examinations: %.1f bytes for each that was sent", begun, times)
	}
	begun = 0
	for round := range hearsay.Round(1000) { // at once
		p := &hearsay.Packet{From: named.id(), Addr: netip.MustParseAddrPort("192.0.2.7:9"), Size: size}
		b.out.Reset()
		b.Begin()
		b.WitnessReq(b.now, p, request(subject, 1<<20+round))
		for _, e := range b.out.Events {
			if e.Kind == hearsay.EventAsked {
				begun++
			}
		}
	}
	if begun > 16 {
		t.Errorf("%d examinations at once for strangers, want 16 at most", begun)
	}
	asked := 0
	for round := range hearsay.Round(16) {
		asked += b.ask(named, request(subject, 1<<30+round))
	}
	if asked != 16 {
		t.Errorf("the member itself gets %d of 16 examinations", asked)
	}
}
