package roster_test

import (
	"net/netip"
	"testing"

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
		if !gives(from(11, 1, 1), &hearsay.News{}, c.claims) {
			t.Errorf("%s of one more stranger is taken", c.what)
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
