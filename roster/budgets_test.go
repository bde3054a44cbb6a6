package roster_test

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
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
		{"a packet with claims that wait", claims(core.MaxClaims), 100},
	} {
		b := newBench(t, 3)
		b.tellApart(seat)
		b.Contact(b.now, []netip.AddrPort{contact})
		b.step(0)
		gives := func(by netip.AddrPort, body core.Message, claims []hearsay.Claim) (refused bool) {
			id, before := newStranger(8888).id(), b.stats.Drops[hearsay.DropRate]+b.stats.Drops[hearsay.DropTableFull]
			if by == b.others[0].addr {
				id = b.others[0].id()
			}
			b.out.Reset()
			b.Begin()
			b.Claims(b.now, &core.Packet{From: id, Addr: by, Stream: true, Body: body, Claims: claims})
			return b.stats.Drops[hearsay.DropRate]+b.stats.Drops[hearsay.DropTableFull] > before
		}
		served := 0
		for n := 0; n < c.most && !gives(from(10, byte(n>>8), byte(n)), &core.News{}, c.claims); n++ {
			served++
		}
		if served == 0 || served == c.most {
			t.Errorf("%s: %d of strangers' were taken: the test shows nothing", c.what, served)
		}
		if gives(b.others[0].addr, &core.News{}, c.claims) {
			t.Errorf("%s of a member is refused after %d of strangers", c.what, served)
		}
		if gives(seat, &core.News{}, c.claims) {
			t.Errorf("%s of a seat is refused after %d of strangers", c.what, served)
		}
		if gives(contact, &core.Roster{More: true}, c.claims) {
			t.Errorf("%s of a roster that was asked for is refused after %d of strangers", c.what, served)
		}
	}
}

// tellApart has the roster know a seat, and members, by their addresses.
func (b *bench) tellApart(seat netip.AddrPort) {
	b.TellApart(func(p *core.Packet) quota.Sender {
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
		p := &core.Packet{From: named.id(), Addr: netip.MustParseAddrPort("192.0.2.7:9"), Size: size}
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
		p := &core.Packet{From: named.id(), Addr: netip.MustParseAddrPort("192.0.2.7:9"), Size: size}
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

// TestRostersOfOneSourceAreBounded: identities cost nothing, and each has some rosters by
// itself. What one address gets that makes up a new one for each question is bounded in bytes.
func TestRostersOfOneSourceAreBounded(t *testing.T) {
	const members, made, seconds, most = 8000, 300, 10, 4 << 20 // bytes a second
	b := newBench(t, 4)
	b.pass(5 * time.Second)
	b.Crowd(members, hearsay.StateAlive) // whose roster has several parts
	source := netip.MustParseAddrPort("10.66.0.1:4000")
	got, first := 0, 0
	for range seconds {
		for n := range made {
			one := newStranger(2000 + n)
			p := &core.Packet{From: one.id(), Addr: source, Stream: true, Body: &core.Join{}, Claims: []hearsay.Claim{one.word(hearsay.StateAlive)}}
			b.out.Reset()
			b.Begin()
			b.Claims(b.now, p)
			b.Join(b.now, p)
			for i := range b.out.Send {
				if b.out.Send[i].Addr == source {
					for _, c := range b.out.Send[i].Claims {
						got += c.WireSizeMax()
					}
				}
			}
			if n == 0 && first == 0 {
				first = got
			}
		}
		b.pass(time.Second)
	}
	if first == 0 || got/seconds > most {
		t.Errorf("a roster has %d bytes, and one source got %d a second; may be %d", first, got/seconds, most)
	}
}

// TestForgedDeathsCauseLittle: who says in members' names, or in others', that members are
// dead has this node send little more than it has told, and makes no packet slow.
func TestForgedDeathsCauseLittle(t *testing.T) {
	const members, forged = 20, 1000
	const size = 60 // of a request, in bytes
	const most = 4  // sim.causedMost
	for _, listed := range []bool{false, true} {
		b := newBench(t, members)
		b.pass(5 * time.Second)
		told, requests := 0, 0
		count := func(packets []core.Packet) {
			for i := range packets {
				if _, is := packets[i].Body.(*core.EvidenceReq); is {
					requests++
				}
			}
		}
		for n := range forged {
			of, liar := b.others[n%members], newStranger(900+n)
			if listed {
				liar = b.others[(n/members+n+1)%members]
			}
			c := hearsay.Claim{Subject: of.id(), State: hearsay.StateDead, Incarnation: of.incarnation, By: b.others[0].id(), Evidence: hearsay.Hash{byte(n), byte(n >> 8), 1}}
			told += c.WireSizeMax()
			b.out.Reset()
			b.Begin()
			b.Claims(b.now, &core.Packet{From: liar.id(), Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 99, byte(n >> 8), byte(n)}), 9), Body: &core.News{}, Claims: []hearsay.Claim{c}})
			count(b.out.Now)
		}
		pending := b.Pending()
		count(b.pass(10 * time.Second).Now)
		if caused := size * requests; caused > most*told || listed && (requests == 0 || requests > 5*pending) || !listed && requests > 0 {
			t.Errorf("listed: %t: %d bytes told of %d deaths, of which %d were pending: %d requests, %d bytes; may be %d",
				listed, told, forged, pending, requests, caused, most*told)
		}
		if pending > members*8 {
			t.Errorf("%d deaths of %d members are pending", pending, members)
		}
	}
}

// TestForgedDeathsLeaveRoomToTrueOnes: a death that is proven is believed though others have
// filled the room of its subject.
func TestForgedDeathsLeaveRoomToTrueOnes(t *testing.T) {
	b := newBench(t, 20)
	m, honest := b.others[0], b.others[1]
	b.hear(honest, suspect(m, honest))
	forge := func(n int) {
		liar := b.others[2+n%18]
		b.hear(liar, hearsay.Claim{Subject: m.id(), State: hearsay.StateDead, Incarnation: m.incarnation, By: liar.id(), Evidence: hearsay.Hash{byte(n), byte(n >> 8), 2}})
	}
	for n := range 100 {
		forge(n)
	}
	b.pass(500 * time.Millisecond) // all were asked once
	genuine := b.evidence(m, hearsay.RuleMajority, first(5, hearsay.VerdictUnreachable))
	b.hear(honest, deadClaim(m, honest, genuine))
	for n := range 100 { // and none makes room of the true one, which was not asked yet
		forge(1000 + n)
	}
	asked := false
	for _, p := range b.pass(400 * time.Millisecond).Now {
		r, is := p.Body.(*core.EvidenceReq)
		asked = asked || is && r.Hash == genuine.Hash(network)
	}
	if !asked {
		t.Error("the evidence is not asked for")
	}
}
