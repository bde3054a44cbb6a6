package roster_test

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// crowdOf gives the words of so many strangers, from the from-th on.
func crowdOf(from, count int) (claims []hearsay.Claim) {
	for i := range count {
		claims = append(claims, newStranger(from+i).word(hearsay.StateAlive))
	}
	return claims
}

// step is one step that does nothing but let time pass.
func (b *bench) step(d time.Duration) *core.Effects {
	b.out.Reset()
	b.Begin()
	b.now = b.now.Add(d)
	b.Tick(b.now)
	return b.out
}

// A packet with many claims is taken in small steps; all of it, in a time that does
// not matter, and not later for what comes meanwhile.
func TestManyClaimsTakeSteps(t *testing.T) {
	const many = 400
	b := newBench(t, 1)
	b.hear(b.others[0], crowdOf(10, many)...)
	if n := b.Living() - 2; n < 1 || n > 10 {
		t.Errorf("%d claims were taken at once", n)
	}
	steps := 0
	for before := b.Living(); b.Living() < 2+many; before = b.Living() {
		if at := b.Roster.Deadline(); at.Sub(b.now) > time.Millisecond {
			t.Fatalf("the next step is due in %v, with %d to come", at.Sub(b.now), 2+many-b.Living())
		}
		b.step(time.Millisecond)
		b.AnswerHints(b.now)
		if n := b.Living() - before; n < 1 || n > 10 {
			t.Fatalf("%d claims were taken in a step", n)
		}
		if steps++; steps == 3 {
			b.hear(b.others[0], crowdOf(5000, 1)...)
			b.want(newStranger(5000), hearsay.StateAlive)
		}
	}
	if b.Roster.Deadline().Sub(b.now) < 2*time.Millisecond && b.Waiting() == 0 {
		t.Error("it goes on with nothing to do")
	}
}

// A node is in once it has all of the roster that it asked for, though parts of it
// wait.
func TestRosterFollowsItsClaims(t *testing.T) {
	const part = 100
	b := newBench(t, 0)
	giver := newStranger(1)
	b.out.Reset()
	b.Begin()
	b.Contact(b.now, []netip.AddrPort{giver.addr})
	b.step(0)
	p := &core.Packet{From: giver.id(), Addr: giver.addr, Stream: true}
	for i, more := range []bool{true, false} {
		b.Begin()
		p.Body, p.Claims = &core.Roster{More: more}, crowdOf(1+i*part, part)
		if !b.Expects(p) {
			t.Fatalf("part %d is not expected", i)
		}
		if b.Claims(b.now, p) {
			t.Fatalf("part %d is taken at once", i)
		}
	}
	for in := false; !in; {
		if b.now.Sub(start) > time.Second {
			t.Fatal("not in after a second")
		}
		for _, e := range b.step(time.Millisecond).Events {
			if in = in || e.Kind == hearsay.EventJoined; in && e.Kind == hearsay.EventJoined && e.Count != 1+2*part {
				t.Errorf("in with %d members, want %d", e.Count, 1+2*part)
			}
		}
	}
}

// What waits is bounded, and no source has all of the room.
func TestWaitingClaimsAreBounded(t *testing.T) {
	b := newBench(t, 2)
	send := func(source byte) bool {
		b.Begin()
		p := &core.Packet{From: b.others[0].id(), Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, source}), 1), Body: &core.News{}}
		for range core.MaxClaims {
			c := newStranger(1 << 10).word(hearsay.StateAlive)
			c.Card.Signature[0]++
			p.Claims = append(p.Claims, c)
			break
		}
		for len(p.Claims) < core.MaxClaims {
			p.Claims = append(p.Claims, p.Claims[0])
		}
		return !b.Claims(b.now, p)
	}
	first := 0
	for send(1) {
		first++
	}
	second := 0
	for send(2) {
		second++
	}
	if first < 4 || second < 4 || first > 5 || send(3) {
		t.Errorf("%d packets of one source wait, %d of another", first, second)
	}
	if b.stats.Drops[hearsay.DropTableFull] == 0 {
		t.Error("what was dropped is not counted")
	}
}

// Claims that say nothing, or are refused before anything is verified, are no work as
// that is counted. A step takes so many of them only.
func TestStepTakesFewClaimsThatWait(t *testing.T) {
	if testing.Short() {
		t.Skip("measures: not beside the race detector")
	}
	b := newBench(t, 2)
	for i := range 512 { // as many as are remembered of those who are gone: each word is held against them
		b.Forget(b.now, newStranger(1<<12+i).word(hearsay.StateLeft), i < 256)
	}
	wait := func(source byte, claims []hearsay.Claim) {
		b.Begin()
		b.Exhaust()
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, source}), 1)
		p := &core.Packet{From: b.others[0].id(), Addr: addr, Stream: true, Body: &core.News{}, Claims: claims}
		if b.Claims(b.now, p) {
			t.Fatal("they do not wait")
		}
	}
	made := crowdOf(1<<14, core.MaxClaims-1) // from the second on there is no time for their signatures
	for i := range made {
		made[i].Card.Signature[0]++
	}
	for i := range 8 {
		wait(byte(i/4), made)
	}
	cost, steps := time.Hour, 0 // the least of a step that takes many: what else runs here only adds
	for b.WaitingClaims() > 0 {
		before := b.WaitingClaims()
		began := time.Now()
		b.step(time.Millisecond)
		took := time.Since(began)
		n := before - b.WaitingClaims()
		if n > 256 {
			t.Fatalf("a step took %d claims, and %v", n, took)
		}
		if n > 128 {
			cost = min(cost, took)
		}
		steps++
	}
	t.Logf("%d steps; one that takes many takes %v", steps, cost)
	if cost > time.Millisecond {
		t.Errorf("a step of %v", cost)
	}
}
